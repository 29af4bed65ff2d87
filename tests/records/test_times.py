"""Nobody's time counts twice, whatever it was served for."""

import asyncio
from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest
from litestar import Litestar
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlmodel.ext.asyncio.session import AsyncSession

from service import records
from service.kit.db import broken_constraint
from service.records import Service, TimeTaken, times
from service.records import actions as recording
from service.records.actions import Credited
from service.wallet.verify import verify_books
from tests.cast import HERE, START, Client
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


async def test_without_the_persons_lock_the_constraint_is_the_last_wall(
    app: Litestar, chen: Client, zheng: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    me, both = chen.actor.member_id, asyncio.Barrier(2)
    looked = times.taken_times

    async def look(session: AsyncSession, community_id: int, spans: object) -> object:
        found = await looked(session, community_id, spans)  # type: ignore[arg-type] # as it came
        await both.wait()
        return found

    async def nobody(*_: object) -> None:
        """No lock."""

    monkeypatch.setattr(recording, "lock_people", nobody)
    monkeypatch.setattr(recording, "taken_times", look)

    answers = await at_once(app, zheng, at(me, 0, 60, "patrol"), at(me, 30, 60, "wish"))

    # Both look for the other's row, so the server may break a deadlock between them instead: one stands, one falls.
    (broken,) = [answer for answer in answers if isinstance(answer, DBAPIError)]
    deadlocked = isinstance(broken.orig.__cause__, asyncpg.DeadlockDetectedError) if broken.orig else False
    assert deadlocked or (isinstance(broken, IntegrityError) and broken_constraint(broken) == "ex_service_time_overlap")


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
