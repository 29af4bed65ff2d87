"""A second factor that was lost is taken away at the desk: by two of the staff, neither of them whose it is."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from service import facts
from service.identity.actions_factor import end_factor
from service.identity.actions_sessions import end_sessions_of
from service.identity.queries import person
from service.identity.queries_factor import factor_of
from service.identity.rules_factor import (
    NoFactor,
    RemovalDecided,
    RemovalNotFound,
    RemovalReason,
    RemovalState,
    RemovalWaits,
    check_others,
)
from service.identity.tables_factor import FactorRemoval
from service.kit import audit, outbox
from service.kit.access import Actor
from service.kit.db import broken_constraint
from service.kit.ids import new_id


async def propose_removal(
    session: AsyncSession, *, actor: Actor, member_id: UUID, reason: RemovalReason, now: datetime
) -> UUID:
    """Ask for somebody's second factor to be taken away. Its owner is told at once and may say no."""
    await person(session, actor.community_id, member_id)
    check_others(member_id=member_id, actor=actor.member_id)
    factor = await factor_of(session, actor.community_id, member_id)
    if factor is None or factor.confirmed_at is None:
        raise NoFactor
    removal_id = new_id()
    session.add(
        FactorRemoval(
            community_id=actor.community_id,
            removal_id=removal_id,
            factor_id=factor.factor_id,
            member_id=member_id,
            reason=reason,
            state=RemovalState.PROPOSED,
            proposed_by=actor.member_id,
            proposed_at=now,
        )
    )
    try:
        await session.flush()  # two may ask at once: the index lets one of them wait for a decision
    except IntegrityError as error:
        if broken_constraint(error) == "uq_factor_removal_waiting":
            raise RemovalWaits from error
        raise
    _note(session, actor, "identity.removal_proposed", removal_id, member_id, now)
    outbox.record(session, facts.FactorRemovalProposed(community_id=actor.community_id, member_id=member_id), now=now)
    return removal_id


async def agree_removal(session: AsyncSession, *, actor: Actor, removal_id: UUID, now: datetime) -> None:
    """Take it away, and sign its owner out everywhere: whoever found the phone may be signed in there."""
    row = await _lock(session, actor, removal_id)
    check_others(member_id=row.member_id, actor=actor.member_id, proposed_by=row.proposed_by)
    row.state, row.decided_by, row.decided_at = RemovalState.AGREED, actor.member_id, now
    _note(session, actor, "identity.removal_agreed", removal_id, row.member_id, now)
    await end_factor(session, actor=actor, member_id=row.member_id, factor_id=row.factor_id, now=now)
    await end_sessions_of(session, actor=actor, member_id=row.member_id, now=now)


async def refuse_removal(session: AsyncSession, *, actor: Actor, removal_id: UUID, now: datetime) -> None:
    """Leave it as it is: whoever asked may think better of it, and whose it is may say no, too."""
    row = await _lock(session, actor, removal_id)
    row.state, row.decided_by, row.decided_at = RemovalState.REFUSED, actor.member_id, now
    _note(session, actor, "identity.removal_refused", removal_id, row.member_id, now)


async def _lock(session: AsyncSession, actor: Actor, removal_id: UUID) -> FactorRemoval:
    """The request itself, locked: two who decide at once are one after the other, and the second is told."""
    rows = await session.execute(
        sa.select(FactorRemoval)
        .where(col(FactorRemoval.community_id) == actor.community_id, col(FactorRemoval.removal_id) == removal_id)
        .with_for_update()
    )
    row: FactorRemoval | None = rows.scalar_one_or_none()
    if row is None:
        raise RemovalNotFound
    if RemovalState(row.state) is not RemovalState.PROPOSED:
        raise RemovalDecided
    return row


def _note(session: AsyncSession, actor: Actor, action: str, removal_id: UUID, member_id: UUID, now: datetime) -> None:
    audit.record(session, actor, action, kind="factor_removal", id=removal_id, now=now, on_behalf_of=member_id)
