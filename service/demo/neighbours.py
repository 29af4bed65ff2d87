"""The community next door: points expire there; clearing was agreed two months ago, a netting waits for finance."""

from dataclasses import replace

import msgspec
import sqlalchemy as sa
from sqlmodel import col

from service import communities, facts, identity
from service.clearing.actions import agreements, netting, sending
from service.clearing.manifest import MANIFEST
from service.clearing.queries.transfers import receiver_of
from service.clearing.rules import Unit
from service.demo.cast import ELSEWHERE, ELSEWHERE_CAST, HERE
from service.demo.stage import Stage
from service.kit.access import Actor
from service.kit.clock import local_day
from service.kit.outbox import Fact
from service.kit.tables import Outbox
from service.wallet.actions_expiry import follow_rule

SENT = (("chen", 40, 0, Unit.MINUTE, 90), ("sun", 36, 3, Unit.MINUTE, 60), ("chen", 35, 0, Unit.POINT, 150))
"""Who sent, how many days ago, to whom of the neighbours, and how much."""
AGREED_DAYS_AGO = 60
POINTS_LIVE_MONTHS = 12
"""Next door points expire, so that a passbook can be seen that says when."""


async def season(stage: Stage) -> None:
    """Two months in the life of two communities."""
    clerk = await _clerk(stage)
    at = stage.at(AGREED_DAYS_AGO, 9)
    await agreements.propose(
        stage.session, actor=stage.cast["jiang"], partner_id=ELSEWHERE, minutes_max=60_000, points_max=1000, now=at
    )
    await _tell(stage)
    await agreements.accept(stage.session, actor=clerk, partner_id=HERE, now=stage.at(AGREED_DAYS_AGO, 10))
    await _tell(stage)
    at = stage.at(AGREED_DAYS_AGO, 11)
    await communities.change_setting(
        stage.session,
        actor=clerk,
        name="points_expire_months",
        value=POINTS_LIVE_MONTHS,
        effective_from=local_day(at),
        now=at,
    )
    await follow_rule(stage.session, at)
    for handle, days_ago, to, unit, amount in SENT:
        await _send(stage, handle, days_ago, to, unit, amount)
        await _tell(stage)
    await netting.propose_netting(stage.session, actor=clerk, partner_id=HERE, now=stage.now)
    await _tell(stage)


async def _clerk(stage: Stage) -> Actor:
    """Whoever works in the office next door."""
    card = ELSEWHERE_CAST[1][0]
    row = (await identity.members_by_card(stage.session, ELSEWHERE, [card]))[card]
    return replace(stage.cast["qian"], community_id=ELSEWHERE, member_id=row.member_id, card_no=card)


async def _send(stage: Stage, handle: str, days_ago: int, to: int, unit: Unit, amount: int) -> None:
    card, name, _roles = ELSEWHERE_CAST[to]
    await sending.send(
        stage.session,
        actor=stage.cast[handle],
        partner_id=ELSEWHERE,
        receiver=await receiver_of(stage.session, ELSEWHERE, card, name),
        unit=unit,
        amount=amount,
        now=stage.at(days_ago, 15),
    )


async def _tell(stage: Stage) -> None:
    """What the worker would carry between the two."""
    kinds: dict[str, type[Fact]] = {kind.__name__: kind for kind in MANIFEST.subscribers}
    told = 0
    while True:
        await stage.session.flush()
        rows = await stage.session.execute(
            sa.select(Outbox)
            .where(col(Outbox.fact).in_(list(kinds)), col(Outbox.outbox_id) > told, col(Outbox.relayed_at).is_(None))
            .order_by(col(Outbox.outbox_id))
        )
        waiting = rows.scalars().all()
        if not waiting:
            return
        for row in waiting:
            told = max(told, row.outbox_id or 0)
            row.relayed_at = row.recorded_at
            fact = msgspec.convert(row.payload, getattr(facts, row.fact))
            for step in MANIFEST.subscribers[kinds[row.fact]]:
                await step(stage.session, fact, row.recorded_at)
