"""Paid in parts, sent back and paid again, to an account that two people changed; never twice, by however many at once."""

from collections import Counter
from datetime import date
from uuid import UUID

import asyncpg
import pytest

import redemption
from redemption import PayeeState, Rhythm, SettlementState, refusals
from tests.db import Database
from tests.redemption.crowd import all_at_once, as_superuser, one_after_another, without_lock
from tests.redemption.market import Market, account, some_id
from tests.redemption.test_settlement import used

pytestmark = pytest.mark.anyio


async def approved(market: Market, count: int = 2) -> UUID:
    """A statement over 15 yuan and 5 points for each use, approved by the second person."""
    await used(market, count)
    evening = market.at(hours=2)
    batch = (await evening.close()).settlement_id
    await evening.confirm(batch)
    await evening.approve(batch)
    return batch


async def send_back(market: Market, batch: UUID, number: int = 1, *, reason: str = "户名不符") -> None:
    async with market.sessions.begin() as session:
        await redemption.return_payment(
            session, market.book, batch, number, key=some_id(), reason=reason, actor_id=market.finance, now=market.now
        )


async def paid(market: Market, batch: UUID) -> list[redemption.Payment]:
    async with market.sessions.begin() as session:
        return await redemption.payments(session, market.book, batch)


async def new_account(market: Market, *, tail: str = "6789", decide: bool = True, days: int = 3) -> UUID:
    payee_id = some_id()
    async with market.sessions.begin() as session:
        await redemption.propose_payee(
            session,
            market.book,
            payee_id=payee_id,
            merchant_id=market.barber,
            holder="小李理发店",
            bank="工商银行",
            tail=tail,
            sealed=b"sealed",
            reason="开户",
            actor_id=market.finance,
            now=market.now,
        )
    if decide:
        await decide_account(market, payee_id, days=days)
    return payee_id


async def decide_account(
    market: Market, payee_id: UUID, *, actor: UUID | None = None, agreed: bool = True, days: int = 3
) -> None:
    async with market.sessions.begin() as session:
        await redemption.decide_payee(
            session,
            market.book,
            payee_id,
            key=some_id(),
            agreed=agreed,
            reason="" if agreed else "账号不对",
            freeze_days=days,
            actor_id=actor or market.second,
            now=market.now,
        )


async def test_in_parts_and_the_points_are_burnt_with_the_last(market: Market) -> None:
    batch = await approved(market)
    await market.pay(batch, bank_reference="B-1", fen=1000)
    part = await market.settlement(batch)
    assert (part.state, part.paid_fen, part.open_fen, part.paid_points) == (SettlementState.PART_PAID, 1000, 2000, 0)
    for wrong in (0, -1, 2001):
        with pytest.raises(refusals.AmountWrong) as refused:
            await market.pay(batch, bank_reference="B-2", fen=wrong)
        assert refused.value.open == 2000
    with pytest.raises(refusals.ReferenceUsed):
        await market.pay(batch, bank_reference="B-1", fen=500)

    await market.pay(batch, bank_reference="B-2")

    whole = await market.settlement(batch)
    assert (whole.state, whole.paid_fen, whole.paid_points, whole.bank_reference) == ("PAID", 3000, 10, "B-2")
    assert [(each.number, each.fen, each.points) for each in await paid(market, batch)] == [(1, 1000, 0), (2, 2000, 10)]
    assert await market.balance(account("merchant", market.barber)) == 0
    assert await market.balance(account("merchant", market.barber), "fen") == 0
    assert await market.faults() == []


async def test_what_the_bank_sends_back_is_open_again_and_paid_once_more(market: Market) -> None:
    batch = await approved(market)
    await market.pay(batch, bank_reference="B-1")
    with pytest.raises(redemption.ReasonMissing):
        await send_back(market, batch, reason="")
    with pytest.raises(refusals.PaymentUnknown):
        await send_back(market, batch, 2)
    await send_back(market, batch)
    with pytest.raises(refusals.PaymentReturned):
        await send_back(market, batch)

    back = await market.settlement(batch)
    assert (back.state, back.paid_fen, back.paid_points, back.open_fen) == (SettlementState.CONFIRMED, 0, 0, 3000)
    assert await market.balance(account("merchant", market.barber), "fen") == 3000
    assert await market.faults() == []
    with pytest.raises(redemption.SettlementStateWrong):
        await market.pay(batch, bank_reference="B-2")  # a second person looks again first
    await market.approve(batch)
    with pytest.raises(refusals.ReferenceUsed):
        await market.pay(batch, bank_reference="B-1")
    await market.pay(batch, bank_reference="B-2")

    first, second = await paid(market, batch)
    assert (first.return_reason, first.repeats, second.repeats) == ("户名不符", None, 1)
    assert (await market.settlement(batch)).state is SettlementState.PAID
    assert await market.balance(account("merchant", market.barber), "fen") == 0
    assert await market.faults() == []


async def test_one_part_comes_back_and_the_other_stays_paid(market: Market) -> None:
    batch = await approved(market)
    await market.pay(batch, bank_reference="B-1", fen=1000)
    await market.pay(batch, bank_reference="B-2")
    await send_back(market, batch, 1)
    await market.approve(batch)
    part = await market.settlement(batch)
    assert (part.state, part.paid_fen, part.paid_points, part.open_fen) == (SettlementState.PART_PAID, 2000, 10, 1000)
    await market.pay(batch, bank_reference="B-3")
    assert [each.points for each in await paid(market, batch)] == [0, 10, 0]
    assert await market.faults() == []


async def test_who_approved_does_not_pay(market: Market) -> None:
    batch = await approved(market)
    with pytest.raises(redemption.SamePerson):
        await market.pay(batch, actor=market.second)


async def test_a_change_of_account_takes_two_people_and_stops_payments(market: Market) -> None:
    batch = await approved(market)
    first = await new_account(market)
    waiting = await new_account(market, tail="1111", decide=False)
    with pytest.raises(refusals.PayeeWaits):
        await new_account(market, tail="2222", decide=False)
    with pytest.raises(redemption.SamePerson):
        await decide_account(market, waiting, actor=market.finance)
    await market.pay(batch, bank_reference="B-1", fen=1000)  # a first account freezes nothing, nor does a proposal
    await decide_account(market, waiting)
    with pytest.raises(refusals.PayeeDecided):
        await decide_account(market, waiting)
    with pytest.raises(refusals.PayeeUnknown):
        await decide_account(market, some_id())

    with pytest.raises(redemption.PayoutFrozen) as frozen:
        await market.at(days=2, hours=23).pay(batch, bank_reference="B-2")
    assert frozen.value.frozen_until == market.at(days=3).now
    await market.at(days=3).pay(batch, bank_reference="B-2")

    assert [(each.payee_id, each.tail) for each in await paid(market, batch)] == [(first, "6789"), (waiting, "1111")]
    refused = await new_account(market, tail="3333", decide=False)
    await decide_account(market, refused, agreed=False)
    async with market.sessions.begin() as session:
        states = Counter(each.state for each in await redemption.payees(session, market.book))
    assert states == {PayeeState.APPROVED: 2, PayeeState.REFUSED: 1}


async def test_twenty_who_pay_at_once_pay_once(fresh_market: Market, fresh_database: Database) -> None:
    batch = await approved(fresh_market)
    racers = [fresh_market.pay(batch, bank_reference=f"B-{n}") for n in range(20)]

    answers = Counter(type(each).__name__ for each in await all_at_once(fresh_database, racers))

    assert answers == {"NoneType": 1, "SettlementStateWrong": 19}
    assert len(await paid(fresh_market, batch)) == 1
    assert await fresh_market.faults() == []


async def test_without_the_statements_lock_the_constraint_pays_once(
    fresh_market: Market, fresh_database: Database
) -> None:
    await without_lock(fresh_database, "payments", "pay_settlement")
    batch = await approved(fresh_market)
    racers = [fresh_market.pay(batch, bank_reference=f"B-{n}") for n in range(20)]

    answers = Counter(type(each).__name__ for each in await all_at_once(fresh_database, racers))

    assert answers["NoneType"] == 1
    assert "SettlementStateWrong" not in answers  # nobody is told properly
    assert await fresh_market.faults() == []


async def test_parts_at_once_never_come_to_more_than_is_due(fresh_market: Market, fresh_database: Database) -> None:
    batch = await approved(fresh_market)  # 3000 fen
    racers = [fresh_market.pay(batch, bank_reference=f"B-{n}", fen=700) for n in range(10)]

    answers = Counter(type(each).__name__ for each in await all_at_once(fresh_database, racers))

    assert answers == {"NoneType": 4, "AmountWrong": 6}
    assert (await fresh_market.settlement(batch)).paid_fen == 2800
    assert await fresh_market.faults() == []


async def test_a_payment_beside_a_new_account_waits_and_then_finds_it_frozen(
    fresh_market: Market, fresh_database: Database
) -> None:
    batch = await approved(fresh_market)
    await new_account(fresh_market)
    waiting = await new_account(fresh_market, tail="1111", decide=False)

    answers = await one_after_another(
        fresh_database,
        [decide_account(fresh_market, waiting), fresh_market.pay(batch)],
        holding="SELECT FROM redemption.payee FOR UPDATE",
    )

    assert [type(each).__name__ for each in answers] == ["NoneType", "PayoutFrozen"]
    assert await paid(fresh_market, batch) == []


async def test_without_the_shops_lock_the_money_goes_to_the_new_account_or_the_old_by_luck(
    fresh_market: Market, fresh_database: Database
) -> None:
    await without_lock(fresh_database, "payments", "pay_settlement", lock="\n      FOR SHARE")
    batch = await approved(fresh_market)
    await new_account(fresh_market)
    waiting = await new_account(fresh_market, tail="1111", decide=False)

    answers = await one_after_another(
        fresh_database,
        [decide_account(fresh_market, waiting), fresh_market.pay(batch)],
        holding="SELECT FROM redemption.payee FOR UPDATE",
    )

    assert [type(each).__name__ for each in answers] == ["NoneType", "NoneType"]


async def test_two_who_record_one_return_record_it_once(fresh_market: Market, fresh_database: Database) -> None:
    batch = await approved(fresh_market)
    await fresh_market.pay(batch)
    racers = [send_back(fresh_market, batch) for _ in range(10)]

    answers = Counter(type(each).__name__ for each in await all_at_once(fresh_database, racers))

    assert answers == {"NoneType": 1, "PaymentReturned": 9}
    assert await fresh_market.faults() == []


async def test_an_invoice_stands_once_in_a_community(market: Market) -> None:
    batch = await approved(market)

    async def note(number: str, fen: int = 3000, key: UUID | None = None) -> None:
        async with market.sessions.begin() as session:
            await redemption.note_invoice(
                session,
                market.book,
                batch,
                key=key or some_id(),
                invoice_no=number,
                fen=fen,
                actor_id=market.clerk,
                now=market.now,
            )

    key = some_id()
    await note("24312000000012345678", key=key)
    await note("24312000000012345678", key=key)
    with pytest.raises(redemption.KeyDiffers):
        await note("24312000000012345679", key=key)
    with pytest.raises(refusals.InvoiceTaken):
        await note("24312000000012345678")
    for wrong in ("1234567", "1234567A", ""):
        with pytest.raises(refusals.InvoiceWrong):
            await note(wrong)
    async with market.sessions.begin() as session:
        [invoice] = await redemption.invoices(session, market.book, batch)
        assert (invoice.invoice_no, invoice.fen) == ("24312000000012345678", 3000)
        args = (session, market.book, batch, invoice.invoice_no)
        await redemption.withdraw_invoice(*args, actor_id=market.finance, now=market.now)
        with pytest.raises(refusals.InvoiceUnknown):
            await redemption.withdraw_invoice(*args, actor_id=market.finance, now=market.now)
    await note("24312000000012345678")


async def test_a_rhythm_begins_on_a_day_to_come_and_the_older_one_stands_until_then(market: Market) -> None:
    today = date(2026, 11, 22)

    async def choose(rhythm: Rhythm, day: date) -> None:
        async with market.sessions.begin() as session:
            await redemption.choose_rhythm(
                session,
                market.book,
                market.barber,
                rhythm,
                effective_from=day,
                today=today,
                actor_id=market.finance,
                now=market.now,
            )

    for wrong in (today, date(2026, 11, 1), date(2028, 1, 1)):
        with pytest.raises(refusals.RhythmDayWrong):
            await choose(Rhythm.DAILY, wrong)
    await choose(Rhythm.DAILY, date(2026, 11, 23))
    await choose(Rhythm.WEEKLY, date(2026, 12, 1))
    await choose(Rhythm.DAILY, date(2026, 12, 1))
    await choose(Rhythm.WEEKLY, date(2026, 12, 7))
    async with market.sessions.begin() as session:
        on = [
            await redemption.rhythms_on(session, market.book, date(2026, month, day))
            for month, day in ((11, 22), (11, 23), (12, 9))
        ]
        later = await redemption.rhythms(session, market.book, since=date(2026, 12, 2))
    assert [each.get(market.barber) for each in on] == [None, Rhythm.DAILY, Rhythm.WEEKLY]
    assert [each.effective_from for each in later] == [date(2026, 12, 1), date(2026, 12, 7)]


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        ("UPDATE redemption.settlement SET paid_fen = approved_fen + 1", "ck_settlement_paid_once"),
        ("UPDATE redemption.settlement SET paid_points = -1", "ck_settlement_paid_once"),
        ("UPDATE redemption.settlement SET paid_fen = 0", "ck_settlement_paid_whole"),
        ("UPDATE redemption.payment SET paid_by = approved_by", "ck_payment_two_people"),
        ("UPDATE redemption.payment SET returned_at = now()", "ck_payment_returned"),
        ("UPDATE redemption.payee SET decided_by = proposed_by", "ck_payee_two_people"),
        ("UPDATE redemption.payee SET frozen_until = NULL", "ck_payee_frozen"),
    ],
)
async def test_the_walls_behind_the_functions(
    market: Market, database: Database, statement: str, constraint: str
) -> None:
    await new_account(market)
    await market.pay(await approved(market))
    with pytest.raises(asyncpg.CheckViolationError) as refused:
        await as_superuser(database, statement)
    assert refused.value.constraint_name == constraint
