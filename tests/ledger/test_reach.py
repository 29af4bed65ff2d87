"""How far a posting looks: what it reads does not grow with what lies in the book, whenever its plans were made."""

from uuid import UUID

import asyncpg
import pytest

import ledger
from ledger import Capture, Hold, Journal, Leg, Refund, Release
from tests.db import Database, Sessions, open_engine, sessions_of
from tests.ledger.cast import BOOK, NOW, ZHAO, connected, issue, journal

MANY = 3_000
READ = "SELECT coalesce(idx_tup_fetch, 0) + coalesce(seq_tup_read, 0) FROM pg_stat_user_tables WHERE relid = $1::text::regclass"
AT_MOST = 20


def hold(number: int) -> Journal:
    return journal(f"hold {number}", Hold(UUID(int=number), "li", "point", 5))


async def read(connection: asyncpg.Connection) -> dict[str, int]:
    tables = ("hold", "hold_lot", "lot", "lot_move", "account", "transfer", "book")
    return {table: await connection.fetchval(READ, f"ledger.{table}") for table in tables}


@pytest.mark.usefixtures("fresh_book")
@pytest.mark.parametrize("lots", [False, True], ids=["plain", "expiring"])
async def test_a_step_reads_as_little_among_thousands_as_among_three(
    fresh_database: Database, fresh_sessions: Sessions, lots: bool
):
    """The session made its plans when the tables were empty, as one does that serves a new community for a year."""
    async with fresh_sessions.begin() as session:
        if lots:
            policy = ledger.ExpiryPolicy("bakery", ledger.ExpiryRule.YEAR)
            await ledger.set_expiry(session, BOOK, "point", policy, actor_id=ZHAO, now=NOW)
    async with (
        open_engine(fresh_database.app_url, pool_size=1) as engine,
        connected(fresh_database.superuser_url) as watch,
    ):

        async def post(*journals: Journal) -> None:
            async with sessions_of(engine).begin() as session:
                for verdict in await ledger.post_many(session, BOOK, journals, now=NOW):
                    assert isinstance(verdict, ledger.Posted), verdict
                await (await session.connection()).exec_driver_sql("SELECT pg_stat_force_next_flush()")

        async def acts(number: int) -> None:
            own = UUID(int=number)
            await post(hold(number))
            await post(journal(f"use {number}", Capture(own, "bakery", 2)))
            await post(journal(f"back {number}", Refund(own, "bakery", 1)))
            await post(journal(f"rest {number}", Release(own, 1)))
            await post(journal(f"plain {number}", Leg("li", "bakery", "point", 1)))
            await post(*(journal(f"{n} of {number}", Leg("li", "bakery", "point", 1)) for n in range(2)))
            await post(journal(f"again {number}", Leg("bakery", "li", "point", 1)))
            async with sessions_of(engine).begin() as session:
                for original in (f"plain {number}", f"again {number}"):
                    await ledger.reverse(
                        session,
                        BOOK,
                        reference=f"undo {original}",
                        original=original,
                        reason="undo",
                        actor_id=ZHAO,
                        now=NOW,
                    )

        await post(issue("start", amount=10**6))
        for number in range(1, 8):
            await acts(number)
        before = await read(watch)
        await acts(8)
        few = {table: after - before[table] for table, after in (await read(watch)).items()}

        await post(*(hold(number) for number in range(100, 100 + MANY)))
        before = await read(watch)
        await acts(9)
        many = {table: after - before[table] for table, after in (await read(watch)).items()}

    assert {table: rows for table, rows in many.items() if rows > few[table] + AT_MOST} == {}
