"""What a shop is owed: closed, confirmed, approved by a second person, paid."""

import hashlib
from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest
from sqlalchemy import text

import redemption
from redemption import SettlementState
from tests.db import Database
from tests.redemption.crowd import as_superuser
from tests.redemption.market import Market, account, some_id

pytestmark = pytest.mark.anyio


async def used(market: Market, count: int = 1, **terms: object) -> list[int]:
    haircut = await market.publish(price_points=5, subsidy_points=1, stock_total=20, **terms)
    vouchers = [await market.issue(haircut) for _ in range(count)]
    for voucher_id in vouchers:
        assert (await market.scan(voucher_id)).verdict == "redeemed"
    return vouchers


async def test_each_step_in_its_order_and_only_then(market: Market) -> None:
    await used(market)
    evening = market.at(hours=2)
    batch = (await evening.close()).settlement_id

    steps: dict[str, Callable[[UUID], Awaitable[None]]] = {
        "confirm": evening.confirm,
        "approve": evening.approve,
        "pay": evening.pay,
        "dispute": evening.dispute,
    }
    for step in ("approve", "pay"):
        with pytest.raises(redemption.SettlementStateWrong) as early:
            await steps[step](batch)
        assert early.value.detail == {"state": "CLOSED"}
    await evening.confirm(batch)
    for step in ("confirm", "pay"):
        with pytest.raises(redemption.SettlementStateWrong):
            await steps[step](batch)
    with pytest.raises(redemption.SamePerson):
        await evening.approve(batch, actor=market.finance)
    await evening.approve(batch)
    with pytest.raises(redemption.BankReferenceMissing):
        await evening.pay(batch, bank_reference="")
    await evening.pay(batch)
    for act in steps.values():
        with pytest.raises(redemption.SettlementStateWrong):
            await act(batch)
        with pytest.raises(redemption.SettlementUnknown):
            await act(some_id())
    assert await market.faults() == []


async def test_a_disputed_line_is_not_paid_and_the_rest_goes_on(market: Market) -> None:
    await used(market, 3)
    evening = market.at(hours=2)
    batch = (await evening.close()).settlement_id
    await evening.dispute(batch, 2)
    with pytest.raises(redemption.AlreadyDisputed):
        await evening.dispute(batch, 2)
    with pytest.raises(redemption.LineUnknown):
        await evening.dispute(batch, 4)
    await evening.confirm(batch)
    await evening.approve(batch)
    with pytest.raises(redemption.SettlementStateWrong):
        await evening.dispute(batch, 1)
    await evening.pay(batch)

    paid = await market.settlement(batch)
    assert (paid.points + paid.subsidy_points, paid.payable_fen) == (15, 4500)
    assert (paid.paid_points, paid.paid_fen, paid.disputed_lines) == (10, 3000, 1)
    assert (paid.due_points, paid.due_fen) == (10, 3000)
    assert await market.balance(account("merchant", market.barber)) == 500
    assert await market.balance(account("merchant", market.barber), "fen") == 1500
    async with market.sessions.begin() as session:
        page = await redemption.settlement_lines(session, market.book, batch, limit=2)
        rest = await redemption.settlement_lines(session, market.book, batch, after=page.next or 0)
    assert [line.line_no for line in (*page.lines, *rest.lines)] == [1, 2, 3]
    assert [line.disputed_reason for line in (*page.lines, *rest.lines)] == [None, "never came", None]
    assert await market.faults() == []


async def test_batches_form_a_chain_and_every_use_is_in_one(market: Market) -> None:
    await used(market)
    first = await market.at(hours=1).close()
    tomorrow = market.at(days=1)
    await used(tomorrow, 2)
    second = await tomorrow.at(hours=1).close()

    assert (first.number, second.number) == (1, 2)
    assert first.previous_hash == hashlib.sha256(b"").digest()
    assert second.previous_hash == first.hash
    assert second.received_from == first.received_until
    assert (first.line_count, second.line_count) == (1, 2)
    with pytest.raises(redemption.NothingToSettle):
        await tomorrow.at(hours=2).close()
    async with market.sessions.begin() as session:
        page = await redemption.settlements(session, market.book, merchant_id=market.barber, limit=1)
        older = await redemption.settlements(session, market.book, before=page.next, limit=1)
        closed = await redemption.settlements(session, market.book, state=SettlementState.CLOSED)
    assert [each.number for each in (*page.settlements, *older.settlements)] == [2, 1]
    assert len(closed.settlements) == 2


async def test_the_hash_can_be_recomputed_by_a_stranger(market: Market) -> None:
    """From the statement alone, as docs/decisions/0003 writes it down."""
    await used(market, 2)
    batch = await market.at(hours=1).close()
    async with market.sessions.begin() as session:
        lines = (
            await session.execute(
                text(
                    "SELECT line_no, kind, voucher_id, use_seq, part, quantity, points, subsidy_points, payable_fen, cash_fen,"
                    " received_at, journal_id FROM redemption.settlement_line ORDER BY line_no"
                )
            )
        ).all()

    def micros(at: object) -> str:
        return str(round(at.timestamp() * 1_000_000))  # type: ignore[attr-defined]  # a datetime

    head = [
        *("linli-settlement-1", market.book, batch.settlement_id, batch.merchant_id, batch.number),
        *(micros(batch.received_from), micros(batch.received_until), batch.line_count, batch.points),
        *(batch.subsidy_points, batch.payable_fen, batch.cash_fen, batch.closed_by, micros(batch.closed_at)),
    ]
    rows = [[*line[:10], micros(line[10]), line[11]] for line in lines]
    written = "\n".join("|".join(map(str, row)) for row in [head, *rows])
    assert hashlib.sha256(batch.previous_hash + written.encode()).digest() == batch.hash


async def test_closing_again_is_the_same_batch(market: Market) -> None:
    await used(market)
    evening, key = market.at(hours=2), some_id()
    first = await evening.close(settlement_id=key)

    assert await evening.close(settlement_id=key) == first
    with pytest.raises(redemption.KeyDiffers):
        await market.at(hours=3).close(settlement_id=key)


async def test_a_batch_ends_in_the_past_and_after_the_one_before(market: Market) -> None:
    await used(market)
    evening = market.at(hours=2)

    async def close(until: Market, merchant: object = None) -> None:
        async with market.sessions.begin() as session:
            await redemption.close_settlement(
                session,
                market.book,
                settlement_id=some_id(),
                merchant_id=merchant or market.barber,  # type: ignore[arg-type]  # an id
                received_until=until.now,
                actor_id=market.finance,
                now=evening.now,
            )

    with pytest.raises(redemption.PeriodWrong):
        await close(evening.at(seconds=1))
    with pytest.raises(redemption.MerchantUnknown):
        await close(evening, some_id())
    await close(evening)
    with pytest.raises(redemption.PeriodWrong):
        await close(evening)


@pytest.mark.parametrize(
    "fault",
    [
        "UPDATE redemption.use SET points = points + 1",
        "UPDATE redemption.use SET payable_fen = payable_fen - 1",
        "UPDATE redemption.voucher SET payable_fen_each = payable_fen_each + 1",
        "UPDATE ledger.transfer SET amount = amount - 1 WHERE kind = 'capture'",
        "UPDATE redemption.use SET journal_id = NULL",
    ],
)
async def test_closing_refuses_when_one_of_three_sums_is_off(market: Market, database: Database, fault: str) -> None:
    await used(market)
    await as_superuser(database, fault)

    with pytest.raises(redemption.SumsDiffer) as refused:
        await market.at(hours=2).close()

    assert set(refused.value.detail) == {"uses", "lines", "ledger"}
    async with market.sessions.begin() as session:
        assert (await redemption.settlements(session, market.book)).settlements == ()
        assert market.barber in await redemption.open_batches(
            session, market.book, received_until=market.at(hours=2).now
        )


async def test_the_running_batch_can_be_looked_at(market: Market) -> None:
    vouchers = await used(market, 3)
    await market.reverse(vouchers[0])

    async with market.sessions.begin() as session:
        running = await redemption.open_batches(session, market.book, received_until=market.at(hours=1).now)

    assert running == {market.barber: redemption.Sums(count=2, points=10, payable_fen=3000, cash_fen=0)}
