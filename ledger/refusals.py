"""Every way of saying no, in the order in which the ledger looks. Pure."""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import ClassVar
from uuid import UUID


@dataclass(eq=False, kw_only=True)
class LedgerRefusal(Exception):
    """The ledger says no and has written nothing. `step` counts from 1 within the journal named by `reference`."""

    code: ClassVar[str] = "ledger.refused"
    reference: str | None = None
    step: int | None = None

    def __str__(self) -> str:
        """The code and what is known, for logs; people are told by code."""
        known = {field.name: getattr(self, field.name) for field in fields(self)}
        return f"{self.code} { ({name: value for name, value in known.items() if value is not None}) }"


@dataclass(eq=False, kw_only=True)
class BatchTooLarge(LedgerRefusal):
    """More than BATCH_MAX journals or steps at once. Nothing of it was looked at: send it in parts."""

    code = "ledger.batch_too_large"


@dataclass(eq=False, kw_only=True)
class BookNotFound(LedgerRefusal):
    """No book was opened for this community."""

    code = "ledger.book_not_found"
    book: int


@dataclass(eq=False, kw_only=True)
class ReferenceReused(LedgerRefusal):
    """The reference stands in the book with other content."""

    code = "ledger.reference_reused"
    journal_id: int


@dataclass(eq=False, kw_only=True)
class JournalMalformed(LedgerRefusal):
    """The reference or the reason is empty, longer than 200 characters, or holds control characters."""

    code = "ledger.journal_malformed"


@dataclass(eq=False, kw_only=True)
class EffectiveInFuture(LedgerRefusal):
    """Nothing can take effect after now."""

    code = "ledger.effective_in_future"


@dataclass(eq=False, kw_only=True)
class EffectiveTooEarly(LedgerRefusal):
    """Nothing took effect before 1970."""

    code = "ledger.effective_too_early"


@dataclass(eq=False, kw_only=True)
class PeriodClosed(LedgerRefusal):
    """The book is closed up to an instant; what takes effect before it comes too late."""

    code = "ledger.period_closed"
    closed_until: datetime


@dataclass(eq=False, kw_only=True)
class ReversalRefusal(LedgerRefusal):
    """What is wrong with the journal to be reversed."""

    original: str | None


@dataclass(eq=False, kw_only=True)
class OriginalNotFound(ReversalRefusal):
    """No journal has that reference."""

    code = "ledger.original_not_found"


@dataclass(eq=False, kw_only=True)
class OriginalIsReversal(ReversalRefusal):
    """A reversal cannot be reversed; post the right journal instead."""

    code = "ledger.original_is_reversal"


@dataclass(eq=False, kw_only=True)
class OriginalHasHolds(ReversalRefusal):
    """A journal that holds, captures or releases is undone by its own opposite steps."""

    code = "ledger.original_has_holds"


@dataclass(eq=False, kw_only=True)
class AlreadyReversed(ReversalRefusal):
    """A journal can be reversed once, wholly or in part."""

    code = "ledger.already_reversed"


@dataclass(eq=False, kw_only=True)
class ReversalExceeds(ReversalRefusal):
    """The legs give back more than was moved, or between other accounts."""

    code = "ledger.reversal_exceeds"


@dataclass(eq=False, kw_only=True)
class JournalEmpty(LedgerRefusal):
    """A journal has at least one step."""

    code = "ledger.journal_empty"


@dataclass(eq=False, kw_only=True)
class StepMalformed(LedgerRefusal):
    """A step lacks what its kind needs."""

    code = "ledger.step_malformed"


@dataclass(eq=False, kw_only=True)
class AmountOutOfBounds(LedgerRefusal):
    """An amount is at least 1 and at most AMOUNT_MAX."""

    code = "ledger.amount_out_of_bounds"
    amount: int | None


@dataclass(eq=False, kw_only=True)
class SameAccount(LedgerRefusal):
    """From an account to itself nothing moves."""

    code = "ledger.same_account"
    account: str


@dataclass(eq=False, kw_only=True)
class EscrowReserved(LedgerRefusal):
    """The escrow account is touched by holds, captures and releases only."""

    code = "ledger.escrow_reserved"


@dataclass(eq=False, kw_only=True)
class HoldRefusal(LedgerRefusal):
    """What is wrong with the hold."""

    hold_id: UUID


@dataclass(eq=False, kw_only=True)
class HoldExists(HoldRefusal):
    """A hold has this id already."""

    code = "ledger.hold_exists"


@dataclass(eq=False, kw_only=True)
class HoldNotFound(HoldRefusal):
    """No hold has this id."""

    code = "ledger.hold_not_found"


@dataclass(eq=False, kw_only=True)
class UnitMismatch(LedgerRefusal):
    """The step names another unit than the hold's. Only SQL callers can name one."""

    code = "ledger.unit_mismatch"
    unit: str
    expected: str


@dataclass(eq=False, kw_only=True)
class HoldClosed(HoldRefusal):
    """Nothing is left of the hold."""

    code = "ledger.hold_closed"


@dataclass(eq=False, kw_only=True)
class HoldExpired(HoldRefusal):
    """The time to capture has passed; what is left can be released."""

    code = "ledger.hold_expired"


@dataclass(eq=False, kw_only=True)
class HoldExceeded(HoldRefusal):
    """Less is left of the hold than was asked."""

    code = "ledger.hold_exceeded"
    asked: int
    remaining: int


@dataclass(eq=False, kw_only=True)
class RefundExceeds(HoldRefusal):
    """Less was paid from the hold, or is left of it to refund, than was asked."""

    code = "ledger.refund_exceeds"
    asked: int
    remaining: int


@dataclass(eq=False, kw_only=True)
class AccountRefusal(LedgerRefusal):
    """What is wrong with an account."""

    account: str
    unit: str


@dataclass(eq=False, kw_only=True)
class AccountNotFound(AccountRefusal):
    """No account has this code in this unit."""

    code = "ledger.account_not_found"


@dataclass(eq=False, kw_only=True)
class AccountClosed(AccountRefusal):
    """The account was closed. Only a release may still come back to it."""

    code = "ledger.account_closed"


@dataclass(eq=False, kw_only=True)
class InsufficientBalance(AccountRefusal):
    """The account would pass its floor."""

    code = "ledger.insufficient_balance"
    asked: int
    available: int


@dataclass(eq=False, kw_only=True)
class AccountInDebt(InsufficientBalance):
    """The account is below its floor already: it takes until the debt is paid, and gives nothing. `available` is below 0."""

    code = "ledger.account_in_debt"


@dataclass(eq=False, kw_only=True)
class OverCeiling(AccountRefusal):
    """The account would pass its ceiling."""

    code = "ledger.over_ceiling"
    asked: int
    room: int


PRECEDENCE: tuple[type[LedgerRefusal], ...] = (
    BatchTooLarge,
    BookNotFound,
    ReferenceReused,
    JournalMalformed,
    EffectiveInFuture,
    EffectiveTooEarly,
    PeriodClosed,
    OriginalNotFound,
    OriginalIsReversal,
    OriginalHasHolds,
    AlreadyReversed,
    ReversalExceeds,
    JournalEmpty,
    # From here on step by step: the first step that is refused decides.
    StepMalformed,
    AmountOutOfBounds,
    SameAccount,
    EscrowReserved,
    HoldExists,
    HoldNotFound,
    UnitMismatch,
    HoldClosed,
    HoldExpired,
    HoldExceeded,
    RefundExceeds,
    AccountNotFound,
    AccountClosed,
    AccountInDebt,
    InsufficientBalance,
    OverCeiling,
)


@dataclass(eq=False, kw_only=True)
class UnitNotFound(AccountRefusal):
    """Nothing is counted in this unit."""

    code = "ledger.unit_not_found"


@dataclass(eq=False, kw_only=True)
class AccountMalformed(AccountRefusal):
    """The code is empty, too long or holds blanks, or 0 does not lie between floor and ceiling."""

    code = "ledger.account_malformed"


@dataclass(eq=False, kw_only=True)
class AccountDiffers(AccountRefusal):
    """The account is open with another floor or ceiling."""

    code = "ledger.account_differs"


@dataclass(eq=False, kw_only=True)
class AccountNotEmpty(AccountRefusal):
    """Only an account whose balance is 0 can be closed."""

    code = "ledger.account_not_empty"


@dataclass(eq=False, kw_only=True)
class StatementPlaceNotFound(AccountRefusal):
    """The page was asked for after a line that this account does not have."""

    code = "ledger.statement_place_not_found"
    before: int


@dataclass(eq=False, kw_only=True)
class DebtMalformed(AccountRefusal):
    """The account has no floor to pass, or the limit or the reason is out of bounds."""

    code = "ledger.debt_malformed"


@dataclass(eq=False, kw_only=True)
class DebtOpen(AccountRefusal):
    """The account owes more than the new limit; it must be paid first."""

    code = "ledger.debt_open"
    owed: int


@dataclass(eq=False, kw_only=True)
class ExpiryMalformed(LedgerRefusal):
    """No such rule, months, days or time zone, or another prefix than this unit's rules have had."""

    code = "ledger.expiry_malformed"
    unit: str


@dataclass(eq=False, kw_only=True)
class PeriodRefusal(LedgerRefusal):
    """What is wrong with the end of the period."""

    until: datetime


@dataclass(eq=False, kw_only=True)
class PeriodGoesBack(PeriodRefusal):
    """The book is closed further already. What was closed is not opened again."""

    code = "ledger.period_goes_back"


@dataclass(eq=False, kw_only=True)
class PeriodNotOver(PeriodRefusal):
    """A period can be closed when it has passed."""

    code = "ledger.period_not_over"


@dataclass(eq=False, kw_only=True)
class TooBusy(LedgerRefusal):
    """Too many wait, or the process is stopping: nothing was tried, and the same may come again in a moment."""

    code = "ledger.too_busy"


_ON_ACCOUNTS: tuple[type[LedgerRefusal], ...] = (
    AccountMalformed,
    UnitNotFound,
    AccountDiffers,
    AccountNotEmpty,
    DebtMalformed,
    DebtOpen,
    StatementPlaceNotFound,
)
_ON_BOOKS: tuple[type[LedgerRefusal], ...] = (PeriodGoesBack, PeriodNotOver, ExpiryMalformed)

BY_CODE = {refusal.code: refusal for refusal in (*PRECEDENCE, *_ON_ACCOUNTS, *_ON_BOOKS)}
