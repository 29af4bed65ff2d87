"""Every way in which redemption says no.

A refusal carries data and no prose; its code is "redemption." plus the verdict of the SQL.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

Detail = Mapping[str, object]


class RedemptionRefusal(Exception):
    """A plain no. `detail` holds what a person may be told, under the names that the SQL function gave."""

    code: ClassVar[str] = "redemption.refused"

    def __init__(self, detail: Detail | None = None) -> None:
        super().__init__(self.code, detail or {})
        self.detail: Detail = detail or {}


class OfferUnknown(RedemptionRefusal):
    """No such offer in this community."""

    code = "redemption.offer_unknown"


class OfferWrong(RedemptionRefusal):
    """A term is out of bounds: price, stock, times, zone, title or no merchant."""

    code = "redemption.offer_wrong"


class OfferNotDraft(RedemptionRefusal):
    """detail: state."""

    code = "redemption.offer_not_draft"


class OfferChanged(RedemptionRefusal):
    """The draft got another sponsor in the same moment; ask again."""

    code = "redemption.offer_changed"


class OfferNotPublished(RedemptionRefusal):
    """detail: state."""

    code = "redemption.offer_not_published"


class OfferNotStarted(RedemptionRefusal):
    """detail: valid_from."""

    code = "redemption.offer_not_started"


class OfferOver(RedemptionRefusal):
    """detail: valid_until."""

    code = "redemption.offer_over"


class BudgetShort(RedemptionRefusal):
    """On publishing, detail: needed_points, needed_fen, free_points, free_fen.

    On issuing, detail: account, unit, asked, available.
    """

    code = "redemption.budget_short"


class PointsShort(RedemptionRefusal):
    """detail: asked and available, in the ledger's hundredths of a point."""

    code = "redemption.points_short"


class OutOfStock(RedemptionRefusal):
    """detail: left."""

    code = "redemption.out_of_stock"


class MemberCap(RedemptionRefusal):
    """detail: cap, period, taken."""

    code = "redemption.member_cap"


class QuantityWrong(RedemptionRefusal):
    """detail: open, when it is about a voucher."""

    code = "redemption.quantity_wrong"


class CodeTaken(RedemptionRefusal):
    """The random voucher id or short code exists. Issuing draws again by itself; seeing this means broken luck."""

    code = "redemption.code_taken"


class KeyDiffers(RedemptionRefusal):
    """The client's key was used for another request before."""

    code = "redemption.key_differs"


class ReasonMissing(RedemptionRefusal):
    """This needs a reason, for the history."""

    code = "redemption.reason_missing"


class ActorMissing(RedemptionRefusal):
    """This needs somebody who did it."""

    code = "redemption.actor_missing"


class SamePerson(RedemptionRefusal):
    """What needs two people was tried by one."""

    code = "redemption.same_person"


class LedgerRefused(RedemptionRefusal):
    """detail: ledger_code and ledger, the ledger's own refusal."""

    code = "redemption.ledger_refused"


class VoucherUnknown(RedemptionRefusal):
    """No such voucher in this community."""

    code = "redemption.unknown"


class WrongMerchant(RedemptionRefusal):
    """Says nothing more: another shop's vouchers are not this shop's business."""

    code = "redemption.wrong_merchant"


class OwnVoucher(RedemptionRefusal):
    """A clerk may not redeem what the own household holds."""

    code = "redemption.own_voucher"


class VoucherUsed(RedemptionRefusal):
    """detail: the last use, with received_at, merchant_id, clerk_id."""

    code = "redemption.used"


class VoucherExpired(RedemptionRefusal):
    """Its time is over, or what was left went back already."""

    code = "redemption.expired"


class VoucherCancelled(RedemptionRefusal):
    """Its owner gave it up."""

    code = "redemption.cancelled"


class VoucherCancelPending(RedemptionRefusal):
    """Its owner gave it up; a shop that holds it offline has not answered yet."""

    code = "redemption.cancel_pending"


class VoucherFrozen(RedemptionRefusal):
    """Staff stopped it while they look into something."""

    code = "redemption.frozen"


class VoucherNotFrozen(RedemptionRefusal):
    """Only a frozen voucher can be let go. detail: state."""

    code = "redemption.not_frozen"


class VoucherVoid(RedemptionRefusal):
    """Staff called it back."""

    code = "redemption.void"


class VoucherLocked(RedemptionRefusal):
    """A job in progress holds it."""

    code = "redemption.locked"


class VoucherNotIssued(RedemptionRefusal):
    """Still only reserved."""

    code = "redemption.not_issued"


class VoucherStateWrong(RedemptionRefusal):
    """The voucher is in no state from which this can be done."""

    code = "redemption.state_wrong"


class CodeOutdated(RedemptionRefusal):
    """The code shown was replaced by a newer one."""

    code = "redemption.code_outdated"


class NonceDiffers(RedemptionRefusal):
    """This device used the nonce for another scan."""

    code = "redemption.nonce_differs"


class DeviceRefused(RedemptionRefusal):
    """Revoked, or enrolled for another shop."""

    code = "redemption.device_refused"


class DeviceWrong(RedemptionRefusal):
    """An enrolled device needs a shop and a public key."""

    code = "redemption.device_wrong"


class DeviceDiffers(RedemptionRefusal):
    """The id is taken by a device with other facts."""

    code = "redemption.device_differs"


class DeviceUnknown(RedemptionRefusal):
    """No such device in this community."""

    code = "redemption.device_unknown"


class UseUnknown(RedemptionRefusal):
    """No such use of this voucher."""

    code = "redemption.use_unknown"


class NotYourUse(RedemptionRefusal):
    """Only the clerk who scanned, or the shop's owner, may take a use back."""

    code = "redemption.not_your_use"


class UseSettled(RedemptionRefusal):
    """A closed batch holds the use; the next batch may carry a correction."""

    code = "redemption.use_settled"


class AlreadyReversed(RedemptionRefusal):
    """The use was taken back before."""

    code = "redemption.already_reversed"


class ReversalTooLate(RedemptionRefusal):
    """More than an hour has passed. detail: received_at."""

    code = "redemption.reversal_too_late"


class TooManyReversals(RedemptionRefusal):
    """The device has had three within 24 hours."""

    code = "redemption.too_many_reversals"


class MerchantUnknown(RedemptionRefusal):
    """No offer ever named this shop."""

    code = "redemption.merchant_unknown"


class PeriodWrong(RedemptionRefusal):
    """A batch must end in the past and after the one before. detail: settled_until."""

    code = "redemption.period_wrong"


class NothingToSettle(RedemptionRefusal):
    """The running batch is empty."""

    code = "redemption.nothing_to_settle"


class SumsDiffer(RedemptionRefusal):
    """detail: uses, lines, ledger, each with its figures. Somebody must look before anybody is paid."""

    code = "redemption.sums_differ"


class SettlementUnknown(RedemptionRefusal):
    """No such settlement in this community."""

    code = "redemption.settlement_unknown"


class SettlementStateWrong(RedemptionRefusal):
    """Not the step that is due. detail: state."""

    code = "redemption.settlement_state"


class BankReferenceMissing(RedemptionRefusal):
    """A payment is recorded with the bank's reference."""

    code = "redemption.bank_reference_missing"


class LineUnknown(RedemptionRefusal):
    """No such line in this settlement."""

    code = "redemption.line_unknown"


class AlreadyDisputed(RedemptionRefusal):
    """The line is in dispute already."""

    code = "redemption.already_disputed"


BY_CODE: dict[str, type[RedemptionRefusal]] = {
    refusal.code.removeprefix("redemption."): refusal for refusal in RedemptionRefusal.__subclasses__()
}
"""Verdict of the SQL to refusal."""
