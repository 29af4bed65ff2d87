"""Who pays when a voucher has several pieces, or one phone uses it more than once."""

import pytest

from tests.redemption.market import Market
from tests.redemption.phones import Phone
from tests.redemption.test_offline_table import clean, roaming

pytestmark = pytest.mark.anyio


async def test_pieces_that_were_given_back_are_the_members_and_no_strike(market: Market):
    offer = await roaming(market, price_points=5, payable_fen=500)
    phone = await Phone(market, merchant_id=market.bakery).enrol()
    for _ in range(2):
        voucher_id = await market.issue(offer, quantity=3)
        await market.cancel(voucher_id, quantity=2)
        said = await phone.upload(voucher_id, market.at(hours=1), quantity=2)
        assert said == ("conflict", "cancelled_before", "member")
    assert (await market.voucher(await market.issue(offer))).offline_class == 2
    assert await clean(market)


async def test_more_pieces_than_a_voucher_ever_had_are_the_shops(market: Market):
    voucher_id = await market.issue(await roaming(market, price_points=5, payable_fen=500))
    phone = await Phone(market, merchant_id=market.bakery).enrol()

    assert await phone.upload(voucher_id, market.at(hours=1), quantity=2) == ("conflict", "above_floor", "merchant")

    assert await market.points() == 95
    assert await clean(market)


async def test_a_shop_that_took_some_of_the_pieces_did_not_take_the_others(market: Market):
    voucher_id = await market.issue(await roaming(market, price_points=5, payable_fen=500), quantity=3)
    one, two = await Phone(market).enrol(), await Phone(market, merchant_id=market.bakery).enrol()
    assert (await one.upload(voucher_id, market.at(hours=1)))[0] == "accepted"
    assert (await two.upload(voucher_id, market.at(hours=2), quantity=2))[0] == "accepted"

    said = await one.upload(voucher_id, market.at(hours=3), quantity=2)
    assert said == ("conflict", "used_elsewhere", "fund")
    assert await one.upload(voucher_id, market.at(hours=4)) == ("conflict", "used_here", "merchant"), "of three, four"
    assert await clean(market)


async def test_pieces_given_back_are_the_members_where_a_piece_was_used_too(market: Market):
    voucher_id = await market.issue(await roaming(market, price_points=5, payable_fen=500), quantity=3)
    phone = await Phone(market).enrol()
    await phone.upload(voucher_id, market.at(hours=1))
    await market.at(hours=3).cancel(voucher_id, quantity=2)

    assert await phone.upload(voucher_id, market.at(hours=4)) == ("conflict", "cancelled_before", "member")
    assert await clean(market)


async def test_paid_once_as_a_conflict_the_same_phone_is_not_paid_again(market: Market):
    voucher_id = await market.issue(await roaming(market))
    phone = await Phone(market, merchant_id=market.bakery).enrol()
    await market.scan(voucher_id)

    assert await phone.upload(voucher_id, market.at(hours=1)) == ("conflict", "used_online", "fund")
    assert await phone.upload(voucher_id, market.at(hours=2)) == ("conflict", "used_here", "merchant")


async def test_the_same_device_twice_is_the_shops_own(market: Market):
    voucher_id = await market.issue(await roaming(market))
    phone = await Phone(market).enrol()
    await phone.upload(voucher_id)

    assert await phone.upload(voucher_id, market.at(hours=2)) == ("conflict", "used_here", "merchant")
