"""Three repairs on their way: one just reported, one whose price waits for a yes, one being done."""

from datetime import datetime, timedelta
from uuid import UUID

import redemption
from service.demo.offers import publish
from service.demo.stage import Stage
from service.repairs.actions import pricing, skills, working
from service.repairs.actions.pricing import QuoteLine
from service.repairs.queries import orders
from service.repairs.rules import Step, Trade

RULES = ("先上门看，再报价，您同意了才动手。", "修好当面验收。社区经费付了钱的，七天内又坏请告诉居委会。")


async def season(stage: Stage) -> None:
    """The team's offer, what its repairer can do, and the three."""
    await publish(stage, "上门维修", 0, "team", redemption.OfferKind.REPAIR, pieces=5, per_member_cap=None, rules=RULES)
    wang = stage.cast["wang"]
    await skills.write_skills(
        stage.session,
        actor=stage.cast["wu"],
        member_id=wang.member_id,
        trades={Trade.WATER, Trade.POWER},
        now=stage.at(20, 9),
    )
    await _reported(stage, "li", "厨房水龙头关不紧，一直滴水。", stage.now - timedelta(hours=3))
    waiting = await _taken(stage, "granny", "卫生间的水管接头漏水，地上一滩水。", stage.now - timedelta(hours=20))
    await _quoted(stage, waiting, "维修水龙头", 1500, stage.now - timedelta(hours=18))
    going_on = await _taken(stage, "sun", "客厅的插座松了，插头插不稳。", stage.now - timedelta(hours=30))
    await _quoted(stage, going_on, "换开关插座", 1000, stage.now - timedelta(hours=29))
    at = stage.now - timedelta(hours=2)
    seen = await orders.order_for(stage.session, stage.cast["sun"], going_on)
    await pricing.agree(stage.session, actor=stage.cast["sun"], order_id=going_on, revision=seen.revision, now=at)
    for step in (Step.GO, Step.ARRIVE):
        at += timedelta(minutes=20)
        await working.move_on(stage.session, actor=wang, order_id=going_on, step=step, now=at)


async def _reported(stage: Stage, handle: str, text: str, at: datetime) -> UUID:
    """By themselves, or by the office for who phones."""
    asker = stage.cast[handle]
    phones = handle == "granny"
    order = await working.report(
        stage.session,
        actor=stage.cast["wu"] if phones else asker,
        asked_by=asker.member_id if phones else None,
        text=text,
        is_urgent=False,
        trade=Trade.POWER if "插座" in text else Trade.WATER,
        now=at,
    )
    return order.order_id


async def _taken(stage: Stage, handle: str, text: str, at: datetime) -> UUID:
    order_id = await _reported(stage, handle, text, at)
    wang = stage.cast["wang"]
    await working.assign(
        stage.session,
        actor=stage.cast["wu"],
        order_id=order_id,
        team_id=stage.organisations["team"],
        repairer_id=wang.member_id,
        now=at + timedelta(minutes=10),
    )
    await working.take(stage.session, actor=wang, order_id=order_id, now=at + timedelta(minutes=30))
    return order_id


async def _quoted(stage: Stage, order_id: UUID, item: str, fen: int, at: datetime) -> None:
    await pricing.quote(
        stage.session,
        actor=stage.cast["wang"],
        order_id=order_id,
        lines=[QuoteLine(item=item, quantity=1, fen_each=fen)],
        now=at,
    )
