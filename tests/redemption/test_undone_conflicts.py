"""A conflict that was paid and that the shop's phone takes back: everybody has again what it took of them, once."""

import asyncio
from dataclasses import replace
from uuid import UUID

import pytest

import ledger
import redemption
from redemption import LineKind, OfflineClass, UseState, VoucherState
from tests.redemption.market import Market, account
from tests.redemption.phones import TERMS, Phone, Record

pytestmark = pytest.mark.anyio

UNDONE = ("accepted", "undone")


async def paid_twice(market: Market, **changed: object) -> tuple[Phone, Record, int]:
    """Used at the barber's with a network, then at the bakery's without: the fund paid the bakery."""
    shops = (market.barber, market.bakery)
    offer = await market.publish(**{"offline_class": OfflineClass.ROAMING, "merchant_ids": shops, **changed})
    voucher_id = await market.issue(offer)
    phone = await Phone(market, merchant_id=market.bakery).enrol()
    await market.scan(voucher_id)
    scan = phone.scan(voucher_id, market)
    [said] = await phone.sync(market)
    assert (said["verdict"], said["reason"], said["bearer"]) == ("conflict", "used_online", "fund")
    return phone, scan, voucher_id


async def purses(market: Market) -> dict[str, int]:
    """What everybody has who could have paid, in the ledger's smallest unit."""
    codes = [
        (account("member", market.li), "point"),
        (account("owed", market.li), "point"),
        ("loss:offline", "point"),
        ("loss:offline", "fen"),
        ("fund:charity", "fen"),
        (account("merchant", market.bakery), "point"),
        (account("merchant", market.bakery), "fen"),
    ]
    async with market.sessions.begin() as session:
        found = await ledger.balances(session, market.book, codes)
    return {f"{code.split(':')[0]} {unit}": found.get((code, unit), 0) for code, unit in codes}


async def lost(market: Market) -> int:
    async with market.sessions.begin() as session:
        return (await redemption.losses(session, market.book))[0].lost_fen


async def states(market: Market, voucher_id: int) -> list[UseState]:
    async with market.sessions.begin() as session:
        return [each.state for each in await redemption.uses_of(session, market.book, voucher_id)]


async def decided(market: Market, phone: Phone, record: Record, *, is_paid: bool) -> object:
    async with market.sessions.begin() as session:
        await redemption.propose_review(
            session,
            market.book,
            phone.device_id,
            UUID(record["nonce"]),
            is_paid=is_paid,
            note="asked the shop",
            actor_id=market.staff,
            now=market.now,
        )
    async with market.sessions.begin() as session:
        return await redemption.decide_review(
            session,
            market.book,
            phone.device_id,
            UUID(record["nonce"]),
            is_agreed=True,
            actor_id=market.finance,
            month_on=TERMS.month_on,
            now=market.now,
        )


async def move(market: Market, source: str, target: str, amount: int) -> None:
    legs = (ledger.Leg(source, target, "point", amount),)
    async with market.sessions.begin() as session:
        journal = ledger.Journal(f"move:{target}", "opening", legs, None)
        await ledger.post(session, market.book, journal, now=market.now)


def nobody_owes() -> dict[str, int]:
    """As if nobody had ever used anything twice: what a single use leaves."""
    return {
        "member point": 0,
        "owed point": 0,
        "loss point": 0,
        "loss fen": 0,
        "fund fen": 0,
        "merchant point": 0,
        "merchant fen": 0,
    }


@pytest.mark.parametrize("price", [20, 80])
async def test_everybody_has_again_what_the_conflict_took(market: Market, price: int) -> None:
    """With points enough, and with a debt: price 80 of 100 leaves 20 for the second use, and 60 are owed."""
    before = await market.points() - price
    phone, scan, voucher_id = await paid_twice(market, price_points=price)
    assert await lost(market) == 1500
    phone.undo(scan, market.at(minutes=59))

    [said] = await phone.sync(market.at(hours=9))

    assert (said["verdict"], said["reason"], said["reversed_seq"]) == (*UNDONE, 2)
    assert await purses(market) == nobody_owes() | {"member point": 100 * before}
    assert await states(market, voucher_id) == [UseState.ACCEPTED, UseState.REVERSED]
    assert (await market.voucher(voucher_id)).state is VoucherState.USED
    assert await lost(market) == 0
    assert await market.faults() == []


async def test_the_strike_is_withdrawn_and_counts_no_more(market: Market) -> None:
    for _ in range(2):
        phone, scan, _voucher_id = await paid_twice(market, price_points=5)
        phone.undo(scan, market.at(minutes=5))
        await phone.sync(market.at(minutes=10))
    again = await market.publish(offline_class=OfflineClass.ROAMING, price_points=5)

    assert (await market.voucher(await market.issue(again))).offline_class == 2
    assert await market.faults() == []


async def test_asked_again_and_by_two_uploads_at_once_it_happens_once(fresh_market: Market) -> None:
    market = fresh_market
    phone, scan, voucher_id = await paid_twice(market)
    undo, second = phone.undo(scan, market.at(minutes=5)), phone.undo(scan, market.at(minutes=6))

    answers = await asyncio.gather(*(phone.sync(market.at(minutes=9), [each]) for each in (undo, second, undo)))

    assert {(each["verdict"], each["reason"]) for (each,) in answers} <= {UNDONE, ("already", "undone")}
    assert await states(market, voucher_id) == [UseState.ACCEPTED, UseState.REVERSED]
    assert (await purses(market))["merchant fen"] == 0
    assert await market.faults() == []


async def test_after_the_hour_by_another_clerk_and_the_fourth_of_a_day_it_stands(market: Market) -> None:
    phone, scan, voucher_id = await paid_twice(market)
    phone.undo(scan, market.at(minutes=5), clerk=str(market.staff))
    phone.undo(scan, market.at(minutes=60))
    assert [each["reason"] for each in await phone.sync(market.at(hours=2))] == ["undo_late"] * 2
    assert await states(market, voucher_id) == [UseState.ACCEPTED, UseState.CONFLICT]

    many = await market.publish(
        offline_class=OfflineClass.LEASED, pieces=4, price_points=1, merchant_ids=(market.bakery,)
    )
    pieces = await market.issue(many)
    await phone.take_lease(market.at(hours=3))
    taken = [phone.scan(pieces, market.at(hours=3)) for _ in range(3)]
    await phone.sync(market.at(hours=3))
    for each in taken:
        phone.undo(each, market.at(hours=3, minutes=1))
    later = await market.issue(
        await market.publish(offline_class=OfflineClass.ROAMING, merchant_ids=(market.barber, market.bakery))
    )
    await market.at(hours=3).scan(later)
    twice = phone.scan(later, market.at(hours=3))
    await phone.sync(market.at(hours=3, minutes=2))
    undo = phone.undo(twice, market.at(hours=3, minutes=3))

    [said] = await phone.sync(market.at(hours=3, minutes=4))

    assert (said["verdict"], said["reason"]) == ("review", "undo_waits")
    assert await decided(market.at(hours=4), phone, undo, is_paid=False) == redemption.UndoneUse(
        later, 2, market.li, market.bakery
    )
    assert await states(market, later) == [UseState.ACCEPTED, UseState.REVERSED]
    assert await market.faults() == []


async def test_a_debt_that_was_paid_meanwhile_comes_back_to_the_member(market: Market) -> None:
    """The member owed 60 points, paid 50 of them, and then the clerk took the second scan back."""
    phone, scan, _voucher_id = await paid_twice(market, price_points=80)
    await move(market, "issued", account("member", market.li), 5000)
    await move(market, account("member", market.li), account("owed", market.li), 5000)
    assert await market.balance(account("owed", market.li)) == -1000
    phone.undo(scan, market.at(minutes=5))

    await phone.sync(market.at(hours=1))

    assert await purses(market) == nobody_owes() | {"member point": 7000}
    assert await market.faults() == []


async def test_settled_meanwhile_two_people_have_it_in_the_next_statement(market: Market) -> None:
    phone, scan, voucher_id = await paid_twice(market)
    evening = market.at(hours=12)
    batch = await evening.close(market.bakery)
    undo = phone.undo(scan, market.at(minutes=5))
    [said] = await phone.sync(market.at(hours=13))
    assert (said["verdict"], said["reason"]) == ("review", "undo_waits")
    with pytest.raises(redemption.RedemptionRefusal):
        await decided(market.at(hours=13), phone, undo, is_paid=False)  # the shop has not confirmed
    await evening.confirm(batch.settlement_id)
    async with market.sessions.begin() as session:
        back = await redemption.decide_review(
            session,
            market.book,
            phone.device_id,
            UUID(undo["nonce"]),
            is_agreed=True,
            actor_id=market.finance,
            month_on=TERMS.month_on,
            now=market.at(hours=14).now,
        )

    assert back == redemption.UndoneUse(voucher_id, 2, market.li, market.bakery)
    assert await states(market, voucher_id) == [UseState.ACCEPTED, UseState.ADJUSTED]
    assert (await purses(market))["member point"] == 8000
    assert await lost(market) == 0
    week = market.at(days=7)
    sale = await market.publish(merchant_ids=(market.bakery,), price_points=20)
    await week.scan(await week.issue(sale), merchant=market.bakery)
    second = await market.at(days=8).close(market.bakery)
    assert (second.line_count, second.points, second.payable_fen) == (2, 0, 0)
    async with market.sessions.begin() as session:
        lines = (await redemption.settlement_lines(session, market.book, second.settlement_id)).lines
    assert [(each.kind, each.points) for each in lines] == [(LineKind.USE, 20), (LineKind.ADJUSTMENT, -20)]
    assert await market.faults() == []


async def test_what_a_conflict_paid_is_no_ordinary_correction(market: Market) -> None:
    """Nobody corrects it in the name of the phone: only a record of the phone itself does."""
    _phone, _scan, _voucher_id = await paid_twice(market)
    evening = market.at(hours=2)
    batch = await evening.close(market.bakery)
    await evening.confirm(batch.settlement_id)
    with pytest.raises(redemption.NotAdjustable):
        await evening.propose_adjustment(batch.settlement_id, cause=redemption.AdjustmentCause.UNDONE)


async def test_what_is_corrected_is_no_part_of_what_the_fund_may_lose(market: Market) -> None:
    """Let the fund lose as much as was redeemed: of three haircuts of 150 yuan one was never given, and 20 yuan were scanned."""
    terms = replace(TERMS, loss_millionths=1_000_000)
    pieces = await market.issue(
        await market.publish(pieces=3, payable_fen=15_000, price_points=1, stock_total=3), quantity=3
    )
    for minute in range(3):
        await market.at(minutes=minute).scan(pieces)
    evening = market.at(hours=2)
    batch = await evening.close()
    await evening.confirm(batch.settlement_id)
    await evening.decide_adjustment(await evening.propose_adjustment(batch.settlement_id, 2))
    offer = await market.publish(
        offline_class=OfflineClass.ROAMING,
        merchant_ids=(market.barber, market.bakery),
        payable_fen=2_000,
        price_points=1,
        stock_total=1,
    )
    twice, phone = await market.issue(offer), await Phone(market, merchant_id=market.bakery).enrol()
    await market.scan(twice)
    phone.scan(twice, market)

    await phone.sync(market.at(hours=4), terms=terms)

    async with market.sessions.begin() as session:
        [month] = await redemption.losses(session, market.book)
    assert (month.lost_fen, month.allowed_fen) == (2_000, 32_000)


async def test_a_corrected_use_is_neither_the_last_one_nor_among_the_takings(market: Market) -> None:
    offer = await market.publish(pieces=2)
    voucher_id = await market.issue(offer, quantity=2)
    await market.scan(voucher_id)
    await market.at(minutes=1).scan(voucher_id)
    evening = market.at(hours=2)
    batch = await evening.close()
    await evening.confirm(batch.settlement_id)
    await evening.decide_adjustment(await evening.propose_adjustment(batch.settlement_id, 2))

    again = await market.at(hours=3).scan(voucher_id)

    assert again.verdict == "used"
    assert again.detail["seq"] == 1
    assert (await market.voucher(voucher_id)).last_used_at == market.now
    async with market.sessions.begin() as session:
        sums = await redemption.takings_sums(
            session, market.book, market.barber, received_from=market.now, received_until=market.at(hours=9).now
        )
    assert (sums.count, sums.payable_fen) == (1, 1500)
