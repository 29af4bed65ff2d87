"""Reads of repair orders, and who may see one."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.kit.access import Actor, Role
from service.repairs.rules import OFFICE, RepairNotFound, RepairState, Warranty
from service.repairs.tables import RepairLine, RepairOrder

LIST_MAX = 200


def may_see(actor: Actor, order: RepairOrder) -> bool:
    """The resident, whoever wrote it down, its repairer, and whoever dispatches."""
    mine = actor.member_id in (order.asked_by, order.posted_by, order.repairer_id)
    return mine or actor.has(*OFFICE) or leads(actor, order)


def leads(actor: Actor, order: RepairOrder) -> bool:
    """A leader, for orders of nobody's team yet or of the own."""
    return actor.has(Role.LEADER) and (order.team_id is None or order.team_id in actor.organisations)


async def order_for(session: AsyncSession, actor: Actor, order_id: UUID) -> RepairOrder:
    """One order for somebody who may see it. Not there and not theirs look the same."""
    row = await session.get(RepairOrder, (actor.community_id, order_id))
    if row is None or not may_see(actor, row):
        raise RepairNotFound
    return row


async def lock_order(session: AsyncSession, actor: Actor, order_id: UUID) -> RepairOrder:
    """The row itself, locked and read anew: two who press at once are heard one after the other."""
    rows = await session.exec(
        select(RepairOrder)
        .where(col(RepairOrder.community_id) == actor.community_id, col(RepairOrder.order_id) == order_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    row = rows.first()
    if row is None or not may_see(actor, row):
        raise RepairNotFound
    return row


async def orders(
    session: AsyncSession,
    community_id: int,
    *,
    asked_by: UUID | None = None,
    repairer_id: UUID | None = None,
    is_open: bool = False,
) -> Sequence[RepairOrder]:
    """Urgent first, then the newest, at most 200."""
    wanted = [col(RepairOrder.community_id) == community_id]
    if asked_by is not None:
        wanted.append(col(RepairOrder.asked_by) == asked_by)
    if repairer_id is not None:
        wanted.append(col(RepairOrder.repairer_id) == repairer_id)
    if is_open:
        wanted.append(col(RepairOrder.state).not_in((RepairState.ACCEPTED, RepairState.CANCELLED)))
    rows = await session.exec(
        select(RepairOrder)
        .where(*wanted)
        .order_by(col(RepairOrder.is_urgent).desc(), col(RepairOrder.posted_at).desc(), col(RepairOrder.order_id))
        .limit(LIST_MAX)
    )
    return list(rows)


async def history(session: AsyncSession, community_id: int, order_id: UUID) -> Sequence[RepairLine]:
    """Everything that happened to it, oldest first."""
    rows = await session.exec(
        select(RepairLine)
        .where(col(RepairLine.community_id) == community_id, col(RepairLine.order_id) == order_id)
        .order_by(col(RepairLine.revision))
    )
    return list(rows)


async def warranties_over(session: AsyncSession, now: datetime, limit: int) -> Sequence[RepairOrder]:
    """Orders of one community whose warranty is over, locked; whoever is busy with one keeps it."""
    first = sa.select(sa.func.min(col(RepairOrder.community_id))).where(
        col(RepairOrder.warranty) == Warranty.HELD, col(RepairOrder.warranty_until) <= now
    )
    rows = await session.exec(
        select(RepairOrder)
        .where(
            col(RepairOrder.community_id) == first.scalar_subquery(),
            col(RepairOrder.warranty) == Warranty.HELD,
            col(RepairOrder.warranty_until) <= now,
        )
        .order_by(col(RepairOrder.order_id))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return list(rows)
