"""An account's floor and ceiling, given anew."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from ledger.arrays import storable
from ledger.driver import fetch
from ledger.journal import BIGINT_MAX, aware
from ledger.refusals import (
    AccountClosed,
    AccountMalformed,
    AccountNotFound,
    AccountRefusal,
    BookNotFound,
)


@dataclass(eq=False, kw_only=True)
class BoundsPassed(AccountRefusal):
    """The account holds less than the new floor or more than the new ceiling."""

    code = "ledger.bounds_passed"


_QUERY = "SELECT ledger.bound_account($1, $2, $3, $4, $5, $6)"
_REFUSALS: dict[str, type[AccountRefusal]] = {
    each.code: each for each in (AccountNotFound, AccountClosed, AccountMalformed, BoundsPassed)
}


async def bound_account(
    session: AsyncSession, book: int, code: str, unit: str, *, floor: int | None, ceiling: int | None, now: datetime
) -> None:
    """Give an open account another floor and ceiling; the same again changes nothing. None is no bound.

    What the account holds must lie between them. Locks the book's head, so it comes last, beside the posting.
    """
    asked = [None if bound is None else max(-BIGINT_MAX, min(bound, BIGINT_MAX)) for bound in (floor, ceiling)]
    ((verdict,),) = await fetch(session, _QUERY, book, storable(code), storable(unit), *asked, aware(now))
    if verdict == BookNotFound.code:
        raise BookNotFound(book=book)
    if verdict in _REFUSALS:
        raise _REFUSALS[verdict](account=code, unit=unit)
