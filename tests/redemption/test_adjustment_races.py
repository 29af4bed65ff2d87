"""Corrections beside each other, beside closings and beside a shop that leaves: whoever comes first, each is borne once."""

from collections import Counter
from typing import Any

import pytest

import redemption
from redemption import LineKind
from tests.db import Database
from tests.redemption.crowd import HEAD, all_at_once, as_superuser, one_after_another, without_lock
from tests.redemption.market import Market, some_id
from tests.redemption.test_adjustments import earned, lines_of, paid
from tests.redemption.test_departures import finish, leave, state

pytestmark = pytest.mark.anyio


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
