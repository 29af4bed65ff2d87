"""The split of a price is frozen when a voucher is taken; a perk has nothing to split and is used and settled all the same."""

import pytest

import redemption
from redemption import OfferKind, VoucherState
from tests.redemption.market import Market, account, some_id

pytestmark = pytest.mark.anyio

PERK = {"kind": OfferKind.ENTITLEMENT, "price_points": 0, "requires": ("role:steward",)}


async def test_a_new_version_changes_no_voucher_of_the_old_one(market: Market) -> None:
    old = await market.publish(price_list_version="2025-11", subsidy_points=5, cash_fen=300)
    voucher_id = await market.issue(old)
    async with market.sessions.begin() as session:
        await redemption.withdraw_offer(
            session,
            market.book,
            old.offer_id,
            key=some_id(),
            reason="new prices",
            actor_id=market.staff,
            now=market.now,
        )
    await market.publish(price_list_version="2025-12", price_points=30, subsidy_points=0, cash_fen=900)

    used = (await market.scan(voucher_id)).detail

    assert (used["points"], used["subsidy_points"], used["payable_fen"], used["cash_fen"]) == (15, 5, 1500, 300)
    assert (await market.voucher(voucher_id)).price_list_version == "2025-11"
    batch = await market.at(hours=1).close()
    assert (batch.points, batch.subsidy_points, batch.payable_fen, batch.cash_fen) == (15, 5, 1500, 300)
    assert await market.faults() == []


async def test_a_discount_of_ones_own_is_frozen_and_the_shop_is_not_told_its_class(market: Market) -> None:
    haircut = await market.publish(subsidy_points=5)
    async with market.sessions.begin() as session:
        issued = await redemption.issue_voucher(
            session,
            market.book,
            key=some_id(),
            offer_id=haircut.offer_id,
            member_id=market.li,
            owner_group=market.household,
            subsidy_points=18,
            discount_class="orange",
            actor_id=market.li,
            grace_hours=0,
            now=market.now,
        )

    voucher = await market.voucher(issued.voucher_id)
    assert (voucher.points_each, voucher.subsidy_points_each, voucher.discount_class) == (2, 18, "orange")
    used = await market.scan(issued.voucher_id)
    assert (used.detail["points"], used.detail["subsidy_points"]) == (2, 18)
    assert "orange" not in repr(used)
    assert await market.points() == 98
    assert await market.faults() == []


@pytest.mark.parametrize("payable_fen", [0, 1500])
async def test_a_perk_costs_the_member_nothing_and_is_used_given_back_and_settled(
    market: Market, payable_fen: int
) -> None:
    perk = await market.publish(**PERK, payable_fen=payable_fen)
    used, undone, returned, expired = [await market.issue(perk, tags=("role:steward",)) for _ in range(4)]
    assert await market.points() == 100

    assert (await market.scan(used)).verdict == "redeemed"
    assert (await market.scan(used)).verdict == "used"
    await market.scan(undone)
    assert (await market.reverse(undone)).voucher_state is VoucherState.ISSUED
    assert (await market.cancel(returned)).points == 0
    batch = await market.at(hours=2).close()
    assert (batch.line_count, batch.points, batch.payable_fen) == (1, 0, payable_fen)
    assert {each.voucher_id for each in (await market.at(days=7).expire()).expired} == {undone, expired}

    assert await market.points() == 100
    assert await market.balance(account("merchant", market.barber), "fen") == payable_fen
    assert await market.faults() == []


@pytest.mark.parametrize(
    "wrong", [{"price_points": 1}, {"cash_fen": 1}, {"requires": ()}, {"is_giftable": True}], ids=str
)
async def test_what_costs_something_or_is_for_everybody_is_no_perk(market: Market, wrong: dict[str, object]) -> None:
    with pytest.raises(redemption.OfferWrong):
        await market.publish(**PERK | wrong)


async def test_whom_a_perk_is_not_for_does_not_get_it(market: Market) -> None:
    with pytest.raises(redemption.NotEligible):
        await market.issue(await market.publish(**PERK))
