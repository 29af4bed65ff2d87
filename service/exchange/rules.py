"""States, limits and refusals of the neighbour exchange; pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from service.kit.access import Role
from service.kit.refusals import Conflict, Invalid, NotAllowed, NotFound, Refusal, Unavailable
from service.kit.words import hours

STAFF = (Role.STAFF, Role.APPROVER)
READERS = (*STAFF, Role.AUDITOR)
"""Who reads every exchange with the names of both."""

MINUTES_MAX = 10_000
"""The most that a column takes; what a community allows is its setting."""
TITLE_LENGTH_MAX = 40
TEXT_LENGTH_MAX = 300
NOTE_LENGTH_MAX = 200
OPEN_LISTINGS_MAX = 20
WAITING_ANSWERS_MAX = 10
"""So many answers of one person wait for their owners at most."""

MOST_MINUTES = "exchange_minutes_max"
MOST_OF_PAIR = "exchange_pair_minutes_per_month_max"
LISTING_DAYS = "exchange_listing_days"
ANSWER_DAYS = "exchange_answer_days"
DONE_DAYS = "exchange_done_days"
CONFIRM_DAYS = "exchange_confirm_days"
GIFT_MINUTES = "exchange_gift_minutes_max"
GIFT_MONTH = "exchange_gift_minutes_per_month_max"
SETTINGS = (MOST_MINUTES, MOST_OF_PAIR, LISTING_DAYS, ANSWER_DAYS, DONE_DAYS, CONFIRM_DAYS)


class Kind(StrEnum):
    """Whether the listing's owner gives time or needs it."""

    OFFER = "offer"
    REQUEST = "request"


class Category(StrEnum):
    """What it is about."""

    REPAIRS = "repairs"
    CHORES = "chores"
    ERRANDS = "errands"
    COMPANY = "company"
    LESSONS = "lessons"
    DIGITAL = "digital"
    PETS = "pets"
    OTHER = "other"


class ListingState(StrEnum):
    """Open until somebody's answer was accepted (requests), it was taken down, or its days are over."""

    OPEN = "open"
    TAKEN = "taken"
    CLOSED = "closed"
    EXPIRED = "expired"


class State(StrEnum):
    """How far an exchange has come."""

    ASKED = "asked"
    ACCEPTED = "accepted"
    DONE = "done"
    DISPUTED = "disputed"
    CONFIRMED = "confirmed"
    RETURNED = "returned"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


HELD = (State.ACCEPTED, State.DONE, State.DISPUTED)
"""While the payer's minutes lie aside."""
WAITING = (State.ASKED, State.ACCEPTED, State.DONE)
"""What time alone moves on."""
OPEN = (State.ASKED, *HELD)


class Verb(StrEnum):
    """What happened, as the history keeps it."""

    ASK = "ask"
    ACCEPT = "accept"
    DECLINE = "decline"
    WITHDRAW = "withdraw"
    FINISH = "finish"
    CONFIRM = "confirm"
    DISPUTE = "dispute"
    DECIDE = "decide"
    EXPIRE = "expire"
    LAPSE = "lapse"
    """The days to confirm are over: confirmed by time."""
    THANK = "thank"


class ListingNotFound(NotFound):
    """No such listing, or it is no longer on the board."""

    code: ClassVar[str] = "exchange.listing_not_found"


class ListingClosed(Conflict):
    """It was taken down, taken on by somebody else, or its days are over."""

    code: ClassVar[str] = "exchange.listing_closed"


class OwnListing(Conflict):
    """Nobody answers their own listing."""

    code: ClassVar[str] = "exchange.own_listing"


@dataclass(eq=False)
class TooManyListings(Conflict):
    """So many may be on the board at once."""

    code: ClassVar[str] = "exchange.too_many_listings"
    most: int


@dataclass(eq=False)
class TooManyAnswers(Conflict):
    """So many answers of one person may wait at once."""

    code: ClassVar[str] = "exchange.too_many_answers"
    most: int


class AlreadyAnswered(Conflict):
    """The same person's answer to the same listing is not finished yet."""

    code: ClassVar[str] = "exchange.already_answered"


@dataclass(eq=False)
class TooLong(Invalid):
    """More minutes than the community allows at once."""

    code: ClassVar[str] = "exchange.too_long"
    most: str = ""

    def problem_values(self, name: str) -> dict[str, str]:
        """How much it may be."""
        del name
        return {"most": self.most}


class OwnHousehold(Conflict):
    """Earned minutes do not circle behind one door."""

    code: ClassVar[str] = "exchange.own_household"


@dataclass(eq=False)
class OverPair(Conflict):
    """The two have exchanged as much this month as two people may."""

    code: ClassVar[str] = "exchange.over_pair"
    hours: str


class NotKin(Conflict):
    """Minutes are given within a household."""

    code: ClassVar[str] = "exchange.not_kin"


@dataclass(eq=False)
class OverGifts(Conflict):
    """One may give away only so much in a month."""

    code: ClassVar[str] = "exchange.over_gifts"
    hours: str


class PersonGone(Conflict):
    """One of the two has left the community."""

    code: ClassVar[str] = "exchange.person_gone"


class ExchangeNotFound(NotFound):
    """No such exchange, or it is other people's."""

    code: ClassVar[str] = "exchange.not_found"


class MovedOn(Conflict):
    """The exchange is in another state by now."""

    code: ClassVar[str] = "exchange.moved_on"


class NotYours(NotAllowed):
    """The other side's step, or the owner's."""

    code: ClassVar[str] = "exchange.not_yours"


class NotEnough(Conflict):
    """The payer has less than that."""

    code: ClassVar[str] = "exchange.not_enough"


class TheirNotEnough(Conflict):
    """The other side has less than that; how much they have is theirs to know."""

    code: ClassVar[str] = "exchange.their_not_enough"


class Concerned(NotAllowed):
    """Whoever decides is neither of the two and does not live with them."""

    code: ClassVar[str] = "exchange.concerned"


class AlreadyThanked(Conflict):
    """One word of thanks for each exchange."""

    code: ClassVar[str] = "exchange.already_thanked"


class Unknown(Unavailable):
    """The connection was lost too often to learn what became of it. The same again is safe."""

    code: ClassVar[str] = "exchange.unknown"


AGAIN = "exchange.again"
"""Said by the database of somebody whose rows another one of the same batch is about to change: ask once more."""
REFUSALS: Mapping[str, type[Refusal]] = {
    kind.code: kind for kind in (ExchangeNotFound, NotYours, MovedOn, ListingClosed, PersonGone, OwnHousehold, NotKin)
}
"""What the functions of the database say, but for limits, which take a number."""


@dataclass(frozen=True, slots=True)
class Sides:
    """Who is who in an exchange; none of it ever changes."""

    kind: Kind
    owner_id: UUID
    payer_id: UUID
    helper_id: UUID

    @property
    def asker_id(self) -> UUID:
        """Whoever answered the listing."""
        return self.helper_id if self.payer_id == self.owner_id else self.payer_id

    def other(self, member_id: UUID) -> UUID:
        """The other one of the two."""
        return self.helper_id if member_id == self.payer_id else self.payer_id

    def has(self, member_id: UUID) -> bool:
        """Whether somebody is one of the two."""
        return member_id in (self.payer_id, self.helper_id)


def sides_of(kind: Kind, owner_id: UUID, asker_id: UUID) -> Sides:
    """An offer is paid by whoever asks for it, a request by its owner."""
    payer, helper = (asker_id, owner_id) if kind is Kind.OFFER else (owner_id, asker_id)
    return Sides(kind, owner_id, payer, helper)


def allowed(state: State, sides: Sides, member_id: UUID, *, is_thanked: bool) -> Collection[Verb]:
    """What one of the two may do now; the order is that of the buttons."""
    if not sides.has(member_id):
        return ()
    is_payer, is_owner = member_id == sides.payer_id, member_id == sides.owner_id
    can: list[Verb] = []
    if state is State.ASKED:
        can = [Verb.ACCEPT, Verb.DECLINE] if is_owner else [Verb.WITHDRAW]
    elif state is State.ACCEPTED:
        can = [Verb.CONFIRM if is_payer else Verb.FINISH, Verb.WITHDRAW, Verb.DISPUTE]
    elif state is State.DONE:
        can = [Verb.CONFIRM, Verb.DISPUTE] if is_payer else [Verb.DISPUTE]
    elif state is State.DISPUTED and is_payer:
        can = [Verb.CONFIRM]
    elif state is State.CONFIRMED and is_payer and not is_thanked:
        can = [Verb.THANK]
    return can


def check(verb: Verb, state: State, sides: Sides, member_id: UUID) -> None:
    """Refuse strangers, then what is the other side's, then what is too late."""
    if not sides.has(member_id):
        raise ExchangeNotFound
    if verb is Verb.FINISH and member_id != sides.helper_id:
        raise NotYours
    if verb in (Verb.CONFIRM, Verb.THANK) and member_id != sides.payer_id:
        raise NotYours
    if verb in (Verb.ACCEPT, Verb.DECLINE) and member_id != sides.owner_id:
        raise NotYours
    if verb is Verb.WITHDRAW and state is State.ASKED and member_id == sides.owner_id:
        raise NotYours
    if verb not in allowed(state, sides, member_id, is_thanked=False):
        raise MovedOn


def check_minutes(minutes: int, most: int) -> None:
    """Whole minutes, at least one, and no more than the community allows."""
    if minutes < 1:
        raise Invalid({"minutes": "number"})
    if minutes > most:
        raise TooLong({"minutes": "exchange_most"}, hours(most))


def words_of(field: str, text: str) -> str:
    """What was written, without blanks around it; blanks alone are nothing."""
    if not text.strip():
        raise Invalid({field: "required"})
    return text.strip()


def check_household(one: UUID | None, other: UUID | None) -> None:
    """Two of one household do not exchange."""
    if one is not None and one == other:
        raise OwnHousehold


def due_after(now: datetime, days: int) -> datetime:
    """When time alone moves it on."""
    return now + timedelta(days=days)


def reference(exchange_id: UUID, what: str) -> str:
    """The journal's reference: each of its kinds happens once to an exchange."""
    return f"exchange:{exchange_id}:{what}"
