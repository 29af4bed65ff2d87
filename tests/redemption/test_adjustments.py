"""A use that its shop has confirmed is corrected in the shop's next statement, once, and no statement is edited."""

from collections import Counter
from typing import Any

import pytest

import redemption
from redemption import AdjustmentCause, LineKind, RequestState, UseState, VoucherState
from tests.db import Database
from tests.redemption.crowd import as_superuser
from tests.redemption.market import Market, account, some_id
from tests.redemption.phones import Phone

pytestmark = pytest.mark.anyio


async def paid(
    market: Market, *, quantity: int = 1, scanned: int = 1, is_paid: bool = True, **terms: Any
) -> tuple[int, Market, redemption.Settlement, redemption.OfferTerms]:
    """A haircut used, its batch closed, confirmed by the shop and paid."""
    haircut = await market.publish(**{"price_points": 5, "subsidy_points": 1, "stock_total": 20} | terms)
    voucher_id = await market.issue(haircut, quantity=quantity)
    assert (await market.scan(voucher_id, quantity=scanned)).verdict == "redeemed"
    evening = market.at(hours=2)
    batch = await evening.close()
    await evening.confirm(batch.settlement_id)
    if is_paid:
        await evening.approve(batch.settlement_id)
        await evening.pay(batch.settlement_id)
    return voucher_id, evening, batch, haircut


async def earned(market: Market, haircut: redemption.OfferTerms, count: int = 1) -> None:
    """The shop serves others."""
    for _ in range(count):
        assert (await market.scan(await market.issue(haircut))).verdict == "redeemed"


async def lines_of(market: Market, settlement_id: Any) -> tuple[redemption.SettlementLine, ...]:
    async with market.sessions.begin() as session:
        return (await redemption.settlement_lines(session, market.book, settlement_id)).lines


async def corrections(market: Market, **asked: Any) -> tuple[redemption.Adjustment, ...]:
    async with market.sessions.begin() as session:
        return await redemption.adjustments(session, market.book, **asked)


async def test_the_points_return_and_the_next_statement_has_the_line_with_its_sign_turned(market: Market) -> None:
    before = (await market.points(), await market.balance(account("budget", market.sponsor), "fen"))
    voucher_id, evening, batch, haircut = await paid(market)
    first = await evening.settlement(batch.settlement_id)

    assert await evening.decide_adjustment(await evening.propose_adjustment(batch.settlement_id))

    assert (await market.points(), await market.balance(account("budget", market.sponsor), "fen")) == before
    assert await market.balance(account("merchant", market.barber), "fen") == -1500
    voucher = await market.voucher(voucher_id)
    assert (voucher.state, voucher.quantity_used, voucher.quantity_returned) == (VoucherState.CANCELLED, 0, 1)
    async with market.sessions.begin() as session:
        last = (await redemption.history(session, market.book, voucher_id))[-1]
        running = await redemption.open_batches(session, market.book, received_until=evening.at(hours=1).now)
    assert (last.action, last.actor_id, last.second_id, last.reason) == (
        "adjust",
        market.second,
        market.finance,
        "came apart",
    )
    assert running == {market.barber: redemption.Sums(count=1, points=-5, payable_fen=-1500, cash_fen=0)}
    assert await market.faults() == []

    tomorrow = evening.at(days=1)
    await earned(tomorrow, haircut, 2)
    second = await tomorrow.at(hours=2).close()
    assert (second.line_count, second.points + second.subsidy_points, second.payable_fen) == (3, 5, 1500)
    last_line = (await lines_of(market, second.settlement_id))[-1]
    assert (last_line.kind, last_line.voucher_id, last_line.part, last_line.quantity) == (
        LineKind.ADJUSTMENT,
        voucher_id,
        1,
        -1,
    )
    assert (last_line.points, last_line.subsidy_points, last_line.payable_fen) == (-4, -1, -1500)
    assert await market.settlement(batch.settlement_id) == first
    told = (await lines_of(market, batch.settlement_id))[0]
    assert (told.adjustment_state, told.adjusted_number) == (RequestState.DONE, 2)
    tomorrow = tomorrow.at(hours=3)
    await tomorrow.confirm(second.settlement_id)
    await tomorrow.approve(second.settlement_id)
    await tomorrow.pay(second.settlement_id)
    assert (await market.settlement(second.settlement_id)).paid_fen == 1500
    assert await market.balance(account("merchant", market.barber), "fen") == 0
    assert await market.balance(account("merchant", market.barber)) == 0
    assert await market.faults() == []


async def test_nothing_is_closed_until_the_shop_has_earned_what_it_owes(market: Market) -> None:
    _voucher, evening, batch, haircut = await paid(market, quantity=3, scanned=3)
    await evening.decide_adjustment(await evening.propose_adjustment(batch.settlement_id))
    await earned(evening.at(days=1), haircut)
    with pytest.raises(redemption.CorrectionWaits) as refused:
        await evening.at(days=1, hours=2).close()
    assert (refused.value.short_points, refused.value.short_fen) == (10, 3000)
    later = evening.at(days=2)
    await earned(later, haircut, 2)
    second = await later.at(hours=2).close()
    assert (second.line_count, second.payable_fen, second.due_fen) == (4, 0, 0)
    await later.confirm(second.settlement_id)
    await later.approve(second.settlement_id)
    await later.pay(second.settlement_id)
    assert await market.faults() == []


async def closed_until(market: Market, end: Market) -> redemption.Settlement:
    """What was received before `end`, closed now."""
    async with market.sessions.begin() as session:
        return await redemption.close_settlement(
            session,
            market.book,
            settlement_id=some_id(),
            merchant_id=market.barber,
            received_until=end.now,
            actor_id=market.finance,
            now=market.now,
        )


async def test_a_statement_of_days_before_the_correction_bears_it_too(market: Market) -> None:
    """Agreed on today, closed today until yesterday: what is due is less already, and a shop that earned too little waits."""
    _voucher, evening, batch, haircut = await paid(market, quantity=2, scanned=2)
    await earned(evening, haircut)
    midnight, tuesday = evening.at(hours=6), evening.at(days=1)
    await tuesday.decide_adjustment(await tuesday.propose_adjustment(batch.settlement_id))
    async with market.sessions.begin() as session:
        open_then = await redemption.open_batches(session, market.book, received_until=midnight.now)
    assert open_then == {market.barber: redemption.Sums(count=2, points=-5, payable_fen=-1500, cash_fen=0)}
    with pytest.raises(redemption.CorrectionWaits):
        await closed_until(tuesday, midnight)
    await earned(evening.at(hours=5), haircut)

    second = await closed_until(tuesday, midnight)

    assert (second.line_count, second.due_fen) == (3, 0)
    assert await market.faults() == []


async def test_a_line_that_bears_a_correction_is_not_disputed_and_a_correction_never(market: Market) -> None:
    _voucher, evening, batch, haircut = await paid(market)
    await evening.decide_adjustment(await evening.propose_adjustment(batch.settlement_id))
    tomorrow = evening.at(days=1)
    await earned(tomorrow, haircut)
    second = await tomorrow.at(hours=2).close()

    with pytest.raises(redemption.LineBearsCorrection):
        await tomorrow.dispute(second.settlement_id, 1)
    with pytest.raises(redemption.LineFinal):
        await tomorrow.dispute(second.settlement_id, 2)
    await tomorrow.confirm(second.settlement_id)
    with pytest.raises(redemption.AlreadyAdjusted):
        await tomorrow.propose_adjustment(second.settlement_id, 2)
    # What the shop could not object to is corrected like anything else.
    await tomorrow.decide_adjustment(await tomorrow.propose_adjustment(second.settlement_id, 1))
    assert await market.faults() == []


@pytest.mark.parametrize("ended", ["open", "cancelled", "expired"])
async def test_what_was_left_of_the_voucher_stays_as_it_is(market: Market, ended: str) -> None:
    voucher_id, evening, batch, _haircut = await paid(market, quantity=3, scanned=2)
    if ended == "cancelled":
        await evening.cancel(voucher_id)
    elif ended == "expired":
        evening = evening.at(days=8)
        await evening.expire()
    before = await market.voucher(voucher_id)

    await evening.decide_adjustment(await evening.propose_adjustment(batch.settlement_id))

    after = await market.voucher(voucher_id)
    assert after.state is (VoucherState.ISSUED if ended == "open" else before.state)
    assert (after.quantity_used, after.quantity_returned) == (0, before.quantity_returned + 2)
    if ended == "open":
        assert (await evening.scan(voucher_id)).verdict == "redeemed"
    assert await market.faults() == []


async def test_a_statement_that_is_confirmed_and_not_paid_is_paid_whole_and_corrected_after(market: Market) -> None:
    _voucher, evening, batch, haircut = await paid(market, is_paid=False)
    await evening.decide_adjustment(
        await evening.propose_adjustment(batch.settlement_id, cause=AdjustmentCause.DISPUTE)
    )
    await evening.approve(batch.settlement_id)
    await evening.pay(batch.settlement_id)
    assert (await market.settlement(batch.settlement_id)).paid_fen == 1500
    await earned(evening.at(days=1), haircut)
    assert (await evening.at(days=1, hours=2).close()).due_fen == 0
    assert await market.faults() == []


async def test_who_may_decide_and_what_is_refused(market: Market) -> None:
    voucher_id, evening, batch, _haircut = await paid(market)
    for wrong, refusal in (
        ({"line_no": 9}, redemption.LineUnknown),
        ({"reason": ""}, redemption.ReasonMissing),
        ({"settlement_id": some_id()}, redemption.SettlementUnknown),
    ):
        with pytest.raises(refusal):
            await evening.propose_adjustment(**{"settlement_id": batch.settlement_id} | wrong)
    with pytest.raises(redemption.AdjustmentUnknown):
        await evening.decide_adjustment(some_id())
    asked = await evening.propose_adjustment(batch.settlement_id)
    assert await evening.propose_adjustment(batch.settlement_id, adjustment_id=asked) == asked
    with pytest.raises(redemption.AlreadyAdjusted):
        await evening.propose_adjustment(batch.settlement_id)
    with pytest.raises(redemption.OwnVoucher):
        await evening.propose_adjustment(batch.settlement_id, actor=market.li)
    for somebody in (market.finance, market.li):
        with pytest.raises(redemption.SamePerson):
            await evening.decide_adjustment(asked, actor=somebody)
    # Its own proposer may take it back; then it may be proposed anew.
    assert await evening.decide_adjustment(asked, is_agreed=False, actor=market.finance)
    again = await evening.propose_adjustment(batch.settlement_id)
    key = some_id()
    assert [await evening.decide_adjustment(again, key=key) for _ in range(2)] == [True, False]
    with pytest.raises(redemption.AdjustmentDecided) as refused:
        await evening.decide_adjustment(again, is_agreed=False)
    assert refused.value.state == "done"
    states = Counter(each.state for each in await corrections(market, settlement_id=batch.settlement_id))
    assert states == {RequestState.REFUSED: 1, RequestState.DONE: 1}
    async with market.sessions.begin() as session:
        assert (await redemption.adjustment(session, market.book, again)).decided_by == market.second
        (use,) = await redemption.uses_of(session, market.book, voucher_id)
        with pytest.raises(redemption.AdjustmentUnknown):
            await redemption.adjustment(session, market.book, some_id())
    assert use.state is UseState.ADJUSTED
    assert await market.faults() == []


async def test_a_frozen_voucher_waits_and_what_a_conflict_paid_is_no_use_of_a_voucher(market: Market) -> None:
    voucher_id, evening, batch, _haircut = await paid(market, quantity=2)
    asked = await evening.propose_adjustment(batch.settlement_id)
    await evening.freeze(voucher_id)
    with pytest.raises(redemption.VoucherFrozen):
        await evening.decide_adjustment(asked)
    await evening.unfreeze(voucher_id)
    await evening.decide_adjustment(asked)

    roaming = await market.publish(offline_class=redemption.OfflineClass.ROAMING)
    twice = await evening.issue(roaming)
    await evening.scan(twice)
    await (await Phone(evening).enrol()).upload(twice, evening.at(hours=1))
    week = evening.at(days=7)
    second = await week.close()
    await week.confirm(second.settlement_id)
    borne = {line.use_seq: line.line_no for line in await lines_of(market, second.settlement_id) if line.part == 0}
    with pytest.raises(redemption.NotAdjustable):
        await week.propose_adjustment(second.settlement_id, borne[2])
    assert await market.faults() == []


async def test_a_corrected_use_is_none_when_a_record_comes_late(market: Market) -> None:
    """The haircut was never given, so nobody used the voucher twice: the piece had gone back to its member."""
    roaming = await market.publish(
        offline_class=redemption.OfflineClass.ROAMING,
        merchant_ids=(market.barber, market.bakery),
        price_points=5,
        payable_fen=500,
    )
    phone = await Phone(market, merchant_id=market.bakery).enrol()
    voucher_id = await market.issue(roaming, quantity=2)
    await market.scan(voucher_id)
    evening = market.at(hours=2)
    batch = await evening.close()
    await evening.confirm(batch.settlement_id)
    await evening.decide_adjustment(await evening.propose_adjustment(batch.settlement_id))

    said = await phone.upload(voucher_id, evening.at(hours=1), quantity=2)

    assert said == ("conflict", "cancelled_before", "member")
    assert await market.faults() == []


async def test_before_the_shop_confirms_a_line_is_disputed_instead(market: Market) -> None:
    haircut = await market.publish()
    await market.scan(await market.issue(haircut))
    await market.scan(await market.issue(haircut))
    evening = market.at(hours=2)
    batch = await evening.close()
    with pytest.raises(redemption.SettlementStateWrong):
        await evening.propose_adjustment(batch.settlement_id)
    await evening.dispute(batch.settlement_id, 1)
    await evening.confirm(batch.settlement_id)
    with pytest.raises(redemption.AlreadyDisputed):
        await evening.propose_adjustment(batch.settlement_id, 1)
    await evening.propose_adjustment(batch.settlement_id, 2)


async def test_a_line_that_was_carried_is_corrected_where_it_was_paid(market: Market) -> None:
    haircut = await market.publish()
    await market.scan(await market.issue(haircut))
    evening = market.at(hours=2)
    batch = await evening.close()
    await evening.dispute(batch.settlement_id)
    await evening.resolve(batch.settlement_id, for_shop=True)
    second = await evening.at(days=1).close()
    tomorrow = evening.at(days=1)
    await tomorrow.confirm(second.settlement_id)
    await tomorrow.decide_adjustment(await tomorrow.propose_adjustment(second.settlement_id))
    await earned(tomorrow, haircut)
    third = await tomorrow.at(hours=2).close()
    assert [(line.kind, line.part) for line in await lines_of(market, third.settlement_id)] == [
        (LineKind.USE, 0),
        (LineKind.ADJUSTMENT, 2),
    ]
    assert await market.faults() == []


async def test_the_table_refuses_a_second_correction_and_one_that_gives(market: Market, database: Database) -> None:
    _voucher, evening, batch, _haircut = await paid(market)
    await evening.propose_adjustment(batch.settlement_id)
    copied = (
        "INSERT INTO redemption.adjustment SELECT community_id, gen_random_uuid(), settlement_id, line_no, voucher_id, use_seq,"
        " merchant_id, cause, state, reason, proposed_by, proposed_at FROM redemption.adjustment"
    )
    for statement, constraint in (
        (copied, "uq_adjustment_use"),
        ("UPDATE redemption.settlement_line SET kind = 'adjustment', part = 1", "ck_settlement_line_amounts"),
        (
            "UPDATE redemption.adjustment SET state = 'done', decided_by = proposed_by, decided_at = proposed_at",
            "ck_adjustment_two_people",
        ),
    ):
        with pytest.raises(Exception, match=constraint):
            await as_superuser(database, statement)
