"""Many callers at once. Each race stands beside its control, in which the lock is taken out and the harm is done.

The callers are made to meet: somebody holds a row that all of them must write, until all of them stand waiting. Without
the head's lock every one of them has looked before the first has written; with it, one has, and the others have not.
"""

import asyncio
from collections.abc import Awaitable, Callable

import asyncpg
import pytest

import ledger
from ledger import Capture, Hold, Journal, LedgerRefusal, Leg, Posted
from tests.db import Database, Sessions, open_engine, sessions_of
from tests.ledger import cast
from tests.ledger.cast import BOOK, LANES, NOW, connected, hold_id, issue, journal, post, waiting

CALLERS = 40
Verdict = Posted | LedgerRefusal
Meet = Callable[[str, list[Journal]], Awaitable[list[Verdict]]]


@pytest.fixture(params=["alone", "in a batch"])
async def meet(fresh_database: Database, fresh_book: int, request: pytest.FixtureRequest) -> Meet:
    """Posts each journal from a connection of its own, all of them at the same moment: by itself, or with another beside it."""

    async def run(row: str, journals: list[Journal]) -> list[Verdict]:
        async with (
            open_engine(fresh_database.app_url, pool_size=len(journals)) as engine,
            connected(fresh_database.superuser_url) as gate,
            connected(fresh_database.superuser_url) as watch,
        ):

            async def call(number: int, asked: Journal) -> Verdict:
                beside = [] if request.param == "alone" else [issue(f"beside {number}", account="chen")]
                async with sessions_of(engine).begin() as session:
                    return (await ledger.post_many(session, fresh_book, [asked, *beside], now=NOW))[0]

            opened = gate.transaction()
            await opened.start()
            await gate.execute("SELECT 1 FROM ledger.account WHERE code = $1 AND unit = 'point' FOR UPDATE", row)
            calls = [asyncio.create_task(call(number, asked)) for number, asked in enumerate(journals)]
            await waiting(watch, len(journals))
            await opened.rollback()
            return await asyncio.gather(*calls)

    return run


async def take_out_the_lock(database: Database) -> None:
    """The control: the head is read and not locked, and no key stands behind it."""
    async with connected(database.superuser_url) as connection:
        for lane in LANES:
            source = await connection.fetchval("SELECT pg_get_functiondef($1::text::regproc)", f"ledger.{lane}")
            assert source.count("FOR NO KEY UPDATE") == 1
            await connection.execute(source.replace("FOR NO KEY UPDATE", ""))
        await connection.execute(
            "DROP INDEX ledger.uq_transfer_reference; ALTER TABLE ledger.transfer DROP CONSTRAINT pk_transfer"
        )


async def faults(sessions: Sessions) -> set[str]:
    async with sessions.begin() as session:
        return {fault.kind for fault in await ledger.verify(session)}


async def test_a_reference_posts_once_however_many_send_it(meet: Meet, fresh_sessions: Sessions):
    verdicts = await meet("issued", [issue("shift 1", amount=5)] * CALLERS)

    assert sorted(verdicts, key=str) == [Posted(1, replayed=False)] + [Posted(1, replayed=True)] * (CALLERS - 1)
    async with fresh_sessions.begin() as session:
        assert await ledger.balance(session, BOOK, "li", "point") == 5
    assert await faults(fresh_sessions) == set()


async def test_without_the_lock_it_posts_many_times(meet: Meet, fresh_database: Database, fresh_sessions: Sessions):
    await take_out_the_lock(fresh_database)

    verdicts = await meet("issued", [issue("shift 1", amount=5)] * CALLERS)

    assert verdicts.count(Posted(1, replayed=False)) == CALLERS
    assert {"key", "sequence", "running_balance", "account_balance"} <= await faults(fresh_sessions)


async def test_a_floor_holds_however_many_spend(meet: Meet, fresh_sessions: Sessions):
    await post(fresh_sessions, issue("start", amount=100))

    verdicts = await meet("bakery", [journal(f"buy {n}", Leg("li", "bakery", "point", 40)) for n in range(10)])

    assert sum(isinstance(verdict, Posted) for verdict in verdicts) == 2
    refused = [verdict for verdict in verdicts if isinstance(verdict, ledger.InsufficientBalance)]
    assert [verdict.available for verdict in refused] == [20] * 8
    assert await faults(fresh_sessions) == set()


async def test_without_the_lock_more_is_spent_than_there_was(
    meet: Meet, fresh_database: Database, fresh_sessions: Sessions
):
    await post(fresh_sessions, issue("start", amount=100))
    await take_out_the_lock(fresh_database)

    verdicts = await meet("bakery", [journal(f"buy {n}", Leg("li", "bakery", "point", 40)) for n in range(10)])

    assert sum(isinstance(verdict, Posted) for verdict in verdicts) == 10
    assert "running_balance" in await faults(fresh_sessions)


async def test_a_hold_is_captured_once_however_many_try(meet: Meet, fresh_sessions: Sessions):
    await post(fresh_sessions, issue("start"), journal("hold", Hold(hold_id(1), "li", "point", 50)))

    verdicts = await meet("bakery", [journal(f"use {n}", Capture(hold_id(1), "bakery", 50)) for n in range(10)])

    assert sum(isinstance(verdict, Posted) for verdict in verdicts) == 1
    assert sum(isinstance(verdict, ledger.HoldClosed) for verdict in verdicts) == 9
    assert await faults(fresh_sessions) == set()


async def test_two_accounts_hammered_from_both_sides_come_out_as_they_were(fresh_sessions: Sessions, fresh_book: int):
    await post(fresh_sessions, issue("li", amount=500), issue("chen", account="chen", amount=500))

    async def hammer(caller: int) -> None:
        way = ("li", "chen") if caller % 2 else ("chen", "li")
        for turn in range(10):
            # Two steps in opposite order: where each account is locked by itself, this is a deadlock.
            steps = (Leg(*way, "point", 3), Leg("issued", way[1], "point", 1), Leg(way[1], "issued", "point", 1))
            await post(fresh_sessions, journal(f"{caller} {turn}", *steps))

    await asyncio.gather(*(hammer(caller) for caller in range(16)))

    async with fresh_sessions.begin() as session:
        assert await ledger.balances(session, BOOK, [("li", "point"), ("chen", "point")]) == {
            ("li", "point"): 500,
            ("chen", "point"): 500,
        }
    assert await faults(fresh_sessions) == set()


async def test_batches_in_opposite_order_do_not_deadlock(fresh_sessions: Sessions, fresh_book: int):
    async with fresh_sessions.begin() as session:
        specs = [ledger.AccountSpec(f"member:{n}", "point", floor=None) for n in range(30)]
        await ledger.open_accounts(session, BOOK, specs, now=NOW)

    async def batch(caller: int) -> None:
        order = range(29) if caller % 2 else reversed(range(29))
        asked = [journal(f"{caller} {n}", Leg(f"member:{n}", f"member:{n + 1}", "point", 1)) for n in order]
        async with fresh_sessions.begin() as session:
            verdicts = await ledger.post_many(session, BOOK, asked, now=NOW)
            assert all(isinstance(verdict, Posted) for verdict in verdicts)

    await asyncio.gather(*(batch(caller) for caller in range(20)))
    assert await faults(fresh_sessions) == set()


async def test_accounts_opened_in_opposite_order_by_many_are_opened_once(fresh_sessions: Sessions, fresh_book: int):
    specs = [ledger.AccountSpec(f"member:{n}", "point") for n in range(30)]

    async def enrol(caller: int) -> list[int]:
        async with fresh_sessions.begin() as session:
            order = specs if caller % 2 else specs[::-1]
            numbers = await ledger.open_accounts(session, BOOK, order, now=NOW)
            return numbers if caller % 2 else numbers[::-1]

    first, *others = await asyncio.gather(*(enrol(caller) for caller in range(12)))
    assert others == [first] * 11


async def test_numbers_are_given_in_commit_order_and_given_back_by_a_rollback(
    fresh_sessions: Sessions, fresh_book: int, fresh_database: Database
):
    async def call(caller: int) -> None:
        async with fresh_sessions() as session:
            asked = journal(f"{caller}", Leg("issued", "li", "point", 1), Leg("issued", "chen", "point", 1))
            await ledger.post(session, BOOK, asked, now=NOW)
            if caller % 3:
                await session.commit()
            else:
                await session.rollback()

    await asyncio.gather(*(call(caller) for caller in range(30)))

    async with connected(fresh_database.audit_url) as connection:
        rows = await cast.legs(connection)
        assert [row["seq"] for row in rows] == list(range(1, 41))
        assert await connection.fetchval("SELECT seq FROM ledger.book WHERE community_id = $1", BOOK) == 40
    assert await faults(fresh_sessions) == set()


async def test_a_replay_locks_the_head_so_that_its_commit_waits_for_the_standby(
    fresh_sessions: Sessions, fresh_book: int, fresh_database: Database
):
    await post(fresh_sessions, issue("shift 1"))

    async with fresh_sessions.begin() as session, connected(fresh_database.app_url) as other:
        assert await ledger.post(session, BOOK, issue("shift 1"), now=NOW) == Posted(1, replayed=True)
        connection = await session.connection()
        written = await connection.exec_driver_sql("SELECT pg_current_xact_id_if_assigned() IS NOT NULL")
        assert written.scalar_one() is True
        await other.execute("SET lock_timeout = '1ms'")
        with pytest.raises(asyncpg.LockNotAvailableError):
            await other.fetch("SELECT ledger.post(7, 'x', 'y', NULL, NULL, NULL, NULL, now())")


async def test_a_book_does_not_wait_for_another_and_opening_an_account_waits_for_nobody(
    fresh_sessions: Sessions, fresh_book: int
):
    async with fresh_sessions.begin() as session:
        await cast.found(session, BOOK + 1)
    async with fresh_sessions.begin() as busy:
        await ledger.post(busy, BOOK, issue("shift 1"), now=NOW)
        async with fresh_sessions.begin() as session:
            await asyncio.wait_for(ledger.open_account(session, BOOK, "member:9", "point", now=NOW), 5)
            posted = await asyncio.wait_for(ledger.post(session, BOOK + 1, issue("shift 1"), now=NOW), 5)
            assert posted == Posted(1, replayed=False)
