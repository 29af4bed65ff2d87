"""Why money does not go to a shop, or not there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from redemption.refusals.base import RedemptionRefusal


@dataclass(eq=False)
class AmountWrong(RedemptionRefusal):
    """Nothing, or more than is open; `open` in fen."""

    code = "redemption.amount_wrong"
    open: int = 0


@dataclass(eq=False)
class PayoutFrozen(RedemptionRefusal):
    """The shop's account is new: nothing is paid to it before `frozen_until`."""

    code = "redemption.payout_frozen"
    frozen_until: datetime | None = None


@dataclass(eq=False)
class ReferenceUsed(RedemptionRefusal):
    """This statement has a payment with that reference already."""

    code = "redemption.reference_used"


@dataclass(eq=False)
class PaymentUnknown(RedemptionRefusal):
    """No such payment of this statement."""

    code = "redemption.payment_unknown"


@dataclass(eq=False)
class PaymentReturned(RedemptionRefusal):
    """This payment came back already."""

    code = "redemption.payment_returned"
    returned_at: datetime | None = None


@dataclass(eq=False)
class InvoiceWrong(RedemptionRefusal):
    """An invoice has 8 to 20 digits and an amount."""

    code = "redemption.invoice_wrong"


@dataclass(eq=False)
class InvoiceTaken(RedemptionRefusal):
    """The number stands at a statement of this community already."""

    code = "redemption.invoice_taken"


@dataclass(eq=False)
class InvoiceUnknown(RedemptionRefusal):
    """No such invoice at this statement."""

    code = "redemption.invoice_unknown"


@dataclass(eq=False)
class RhythmDayWrong(RedemptionRefusal):
    """How often a shop is settled changes from tomorrow at the earliest, and within a year."""

    code = "redemption.rhythm_day_wrong"


@dataclass(eq=False)
class PayeeUnknown(RedemptionRefusal):
    """Nobody proposed this account."""

    code = "redemption.payee_unknown"


@dataclass(eq=False)
class PayeeWaits(RedemptionRefusal):
    """Another account of this shop waits for a second person."""

    code = "redemption.payee_waits"


@dataclass(eq=False)
class PayeeDecided(RedemptionRefusal):
    """Somebody decided this account already."""

    code = "redemption.payee_decided"
    state: str = ""


@dataclass(eq=False)
class NothingToPay(RedemptionRefusal):
    """No statement, or one with nothing open."""

    code = "redemption.nothing_to_pay"


@dataclass(eq=False)
class PayeeMissing(RedemptionRefusal):
    """The shop has no bank account that two people agreed to."""

    code = "redemption.payee_missing"


@dataclass(eq=False)
class InBankFile(RedemptionRefusal):
    """The statement is in a file for the bank already."""

    code = "redemption.in_bank_file"


@dataclass(eq=False)
class BankFileUnknown(RedemptionRefusal):
    """No such file in this community."""

    code = "redemption.bank_file_unknown"


@dataclass(eq=False)
class BankFileVoid(RedemptionRefusal):
    """The file was voided already."""

    code = "redemption.bank_file_void"
