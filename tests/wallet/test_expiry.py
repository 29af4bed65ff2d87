"""Points expire by the community's rule: from the setting to the ledger, the warning, the passbook and the sweep."""

from datetime import UTC, date, datetime

import pytest
import sqlalchemy as sa

import ledger
from ledger import ExpiryRule
from service import chart
from service.chart import Reason
from service.communities import change_setting
from service.kit.ids import new_id
from service.slices import manifests
from service.wallet.actions_expiry import policy_of
from tests.cast import ELSEWHERE, HERE, START


async def setting(app, client, name: str, value: int) -> None:
    async with app.state.sessions.begin() as session:
        await change_setting(
            session, actor=client.actor, name=name, value=value, effective_from=START.date(), now=START
        )


async def do(app, name: str, now: datetime) -> int:
    (timed,) = (each for item in manifests() for each in item.timed if each.name == f"wallet.{name}")
    done: int = await app.state.worker.do_timed(timed, now)
    return done


async def earn(app, client, points: int, now: datetime) -> None:
    legs = (ledger.Leg(chart.ISSUED, chart.member(client.actor.member_id), chart.POINT, 100 * points),)
    async with app.state.sessions.begin() as session:
        journal = ledger.Journal(f"gift:{new_id()}", Reason.SERVICE, legs, None)
        await ledger.post(session, client.actor.community_id, journal, now=now)


async def yearly(app, zhao) -> None:
    await setting(app, zhao, "points_expire_at_year_end", 1)
    await setting(app, zhao, "points_expire_grace_days", 0)
    assert await do(app, "follow_expiry_rule", START) == 1


@pytest.mark.parametrize(
    ("numbers", "rule"),
    [
        ((0, 0, 30), ExpiryRule.NEVER),
        ((6, 0, 30), ExpiryRule.MONTHS),
        ((6, 1, 30), ExpiryRule.YEAR),
        ((0, 1, 0), ExpiryRule.YEAR),
    ],
)
def test_three_numbers_are_a_rule(numbers: tuple[int, int, int], rule: ExpiryRule):
    policy = policy_of(*numbers)
    assert (policy.rule, policy.months, policy.grace_days) == (rule, numbers[0], numbers[2])


async def test_without_a_rule_the_ledger_never_hears_of_one(app, li):
    await earn(app, li, 5, START)
    assert await do(app, "follow_expiry_rule", START) == 0
    assert await do(app, "sweep_points", START) == 0
    async with app.state.sessions() as session:
        assert await ledger.expiry_policies(session, HERE, chart.POINT) == []
    answer = (await li.get("/api/wallet")).json()
    assert (answer["points"]["amount"], answer["lots"]) == (500, [])
    assert "什么时候到期" not in (await li.get("/passbook")).text


async def test_the_rule_of_one_community_is_its_own_and_changes_with_its_settings(app, zhao):
    await yearly(app, zhao)
    assert await do(app, "follow_expiry_rule", START) == 0
    await setting(app, zhao, "points_expire_months", 12)
    assert await do(app, "follow_expiry_rule", START) == 1
    async with app.state.sessions() as session:
        policies = await ledger.expiry_policies(session, HERE, chart.POINT)
        assert [(each.policy.rule, each.policy.months, each.actor_id) for each in policies] == [
            (ExpiryRule.YEAR, 12, zhao.actor.member_id),
            (ExpiryRule.YEAR, 0, zhao.actor.member_id),
        ]
        assert await ledger.expiry_policies(session, ELSEWHERE, chart.POINT) == []


async def test_a_member_is_warned_once_and_then_it_is_gone(app, zhao, li, clock):
    await earn(app, li, 5, START)
    await yearly(app, zhao)
    last = date(START.year, 12, 31)
    assert (await li.get("/api/wallet")).json()["lots"] == [{"amount": 500, "last_day": last.isoformat()}]
    page = (await li.get("/passbook")).text
    assert "什么时候到期" in page
    assert f"{last.year} 年 12 月 31 日" in page

    assert await do(app, "warn_of_expiry", START) == 0
    december = datetime(START.year, 12, 5, 4, tzinfo=UTC)
    assert (
        await do(
            app, "warn_of_expiry", clock.move(to=december) if "to" in clock.move.__code__.co_varnames else december
        )
        == 1
    )
    assert await do(app, "warn_of_expiry", december) == 0
    async with app.state.sessions() as session:
        told = await session.execute(sa.text("SELECT count(*) FROM outbox WHERE fact = 'PointsExpiring'"))
        assert told.scalar_one() == 1

    assert await do(app, "sweep_points", december) == 0
    january = datetime(START.year + 1, 1, 2, 4, tzinfo=UTC)
    assert await do(app, "sweep_points", january) == 1
    assert await do(app, "sweep_points", january) == 0
    answer = (await li.get("/api/wallet")).json()
    assert (answer["points"]["amount"], answer["lots"]) == (0, [])
    assert "积分到期" in (await li.get("/passbook")).text
    async with app.state.sessions() as session:
        assert await ledger.verify(session, HERE) == []
