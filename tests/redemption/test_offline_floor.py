"""Limits that change while phones are away: a record is judged by what its phone was told."""

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

import redemption
from redemption import Terms
from tests.redemption.market import Market, some_id
from tests.redemption.phones import TERMS, Phone
from tests.redemption.test_offline_table import clean, leased, roaming

pytestmark = pytest.mark.anyio

LOW = replace(TERMS, vouchers=2, fen=2000, voucher_fen=1500, loss_millionths=1_000_000)
HIGH = replace(TERMS, vouchers=30, fen=60_000, voucher_fen=5000)
FUND, MERCHANT = ("conflict", "used_online", "fund"), ("conflict", "above_floor", "merchant")


async def tell(phone: Phone, at: Market, terms: Terms) -> None:
    async with at.sessions.begin() as session:
        await redemption.tell_floor(session, at.book, phone.device_id, terms=terms, now=at.now)


async def used_online(market: Market, **changed: object) -> int:
    """A roaming voucher that another shop has used with a network."""
    voucher_id = await market.issue(await roaming(market, **changed))
    await market.scan(voucher_id)
    return voucher_id


async def judged(phone: Phone, market: Market, voucher_id: int, terms: Terms, *, hours: float) -> tuple[object, ...]:
    """Scanned so many hours after the market's time, uploaded an hour later, when these limits hold."""
    here = market.at(hours=hours)
    phone.scan(voucher_id, here)
    answer = (await phone.sync(here.at(hours=1), terms=terms))[-1]
    return answer["verdict"], answer["reason"], answer["bearer"]


async def test_a_limit_that_was_lowered_later_is_not_the_shops_risk(market: Market):
    voucher_id = await used_online(market, payable_fen=2500)
    phone = await Phone(market, merchant_id=market.bakery).enrol()
    await tell(phone, market, TERMS)

    assert await judged(phone, market, voucher_id, LOW, hours=100) == FUND
    assert await clean(market)


async def test_a_phone_that_was_told_of_the_lower_limit_is_held_to_it_when_no_older_word_can_be_in_use(market: Market):
    vouchers = [await used_online(market, payable_fen=2500) for _ in range(2)]
    phone = await Phone(market, merchant_id=market.bakery).enrol()
    await tell(phone, market, TERMS)
    await tell(phone, market.at(hours=10), LOW)

    # The answer with the lower limit may have been lost on the way: within 72 hours the phone may go on by the older one.
    assert await judged(phone, market, vouchers[0], LOW, hours=81) == FUND
    assert await judged(phone, market, vouchers[1], LOW, hours=82) == MERCHANT


async def test_a_higher_limit_counts_from_when_it_was_told_and_not_from_when_it_holds(market: Market):
    vouchers = [await used_online(market, payable_fen=4000) for _ in range(2)]
    phone = await Phone(market, merchant_id=market.bakery).enrol()
    await tell(phone, market, TERMS)

    assert await judged(phone, market, vouchers[0], HIGH, hours=1) == MERCHANT
    await tell(phone, market.at(hours=3), HIGH)
    assert await judged(phone, market, vouchers[1], HIGH, hours=4) == FUND


async def test_the_count_is_what_was_told_too(market: Market):
    offer = await roaming(market, payable_fen=10, price_points=1, stock_total=40)
    phone = await Phone(market).enrol()
    await tell(phone, market, LOW)
    taken = [await market.issue(offer) for _ in range(2)]
    twice = await market.issue(offer)
    await market.scan(twice, merchant=market.bakery)
    for voucher_id in [*taken, twice]:
        phone.scan(voucher_id, market.at(hours=1))

    answers = await phone.sync(market.at(hours=2), terms=HIGH)

    assert [each["verdict"] for each in answers[:2]] == ["accepted"] * 2
    assert answers[2]["reason"] == "above_floor"


async def test_the_same_limits_are_written_down_once(market: Market):
    phone = await Phone(market).enrol()
    for hours, terms in ((0, TERMS), (1, TERMS), (2, LOW), (3, LOW), (4, TERMS)):
        await tell(phone, market.at(hours=hours), terms)

    async with market.sessions() as session:
        told = await session.execute(sa.text("SELECT vouchers FROM redemption.device_floor ORDER BY given_at"))
        assert list(told.scalars()) == [20, 2, 20]


async def test_a_lease_that_is_out_is_not_made_shorter_and_the_next_one_is(market: Market):
    phone, voucher_id = await leased(market)
    later = market.at(hours=10)
    async with later.sessions.begin() as session:
        again = await redemption.take_lease(
            session, later.book, phone.device_id, lease_id=some_id(), hours=24, now=later.now
        )
    assert again.ends_at == market.now + timedelta(hours=72)
    assert await phone.upload(voucher_id, market.at(hours=60)) == ("accepted", "accepted", None)

    await phone.return_lease(market.at(hours=62))
    after = market.at(hours=63)
    async with after.sessions.begin() as session:
        short = await redemption.take_lease(
            session, after.book, phone.device_id, lease_id=some_id(), hours=24, now=after.now
        )
    assert short.ends_at == after.now + timedelta(hours=24)


async def test_the_month_may_lose_what_the_community_says(market: Market):
    """The budget is at least what one phone may take; here that is less than one voucher."""
    phone = await Phone(market, merchant_id=market.bakery).enrol()
    await tell(phone, market, TERMS)
    voucher_id = await used_online(market, payable_fen=2500)

    held = await judged(phone, market, voucher_id, replace(TERMS, fen=2000, loss_millionths=0), hours=1)

    assert held[:2] == ("review", "fund_budget")
