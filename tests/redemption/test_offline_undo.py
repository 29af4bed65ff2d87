"""A scan without a network that the phone takes back by a record of its own."""

from itertools import pairwise

import pytest

import redemption
from redemption import OfflineClass, VoucherState
from tests.redemption.market import Market, account
from tests.redemption.phones import Phone

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
    phone.undo(second, market)

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


async def test_what_was_answered_otherwise_stays_so(market: Market):
    phone, voucher_id = await with_a_voucher(market)
    scan = phone.scan(voucher_id, market, fault="forged")
    assert told(await phone.sync(market)) == [("review", "forged")]
    phone.undo(scan, market)
    assert told(await phone.sync(market)) == [("conflict", "undo_late")]


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
