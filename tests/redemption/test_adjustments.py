"""A use that its shop has confirmed is corrected in the shop's next statement, once, and no statement is edited."""

from collections import Counter
from typing import Any

import pytest

import redemption
from redemption import AdjustmentCause, LineKind, RequestState, UseState, VoucherState
from tests.db import Database
from tests.redemption.crowd import HEAD, all_at_once, as_superuser, one_after_another, without_lock
from tests.redemption.market import Market, account, some_id
from tests.redemption.phones import Phone
from tests.redemption.test_departures import finish, leave, state

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
        await tuesday.close(until=midnight.now)
    await earned(evening.at(hours=5), haircut)

    second = await tuesday.close(until=midnight.now)

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


async def ten_decide(market: Market, database: Database) -> Counter[str]:
    """The first agrees and waits at the head of the books; the others refuse meanwhile."""
    _voucher, evening, batch, _haircut = await paid(market)
    asked = await evening.propose_adjustment(batch.settlement_id)
    answers = await one_after_another(
        database,
        [evening.decide_adjustment(asked, is_agreed=number == 0, actor=some_id()) for number in range(10)],
    )
    return Counter(type(answer).__name__ for answer in answers)


async def test_of_ten_who_decide_at_once_exactly_one_wins(fresh_market: Market, fresh_database: Database) -> None:
    assert await ten_decide(fresh_market, fresh_database) == {"bool": 1, "AdjustmentDecided": 9}
    assert await fresh_market.faults() == []


async def test_without_the_adjustments_lock_a_use_is_taken_back_and_yet_refused(
    fresh_market: Market, fresh_database: Database
) -> None:
    await without_lock(fresh_database, "adjust", "decide_adjustment")

    assert await ten_decide(fresh_market, fresh_database) == {"bool": 2, "AdjustmentDecided": 8}


async def test_of_ten_who_propose_at_once_one_correction_waits(fresh_market: Market, fresh_database: Database) -> None:
    _voucher, evening, batch, _haircut = await paid(fresh_market)
    answers = await all_at_once(
        fresh_database,
        [evening.propose_adjustment(batch.settlement_id) for _ in range(10)],
        holding="SELECT FROM redemption.settlement FOR UPDATE",
    )
    assert Counter(type(answer).__name__ for answer in answers) == {"UUID": 1, "AlreadyAdjusted": 9}


async def test_a_correction_agreed_on_while_the_next_statement_closes_is_in_it_or_in_the_one_after(
    fresh_market: Market, fresh_database: Database
) -> None:
    """The decision waits at the books' head while the statement closes; then the other way round. It is borne once."""
    for is_first in (False, True):
        market = fresh_market if not is_first else fresh_market.at(days=7)
        _voucher, evening, batch, haircut = await paid(market)
        asked = await evening.propose_adjustment(batch.settlement_id)
        tomorrow = evening.at(days=1)
        await earned(tomorrow, haircut, 3)
        closing = tomorrow.at(hours=2)
        if is_first:
            racers = [evening.decide_adjustment(asked), closing.close(), closing.at(seconds=1).close()]
            answers = await one_after_another(fresh_database, racers, holding=HEAD)
        else:
            racers = [closing.close(), closing.at(seconds=1).close(), evening.decide_adjustment(asked)]
            answers = await one_after_another(
                fresh_database, racers, holding="SELECT FROM redemption.merchant FOR UPDATE"
            )
        assert answers[0 if is_first else 2] is True
        after = closing.at(days=1)
        await earned(after, haircut, 1)
        closed = [answer for answer in answers if isinstance(answer, redemption.Settlement)]
        closed.append(await after.at(hours=2).close())
        borne = [
            line.kind
            for each in closed
            for line in await lines_of(market, each.settlement_id)
            if line.kind is LineKind.ADJUSTMENT
        ]
        assert len(borne) == 1
        assert await market.faults() == []


async def four_close(market: Market, database: Database) -> list[Any]:
    """Four close one after another while the correction that each would bear is held."""
    _voucher, evening, batch, haircut = await paid(market)
    await evening.decide_adjustment(await evening.propose_adjustment(batch.settlement_id))
    await earned(evening.at(hours=1), haircut, 2)
    return await all_at_once(
        database,
        [evening.at(hours=3, seconds=number).close() for number in range(4)],
        holding="SELECT FROM redemption.merchant FOR UPDATE",
    )


async def test_closings_at_once_bear_a_correction_once(fresh_market: Market, fresh_database: Database) -> None:
    answers = await four_close(fresh_market, fresh_database)

    assert Counter(type(answer).__name__ for answer in answers)["Settlement"] == 1
    assert await fresh_market.faults() == []


async def test_what_a_shop_that_left_was_paid_is_not_corrected(market: Market, database: Database) -> None:
    """No statement of it would ever bear the correction. One that waits from before can be turned down."""
    _voucher, evening, batch, _haircut = await paid(market)
    asked = await evening.propose_adjustment(batch.settlement_id)
    departure_id = await leave(evening)
    with pytest.raises(redemption.DepartureUnfinished):
        await finish(evening, departure_id)
    await as_superuser(
        database,
        f"UPDATE redemption.departure SET state = 'DONE', ended_by = proposed_by, ended_at = proposed_at"
        f" WHERE departure_id = '{departure_id}'",
    )

    with pytest.raises(redemption.MerchantLeft):
        await evening.decide_adjustment(asked)
    assert await evening.decide_adjustment(asked, is_agreed=False)
    with pytest.raises(redemption.MerchantLeft):
        await evening.propose_adjustment(batch.settlement_id)
    assert await market.faults() == []


async def finished_while_somebody_asks(market: Market, database: Database) -> list[str]:
    """A correction is being written down, and waits for the use, while the shop is declared gone."""
    _voucher, evening, batch, _haircut = await paid(market)
    departure_id = await leave(evening)
    answers = await one_after_another(
        database,
        [evening.propose_adjustment(batch.settlement_id), finish(evening, departure_id)],
        holding="SELECT FROM redemption.use FOR UPDATE",
    )
    gone = (await state(evening, departure_id)).state
    return [*(type(answer).__name__ for answer in answers), gone.value]


async def test_a_shop_is_not_gone_while_somebody_asks_for_a_correction(
    fresh_market: Market, fresh_database: Database
) -> None:
    assert await finished_while_somebody_asks(fresh_market, fresh_database) == [
        "UUID",
        "DepartureUnfinished",
        "LOCKED",
    ]


async def test_without_the_shops_lock_a_correction_is_left_of_a_shop_that_is_gone(
    fresh_market: Market, fresh_database: Database
) -> None:
    await without_lock(fresh_database, "adjust", "propose_adjustment", " FOR SHARE", " ")

    assert await finished_while_somebody_asks(fresh_market, fresh_database) == ["UUID", "NoneType", "DONE"]


async def test_who_asks_while_a_shop_is_declared_gone_is_refused(
    fresh_market: Market, fresh_database: Database
) -> None:
    _voucher, evening, batch, _haircut = await paid(fresh_market)
    departure_id = await leave(evening)
    answers = await one_after_another(
        fresh_database,
        [finish(evening, departure_id), evening.propose_adjustment(batch.settlement_id)],
        holding="SELECT FROM redemption.departure FOR UPDATE",
    )
    assert [type(answer).__name__ for answer in answers] == ["NoneType", "MerchantLeft"]
    assert (await state(evening, departure_id)).state is redemption.DepartureState.DONE


async def test_a_correction_that_is_being_agreed_on_is_in_the_statement_that_closes_meanwhile(
    fresh_market: Market, fresh_database: Database
) -> None:
    """It was there first, and waits at the books' head; the closing waits for it at the shop."""
    _voucher, evening, batch, haircut = await paid(fresh_market)
    asked = await evening.propose_adjustment(batch.settlement_id)
    await earned(evening, haircut, 2)
    _agreed, closed = await one_after_another(
        fresh_database, [evening.decide_adjustment(asked), evening.at(hours=1).close()], holding=HEAD
    )
    assert (closed.line_count, closed.due_fen) == (3, 1500)
    assert await fresh_market.faults() == []
