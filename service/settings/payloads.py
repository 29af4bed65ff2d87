"""What crosses the wire about settings."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

import msgspec

from service.settings.rules import REASON_LENGTH_MAX, ChangeState


class ChangeIn(msgspec.Struct):
    """What a setting shall be worth, from when on, and why."""

    value: int
    effective_from: date
    reason: Annotated[str, msgspec.Meta(max_length=REASON_LENGTH_MAX)]


class ChangeOut(msgspec.Struct):
    """One change of a setting and what became of it."""

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


class SettingOut(msgspec.Struct):
    """One setting on a day; `other_value` is that of the day it is compared with."""

    name: str
    text: str
    value: int
    effective_from: date
    set_by: UUID | None
    set_at: datetime
    smallest: int
    largest: int
    moves_value: bool
    other_value: int | None
    coming: ChangeOut | None


class SettingsOut(msgspec.Struct):
    """Every setting on a day."""

    day: date
    items: list[SettingOut]


class SettingLineOut(msgspec.Struct):
    """One line of a setting's history; of several for one day the last revision holds."""

    effective_from: date
    revision: int
    value: int
    set_by: UUID | None
    set_at: datetime


class SettingHistoryOut(msgspec.Struct):
    """Everything that is known of one setting, the latest first."""

    name: str
    text: str
    smallest: int
    largest: int
    moves_value: bool
    lines: list[SettingLineOut]
    changes: list[ChangeOut]
