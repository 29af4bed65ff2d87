"""What a sponsor gives and points buy: the published specimens as offers, some vouchers, one of them used."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import redemption
from service.demo.cast import HERE
from service.demo.roster import table
from service.demo.stage import Stage
from service.kit.access import Actor
from service.kit.clock import day_begins, local_day
from service.kit.ids import new_id
from service.vouchers.actions import keeping, offering, taking
from service.vouchers.days import mask_of
from service.vouchers.rules import Pledge

STOCK = 50
FEN_PER_POINT = 100
"""What the sponsor pays the shop for goods worth a point; points are recognition and are never bought or sold."""
HAIRCUT_POINTS = 20
LUNCH_POINTS, LUNCHES = 2, 5
WORKDAYS = mask_of(range(1, 6))


async def pledge(stage: Stage) -> None:
    """The alliance promises 10,000 points and 100,000 yuan for the year."""
    at = stage.at(85, 10)
    for unit, amount in ((Pledge.POINT, 1_000_000), (Pledge.FEN, 10_000_000)):
        await offering.pledge(
            stage.session,
            actor=stage.cast["qian"],
            sponsor_id=stage.organisations["sponsor"],
            unit=unit,
            amount=amount,
            key=f"demo {unit.value}",
            now=at,
        )


async def season(stage: Stage) -> None:
    """Publish; let people take; let the bakery scan one."""
    published = {}
    for row in table("redemption_specimens.csv"):
        title = row["item"]
        if title not in published and "物业费" not in title:
            published[title] = await publish(stage, title, int(row["points"]), "bakery", redemption.OfferKind.GOODS)
    haircut = await publish(
        stage, "理发一次", HAIRCUT_POINTS, "barbershop", redemption.OfferKind.SERVICE, is_giftable=True
    )
    workdays = {"weekdays": WORKDAYS, "period_cap": 100, "period_cap_per": redemption.CapPeriod.WEEK}
    lunches = await publish(
        stage, "午餐五次", LUNCH_POINTS, "bakery", redemption.OfferKind.SERVICE, pieces=LUNCHES, **workdays
    )
    at = stage.now - timedelta(hours=26)
    taken = {}
    for handle, offer_id in (
        ("chen", published["肥皂"]),
        ("chen", haircut),
        ("sun", published["碗"]),
        ("sun", published["水杯"]),
        ("wei", lunches),
    ):
        taken[handle, offer_id] = await taking.take_offer(
            stage.session, actor=stage.cast[handle], offer_id=offer_id, key="demo", now=at
        )
    await keeping.propose(
        stage.session,
        actor=stage.cast["zheng"],
        voucher_id=taken["wei", lunches],
        step=redemption.StaffStep.EXTEND,
        last_day=local_day(stage.now) + timedelta(days=30),
        reason="出门照顾家人",
        key="demo",
        now=stage.now - timedelta(hours=2),
    )
    an_hour_later = at + timedelta(hours=1)
    await scanned(
        stage, taken["sun", published["碗"]], stage.organisations["bakery"], stage.cast["zhou"], an_hour_later
    )


async def publish(
    stage: Stage, title: str, points: int, shop: str, kind: redemption.OfferKind, *, pieces: int = 1, **more: Any
) -> UUID:
    """An offer of the sponsor at one shop, open since four weeks."""
    began = stage.at(28, 9)
    day = local_day(began)
    usual: dict[str, Any] = {
        "payable_fen": points * FEN_PER_POINT,
        "per_member_cap": pieces,
        "rules": (f"每人每季度{'一份' if pieces == 1 else '一张'}。", "凭券到店领取，不找零，不兑现金。"),
    }
    terms = redemption.OfferTerms(
        offer_id=new_id(),
        sponsor_id=stage.organisations["sponsor"],
        merchant_ids=(stage.organisations[shop],),
        title=title,
        kind=kind,
        pieces=pieces,
        price_points=points,
        stock_total=STOCK,
        valid_from=day_begins(day),
        valid_until=day_begins(day + timedelta(days=180)),
        **(usual | more),
    )
    clerk = stage.cast["wu"]
    await offering.draft_offer(stage.session, actor=clerk, terms=terms, now=began)
    await offering.publish_offer(stage.session, actor=clerk, offer_id=terms.offer_id, key="demo", now=began)
    return terms.offer_id


async def scanned(stage: Stage, voucher_id: int, shop_id: UUID, clerk: Actor, at: datetime) -> None:
    """Used at a counter."""
    scan = await redemption.redeem(
        stage.session,
        HERE,
        device_id=clerk.member_id,
        nonce=new_id(),
        voucher_id=voucher_id,
        code_seq=None,
        merchant_id=shop_id,
        owner_group_of_clerk=clerk.household_id,
        clerk_id=clerk.member_id,
        scanned_at=at,
        now=at,
    )
    assert scan.is_accepted, scan
