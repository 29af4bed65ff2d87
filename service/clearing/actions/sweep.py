"""Finds what waits for an answer without any fact left, and tells it again: a lost line of the outbox loses nothing."""

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from service.clearing.actions import agreements, netting, sending
from service.clearing.rules import next_telling
from service.clearing.tables import ClearingNetting, ClearingTransfer
from service.identity import people_by_ids

BATCH = 200


async def tell_again(session: AsyncSession, now: datetime) -> int:
    """A batch of what is due, of one community: nothing is locked in two. Answers how many were told."""
    told = await _transfers(session, now)
    if not told:
        told = await _nettings(session, now)
    if not told:
        told = await agreements.tell_again(session, now, limit=BATCH)
    return told


async def _transfers(session: AsyncSession, now: datetime) -> int:
    due = sa.select(col(ClearingTransfer.community_id)).where(col(ClearingTransfer.due_at) <= now)
    found = await session.execute(due.order_by(col(ClearingTransfer.due_at)).limit(1))
    community_id = found.scalar_one_or_none()
    if community_id is None:
        return 0
    rows = await session.execute(
        sa.select(ClearingTransfer)
        .where(col(ClearingTransfer.community_id) == community_id, col(ClearingTransfer.due_at) <= now)
        .order_by(col(ClearingTransfer.due_at), col(ClearingTransfer.transfer_id))
        .limit(BATCH)
        .with_for_update(key_share=True, skip_locked=True)
    )
    waiting = rows.scalars().all()
    people = await people_by_ids(session, community_id, {row.member_id for row in waiting})
    for row in waiting:
        assert row.member_id is not None, "whoever sends is one of ours"
        row.due_at = next_telling(row.sent_at, now)
        sending.tell(session, row, people[row.member_id].card_no, now=now)
    return len(waiting)


async def _nettings(session: AsyncSession, now: datetime) -> int:
    due = sa.select(col(ClearingNetting.community_id)).where(col(ClearingNetting.due_at) <= now)
    found = await session.execute(due.order_by(col(ClearingNetting.due_at)).limit(1))
    community_id = found.scalar_one_or_none()
    if community_id is None:
        return 0
    rows = await session.execute(
        sa.select(ClearingNetting)
        .where(col(ClearingNetting.community_id) == community_id, col(ClearingNetting.due_at) <= now)
        .order_by(col(ClearingNetting.due_at), col(ClearingNetting.netting_id))
        .limit(BATCH)
        .with_for_update(key_share=True, skip_locked=True)
    )
    waiting = rows.scalars().all()
    for row in waiting:
        row.due_at = next_telling(row.proposed_at, now)
        netting.tell(session, row, now=now)
    return len(waiting)
