"""Every no there is about a wish. `checks.py` has the order in which they are said."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from service.kit.refusals import Conflict, Gone, NotAllowed, NotFound
from service.wishes.rules.states import WishState


class WishNotFound(NotFound):
    """No such wish, or not one that this person may see."""

    code: ClassVar[str] = "wishes.not_found"


class WishOffTheWall(Gone):
    """It was on the wall once; now it is between the asker and the helper, or over."""

    code: ClassVar[str] = "wishes.off_the_wall"


class NotYours(NotAllowed):
    """This is for the asker, the helper or staff, and the person is not."""

    code: ClassVar[str] = "wishes.not_yours"


class CannotClaimOwnWish(Conflict):
    """Nobody fulfils their own wish."""

    code: ClassVar[str] = "wishes.own_wish"


class CannotClaimHouseholdWish(Conflict):
    """Help inside one's own family is not volunteer service."""

    code: ClassVar[str] = "wishes.own_household"


class CannotDecideOwnWish(Conflict):
    """Staff do not decide on what they asked for themselves."""

    code: ClassVar[str] = "wishes.own_decision"


class CannotConfirmOwnService(Conflict):
    """Who helped cannot also say that it was done, whatever else they are."""

    code: ClassVar[str] = "wishes.own_service"


@dataclass(eq=False)
class ChangedMeanwhile(Conflict):
    """Somebody did something to the wish after this form was opened."""

    code: ClassVar[str] = "wishes.changed_meanwhile"
    state: WishState
    revision: int


class WishAlreadyClaimed(Conflict):
    """Somebody else was faster."""

    code: ClassVar[str] = "wishes.already_claimed"


@dataclass(eq=False)
class WishInOtherState(Conflict):
    """The wish is not where this could be done."""

    code: ClassVar[str] = "wishes.other_state"
    state: WishState


@dataclass(eq=False)
class TooManyOpenWishes(Conflict):
    """The asker has as many open wishes as one person may have."""

    code: ClassVar[str] = "wishes.too_many_open"
    limit: int


class UrgentWishOpen(Conflict):
    """One urgent call at a time: it is on the wall unseen by staff."""

    code: ClassVar[str] = "wishes.urgent_open"


@dataclass(eq=False)
class RewardTooLarge(Conflict):
    """More points than a wish may carry here."""

    code: ClassVar[str] = "wishes.reward_too_large"
    points_max: int


class RewardNeedsBudget(Conflict):
    """Points on top come out of somebody's named budget."""

    code: ClassVar[str] = "wishes.reward_needs_budget"


@dataclass(eq=False)
class RewardBeyondBudget(Conflict):
    """The sponsor's budget does not hold so many free points; `points_left` is what it does."""

    code: ClassVar[str] = "wishes.reward_beyond_budget"
    points_left: int


class RewardNotCovered(Conflict):
    """The reward was let go with the withdrawal, and the sponsor's budget no longer holds it."""

    code: ClassVar[str] = "wishes.reward_not_covered"


@dataclass(eq=False)
class ConfirmationNotDue(Conflict):
    """The asker can still confirm; staff may do it for them from `due_at`."""

    code: ClassVar[str] = "wishes.confirmation_not_due"
    due_at: datetime


class ServiceInFuture(Conflict):
    """It cannot have ended yet."""

    code: ClassVar[str] = "wishes.service_in_future"


@dataclass(eq=False)
class ServiceBeforeClaim(Conflict):
    """It began before the wish was taken on, at `claimed_at`."""

    code: ClassVar[str] = "wishes.service_before_claim"
    claimed_at: datetime


@dataclass(eq=False)
class ServiceOverlaps(Conflict):
    """The helper was at another service at that time; `title` names it, and from when to when it was."""

    code: ClassVar[str] = "wishes.service_overlaps"
    title: str
    starts_at: datetime
    ends_at: datetime


class ThankedAlready(Conflict):
    """One thank-you for one wish."""

    code: ClassVar[str] = "wishes.thanked_already"


class UndoTooLate(Gone):
    """The time for taking it back is over."""

    code: ClassVar[str] = "wishes.undo_too_late"
