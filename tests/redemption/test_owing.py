"""Whoever owes for a voucher used twice is good online only, with what they hold already as with what they take."""

import pytest

import ledger
import redemption
from tests.redemption.market import Market, account
from tests.redemption.phones import Phone
from tests.redemption.test_offline_table import roaming

pytestmark = pytest.mark.anyio


async def told(market: Market, *, is_first: bool = False) -> tuple[int, ...]:
    """What a phone hears that it may not take: one that heard us a moment ago, or for the first time."""
    async with market.sessions.begin() as session:
        after = None if is_first else market.now
        return await redemption.revoked_since(session, market.book, after=after, now=market.now)


@pytest.mark.parametrize("price", [80, 5])
async def test_phones_hear_of_what_who_owes_holds_until_it_is_paid(market: Market, price: int) -> None:
    """With price 80 most of the second use is owed; with price 5 there are points for it, and one strike alone is none of it."""
    held = await market.issue(await roaming(market, price_points=5))
    twice = await market.issue(await roaming(market, price_points=price))
    assert held not in await told(market)
    one, two = await Phone(market).enrol(), await Phone(market, merchant_id=market.bakery).enrol()
    await one.upload(twice)
    assert (await two.upload(twice))[1] == "used_elsewhere"
    owed = -await market.balance(account("owed", market.li))
    assert (owed > 0) == (price == 80)

    assert (held in await told(market)) == (price == 80)
    assert (held in await told(market, is_first=True)) == (price == 80)

    if owed:
        legs = (ledger.Leg("issued", account("owed", market.li), "point", owed),)
        async with market.sessions.begin() as session:
            await ledger.post(session, market.book, ledger.Journal("paid", "opening", legs, None), now=market.now)
    assert held not in await told(market, is_first=True)
