"""Reads of repair orders, and who may see one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.kit.access import Actor
from service.repairs.rules import OFFICE, Moment, PhotoNotFound, RepairNotFound, RepairState, Warranty
from service.repairs.tables import RepairLine, RepairOrder, RepairPart, RepairPhoto

LIST_MAX = 200


def may_see(actor: Actor, order: RepairOrder) -> bool:
    """The resident, whoever wrote it down, its repairer, and the office."""
    return actor.member_id in (order.asked_by, order.posted_by, order.repairer_id) or actor.has(*OFFICE)


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


async def my_open(session: AsyncSession, community_id: int, member_id: UUID) -> Sequence[RepairOrder]:
    """What is open and mine, as resident or as repairer; urgent first, a dozen at most."""
    rows = await session.exec(
        select(RepairOrder)
        .where(
            col(RepairOrder.community_id) == community_id,
            sa.or_(col(RepairOrder.asked_by) == member_id, col(RepairOrder.repairer_id) == member_id),
            col(RepairOrder.state).not_in((RepairState.ACCEPTED, RepairState.CANCELLED)),
        )
        .order_by(col(RepairOrder.is_urgent).desc(), col(RepairOrder.posted_at).desc(), col(RepairOrder.order_id))
        .limit(12)
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


@dataclass(frozen=True, slots=True)
class PhotoMark:
    """That there is a photo; its bytes are read one by one."""

    photo_id: UUID
    moment: Moment
    added_by: UUID
    added_at: datetime
    width: int
    height: int
    digest: bytes


async def photos(session: AsyncSession, order: RepairOrder) -> Sequence[PhotoMark]:
    """The photos of an order, oldest first."""
    rows = await session.execute(
        sa.select(
            col(RepairPhoto.photo_id),
            col(RepairPhoto.moment),
            col(RepairPhoto.added_by),
            col(RepairPhoto.added_at),
            col(RepairPhoto.width),
            col(RepairPhoto.height),
            col(RepairPhoto.digest),
        )
        .where(col(RepairPhoto.community_id) == order.community_id, col(RepairPhoto.order_id) == order.order_id)
        .order_by(col(RepairPhoto.added_at), col(RepairPhoto.photo_id))
    )
    return [PhotoMark(photo_id, Moment(moment), *rest) for photo_id, moment, *rest in rows]


async def has_photo(session: AsyncSession, order: RepairOrder, moment: Moment) -> bool:
    """Whether the order has one of before, or of after."""
    return any(photo.moment is moment for photo in await photos(session, order))


async def photo_for(session: AsyncSession, actor: Actor, order_id: UUID, photo_id: UUID) -> bytes:
    """The bytes of a photo for somebody who may see its order. Not there and not theirs look the same."""
    await order_for(session, actor, order_id)
    rows = await session.exec(
        select(col(RepairPhoto.content)).where(
            col(RepairPhoto.community_id) == actor.community_id,
            col(RepairPhoto.order_id) == order_id,
            col(RepairPhoto.photo_id) == photo_id,
        )
    )
    content = rows.first()
    if content is None:
        raise PhotoNotFound
    return content


async def parts(session: AsyncSession, community_id: int, order_id: UUID) -> Sequence[RepairPart]:
    """Every line of every price that was named, in their order."""
    rows = await session.exec(
        select(RepairPart)
        .where(col(RepairPart.community_id) == community_id, col(RepairPart.order_id) == order_id)
        .order_by(col(RepairPart.revision), col(RepairPart.number))
    )
    return list(rows)


async def warranties_over(session: AsyncSession, now: datetime, limit: int) -> Sequence[RepairOrder]:
    """Orders of one community whose warranty is over, locked; whoever is busy with one keeps it.

    Those that could not be released are not among them for a while: they keep neither the others nor another community.
    """
    due = (
        col(RepairOrder.warranty) == Warranty.HELD,
        col(RepairOrder.warranty_until) <= now,
        sa.or_(col(RepairOrder.release_after).is_(None), col(RepairOrder.release_after) <= now),
    )
    first = sa.select(sa.func.min(col(RepairOrder.community_id))).where(*due)
    rows = await session.exec(
        select(RepairOrder)
        .where(
            col(RepairOrder.community_id) == first.scalar_subquery(),
            *due,
        )
        .order_by(col(RepairOrder.order_id))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return list(rows)
