"""A voucher for five meals: used in parts, given back in parts, and the parts always add up."""

from collections import Counter

import pytest

import redemption
from redemption import VoucherState
from tests.db import Database
from tests.redemption.crowd import all_at_once, without_lock
from tests.redemption.market import Market, account, some_id

pytestmark = pytest.mark.anyio

MEALS = {"title": "午餐五次", "pieces": 5, "price_points": 8, "subsidy_points": 3, "payable_fen": 1200}


async def test_one_voucher_has_as_many_pieces_as_its_offer_says(market: Market) -> None:
    voucher = await market.voucher(await market.issue(await market.publish(**MEALS)))

    assert (voucher.quantity_total, voucher.quantity_open, voucher.points_each) == (5, 5, 5)
    assert await market.points() == 100 - 5 * 5
    assert await market.balance("escrow") == 5 * 8 * 100
    assert await market.balance("escrow", "fen") == 5 * 1200
    assert await market.faults() == []


async def test_meals_are_eaten_given_up_and_taken_back_one_by_one(market: Market) -> None:
    meals = await market.publish(**MEALS)
    voucher_id = await market.issue(meals)
    await market.scan(voucher_id, quantity=2)

    key = some_id()
    back = await market.cancel(voucher_id, quantity=1, key=key)

    assert (back.state, back.quantity, back.points) == (VoucherState.PART_USED, 1, 5)
    assert (await market.cancel(voucher_id, quantity=1, key=key)).replayed
    voucher = await market.voucher(voucher_id)
    assert (voucher.quantity_used, voucher.quantity_returned, voucher.quantity_open) == (2, 1, 2)
    assert await market.points() == 100 - 4 * 5
    assert await market.balance("escrow") == 2 * 8 * 100
    assert (await market.offer(meals)).stock_taken == 4
    assert await market.faults() == []

    assert (await market.reverse(voucher_id)).voucher_state is VoucherState.ISSUED
    assert await market.balance("escrow") == 4 * 8 * 100
    assert await market.faults() == []
    await market.scan(voucher_id, quantity=3)
    rest = await market.cancel(voucher_id)
    assert (rest.state, rest.quantity, rest.points) == (VoucherState.CANCELLED, 1, 5)
    assert await market.points() == 100 - 3 * 5
    assert await market.balance(account("merchant", market.barber)) == 3 * 8 * 100
    assert await market.faults() == []


async def test_giving_up_all_that_is_open_ends_it(market: Market) -> None:
    voucher_id = await market.issue(await market.publish(**MEALS))

    assert (await market.cancel(voucher_id, quantity=4)).state is VoucherState.ISSUED
    assert (await market.cancel(voucher_id, quantity=1)).state is VoucherState.CANCELLED
    assert await market.points() == 100
    assert await market.faults() == []


@pytest.mark.parametrize("quantity", [-1, 0, 6])
async def test_no_more_goes_back_than_there_is(market: Market, quantity: int) -> None:
    voucher_id = await market.issue(await market.publish(**MEALS))

    with pytest.raises(redemption.QuantityWrong) as refused:
        await market.cancel(voucher_id, quantity=quantity)

    assert refused.value.open == 5
    assert (await market.scan(voucher_id, quantity=6)).verdict == "quantity_wrong"


@pytest.mark.parametrize("terms", [{"pieces": 0}, {"pieces": 101}, {"pieces": 11}, {"pieces": 2, "per_member_cap": 1}])
async def test_an_offer_has_enough_for_one_voucher(market: Market, terms: dict[str, object]) -> None:
    with pytest.raises(redemption.OfferWrong):
        await market.publish(**terms)


async def test_the_cap_and_the_stock_count_pieces(market: Market) -> None:
    meals = await market.publish(**MEALS, per_member_cap=9)
    await market.issue(meals)

    with pytest.raises(redemption.MemberCap):
        await market.issue(meals)
    with pytest.raises(redemption.OutOfStock):
        await market.issue(await market.publish(**MEALS, stock_total=5), quantity=6)


async def ten_hands_on_five_meals(market: Market, database: Database) -> Counter[str]:
    voucher_id = await market.issue(await market.publish(**MEALS))
    scans = [market.scan(voucher_id, device=some_id()) for _ in range(5)]
    returns = [market.cancel(voucher_id, quantity=1) for _ in range(5)]
    hands = [hand for pair in zip(scans, returns, strict=True) for hand in pair]
    answers = await all_at_once(database, hands)
    done = [
        answer.verdict if isinstance(answer, redemption.Scan) else type(answer).__name__.lower() for answer in answers
    ]
    voucher = await market.voucher(voucher_id)
    assert voucher.quantity_used + voucher.quantity_returned + voucher.quantity_open == 5
    return Counter(done)


async def test_ten_hands_share_five_meals(fresh_market: Market, fresh_database: Database) -> None:
    done = await ten_hands_on_five_meals(fresh_market, fresh_database)

    assert done["redeemed"] + done["ended"] == 5
    assert done.keys() <= {"redeemed", "ended", "used", "vouchercancelled", "cancelled", "voucherused"}
    assert await fresh_market.faults() == []


async def test_without_the_vouchers_lock_somebody_meets_the_wall(
    fresh_market: Market, fresh_database: Database
) -> None:
    await without_lock(fresh_database, "ending", "lock_voucher")

    done = await ten_hands_on_five_meals(fresh_market, fresh_database)

    # The history's key and the escrow are the second wall: nothing is paid twice, but somebody gets no proper answer.
    assert done.keys() & {"integrityerror", "dbapierror", "ledgerrefused"}
    assert await fresh_market.balance("escrow") >= 0
