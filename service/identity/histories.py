"""What a person was and where they are signed in: for the staff's page about them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from service.identity.tables import Member, MemberRole, MemberSecret, SignedIn
from service.kit.access import Role


@dataclass(frozen=True, slots=True)
class RoleHeld:
    """A role from a day and perhaps until a day."""

    role: Role
    organisation_id: UUID | None
    from_on: date
    until_on: date | None
    granted_by: UUID | None
    ended_by: UUID | None


@dataclass(frozen=True, slots=True)
class SessionOpen:
    """A session that is not over."""

    session_id: UUID
    device: str
    is_shared: bool
    started_at: datetime
    seen_at: datetime
    expires_at: datetime
    network_index: bytes | None


async def role_history(session: AsyncSession, community_id: int, member_id: UUID) -> Sequence[RoleHeld]:
    """Every role a person ever held, the present ones first, then the newest."""
    rows = await session.execute(
        sa.select(MemberRole)
        .where(col(MemberRole.community_id) == community_id, col(MemberRole.member_id) == member_id)
        .order_by(
            col(MemberRole.until_on).desc().nulls_first(),
            col(MemberRole.from_on).desc(),
            col(MemberRole.role_id).desc(),
        )
    )
    return [
        RoleHeld(Role(row.role), row.organisation_id, row.from_on, row.until_on, row.granted_by, row.ended_by)
        for row in rows.scalars()
    ]


async def sessions_of(
    session: AsyncSession, community_id: int, member_id: UUID, now: datetime
) -> Sequence[SessionOpen]:
    """Where a person is signed in now, the last seen first."""
    rows = await session.execute(
        sa.select(SignedIn)
        .where(
            col(SignedIn.community_id) == community_id,
            col(SignedIn.member_id) == member_id,
            col(SignedIn.ended_at).is_(None),
            col(SignedIn.expires_at) > now,
        )
        .order_by(col(SignedIn.seen_at).desc(), col(SignedIn.session_id).desc())
    )
    return [
        SessionOpen(
            row.session_id,
            row.device,
            row.is_shared,
            row.started_at,
            row.seen_at,
            row.expires_at,
            row.network_index,
        )
        for row in rows.scalars()
    ]


async def organisation_people(
    session: AsyncSession, community_id: int, organisation_id: UUID, day: date
) -> Sequence[tuple[UUID, Role]]:
    """Who acts for an organisation on a day, and as what."""
    rows = await session.execute(
        sa.select(col(MemberRole.member_id), col(MemberRole.role))
        .where(
            col(MemberRole.community_id) == community_id,
            col(MemberRole.organisation_id) == organisation_id,
            col(MemberRole.from_on) <= day,
            sa.or_(col(MemberRole.until_on).is_(None), col(MemberRole.until_on) > day),
        )
        .order_by(col(MemberRole.from_on), col(MemberRole.role_id))
    )
    return [(member_id, Role(role)) for member_id, role in rows]


async def members_of_import(session: AsyncSession, community_id: int, import_id: UUID) -> Sequence[UUID]:
    """Whom an import enrolled, however long ago."""
    rows = await session.execute(
        sa.select(col(Member.member_id)).where(
            col(Member.community_id) == community_id, col(Member.import_id) == import_id
        )
    )
    return list(rows.scalars())


async def without_a_way_in(session: AsyncSession, community_id: int, ids: Collection[UUID]) -> Sequence[UUID]:
    """Those of these people who are open and never chose a secret: whom an activation slip is for."""
    rows = await session.execute(
        sa.select(col(Member.member_id))
        .outerjoin(
            MemberSecret,
            sa.and_(
                col(MemberSecret.community_id) == col(Member.community_id),
                col(MemberSecret.member_id) == col(Member.member_id),
            ),
        )
        .where(
            col(Member.community_id) == community_id,
            col(Member.member_id) == sa.any_(sa.literal(list(ids), sa.ARRAY(sa.Uuid()))),
            col(Member.closed_at).is_(None),
            col(MemberSecret.member_id).is_(None),
        )
    )
    return list(rows.scalars())
