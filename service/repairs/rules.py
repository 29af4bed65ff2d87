"""The life of a repair order, prices, and every no; pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import ClassVar, Final

from service.kit.access import Role
from service.kit.refusals import Conflict, Invalid, NotAllowed, NotFound

DISPATCHERS: Final = (Role.STAFF,)
"""Who gives orders out and writes calls down. Leaders of activities have nothing to do with repairs."""
OFFICE: Final = (Role.STAFF, Role.APPROVER)
"""Who sees every order and decides about a warranty."""
PIECES: Final = 5
"""Of a price; so many of them as the setting says are its warranty, so every part of a price is a multiple of five fen."""
TEXT_LENGTH_MAX: Final = 500
MINUTES_MAX: Final = 480
MINUTES_SPARE: Final = 5
"""So many more than the time since the arrival may be written down."""
PHOTOS_MAX: Final = 6
"""Of one order, before and after."""
LINES_MAX: Final = 20


class RepairState(StrEnum):
    """Where an order is."""

    REPORTED = "reported"
    ASSIGNED = "assigned"
    TAKEN = "taken"
    QUOTED = "quoted"
    AGREED = "agreed"
    ON_WAY = "on_way"
    ON_SITE = "on_site"
    DONE = "done"
    ACCEPTED = "accepted"
    CANCELLED = "cancelled"


class Step(StrEnum):
    """What moves an order, or stands in its history."""

    REPORT = "report"
    ASSIGN = "assign"
    TAKE = "take"
    DECLINE = "decline"
    QUOTE = "quote"
    AGREE = "agree"
    GO = "go"
    ARRIVE = "arrive"
    FINISH = "finish"
    CHANGE = "change"
    ANSWER = "answer"
    ACCEPT = "accept"
    CANCEL = "cancel"
    CLAIM = "claim"
    GIVE_BACK = "give_back"
    REFUSE_CLAIM = "refuse_claim"
    RELEASE = "release"


class Trade(StrEnum):
    """What kind of work it is; repairers say which of these they can do."""

    WATER = "water"
    POWER = "power"
    APPLIANCE = "appliance"
    LOCK = "lock"
    FURNITURE = "furniture"
    OTHER = "other"


class Moment(StrEnum):
    """When a photo was taken."""

    BEFORE = "before"
    AFTER = "after"


class Decline(StrEnum):
    """Why a repairer does not take a job."""

    NO_TIME = "no_time"
    NOT_MY_TRADE = "not_my_trade"
    TOO_FAR = "too_far"
    UNWELL = "unwell"


class Warranty(StrEnum):
    """What becomes of the pieces that are kept back; none where nothing was paid out of the books."""

    NONE = "none"
    HELD = "held"
    CLAIMED = "claimed"
    RELEASED = "released"
    GIVEN_BACK = "given_back"
    RETURNED = "returned"
    """It went back with its voucher before anybody had it: the voucher ran out or was made void."""


S = RepairState
MOVES: Final[Mapping[Step, tuple[frozenset[RepairState], RepairState]]] = {
    Step.ASSIGN: (frozenset({S.REPORTED, S.ASSIGNED, S.TAKEN}), S.ASSIGNED),
    Step.TAKE: (frozenset({S.ASSIGNED}), S.TAKEN),
    Step.DECLINE: (frozenset({S.ASSIGNED, S.TAKEN}), S.REPORTED),
    Step.QUOTE: (frozenset({S.TAKEN, S.QUOTED}), S.QUOTED),
    Step.AGREE: (frozenset({S.QUOTED}), S.AGREED),
    Step.GO: (frozenset({S.AGREED}), S.ON_WAY),
    Step.ARRIVE: (frozenset({S.AGREED, S.ON_WAY}), S.ON_SITE),
    Step.FINISH: (frozenset({S.ON_SITE}), S.DONE),
    Step.ACCEPT: (frozenset({S.DONE}), S.ACCEPTED),
    Step.CANCEL: (frozenset({S.REPORTED, S.ASSIGNED, S.TAKEN, S.QUOTED}), S.CANCELLED),
}
"""From where each step leads where. After the member agreed, ending it takes the office (`unlock`), not this."""


class RepairNotFound(NotFound):
    """No such order, or not one that this person may see."""

    code: ClassVar[str] = "repairs.not_found"


class NotYourJob(NotAllowed):
    """This is for the order's repairer, its resident or its team."""

    code: ClassVar[str] = "repairs.not_yours"


@dataclass(eq=False)
class RepairInOtherState(Conflict):
    """It has gone on meanwhile."""

    code: ClassVar[str] = "repairs.in_other_state"
    state: RepairState


class OwnRepair(Conflict):
    """Nobody repairs, prices or decides for the own household here."""

    code: ClassVar[str] = "repairs.own_household"


class NoRepairer(Conflict):
    """This person is no repairer of this team today."""

    code: ClassVar[str] = "repairs.no_repairer"


class NoOffer(Conflict):
    """The team has no open repair offer with all prices at nothing, of which jobs take their vouchers."""

    code: ClassVar[str] = "repairs.no_offer"


class QuoteWrong(Invalid):
    """An item that the list of the day does not have, or a price outside its range or not in whole five fen."""

    code: ClassVar[str] = "repairs.quote_wrong"


class PriceChanged(Conflict):
    """The yes was to a price that was named before; another stands there now."""

    code: ClassVar[str] = "repairs.price_changed"


class PhotoMissing(Conflict):
    """Done is shown by a photo, or a note says why there is none."""

    code: ClassVar[str] = "repairs.photo_missing"


class TooManyPhotos(Conflict):
    """An order keeps so many photos and no more."""

    code: ClassVar[str] = "repairs.too_many_photos"


class PhotoNotFound(NotFound):
    """No such photo, or one of an order that this person may not see."""

    code: ClassVar[str] = "repairs.photo_not_found"


class OtherVoucher(Conflict):
    """The code that was shown is of another voucher than this job's."""

    code: ClassVar[str] = "repairs.other_voucher"


@dataclass(eq=False)
class MonthNotOver(Conflict):
    """By class a month is told of when it is over: seen twice meanwhile, the difference would be one household."""

    code: ClassVar[str] = "repairs.month_not_over"
    until: date


class OtherCard(Conflict):
    """The card that was shown is not the resident's of this order."""

    code: ClassVar[str] = "repairs.other_card"


class WarrantyOver(Conflict):
    """Nothing is kept back any more, or somebody has claimed it."""

    code: ClassVar[str] = "repairs.warranty_over"


class SecondPersonNeeded(Conflict):
    """Whoever claimed it does not decide it."""

    code: ClassVar[str] = "repairs.second_person_needed"


def check_minutes(minutes: int, arrived_at: datetime, now: datetime) -> None:
    """No more minutes than somebody was there, in whole minutes and a few for clocks and tidying up."""
    there = -((arrived_at - now) // timedelta(minutes=1))
    if minutes > there + MINUTES_SPARE:
        raise Invalid({"minutes": "repair_minutes"})


def check_step(step: Step, state: RepairState) -> RepairState:
    """Where this step leads from here."""
    origins, to = MOVES[step]
    if state not in origins:
        raise RepairInOtherState(state)
    return to


@dataclass(frozen=True, slots=True)
class Price:
    """What a job costs, in fen: what the resident pays the repairer, and what a budget pays the team for a discount."""

    cash_fen: int
    payable_fen: int

    @property
    def total_fen(self) -> int:
        """Both."""
        return self.cash_fen + self.payable_fen


def split_price(total_fen: int, percent: int) -> Price:
    """A total with so many percent off; the discount is rounded down to five fen."""
    payable = total_fen * percent // 100 // PIECES * PIECES
    return Price(total_fen - payable, payable)
