"""The wire between us and the database is cut, slowed or goes dead at every place where it can: each journal stands once.

Two kinds of callers: those at the group poster's door, who are not told of cuts at all, and those with a transaction of their
own, who send the same reference again. The proxy decides by the number of the request; the server itself stays well.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable

import pytest

import ledger
from ledger import Journal, Leg, Limits, OutcomeUnknown, Posted
from service.kit.db import is_connection_trouble
from tests.db import Database, Sessions, open_engine, sessions_of
from tests.ledger.cast import BOOK, NOW, issue, journal, post
from tests.ledger.door import books, door
from tests.proxy import Fault, Proxy, standing_before

pytestmark = pytest.mark.slow

CALLERS, EACH = 8, 5
PAUSES = tuple([0.01] * 20)
Post = Callable[[Journal], Awaitable[Posted]]


def gift(caller: int, number: int) -> Journal:
    return journal(f"{caller} {number}", Leg("li", "chen", "point", 1), Leg("issued", "bakery", "point", 1))


async def insist(sessions: Sessions, asked: Journal) -> Posted:
    """What any caller does who is cut off: the same again."""
    while True:
        try:
            async with sessions.begin() as session:
                return await ledger.post(session, BOOK, asked, now=NOW)
        except Exception as problem:
            if not is_connection_trouble(problem):
                raise
            await asyncio.sleep(0.005)


async def everybody(post_one: Post) -> list[Posted]:
    """All callers at once, each with one journal after the other."""

    async def call(caller: int) -> list[Posted]:
        return [await post_one(gift(caller, number)) for number in range(EACH)]

    return [told for mine in await asyncio.gather(*(call(caller) for caller in range(CALLERS))) for told in mine]


@pytest.fixture
async def straight(fresh_sessions: Sessions, fresh_book: int) -> Sessions:
    """Past the proxy, to look at what really happened."""
    await post(fresh_sessions, issue("start", amount=1000))
    return fresh_sessions


async def once(straight: Sessions, told: list[Posted]) -> None:
    """Everybody was told, each of a journal of their own, and the books hold each of them once."""
    assert len({posted.journal_id for posted in told}) == len(told) == CALLERS * EACH
    assert await books(straight) == (1000 - len(told), len(told))
    async with straight.begin() as session:
        assert await ledger.balance(session, BOOK, "bakery", "point") == len(told)


def every(nth: int, *faults: Fault) -> Callable[[int], Fault | None]:
    """Every n-th request has a fault, one kind after the other; the first few have none, so that there is a start."""
    return lambda number: faults[number // nth % len(faults)] if number > 3 and number % nth == 0 else None


def reached(proxy: Proxy, database: Database, *, patience_seconds: float = 5):
    url = proxy.url("linli_app", database.name).replace("?sslmode=disable", "?ssl=disable")
    # As the service's own connections, but in a hurry: the server lets go of a head whose holder is not heard of any more.
    settings = {"idle_in_transaction_session_timeout": "300ms"}
    waits = {"command_timeout": patience_seconds, "timeout": 5, "server_settings": settings}
    return open_engine(url, pool_size=6, connect_args=waits)


@pytest.mark.parametrize("fault", [each for each in Fault if each is not Fault.HALF_OPEN])
@pytest.mark.parametrize("way", ["door", "alone"])
async def test_each_journal_stands_once(straight: Sessions, fresh_database: Database, fault: Fault, way: str):
    async with (
        standing_before(fresh_database.socket, fault=every(7, fault)) as proxy,
        reached(proxy, fresh_database) as engine,
    ):
        sessions = sessions_of(engine)
        poster = door(sessions, Limits(journals=4, pauses=PAUSES))
        alone: Post = lambda asked: insist(sessions, asked)  # noqa: E731
        at_the_door: Post = lambda asked: poster.post(BOOK, asked, now=NOW)  # noqa: E731
        told = await everybody(at_the_door if way == "door" else alone)
        await poster.close()

    assert proxy.met[fault] >= 2
    await once(straight, told)
    if fault is Fault.CUT_AFTER:
        assert any(posted.replayed for posted in told)  # it had been posted, and nobody was told


@pytest.mark.parametrize("way", ["door", "alone"])
async def test_a_line_that_goes_dead_is_given_up(straight: Sessions, fresh_database: Database, way: str):
    async with (
        standing_before(fresh_database.socket, fault=every(9 if way == "door" else 23, Fault.HALF_OPEN)) as proxy,
        reached(proxy, fresh_database, patience_seconds=0.3) as engine,
    ):
        sessions = sessions_of(engine)
        poster = door(sessions, Limits(journals=4, pauses=PAUSES))
        alone: Post = lambda asked: insist(sessions, asked)  # noqa: E731
        at_the_door: Post = lambda asked: poster.post(BOOK, asked, now=NOW)  # noqa: E731
        told = await everybody(at_the_door if way == "door" else alone)
        await poster.close()

    assert proxy.met[Fault.HALF_OPEN] >= 1
    await once(straight, told)


async def test_everything_at_once_by_chance(straight: Sessions, fresh_database: Database):
    chance = random.Random(7)
    faults = [Fault.CUT_BEFORE, Fault.CUT_AFTER, Fault.CUT_AMID, Fault.DELAYED, Fault.DELAYED]

    def by_chance(_: int) -> Fault | None:
        return chance.choice(faults) if chance.random() < 0.2 else None

    async with (
        standing_before(fresh_database.socket, fault=by_chance) as proxy,
        reached(proxy, fresh_database) as engine,
    ):
        sessions = sessions_of(engine)
        poster = door(sessions, Limits(journals=4, pauses=PAUSES))

        async def either(asked: Journal) -> Posted:
            if asked.reference.endswith(("1", "3", "5")):
                return await insist(sessions, asked)
            return await poster.post(BOOK, asked, now=NOW)

        told = await everybody(either)
        await poster.close()

    assert sum(proxy.met.values()) > 10
    await once(straight, told)


async def test_who_is_told_that_the_outcome_is_unknown_learns_it_by_asking_again(
    straight: Sessions, fresh_database: Database
):
    cut = [True]
    async with (
        standing_before(fresh_database.socket, fault=lambda _: Fault.CUT_AFTER if cut[0] else None) as proxy,
        reached(proxy, fresh_database) as engine,
    ):
        cut[0] = False
        poster = door(sessions_of(engine), Limits(pauses=()))
        await poster.post(BOOK, gift(0, 1), now=NOW)  # whatever a new connection asks is asked now
        cut[0] = True
        with pytest.raises(OutcomeUnknown):
            await poster.post(BOOK, gift(0, 0), now=NOW)
        cut[0] = False
        told = await poster.post(BOOK, gift(0, 0), now=NOW)
        await poster.close()

    assert told.replayed
    assert await books(straight) == (998, 2)
