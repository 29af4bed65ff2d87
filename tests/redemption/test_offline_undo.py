"""A scan without a network that the phone takes back by a record of its own."""

import asyncio
from itertools import pairwise
from uuid import UUID

import pytest
from sqlalchemy import text

import redemption
from redemption import OfflineClass, VoucherState
from tests.redemption.market import Market, account, some_id
from tests.redemption.phones import TERMS, Phone, Record

pytestmark = pytest.mark.anyio


async def with_a_voucher(market: Market, pieces: int = 1) -> tuple[Phone, int]:
    """The barber's phone with the lease, and a voucher of so many pieces."""
    offer = await market.publish(offline_class=OfflineClass.LEASED, pieces=pieces, price_points=10, stock_total=20)
    voucher_id = await market.issue(offer)
    phone = await Phone(market).enrol()
    await phone.take_lease()
    return phone, voucher_id


def told(answers) -> list[tuple[str, str]]:
    return [(each["verdict"], each["reason"]) for each in answers]


async def uses(market: Market, voucher_id: int) -> list[redemption.UseState]:
    async with market.sessions.begin() as session:
        return [each.state for each in await redemption.uses_of(session, market.book, voucher_id)]


UNDONE = ("accepted", "undone")


async def test_what_was_taken_back_before_it_was_sent_is_never_used(market: Market):
    phone, voucher_id = await with_a_voucher(market)
    scan = phone.scan(voucher_id, market)
    undo = phone.undo(scan, market)

    assert told(await phone.sync(market.at(hours=1))) == [UNDONE, UNDONE]

    assert await uses(market, voucher_id) == []
    voucher = await market.voucher(voucher_id)
    assert (voucher.state, voucher.code_seq) == (VoucherState.ISSUED, 1), "its paper stays good"
    assert await market.balance(account("merchant", market.barber), "fen") == 0
    assert told(await phone.sync(market.at(hours=2), [scan, undo])) == [("already", "undone")] * 2
    assert await market.faults() == []


async def test_the_voucher_is_used_again_after_it_was_taken_back(market: Market):
    phone, voucher_id = await with_a_voucher(market)
    phone.undo(phone.scan(voucher_id, market), market)
    phone.scan(voucher_id, market)

    assert told(await phone.sync(market.at(hours=1))) == [UNDONE, UNDONE, ("accepted", "accepted")]

    assert await uses(market, voucher_id) == [redemption.UseState.ACCEPTED]
    assert await market.faults() == []


async def test_whatever_order_they_come_in_nothing_is_used(market: Market):
    phone, voucher_id = await with_a_voucher(market)
    scan = phone.scan(voucher_id, market)
    undo = phone.undo(scan, market)

    assert told(await phone.sync(market, [undo])) == [UNDONE]
    assert told(await phone.sync(market, [scan])) == [UNDONE]

    assert await uses(market, voucher_id) == []


async def test_sent_one_after_the_other_the_use_is_taken_back_once(market: Market):
    phone, voucher_id = await with_a_voucher(market)
    scan = phone.scan(voucher_id, market)
    undo = phone.undo(scan, market)
    second = phone.undo(scan, market)

    assert told(await phone.sync(market, [scan])) == [("accepted", "accepted")]
    assert told(await phone.sync(market, [undo])) == [UNDONE]
    assert told(await phone.sync(market, [undo, second])) == [("already", "undone"), UNDONE]

    assert await uses(market, voucher_id) == [redemption.UseState.REVERSED]
    voucher = await market.voucher(voucher_id)
    assert (voucher.state, voucher.code_seq) == (VoucherState.ISSUED, 2)
    assert await market.faults() == []


async def test_a_scan_that_had_arrived_and_whose_answer_was_lost_is_taken_back(market: Market):
    phone, voucher_id = await with_a_voucher(market)
    scan = phone.scan(voucher_id, market)
    await market.scan(voucher_id, nonce=scan["nonce"], device=phone.device_id)
    phone.undo(scan, market)

    assert told(await phone.sync(market)) == [("already", "accepted"), UNDONE]

    assert await uses(market, voucher_id) == [redemption.UseState.REVERSED]
    assert await market.faults() == []


async def test_after_the_hour_and_by_another_clerk_the_use_stands(market: Market):
    phone, voucher_id = await with_a_voucher(market, pieces=2)
    first, second = phone.scan(voucher_id, market), phone.scan(voucher_id, market)
    await phone.sync(market)
    phone.undo(first, market, clerk=str(market.staff))
    assert told(await phone.sync(market)) == [("conflict", "undo_late")]
    phone.undo(second, market.at(minutes=60))

    [answer] = await phone.sync(market.at(minutes=61))

    assert (answer["verdict"], answer["reason"], answer["bearer"]) == ("conflict", "undo_late", "merchant")
    assert await uses(market, voucher_id) == [redemption.UseState.ACCEPTED] * 2
    assert await market.faults() == []


async def test_one_phone_takes_back_nothing_of_anothers(market: Market):
    phone, voucher_id = await with_a_voucher(market)
    scan = phone.scan(voucher_id, market)
    other = await Phone(market).enrol()
    other.undo(scan, market)

    assert told(await other.sync(market)) == [UNDONE]
    assert told(await phone.sync(market)) == [("accepted", "accepted")]
    assert await uses(market, voucher_id) == [redemption.UseState.ACCEPTED]


async def reviews(market: Market, *, is_open: bool = True) -> tuple[redemption.Review, ...]:
    async with market.sessions.begin() as session:
        return await redemption.reviews(session, market.book, is_open=is_open)


async def propose(market: Market, phone: Phone, record: Record, *, is_paid: bool) -> None:
    async with market.sessions.begin() as session:
        await redemption.propose_review(
            session,
            market.book,
            phone.device_id,
            UUID(record["nonce"]),
            is_paid=is_paid,
            note="asked the shop",
            actor_id=market.staff,
            now=market.now,
        )


async def decide(market: Market, phone: Phone, record: Record) -> object:
    async with market.sessions.begin() as session:
        return await redemption.decide_review(
            session,
            market.book,
            phone.device_id,
            UUID(record["nonce"]),
            is_agreed=True,
            actor_id=market.finance,
            month_on=TERMS.month_on,
            now=market.now,
        )


@pytest.mark.parametrize("is_proposed", [False, True])
async def test_what_is_held_and_taken_back_is_not_paid(market: Market, is_proposed: bool):
    """Nobody pays for what the clerk took back while people had not decided yet."""
    phone, voucher_id = await with_a_voucher(market)
    scan = phone.scan(voucher_id, market, fault="forged")
    assert told(await phone.sync(market)) == [("review", "forged")]
    if is_proposed:
        await propose(market, phone, scan, is_paid=True)
    undo, again = phone.undo(scan, market.at(minutes=5)), phone.undo(scan, market.at(minutes=6))

    assert told(await phone.sync(market.at(hours=9), [undo])) == [UNDONE]
    assert told(await phone.sync(market.at(hours=9), [undo, again])) == [("already", "undone"), UNDONE]

    assert await reviews(market) == ()
    [closed] = await reviews(market, is_open=False)
    assert (closed.is_paid, closed.decided_by, closed.undone_at) == (False, None, market.at(minutes=5).now)
    for one in (propose(market, phone, scan, is_paid=True), decide(market, phone, scan)):
        with pytest.raises(redemption.ReviewDecided):
            await one
    assert await uses(market, voucher_id) == []


async def test_an_undo_beside_the_decision_leaves_nothing_paid(fresh_market: Market):
    """The race itself: whoever has the voucher first. Paid first, the use is taken back; undone first, nothing is decided."""
    market = fresh_market
    phone, voucher_id = await with_a_voucher(market, pieces=3)
    for _ in range(3):
        scan = phone.scan(voucher_id, market, fault="forged")
        await phone.sync(market)
        await propose(market, phone, scan, is_paid=True)
        phone.undo(scan, market)

        said, decided = await asyncio.gather(phone.sync(market), decide(market, phone, scan), return_exceptions=True)

        assert not isinstance(said, BaseException), said
        assert told(said) == [UNDONE]
        assert decided is None or isinstance(decided, redemption.ReviewDecided)
    assert set(await uses(market, voucher_id)) <= {redemption.UseState.REVERSED}
    assert await reviews(market) == ()
    assert await market.faults() == []


async def test_what_people_decided_stays_decided(market: Market):
    phone, voucher_id = await with_a_voucher(market)
    scan = phone.scan(voucher_id, market, fault="forged")
    await phone.sync(market)
    await propose(market, phone, scan, is_paid=False)
    await decide(market, phone, scan)
    phone.undo(scan, market)

    assert told(await phone.sync(market)) == [UNDONE], "it was not paid"
    [closed] = await reviews(market, is_open=False)
    assert closed.decided_by == market.finance


async def test_what_a_lost_phone_takes_back_is_seen_by_who_decides(market: Market):
    phone, voucher_id = await with_a_voucher(market)
    scan = phone.scan(voucher_id, market, fault="forged")
    await phone.sync(market)
    async with market.sessions.begin() as session:
        await redemption.revoke_device(session, market.book, phone.device_id, actor_id=market.staff, now=market.now)
    phone.undo(scan, market.at(minutes=5))

    assert told(await phone.sync(market.at(hours=1))) == [("conflict", "undo_late")]

    [held] = await reviews(market)
    assert (held.reason, held.undone_at) == ("forged", market.at(minutes=5).now)


async def test_taken_back_in_time_it_does_not_matter_when_the_network_came_back(market: Market):
    """Scanned with a network whose answer was lost, undone five minutes later, and told two hours later."""
    phone, voucher_id = await with_a_voucher(market)
    scan = phone.scan(voucher_id, market)
    await market.scan(voucher_id, nonce=scan["nonce"], device=phone.device_id)
    phone.undo(scan, market.at(minutes=59))

    assert told(await phone.sync(market.at(hours=30))) == [("already", "accepted"), UNDONE]

    assert await uses(market, voucher_id) == [redemption.UseState.REVERSED]
    assert await market.faults() == []


async def test_settled_meanwhile_people_look_at_the_undo(market: Market):
    phone, voucher_id = await with_a_voucher(market)
    scan = phone.scan(voucher_id, market)
    await phone.sync(market)
    await market.at(hours=2).close()
    undo = phone.undo(scan, market.at(minutes=5))

    later = market.at(hours=3)
    assert told(await phone.sync(later)) == [("review", "undo_waits")]

    [held] = await reviews(market)
    assert (held.is_undo, held.voucher_id, held.value_fen) == (True, voucher_id, 1500)
    await propose(later, phone, undo, is_paid=True)
    assert await decide(later, phone, undo) is None
    assert await uses(market, voucher_id) == [redemption.UseState.SETTLED], "nothing is paid twice"
    assert await market.faults() == []


async def test_two_people_take_back_what_could_not_be_taken_back_by_itself(market: Market):
    phone, voucher_id = await with_a_voucher(market, pieces=5)
    scans = [phone.scan(voucher_id, market) for _ in range(4)]
    await phone.sync(market)
    undos = [phone.undo(scan, market.at(minutes=5)) for scan in scans]

    later = market.at(hours=3)
    assert told(await phone.sync(later)) == [UNDONE] * 3 + [("review", "undo_waits")], "three a day by itself"
    await propose(later, phone, undos[3], is_paid=False)
    back = await decide(later, phone, undos[3])

    assert back == redemption.UndoneUse(voucher_id, 4, market.li, market.barber)
    assert await uses(market, voucher_id) == [redemption.UseState.REVERSED] * 4
    assert (await market.voucher(voucher_id)).state is VoucherState.ISSUED
    assert await market.faults() == []


@pytest.mark.parametrize("differing", ["quantity", "voucher"])
async def test_what_differs_from_the_scan_with_a_network_is_held(market: Market, differing: str):
    phone, voucher_id = await with_a_voucher(market, pieces=3)
    other = await market.issue(await market.publish(offline_class=OfflineClass.LEASED, pieces=3))
    nonce = str(some_id())
    await market.scan(voucher_id, nonce=UUID(nonce), device=phone.device_id)
    told_voucher, pieces = (voucher_id, 2) if differing == "quantity" else (other, 1)
    record = phone.scan(told_voucher, market, nonce=nonce, quantity=pieces)

    assert told(await phone.sync(market)) == [("review", "use_differs")]

    await propose(market, phone, record, is_paid=True)
    await decide(market, phone, record)
    assert await uses(market, voucher_id) == [redemption.UseState.ACCEPTED], "the scan with a network stands"
    assert await uses(market, other) == []
    assert await market.faults() == []


async def test_a_late_record_does_not_break_the_chain_after_it(market: Market):
    phone, voucher_id = await with_a_voucher(market, pieces=5)
    first, second, third = (phone.scan(voucher_id, market) for _ in range(3))
    await phone.sync(market, [first])
    await phone.sync(market, [second])
    old = {**first, "nonce": str(some_id()), "hash": "ab" * 32}

    await phone.sync(market, [old])
    await phone.sync(market, [third])

    async with market.sessions.begin() as session:
        flags = await session.execute(
            text(
                "SELECT seq, flags FROM redemption.offline_record WHERE device_id = :device ORDER BY received_at, seq"
            ),
            {"device": phone.device_id},
        )
    assert sorted((seq, tuple(flags)) for seq, flags in flags) == [(1, ()), (1, ("fork",)), (2, ()), (3, ())]


async def test_both_stand_in_the_chain(market: Market):
    phone, voucher_id = await with_a_voucher(market)
    scan = phone.scan(voucher_id, market)
    undo = phone.undo(scan, market)
    last = phone.scan(voucher_id, market)
    assert [later["prev"] == earlier["hash"] for earlier, later in pairwise([scan, undo, last])] == [True, True]
    await phone.sync(market)
    await phone.take_lease()
    async with market.sessions.begin() as session:
        found = await redemption.device(session, market.book, phone.device_id, now=market.now)
    assert found is not None
    assert (found.uploaded, found.lease_frozen_reason) == (3, None)


async def test_several_pieces_at_one_scan(market: Market):
    phone, voucher_id = await with_a_voucher(market, pieces=5)
    back = phone.scan(voucher_id, market, quantity=2)
    phone.undo(back, market)
    phone.scan(voucher_id, market, quantity=3)

    assert told(await phone.sync(market)) == [UNDONE, UNDONE, ("accepted", "accepted")]

    voucher = await market.voucher(voucher_id)
    assert (voucher.state, voucher.quantity_used) == (VoucherState.PART_USED, 3)
    assert await market.faults() == []
