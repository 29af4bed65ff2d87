"""Held records are paid by the table of who bears them; leases, times and locks that a phone cannot stretch."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

import redemption
from redemption import OfflineClass, VoucherState
from tests.redemption.market import Market, account, some_id
from tests.redemption.phones import TERMS, Phone, Record

pytestmark = pytest.mark.anyio

ROAMING, LEASED = OfflineClass.ROAMING, OfflineClass.LEASED


async def roaming(market: Market, **changed: object) -> int:
    shops = (market.barber, market.bakery)
    return await market.issue(await market.publish(**{"offline_class": ROAMING, "merchant_ids": shops, **changed}))


async def paid(market: Market, phone: Phone, record: Record, *, actor: UUID | None = None) -> None:
    async with market.sessions.begin() as session:
        await redemption.propose_review(
            session,
            market.book,
            phone.device_id,
            UUID(record["nonce"]),
            is_paid=True,
            note="seen on the camera",
            actor_id=market.staff,
            now=market.now,
        )
    async with market.sessions.begin() as session:
        await redemption.decide_review(
            session,
            market.book,
            phone.device_id,
            UUID(record["nonce"]),
            is_agreed=True,
            actor_id=actor or market.finance,
            month_on=TERMS.month_on,
            now=market.now,
        )


async def held(market: Market, phone: Phone, voucher_id: int, **changed: object) -> Record:
    """Scanned an hour later by somebody unknown, and so held."""
    record = phone.scan(voucher_id, market.at(hours=1), clerk=str(some_id()), is_clerk=False, **changed)
    [said] = await phone.sync(market.at(hours=2))
    assert said["verdict"] == "review"
    return record


async def borne(market: Market, voucher_id: int) -> list[tuple[str, str | None]]:
    async with market.sessions.begin() as session:
        found = await session.execute(
            text("SELECT state, bearer FROM redemption.use WHERE voucher_id = :id ORDER BY seq"),
            {"id": voucher_id},
        )
        return [(row.state, row.bearer) for row in found]


async def test_what_a_stopped_voucher_holds_is_not_paid_by_the_fund(market: Market) -> None:
    """Its points lie in escrow: let go it pays the shop itself, and nobody pays twice for it."""
    voucher_id, phone = await roaming(market), await Phone(market).enrol()
    record = await held(market, phone, voucher_id)
    await market.at(hours=2).freeze(voucher_id)

    with pytest.raises(redemption.VoucherFrozen):
        await paid(market.at(hours=3), phone, record)
    assert await market.balance(account("merchant", market.barber), "fen") == 0

    await market.at(hours=4).unfreeze(voucher_id)
    await paid(market.at(hours=5), phone, record)
    assert await borne(market, voucher_id) == [("ACCEPTED", None)]
    assert await market.faults() == []


async def test_what_another_counter_keeps_is_not_paid_by_the_fund(market: Market) -> None:
    voucher_id, phone = await roaming(market), await Phone(market).enrol()
    record = await held(market, phone, voucher_id)
    lock = await market.at(hours=2).lock(voucher_id, hours=5, merchant=market.bakery)
    with pytest.raises(redemption.VoucherLocked):
        await paid(market.at(hours=3), phone, record)
    await market.at(hours=3).unlock(voucher_id, token=lock.token)
    await paid(market.at(hours=5), phone, record)
    assert await borne(market, voucher_id) == [("ACCEPTED", None)]
    assert await market.faults() == []


async def test_stopped_a_day_before_with_the_phone_online_since_is_the_shops_own(market: Market) -> None:
    voucher_id, phone = await roaming(market), await Phone(market).enrol()
    await market.freeze(voucher_id)
    phone.hears(market.at(hours=1).now)
    record = phone.scan(voucher_id, market.at(hours=30), clerk=str(some_id()), is_clerk=False)
    await phone.sync(market.at(hours=31))
    with pytest.raises(redemption.ReviewShopsOwn):
        await paid(market.at(hours=32), phone, record)


async def test_given_up_before_the_scan_the_member_bears_it(market: Market) -> None:
    voucher_id, phone = await roaming(market), await Phone(market).enrol()
    record = await held(market, phone, voucher_id)
    await market.at(hours=2).cancel(voucher_id)
    await paid(market.at(hours=3), phone, record)
    assert await borne(market, voucher_id) == [("CONFLICT", "member")]
    assert await market.points() == 80
    assert await market.faults() == []


async def test_used_elsewhere_the_member_owes_and_has_a_strike(market: Market) -> None:
    for _ in range(2):
        voucher_id, phone = await roaming(market, price_points=5), await Phone(market).enrol()
        await market.scan(voucher_id, merchant=market.bakery)
        await paid(market.at(hours=3), phone, await held(market, phone, voucher_id))
        assert await borne(market, voucher_id) == [("ACCEPTED", None), ("CONFLICT", "fund")]
    assert await market.points() == 80
    assert (await market.voucher(await roaming(market))).offline_class == 0
    assert await market.faults() == []


async def test_taken_twice_by_the_same_shops_phone_is_its_own(market: Market) -> None:
    voucher_id, phone = await roaming(market), await Phone(market).enrol()
    phone.scan(voucher_id, market)
    await phone.sync(market)
    record = await held(market, phone, voucher_id)
    with pytest.raises(redemption.ReviewShopsOwn):
        await paid(market.at(hours=3), phone, record)


async def test_nobody_decides_about_their_own_voucher(market: Market) -> None:
    voucher_id, phone = await roaming(market), await Phone(market).enrol()
    record = await held(market, phone, voucher_id)
    with pytest.raises(redemption.OwnVoucher):
        await paid(market.at(hours=3), phone, record, actor=market.li)


async def test_a_lease_of_other_offers_is_none(market: Market) -> None:
    """The other phone has the haircut under its lease; this one's lease of another offer does not make it its own."""
    haircut = await market.publish(offline_class=LEASED, merchant_ids=(market.barber, market.bakery))
    holder = await Phone(market).enrol()
    await holder.take_lease()
    await market.publish(offline_class=LEASED, merchant_ids=(market.bakery,))
    other = await Phone(market, merchant_id=market.bakery).enrol()
    await other.take_lease()
    voucher_id = await market.issue(haircut)

    assert await other.upload(voucher_id, market.at(hours=1)) == ("conflict", "lease_unknown", "merchant")
    assert await holder.upload(voucher_id, market.at(hours=1)) == ("accepted", "accepted", None)
    assert (await other.take_lease(market.at(hours=3))).is_frozen
    assert await market.faults() == []


async def test_an_offer_that_came_under_the_lease_later_is_covered_from_then_on(market: Market) -> None:
    await market.publish(offline_class=LEASED)
    phone = await Phone(market).enrol()
    await phone.take_lease()
    voucher_id = await market.issue(await market.publish(offline_class=LEASED))
    phone.scan(voucher_id, market.at(hours=1))
    await phone.take_lease(market.at(hours=2))
    [said] = await phone.sync(market.at(hours=3))
    assert (said["reason"], said["bearer"]) == ("lease_unknown", "merchant")


async def test_late_records_of_a_lease_that_is_over_are_judged_by_what_it_had(market: Market) -> None:
    offer = await market.publish(offline_class=LEASED)
    voucher_id, phone = await market.issue(offer), await Phone(market).enrol()
    await phone.take_lease()
    assert await phone.upload(voucher_id, market.at(hours=70), later=timedelta(hours=90)) == (
        "accepted",
        "accepted",
        None,
    )


async def test_a_record_written_after_a_sync_is_not_scanned_before_it(market: Market) -> None:
    """The phone heard of the expiry and puts its clock back: what it writes then is not in time."""
    voucher_id, phone = await roaming(market), await Phone(market).enrol()
    await phone.sync(market.at(days=7, hours=1))
    early = int(market.at(days=6).now.timestamp() * 1000)

    answer = await phone.upload(voucher_id, market.at(days=7, hours=2), trusted_at=early, mono=None)

    assert answer == ("conflict", "expired", "merchant")


async def test_what_was_written_before_a_sync_that_brought_only_a_part_keeps_its_time(market: Market) -> None:
    phone = await Phone(market).enrol()
    first, second = await roaming(market), await roaming(market)
    records = [phone.scan(each, market.at(days=6)) for each in (first, second)]
    await phone.sync(market.at(days=7, hours=1), records[:1])
    [said] = await phone.sync(market.at(days=7, hours=2), records[1:])
    assert (said["verdict"], said["reason"]) == ("accepted", "accepted")


async def test_what_is_left_after_a_use_under_a_lock_has_the_days_it_had(market: Market) -> None:
    voucher_id = await market.issue(await market.publish(pieces=2), quantity=2)
    before = await market.voucher(voucher_id)
    last = market.at(days=6, hours=23)
    lock = await last.lock(voucher_id, hours=3)
    scan = await last.at(hours=2).scan_locked(voucher_id, lock.token)
    assert scan.verdict == "redeemed"
    after = await market.voucher(voucher_id)
    assert (after.state, after.expires_at, after.due_at) == (VoucherState.PART_USED, before.expires_at, before.due_at)
    assert (await last.at(hours=3).scan(voucher_id)).verdict == "expired"
    assert await market.faults() == []


async def test_an_old_return_ends_no_newer_lease(market: Market) -> None:
    await market.publish(offline_class=LEASED)
    phone = await Phone(market).enrol()
    old = await phone.take_lease()
    await phone.return_lease()
    new = await phone.take_lease(market.at(hours=1))
    async with market.sessions.begin() as session:
        await redemption.return_lease(
            session, market.book, phone.device_id, seq=0, lease_id=old.lease_id, now=market.at(hours=2).now
        )
    async with market.sessions.begin() as session:
        found = await redemption.device(session, market.book, phone.device_id, now=market.at(hours=2).now)
    assert found is not None
    assert found.lease_id == new.lease_id
    async with market.sessions.begin() as session:
        await redemption.return_lease(
            session, market.book, phone.device_id, seq=0, lease_id=new.lease_id, now=market.at(hours=3).now
        )
        found = await redemption.device(session, market.book, phone.device_id, now=market.at(hours=3).now)
    assert found is not None
    assert found.lease_id is None
