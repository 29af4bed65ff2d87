"""What crosses the wire about wishes."""

from datetime import datetime
from uuid import UUID

import msgspec

from service.records import ServiceClass
from service.wishes.actions import Decision, Draft, Terms
from service.wishes.faces import Face, Moment
from service.wishes.kinds import Warmth, WishCategory, WishKind
from service.wishes.rules import Verb, WishState
from service.wishes.tables import Wish


class Reward(msgspec.Struct):
    """Points on top; `amount` counts hundredths of a point."""

    unit: str
    amount: int


class WishOut(msgspec.Struct):
    """A wish as the reader may see it: for others than asker, helper and staff names are masked."""

    wish_id: UUID
    code: str
    kind: WishKind
    category: WishCategory
    state: WishState
    revision: int
    title: str
    text: str
    preferred_time: str
    expected_minutes: int
    building: str | None
    asker: str
    helper: str | None
    is_mine: bool
    is_helping: bool
    service_class: ServiceClass
    reward: Reward
    posted_at: datetime
    changed_at: datetime
    approved_at: datetime | None
    claim_due_at: datetime | None
    reason: str | None
    served_from_at: datetime | None
    served_minutes: int | None
    served_note: str | None
    confirm_due_at: datetime | None
    confirmed_at: datetime | None
    countable_minutes: int | None
    """Before it is confirmed: what the helper's day leaves of the reported minutes."""
    credited_minutes: int | None
    credited_points: Reward | None
    warmth: Warmth | None
    thanks: str | None
    can: list[Verb]


class BudgetOut(msgspec.Struct):
    """Who can give a reward, and the whole points that are free for it."""

    budget_id: UUID
    name: str
    free_points: int


class BudgetsOut(msgspec.Struct):
    """Everybody who can give a reward."""

    items: list[BudgetOut]


class WishesOut(msgspec.Struct):
    """A page of a list; `next` is the cursor for the rest."""

    items: list[WishOut]
    next: str | None


class MomentOut(msgspec.Struct):
    """One step of a wish. Without an actor, time alone moved it."""

    verb: Verb
    state_after: WishState
    at: datetime
    actor: str | None
    on_behalf_of: str | None
    volunteer: str | None
    note: str | None


class HistoryOut(msgspec.Struct):
    """Everything that happened to a wish, oldest first."""

    items: list[MomentOut]


class ContactOut(msgspec.Struct):
    """How the asker is reached; this look was written down."""

    name: str
    phone: str | None
    building: str | None
    door: str | None


class MovedOut(msgspec.Struct):
    """Where a wish is after an act."""

    wish_id: UUID
    code: str
    state: WishState
    revision: int


class DecisionOut(msgspec.Struct):
    """What became of one of many; `refused` is the code of the no."""

    wish_id: UUID
    revision: int
    refused: str | None


class DecisionsOut(msgspec.Struct):
    """What became of each."""

    items: list[DecisionOut]


class CountsOut(msgspec.Struct):
    """How many wishes each of the staff's views holds."""

    waiting: int
    wall: int
    taken: int
    served: int
    all: int


class WishIn(msgspec.Struct):
    """What somebody asks for."""

    title: str
    text: str
    kind: WishKind = WishKind.TIME
    category: WishCategory = WishCategory.ERRANDS
    preferred_time: str = ""
    expected_minutes: int = 60

    def draft(self) -> Draft:
        """The same for the actions; ends of lines and spaces around are forgiven."""
        return Draft(
            self.kind,
            self.category,
            self.title.strip(),
            self.text.replace("\r\n", "\n").strip(),
            self.preferred_time.strip(),
            self.expected_minutes,
        )


class WishForIn(WishIn, kw_only=True):
    """What staff write down for somebody."""

    asked_by: UUID


class EditIn(WishIn, kw_only=True):
    """Other words for a wish; `revision` is the one that was read."""

    revision: int | None = None


class StepIn(msgspec.Struct):
    """An act that needs no words. With a `revision`, the act is refused if the wish changed meanwhile."""

    revision: int | None = None


class NoteIn(msgspec.Struct):
    """An act with a remark or a reason."""

    note: str = ""
    revision: int | None = None


class ServeIn(msgspec.Struct):
    """What was done, when, and for how many minutes."""

    started_at: datetime
    minutes: int
    note: str
    revision: int | None = None


class ConfirmIn(msgspec.Struct):
    """Yes, it was done; with a thank-you, if one likes."""

    warmth: Warmth | None = None
    thanks: str = ""
    revision: int | None = None


class TermsIn(msgspec.Struct):
    """What a wish is worth to its helper. Reward in whole points, out of a sponsor's budget."""

    service_class: ServiceClass
    reward_points: int = 0
    reward_budget: UUID | None = None
    revision: int | None = None

    def terms(self) -> Terms:
        """The same for the actions."""
        return Terms(self.service_class, self.reward_points, self.reward_budget)


class Picked(msgspec.Struct):
    """One of many, with the revision that was read."""

    wish_id: UUID
    revision: int | None = None


class PickedIn(msgspec.Struct):
    """Many at once."""

    items: list[Picked]


def reward(hundredths: int) -> Reward:
    """Points on the wire."""
    return Reward("point", hundredths)


def wish_out(face: Face) -> WishOut:
    """A face on the wire."""
    wish, knows = face.wish, face.is_open_to_me
    credited = wish.credited_points_hundredths
    return WishOut(
        wish_id=wish.wish_id,
        code=wish.code,
        kind=wish.kind,
        category=wish.category,
        state=wish.state,
        revision=wish.revision,
        title=wish.title,
        text=wish.text,
        preferred_time=wish.preferred_time,
        expected_minutes=wish.expected_minutes,
        building=wish.building,
        asker=face.asker,
        helper=face.helper,
        is_mine=face.is_mine,
        is_helping=face.is_helping,
        service_class=wish.service_class,
        reward=reward(wish.reward_points * 100),
        posted_at=wish.posted_at,
        changed_at=wish.changed_at,
        approved_at=wish.approved_at,
        claim_due_at=wish.claim_due_at if knows else None,
        reason=wish.reason if knows else None,
        served_from_at=wish.served_from_at if knows else None,
        served_minutes=wish.served_minutes if knows else None,
        served_note=wish.served_note if knows else None,
        confirm_due_at=wish.confirm_due_at if knows else None,
        confirmed_at=wish.confirmed_at if knows else None,
        countable_minutes=face.countable_minutes,
        credited_minutes=wish.credited_minutes if knows else None,
        credited_points=reward(credited) if knows and credited is not None else None,
        warmth=wish.warmth if knows else None,
        thanks=wish.thanks if knows else None,
        can=sorted(face.can),
    )


def moment_out(moment: Moment) -> MomentOut:
    """A line of history on the wire."""
    return MomentOut(
        moment.verb,
        moment.state_after,
        moment.at,
        moment.actor,
        moment.on_behalf_of,
        moment.volunteer,
        moment.note,
    )


def moved_out(wish: Wish) -> MovedOut:
    """Where the act left the wish."""
    return MovedOut(wish.wish_id, wish.code, WishState(wish.state), wish.revision)


def decision_out(decision: Decision) -> DecisionOut:
    """One verdict of many on the wire."""
    return DecisionOut(
        decision.wish_id, decision.revision, decision.refusal.code if decision.refusal is not None else None
    )
