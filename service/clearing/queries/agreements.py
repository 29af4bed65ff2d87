"""Reads of agreements."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.clearing.rules import AgreementState, PartnerNotFound
from service.clearing.tables import ClearingAgreement
from service.communities import communities


@dataclass(frozen=True, slots=True)
class AgreementView:
    """What this community has agreed with another one."""

    partner_id: int
    partner_name: str
    agreement_id: UUID
    state: AgreementState
    minutes_max: int
    points_hundredths_max: int
    proposed_at: datetime
    accepted_at: datetime | None
    ended_at: datetime | None


async def agreements(session: AsyncSession, community_id: int) -> Sequence[AgreementView]:
    """Every agreement of a community, ended ones too, by the partner's number."""
    names = {place.community_id: place.name for place in await communities(session)}
    rows = await session.exec(
        select(ClearingAgreement)
        .where(col(ClearingAgreement.community_id) == community_id)
        .order_by(col(ClearingAgreement.partner_id))
    )
    return [
        AgreementView(
            row.partner_id,
            names.get(row.partner_id, str(row.partner_id)),
            row.agreement_id,
            AgreementState(row.state),
            row.minutes_max,
            row.points_hundredths_max,
            row.proposed_at,
            row.accepted_at,
            row.ended_at,
        )
        for row in rows
    ]


async def agreement(session: AsyncSession, community_id: int, partner_id: int) -> AgreementView:
    """The agreement with one partner; raises PartnerNotFound."""
    found = [one for one in await agreements(session, community_id) if one.partner_id == partner_id]
    if not found:
        raise PartnerNotFound
    return found[0]


async def strangers(session: AsyncSession, community_id: int) -> Sequence[tuple[int, str]]:
    """The communities to which an agreement can be proposed."""
    bound = {one.partner_id for one in await agreements(session, community_id) if one.state is not AgreementState.ENDED}
    places = await communities(session)
    return [(one.community_id, one.name) for one in places if one.community_id not in bound | {community_id}]


async def lock_agreement(session: AsyncSession, community_id: int, partner_id: int) -> ClearingAgreement | None:
    """The row itself, locked: whatever this community posts with this partner stands in one line behind it."""
    found = await session.exec(
        select(ClearingAgreement)
        .where(col(ClearingAgreement.community_id) == community_id, col(ClearingAgreement.partner_id) == partner_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return found.one_or_none()
