"""Many callers at one door: gathered, answered after the commit, and none pays for what happens to another."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

import ledger
from ledger import LedgerRefusal, Leg, Limits, OutcomeUnknown, Posted, TooBusy
from service.kit.db import is_connection_trouble
from tests.db import Database, Sessions, open_engine, sessions_of
from tests.ledger import cast
from tests.ledger.cast import BOOK, connected, issue, journal, post, waiting
from tests.ledger.door import Lossy, answers, asked, books, door, spend


@pytest.fixture
async def engine(fresh_database: Database) -> AsyncIterator[AsyncEngine]:
    """A pool of this test's own, whose connections may be killed."""
    async with open_engine(fresh_database.app_url, pool_size=4) as engine:
        yield engine


@pytest.fixture
def sessions(engine: AsyncEngine, fresh_book: int) -> Sessions:
    return sessions_of(engine)


@asynccontextmanager
async def held_up(database: Database) -> AsyncIterator[asyncpg.Connection]:
    """A batch that moves Li's points gets as far as Li's balance and no further, until the end of the block."""
    async with connected(database.superuser_url) as gate, connected(database.superuser_url) as watch:
        holding = gate.transaction()
        await holding.start()
        await gate.execute(
            "SELECT 1 FROM ledger.account WHERE community_id = $1 AND code = 'li' AND unit = 'point' FOR UPDATE", BOOK
        )
        yield watch
        await holding.rollback()


async def batches(database: Database) -> list[int]:
    """How many journals each transaction posted, in order."""
    async with connected(database.superuser_url) as connection:
        rows = await connection.fetch("SELECT count(reference) FROM ledger.transfer GROUP BY xmin ORDER BY min(seq)")
    return [row[0] for row in rows]


async def test_many_callers_share_few_transactions_and_each_gets_its_own_answer(
    sessions: Sessions, fresh_database: Database
):
    await post(sessions, issue("start", amount=200))
    poster = door(sessions)

    told = await answers(*asked(poster, *(spend(number) for number in range(256))))

    assert sum(isinstance(verdict, Posted) for verdict in told) == 200
    short = [verdict for verdict in told if isinstance(verdict, ledger.InsufficientBalance)]
    assert {verdict.reference for verdict in short} == {f"spend {n}" for n in range(256)} - {
        f"spend {n}" for n, verdict in enumerate(told) if isinstance(verdict, Posted)
    }
    assert await books(sessions) == (0, 200)
    assert len(await batches(fresh_database)) <= 5
    await poster.close()


async def test_a_lone_caller_goes_at_once_and_who_comes_meanwhile_goes_together(
    sessions: Sessions, fresh_database: Database
):
    await post(sessions, issue("start"))
    poster = door(sessions)
    async with held_up(fresh_database) as watch:
        first = asked(poster, spend(0))
        await waiting(watch, 1)
        others = asked(poster, *(spend(number) for number in range(1, 50)))
        await asyncio.sleep(0.05)

    assert all(isinstance(verdict, Posted) for verdict in await answers(*first, *others))
    assert await batches(fresh_database) == [1, 1, 49]


async def test_a_second_poster_comes_when_a_batch_is_full_or_for_another_book(
    sessions: Sessions, fresh_database: Database
):
    async with sessions.begin() as session:
        await cast.found(session, BOOK + 1)
    await post(sessions, issue("start"), issue("start elsewhere"))
    poster = door(sessions, Limits(journals=10))
    async with held_up(fresh_database) as watch:
        first = asked(poster, spend(0))
        await waiting(watch, 1)
        elsewhere = asked(poster, issue("elsewhere"), book=BOOK + 1)
        await answers(*elsewhere)
        assert not first[0].done()
        more = asked(poster, *(spend(number) for number in range(1, 25)))
        await waiting(watch, 2)

    assert all(isinstance(verdict, Posted) for verdict in await answers(*first, *more))
    assert sorted(await batches(fresh_database))[-3:] == [4, 10, 10]


async def test_a_caller_who_leaves_while_waiting_posts_nothing(sessions: Sessions, fresh_database: Database):
    await post(sessions, issue("start"))
    poster = door(sessions)
    async with held_up(fresh_database) as watch:
        first = asked(poster, spend(0))
        await waiting(watch, 1)
        leaving, staying = asked(poster, spend(1), spend(2))
        await asyncio.sleep(0)
        leaving.cancel()

    told = await answers(*first, leaving, staying)
    assert [type(each) for each in told] == [Posted, asyncio.CancelledError, Posted]
    assert await books(sessions) == (998, 2)
    await poster.close()


async def test_a_caller_who_leaves_while_the_batch_is_under_way_spoils_nothing_and_may_ask_what_happened(
    sessions: Sessions, fresh_database: Database
):
    await post(sessions, issue("start"))
    poster = door(sessions)
    async with held_up(fresh_database) as watch:
        tasks = asked(poster, *(spend(number) for number in range(20)))
        await waiting(watch, 1)
        for task in tasks[::2]:
            task.cancel()

    told = await answers(*tasks)
    assert [type(each) for each in told] == [asyncio.CancelledError, Posted] * 10
    assert await books(sessions) == (980, 20)
    again = await answers(*asked(poster, *(spend(number) for number in range(0, 20, 2))))
    assert all(isinstance(verdict, Posted) and verdict.replayed for verdict in again)
    assert await books(sessions) == (980, 20)
    await poster.close()


async def test_a_caller_who_leaves_in_the_moment_of_the_answer_is_no_unheard_error(sessions: Sessions):
    poster = door(sessions)
    unheard: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unheard.append(context))
    (task,) = asked(poster, spend(0))
    while poster._tasks or not task.done():
        await asyncio.sleep(0)
        if not poster._tasks:
            task.cancel()
    await answers(task)
    await poster.close()
    asyncio.get_running_loop().set_exception_handler(None)
    assert unheard == []


async def test_a_connection_that_is_cut_under_a_batch_costs_nobody_anything(
    sessions: Sessions, fresh_database: Database
):
    await post(sessions, issue("start"))
    poster = door(sessions)
    async with held_up(fresh_database) as watch:
        tasks = asked(poster, *(spend(number) for number in range(60)))
        for _ in range(3):
            await waiting(watch, 1)
            # Of this database alone: others of the same server belong to tests that run beside this one.
            mine = "usename = 'linli_app' AND datname = current_database()"
            cut = f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE {mine}"
            await watch.execute(cut)

    assert all(verdict.replayed is False for verdict in await asyncio.gather(*tasks))
    assert await books(sessions) == (940, 60)
    await poster.close()


@pytest.mark.parametrize("losses", [1, 3])
async def test_an_answer_that_was_lost_after_the_commit_is_a_replay(sessions: Sessions, losses: int):
    await post(sessions, issue("start"))
    poster = door(sessions, session=Lossy(sessions, losses))

    told = await answers(*asked(poster, *(spend(number) for number in range(30))))

    assert all(isinstance(verdict, Posted) and verdict.replayed for verdict in told)
    assert await books(sessions) == (970, 30)
    await poster.close()


async def test_who_cannot_be_told_hears_that_the_outcome_is_unknown(sessions: Sessions):
    await post(sessions, issue("start"))
    poster = door(sessions, session=Lossy(sessions, losses=99))

    told = await answers(*asked(poster, *(spend(number) for number in range(3))))

    assert all(isinstance(problem, OutcomeUnknown) and is_connection_trouble(problem) for problem in told)
    assert len({id(problem) for problem in told}) == 3
    assert await books(sessions) == (997, 3)
    await poster.close()


@pytest.mark.parametrize("place", [0, 7, 31])
async def test_one_that_breaks_the_batch_fails_alone(sessions: Sessions, place: int):
    await post(sessions, issue("start"))
    poster = door(sessions)
    asking = [spend(number) for number in range(32)]
    asking[place] = dataclasses.replace(asking[place], actor_id="nobody")  # type: ignore[arg-type]

    told = await answers(*asked(poster, *asking))

    assert isinstance(told.pop(place), Exception)
    assert all(isinstance(verdict, Posted) for verdict in told)
    assert await books(sessions) == (969, 31)
    await poster.close()


async def test_when_too_many_wait_the_next_is_told_so_and_those_who_wait_are_served(
    sessions: Sessions, fresh_database: Database
):
    await post(sessions, issue("start"))
    poster = door(sessions, Limits(journals=4, waiting=20))
    async with held_up(fresh_database) as watch:
        first = asked(poster, spend(0))
        await waiting(watch, 1)
        others = asked(poster, *(spend(number) for number in range(1, 40)))
        told = await answers(*others[19:])
        assert all(isinstance(refusal, TooBusy) for refusal in told)
        assert {str(refusal.reference) for refusal in told if isinstance(refusal, LedgerRefusal)} == {
            f"spend {n}" for n in range(20, 40)
        }

    assert all(isinstance(verdict, Posted) for verdict in await answers(*first, *others[:19]))
    assert await books(sessions) == (980, 20)
    assert isinstance((await answers(*asked(poster, spend(40))))[0], Posted)
    await poster.close()


async def test_a_batch_is_bounded_by_its_steps_too(sessions: Sessions, fresh_database: Database):
    await post(sessions, issue("start"))
    poster = door(sessions, Limits(steps=10))
    async with held_up(fresh_database) as watch:
        first = asked(poster, spend(0))
        await waiting(watch, 1)
        sizes = (4, 6, 1, 30, 1)
        others = asked(
            poster, *(journal(f"many {n}", *[Leg("li", "chen", "point", 1)] * n) for n in sizes[:2]),
            *(journal(f"more {n} {k}", *[Leg("li", "chen", "point", 1)] * n) for k, n in enumerate(sizes[2:])),
        )  # fmt: skip
        await asyncio.sleep(0.05)

    assert all(isinstance(verdict, Posted) for verdict in await answers(*first, *others))
    assert (await batches(fresh_database))[2:] == [2, 1, 1, 1]
    await poster.close()


async def test_closing_answers_everybody_and_takes_nobody_more(sessions: Sessions, fresh_database: Database):
    await post(sessions, issue("start"))
    poster = door(sessions, Limits(journals=4))
    async with held_up(fresh_database) as watch:
        tasks = asked(poster, *(spend(number) for number in range(20)))
        await waiting(watch, 1)
        closing = asyncio.create_task(poster.close())
        await asyncio.sleep(0)
        assert isinstance((await answers(*asked(poster, spend(99))))[0], TooBusy)

    await closing
    assert all(isinstance(verdict, Posted) for verdict in await answers(*tasks))
    assert await books(sessions) == (980, 20)
    await poster.close()


async def test_closing_does_not_wait_for_ever(sessions: Sessions, fresh_database: Database):
    await post(sessions, issue("start"))
    poster = door(sessions, Limits(journals=4, posters=1))
    async with held_up(fresh_database) as watch:
        tasks = asked(poster, *(spend(number) for number in range(6)))
        await waiting(watch, 1)
        await poster.close(patience_seconds=0.05)
        told = await answers(*tasks)

    assert [type(problem) for problem in told] == [OutcomeUnknown] * 4 + [TooBusy] * 2
    assert await books(sessions) in {(1000, 0), (996, 4)}
