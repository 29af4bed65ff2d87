"""Every way in which redemption says no. A refusal carries data and no prose; its code is "redemption." plus the verdict of the SQL."""

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
    """On publishing, detail: needed_points, needed_fen, free_points, free_fen; on issuing: account, unit, asked, available."""

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
    """The random voucher id or short code exists. Issuing tries again by itself; this surfaces only when luck is broken."""

    code = "redemption.code_taken"


class KeyDiffers(RedemptionRefusal):
    """The client's key was used for another request before."""

    code = "redemption.key_differs"


class ReasonMissing(RedemptionRefusal):
    code = "redemption.reason_missing"


class ActorMissing(RedemptionRefusal):
    code = "redemption.actor_missing"


class SamePerson(RedemptionRefusal):
    """What needs two people was tried by one."""

    code = "redemption.same_person"


class LedgerRefused(RedemptionRefusal):
    """detail: ledger_code and ledger, the ledger's own refusal."""

    code = "redemption.ledger_refused"


class VoucherUnknown(RedemptionRefusal):
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
    code = "redemption.expired"


class VoucherCancelled(RedemptionRefusal):
    code = "redemption.cancelled"


class VoucherCancelPending(RedemptionRefusal):
    code = "redemption.cancel_pending"


class VoucherFrozen(RedemptionRefusal):
    code = "redemption.frozen"


class VoucherNotFrozen(RedemptionRefusal):
    code = "redemption.not_frozen"


class VoucherVoid(RedemptionRefusal):
    code = "redemption.void"


class VoucherLocked(RedemptionRefusal):
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
    code = "redemption.device_wrong"


class DeviceDiffers(RedemptionRefusal):
    """The id is taken by a device with other facts."""

    code = "redemption.device_differs"


class DeviceUnknown(RedemptionRefusal):
    code = "redemption.device_unknown"


class UseUnknown(RedemptionRefusal):
    code = "redemption.use_unknown"


class NotYourUse(RedemptionRefusal):
    """Only the clerk who scanned, or the shop's owner, may take a use back."""

    code = "redemption.not_your_use"


class UseSettled(RedemptionRefusal):
    """A closed batch holds the use; the next batch may carry a correction."""

    code = "redemption.use_settled"


class AlreadyReversed(RedemptionRefusal):
    code = "redemption.already_reversed"


class ReversalTooLate(RedemptionRefusal):
    """More than an hour has passed. detail: received_at."""

    code = "redemption.reversal_too_late"


class TooManyReversals(RedemptionRefusal):
    """The device has had three within 24 hours."""

    code = "redemption.too_many_reversals"


class MerchantUnknown(RedemptionRefusal):
    code = "redemption.merchant_unknown"


class PeriodWrong(RedemptionRefusal):
    """A batch must end in the past and after the one before. detail: settled_until."""

    code = "redemption.period_wrong"


class NothingToSettle(RedemptionRefusal):
    code = "redemption.nothing_to_settle"


class SumsDiffer(RedemptionRefusal):
    """detail: uses, lines, ledger, each with its figures. Somebody must look before anybody is paid."""

    code = "redemption.sums_differ"


class SettlementUnknown(RedemptionRefusal):
    code = "redemption.settlement_unknown"


class SettlementStateWrong(RedemptionRefusal):
    """Not the step that is due. detail: state."""

    code = "redemption.settlement_state"


class BankReferenceMissing(RedemptionRefusal):
    code = "redemption.bank_reference_missing"


class LineUnknown(RedemptionRefusal):
    code = "redemption.line_unknown"


class AlreadyDisputed(RedemptionRefusal):
    code = "redemption.already_disputed"


BY_CODE: dict[str, type[RedemptionRefusal]] = {
    refusal.code.removeprefix("redemption."): refusal for refusal in RedemptionRefusal.__subclasses__()
}
"""Verdict of the SQL to refusal."""
