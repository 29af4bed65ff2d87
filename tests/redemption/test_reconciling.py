"""What the bank's list says is booked in one call: each line once for its key, a refused one beside the others."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import pytest

import redemption
from redemption import BankBooking, Booked, SettlementState, refusals
from tests.db import Database
from tests.redemption.crowd import one_after_another
from tests.redemption.market import Market, some_id
from tests.redemption.test_payments import approved, new_account, paid

pytestmark = pytest.mark.anyio


def line(
    batch: UUID, fen: int = 3000, *, back: bool = False, reference: str = "ICBC-1", payment: int | None = None
) -> BankBooking:
    return BankBooking(
        key=some_id(),
        settlement_id=batch,
        fen=fen,
        bank_reference=reference,
        is_return=back,
        payment=payment,
        reason="户名不符" if back else "",
    )


async def book(market: Market, lines: Sequence[BankBooking]) -> list[Booked]:
    async with market.sessions.begin() as session:
        return await redemption.book_bank_lines(
            session, market.book, lines, actor_id=market.finance, now=market.now + timedelta(hours=3)
        )


def said(done: Sequence[Booked]) -> list[object]:
    return [each.payment if each.refusal is None else type(each.refusal) for each in done]


async def into_a_file(market: Market, batch: UUID) -> None:
    await new_account(market, days=0)
    async with market.sessions.begin() as session:
        await redemption.make_bank_file(
            session, market.book, some_id(), [batch], actor_id=market.finance, now=market.now + timedelta(hours=2)
        )


async def test_a_line_is_booked_once_for_its_key_and_a_refused_one_stops_no_other(market: Market) -> None:
    batch = await approved(market)
    lines = [line(batch, 9000), line(some_id()), line(batch), line(batch, reference="ICBC-2")]
    expected = [refusals.AmountWrong, refusals.SettlementUnknown, 1, refusals.SettlementStateWrong]

    assert said(await book(market, lines)) == expected
    assert said(await book(market, lines[2:3])) == [1]
    assert [(each.fen, each.bank_reference) for each in await paid(market, batch)] == [(3000, "ICBC-1")]


async def test_what_came_back_without_a_payment_was_sent_by_its_file(market: Market) -> None:
    batch = await approved(market)
    assert said(await book(market, [line(batch, back=True)])) == [refusals.PaymentUnknown]
    await into_a_file(market, batch)
    returned = line(batch, back=True)

    assert said(await book(market, [returned])) == [1]
    assert said(await book(market, [returned])) == [1]
    [payment] = await paid(market, batch)
    assert (payment.fen, payment.return_reason) == (3000, "户名不符")
    async with market.sessions.begin() as session:
        found = await redemption.settlement(session, market.book, batch)
    assert found.state is SettlementState.CONFIRMED


async def test_what_a_file_asked_for_went_to_the_account_that_the_file_names(market: Market) -> None:
    batch = await approved(market)
    await into_a_file(market, batch)
    async with market.sessions.begin() as session:
        [sent] = await redemption.bank_targets(session, market.book, marks=[], since=market.now)
    later = await new_account(market, tail="9999", days=0)

    assert said(await book(market, [line(batch), line(batch, back=True)])) == [1, 1]
    evening = market.at(hours=4)
    await evening.approve(batch)
    await evening.pay(batch, bank_reference="ICBC-2")

    assert sent.payee_id != later
    assert [payment.payee_id for payment in await paid(market, batch)] == [sent.payee_id, later]


async def test_a_line_of_a_file_counts_until_its_statement_is_in_the_next_file(market: Market) -> None:
    batch = await approved(market)
    await into_a_file(market, batch)
    assert said(await book(market, [line(batch), line(batch, back=True)])) == [1, 1]
    evening = market.at(hours=4)
    await evening.approve(batch)
    async with market.sessions.begin() as session:
        await redemption.make_bank_file(
            session, market.book, some_id(), [batch], actor_id=market.finance, now=market.now + timedelta(hours=5)
        )
        every = await redemption.bank_targets(session, market.book, marks=[], since=market.now)
        old = await redemption.bank_targets(session, market.book, marks=[(1, 1)], since=market.now + timedelta(days=1))

    assert [(each.file_number, each.until, each.is_live) for each in every] == [
        (1, every[1].made_at, False),
        (2, None, True),
    ]
    assert old == every


async def test_a_return_after_parts_takes_the_one_it_names_or_the_newest_of_its_amount(market: Market) -> None:
    batch = await approved(market)
    parts = [line(batch, 1000, reference=f"ICBC-{number}") for number in (1, 2)]
    assert said(await book(market, [*parts, line(batch, 1000, back=True)])) == [1, 2, 2]
    assert said(await book(market, [line(batch, 1000, back=True, payment=7)])) == [refusals.PaymentUnknown]
    assert said(await book(market, [line(batch, 999, back=True, payment=1)])) == [refusals.PaymentUnknown]
    assert said(await book(market, [line(batch, 1000, back=True, payment=2)])) == [refusals.PaymentReturned]
    assert said(await book(market, [line(batch, 1000, back=True, payment=1)])) == [1]


async def test_two_who_book_the_same_statements_in_other_orders_never_wait_for_each_other(
    database: Database, market: Market
) -> None:
    first, second = await approved(market), await approved(market.at(days=1))
    one = [line(first), line(second)]
    other = [line(second, reference="ICBC-8"), line(first, reference="ICBC-9")]

    done = await one_after_another(database, [book(market.at(days=2), one), book(market.at(days=2), other)])

    assert said(done[0]) == [1, 1]
    assert said(done[1]) == [refusals.SettlementStateWrong] * 2


async def test_the_same_line_at_once_is_one_payment(database: Database, market: Market) -> None:
    batch = await approved(market)
    same = line(batch)

    done = await one_after_another(database, [book(market, [same]) for _ in range(4)])

    assert [said(each) for each in done] == [[1]] * 4
    assert len(await paid(market, batch)) == 1
