"""Everything at once, through the door for many: nothing deadlocks, nothing happens twice, and each hears the truth."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack
from uuid import UUID

import asyncpg
import httpx
import pytest

import ledger
from service.exchange.actions import timed
from service.exchange.actions.door import accepting, through
from service.kit.db import is_connection_trouble, make_engine, make_poster, make_sessions
from tests.cast import KEYRING, Client
from tests.db import Database
from tests.exchange.conftest import SOUP, WALK, Street, code, done
from tests.ledger.door import HURRIED, Lossy

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

HELPERS = ("li", "granny", "chen", "sun", "wang", "zhao", "wei", "tang")
PAYERS = ("zhou", "barber", "wu", "zheng", "qian", "feng", "he", "jiang")


@pytest.fixture
async def crowd(street: Street) -> AsyncIterator[dict[str, Client]]:
    """Sixteen people of one community, with browsers."""
    async with AsyncExitStack() as stack:
        yield {name: await stack.enter_async_context(street.client(name)) for name in (*HELPERS, *PAYERS)}


@pytest.fixture
async def narrow(street: Street, town_database: Database) -> AsyncIterator[None]:
    """The app has four connections and no more: its pool takes eight, and four are in use for as long as the test lasts."""
    state = street.app.state
    engine = make_engine(town_database.app_url, pool_size=8)
    wide = state.engine, state.sessions, state.poster
    state.engine, state.sessions = engine, make_sessions(engine, KEYRING)
    state.poster = make_poster(state.sessions)
    async with AsyncExitStack() as held:
        for _ in range(4):
            await held.enter_async_context(engine.connect())
        yield
        await state.poster.close()
    state.engine, state.sessions, state.poster = wide
    await engine.dispose()


async def sixty_four(street: Street, crowd: dict[str, Client]) -> list[tuple[str, str, str]]:
    """Each of eight offers is asked for by each of eight payers: the exchange, its owner, its payer."""
    made = []
    for name in PAYERS:
        await street.give(name, 8 * 30)
    for owner in HELPERS:
        put_up = await done(crowd[owner].post("/api/exchange/listings", json=SOUP))
        listing = put_up.json()["listing_id"]
        made += [(await street.answered(listing, crowd[payer]), owner, payer) for payer in PAYERS]
    return made


async def at_once(*asked: Awaitable[httpx.Response]) -> list[httpx.Response]:
    """All of them, and their answers in order; nobody waits for longer than a person would."""
    async with asyncio.timeout(30):
        return list(await asyncio.gather(*asked))


@pytest.mark.usefixtures("narrow")
async def test_sixty_four_at_once_with_four_connections(street: Street, crowd: dict[str, Client]) -> None:
    made = await sixty_four(street, crowd)

    accepted = await at_once(*(crowd[owner].post(f"/api/exchange/{one}/accept") for one, owner, _ in made))
    assert Counter(map(code, accepted)) == {"ok": 64}
    assert await street.aside() == 64 * 30
    # Half of them twice at once: the payer's finger slips.
    twice = [(one, payer) for number, (one, _, payer) in enumerate(made) for _ in range(1 + number % 2)]
    confirmed = await at_once(*(crowd[payer].post(f"/api/exchange/{one}/confirm") for one, payer in twice))

    assert Counter(map(code, confirmed)) == {"ok": 96}
    assert [await street.has(name) for name in (*HELPERS, *PAYERS)] == [8 * 30] * 8 + [0] * 8
    assert await street.is_whole()


@pytest.mark.usefixtures("narrow")
async def test_with_a_session_open_at_the_door_they_would_wait_for_each_other_for_ever(
    street: Street, crowd: dict[str, Client]
) -> None:
    """What the test before this proves that no handler does."""
    made = await sixty_four(street, crowd)
    state = street.app.state

    async def wrongly(exchange_id: str, owner: str) -> None:
        async with state.sessions.begin() as session:
            actor = street.town.actors[owner]
            asked = await accepting(session, actor=actor, exchange_id=UUID(exchange_id), now=street.clock())
            await asyncio.sleep(0.05)
            await through(state.poster.post, asked, now=street.clock())

    tasks = [asyncio.create_task(wrongly(one, owner)) for one, owner, _ in made]
    _, waiting = await asyncio.wait(tasks, timeout=3)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

    assert len(waiting) > 32
    assert await street.aside() < 64 * 30


async def test_two_answers_to_one_request_accepted_at_once_one_is_taken(
    street: Street, crowd: dict[str, Client]
) -> None:
    await street.give("li", 10 * 60)
    for _ in range(10):
        put_up = await done(crowd["li"].post("/api/exchange/listings", json=WALK))
        answers = [await street.answered(put_up.json()["listing_id"], crowd[name]) for name in ("chen", "sun", "wang")]

        told = await at_once(*(crowd["li"].post(f"/api/exchange/{one}/accept") for one in answers))

        codes = Counter(map(code, told))
        assert codes["ok"] == 1
        assert set(codes) <= {"ok", "exchange.moved_on", "exchange.listing_closed"}
        assert Counter([await street.state(one) for one in answers]) == {"accepted": 1, "declined": 2}
    assert (await street.has("li"), await street.aside(), await street.is_whole()) == (0, 600, True)


async def test_the_last_minutes_are_spent_once(street: Street, crowd: dict[str, Client]) -> None:
    for _ in range(8):
        await street.give("li", 30)
        offers = [await street.asked(crowd[name], crowd["li"], SOUP) for name in ("chen", "sun")]

        told = await at_once(
            *(
                crowd[name].post(f"/api/exchange/{one}/accept")
                for name, one in zip(("chen", "sun"), offers, strict=True)
            )
        )

        assert sorted(map(code, told)) == ["exchange.their_not_enough", "ok"]
        assert await street.has("li") == 0
        for name, one in zip(("chen", "sun"), offers, strict=True):
            await crowd[name].post(f"/api/exchange/{one}/decline")
    assert await street.is_whole()


async def test_sixteen_at_once_do_not_pass_the_limit_of_a_pair(street: Street, crowd: dict[str, Client]) -> None:
    li, chen = crowd["li"], crowd["chen"]
    await street.give("li", 1000)
    await street.give("chen", 1000)
    made = [(chen, await street.asked(chen, li, SOUP | {"minutes": 60})) for _ in range(8)]
    made += [(li, await street.asked(li, chen, SOUP | {"minutes": 60})) for _ in range(8)]

    told = await at_once(*(owner.post(f"/api/exchange/{one}/accept") for owner, one in made))

    assert Counter(map(code, told)) == {"ok": 10, "exchange.over_pair": 6}
    assert (await street.aside(), await street.is_whole()) == (600, True)


async def test_confirming_meets_the_timed_work_and_is_paid_once(street: Street, crowd: dict[str, Client]) -> None:
    await street.give("li", 8 * 30)
    made = [await street.accepted(crowd["chen"], crowd["li"], SOUP) for _ in range(8)]
    for one in made:
        await done(crowd["chen"].post(f"/api/exchange/{one}/finish"))
    street.clock.move(days=8)

    async def work() -> None:
        async with street.app.state.sessions.begin() as session:
            await timed.settle_due(session, street.clock())

    confirming = at_once(*(crowd["li"].post(f"/api/exchange/{one}/confirm") for one in made))
    told, *_ = await asyncio.gather(confirming, work(), work())

    assert Counter(map(code, told)) == {"ok": 8}
    assert (await street.has("chen"), await street.aside(), await street.is_whole()) == (8 * 30, 0, True)


async def test_an_answer_that_was_lost_after_the_commit_is_still_an_answer(
    street: Street, crowd: dict[str, Client]
) -> None:
    made = await sixty_four(street, crowd)
    state = street.app.state
    state.poster = ledger.GroupPoster(Lossy(state.sessions, 3), is_connection_trouble, HURRIED)

    told = await at_once(*(crowd[owner].post(f"/api/exchange/{one}/accept") for one, owner, _ in made))

    assert Counter(map(code, told)) == {"ok": 64}
    assert (await street.aside(), await street.is_whole()) == (64 * 30, True)


async def test_a_connection_killed_under_a_batch(
    street: Street, crowd: dict[str, Client], town_database: Database
) -> None:
    """The head is held by somebody else, so batches stand before it; their servers are killed, again and again."""
    made = await sixty_four(street, crowd)
    root = await asyncpg.connect(town_database.superuser_url)
    blocking = await asyncpg.connect(town_database.superuser_url)
    transaction = blocking.transaction()
    await transaction.start()
    await blocking.execute("SELECT FROM ledger.book FOR UPDATE")

    async def kill() -> int:
        killed = 0
        for _ in range(100):
            await asyncio.sleep(0.02)
            killed += await root.fetchval(
                "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE datname = current_database() AND query LIKE '%post_with%' AND wait_event_type = 'Lock'"
            )
            if killed >= 3:
                break
        await transaction.rollback()
        return killed

    batch = at_once(*(crowd[owner].post(f"/api/exchange/{one}/accept") for one, owner, _ in made))
    answers, killed = await asyncio.gather(batch, kill())
    await root.close()
    await blocking.close()

    assert killed >= 3
    assert Counter(map(code, answers)) == {"ok": 64}
    assert (await street.aside(), await street.is_whole()) == (64 * 30, True)
