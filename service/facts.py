"""Everything that can happen and that somebody else may want to hear of. Past tense; ids and numbers, never names or text.

A fact is recorded by `kit.outbox` in the transaction that made it true. Each has a sentence under `fact.<Name>`.
"""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from service.kit.outbox import Fact


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


class VoucherIssued(Fact, frozen=True, kw_only=True):
    """A member holds a voucher; their points are set aside."""

    voucher_id: int
    member_id: UUID


class VoucherRedeemed(Fact, frozen=True, kw_only=True):
    """A shop took a voucher; the member gets a receipt."""

    voucher_id: int
    member_id: UUID
    merchant_id: UUID


class VoucherUseReversed(Fact, frozen=True, kw_only=True):
    """A use was undone at the counter; the voucher is good again."""

    voucher_id: int
    member_id: UUID
    merchant_id: UUID


class VoucherReturned(Fact, frozen=True, kw_only=True):
    """A voucher was cancelled or ran out; the points are back."""

    voucher_id: int
    member_id: UUID
    reason: str


class VoucherExpiring(Fact, frozen=True, kw_only=True):
    """A voucher ends soon."""

    voucher_id: int
    member_id: UUID


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


class Refused(StrEnum):
    """Why another community did not take what was sent to it. Each has a sentence under `refused.<value>`."""

    UNKNOWN = "unknown"
    LEFT = "left"
    ACCOUNT_CLOSED = "account_closed"
    OVER_CEILING = "over_ceiling"
    NO_AGREEMENT = "no_agreement"
    RECALLED = "recalled"


class ClearingProposed(Fact, frozen=True, kw_only=True):
    """A community would like to clear with another one, up to these sums; told to the other until it answers."""

    partner_id: int
    agreement_id: UUID
    round: int
    minutes_max: int
    points_hundredths_max: int


class ClearingOffered(Fact, frozen=True, kw_only=True):
    """Another community would like to clear with this one; its administrator has to answer."""

    partner_id: int
    agreement_id: UUID


class ClearingAccepted(Fact, frozen=True, kw_only=True):
    """A community agreed to clear with the one that proposed it."""

    partner_id: int
    agreement_id: UUID


class ClearingAgreed(Fact, frozen=True, kw_only=True):
    """The other community agreed: members may send now."""

    partner_id: int
    agreement_id: UUID


class ClearingEnded(Fact, frozen=True, kw_only=True):
    """A community ended, declined or withdrew an agreement, or answers that it heard of the end."""

    partner_id: int
    agreement_id: UUID
    is_answer: bool


class ClearingClosed(Fact, frozen=True, kw_only=True):
    """The other community ended, declined or withdrew the agreement."""

    partner_id: int
    agreement_id: UUID


class ClearingSent(Fact, frozen=True, kw_only=True):
    """Value left a member's account for somebody in another community, which has to take it or to say why not."""

    partner_id: int
    agreement_id: UUID
    transfer_id: UUID
    sender_card: str
    receiver_id: UUID
    minutes: int
    points_hundredths: int
    sent_at: datetime


class ClearingRecalled(ClearingSent, frozen=True, kw_only=True):
    """The sender would like it back; the other community refuses it unless it has arrived already."""


class ClearingArrived(Fact, frozen=True, kw_only=True):
    """Value from another community is on a member's account; the sending side has to note it."""

    partner_id: int
    transfer_id: UUID
    member_id: UUID
    minutes: int
    points_hundredths: int


class ClearingRefused(Fact, frozen=True, kw_only=True):
    """What another community sent could not be taken; the sending side has to give it back."""

    partner_id: int
    transfer_id: UUID
    refused: Refused


class ClearingSettled(Fact, frozen=True, kw_only=True):
    """What a member sent to another community has arrived there."""

    transfer_id: UUID
    member_id: UUID
    minutes: int
    points_hundredths: int


class ClearingReturned(Fact, frozen=True, kw_only=True):
    """What a member sent to another community came back."""

    transfer_id: UUID
    member_id: UUID
    minutes: int
    points_hundredths: int
    refused: Refused


class NettingProposed(Fact, frozen=True, kw_only=True):
    """Finance of a community proposes to set what two communities owe each other to zero; sums as the proposer owes them."""

    partner_id: int
    netting_id: UUID
    round: int
    until: datetime
    transfers: int
    minutes: int
    points_hundredths: int


class NettingDue(Fact, frozen=True, kw_only=True):
    """Another community proposed a netting; finance here has to confirm or refuse it."""

    partner_id: int
    netting_id: UUID


class NettingConfirmed(Fact, frozen=True, kw_only=True):
    """A proposed netting was confirmed and posted; the proposing side has to post it, too."""

    partner_id: int
    netting_id: UUID


class NettingRefused(Fact, frozen=True, kw_only=True):
    """A proposed netting was refused; the proposing side drops it."""

    partner_id: int
    netting_id: UUID


class NettingDone(Fact, frozen=True, kw_only=True):
    """A netting that finance here proposed is confirmed and posted on both sides."""

    partner_id: int
    netting_id: UUID


class NettingDropped(Fact, frozen=True, kw_only=True):
    """A netting that finance here proposed was refused by the other side."""

    partner_id: int
    netting_id: UUID
