"""What crosses the wire about seals. Files that are given to strangers are read by linli-check and are not described here."""

from datetime import datetime
from uuid import UUID

import msgspec


class SealOut(msgspec.Struct):
    """One seal; `size` is how many transfers it closed."""

    number: int
    size: int
    root: str
    previous: str
    sealed_at: datetime
    key: str
    totals: list[str]
    url: str


class AlarmOut(msgspec.Struct):
    """One alarm about the books."""

    alarm_id: UUID
    kind: str
    place: str
    detail: str
    raised_at: datetime
    closed_at: datetime | None


class SealsOut(msgspec.Struct):
    """The newest seals, how far the tree is behind, and the alarms."""

    items: list[SealOut]
    posted: int
    read: int
    alarms: list[AlarmOut]
    next: int | None


class SealingOut(msgspec.Struct):
    """What became of sealing: the seal, or the alarms for which none was made."""

    seal: SealOut | None
    is_new: bool
    alarms: list[AlarmOut]
