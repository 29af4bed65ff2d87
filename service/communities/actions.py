"""Founding a community, opening organisations, changing settings."""

from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

import ledger
from service import chart
from service.communities.catalogue import SETTINGS
from service.communities.rules import CommunityExists, OrganisationKind, SettingOutOfRange, SettingUnknown
from service.communities.tables import Community, DatedSetting, Organisation
from service.kit import audit
from service.kit.access import Actor
from service.kit.ids import new_id

SETTINGS_HOLD_FROM = date(2000, 1, 1)
"""Founding values hold for everything that is entered late, too."""


async def found_community(
    session: AsyncSession, *, number: int, name: str, street: str, street_code: str | None, phone: str, now: datetime
) -> None:
    """Open a community: its book, the accounts every book has, and the settings it starts with."""
    if await session.get(Community, number) is not None:
        raise CommunityExists(number)
    session.add(
        Community(
            community_id=number,
            name=name,
            official_code=str(number),
            street_code=street_code,
            street=street,
            phone=phone,
            founded_at=now,
        )
    )
    await session.flush()
    session.add_all(
        DatedSetting(
            community_id=number,
            name=item.name,
            effective_from=SETTINGS_HOLD_FROM,
            revision=1,
            value=item.default,
            set_at=now,
        )
        for item in SETTINGS.values()
    )
    audit.record(session, None, "communities.founded", kind="community", id=number, now=now, community_id=number)
    await session.flush()
    await ledger.open_book(session, number, now=now)
    await ledger.open_accounts(session, number, chart.accounts_of_book(), now=now)


async def open_organisation(
    session: AsyncSession,
    *,
    community_id: int,
    kind: OrganisationKind,
    name: str,
    address: str,
    phone: str,
    actor: Actor | None,
    now: datetime,
) -> UUID:
    """Add a shop, a team or a unit and open its accounts."""
    organisation_id = new_id()
    session.add(
        Organisation(
            community_id=community_id,
            organisation_id=organisation_id,
            kind=kind,
            name=name,
            address=address,
            phone=phone,
            opened_at=now,
        )
    )
    audit.record(
        session,
        actor,
        "communities.organisation_opened",
        kind="organisation",
        id=organisation_id,
        now=now,
        community_id=community_id,
    )
    await session.flush()
    await ledger.open_accounts(session, community_id, chart.accounts_of_organisation(organisation_id), now=now)
    return organisation_id


async def change_setting(
    session: AsyncSession, *, actor: Actor, name: str, value: int, effective_from: date, now: datetime
) -> int:
    """Let a setting be worth something else from a day on; answers the line's revision of that day.

    The old line stays: history is never edited. Who may change what, and from when, is the slice `settings`' business.
    """
    check_value(name, value)
    # Two clerks may change the same setting for the same day: the primary key on the revision lets one of them win.
    latest = await session.execute(
        sa.select(sa.func.coalesce(sa.func.max(col(DatedSetting.revision)), 0)).where(
            col(DatedSetting.community_id) == actor.community_id,
            col(DatedSetting.name) == name,
            col(DatedSetting.effective_from) == effective_from,
        )
    )
    revision: int = latest.scalar_one() + 1
    session.add(
        DatedSetting(
            community_id=actor.community_id,
            name=name,
            effective_from=effective_from,
            revision=revision,
            value=value,
            set_by=actor.member_id,
            set_at=now,
        )
    )
    audit.record(
        session,
        actor,
        "communities.setting_changed",
        kind="setting",
        id=name,
        now=now,
        detail={"value": value, "from": effective_from.isoformat()},
    )
    return revision


def check_value(name: str, value: int) -> None:
    """Refuse a value outside the setting's bounds, and a name that is no setting's."""
    item = SETTINGS.get(name)
    if item is None:
        raise SettingUnknown
    if not item.smallest <= value <= item.largest:
        raise SettingOutOfRange(name, item.smallest, item.largest)


async def lock_settings(session: AsyncSession, community_id: int) -> None:
    """Let one change of this community's settings be decided after the other."""
    await session.execute(
        sa.select(col(Community.community_id))
        .where(col(Community.community_id) == community_id)
        .with_for_update(key_share=True)
    )
