"""Everything that can happen and that somebody else may want to hear of. Past tense; ids and numbers, never names or text.

A fact is recorded by `kit.outbox` in the transaction that made it true. Each has a sentence under `fact.<Name>`.
Those of slices that have many stand in modules of their own, and are known by this name alone.
"""

from uuid import UUID

from service.facts.clearing import (
    ClearingAccepted,
    ClearingAgreed,
    ClearingArrived,
    ClearingClosed,
    ClearingEnded,
    ClearingOffered,
    ClearingProposed,
    ClearingRecalled,
    ClearingRefused,
    ClearingReturned,
    ClearingSent,
    ClearingSettled,
    NettingConfirmed,
    NettingDone,
    NettingDropped,
    NettingDue,
    NettingProposed,
    NettingRefused,
    Refused,
)
from service.facts.exchange import (
    ExchangeAccepted,
    ExchangeAsked,
    ExchangeConfirmed,
    ExchangeDecided,
    ExchangeDeclined,
    ExchangeDisputed,
    ExchangeDone,
    ExchangeReturned,
    ExchangeThanked,
    ExchangeWithdrawn,
    GiftReceived,
)
from service.facts.identity import CodesGuessed, FactorRemovalProposed, SecondFactorEnded, SecondFactorSet
from service.facts.repairs import (
    RepairAccepted,
    RepairAgreed,
    RepairAssigned,
    RepairCancelled,
    RepairClaimed,
    RepairDecided,
    RepairDeclined,
    RepairDone,
    RepairOnWay,
    RepairPriceAnswered,
    RepairPriceChanged,
    RepairQuoted,
    RepairReassigned,
    RepairReported,
    RepairTaken,
    RepairUnderWarranty,
)
from service.facts.vouchers import (
    OwedCollected,
    OwedObjected,
    OwedTold,
    VoucherExpiring,
    VoucherExtended,
    VoucherFrozen,
    VoucherGiven,
    VoucherIssued,
    VoucherRedeemed,
    VoucherReturned,
    VoucherTakenOver,
    VoucherUnfrozen,
    VoucherUseReversed,
)
from service.kit.outbox import Fact

__all__ = [
    "ActivityCancelled",
    "AttendanceApprovalUndone",
    "AttendanceApproved",
    "AttendanceReturned",
    "ClearingAccepted",
    "ClearingAgreed",
    "ClearingArrived",
    "ClearingClosed",
    "ClearingEnded",
    "ClearingOffered",
    "ClearingProposed",
    "ClearingRecalled",
    "ClearingRefused",
    "ClearingReturned",
    "ClearingSent",
    "ClearingSettled",
    "CodesGuessed",
    "DisputeResolved",
    "ExchangeAccepted",
    "ExchangeAsked",
    "ExchangeConfirmed",
    "ExchangeDecided",
    "ExchangeDeclined",
    "ExchangeDisputed",
    "ExchangeDone",
    "ExchangeReturned",
    "ExchangeThanked",
    "ExchangeWithdrawn",
    "FactorRemovalProposed",
    "GiftReceived",
    "NettingConfirmed",
    "NettingDone",
    "NettingDropped",
    "NettingDue",
    "NettingProposed",
    "NettingRefused",
    "OwedCollected",
    "OwedObjected",
    "OwedTold",
    "PointsExpiring",
    "Refused",
    "RepairAccepted",
    "RepairAgreed",
    "RepairAssigned",
    "RepairCancelled",
    "RepairClaimed",
    "RepairDecided",
    "RepairDeclined",
    "RepairDone",
    "RepairOnWay",
    "RepairPriceAnswered",
    "RepairPriceChanged",
    "RepairQuoted",
    "RepairReassigned",
    "RepairReported",
    "RepairTaken",
    "RepairUnderWarranty",
    "SecondFactorEnded",
    "SecondFactorSet",
    "SettlementClosed",
    "SettlementPaid",
    "ShiftCancelled",
    "ShiftPlaceFreed",
    "ShiftSignedUp",
    "UrgentWishPosted",
    "VoucherExpiring",
    "VoucherExtended",
    "VoucherFrozen",
    "VoucherGiven",
    "VoucherIssued",
    "VoucherRedeemed",
    "VoucherReturned",
    "VoucherTakenOver",
    "VoucherUnfrozen",
    "VoucherUseReversed",
    "WishApproved",
    "WishClaimed",
    "WishConfirmationDue",
    "WishConfirmed",
    "WishDisputed",
    "WishExpired",
    "WishPosted",
    "WishReleased",
    "WishReturned",
    "WishServed",
    "WishWithdrawn",
    "YearClosed",
]


class WishPosted(Fact, frozen=True, kw_only=True):
    """A resident, or somebody for them, asked for something; staff have to look at it."""

    wish_id: UUID
    asked_by: UUID


class WishApproved(Fact, frozen=True, kw_only=True):
    """A wish is on the wall."""

    wish_id: UUID
    asked_by: UUID


class WishReturned(Fact, frozen=True, kw_only=True):
    """A wish went back to its asker with a reason."""

    wish_id: UUID
    asked_by: UUID


class WishClaimed(Fact, frozen=True, kw_only=True):
    """A volunteer took a wish on."""

    wish_id: UUID
    asked_by: UUID
    volunteer_id: UUID


class WishReleased(Fact, frozen=True, kw_only=True):
    """A claimed wish is back on the wall: given up, or its deadline passed."""

    wish_id: UUID
    asked_by: UUID
    volunteer_id: UUID


class WishServed(Fact, frozen=True, kw_only=True):
    """The volunteer says it is done; the asker has to confirm."""

    wish_id: UUID
    asked_by: UUID
    volunteer_id: UUID


class WishConfirmed(Fact, frozen=True, kw_only=True):
    """The asker confirmed; minutes and points arrived."""

    wish_id: UUID
    asked_by: UUID
    volunteer_id: UUID
    minutes: int
    points_hundredths: int


class UrgentWishPosted(Fact, frozen=True, kw_only=True):
    """Somebody needs help now; volunteers have to hear of it at once."""

    wish_id: UUID
    asked_by: UUID


class WishDisputed(Fact, frozen=True, kw_only=True):
    """The asker says that it is not done; the volunteer and staff have to see to it."""

    wish_id: UUID
    asked_by: UUID
    volunteer_id: UUID


class WishConfirmationDue(Fact, frozen=True, kw_only=True):
    """A served wish waits too long for its asker; from now on staff may confirm it."""

    wish_id: UUID
    asked_by: UUID
    volunteer_id: UUID


class WishWithdrawn(Fact, frozen=True, kw_only=True):
    """The asker no longer needs it; who had taken it on must not set out."""

    wish_id: UUID
    asked_by: UUID
    volunteer_id: UUID | None


class WishExpired(Fact, frozen=True, kw_only=True):
    """Nobody took it on in time, or its asker never changed what was returned."""

    wish_id: UUID
    asked_by: UUID


class ShiftSignedUp(Fact, frozen=True, kw_only=True):
    """A volunteer has a place in a shift."""

    shift_id: UUID
    member_id: UUID


class ShiftPlaceFreed(Fact, frozen=True, kw_only=True):
    """Somebody on the waiting list moved up."""

    shift_id: UUID
    member_id: UUID


class ActivityCancelled(Fact, frozen=True, kw_only=True):
    """An activity will not take place; everybody who signed up must hear of it."""

    activity_id: UUID
    member_ids: tuple[UUID, ...]


class AttendanceApproved(Fact, frozen=True, kw_only=True):
    """Hours were approved and posted."""

    attendance_id: UUID
    member_id: UUID
    minutes: int
    points_hundredths: int


class AttendanceReturned(Fact, frozen=True, kw_only=True):
    """Hours were refused with a reason."""

    attendance_id: UUID
    member_id: UUID


class AttendanceApprovalUndone(Fact, frozen=True, kw_only=True):
    """An approval was taken back; what it posted is reversed and the hours wait for a decision again."""

    attendance_id: UUID
    member_id: UUID
    minutes: int


class ShiftCancelled(Fact, frozen=True, kw_only=True):
    """One shift will not take place; everybody who signed up must hear of it."""

    shift_id: UUID
    member_ids: tuple[UUID, ...]


class PointsExpiring(Fact, frozen=True, kw_only=True):
    """Some of a member's points expire soon."""

    member_id: UUID


class SettlementClosed(Fact, frozen=True, kw_only=True):
    """A shop's statement is ready to be confirmed."""

    settlement_id: UUID
    merchant_id: UUID


class DisputeResolved(Fact, frozen=True, kw_only=True):
    """A line that a shop objected to was decided: it joins the next statement, or the points went back to the customer."""

    settlement_id: UUID
    merchant_id: UUID
    line_no: int


class SettlementPaid(Fact, frozen=True, kw_only=True):
    """A shop was paid."""

    settlement_id: UUID
    merchant_id: UUID


class YearClosed(Fact, frozen=True, kw_only=True):
    """A year of the books was closed and drawn up."""

    year: int
