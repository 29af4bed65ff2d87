"""What a confirmed service brings: the record, the minutes and the points, together or not at all."""

import asyncio
from datetime import date
from uuid import UUID

import pytest
from litestar import Litestar

import ledger
from service import chart, records
from service.records import RecordKind, Service, ServiceClass
from tests.cast import HERE, SPONSOR_POINTS, START, Client, Town

pytestmark = pytest.mark.anyio
DAY = date(2026, 11, 22)


def service_of(member_id: UUID, minutes: int = 90, reference: str = "test:1", **more: object) -> Service:
    fields: dict[str, object] = {
        "member_id": member_id,
        "minutes": minutes,
        "kind": RecordKind.CREDITED,
        "service_class": ServiceClass.CARE,
        "title": "陪诊",
        "source": "test:1",
        "reference": reference,
        "served_on": DAY,
    }
    return Service(**(fields | more))  # type: ignore[arg-type] # named above


async def record(app: Litestar, *services: Service, actor: Client) -> list[int]:
    async with app.state.sessions.begin() as session:
        done = await records.record_services(
            session, community_id=HERE, services=services, actor=actor.actor, now=START
        )
        return [item.minutes for item in done]


async def held(app: Litestar, member_id: UUID) -> tuple[int, int, int]:
    """Record minutes, coins, hundredths of points."""
    async with app.state.sessions.begin() as session:
        account = chart.member(member_id)
        minutes = await records.record_minutes(session, HERE, member_id)
        coins = await ledger.balance(session, HERE, account, chart.MINUTE)
        return minutes, coins, await ledger.balance(session, HERE, account, chart.POINT)


async def test_ninety_minutes_of_care_bring_two_and_a_quarter_points(
    app: Litestar, chen: Client, zheng: Client
) -> None:
    await record(app, service_of(chen.actor.member_id), actor=zheng)

    assert await held(app, chen.actor.member_id) == (90, 90, 225)


async def test_the_day_has_eight_hours_whatever_they_come_from(app: Litestar, chen: Client, zheng: Client) -> None:
    first = service_of(chen.actor.member_id, 300, "test:1")
    second = service_of(chen.actor.member_id, 300, "test:2")
    third = service_of(chen.actor.member_id, 60, "test:3")

    assert await record(app, first, second, actor=zheng) == [300, 180]
    assert await record(app, third, actor=zheng) == [0]
    assert (await held(app, chen.actor.member_id))[0] == 480


async def test_two_approvals_at_once_share_one_cap(app: Litestar, chen: Client, zheng: Client) -> None:
    works = [record(app, service_of(chen.actor.member_id, 300, f"test:{n}"), actor=zheng) for n in range(4)]

    done = await asyncio.gather(*works)

    assert sorted(minutes for each in done for minutes in each) == [0, 0, 180, 300]
    assert (await held(app, chen.actor.member_id))[:2] == (480, 480)


async def test_honorary_hours_are_recorded_and_earn_nothing(app: Litestar, chen: Client, zheng: Client) -> None:
    await record(app, service_of(chen.actor.member_id, kind=RecordKind.HONORARY), actor=zheng)

    assert await held(app, chen.actor.member_id) == (90, 0, 0)


async def test_a_reward_comes_out_of_the_sponsors_budget(
    app: Litestar, town: Town, chen: Client, zheng: Client
) -> None:
    sponsor = town.organisations["sponsor"]
    await record(app, service_of(chen.actor.member_id, reward_points=20, reward_budget=sponsor), actor=zheng)

    assert await held(app, chen.actor.member_id) == (90, 90, 2225)
    async with app.state.sessions.begin() as session:
        left = await ledger.balance(session, HERE, chart.budget(sponsor), chart.POINT)
    assert left == SPONSOR_POINTS - 2000


async def test_when_the_ledger_refuses_nothing_is_recorded(
    app: Litestar, town: Town, chen: Client, zheng: Client
) -> None:
    empty = town.organisations["bakery"]

    with pytest.raises(ledger.InsufficientBalance):
        await record(app, service_of(chen.actor.member_id, reward_points=20, reward_budget=empty), actor=zheng)

    assert await held(app, chen.actor.member_id) == (0, 0, 0)


async def test_a_correction_is_the_exact_opposite_and_comes_once(app: Litestar, chen: Client, zheng: Client) -> None:
    await record(app, service_of(chen.actor.member_id), actor=zheng)
    async with app.state.sessions.begin() as session:
        line = (await records.record_lines(session, HERE, chen.actor.member_id)).rows[0]
    async with app.state.sessions.begin() as session:
        await records.correct_record(session, actor=zheng.actor, record_id=line.record_id, now=START)

    assert await held(app, chen.actor.member_id) == (0, 0, 0)
    with pytest.raises(records.RecordAlreadyCorrected):
        async with app.state.sessions.begin() as session:
            await records.correct_record(session, actor=zheng.actor, record_id=line.record_id, now=START)
    async with app.state.sessions.begin() as session:
        assert await ledger.verify(session, HERE) == []
        assert len((await records.record_lines(session, HERE, chen.actor.member_id)).rows) == 2


async def test_another_community_has_no_such_record(
    app: Litestar, chen: Client, zheng: Client, stranger_staff: Client
) -> None:
    await record(app, service_of(chen.actor.member_id), actor=zheng)
    async with app.state.sessions.begin() as session:
        line = (await records.record_lines(session, HERE, chen.actor.member_id)).rows[0]

    with pytest.raises(records.RecordNotFound):
        async with app.state.sessions.begin() as session:
            await records.correct_record(session, actor=stranger_staff.actor, record_id=line.record_id, now=START)
