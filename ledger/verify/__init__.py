"""Proves a book by computing everything again from its transfers.

Each query is one statement, so it sees one moment of the book and may run beside the posters. Each aggregates or walks
in the database and returns, for every kind of fault, the first bad row.
"""

from sqlalchemy.ext.asyncio import AsyncSession

from ledger.driver import fetch
from ledger.verify import balances, entries
from ledger.verify.kinds import Fault

__all__ = ["Fault", "verify"]


async def verify(session: AsyncSession, book: int | None = None) -> list[Fault]:
    """Recompute one book, or all of them; an empty list means that nothing is wrong. Needs only to read."""
    faults: list[Fault] = []
    for query in (*balances.CHECKS, *entries.CHECKS):
        faults += [Fault(*row) for row in await fetch(session, query, book)]
    return faults
