"""What a repairer can do, written down by whoever dispatches."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from service import identity
from service.kit import audit
from service.kit.access import Actor, Role
from service.kit.clock import local_day
from service.repairs.rules import NoRepairer, Trade
from service.repairs.tables import RepairSkill


async def write_skills(
    session: AsyncSession, *, actor: Actor, member_id: UUID, trades: Collection[Trade], now: datetime
) -> None:
    """These and no others. Two who write at once come one after the other, for both lock the person."""
    roles = await identity.roles_by_member(session, actor.community_id, [member_id], local_day(now))
    if not any(role is Role.REPAIRER and team is not None for role, team in roles.get(member_id, ())):
        raise NoRepairer
    await identity.lock_people(session, actor.community_id, [member_id])
    await session.execute(
        sa.delete(RepairSkill).where(
            col(RepairSkill.community_id) == actor.community_id, col(RepairSkill.member_id) == member_id
        )
    )
    session.add_all(
        RepairSkill(
            community_id=actor.community_id,
            member_id=member_id,
            trade=trade,
            written_by=actor.member_id,
            written_at=now,
        )
        for trade in sorted(set(trades))
    )
    detail = {"trades": sorted(trade.value for trade in set(trades))}
    audit.record(session, actor, "repairs.skills_written", kind="member", id=member_id, now=now, detail=detail)
