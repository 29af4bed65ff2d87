"""What crosses the wire about the neighbour exchange. Minutes are whole."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec

from service.exchange.actions.listing import Draft
from service.exchange.queries.exchanges import ExchangeView, Moment
from service.exchange.queries.listings import ListingView
from service.exchange.rules import (
    MINUTES_MAX,
    NOTE_LENGTH_MAX,
    TEXT_LENGTH_MAX,
    TITLE_LENGTH_MAX,
    Category,
    Kind,
    ListingState,
    State,
    Verb,
    words_of,
)

Title = Annotated[str, msgspec.Meta(min_length=1, max_length=TITLE_LENGTH_MAX)]
Text = Annotated[str, msgspec.Meta(max_length=TEXT_LENGTH_MAX)]
Note = Annotated[str, msgspec.Meta(max_length=NOTE_LENGTH_MAX)]
Words = Annotated[str, msgspec.Meta(min_length=1, max_length=NOTE_LENGTH_MAX)]
Minutes = Annotated[int, msgspec.Meta(ge=1, le=MINUTES_MAX)]


class ListingIn(msgspec.Struct):
    """What is offered or asked for; also the form of the page."""

    kind: Kind
    category: Category
    title: Title
    minutes: Minutes
    text: Text = ""

    def draft(self) -> Draft:
        """For the action; blanks around the words are not words."""
        return Draft(self.kind, self.category, words_of("title", self.title), self.text.strip(), self.minutes)


class AnswerIn(msgspec.Struct):
    """A word to the owner of the listing."""

    note: Note = ""


class WordsIn(msgspec.Struct):
    """One short text: of thanks, or what is wrong."""

    words: Words


class DecisionIn(msgspec.Struct):
    """How many minutes are the helper's; the rest returns."""

    paid_minutes: Annotated[int, msgspec.Meta(ge=0, le=MINUTES_MAX)]
    reason: Words


class Nothing(msgspec.Struct):
    """A form that is one button."""


class ListingOut(msgspec.Struct):
    """A listing; the owner's name is masked."""

    listing_id: UUID
    kind: Kind
    category: Category
    title: str
    text: str
    minutes: int
    owner: str
    is_mine: bool
    state: ListingState
    posted_at: datetime
    expires_at: datetime


class ListingsOut(msgspec.Struct):
    """A page of listings and the cursor of the next."""

    items: list[ListingOut]
    next: str | None


class ExchangeOut(msgspec.Struct):
    """An exchange as the reader may see it, and what the reader may do."""

    exchange_id: UUID
    listing_id: UUID
    kind: Kind
    title: str
    payer: str
    helper: str
    is_payer: bool
    is_helper: bool
    minutes: int
    note: str
    state: State
    asked_at: datetime
    changed_at: datetime
    due_at: datetime | None
    paid_minutes: int | None
    thanks: str | None
    is_hidden: bool
    can: list[Verb]


class ExchangesOut(msgspec.Struct):
    """A page of exchanges and the cursor of the next."""

    items: list[ExchangeOut]
    next: str | None


class GiftIn(msgspec.Struct):
    """To whom of the household, how many minutes, with which words; also the form of the page."""

    receiver: UUID
    minutes: Minutes
    note: Note = ""


class KinOut(msgspec.Struct):
    """Somebody one may give to."""

    member_id: UUID
    name: str


class GiftOut(msgspec.Struct):
    """A gift; `other` is the one across from the reader."""

    gift_id: UUID
    is_mine: bool
    other: str
    minutes: int
    note: str
    given_at: datetime


class GiftsOut(msgspec.Struct):
    """A page of gifts and the cursor of the next."""

    items: list[GiftOut]
    next: str | None


class ContactOut(msgspec.Struct):
    """How to reach the other side."""

    name: str
    phone: str | None


class MomentOut(msgspec.Struct):
    """One line of the history; without an actor, time alone moved it."""

    verb: Verb
    at: datetime
    actor: str
    note: str | None


class ExchangeWhole(msgspec.Struct):
    """An exchange and everything that happened to it."""

    exchange: ExchangeOut
    history: list[MomentOut]


def listing_out(view: ListingView) -> ListingOut:
    """On the wire."""
    return ListingOut(
        view.listing_id,
        view.kind,
        view.category,
        view.title,
        view.text,
        view.minutes,
        view.owner,
        view.is_mine,
        view.state,
        view.posted_at,
        view.expires_at,
    )


def exchange_out(view: ExchangeView) -> ExchangeOut:
    """On the wire."""
    return ExchangeOut(
        view.exchange_id,
        view.listing_id,
        view.sides.kind,
        view.title,
        view.payer,
        view.helper,
        view.is_payer,
        view.is_helper,
        view.minutes,
        view.note,
        view.state,
        view.asked_at,
        view.changed_at,
        view.due_at,
        view.paid_minutes,
        view.thanks,
        view.is_hidden,
        list(view.can),
    )


def moment_out(moment: Moment) -> MomentOut:
    """On the wire."""
    return MomentOut(moment.verb, moment.at, moment.actor, moment.note)
