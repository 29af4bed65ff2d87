"""Reads: what holds on a day, the history of a setting, the changes that wait."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.communities import SETTINGS, Setting, SettingLine, SettingUnknown, setting_lines, settings_in_force
from service.identity import Person, people_by_ids
from service.settings.rules import ChangeNotFound, ChangeState
from service.settings.tables import SettingChange

CHANGES_SHOWN = 200


@dataclass(frozen=True, slots=True)
class ChangeView:
    """One change as pages show it."""

    change_id: UUID
    name: str
    value: int
    effective_from: date
    reason: str
    needs_second: bool
    state: ChangeState
    proposed_by: UUID
    proposed_at: datetime
    decided_by: UUID | None
    decided_at: datetime | None
    undone_by: UUID | None
    undone_at: datetime | None


@dataclass(frozen=True, slots=True)
class SettingView:
    """One setting on a day, and on another if that was asked; with the change that is still to come."""

    setting: Setting
    line: SettingLine
    other: SettingLine | None
    coming: ChangeView | None

    @property
    def differs(self) -> bool:
        """True when the other day had another value."""
        return self.other is not None and self.other.value != self.line.value


@dataclass(frozen=True, slots=True)
class SettingHistory:
    """Everything that is known of one setting."""

    setting: Setting
    lines: Sequence[SettingLine]
    changes: Sequence[ChangeView]
    people: Mapping[UUID, Person]


def change_view(row: SettingChange) -> ChangeView:
    """The change as plain data."""
    return ChangeView(
        row.change_id,
        row.name,
        row.value,
        row.effective_from,
        row.reason,
        row.needs_second,
        ChangeState(row.state),
        row.proposed_by,
        row.proposed_at,
        row.decided_by,
        row.decided_at,
        row.undone_by,
        row.undone_at,
    )


async def settings_table(
    session: AsyncSession, community_id: int, *, day: date, other: date | None, today: date
) -> tuple[Sequence[SettingView], Mapping[UUID, Person]]:
    """Every setting of the catalogue as it holds on a day, beside another day, and who set it."""
    lines = await settings_in_force(session, community_id, day)
    others = await settings_in_force(session, community_id, other) if other else {}
    coming = await changes_to_come(session, community_id, today)
    people = await people_by_ids(session, community_id, {line.set_by for line in lines.values()})
    views = [
        SettingView(item, lines[name], others.get(name), coming.get(name))
        for name, item in SETTINGS.items()
        if name in lines
    ]
    return views, people


async def changes_to_come(session: AsyncSession, community_id: int, today: date) -> Mapping[str, ChangeView]:
    """By setting, the change that waits for a second person or for its day."""
    proposed = col(SettingChange.state) == ChangeState.PROPOSED
    agreed = sa.and_(col(SettingChange.state) == ChangeState.APPROVED, col(SettingChange.effective_from) > today)
    rows = await session.exec(
        select(SettingChange).where(col(SettingChange.community_id) == community_id, sa.or_(proposed, agreed))
    )
    return {row.name: change_view(row) for row in rows}


async def setting_history(session: AsyncSession, community_id: int, name: str) -> SettingHistory:
    """Every line of a setting and every change anybody asked for, the latest first."""
    if name not in SETTINGS:
        raise SettingUnknown
    lines = await setting_lines(session, community_id, name)
    rows = await session.exec(
        select(SettingChange)
        .where(col(SettingChange.community_id) == community_id, col(SettingChange.name) == name)
        .order_by(col(SettingChange.effective_from).desc(), col(SettingChange.proposed_at).desc())
        .limit(CHANGES_SHOWN)
    )
    changes = [change_view(row) for row in rows]
    who = {line.set_by for line in lines} | {
        person for each in changes for person in (each.proposed_by, each.decided_by, each.undone_by)
    }
    return SettingHistory(SETTINGS[name], lines, changes, await people_by_ids(session, community_id, who))


async def waiting_changes(session: AsyncSession, community_id: int) -> Sequence[ChangeView]:
    """The changes that wait for a second person, the oldest first."""
    rows = await session.exec(
        select(SettingChange)
        .where(col(SettingChange.community_id) == community_id, col(SettingChange.state) == ChangeState.PROPOSED)
        .order_by(col(SettingChange.proposed_at))
    )
    return [change_view(row) for row in rows]


async def lock_change(session: AsyncSession, community_id: int, change_id: UUID) -> SettingChange:
    """The change itself, locked."""
    row = await session.get(SettingChange, (community_id, change_id), with_for_update=True)
    if row is None:
        raise ChangeNotFound
    return row
