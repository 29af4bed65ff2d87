"""Reads of places, organisations and dated settings."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.communities.rules import CommunityNotFound, OrganisationKind, OrganisationNotFound
from service.communities.tables import Community, DatedSetting, Organisation


@dataclass(frozen=True, slots=True)
class CommunityView:
    """A community as pages show it."""

    community_id: int
    name: str
    street: str
    phone: str


@dataclass(frozen=True, slots=True)
class OrganisationView:
    """An organisation as pages show it."""

    organisation_id: UUID
    kind: OrganisationKind
    name: str
    address: str
    phone: str
    is_open: bool


def _community_view(row: Community) -> CommunityView:
    return CommunityView(row.community_id, row.name, row.street, row.phone)


def _organisation_view(row: Organisation) -> OrganisationView:
    return OrganisationView(
        row.organisation_id, OrganisationKind(row.kind), row.name, row.address, row.phone, row.closed_at is None
    )


async def community(session: AsyncSession, community_id: int) -> CommunityView:
    """One community; raises CommunityNotFound."""
    row = await session.get(Community, community_id)
    if row is None:
        raise CommunityNotFound
    return _community_view(row)


async def communities(session: AsyncSession) -> Sequence[CommunityView]:
    """Every community of this installation, by number."""
    rows = await session.exec(select(Community).order_by(col(Community.community_id)))
    return [_community_view(row) for row in rows]


async def organisation(session: AsyncSession, community_id: int, organisation_id: UUID) -> OrganisationView:
    """One organisation; raises OrganisationNotFound."""
    row = await session.get(Organisation, (community_id, organisation_id))
    if row is None:
        raise OrganisationNotFound
    return _organisation_view(row)


async def organisations(
    session: AsyncSession, community_id: int, kind: OrganisationKind | None = None
) -> Sequence[OrganisationView]:
    """The organisations of a community that are open, by name."""
    query = select(Organisation).where(
        col(Organisation.community_id) == community_id, col(Organisation.closed_at).is_(None)
    )
    if kind is not None:
        query = query.where(col(Organisation.kind) == kind)
    rows = await session.exec(query.order_by(sa.collate(col(Organisation.name), "C")))
    return [_organisation_view(row) for row in rows]


async def organisations_by_ids(
    session: AsyncSession, community_id: int, ids: Collection[UUID]
) -> Mapping[UUID, OrganisationView]:
    """Names and faces of many organisations in one query."""
    if not ids:
        return {}
    rows = await session.exec(
        select(Organisation).where(
            col(Organisation.community_id) == community_id, col(Organisation.organisation_id).in_(list(ids))
        )
    )
    return {row.organisation_id: _organisation_view(row) for row in rows}


@dataclass(frozen=True, slots=True)
class SettingLine:
    """One value of a setting, from a day on. Of several lines for one day the last revision holds."""

    name: str
    effective_from: date
    revision: int
    value: int
    set_by: UUID | None
    set_at: datetime


def _line(row: DatedSetting) -> SettingLine:
    return SettingLine(row.name, row.effective_from, row.revision, row.value, row.set_by, row.set_at)


async def setting_lines(session: AsyncSession, community_id: int, name: str) -> Sequence[SettingLine]:
    """The whole history of a setting, the latest day first, and of a day the last revision."""
    rows = await session.exec(
        select(DatedSetting)
        .where(col(DatedSetting.community_id) == community_id, col(DatedSetting.name) == name)
        .order_by(col(DatedSetting.effective_from).desc(), col(DatedSetting.revision).desc())
    )
    return [_line(row) for row in rows]


async def settings_in_force(session: AsyncSession, community_id: int, day: date) -> Mapping[str, SettingLine]:
    """Every setting's line that holds on a day, in one query."""
    rows = await session.execute(
        sa.select(DatedSetting)
        .ext(distinct_on(col(DatedSetting.name)))
        .where(col(DatedSetting.community_id) == community_id, col(DatedSetting.effective_from) <= day)
        .order_by(col(DatedSetting.name), col(DatedSetting.effective_from).desc(), col(DatedSetting.revision).desc())
    )
    return {row.name: _line(row) for row in rows.scalars()}


async def settings_on(session: AsyncSession, community_id: int, names: Collection[str], day: date) -> Mapping[str, int]:
    """What several settings were worth on a day, in one query. A name without a row is a bug of ours: KeyError."""
    return (await settings_on_days(session, community_id, names, [day]))[day]


async def settings_on_days(
    session: AsyncSession, community_id: int, names: Collection[str], days: Collection[date]
) -> Mapping[date, Mapping[str, int]]:
    """The same for many days, in one query for all of them."""
    day = sa.func.unnest(sa.literal(sorted(set(days)), sa.ARRAY(sa.Date()))).column_valued("day")
    rows = await session.execute(
        sa.select(day, col(DatedSetting.name), col(DatedSetting.value))
        .ext(distinct_on(day, col(DatedSetting.name)))
        .where(
            col(DatedSetting.community_id) == community_id,
            col(DatedSetting.name).in_(list(names)),
            col(DatedSetting.effective_from) <= day,
        )
        .order_by(
            day, col(DatedSetting.name), col(DatedSetting.effective_from).desc(), col(DatedSetting.revision).desc()
        )
    )
    values = {(on, name): value for on, name, value in rows}
    return {on: {name: values[on, name] for name in names} for on in days}


async def setting(session: AsyncSession, community_id: int, name: str, day: date) -> int:
    """What one setting was worth on a day."""
    return (await settings_on(session, community_id, [name], day))[name]
