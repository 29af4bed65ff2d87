"""Once a month both positions are set to zero, by the finance of both."""

import asyncio

import pytest
import sqlalchemy as sa

import ledger
from service import chart
from service.clearing.actions import agreements, netting
from service.clearing.rules import (
    NettingDecided,
    NettingDiffers,
    NettingOpen,
    NettingState,
    NothingToNet,
    StillUnderWay,
    Unit,
)
from service.facts import NettingProposed
from tests.cast import ELSEWHERE, HERE
from tests.clearing.conftest import Pair

pytestmark = pytest.mark.anyio


@pytest.fixture
async def owing(pair: Pair) -> Pair:
    """In November we sent 120 minutes and got 30, and got 5 points; it is December."""
    await pair.send("chen", "stranger", 120)
    await pair.send("stranger", "sun", 30)
    await pair.send("stranger", "sun", 500, Unit.POINT)
    await pair.settle()
    pair.clock.move(days=10)
    return pair


async def propose(pair: Pair, name: str = "qian", partner_id: int = ELSEWHERE) -> object:
    return await pair.do(netting.propose_netting, actor=pair.town.actors[name], partner_id=partner_id)


async def states(pair: Pair, netting_id: object) -> dict[int, str]:
    async with pair.app.state.sessions() as session:
        rows = await session.execute(
            sa.text("SELECT community_id, state FROM clearing_netting WHERE netting_id = :id"), {"id": netting_id}
        )
        return {int(home): str(state) for home, state in rows}


async def test_proposed_here_confirmed_there_posted_on_both_sides(owing: Pair) -> None:
    december = await owing.send("chen", "stranger", 60)
    netting_id = await propose(owing)
    await owing.settle()
    assert await owing.owed() == (150, -150), "nothing is posted before it is confirmed"

    await owing.do(netting.confirm_netting, actor=owing.town.actors["stranger_staff"], netting_id=netting_id)
    assert await owing.mirrors(), "one side has posted, the other has not, and that is known"
    await owing.settle()

    assert await owing.owed() == (60, -60), "only what was sent this month is left"
    assert await owing.owed(Unit.POINT) == (0, 0)
    assert await states(owing, netting_id) == {HERE: NettingState.DONE, ELSEWHERE: NettingState.DONE}
    async with owing.app.state.sessions() as session:
        here = await ledger.journal(session, HERE, f"clearing.netting:{netting_id}")
        there = await ledger.journal(session, ELSEWHERE, f"clearing.netting:{netting_id}")
        assert here is not None
        assert there is not None
        assert await ledger.balance(session, HERE, chart.ISSUED, Unit.MINUTE) == -1200 + 90
        assert await ledger.balance(session, ELSEWHERE, chart.ISSUED, Unit.MINUTE) == -600 - 90
        lines = await session.execute(
            sa.text("SELECT count(*) FROM clearing_transfer WHERE netting_id = :id"), {"id": netting_id}
        )
        assert lines.scalar_one() == 6
        left = await session.execute(
            sa.text("SELECT netting_id FROM clearing_transfer WHERE transfer_id = :id"), {"id": december}
        )
        assert set(left.scalars()) == {None}
    assert await owing.faults() == []


async def test_every_step_may_come_twice_and_be_lost(owing: Pair) -> None:
    netting_id = await propose(owing)
    lost = await owing.recorded()
    assert [type(fact) for fact in lost] == [NettingProposed]
    owing.clock.move(hours=1)
    assert await owing.sweep() == 1
    (told,) = await owing.recorded()
    await owing.tell(told)
    await owing.tell(told)
    await owing.do(netting.confirm_netting, actor=owing.town.actors["stranger_staff"], netting_id=netting_id)
    await owing.recorded()  # the answer is lost
    owing.clock.move(hours=2)
    assert await owing.sweep() == 1
    while waiting := await owing.recorded():
        for fact in [*waiting, *waiting]:
            await owing.tell(fact)

    assert await owing.owed() == (0, 0)
    owing.clock.move(days=1)
    assert await owing.sweep() == 0
    assert await owing.faults() == []


async def test_refused_it_is_dropped_and_another_may_come(owing: Pair) -> None:
    netting_id = await propose(owing)
    with pytest.raises(NettingOpen):
        await propose(owing)
    await owing.settle()
    with pytest.raises(NettingDecided):
        await owing.do(netting.confirm_netting, actor=owing.town.actors["qian"], netting_id=netting_id)
    await owing.do(netting.refuse_netting, actor=owing.town.actors["stranger_staff"], netting_id=netting_id)
    await owing.settle()
    assert await states(owing, netting_id) == {HERE: NettingState.REFUSED, ELSEWHERE: NettingState.REFUSED}

    again = await propose(owing, "stranger_staff", HERE)
    await owing.settle()
    await owing.do(netting.confirm_netting, actor=owing.town.actors["feng"], netting_id=again)
    await owing.settle()

    assert await owing.owed() == (0, 0)
    assert await owing.faults() == []


async def test_what_is_under_way_or_told_otherwise_is_not_netted(owing: Pair) -> None:
    await owing.send("chen", "stranger", 10)
    owing.clock.move(days=31)
    with pytest.raises(StillUnderWay):
        await propose(owing)
    await owing.settle()
    netting_id = await propose(owing)
    # The other side counts another transfer than we do.
    async with owing.app.state.sessions.begin() as session:
        await session.execute(
            sa.text("UPDATE clearing_transfer SET netting_id = NULL WHERE community_id = :h"), {"h": ELSEWHERE}
        )
    await owing.settle()
    async with owing.app.state.sessions.begin() as session:
        await session.execute(
            sa.text(
                "UPDATE clearing_transfer SET state = 'refused', refused = 'left' WHERE community_id = :h AND"
                " direction = 'in' AND unit = 'minute' AND amount = 10"
            ),
            {"h": ELSEWHERE},
        )
    with pytest.raises(NettingDiffers):
        await owing.do(netting.confirm_netting, actor=owing.town.actors["stranger_staff"], netting_id=netting_id)
    assert any("transfers_differ" in fault for fault in await owing.faults())


async def test_nothing_to_net(pair: Pair) -> None:
    await pair.send("chen", "stranger", 60)
    await pair.settle()

    with pytest.raises(NothingToNet):
        await propose(pair)


async def test_when_both_propose_at_once_one_stands(owing: Pair) -> None:
    ours = await propose(owing)
    theirs = await propose(owing, "stranger_staff", HERE)
    await owing.settle()

    assert await states(owing, ours) == {HERE: NettingState.REFUSED, ELSEWHERE: NettingState.REFUSED}
    assert await states(owing, theirs) == {HERE: NettingState.PROPOSED, ELSEWHERE: NettingState.PROPOSED}
    await owing.do(netting.confirm_netting, actor=owing.town.actors["qian"], netting_id=theirs)
    await owing.settle()
    assert await owing.owed() == (0, 0)
    stale = next(fact for fact in owing.seen if isinstance(fact, NettingProposed) and fact.netting_id == ours)
    await owing.tell(stale)
    await owing.settle()
    assert await states(owing, ours) == {HERE: NettingState.REFUSED, ELSEWHERE: NettingState.REFUSED}
    assert await owing.faults() == []


async def test_two_who_confirm_at_once_post_once(owing: Pair) -> None:
    netting_id = await propose(owing)
    await owing.settle()
    staff = owing.town.actors["stranger_staff"]

    done = await asyncio.gather(
        *(owing.do(netting.confirm_netting, actor=staff, netting_id=netting_id) for _ in range(4)),
        owing.do(netting.refuse_netting, actor=staff, netting_id=netting_id),
        return_exceptions=True,
    )

    assert sum(one is None for one in done) == 1
    assert sum(isinstance(one, NettingDecided) for one in done) == 4
    await owing.settle()
    assert await owing.faults() == []


async def test_a_position_beyond_the_bounds_is_netted_all_the_same(pair: Pair) -> None:
    """What was sent since may have gone so far the other way that the rest alone passes the agreement."""
    await pair.do(agreements.end, actor=pair.town.actors["jiang"], partner_id=ELSEWHERE)
    await pair.settle()
    await pair.do(
        agreements.propose, actor=pair.town.actors["jiang"], partner_id=ELSEWHERE, minutes_max=100, points_max=1
    )
    await pair.settle()
    await pair.do(agreements.accept, actor=pair.town.actors["stranger_staff"], partner_id=HERE)
    await pair.settle()
    await pair.send("chen", "stranger", 90)
    await pair.settle()
    pair.clock.move(days=10)
    await pair.send("stranger", "sun", 180)
    await pair.settle()
    assert await pair.owed() == (-90, 90)

    netting_id = await propose(pair)
    await pair.settle()
    await pair.do(netting.confirm_netting, actor=pair.town.actors["stranger_staff"], netting_id=netting_id)
    await pair.settle()

    assert await pair.owed() == (-180, 180)
    assert await pair.faults() == []
