"""Reads of the past: a balance at a moment, a period with what it opened and closed with.

Time here is the time of posting, in which a book never runs backwards; when something took effect stands beside each line.
What was true of an account before a moment costs the same whether the moment was yesterday or ten years ago, once the
worker has marked the account's lines.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from ledger.driver import fetch
from ledger.refusals import AccountNotFound
from ledger.statements import StatementLine, statement

MARK_BATCH = 10_000


@dataclass(frozen=True, slots=True)
class Period:
    """An account from one moment to another: closing minus opening is the sum of all lines between, of every page.

    Lines are newest first; `next` goes into `before` to get the page after it and is None on the last.
    """

    opening: int
    closing: int
    lines: tuple[StatementLine, ...]
    next: int | None


async def balance_before(session: AsyncSession, book: int, code: str, unit: str, at: datetime) -> int:
    """What an account had just before a moment; 0 before its first line. Raises AccountNotFound."""
    _, balance, _ = await _before(session, book, code, unit, at)
    return balance


async def period(
    session: AsyncSession,
    book: int,
    code: str,
    unit: str,
    *,
    since: datetime,
    until: datetime,
    before: int | None = None,
    limit: int = 50,
) -> Period:
    """A page of what was posted from `since` on and before `until`, newest first. Raises AccountNotFound."""
    if until < since:
        message = "A period ends after it begins."
        raise ValueError(message)
    first, opening, _ = await _before(session, book, code, unit, since)
    last, closing, newer = await _before(session, book, code, unit, until)
    if first == last:
        return Period(opening, closing, (), None)
    page = await statement(session, book, code, unit, before=newer if before is None else before, limit=limit)
    lines = tuple(line for line in page.lines if line.seq > first)
    return Period(opening, closing, lines, page.next if len(lines) == len(page.lines) else None)


async def _before(session: AsyncSession, book: int, code: str, unit: str, at: datetime) -> tuple[int, int, int | None]:
    """The book's number just before a moment, the account's balance then, and its first line after it."""
    rows = await fetch(
        session, "SELECT b.seq, b.balance, b.newer FROM ledger.account_before($1, $2, $3, $4) b", book, code, unit, at
    )
    if not rows:
        raise AccountNotFound(account=code, unit=unit)
    seq, balance, newer = rows[0]
    return seq, balance, newer


async def mark_lines(session: AsyncSession, limit: int = MARK_BATCH) -> int:
    """Mark what was posted since the last time, in every book, so much of each; says how many transfers were read."""
    rows = await fetch(
        session,
        "SELECT coalesce(sum(ledger.mark_lines(b.community_id, $1)), 0)::bigint"
        "  FROM ledger.book b LEFT JOIN ledger.marked m USING (community_id)"
        " WHERE b.seq > coalesce(m.seq, 0)",
        limit,
    )
    count: int = rows[0][0]
    return count
