"""Reads of nettings, and what the next one would come to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.clearing.rules import UNDER_WAY, Direction, NettingNotFound, NettingState, TransferState, Unit
from service.clearing.tables import ClearingNetting, ClearingTransfer
from service.identity import Person, people_by_ids


@dataclass(frozen=True, slots=True)
class Sums:
    """Transfers of both directions: how many, and what this community owes the other for them (below zero: is owed)."""

    transfers: int
    minutes: int
    points_hundredths: int


@dataclass(frozen=True, slots=True)
class NettingView:
    """One side's row of a netting."""

    netting_id: UUID
    partner_id: int
    is_ours: bool
    state: NettingState
    until: datetime
    sums: Sums
    proposed_by: str
    proposed_at: datetime
    decided_by: str
    settled_at: datetime | None


async def nettings(session: AsyncSession, community_id: int, partner_id: int) -> Sequence[NettingView]:
    """The nettings with one partner, newest first. One a month, so a list of years is short."""
    rows = await session.exec(
        select(ClearingNetting)
        .where(col(ClearingNetting.community_id) == community_id, col(ClearingNetting.partner_id) == partner_id)
        .order_by(col(ClearingNetting.proposed_at).desc(), col(ClearingNetting.netting_id).desc())
        .limit(240)
    )
    return await _views(session, community_id, rows.all())


async def netting(session: AsyncSession, community_id: int, netting_id: UUID) -> NettingView:
    """One netting; raises NettingNotFound."""
    row = await session.get(ClearingNetting, (community_id, netting_id))
    if row is None:
        raise NettingNotFound
    return (await _views(session, community_id, [row]))[0]


async def waiting_nettings(session: AsyncSession, community_id: int) -> Sequence[NettingView]:
    """What partners proposed and nobody here has decided."""
    rows = await session.exec(
        select(ClearingNetting)
        .where(
            col(ClearingNetting.community_id) == community_id,
            col(ClearingNetting.state) == NettingState.PROPOSED,
            col(ClearingNetting.is_ours).is_(False),
        )
        .order_by(col(ClearingNetting.proposed_at))
        .limit(200)
    )
    return await _views(session, community_id, rows.all())


async def _views(session: AsyncSession, community_id: int, rows: Sequence[ClearingNetting]) -> Sequence[NettingView]:
    people = await people_by_ids(
        session, community_id, {one for row in rows for one in (row.proposed_by, row.decided_by)}
    )
    return [
        NettingView(
            row.netting_id,
            row.partner_id,
            row.is_ours,
            NettingState(row.state),
            row.until,
            Sums(row.transfers, row.minutes, row.points_hundredths),
            _name(people, row.proposed_by),
            row.proposed_at,
            _name(people, row.decided_by),
            row.settled_at,
        )
        for row in rows
    ]


def _name(people: Mapping[UUID, Person], member_id: UUID | None) -> str:
    return people[member_id].name if member_id is not None and member_id in people else ""


async def lock_netting(session: AsyncSession, community_id: int, netting_id: UUID) -> ClearingNetting | None:
    """One side's row, locked and as it stands now."""
    found = await session.exec(
        select(ClearingNetting)
        .where(col(ClearingNetting.community_id) == community_id, col(ClearingNetting.netting_id) == netting_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return found.one_or_none()


async def lock_open_netting(session: AsyncSession, community_id: int, partner_id: int) -> ClearingNetting | None:
    """The netting of a pair that waits for a decision, locked; there is at most one."""
    found = await session.exec(
        select(ClearingNetting)
        .where(
            col(ClearingNetting.community_id) == community_id,
            col(ClearingNetting.partner_id) == partner_id,
            col(ClearingNetting.state) == NettingState.PROPOSED,
        )
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return found.one_or_none()


async def last_round(session: AsyncSession, community_id: int, partner_id: int) -> int:
    """How many nettings of a pair were proposed so far, by either side."""
    found = await session.execute(
        sa.select(sa.func.coalesce(sa.func.max(col(ClearingNetting.round)), 0)).where(
            col(ClearingNetting.community_id) == community_id, col(ClearingNetting.partner_id) == partner_id
        )
    )
    return int(found.scalar_one())


def not_netted(community_id: int, partner_id: int, until: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    """What a netting up to a moment takes in: everything sent before it that arrived and stands in no netting yet."""
    return (
        col(ClearingTransfer.community_id) == community_id,
        col(ClearingTransfer.partner_id) == partner_id,
        col(ClearingTransfer.sent_at) < until,
        col(ClearingTransfer.state) == TransferState.ARRIVED,
        col(ClearingTransfer.netting_id).is_(None),
    )


async def sums_until(session: AsyncSession, community_id: int, partner_id: int, until: datetime) -> Sums:
    """What a netting up to a moment would come to."""
    signed = sa.case(
        (col(ClearingTransfer.direction) == Direction.OUT, col(ClearingTransfer.amount)),
        else_=-col(ClearingTransfer.amount),
    )
    found = await session.execute(
        sa.select(
            sa.func.count(),
            *(
                sa.func.coalesce(sa.func.sum(signed).filter(col(ClearingTransfer.unit) == unit), 0)
                for unit in (Unit.MINUTE, Unit.POINT)
            ),
        ).where(*not_netted(community_id, partner_id, until))
    )
    count, minutes, points = found.one()
    return Sums(count, int(minutes), int(points))


async def under_way_before(session: AsyncSession, community_id: int, partner_id: int, until: datetime) -> int:
    """How many transfers that we sent before a moment have no answer yet."""
    found = await session.execute(
        sa.select(sa.func.count()).where(
            col(ClearingTransfer.community_id) == community_id,
            col(ClearingTransfer.partner_id) == partner_id,
            col(ClearingTransfer.sent_at) < until,
            col(ClearingTransfer.state).in_(UNDER_WAY),
        )
    )
    return int(found.scalar_one())
