"""Points that expire on either side: what comes back is as old as it was, what arrives is under the receiver's rule."""

from datetime import UTC, datetime

import pytest

import ledger
from service import chart
from service.clearing.actions import netting
from service.clearing.rules import Unit
from tests.cast import ELSEWHERE, HERE, PEOPLE
from tests.clearing.conftest import Pair, close_person, give

pytestmark = pytest.mark.anyio

YEAR_ENDS = datetime(2026, 12, 31, 16, tzinfo=UTC)


@pytest.fixture
async def expiring(pair: Pair) -> Pair:
    """In both communities, what members have expires with the year."""
    rule = ledger.ExpiryPolicy("member:", ledger.ExpiryRule.YEAR)
    actor = pair.town.actors["jiang"].member_id
    for home in (HERE, ELSEWHERE):
        async with pair.app.state.sessions.begin() as session:
            await ledger.set_expiry(session, home, Unit.POINT, rule, actor_id=actor, now=pair.clock())
    return pair


async def lots(pair: Pair, name: str) -> list[tuple[datetime | None, int]]:
    account = chart.member(pair.town.actors[name].member_id)
    async with pair.app.state.sessions() as session:
        found = await ledger.lots(session, PEOPLE[name][0], account, Unit.POINT)
    return [(lot.expires_at, lot.amount) for lot in found]


async def test_there_and_back_and_netted(expiring: Pair) -> None:
    await expiring.send("chen", "stranger", 2500, Unit.POINT)
    await expiring.send("chen", "stranger_shop", 1000, Unit.POINT)
    await close_person(expiring, "stranger_shop")
    await expiring.settle()

    assert await lots(expiring, "chen") == [(YEAR_ENDS, 7500)], "what came back is as old as it was"
    assert await lots(expiring, "stranger") == [(YEAR_ENDS, 12_500)]
    expiring.clock.move(days=10)
    netting_id = await expiring.do(netting.propose_netting, actor=expiring.town.actors["qian"], partner_id=ELSEWHERE)
    await expiring.settle()
    staff = expiring.town.actors["stranger_staff"]
    await expiring.do(netting.confirm_netting, actor=staff, netting_id=netting_id)
    await expiring.settle()

    assert await expiring.owed(Unit.POINT) == (0, 0)
    assert await expiring.faults() == []


async def test_what_came_back_after_the_year_is_over(expiring: Pair) -> None:
    await give(expiring, "chen", 1, 1)
    await expiring.send("chen", "stranger_shop", 1000, Unit.POINT)
    await close_person(expiring, "stranger_shop")
    expiring.clock.move(days=60)
    await expiring.sweep()
    await expiring.settle()

    assert await expiring.owed(Unit.POINT) == (0, 0)
    async with expiring.app.state.sessions.begin() as session:
        await ledger.sweep(session, HERE, reason="expired", now=expiring.clock())
    assert await expiring.balance("chen", Unit.POINT) == 0
    assert await expiring.faults() == []
