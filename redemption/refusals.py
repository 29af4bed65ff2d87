"""Every way in which redemption says no.

A refusal carries data and no prose; its code is "redemption." plus the verdict of the SQL.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, ClassVar, Self

Detail = Mapping[str, Any]


@dataclass(eq=False)
class RedemptionRefusal(Exception):
    """A plain no. What a sentence may name are fields; `detail` is all that the SQL function gave."""

    code: ClassVar[str] = "redemption.refused"
    detail: Detail = field(default_factory=dict)

    @classmethod
    def from_answer(cls, detail: Detail) -> Self:
        """The refusal with its fields taken from a function's answer."""
        named = {each.name: detail[each.name] for each in fields(cls) if detail.get(each.name) is not None}
        for name, value in named.items():
            if name.endswith(("_at", "_from", "_until")):
                named[name] = datetime.fromisoformat(value)
        return cls(detail=detail, **named)


@dataclass(eq=False)
class OfferUnknown(RedemptionRefusal):
    """No such offer in this community."""

    code = "redemption.offer_unknown"


@dataclass(eq=False)
class OfferWrong(RedemptionRefusal):
    """A term is out of bounds: price, stock, times, zone, title or no merchant."""

    code = "redemption.offer_wrong"


@dataclass(eq=False)
class OfferNotDraft(RedemptionRefusal):
    """Its state does not allow it."""

    code = "redemption.offer_not_draft"
    state: str = ""


@dataclass(eq=False)
class OfferChanged(RedemptionRefusal):
    """The draft got another sponsor in the same moment; ask again."""

    code = "redemption.offer_changed"


@dataclass(eq=False)
class OfferNotPublished(RedemptionRefusal):
    """Its state does not allow it."""

    code = "redemption.offer_not_published"
    state: str = ""


@dataclass(eq=False)
class OfferNotStarted(RedemptionRefusal):
    """Members can take it from valid_from on."""

    code = "redemption.offer_not_started"
    valid_from: datetime | None = None


@dataclass(eq=False)
class OfferOver(RedemptionRefusal):
    """Its time to be taken is over."""

    code = "redemption.offer_over"
    valid_until: datetime | None = None


@dataclass(eq=False)
class BudgetShort(RedemptionRefusal):
    """The sponsor cannot pay for this beside all that is promised. Without figures when a single voucher was asked for."""

    code = "redemption.budget_short"
    needed_points: int = 0
    needed_fen: int = 0
    free_points: int = 0
    free_fen: int = 0


@dataclass(eq=False)
class PointsShort(RedemptionRefusal):
    """The member lacks missing_points, in whole points."""

    code = "redemption.points_short"
    missing_points: int = 0


@dataclass(eq=False)
class OutOfStock(RedemptionRefusal):
    """Fewer are left than were asked for."""

    code = "redemption.out_of_stock"
    left: int = 0


@dataclass(eq=False)
class MemberCap(RedemptionRefusal):
    """The member has had `taken` of the `cap` that the period allows."""

    code = "redemption.member_cap"
    cap: int = 0
    period: str = ""
    taken: int = 0


@dataclass(eq=False)
class QuantityWrong(RedemptionRefusal):
    """Not a number that can be used or taken. `open` is what is left of a voucher."""

    code = "redemption.quantity_wrong"
    open: int = 0


@dataclass(eq=False)
class CodeTaken(RedemptionRefusal):
    """The random voucher id or short code exists. Issuing draws again by itself; seeing this means broken luck."""

    code = "redemption.code_taken"


@dataclass(eq=False)
class KeyDiffers(RedemptionRefusal):
    """The client's key was used for another request before."""

    code = "redemption.key_differs"


@dataclass(eq=False)
class ReasonMissing(RedemptionRefusal):
    """This needs a reason, for the history."""

    code = "redemption.reason_missing"


@dataclass(eq=False)
class ActorMissing(RedemptionRefusal):
    """This needs somebody who did it."""

    code = "redemption.actor_missing"


@dataclass(eq=False)
class SamePerson(RedemptionRefusal):
    """What needs two people was tried by one."""

    code = "redemption.same_person"


@dataclass(eq=False)
class LedgerRefused(RedemptionRefusal):
    """The ledger said no where it never should: an account is missing or closed."""

    code = "redemption.ledger_refused"
    ledger_code: str = ""


@dataclass(eq=False)
class VoucherUnknown(RedemptionRefusal):
    """No such voucher in this community."""

    code = "redemption.unknown"


@dataclass(eq=False)
class WrongMerchant(RedemptionRefusal):
    """Says nothing more: another shop's vouchers are not this shop's business."""

    code = "redemption.wrong_merchant"


@dataclass(eq=False)
class OwnVoucher(RedemptionRefusal):
    """A clerk may not redeem what the own household holds."""

    code = "redemption.own_voucher"


@dataclass(eq=False)
class VoucherUsed(RedemptionRefusal):
    """All of it was used, the last at received_at; `detail` is that use."""

    code = "redemption.used"
    received_at: datetime | None = None


@dataclass(eq=False)
class VoucherExpired(RedemptionRefusal):
    """Its time is over, or what was left went back already."""

    code = "redemption.expired"
    expires_at: datetime | None = None


@dataclass(eq=False)
class VoucherCancelled(RedemptionRefusal):
    """Its owner gave it up."""

    code = "redemption.cancelled"


@dataclass(eq=False)
class VoucherCancelPending(RedemptionRefusal):
    """Its owner gave it up; a shop that holds it offline has not answered yet."""

    code = "redemption.cancel_pending"


@dataclass(eq=False)
class VoucherFrozen(RedemptionRefusal):
    """Staff stopped it while they look into something."""

    code = "redemption.frozen"


@dataclass(eq=False)
class VoucherNotFrozen(RedemptionRefusal):
    """Only a frozen voucher can be let go."""

    code = "redemption.not_frozen"
    state: str = ""


@dataclass(eq=False)
class VoucherVoid(RedemptionRefusal):
    """Staff called it back."""

    code = "redemption.void"


@dataclass(eq=False)
class VoucherLocked(RedemptionRefusal):
    """A job in progress holds it."""

    code = "redemption.locked"


@dataclass(eq=False)
class VoucherNotIssued(RedemptionRefusal):
    """Still only reserved."""

    code = "redemption.not_issued"


@dataclass(eq=False)
class VoucherStateWrong(RedemptionRefusal):
    """The voucher is in no state from which this can be done."""

    code = "redemption.state_wrong"


@dataclass(eq=False)
class CodeOutdated(RedemptionRefusal):
    """The code shown was replaced by a newer one."""

    code = "redemption.code_outdated"


@dataclass(eq=False)
class NonceDiffers(RedemptionRefusal):
    """This device used the nonce for another scan."""

    code = "redemption.nonce_differs"


@dataclass(eq=False)
class DeviceRefused(RedemptionRefusal):
    """Revoked, or enrolled for another shop."""

    code = "redemption.device_refused"


@dataclass(eq=False)
class DeviceWrong(RedemptionRefusal):
    """An enrolled device needs a shop and a public key."""

    code = "redemption.device_wrong"


@dataclass(eq=False)
class DeviceDiffers(RedemptionRefusal):
    """The id is taken by a device with other facts."""

    code = "redemption.device_differs"


@dataclass(eq=False)
class DeviceUnknown(RedemptionRefusal):
    """No such device in this community."""

    code = "redemption.device_unknown"


@dataclass(eq=False)
class UseUnknown(RedemptionRefusal):
    """No such use of this voucher."""

    code = "redemption.use_unknown"


@dataclass(eq=False)
class NotYourUse(RedemptionRefusal):
    """Only the clerk who scanned, or the shop's owner, may take a use back."""

    code = "redemption.not_your_use"


@dataclass(eq=False)
class UseSettled(RedemptionRefusal):
    """A closed batch holds the use; the next batch may carry a correction."""

    code = "redemption.use_settled"


@dataclass(eq=False)
class AlreadyReversed(RedemptionRefusal):
    """The use was taken back before."""

    code = "redemption.already_reversed"


@dataclass(eq=False)
class ReversalTooLate(RedemptionRefusal):
    """More than an hour has passed."""

    code = "redemption.reversal_too_late"
    received_at: datetime | None = None


@dataclass(eq=False)
class TooManyReversals(RedemptionRefusal):
    """The device has had three within 24 hours."""

    code = "redemption.too_many_reversals"


@dataclass(eq=False)
class MerchantUnknown(RedemptionRefusal):
    """No offer ever named this shop."""

    code = "redemption.merchant_unknown"


@dataclass(eq=False)
class PeriodWrong(RedemptionRefusal):
    """A batch must end in the past and after the one before."""

    code = "redemption.period_wrong"
    settled_until: datetime | None = None


@dataclass(eq=False)
class NothingToSettle(RedemptionRefusal):
    """The running batch is empty."""

    code = "redemption.nothing_to_settle"


@dataclass(eq=False)
class SumsDiffer(RedemptionRefusal):
    """Uses, lines and ledger disagree; `detail` has the figures of each. Nobody is paid before somebody has looked."""

    code = "redemption.sums_differ"


@dataclass(eq=False)
class SettlementUnknown(RedemptionRefusal):
    """No such settlement in this community."""

    code = "redemption.settlement_unknown"


@dataclass(eq=False)
class SettlementStateWrong(RedemptionRefusal):
    """Not the step that is due."""

    code = "redemption.settlement_state"
    state: str = ""


@dataclass(eq=False)
class BankReferenceMissing(RedemptionRefusal):
    """A payment is recorded with the bank's reference."""

    code = "redemption.bank_reference_missing"


@dataclass(eq=False)
class LineUnknown(RedemptionRefusal):
    """No such line in this settlement."""

    code = "redemption.line_unknown"


@dataclass(eq=False)
class AlreadyDisputed(RedemptionRefusal):
    """The line is in dispute already."""

    code = "redemption.already_disputed"


BY_CODE: dict[str, type[RedemptionRefusal]] = {
    refusal.code.removeprefix("redemption."): refusal for refusal in RedemptionRefusal.__subclasses__()
}
"""Verdict of the SQL to refusal."""
