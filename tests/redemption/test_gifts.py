"""A voucher given to another member: the promise changes hands, the points do not."""

from collections import Counter

import pytest

import redemption
from redemption import OfflineClass
from tests.db import Database
from tests.redemption.crowd import one_after_another, without_lock
from tests.redemption.market import Market, account, some_id

pytestmark = pytest.mark.anyio

MEALS = {"pieces": 3, "price_points": 8, "subsidy_points": 3, "payable_fen": 1200, "is_giftable": True}
OFFERS = "SELECT FROM redemption.offer FOR NO KEY UPDATE"


async def test_the_recipient_uses_it_and_what_is_left_goes_back_to_who_paid(market: Market) -> None:
    sun = await market.join(points=0)
    voucher_id = await market.issue(await market.publish(**MEALS))
    await market.scan(voucher_id)

    key = some_id()
    assert (await market.give(voucher_id, sun, key=key)) is False
    assert (await market.give(voucher_id, sun, key=key)) is True

    voucher = await market.voucher(voucher_id)
    assert (voucher.member_id, voucher.payer_id, voucher.quantity_open) == (sun, market.li, 2)
    assert await market.faults() == []
    assert (await market.scan(voucher_id, code_seq=1)).verdict == "code_outdated"
    assert (await market.scan(voucher_id, code_seq=2)).verdict == "redeemed"
    ended = await market.cancel(voucher_id)
    assert (ended.member_id, ended.points) == (market.li, 5)
    assert await market.points() == 100 - 2 * 5
    assert await market.points(sun) == 0
    assert await market.faults() == []


async def test_a_use_taken_back_after_the_gift_holds_the_givers_points_again(market: Market) -> None:
    sun = await market.join(points=0)
    voucher_id = await market.issue(await market.publish(**MEALS))
    await market.give(voucher_id, sun)
    await market.scan(voucher_id, quantity=3)
    await market.reverse(voucher_id)

    assert await market.points() == 100 - 3 * 5
    assert await market.balance(account("merchant", market.barber)) == 0
    assert await market.faults() == []
    assert len((await market.at(days=7).expire()).expired) == 1
    assert await market.points() == 100
    assert await market.faults() == []


async def test_neither_the_giver_nor_the_recipients_household_redeems_it(market: Market) -> None:
    sun = await market.join()
    voucher_id = await market.issue(await market.publish(**MEALS))
    await market.give(voucher_id, sun)

    for clerk in (sun, market.li):
        assert (await market.scan(voucher_id, clerk=clerk)).verdict == "own_voucher"


async def test_not_to_oneself_not_on_and_not_what_may_not_be_given(market: Market) -> None:
    sun, chen = await market.join(), await market.join()
    voucher_id = await market.issue(await market.publish(**MEALS))

    with pytest.raises(redemption.GiftToOneself):
        await market.give(voucher_id, market.li)
    await market.give(voucher_id, sun)
    with pytest.raises(redemption.GivenBefore):
        await market.give(voucher_id, chen, actor_id=sun)
    with pytest.raises(redemption.NotGiftable):
        await market.give(await market.issue(await market.publish()), sun)
    with pytest.raises(redemption.VoucherExpired):
        await market.at(days=7).give(await market.issue(await market.publish(**MEALS)), sun)
    with pytest.raises(redemption.OfferWrong):
        await market.publish(**MEALS, offline_class=OfflineClass.ROAMING)


async def test_only_to_whom_the_offer_is_for(market: Market) -> None:
    perk = await market.publish(**MEALS, requires=("role:steward",))
    voucher_id = await market.issue(perk, tags=("role:steward",))

    with pytest.raises(redemption.RecipientNotEligible):
        await market.give(voucher_id, await market.join(), tags=("role:volunteer",))
    await market.give(voucher_id, await market.join(), tags=("role:steward",))


async def test_a_gift_counts_against_the_givers_cap_and_not_the_recipients(market: Market) -> None:
    sun = await market.join()
    meals = await market.publish(**MEALS, per_member_cap=3)
    await market.give(await market.issue(meals), sun)

    with pytest.raises(redemption.MemberCap):
        await market.issue(meals)
    async with market.sessions.begin() as session:
        capped = await redemption.caps_reached(session, market.book, market.li, [meals.offer_id], now=market.now)
        free = await redemption.caps_reached(session, market.book, sun, [meals.offer_id], now=market.now)
    assert (meals.offer_id in capped, meals.offer_id in free) == (True, False)
    await market.issue(meals, member=sun)
    assert await market.faults() == []


async def two_gifts(market: Market, database: Database) -> Counter[str]:
    voucher_id = await market.issue(await market.publish(**MEALS))
    people = [await market.join(), await market.join()]
    gifts = [market.give(voucher_id, person) for person in people]
    answers = await one_after_another(database, gifts, holding=OFFERS)
    return Counter(type(answer).__name__ for answer in answers)


async def test_of_two_gifts_at_once_one_arrives(fresh_market: Market, fresh_database: Database) -> None:
    assert await two_gifts(fresh_market, fresh_database) == {"bool": 1, "GivenBefore": 1}
    assert await fresh_market.faults() == []


async def test_without_the_lock_the_second_meets_the_wall(fresh_market: Market, fresh_database: Database) -> None:
    await without_lock(fresh_database, "ending", "lock_voucher")
    voucher_id = await fresh_market.issue(await fresh_market.publish(**MEALS))
    people = [await fresh_market.join(), await fresh_market.join()]
    gifts = [fresh_market.give(voucher_id, person) for person in people]

    answers = await one_after_another(fresh_database, gifts, holding="SELECT FROM redemption.voucher FOR NO KEY UPDATE")

    # Both have looked before either has written; the history's key lets only one of them stand.
    assert sorted(type(answer).__name__ for answer in answers) == ["IntegrityError", "bool"]
