"""Who wins and who pays, row by row: uploads of scans that were made without a network."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

import redemption
from redemption import OfferTerms, OfflineClass, UseState, VoucherState
from tests.redemption.market import Market, account, some_id
from tests.redemption.phones import TERMS, Phone

pytestmark = pytest.mark.anyio

LEASED, ROAMING = OfflineClass.LEASED, OfflineClass.ROAMING


async def roaming(market: Market, **changed: object) -> OfferTerms:
    """Soy milk at both shops, on paper: 20 points, 15 yuan."""
    shops = (market.barber, market.bakery)
    return await market.publish(**{"offline_class": ROAMING, "merchant_ids": shops, **changed})


async def leased(market: Market) -> tuple[Phone, int]:
    """A haircut at the barber's, whose phone has the lease."""
    offer = await market.publish(offline_class=LEASED)
    voucher_id = await market.issue(offer)
    phone = await Phone(market).enrol()
    await phone.take_lease()
    return phone, voucher_id


async def clean(market: Market) -> bool:
    return await market.faults() == []


async def test_what_was_scanned_without_a_network_is_used(market: Market):
    phone, voucher_id = await leased(market)

    assert await phone.listed() == [voucher_id]
    assert await phone.upload(voucher_id, market.at(hours=5)) == ("accepted", "accepted", None)

    assert (await market.voucher(voucher_id)).state is VoucherState.USED
    [use] = await uses(market, voucher_id)
    assert use.scanned_at == market.at(hours=5).now
    assert use.received_at == market.at(hours=6).now
    assert await market.balance(account("merchant", market.barber), "fen") == 1500
    assert await clean(market)


async def uses(market: Market, voucher_id: int) -> tuple[redemption.Use, ...]:
    async with market.sessions.begin() as session:
        return await redemption.uses_of(session, market.book, voucher_id)


async def test_the_same_record_gets_the_same_answer_for_ever(market: Market):
    phone, voucher_id = await leased(market)
    record = phone.scan(voucher_id, market.at(hours=1))
    await phone.sync(market.at(hours=2))

    [again] = await phone.sync(market.at(days=40), [record])

    assert (again["verdict"], again["reason"]) == ("already", "accepted")
    assert len(await uses(market, voucher_id)) == 1
    assert await clean(market)


async def test_a_scan_whose_answer_was_lost_is_known(market: Market):
    phone, voucher_id = await leased(market)
    record = phone.scan(voucher_id, market)
    await market.scan(voucher_id, nonce=record["nonce"], device=phone.device_id)

    [answer] = await phone.sync(market.at(hours=1))

    assert (answer["verdict"], answer["reason"]) == ("already", "accepted")
    assert len(await uses(market, voucher_id)) == 1
    assert await clean(market)


async def test_two_devices_without_a_network_the_fund_pays_and_the_member_owes(market: Market):
    voucher_id = await market.issue(await roaming(market))
    one, two = await Phone(market).enrol(), await Phone(market, merchant_id=market.bakery).enrol()

    assert await one.upload(voucher_id, market.at(hours=1)) == ("accepted", "accepted", None)
    assert await two.upload(voucher_id, market.at(hours=1)) == ("conflict", "used_elsewhere", "fund")

    assert await market.balance(account("merchant", market.bakery), "fen") == 1500
    assert await market.balance("loss:offline", "fen") == -1500
    assert await market.points() == 60
    [_, conflict] = await uses(market, voucher_id)
    assert conflict.state is UseState.CONFLICT
    assert await clean(market)


async def test_what_the_member_has_not_got_is_owed_and_the_next_voucher_is_good_online_only(market: Market):
    voucher_id = await market.issue(await roaming(market, price_points=80))
    one, two = await Phone(market).enrol(), await Phone(market, merchant_id=market.bakery).enrol()
    await one.upload(voucher_id)

    await two.upload(voucher_id)

    assert await market.points() == 0
    assert await market.balance(account("owed", market.li)) == -6000
    free = await market.publish(offline_class=ROAMING, price_points=0)
    assert (await market.voucher(await market.issue(free))).offline_class == 0
    assert await clean(market)


async def test_after_the_second_strike_everything_is_online_only(market: Market):
    offer = await roaming(market, price_points=5)
    one, two = await Phone(market).enrol(), await Phone(market, merchant_id=market.bakery).enrol()
    held = await market.issue(offer)
    for strikes in (1, 2):
        voucher_id = await market.issue(offer)
        assert (await market.voucher(voucher_id)).offline_class == 2, strikes
        await one.upload(voucher_id)
        assert (await two.upload(voucher_id))[1] == "used_elsewhere"

    assert (await market.voucher(await market.issue(offer))).offline_class == 0
    async with market.sessions.begin() as session:
        assert held in await redemption.revoked_since(session, market.book, after=market.now, now=market.now)


async def test_online_first_the_fund_pays_inside_the_floor_and_the_member_owes(market: Market):
    voucher_id = await market.issue(await roaming(market))
    phone = await Phone(market, merchant_id=market.bakery).enrol()
    await market.scan(voucher_id)

    assert await phone.upload(voucher_id, market.at(hours=1)) == ("conflict", "used_online", "fund")

    assert await market.points() == 60
    assert await market.balance("loss:offline") == 0
    assert await clean(market)


async def test_used_twice_with_a_network_first_is_a_strike_as_without(market: Market):
    """Nobody uses vouchers at a counter with a network and then at one without, time and again."""
    offer = await roaming(market, price_points=5)
    one, two = await Phone(market).enrol(), await Phone(market, merchant_id=market.bakery).enrol()
    held = await market.issue(offer)
    said = []
    for is_online in (True, False):
        voucher_id = await market.issue(offer)
        assert (await market.voucher(voucher_id)).offline_class == 2
        if is_online:
            await market.scan(voucher_id)
        else:
            await one.upload(voucher_id)
        said.append((await two.upload(voucher_id))[1])
    assert said == ["used_online", "used_elsewhere"]

    assert (await market.voucher(await market.issue(offer))).offline_class == 0
    async with market.sessions.begin() as session:
        assert held in await redemption.revoked_since(session, market.book, after=market.now, now=market.now)
    assert await clean(market)


async def test_online_first_the_merchant_pays_above_the_floor(market: Market):
    voucher_id = await market.issue(await roaming(market, payable_fen=3001))
    phone = await Phone(market, merchant_id=market.bakery).enrol()
    await market.scan(voucher_id)

    assert await phone.upload(voucher_id, market.at(hours=1)) == ("conflict", "above_floor", "merchant")

    assert await market.balance(account("merchant", market.bakery), "fen") == 0
    assert await clean(market)


async def test_the_twenty_first_of_one_phone_without_us_is_above_the_floor(market: Market):
    offer = await roaming(market, payable_fen=10, price_points=1, stock_total=40)
    phone = await Phone(market).enrol()
    taken = [await market.issue(offer) for _ in range(20)]
    twice = await market.issue(offer)
    await market.scan(twice, merchant=market.bakery)
    for voucher_id in taken:
        phone.scan(voucher_id, market.at(hours=1))
    phone.scan(twice, market.at(hours=1))

    answers = await phone.sync(market.at(hours=2))

    assert [each["verdict"] for each in answers[:20]] == ["accepted"] * 20
    assert (answers[20]["reason"], answers[20]["bearer"]) == ("above_floor", "merchant")


async def test_a_phone_that_says_it_has_just_heard_of_us_has_no_new_floor(market: Market):
    offer = await roaming(market, payable_fen=10, price_points=1, stock_total=40)
    phone = await Phone(market).enrol()
    taken = [await market.issue(offer) for _ in range(20)]
    twice = await market.issue(offer)
    await market.scan(twice, merchant=market.bakery)
    for voucher_id in taken:
        phone.scan(voucher_id, market.at(hours=1))
    phone.scan(twice, market.at(hours=1, seconds=9), mono=0)

    answers = await phone.sync(market.at(hours=2))

    assert (answers[20]["reason"], answers[20]["bearer"]) == ("above_floor", "merchant")


async def test_cancelled_before_the_scan_the_refund_is_taken_back(market: Market):
    voucher_id = await market.issue(await roaming(market))
    phone = await Phone(market).enrol()
    await market.at(hours=1).cancel(voucher_id)
    assert await market.points() == 100

    assert await phone.upload(voucher_id, market.at(hours=2)) == ("conflict", "cancelled_before", "member")

    assert await market.points() == 80
    assert await market.balance(account("merchant", market.barber), "fen") == 1500
    assert (await market.voucher(voucher_id)).state is VoucherState.CANCELLED
    assert await clean(market)


async def test_what_the_phone_should_have_known_for_a_day_is_the_merchants(market: Market):
    voucher_id = await market.issue(await roaming(market))
    phone = await Phone(market).enrol()
    await market.freeze(voucher_id)
    phone.hears(market.at(hours=1).now)

    assert await phone.upload(voucher_id, market.at(hours=24)) == ("conflict", "revoked", "merchant")


@pytest.mark.parametrize(("heard_hours", "scanned_hours"), [(1, 23), (-1, 30)])
async def test_frozen_for_less_than_a_day_or_not_heard_of_is_held(market: Market, heard_hours: int, scanned_hours: int):
    voucher_id = await market.issue(await roaming(market))
    phone = await Phone(market).enrol()
    await market.freeze(voucher_id)
    phone.hears(market.at(hours=heard_hours).now)

    assert await phone.upload(voucher_id, market.at(hours=scanned_hours)) == ("review", "frozen", None)


async def test_expired_before_the_scan_is_the_merchants(market: Market):
    voucher_id = await market.issue(await roaming(market))
    phone = await Phone(market).enrol()

    assert await phone.upload(voucher_id, market.at(days=7)) == ("conflict", "expired", "merchant")


async def test_in_time_but_uploaded_in_the_grace_is_used(market: Market):
    phone, voucher_id = await leased(market)
    await phone.take_lease(market.at(days=6))

    almost = market.at(days=6, hours=23)
    assert (await phone.upload(voucher_id, almost, later=timedelta(days=3)))[0] == "accepted"
    assert await clean(market)


async def test_in_time_but_uploaded_after_the_rest_went_back_takes_the_refund_back(market: Market):
    voucher_id = await market.issue(await roaming(market))
    phone = await Phone(market).enrol()
    await market.at(days=10).expire()
    assert await market.points() == 100

    answer = await phone.upload(voucher_id, market.at(days=6), later=timedelta(days=5))

    assert answer == ("conflict", "expired_before", "member")
    assert await market.points() == 80
    assert (await market.voucher(voucher_id)).state is VoucherState.EXPIRED
    assert await clean(market)


async def test_a_lease_that_lapsed_is_the_merchants(market: Market):
    phone, voucher_id = await leased(market)

    assert await phone.upload(voucher_id, market.at(hours=72)) == ("conflict", "lease_over", "merchant")
    assert (await market.voucher(voucher_id)).state is VoucherState.ISSUED


async def test_an_unknown_lease_is_the_merchants_and_freezes_the_lease(market: Market):
    phone, voucher_id = await leased(market)

    answer = await phone.upload(voucher_id, market.at(hours=1), lease=str(some_id()))

    assert answer == ("conflict", "lease_unknown", "merchant")
    assert (await phone.take_lease(market.at(hours=3))).is_frozen


async def test_a_broken_lease_is_held(market: Market):
    phone, voucher_id = await leased(market)
    await break_lease(market.at(hours=1), phone)
    assert (await market.at(hours=1).scan(voucher_id)).is_accepted

    assert await phone.upload(voucher_id, market.at(minutes=30), later=timedelta(hours=5)) == (
        "review",
        "lease_broken",
        None,
    )
    assert await clean(market)


async def break_lease(market: Market, phone: Phone) -> None:
    assert phone.lease_id is not None
    async with market.sessions.begin() as session:
        await redemption.break_lease(
            session,
            market.book,
            phone.lease_id,
            key=some_id(),
            reason="fell into the soup",
            actor_id=market.staff,
            now=market.now,
        )


@pytest.mark.parametrize(
    ("changed", "reason"),
    [({"fault": "forged"}, "forged"), ({"clerk": str(some_id()), "is_clerk": False}, "clerk_unknown")],
)
async def test_what_is_not_genuine_is_held(market: Market, changed: dict[str, Any], reason: str):
    voucher_id = await market.issue(await roaming(market))
    phone = await Phone(market).enrol()

    assert await phone.upload(voucher_id, **changed) == ("review", reason, None)


async def test_a_voucher_that_nobody_issued_is_held(market: Market):
    phone = await Phone(market).enrol()

    assert await phone.upload(4711) == ("review", "unknown", None)


async def test_a_phone_that_was_revoked_is_held(market: Market):
    voucher_id = await market.issue(await roaming(market))
    phone = await Phone(market).enrol()
    async with market.sessions.begin() as session:
        await redemption.revoke_device(session, market.book, phone.device_id, actor_id=market.staff, now=market.now)

    assert await phone.upload(voucher_id) == ("review", "device_revoked", None)


async def test_uploaded_after_the_batch_was_closed_joins_the_next_with_its_own_date(market: Market):
    offer = await roaming(market)
    first, second = await market.issue(offer), await market.issue(offer)
    phone = await Phone(market).enrol()
    record = phone.scan(first, market.at(hours=1))
    await market.at(hours=2).scan(second)
    closed = await market.at(hours=3).close()

    await phone.sync(market.at(hours=4))
    following = await market.at(hours=5).close()

    assert (closed.line_count, following.line_count) == (1, 1)
    [use] = await uses(market, first)
    assert int(use.scanned_at.timestamp() * 1000) == record["trusted_at"]
    assert await clean(market)


async def test_a_conflict_that_is_paid_is_settled_too(market: Market):
    voucher_id = await market.issue(await roaming(market))
    one, two = await Phone(market).enrol(), await Phone(market, merchant_id=market.bakery).enrol()
    await one.upload(voucher_id)
    await two.upload(voucher_id)

    batch = await market.at(hours=5).close(market.bakery)

    assert (batch.points + batch.subsidy_points, batch.payable_fen) == (20, 1500)
    assert await clean(market)


async def test_more_than_thirty_days_late_is_held(market: Market):
    voucher_id = await market.issue(await roaming(market, voucher_days=60))
    phone = await Phone(market).enrol()

    answer = await phone.upload(voucher_id, market.at(hours=1), later=timedelta(days=30, seconds=1))

    assert answer == ("review", "too_late", None)


async def test_the_clerks_own_voucher_and_another_shops_are_the_merchants(market: Market):
    elsewhere = await market.issue(await market.publish(offline_class=ROAMING, merchant_ids=(market.bakery,)))
    own = await market.issue(await roaming(market))
    phone = await Phone(market).enrol()

    assert await phone.upload(elsewhere) == ("conflict", "wrong_merchant", "merchant")
    assert await phone.upload(own, group=str(market.household)) == ("conflict", "own_voucher", "merchant")


async def test_the_fund_loses_no_more_than_its_month_allows(market: Market):
    offer = await roaming(market, price_points=1)
    one, two = await Phone(market).enrol(), await Phone(market, merchant_id=market.bakery).enrol()
    terms = replace(TERMS, fen=2000, vouchers=50)
    verdicts = []
    for hour in (1, 2):
        voucher_id = await market.issue(offer)
        one.scan(voucher_id, market.at(hours=hour))
        await one.sync(market.at(hours=hour), terms=terms)
        two.hears(market.at(hours=hour).now)
        two.scan(voucher_id, market.at(hours=hour))
        verdicts += [each["reason"] for each in await two.sync(market.at(hours=hour), terms=terms)]

    assert verdicts == ["used_elsewhere", "fund_budget"]
    async with market.sessions.begin() as session:
        [lost] = await redemption.losses(session, market.book)
    assert (lost.lost_fen, lost.allowed_fen, lost.is_alarming) == (1500, 2000, True)
    assert await clean(market)
