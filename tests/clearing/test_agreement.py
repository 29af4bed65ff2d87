"""Two communities agree before anybody sends, and part without losing what is under way."""

import asyncio
from uuid import UUID

import pytest

import ledger
from service import chart
from service.clearing.actions import agreements
from service.clearing.queries.agreements import agreement
from service.clearing.rules import (
    AgreementInOtherState,
    AgreementState,
    CannotClearWithOneself,
    NoAgreement,
    PartnerNotFound,
    TransferState,
    Unit,
)
from service.communities.rules import CommunityNotFound
from service.facts import ClearingEnded, ClearingProposed
from tests.cast import ELSEWHERE, HERE
from tests.clearing.conftest import Pair, give

pytestmark = pytest.mark.anyio


async def propose(pair: Pair, name: str, partner_id: int, minutes: int = 600) -> None:
    actor = pair.town.actors[name]
    await pair.do(agreements.propose, actor=actor, partner_id=partner_id, minutes_max=minutes, points_max=10)


async def accept(pair: Pair, name: str, partner_id: int) -> None:
    await pair.do(agreements.accept, actor=pair.town.actors[name], partner_id=partner_id)


async def end(pair: Pair, name: str, partner_id: int) -> None:
    await pair.do(agreements.end, actor=pair.town.actors[name], partner_id=partner_id)


async def states(pair: Pair) -> tuple[AgreementState, AgreementState]:
    async with pair.app.state.sessions() as session:
        one = await agreement(session, HERE, ELSEWHERE)
        other = await agreement(session, ELSEWHERE, HERE)
    return one.state, other.state


async def test_proposed_by_one_accepted_by_the_other(apart: Pair) -> None:
    with pytest.raises(NoAgreement):
        await apart.send("chen", "stranger", 1)
    await propose(apart, "jiang", ELSEWHERE)
    await apart.settle()
    assert await states(apart) == (AgreementState.PROPOSED, AgreementState.OFFERED)
    with pytest.raises(AgreementInOtherState):
        await accept(apart, "jiang", ELSEWHERE)  # nobody accepts what they proposed

    await accept(apart, "stranger_staff", HERE)
    await apart.settle()

    assert await states(apart) == (AgreementState.ACCEPTED, AgreementState.ACCEPTED)
    async with apart.app.state.sessions() as session:
        for home, partner in ((HERE, ELSEWHERE), (ELSEWHERE, HERE)):
            code = chart.clearing(partner)
            assert (code, Unit.MINUTE) in await ledger.balances(session, home, [(code, Unit.MINUTE)])


async def test_what_makes_no_sense_is_refused(apart: Pair) -> None:
    with pytest.raises(CannotClearWithOneself):
        await propose(apart, "jiang", HERE)
    with pytest.raises(CommunityNotFound):
        await propose(apart, "jiang", 7)
    with pytest.raises(PartnerNotFound):
        await accept(apart, "jiang", ELSEWHERE)
    with pytest.raises(PartnerNotFound):
        await end(apart, "jiang", ELSEWHERE)
    await propose(apart, "jiang", ELSEWHERE)
    with pytest.raises(AgreementInOtherState):
        await propose(apart, "jiang", ELSEWHERE)


async def test_of_two_administrators_one_proposes(apart: Pair) -> None:
    done = await asyncio.gather(*(propose(apart, "jiang", ELSEWHERE) for _ in range(4)), return_exceptions=True)

    assert sum(isinstance(one, AgreementInOtherState) for one in done) == 3
    assert sum(one is None for one in done) == 1


async def test_when_both_propose_at_once_one_proposal_stands(apart: Pair) -> None:
    await propose(apart, "jiang", ELSEWHERE)
    await propose(apart, "stranger_staff", HERE)
    await apart.settle()

    # The community with the smaller number keeps its own; the other has it before itself.
    assert await states(apart) == (AgreementState.OFFERED, AgreementState.PROPOSED)
    await accept(apart, "jiang", ELSEWHERE)
    await apart.settle()
    assert await states(apart) == (AgreementState.ACCEPTED, AgreementState.ACCEPTED)


async def test_a_lost_proposal_and_a_lost_acceptance_are_told_again(apart: Pair) -> None:
    await propose(apart, "jiang", ELSEWHERE)
    await apart.recorded()
    apart.clock.move(hours=1)
    assert await apart.sweep() == 1
    await apart.settle()
    await accept(apart, "stranger_staff", HERE)
    await apart.recorded()

    apart.clock.move(hours=2)
    assert await apart.sweep() == 1
    await apart.settle()

    assert await states(apart) == (AgreementState.ACCEPTED, AgreementState.ACCEPTED)
    apart.clock.move(days=1)
    assert await apart.sweep() == 0


async def test_who_accepted_may_send_before_the_proposer_heard_of_it(apart: Pair) -> None:
    await propose(apart, "jiang", ELSEWHERE)
    await apart.settle()
    await accept(apart, "stranger_staff", HERE)
    (_accepted,) = await apart.recorded()
    await give(apart, "stranger", 60, 100)

    transfer_id = await apart.send("stranger", "chen", 60)
    await apart.settle()

    assert await apart.states(transfer_id) == (TransferState.ARRIVED, TransferState.ARRIVED)
    assert await states(apart) == (AgreementState.ACCEPTED, AgreementState.ACCEPTED)


async def test_after_the_end_nothing_new_goes_and_what_is_under_way_finishes(pair: Pair) -> None:
    under_way = await pair.send("chen", "stranger", 60)
    pair.clock.move(seconds=1)
    await end(pair, "stranger_staff", HERE)
    late = await pair.send("chen", "stranger", 30)  # nobody here has heard of the end
    pair.clock.move(seconds=1)
    late = await pair.send("chen", "stranger", 30)
    await pair.settle()

    assert await pair.states(under_way) == (TransferState.ARRIVED, TransferState.ARRIVED)
    assert await pair.states(late) == (TransferState.RETURNED, TransferState.REFUSED)
    assert await states(pair) == (AgreementState.ENDED, AgreementState.ENDED)
    with pytest.raises(NoAgreement):
        await pair.send("chen", "stranger", 1)
    assert await pair.faults() == []


async def test_the_end_is_told_until_it_is_heard(pair: Pair) -> None:
    await end(pair, "jiang", ELSEWHERE)
    await pair.recorded()
    pair.clock.move(hours=1)
    assert await pair.sweep() == 1
    await pair.settle()

    assert await states(pair) == (AgreementState.ENDED, AgreementState.ENDED)
    pair.clock.move(days=1)
    assert await pair.sweep() == 0


async def test_agreeing_again_gives_the_accounts_other_bounds(pair: Pair) -> None:
    await pair.send("chen", "stranger", 300)
    await pair.settle()
    await end(pair, "jiang", ELSEWHERE)
    await pair.settle()
    await propose(pair, "stranger_staff", HERE, minutes=240)
    await pair.settle()
    await accept(pair, "jiang", ELSEWHERE)
    await pair.settle()

    assert await states(pair) == (AgreementState.ACCEPTED, AgreementState.ACCEPTED)
    assert await pair.owed() == (300, -300)  # more than agreed now; it stands, and nothing may be added
    await pair.send("stranger", "chen", 200)
    await pair.settle()
    assert await pair.owed() == (100, -100)
    assert await pair.faults() == []


async def test_an_old_proposal_that_comes_late_is_not_taken_for_a_new_one(apart: Pair) -> None:
    await propose(apart, "jiang", ELSEWHERE)
    await apart.settle()
    old = next(fact for fact in apart.seen if isinstance(fact, ClearingProposed))
    await end(apart, "stranger_staff", HERE)
    await apart.settle()
    await propose(apart, "jiang", ELSEWHERE, minutes=120)
    await apart.settle()
    await accept(apart, "stranger_staff", HERE)
    await apart.settle()

    await apart.tell(old)
    await apart.tell(
        ClearingEnded(community_id=HERE, partner_id=ELSEWHERE, agreement_id=old.agreement_id, is_answer=False)
    )
    await apart.settle()

    assert await states(apart) == (AgreementState.ACCEPTED, AgreementState.ACCEPTED)


async def test_an_end_that_meets_transfers_leaves_each_with_one_outcome(pair: Pair) -> None:
    """Who sends and who ends wait for each other at the agreement's row: a transfer is there before the end, or refused."""
    sending = [pair.send(name, "stranger", 10) for name in ("chen", "sun") * 4]
    *done, _ended = await asyncio.gather(*sending, end(pair, "jiang", ELSEWHERE), return_exceptions=True)
    await pair.settle()

    sent = sum(isinstance(one, UUID) for one in done)
    assert sent + sum(isinstance(one, NoAgreement) for one in done) == 8
    assert await pair.owed() == (10 * sent, -10 * sent)
    assert await states(pair) == (AgreementState.ENDED, AgreementState.ENDED)
    assert await pair.faults() == []
