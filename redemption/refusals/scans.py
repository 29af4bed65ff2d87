"""Why a voucher is not taken, or a use not taken back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from redemption.refusals.base import RedemptionRefusal


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
class VoucherNotYet(RedemptionRefusal):
    """It can be used from usable_from on."""

    code = "redemption.not_yet"
    usable_from: datetime | None = None


@dataclass(eq=False)
class VoucherNotToday(RedemptionRefusal):
    """It can be used on other days of the week."""

    code = "redemption.not_today"


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
