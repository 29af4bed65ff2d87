"""Four weeks at two counters: lunches and haircuts for elders, last week's statements, and what the watch finds odd."""

from datetime import datetime, timedelta
from uuid import UUID

import redemption
from service.demo.cast import HERE
from service.demo.offers import publish, scanned
from service.demo.stage import Stage
from service.identity import Person, members_by_card, people_by_ids
from service.kit.clock import day_begins, local_day
from service.vouchers.actions import settling, taking

GUESTS = tuple(f"0012-{number:04}" for number in range(101, 125))
"""Of the crowd, each from a household of its own or nearly."""
LUNCH_FEN, HAIRCUT_FEN = 600, 800
RULES = ("六十五岁以上，每季度十二份。", "可以由社区代领，凭券到店使用。")
CLOSED_DAYS_AGO = 7


async def season(stage: Stage) -> None:
    """Every day but Sundays somebody eats and somebody has their hair cut; one of them comes four times in a day."""
    rows = await members_by_card(stage.session, HERE, GUESTS)
    people = await people_by_ids(stage.session, HERE, {row.member_id for row in rows.values()})
    guests = [people[rows[card].member_id] for card in GUESTS]
    lunch = await publish(
        stage,
        "长者午餐",
        0,
        "bakery",
        redemption.OfferKind.SERVICE,
        payable_fen=LUNCH_FEN,
        per_member_cap=12,
        rules=RULES,
    )
    haircut = await publish(
        stage,
        "长者理发",
        0,
        "barbershop",
        redemption.OfferKind.SERVICE,
        payable_fen=HAIRCUT_FEN,
        per_member_cap=12,
        rules=RULES,
    )
    for day in range(27, 0, -1):
        if stage.at(day, 12).isoweekday() == 7:
            continue
        await _visit(stage, guests[day % 24], lunch, "bakery", "zhou", stage.at(day, 11, 40 + day % 20))
        await _visit(stage, guests[(day + 9) % 24], haircut, "barbershop", "barber", stage.at(day, 15, day * 2))
    for minute in (5, 10, 15, 20):
        await _visit(stage, guests[0], lunch, "bakery", "zhou", stage.at(3, 11, minute))
    await _statements(stage)


async def _visit(stage: Stage, guest: Person, offer_id: UUID, shop: str, clerk: str, at: datetime) -> None:
    """The office takes the voucher for them, and the shop scans it a quarter of an hour later."""
    voucher_id = await taking.take_offer(
        stage.session,
        actor=stage.cast["wu"],
        offer_id=offer_id,
        key=f"demo {at:%d %H%M}",
        now=at - timedelta(minutes=15),
        for_member=guest,
    )
    await scanned(stage, voucher_id, stage.organisations[shop], stage.cast[clerk], at)


async def _statements(stage: Stage) -> None:
    """Closed a week ago for what was before; the bakery agreed with its own, and a second person still has to approve."""
    until = day_begins(local_day(stage.now) - timedelta(days=CLOSED_DAYS_AGO))
    at = until + timedelta(hours=9)
    closed = await settling.close_period(
        stage.session, actor=stage.cast["qian"], until=until, merchant_id=None, key="demo", now=at
    )
    for each in closed:
        assert each.settlement_id is not None, each
        if each.merchant_id == stage.organisations["bakery"]:
            await settling.confirm(
                stage.session,
                actor=stage.cast["zhou"],
                settlement_id=each.settlement_id,
                now=at + timedelta(hours=5),
            )
