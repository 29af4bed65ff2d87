"""For each thing that verify promises, a fault that it must name."""

import pytest

import redemption
from redemption import CapPeriod
from redemption.verify import KINDS
from tests.db import Database
from tests.redemption.crowd import as_superuser
from tests.redemption.market import Market

pytestmark = pytest.mark.anyio

FAULTS = {
    "offline_use": """INSERT INTO redemption.offline_record (community_id, device_id, nonce, seq, hash, text, quantity, merchant_id,
                                                           scanned_at, claimed_at, received_at, flags, verdict, reason, value_fen)
        SELECT community_id, device_id, gen_random_uuid(), 1, '', '', 1, merchant_id, now(), now(), now(), '{}', 'accepted', '', 0
          FROM redemption.use LIMIT 1""",
    "offline_undo": """INSERT INTO redemption.offline_record
        (community_id, device_id, nonce, seq, hash, text, quantity, merchant_id, scanned_at, claimed_at, received_at, flags,
         verdict, reason, value_fen)
        SELECT community_id, device_id, gen_random_uuid(), 1, '', '', 1, merchant_id, now(), now(), now(), '{}',
               'accepted', 'undone', 0
          FROM redemption.use LIMIT 1""",
    "voucher_used": "UPDATE redemption.voucher SET quantity_used = 2 WHERE state = 'PART_USED'",
    "voucher_returned": "UPDATE redemption.voucher SET quantity_returned = 1 WHERE state = 'PART_USED'",
    "voucher_escrow": "UPDATE ledger.hold SET released = 1 WHERE captured = 0 AND released = 0",
    "voucher_history": "DELETE FROM redemption.voucher_event WHERE number = 2",
    "voucher_price": "UPDATE redemption.change_order SET cash_fen_each = 99, old_cash_fen_each = 100 WHERE NOT is_dearer",
    "change_people": "UPDATE redemption.change_answer a SET answered_by = o.proposed_by FROM redemption.change_order o"
    " WHERE o.change_id = a.change_id AND o.is_dearer",
    "use_sequence": "UPDATE redemption.voucher SET use_seq = use_seq + 1",
    "use_price": "UPDATE redemption.voucher SET cash_fen_each = 1",
    "use_ledger": "UPDATE redemption.use SET journal_id = reversal_journal_id",
    "use_reversal": "UPDATE redemption.use SET reversal_journal_id = journal_id WHERE state = 'REVERSED'",
    "use_settlement": "UPDATE redemption.use SET state = 'ACCEPTED' WHERE state = 'SETTLED'",
    "settlement_line": "UPDATE redemption.settlement_line SET points = points + 1",
    "dispute_people": "UPDATE redemption.dispute d SET resolved_by = s.closed_by FROM redemption.settlement s"
    " WHERE s.settlement_id = d.settlement_id AND d.state = 'UPHELD'",
    "dispute_reversed": "UPDATE redemption.dispute SET state = 'REVERSED', carried_settlement = NULL, carried_line_no = NULL"
    " WHERE state = 'UPHELD'",
    "dispute_carried": "UPDATE redemption.dispute SET carried_settlement = NULL, carried_line_no = NULL",
    "adjustment_use": "UPDATE redemption.use SET state = 'SETTLED' WHERE state = 'ADJUSTED'",
    "adjustment_line": "UPDATE redemption.adjustment SET carried_settlement = NULL, carried_line_no = NULL",
    "settlement_sums": "UPDATE redemption.settlement SET payable_fen = payable_fen + 1 WHERE number = 1",
    "settlement_hash": "UPDATE redemption.settlement SET closed_by = gen_random_uuid() WHERE number = 2",
    "settlement_chain": "UPDATE redemption.settlement SET previous_hash = sha256('x') WHERE number = 2",
    "settlement_head": "UPDATE redemption.merchant SET settled_number = settled_number + 1",
    "settlement_paid": "UPDATE redemption.settlement SET paid_fen = paid_fen - 1, approved_fen = approved_fen - 1"
    " WHERE state = 'PAID'",
    "settlement_due": "UPDATE redemption.settlement SET paid_points = paid_points + 1, approved_points = approved_points + 1"
    " WHERE state = 'PAID'",
    "payment_ledger": "UPDATE redemption.payment SET points = points + 1",
    "merchant_balance": "UPDATE ledger.account SET balance = balance + 1 WHERE code LIKE 'merchant:%' AND unit = 'point'",
    "offer_period": "UPDATE redemption.offer_period SET taken = taken - 1",
    "offer_stock": "UPDATE redemption.offer SET stock_taken = stock_taken + 1",
}


async def busy(market: Market) -> None:
    """Vouchers and uses in every state that the library knows how to reach, one batch paid and one closed.

    Two lines of the first were in dispute: the second carries one, the other was taken back. The third is corrected by the second.
    """
    haircut = await market.publish(
        price_points=3, subsidy_points=1, cash_fen=100, stock_total=20, period_cap=15, period_cap_per=CapPeriod.WEEK
    )
    for settled in (False, True):
        day = market.at(days=int(settled))
        part, used, back = [await day.issue(haircut, quantity=quantity) for quantity in (3, 1, 1)]
        extra = await day.issue(haircut)
        for voucher_id in (part, used, back, extra):
            await day.scan(voucher_id)
        await day.reverse(back)
        batch = await day.at(hours=2).close()
        if not settled:
            for line in (1, 2):
                await day.dispute(batch.settlement_id, line)
                await day.resolve(batch.settlement_id, line, for_shop=line == 1)
            await day.confirm(batch.settlement_id)
            await day.approve(batch.settlement_id)
            await day.pay(batch.settlement_id)
            await day.decide_adjustment(await day.propose_adjustment(batch.settlement_id, 3))
    await market.issue(haircut)
    await market.cancel(await market.issue(haircut))
    for points in (1, 4):
        job = await market.issue(haircut)
        lock = await market.lock(job)
        change = await market.propose_change(
            job, lock.token, points=points, subsidy_points=1, payable_fen=1500, cash_fen=100
        )
        if points > 2:
            await market.answer_change(change)


def test_every_check_has_a_fault() -> None:
    assert set(FAULTS) == set(KINDS)


async def test_a_busy_market_is_clean(market: Market) -> None:
    await busy(market)

    assert await market.faults() == []


@pytest.mark.parametrize("kind", FAULTS)
async def test_a_planted_fault_is_named(market: Market, database: Database, kind: str) -> None:
    await busy(market)
    await as_superuser(database, FAULTS[kind])

    async with market.sessions.begin() as session:
        found = await redemption.verify(session, market.book)
        everywhere = await redemption.verify(session)

    assert kind in {fault.kind for fault in found}
    assert found == everywhere
    assert all(fault.book == market.book and fault.place and "should say" in fault.detail for fault in found)
