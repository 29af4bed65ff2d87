"""The life of a voucher, from the shop window to the bank."""

import pytest

import redemption
from redemption import VoucherState
from tests.redemption.market import Market, account, some_id

pytestmark = pytest.mark.anyio


async def test_a_voucher_is_taken_used_settled_and_paid(market: Market) -> None:
    haircut = await market.publish(subsidy_points=5, cash_fen=300)
    voucher_id = await market.issue(haircut, quantity=2)

    assert await market.points() == 100 - 2 * 15
    assert await market.balance("escrow") == 2 * 20 * 100
    assert await market.balance("escrow", "fen") == 3000

    scan = await market.scan(voucher_id)
    assert scan.verdict == "redeemed"
    assert scan.detail["title"] == "理发一次"
    assert (await market.voucher(voucher_id)).state is VoucherState.PART_USED
    assert (await market.scan(voucher_id)).verdict == "redeemed"
    voucher = await market.voucher(voucher_id)
    assert (voucher.state, voucher.quantity_open, voucher.last_merchant_id) == (VoucherState.USED, 0, market.barber)

    later = market.at(days=1)
    batch = await later.close()
    assert (batch.line_count, batch.points, batch.subsidy_points, batch.payable_fen, batch.cash_fen) == (
        2,
        30,
        10,
        3000,
        600,
    )
    await later.confirm(batch.settlement_id)
    await later.approve(batch.settlement_id)
    await later.pay(batch.settlement_id)

    paid = await market.settlement(batch.settlement_id)
    assert (paid.state, paid.paid_points, paid.paid_fen) == (redemption.SettlementState.PAID, 40, 3000)
    assert await market.balance(account("merchant", market.barber)) == 0
    assert await market.balance(account("merchant", market.barber), "fen") == 0
    assert await market.balance("paid", "fen") == 3000
    assert await market.balance("escrow") == 0
    assert await market.faults() == []


async def test_a_use_taken_back_leaves_everything_as_before(market: Market) -> None:
    haircut = await market.publish(subsidy_points=5)
    voucher_id = await market.issue(haircut, quantity=3)
    await market.scan(voucher_id)
    before = await market.points()

    key = some_id()
    undone = await market.at(minutes=59).reverse(voucher_id, key=key)

    assert undone.voucher_state is VoucherState.ISSUED
    assert await market.points() == before
    assert await market.balance("escrow") == 3 * 20 * 100
    assert await market.balance(account("merchant", market.barber)) == 0
    assert (await market.at(minutes=59).reverse(voucher_id, key=key)).replayed
    assert (await market.scan(voucher_id, code_seq=1)).verdict == "code_outdated"
    assert (await market.scan(voucher_id, code_seq=2, quantity=3)).verdict == "redeemed"
    assert await market.faults() == []


async def test_what_is_not_used_comes_back_exactly(market: Market) -> None:
    haircut = await market.publish(subsidy_points=5)
    cancelled, expired, voided = [await market.issue(haircut, quantity=2) for _ in range(3)]
    await market.scan(cancelled)
    assert await market.points() == 100 - 6 * 15

    assert (await market.cancel(cancelled)).points == 15
    assert (await market.void(voided)).points == 30
    round_one = await market.at(days=7).expire()

    assert [each.voucher_id for each in round_one.expired] == [expired]
    assert await market.points() == 100 - 15
    assert await market.balance(account("budget", market.sponsor)) == (1000 - 5) * 100
    assert await market.balance(account("budget", market.sponsor), "fen") == 100_000 - 1500
    assert await market.balance("escrow") == 0
    assert (await market.offer(haircut)).stock_taken == 1
    assert await market.faults() == []


@pytest.mark.parametrize("hours", [0, 5, 72])
async def test_the_grace_for_late_uploads_is_frozen_at_issue(market: Market, hours: int) -> None:
    """An offline voucher that ran out gives nothing back before its own grace is over."""
    haircut = await market.publish(offline_class=redemption.OfflineClass.ROAMING)
    voucher_id = await market.issue(haircut, grace_hours=hours)
    ends = market.at(days=7)

    if hours:
        assert (await ends.at(hours=hours, seconds=-1).expire()).expired == ()
    assert [each.voucher_id for each in (await ends.at(hours=hours).expire()).expired] == [voucher_id]
    assert await market.faults() == []
