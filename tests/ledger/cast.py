"""A small book to test with, and the steps that many tests take."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
from sqlmodel.ext.asyncio.session import AsyncSession

import ledger
from ledger import AccountSpec, Journal, Leg, Posted, Step
from tests.db import Sessions

NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
LATER = NOW + timedelta(days=2)
BOOK = 7
ZHAO = UUID("0195d000-0000-7000-8000-00000000a001")
LI = UUID("0195d000-0000-7000-8000-00000000a002")

LANES = ("post_batch", "post_plain", "post_captures", "post_plain_batch")
"""The functions that take the head: the core, and what is tried before it."""

ACCOUNTS = (
    AccountSpec("issued", "point", floor=None),
    AccountSpec("issued", "minute", floor=None),
    AccountSpec("escrow", "point"),
    AccountSpec("escrow", "minute"),
    AccountSpec("li", "point"),
    AccountSpec("li", "minute"),
    AccountSpec("chen", "point"),
    AccountSpec("chen", "minute"),
    AccountSpec("bakery", "point", floor=None),
    AccountSpec("jar", "point", ceiling=100),
    AccountSpec("gone", "point"),
)


def hold_id(number: int) -> UUID:
    return UUID(int=0x0195D000_0000_7000_8000_000000000000 + number)


def journal(reference: str, *steps: Step, reason: str = "service", effective_at: datetime | None = None) -> Journal:
    return Journal(reference, reason, steps, ZHAO, LI, effective_at)


def issue(reference: str, account: str = "li", amount: int = 1000, unit: str = "point") -> Journal:
    return journal(reference, Leg("issued", account, unit, amount))


async def found(session: AsyncSession, book: int = BOOK) -> None:
    """Open the book with its accounts; the one called gone is closed."""
    await ledger.open_book(session, book, now=NOW)
    await ledger.open_accounts(session, book, ACCOUNTS, now=NOW)
    await ledger.close_account(session, book, "gone", "point", now=NOW)


async def post(sessions: Sessions, *journals: Journal, book: int = BOOK, now: datetime = NOW) -> list[Posted]:
    """Post journals one by one, each in a transaction of its own."""
    done = []
    for each in journals:
        async with sessions.begin() as session:
            done.append(await ledger.post(session, book, each, now=now))
    return done


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def execute(url: str, *statements: str) -> None:
    async with connected(url) as connection:
        for statement in statements:
            await connection.execute(statement)


async def waiting(connection: asyncpg.Connection, count: int) -> None:
    """Return as soon as so many others wait for a lock in this database."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    while await connection.fetchval(query) < count:
        pass


async def legs(connection: asyncpg.Connection) -> Sequence[asyncpg.Record]:
    rows: Sequence[asyncpg.Record] = await connection.fetch("SELECT * FROM ledger.transfer ORDER BY community_id, seq")
    return rows
