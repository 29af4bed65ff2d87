"""Nobody's time counts twice, whatever it was served for."""

import asyncio
import json
from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest
import sqlalchemy as sa
from litestar import Litestar
from sqlalchemy.exc import DBAPIError
from sqlmodel.ext.asyncio.session import AsyncSession

from service import records
from service.records import Service, TimeTaken, times
from service.records import actions as recording
from service.records.actions import Credited
from service.records.rules import credited_minutes, split_store
from service.wallet.verify import verify_books
from tests.cast import HERE, START, Client
from tests.db import Database
from tests.ledger.cast import connected
from tests.records.test_record import service_of

pytestmark = pytest.mark.anyio
NOON = START - timedelta(hours=4)


def at(member_id: UUID, starts: int, minutes: int, name: str, **more: object) -> Service:
    """A service some minutes after noon."""
    from_at = NOON + timedelta(minutes=starts)
    until_at = from_at + timedelta(minutes=minutes)
    return service_of(member_id, minutes, name, title=name, served_from_at=from_at, served_until_at=until_at, **more)


async def record(app: Litestar, actor: Client, *services: Service) -> list[Credited]:
    async with app.state.sessions.begin() as session:
        return list(
            await records.record_services(session, community_id=HERE, services=services, actor=actor.actor, now=START)
        )


async def test_the_second_is_told_which_was_first_and_what_only_touches_is_free(
    app: Litestar, chen: Client, sun: Client, zheng: Client
) -> None:
    me = chen.actor.member_id
    await record(app, zheng, at(me, 0, 60, "patrol"))

    with pytest.raises(TimeTaken) as refused:
        await record(app, zheng, at(me, 59, 10, "wish"))
    assert (refused.value.title, refused.value.starts_at) == ("patrol", NOON)
    with pytest.raises(TimeTaken):
        await record(app, zheng, at(me, 100, 30, "one"), at(me, 129, 10, "other"))
    await record(app, zheng, at(me, 60, 10, "after"), at(me, -10, 10, "before"))
    await record(app, zheng, at(sun.actor.member_id, 0, 60, "somebody else"))
    await record(app, zheng, service_of(me, 30, "by hand"), service_of(me, 30, "by hand again"))


async def test_a_corrected_record_frees_its_time_and_verify_looks(app: Litestar, chen: Client, zheng: Client) -> None:
    me = chen.actor.member_id
    (first,) = await record(app, zheng, at(me, 0, 60, "patrol"))
    assert first.record_id is not None
    async with app.state.sessions.begin() as session:
        await records.correct_record(session, actor=zheng.actor, record_id=first.record_id, now=START)

    await record(app, zheng, at(me, 30, 60, "wish"))

    async with app.state.sessions.begin() as session:
        assert await verify_books(session, HERE) == []


async def at_once(app: Litestar, actor: Client, *services: Service) -> list[object]:
    return list(await asyncio.gather(*(record(app, actor, each) for each in services), return_exceptions=True))


async def test_of_two_at_once_one_counts(app: Litestar, chen: Client, zheng: Client) -> None:
    me = chen.actor.member_id

    answers = await at_once(app, zheng, at(me, 0, 60, "patrol"), at(me, 30, 60, "wish"))

    assert sorted(type(answer).__name__ for answer in answers) == ["TimeTaken", "list"]


NO_LOCK = """CREATE OR REPLACE FUNCTION public.service_lock(
    p_book bigint, p_now timestamptz, p_reference text[], p_effects jsonb) RETURNS text[] LANGUAGE sql AS
    'SELECT array_fill(NULL::text, ARRAY[cardinality(p_reference)])'"""


async def both_look_first(app: Litestar, monkeypatch: pytest.MonkeyPatch, me: UUID, zheng: Client) -> list[object]:
    """Two at once who lock nobody before they look, and look before either of them writes."""
    both, looked, looks = asyncio.Barrier(2), times.taken_times, 0

    async def look(session: AsyncSession, community_id: int, spans: object) -> object:
        nonlocal looks
        looks += 1
        found = await looked(session, community_id, spans)  # type: ignore[arg-type] # as it came
        if looks <= 2:
            await both.wait()
        return found

    async def nobody(*_: object) -> None:
        """No lock."""

    monkeypatch.setattr(recording, "lock_people", nobody)
    monkeypatch.setattr(recording, "taken_times", look)
    return await at_once(app, zheng, at(me, 0, 60, "patrol"), at(me, 30, 60, "wish"))


async def test_a_plan_is_judged_again_by_the_function_that_writes_it(
    app: Litestar, chen: Client, zheng: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = await both_look_first(app, monkeypatch, chen.actor.member_id, zheng)

    assert sorted(type(answer).__name__ for answer in answers) == ["TimeTaken", "list"]


async def test_without_the_persons_lock_the_constraint_is_the_last_wall(
    app: Litestar, town_database: Database, chen: Client, zheng: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connected(town_database.owner_url) as owner:
        await owner.execute(NO_LOCK)

    answers = await both_look_first(app, monkeypatch, chen.actor.member_id, zheng)

    # Both look for the other's row, so the server may break a deadlock between them instead: one stands, one falls.
    (broken,) = [answer for answer in answers if isinstance(answer, Exception)]
    cause = broken.orig.__cause__ if isinstance(broken, DBAPIError) and broken.orig else broken
    assert isinstance(cause, (asyncpg.DeadlockDetectedError, asyncpg.ExclusionViolationError)), repr(broken)


@pytest.mark.parametrize("asked", [0, 1, 59, 60, 90, 480, 600])
@pytest.mark.parametrize(
    ("used", "held"), [(0, 0), (420, 420), (479, 0), (480, 480), (600, 7000), (0, 7199), (30, 7300)]
)
async def test_the_function_counts_as_the_rules_do(session: AsyncSession, asked: int, used: int, held: int) -> None:
    """Everything that was credited before stands in the same call, so that nothing else needs to be there."""
    cap, store = 480, 7200
    minutes = credited_minutes(asked, used, cap)
    own, _given = split_store(minutes, held, store)

    async def verdicts(**other: int) -> list[str | None]:
        member = {"member": str(UUID(int=1)), "served_on": "2026-11-22", "account": "a", "cap": cap, "store": 10**6}
        before = {**member, "cap": None, "asked": 0, "minutes": 0, "coins": held, "served_on": "2026-11-21"}
        earlier = {**member, "asked": used, "cap": 10**6, "minutes": used, "coins": 0, "store": 0}
        plan = {**member, "asked": asked, "store": store, "minutes": minutes, "coins": own, **other}
        rows = json.dumps([before, earlier, plan])
        query = sa.text("SELECT service_lock(7, :now, '{a,b,c}', CAST(:rows AS jsonb))")
        return list((await session.execute(query, {"now": START, "rows": rows})).scalar_one())

    assert await verdicts() == [None, None, None]
    assert await verdicts(minutes=minutes + 1) == [None, None, "records.plan_changed"]
    assert await verdicts(coins=own + 1) == [None, None, "records.plan_changed"]


async def test_the_cap_takes_the_minutes_and_leaves_the_reward(
    app: Litestar, chen: Client, zheng: Client, town
) -> None:
    me, sponsor = chen.actor.member_id, town.organisations["sponsor"]
    await record(app, zheng, service_of(me, 480, "a long day"))

    (rewarded, plain) = await record(
        app,
        zheng,
        at(me, 0, 60, "wish", reward_points=5, reward_budget=sponsor),
        at(me, 100, 60, "no reward"),
    )

    assert (rewarded.minutes, rewarded.points_hundredths) == (0, 500)
    assert rewarded.record_id is not None
    assert plain.record_id is None
    async with app.state.sessions.begin() as session:
        assert await records.record_minutes(session, HERE, me) == 480
        assert await verify_books(session, HERE) == []
        await records.correct_record(session, actor=zheng.actor, record_id=rewarded.record_id, now=START)
    async with app.state.sessions.begin() as session:
        assert await verify_books(session, HERE) == []
