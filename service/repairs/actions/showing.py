"""Photos of the fault and of the work."""

import hashlib
from datetime import datetime
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from service.kit import audit
from service.kit.access import Actor
from service.kit.ids import new_id
from service.kit.photos import Photo
from service.repairs.actions.lines import check_repairer
from service.repairs.queries import orders as queries
from service.repairs.rules import PHOTOS_MAX, Moment, RepairInOtherState, RepairState, TooManyPhotos
from service.repairs.tables import RepairOrder, RepairPhoto

OVER = (RepairState.ACCEPTED, RepairState.CANCELLED)


async def add_photo(
    session: AsyncSession, *, actor: Actor, order_id: UUID, photo: Photo, moment: Moment, now: datetime
) -> UUID:
    """Add a photo to an order that is not over: of the fault by whoever sees the order, of the work by its repairer on site."""
    order = await queries.lock_order(session, actor, order_id)
    state = RepairState(order.state)
    if moment is Moment.AFTER:
        check_repairer(order, actor)
        if state not in (RepairState.ON_SITE, RepairState.DONE):
            raise RepairInOtherState(state)
    elif state in OVER:
        raise RepairInOtherState(state)
    return await keep_photo(session, order, photo, moment=moment, actor=actor, now=now)


async def keep_photo(
    session: AsyncSession, order: RepairOrder, photo: Photo, *, moment: Moment, actor: Actor, now: datetime
) -> UUID:
    """Keep a photo of a locked order: the lock makes the count true, and the same photo again is the one that is there."""
    digest = hashlib.sha256(photo.content).digest()
    kept = {bytes(each.digest): each.photo_id for each in await queries.photos(session, order)}
    if digest in kept:
        return kept[digest]
    if len(kept) >= PHOTOS_MAX:
        raise TooManyPhotos
    row = RepairPhoto(
        community_id=order.community_id,
        photo_id=new_id(),
        order_id=order.order_id,
        moment=moment,
        added_by=actor.member_id,
        added_at=now,
        width=photo.width,
        height=photo.height,
        digest=digest,
        content=photo.content,
    )
    session.add(row)
    audit.record(
        session,
        actor,
        "repairs.photographed",
        kind="repair",
        id=order.order_id,
        now=now,
        detail={"moment": moment.value},
    )
    return row.photo_id
