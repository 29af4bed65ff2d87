"""The month by class of household: sums that say nothing about any one of them."""

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlmodel import select

from service.communities.tables import Household
from service.households import ClassCount, Job, counts_by_class
from service.households import actions as households
from service.households.queries_counts import _told
from service.households.rules import HouseholdKind
from service.kit.clock import local_day
from service.kit.ids import new_id
from tests.cast import HERE, KEYRING
from tests.repairs.test_jobs import half_price

PATH = "/api/desk/repairs/month/classes"


def groups(**sizes):
    """Classes with so many households each, a job and a yuan for each household."""
    return [
        (frozenset(uuid4() for _ in range(size)), ClassCount(kind, size, size, 100 * size, 0))
        for kind, size in sizes.items()
    ]


@pytest.mark.parametrize(
    ("sizes", "told"),
    [
        ({"lonely": 3, "none": 9}, {"lonely": 3, "none": 9}),
        # One small group would be the sum less the others: the smallest of the others hides it.
        ({"lonely": 2, "poor": 4, "none": 9}, {"rest": 6, "none": 9}),
        ({"lonely": 1, "poor": 1, "disabled": 1, "none": 9}, {"rest": 3, "none": 9}),
        ({"lonely": 1, "poor": 2, "none": 9}, {"rest": 3, "none": 9}),
        ({"lonely": 1, "none": 1}, {}),
        ({"lonely": 1, "none": 2}, {"rest": 3}),
        ({}, {}),
    ],
)
def test_small_groups_are_told_of_together_and_never_by_subtraction(sizes, told):
    found = _told(groups(**sizes))

    assert {each.kind: each.households for each in found} == told
    assert all(each.jobs == each.households and each.cash_fen == 100 * each.jobs for each in found)


async def test_only_a_month_that_is_over_and_only_with_a_line_of_the_look(app, clock, jobs, wu, zheng, classify):
    await half_price(zheng, jobs)
    await classify()
    await jobs.accepted(await jobs.done())
    month = {"day": clock.now.date().isoformat()}
    early = await wu.get(PATH, params=month)
    assert (early.status_code, early.json()["code"]) == (409, "repairs.month_not_over")

    clock.move(days=31)
    seen = await wu.get(PATH, params=month)
    page = await wu.get("/desk/repairs/month/classes", params=month)

    assert (seen.status_code, seen.json()["items"]) == (200, [])
    assert "孤寡" not in page.text
    assert (await jobs.clients["li"].get(PATH, params=month)).status_code == 403
    last = await wu.get(PATH)
    assert (last.status_code, last.json()["begins"]) == (200, month["day"][:8] + "01")
    assert f"day={month['day'][:8]}01" in (await wu.get("/desk/repairs/month/classes")).text
    async with app.state.engine.connect() as connection:
        lines = await connection.exec_driver_sql("SELECT actor_id FROM audit WHERE action = 'repairs.classes_seen'")
        assert [row.actor_id for row in lines] == [wu.actor.member_id] * 4


async def test_three_households_are_counted_by_the_class_of_the_day(app, town, wu, zheng, clock, granny_at_home):
    """Nobody stands there but by the class that a household had on the job's day."""
    homes = [granny_at_home, *[new_id() for _ in range(2)]]
    async with app.state.sessions.begin() as session:
        [building] = (await session.exec(select(Household.building_id))).all()
        for home in homes[1:]:
            door = KEYRING.seal("101", f"household:{HERE}:{home.hex}:door")
            row = Household(
                community_id=HERE, household_id=home, building_id=building, door_sealed=door, door_index=home.bytes
            )
            session.add(row)
            await session.flush()
    for home in homes:
        async with app.state.sessions.begin() as session:
            asked = await households.propose_class(
                session,
                actor=wu.actor,
                household_id=home,
                kind=HouseholdKind.LONELY,
                basis="民政局〔2026〕12号",
                is_consented=True,
                now=clock.now,
            )
            await session.flush()
            await households.decide_class(session, actor=zheng.actor, class_id=asked, is_agreed=True, now=clock.now)
    today = local_day(clock.now)
    tomorrow = today + timedelta(days=1)

    async def told(day):
        done = [Job(home, wu.actor.member_id, day, None, 500, 100) for home in homes]
        async with app.state.sessions() as session:
            return await counts_by_class(session, HERE, done)

    assert await told(tomorrow) == [ClassCount("lonely", 3, 3, 1500, 300)]
    assert await told(today) == [ClassCount("none", 3, 3, 1500, 300)]
