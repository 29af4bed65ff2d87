"""Reads: balances, statements, journals and holds. One query each, whatever their length."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from ledger.driver import fetch
from ledger.refusals import AccountNotFound, StatementPlaceNotFound

LINES_MAX = 1000


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One transfer as its account sees it: the amount is negative when it left."""

    seq: int
    journal_id: int
    reference: str
    reason: str
    kind: str
    amount: int
    balance: int
    counterpart: str
    effective_at: datetime
    posted_at: datetime
    actor_id: UUID | None
    on_behalf_of: UUID | None
    hold_id: UUID | None
    reversed_by: str | None
    reverses: str | None


@dataclass(frozen=True, slots=True)
class StatementPage:
    """Lines, newest first; `next` goes into `before` to get the page after it and is None on the last."""

    lines: tuple[StatementLine, ...]
    next: int | None


@dataclass(frozen=True, slots=True)
class Transfer:
    """One step of a journal as it was posted."""

    seq: int
    kind: str
    debit: str
    credit: str
    unit: str
    amount: int
    hold_id: UUID | None


@dataclass(frozen=True, slots=True)
class PostedJournal:
    """A journal as it stands in the book; the reversal links are references."""

    journal_id: int
    reference: str
    reason: str
    transfers: tuple[Transfer, ...]
    actor_id: UUID | None
    on_behalf_of: UUID | None
    effective_at: datetime
    posted_at: datetime
    reverses: str | None
    reversed_by: str | None


@dataclass(frozen=True, slots=True)
class HoldState:
    """A hold and what became of it so far."""

    hold_id: UUID
    account: str
    unit: str
    amount: int
    captured: int
    released: int
    expires_at: datetime | None

    @property
    def remaining(self) -> int:
        """What is still on hold."""
        return self.amount - self.captured - self.released


@dataclass(frozen=True, slots=True)
class Debt:
    """An account below its floor, and how far it may go for which reason."""

    account: str
    unit: str
    owed: int
    reason: str
    limit: int


async def debts(session: AsyncSession, book: int) -> list[Debt]:
    """The accounts that are in debt, the deepest first. Reads all accounts of the book."""
    rows = await fetch(
        session,
        "SELECT code, unit, floor - balance, debt_reason, debt_limit FROM ledger.account"
        " WHERE community_id = $1 AND balance < floor ORDER BY floor - balance DESC, code, unit",
        book,
    )
    return [Debt(*row) for row in rows]


async def balance(session: AsyncSession, book: int, code: str, unit: str) -> int:
    """What an account has now."""
    found = await balances(session, book, [(code, unit)])
    if (code, unit) not in found:
        raise AccountNotFound(account=code, unit=unit)
    return found[code, unit]


async def balances(session: AsyncSession, book: int, accounts: Iterable[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """What many accounts have now, by code and unit. Those that are not open are left out."""
    asked = sorted(set(accounts))
    rows = await fetch(
        session,
        "SELECT a.code, a.unit, a.balance FROM unnest($2::text[], $3::text[]) k(code, unit)"
        " JOIN ledger.account a ON a.community_id = $1 AND a.code = k.code AND a.unit = k.unit",
        book,
        [code for code, _ in asked],
        [unit for _, unit in asked],
    )
    return {(code, unit): amount for code, unit, amount in rows}


async def statement(
    session: AsyncSession, book: int, code: str, unit: str, *, before: int | None = None, limit: int = 50
) -> StatementPage:
    """A page of an account, newest first. The oldest page costs what the newest costs."""
    if not 1 <= limit <= LINES_MAX:
        message = f"A page has 1 to {LINES_MAX} lines."
        raise ValueError(message)
    rows = await fetch(session, "SELECT * FROM ledger.statement($1, $2, $3, $4, $5)", book, code, unit, before, limit)
    # The first row is no line: it says that the account and the place exist. Each row ends with the seq that follows.
    if not rows:
        if before is not None and (code, unit) in await balances(session, book, [(code, unit)]):
            raise StatementPlaceNotFound(account=code, unit=unit, before=before)
        raise AccountNotFound(account=code, unit=unit)
    lines = tuple(StatementLine(*row[:-1]) for row in rows[1:])
    more = bool(lines) and rows[-1][-1] != 0
    return StatementPage(lines, lines[-1].seq if more else None)


async def journal(session: AsyncSession, book: int, reference: str) -> PostedJournal | None:
    """The journal with this reference, or None."""
    rows = await fetch(
        session,
        "SELECT j.journal_id, j.reference, j.reason, j.actor_id, j.on_behalf_of, j.effective_at, j.posted_at,"
        "       undone.reference, undo.reference, t.seq, t.kind, d.code, c.code, t.unit, t.amount, t.hold_id"
        "  FROM ledger.journal j"
        "  JOIN ledger.transfer t ON t.community_id = $1"
        "   AND t.seq >= j.journal_id AND t.seq < j.journal_id + j.transfers"
        "  JOIN ledger.account d ON d.community_id = $1 AND d.account_id = t.debit"
        "  JOIN ledger.account c ON c.community_id = $1 AND c.account_id = t.credit"
        "  LEFT JOIN ledger.journal undone ON undone.community_id = $1 AND undone.journal_id = j.reverses"
        "  LEFT JOIN ledger.journal undo ON undo.community_id = $1 AND undo.reverses = j.journal_id"
        " WHERE j.community_id = $1 AND j.reference = $2"
        " ORDER BY t.seq",
        book,
        reference,
    )
    if not rows:
        return None
    number, reference, reason, actor, behalf, effective_at, posted_at, undone, undo = rows[0][:9]
    transfers = tuple(Transfer(*row[9:]) for row in rows)
    return PostedJournal(number, reference, reason, transfers, actor, behalf, effective_at, posted_at, undone, undo)


async def transfers(session: AsyncSession, book: int, journals: Iterable[int]) -> dict[int, tuple[Transfer, ...]]:
    """The steps of many journals by their numbers, each journal's in the order of posting."""
    rows = await fetch(
        session,
        "SELECT n.journal_id, t.seq, t.kind, d.code, c.code, t.unit, t.amount, t.hold_id"
        "  FROM unnest($2::bigint[]) n(journal_id)"
        " CROSS JOIN LATERAL (SELECT j.transfers FROM ledger.journal j"
        "                      WHERE j.community_id = $1 AND j.journal_id = n.journal_id OFFSET 0) j"
        " CROSS JOIN LATERAL (SELECT t.* FROM ledger.transfer t WHERE t.community_id = $1"
        "                        AND t.seq >= n.journal_id AND t.seq < n.journal_id + j.transfers OFFSET 0) t"
        "  JOIN ledger.account d ON d.community_id = $1 AND d.account_id = t.debit"
        "  JOIN ledger.account c ON c.community_id = $1 AND c.account_id = t.credit"
        " ORDER BY t.seq",
        book,
        sorted(set(journals)),
    )
    found: dict[int, list[Transfer]] = {}
    for number, *step in rows:
        found.setdefault(number, []).append(Transfer(*step))
    return {number: tuple(steps) for number, steps in found.items()}


async def holds(session: AsyncSession, book: int, hold_ids: Iterable[UUID]) -> dict[UUID, HoldState]:
    """Holds by id. Those that were never opened are left out."""
    rows = await fetch(
        session,
        "SELECT h.hold_id, a.code, h.unit, h.amount, h.captured, h.released, h.expires_at"
        "  FROM ledger.hold h JOIN ledger.account a ON a.community_id = $1 AND a.account_id = h.account_id"
        " WHERE h.community_id = $1 AND h.hold_id = ANY($2::uuid[])",
        book,
        sorted(set(hold_ids)),
    )
    return {row[0]: HoldState(*row) for row in rows}
