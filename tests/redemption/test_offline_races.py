"""Many phones at once, the same record again and again, uploads that break off: each scan counts once."""

import asyncio
from collections import Counter

import pytest

import redemption
from redemption import OfflineClass
from tests.db import Database
from tests.redemption.crowd import one_after_another
from tests.redemption.market import Market, account, some_id
from tests.redemption.phones import Phone

pytestmark = pytest.mark.anyio


async def test_thirty_two_phones_at_one_voucher(fresh_market: Market):
    offer = await fresh_market.publish(offline_class=OfflineClass.ROAMING, price_points=1, payable_fen=100)
    voucher_id = await fresh_market.issue(offer)
    phones = [await Phone(fresh_market).enrol() for _ in range(32)]
    for phone in phones:
        phone.scan(voucher_id, fresh_market.at(hours=1))

    answers = await asyncio.gather(*(phone.sync(fresh_market.at(hours=2)) for phone in phones))

    verdicts = Counter((each[0]["verdict"], each[0]["reason"]) for each in answers)
    assert verdicts == {("accepted", "accepted"): 1, ("conflict", "used_elsewhere"): 31}
    assert await fresh_market.balance(account("merchant", fresh_market.barber), "fen") == 3200
    assert await fresh_market.faults() == []


@pytest.mark.parametrize("pieces", [1, 3])
async def test_the_same_record_sixteen_times_at_once(fresh_market: Market, pieces: int):
    voucher_id = await fresh_market.issue(
        await fresh_market.publish(offline_class=OfflineClass.ROAMING, payable_fen=100), quantity=pieces
    )
    phone = await Phone(fresh_market).enrol()
    record = phone.scan(voucher_id, fresh_market.at(hours=1))
    later = fresh_market.at(hours=2)

    online = fresh_market.scan(voucher_id, nonce=record["nonce"], device=phone.device_id)
    answers, _ = await asyncio.gather(asyncio.gather(*(phone.sync(later, [record]) for _ in range(15))), online)

    synced = Counter(each[0]["verdict"] for each in answers)
    assert synced["accepted"] + synced["already"] == 15
    assert synced["accepted"] <= 1
    voucher = await fresh_market.voucher(voucher_id)
    assert voucher.quantity_used == 1
    assert await fresh_market.faults() == []


async def test_a_scan_elsewhere_that_began_before_the_lease_is_seen_by_its_list(fresh_market: Market):
    """The race itself: a phone takes the lease while another counter scans. Never may both have the voucher."""
    offer = await fresh_market.publish(offline_class=OfflineClass.LEASED, price_points=1, stock_total=40)
    for _ in range(10):
        voucher_id = await fresh_market.issue(offer)
        phone = await Phone(fresh_market).enrol()

        async def leased(phone: Phone = phone) -> list[int]:
            await phone.take_lease()
            return await phone.listed()

        scan, listed = await asyncio.gather(fresh_market.scan(voucher_id), leased())

        assert scan.is_accepted != (voucher_id in listed)
        await phone.return_lease()


@pytest.mark.parametrize("first", ["lock", "lease"])
async def test_a_lock_and_a_lease_never_both_have_a_voucher(
    fresh_market: Market, fresh_database: Database, first: str
) -> None:
    """A counter locks while a phone of the same shop takes the lease and its list.

    Both wait for the voucher's row; the lease is granted before either gets it. So the phone has the voucher and the
    lock, which looks again once it has the row, has not: whoever of the two was there first.
    """
    offer = await fresh_market.publish(offline_class=OfflineClass.LEASED, price_points=1)
    voucher_id = await fresh_market.issue(offer)
    phone = await Phone(fresh_market).enrol()

    async def leased() -> list[int]:
        await phone.take_lease()
        return await phone.listed()

    racers = {"lock": fresh_market.lock(voucher_id, device=some_id()), "lease": leased()}
    order = [racers.pop(first), *racers.values()]
    answers = await one_after_another(fresh_database, order, holding="SELECT FROM redemption.voucher FOR UPDATE")

    locked, listed = answers if first == "lock" else reversed(answers)
    assert isinstance(locked, redemption.VoucherLeased)
    assert listed == [voucher_id]
    assert await fresh_market.faults() == []


async def test_what_is_locked_before_a_lease_is_not_in_its_list_and_whoever_locked_it_uses_it(market: Market) -> None:
    offer = await market.publish(offline_class=OfflineClass.LEASED, price_points=1)
    locked, free = await market.issue(offer), await market.issue(offer)
    lock = await market.lock(locked, device=some_id())
    phone = await Phone(market).enrol()
    await phone.take_lease()

    assert await phone.listed() == [free]
    assert (await market.scan(locked)).verdict == "locked"
    assert (await market.scan_locked(locked, lock.token)).verdict == "redeemed"
    assert (await market.scan(free)).verdict == "leased"
    assert await market.faults() == []


async def test_while_a_phone_has_the_lease_only_that_phone_locks(market: Market) -> None:
    voucher_id = await market.issue(await market.publish(offline_class=OfflineClass.LEASED, price_points=1))
    phone = await Phone(market).enrol()
    await phone.take_lease()

    for device in (None, some_id()):
        with pytest.raises(redemption.VoucherLeased):
            await market.lock(voucher_id, device=device)
    lock = await market.lock(voucher_id, device=phone.device_id)
    await market.unlock(voucher_id, token=lock.token)
    await phone.return_lease()
    await market.lock(voucher_id)
    assert await market.faults() == []


async def test_an_upload_that_breaks_off_half_way_goes_on(market: Market):
    offer = await market.publish(offline_class=OfflineClass.ROAMING, price_points=1, payable_fen=10, stock_total=20)
    phone = await Phone(market).enrol()
    for _ in range(12):
        phone.scan(await market.issue(offer), market.at(hours=1))
    everything = list(phone.queue)

    await phone.sync(market.at(hours=2), everything[:5])
    answers = await phone.sync(market.at(hours=3), everything)

    assert [each["verdict"] for each in answers] == ["already"] * 5 + ["accepted"] * 7
    assert phone.queue == []
    assert await market.faults() == []


async def test_a_poison_record_among_good_ones_stays_and_is_no_gap(market: Market):
    offer = await market.publish(offline_class=OfflineClass.LEASED, price_points=1)
    phone = await Phone(market).enrol()
    await phone.take_lease()
    vouchers = [await market.issue(offer) for _ in range(3)]
    phone.scan(vouchers[0])
    phone.scan(vouchers[1], quantity=0)
    phone.scan(vouchers[2])

    answers = await phone.sync(market.at(hours=1))

    assert [each["verdict"] for each in answers] == ["accepted", "accepted"]
    assert [each["quantity"] for each in phone.queue] == [0]
    assert not (await phone.take_lease(market.at(hours=2))).is_frozen


async def test_a_gap_is_recorded_and_freezes_the_lease(market: Market):
    offer = await market.publish(offline_class=OfflineClass.LEASED, price_points=1)
    voucher_id = await market.issue(offer)
    phone = await Phone(market).enrol()
    await phone.take_lease()
    phone.seq = 7

    [answer] = [await phone.upload(voucher_id, market.at(hours=1))]

    assert answer == ("accepted", "accepted", None)
    lease = await phone.take_lease(market.at(hours=3))
    assert lease.is_frozen


async def test_a_cancelled_voucher_waits_for_the_lease_and_a_use_ends_it(market: Market):
    offer = await market.publish(offline_class=OfflineClass.LEASED)
    used, unused = await market.issue(offer), await market.issue(offer)
    phone = await Phone(market).enrol()
    await phone.take_lease()
    phone.scan(used, market.at(hours=1))
    for voucher_id in (used, unused):
        await market.at(hours=2).cancel(voucher_id)
    assert await market.points() == 60

    [answer] = await phone.sync(market.at(hours=3))
    await phone.take_lease(market.at(hours=3))
    async with market.sessions.begin() as session:
        round_ = await redemption.end_cancelling(session, market.book, now=market.at(hours=4).now)

    assert answer["verdict"] == "accepted"
    assert [each.voucher_id for each in round_.expired] == [unused]
    assert await market.points() == 80
    assert await market.faults() == []
