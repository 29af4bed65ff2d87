"""Proves a book by computing everything again from its transfers.

Each query is one statement, so it sees one moment of the book and may run beside the posters. Each aggregates or walks
in the database and returns, for every kind of fault, the first bad row.
"""

from sqlalchemy.ext.asyncio import AsyncSession

from ledger.driver import fetch
from ledger.verify import balances, entries, lots
from ledger.verify.kinds import Fault

__all__ = ["Fault", "verify"]


async def verify(session: AsyncSession, book: int | None = None, *, since: int = 0) -> list[Fault]:
    """Recompute one book, or all of them; an empty list means that nothing is wrong. Needs only to read.

    With `since`, the last number of a journal of one book, what was posted after it is proved, on the balances that stood
    there: the rows up to it are what a seal closed, and were proved before. The accounts, keys, escrow and the head are
    looked at in any case.
    """
    if since and book is None:
        message = "A number means something in one book."
        raise ValueError(message)
    faults: list[Fault] = []
    for query in (*balances.CHECKS, *entries.CHECKS, *lots.CHECKS):
        values = (book, since) if "$2" in query else (book,)
        faults += [Fault(*row) for row in await fetch(session, query, *values)]
    return faults
