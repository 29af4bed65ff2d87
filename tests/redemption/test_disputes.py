"""A line that a shop objects to is decided once: for the shop, or by taking the use back."""

from collections import Counter

import pytest

import redemption
from redemption import DisputeState, LineKind, VoucherState
from tests.db import Database
from tests.redemption.crowd import all_at_once, one_after_another, without_lock
from tests.redemption.market import Market, account, some_id

pytestmark = pytest.mark.anyio


async def in_dispute(
    market: Market, *, quantity: int = 1, scanned: int = 1
) -> tuple[int, Market, redemption.Settlement]:
    """A haircut used, its batch closed, its one line in dispute."""
    haircut = await market.publish(price_points=5, subsidy_points=1, stock_total=20)
    voucher_id = await market.issue(haircut, quantity=quantity)
    assert (await market.scan(voucher_id, quantity=scanned)).verdict == "redeemed"
    evening = market.at(hours=2)
    batch = await evening.close()
    await evening.dispute(batch.settlement_id)
    return voucher_id, evening, batch


async def line_of(market: Market, settlement_id: object, number: int = 1) -> redemption.SettlementLine:
    async with market.sessions.begin() as session:
        page = await redemption.settlement_lines(session, market.book, settlement_id)  # type: ignore[arg-type]  # an id
    return page.lines[number - 1]


async def settled(market: Market, batch: redemption.Settlement) -> redemption.Settlement:
    await market.confirm(batch.settlement_id)
    await market.approve(batch.settlement_id)
    await market.pay(batch.settlement_id)
    return await market.settlement(batch.settlement_id)


async def test_decided_for_the_shop_the_line_joins_its_next_batch(market: Market) -> None:
    _voucher, evening, batch = await in_dispute(market)
    paid = await settled(evening, batch)
    assert (paid.paid_points, paid.paid_fen, paid.open_disputes) == (0, 0, 1)
    await evening.resolve(batch.settlement_id, for_shop=True)
    tomorrow = evening.at(days=1)
    async with market.sessions.begin() as session:
        running = await redemption.open_batches(session, market.book, received_until=tomorrow.now)
    assert running == {market.barber: redemption.Sums(count=1, points=5, payable_fen=1500, cash_fen=0)}

    second = await tomorrow.close()

    assert (second.line_count, second.points, second.subsidy_points, second.payable_fen) == (1, 4, 1, 1500)
    assert second.received_from == batch.received_until
    carried = await line_of(tomorrow, second.settlement_id)
    assert (carried.kind, carried.part, carried.dispute_state) == (LineKind.CARRIED, 1, None)
    first = await line_of(tomorrow, batch.settlement_id)
    assert (first.dispute_state, first.resolution, first.resolved_by) == (
        DisputeState.UPHELD,
        "asked both",
        market.second,
    )
    assert first.carried_number == 2
    paid = await settled(tomorrow, second)
    assert (paid.paid_points, paid.paid_fen) == (5, 1500)
    assert await market.balance(account("merchant", market.barber), "fen") == 0
    with pytest.raises(redemption.NothingToSettle):
        await tomorrow.at(hours=1).close()
    assert await market.faults() == []


async def test_a_carried_line_may_be_disputed_and_carried_again(market: Market) -> None:
    _voucher, evening, batch = await in_dispute(market)
    for later in range(1, 3):
        await evening.resolve(batch.settlement_id, for_shop=True)
        evening = evening.at(days=1)
        batch = await evening.close()
        await evening.dispute(batch.settlement_id)
        assert (await line_of(evening, batch.settlement_id)).part == later
    await evening.resolve(batch.settlement_id, for_shop=False)

    assert await market.balance(account("merchant", market.barber)) == 0
    assert await market.faults() == []


async def test_decided_against_the_shop_the_points_go_back_to_the_member(market: Market) -> None:
    before = (await market.points(), await market.balance(account("budget", market.sponsor), "fen"))
    voucher_id, evening, batch = await in_dispute(market)
    assert await market.points() == before[0] - 4

    await evening.resolve(batch.settlement_id, for_shop=False)

    assert (await market.points(), await market.balance(account("budget", market.sponsor), "fen")) == before
    assert await market.balance(account("merchant", market.barber)) == 0
    voucher = await market.voucher(voucher_id)
    assert (voucher.state, voucher.quantity_used, voucher.quantity_returned) == (VoucherState.CANCELLED, 0, 1)
    async with market.sessions.begin() as session:
        last = (await redemption.history(session, market.book, voucher_id))[-1]
    assert (last.action, last.actor_id, last.second_id, last.reason) == (
        "refund",
        market.second,
        market.finance,
        "asked both",
    )
    paid = await settled(evening, batch)
    assert (paid.paid_points, paid.paid_fen) == (0, 0)
    with pytest.raises(redemption.NothingToSettle):
        await evening.at(days=1).close()
    assert await market.faults() == []


@pytest.mark.parametrize("ended", ["open", "cancelled", "expired"])
async def test_what_was_left_of_the_voucher_stays_as_it_is(market: Market, ended: str) -> None:
    voucher_id, evening, batch = await in_dispute(market, quantity=3, scanned=2)
    if ended == "cancelled":
        await evening.cancel(voucher_id)
    elif ended == "expired":
        evening = evening.at(days=8)
        await evening.expire()
    before = await market.voucher(voucher_id)

    await evening.resolve(batch.settlement_id, for_shop=False)

    after = await market.voucher(voucher_id)
    assert after.state is (VoucherState.ISSUED if ended == "open" else before.state)
    assert (after.quantity_used, after.quantity_returned) == (0, before.quantity_returned + 2)
    if ended == "open":
        assert (await evening.scan(voucher_id)).verdict == "redeemed"
    assert await market.faults() == []


async def test_one_of_two_uses_is_taken_back(market: Market) -> None:
    voucher_id, evening, batch = await in_dispute(market, quantity=2)
    assert (await evening.scan(voucher_id)).verdict == "redeemed"
    await evening.resolve(batch.settlement_id, for_shop=False)

    voucher = await market.voucher(voucher_id)
    assert (voucher.state, voucher.quantity_used, voucher.quantity_returned) == (VoucherState.USED, 1, 1)
    assert await market.faults() == []


async def test_a_frozen_voucher_waits_until_it_is_let_go(market: Market) -> None:
    voucher_id, evening, batch = await in_dispute(market, quantity=2)
    await evening.freeze(voucher_id)
    with pytest.raises(redemption.VoucherFrozen):
        await evening.resolve(batch.settlement_id, for_shop=False)
    await evening.unfreeze(voucher_id)
    await evening.resolve(batch.settlement_id, for_shop=False)
    assert await market.faults() == []


async def test_who_may_not_decide_and_what_is_missing(market: Market) -> None:
    _voucher, evening, batch = await in_dispute(market)
    for somebody in (market.finance, market.clerk):
        with pytest.raises(redemption.SamePerson):
            await evening.resolve(batch.settlement_id, for_shop=True, actor=somebody)
    for is_for_shop in (False, True):
        with pytest.raises(redemption.OwnVoucher):
            await evening.resolve(batch.settlement_id, for_shop=is_for_shop, actor=market.li)
    with pytest.raises(redemption.ReasonMissing):
        await evening.resolve(batch.settlement_id, for_shop=True, reason="")
    with pytest.raises(redemption.NotDisputed):
        await evening.resolve(batch.settlement_id, 2, for_shop=True)
    with pytest.raises(redemption.NotDisputed):
        await evening.resolve(some_id(), for_shop=True)
    key = some_id()
    for _ in range(2):
        await evening.resolve(batch.settlement_id, for_shop=True, key=key)
    with pytest.raises(redemption.DisputeResolved) as refused:
        await evening.resolve(batch.settlement_id, for_shop=False)
    assert (refused.value.state, refused.value.resolved_at) == ("UPHELD", evening.now)


async def ten_decide(market: Market, database: Database) -> Counter[str]:
    """The first decides against the shop and waits at the head of the books; the others come meanwhile."""
    _voucher, evening, batch = await in_dispute(market)
    answers = await one_after_another(
        database,
        [evening.resolve(batch.settlement_id, for_shop=number > 0, actor=some_id()) for number in range(10)],
    )
    return Counter(type(answer).__name__ for answer in answers)


async def test_of_ten_who_decide_at_once_exactly_one_wins(fresh_market: Market, fresh_database: Database) -> None:
    assert await ten_decide(fresh_market, fresh_database) == {"NoneType": 1, "DisputeResolved": 9}
    assert await fresh_market.faults() == []


async def test_without_the_disputes_lock_a_line_is_taken_back_and_yet_decided_for_the_shop(
    fresh_market: Market, fresh_database: Database
) -> None:
    await without_lock(fresh_database, "disputes", "resolve_dispute")

    assert await ten_decide(fresh_market, fresh_database) == {"NoneType": 2, "DisputeResolved": 8}


async def test_two_closings_carry_a_line_once(fresh_market: Market, fresh_database: Database) -> None:
    _voucher, evening, batch = await in_dispute(fresh_market)
    await evening.resolve(batch.settlement_id, for_shop=True)

    answers = await all_at_once(
        fresh_database,
        [evening.at(hours=1, seconds=number).close() for number in range(4)],
        holding="SELECT FROM redemption.merchant FOR UPDATE",
    )

    assert Counter(type(answer).__name__ for answer in answers)["Settlement"] == 1
    assert await fresh_market.faults() == []
