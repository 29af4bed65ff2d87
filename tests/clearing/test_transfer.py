"""What one member sends to another community arrives there once, or comes back once."""

import pytest

import ledger
from service import chart
from service.clearing.actions import sending
from service.clearing.rules import TransferDecided, TransferNotFound, TransferState, Unit
from service.facts import ClearingReturned
from tests.cast import ELSEWHERE, HERE, client_of
from tests.clearing.conftest import Pair, close_person, empty_and_close

pytestmark = pytest.mark.anyio


async def test_what_is_sent_arrives_and_both_sides_say_so(pair: Pair) -> None:
    transfer_id = await pair.send("chen", "stranger", 120)
    assert await pair.balance("chen") == 480
    assert await pair.owed() == (120, 0)
    assert await pair.mirrors()

    await pair.settle()

    assert await pair.balance("stranger") == 720
    assert await pair.owed() == (120, -120)
    assert await pair.states(transfer_id) == (TransferState.ARRIVED, TransferState.ARRIVED)
    assert await pair.faults() == []


async def test_points_go_the_other_way(pair: Pair) -> None:
    await pair.send("stranger", "sun", 2550, Unit.POINT)
    await pair.settle()

    assert await pair.balance("sun", Unit.POINT) == 12_550
    assert await pair.owed(Unit.POINT) == (-2550, 2550)
    assert await pair.faults() == []


async def test_to_oneself_elsewhere_by_staff_both_names_stand_on_the_line(pair: Pair) -> None:
    chen = pair.town.actors["chen"]
    transfer_id = await pair.send("chen", "stranger", 60, actor=pair.town.actors["wu"], member_id=chen.member_id)
    await pair.settle()

    async with pair.app.state.sessions() as session:
        journal = await ledger.journal(session, HERE, f"clearing:{transfer_id}")
        other = await ledger.journal(session, ELSEWHERE, f"clearing:{transfer_id}")

    assert journal is not None
    assert (journal.actor_id, journal.on_behalf_of) == (pair.town.actors["wu"].member_id, chen.member_id)
    assert other is not None, "one reference on both sides"
    assert await pair.balance("chen") == 540


@pytest.mark.parametrize("cause", ["left", "account_closed", "over_ceiling"])
async def test_what_cannot_be_taken_comes_back_with_the_reason(pair: Pair, cause: str) -> None:
    transfer_id = await pair.send("chen", "stranger", 120)
    if cause == "left":
        await close_person(pair, "stranger")
    elif cause == "account_closed":
        await empty_and_close(pair, "stranger")
    else:
        async with pair.app.state.sessions.begin() as session:
            account = chart.clearing(HERE)
            await ledger.bound_account(
                session, ELSEWHERE, account, Unit.MINUTE, floor=-119, ceiling=0, now=pair.clock()
            )

    await pair.settle()

    assert await pair.states(transfer_id) == (TransferState.RETURNED, TransferState.REFUSED)
    assert await pair.balance("chen") == 600
    assert await pair.owed() == (0, 0)
    assert [fact.refused for fact in pair.seen if isinstance(fact, ClearingReturned)] == [cause]
    assert await pair.faults() == []


async def test_when_the_sender_left_too_it_goes_to_neighbours_in_need(pair: Pair) -> None:
    await pair.send("chen", "stranger", 120)
    await empty_and_close(pair, "chen")
    await close_person(pair, "stranger")

    await pair.settle()

    async with pair.app.state.sessions() as session:
        assert await ledger.balance(session, HERE, chart.CARE, Unit.MINUTE) == 120
    assert await pair.owed() == (0, 0)
    assert await pair.faults() == []


async def test_every_step_may_come_twice(pair: Pair) -> None:
    taken = await pair.send("chen", "stranger", 120)
    back = await pair.send("chen", "stranger_shop", 30)
    await close_person(pair, "stranger_shop")

    while waiting := await pair.recorded():
        for fact in [*waiting, *reversed(waiting)]:
            await pair.tell(fact)

    assert await pair.states(taken) == (TransferState.ARRIVED, TransferState.ARRIVED)
    assert await pair.states(back) == (TransferState.RETURNED, TransferState.REFUSED)
    assert (await pair.balance("chen"), await pair.balance("stranger")) == (480, 720)
    assert await pair.faults() == []


@pytest.mark.parametrize("lost", ["the first", "the answer", "every one"])
async def test_a_lost_line_of_the_outbox_is_told_again(pair: Pair, lost: str) -> None:
    """Nothing but the rows is left: the sweep finds them and says again what waits for an answer."""
    transfer_id = await pair.send("chen", "stranger", 120)
    if lost == "the answer":
        (sent,) = await pair.recorded()
        await pair.tell(sent)
    await pair.recorded()  # and tells nobody
    assert await pair.sweep() == 0, "nothing is due yet"

    pair.clock.move(minutes=3)
    assert await pair.sweep() == 1
    if lost == "every one":
        await pair.recorded()
        pair.clock.move(hours=1)
        assert await pair.sweep() == 1
    await pair.settle()

    assert await pair.states(transfer_id) == (TransferState.ARRIVED, TransferState.ARRIVED)
    assert await pair.balance("stranger") == 720
    pair.clock.move(days=1)
    assert await pair.sweep() == 0, "what is answered is not told again"
    assert await pair.faults() == []


async def test_the_lost_answer_of_a_refusal_is_given_again(pair: Pair) -> None:
    await pair.send("chen", "stranger", 120)
    await close_person(pair, "stranger")
    (sent,) = await pair.recorded()
    await pair.tell(sent)
    await pair.recorded()

    pair.clock.move(minutes=3)
    await pair.sweep()
    await pair.settle()

    assert await pair.balance("chen") == 600
    assert await pair.faults() == []


async def test_called_back_before_the_other_side_took_it(pair: Pair) -> None:
    transfer_id = await pair.send("chen", "stranger", 120)
    await pair.do(sending.recall, actor=pair.town.actors["chen"], transfer_id=transfer_id)
    sent, recalled = await pair.recorded()

    await pair.tell(recalled)
    await pair.tell(sent)
    await pair.settle()

    assert await pair.states(transfer_id) == (TransferState.RETURNED, TransferState.REFUSED)
    assert await pair.balance("chen") == 600
    assert await pair.faults() == []


async def test_called_back_too_late_it_has_arrived(pair: Pair) -> None:
    transfer_id = await pair.send("chen", "stranger", 120)
    await pair.do(sending.recall, actor=pair.town.actors["chen"], transfer_id=transfer_id)
    with pytest.raises(TransferDecided):
        await pair.do(sending.recall, actor=pair.town.actors["chen"], transfer_id=transfer_id)

    await pair.settle()

    assert await pair.states(transfer_id) == (TransferState.ARRIVED, TransferState.ARRIVED)
    assert await pair.balance("stranger") == 720
    with pytest.raises(TransferDecided):
        await pair.do(sending.recall, actor=pair.town.actors["chen"], transfer_id=transfer_id)
    with pytest.raises(TransferNotFound):
        await pair.do(sending.recall, actor=pair.town.actors["sun"], transfer_id=transfer_id)


async def test_the_real_worker_carries_it_and_the_messages_come(pair: Pair) -> None:
    await pair.worker.drain()  # what the agreement told
    await pair.send("chen", "stranger", 90)
    back = await pair.send("sun", "stranger_shop", 60)
    await close_person(pair, "stranger_shop")

    for _ in range(3):
        await pair.worker.drain()

    assert await pair.balance("stranger") == 690
    assert (await pair.states(back))[0] == TransferState.RETURNED
    async with client_of(pair.app, pair.town.cookies["chen"]) as chen:
        assert "1.5 小时" in (await chen.get("/api/messages")).json()["items"][0]["text"]
    async with client_of(pair.app, pair.town.cookies["sun"]) as sun:
        told = (await sun.get("/api/messages")).json()["items"][0]
        assert "1 小时" in told["text"]
        assert "已经不在那个社区" in told["text"]
        assert told["url"] == f"/clearing/{back}"
    async with client_of(pair.app, pair.town.cookies["stranger"]) as stranger:
        assert "1.5 小时" in (await stranger.get("/api/messages")).json()["items"][0]["text"]
    assert await pair.faults() == []
