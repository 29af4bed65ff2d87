"""Acts that change what may be posted: a period is closed, a debt allowed, holds expire. All take the head, so they come last."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from ledger.arrays import storable
from ledger.driver import fetch
from ledger.journal import aware, in_range, judged
from ledger.refusals import (
    AccountClosed,
    AccountNotFound,
    AccountRefusal,
    BookNotFound,
    DebtMalformed,
    DebtOpen,
    LedgerRefusal,
    PeriodGoesBack,
    PeriodNotOver,
    PeriodRefusal,
)
from ledger.rules import AMOUNT_MAX, Posted

_ABOUT_DEBT: dict[str, type[AccountRefusal]] = {
    each.code: each for each in (AccountNotFound, AccountClosed, DebtMalformed)
}


@dataclass(frozen=True, slots=True)
class Expired:
    """A hold whose time was over, and what became of giving it back."""

    hold_id: UUID
    expires_at: datetime
    verdict: Posted | LedgerRefusal


async def close_period(session: AsyncSession, book: int, *, until: datetime, actor_id: UUID, now: datetime) -> None:
    """Let nothing take effect before `until` any more; closing up to the same again changes nothing.

    Who may do this is the caller's to know; the book remembers who did. It moves forward only, never beyond now.
    """
    query = "SELECT ledger.close_period($1, $2, $3, $4)"
    ((code,),) = await fetch(session, query, book, in_range(until), actor_id, aware(now))
    if code == BookNotFound.code:
        raise BookNotFound(book=book)
    refusals: dict[str, type[PeriodRefusal]] = {each.code: each for each in (PeriodGoesBack, PeriodNotOver)}
    if code in refusals:
        raise refusals[code](until=until)


async def allow_debt(
    session: AsyncSession,
    book: int,
    account: str,
    unit: str,
    *,
    reason: str,
    limit: int,
    actor_id: UUID,
    now: datetime,
) -> None:
    """Let reversals posted with this reason take an account at most `limit` below its floor; 0 takes it back.

    One account has one such reason. While it is below its floor it can receive and nothing else.
    """
    query = "SELECT * FROM ledger.allow_debt($1, $2, $3, $4, $5, $6, $7)"
    bounded = max(-1, min(limit, AMOUNT_MAX + 1))
    ((code, owed),) = await fetch(
        session, query, book, storable(account), storable(unit), storable(reason), bounded, actor_id, aware(now)
    )
    if code == BookNotFound.code:
        raise BookNotFound(book=book)
    if code == DebtOpen.code:
        raise DebtOpen(account=account, unit=unit, owed=owed)
    if code in _ABOUT_DEBT:
        raise _ABOUT_DEBT[code](account=account, unit=unit)


async def expire(
    session: AsyncSession,
    book: int,
    *,
    reason: str,
    actor_id: UUID | None = None,
    after: Expired | None = None,
    limit: int = 500,
    now: datetime,
) -> list[Expired]:
    """Give back what is left of the holds whose time is over by the book's clock, oldest first.

    Each is a journal under the reference `hold:<id>:expired`. A full page says that there may be more: ask again, with
    the last as `after` if some were refused (an account has reached its ceiling, say); those stay and are tried again.
    """
    query = "SELECT hold_ids, expired_at, codes, journal_ids, details::text[] FROM ledger.expire($1, $2, $3, $4, $5, $6, $7)"
    place: Sequence[object] = (None, None) if after is None else (after.expires_at, after.hold_id)
    ((holds, times, codes, numbers, details),) = await fetch(
        session, query, book, storable(reason), actor_id, *place, limit, aware(now)
    )
    return [
        Expired(UUID(str(hold)), at, judged(book, f"hold:{hold}:expired", code, number, detail))
        for hold, at, code, number, detail in zip(holds, times, codes, numbers, details, strict=True)
    ]
