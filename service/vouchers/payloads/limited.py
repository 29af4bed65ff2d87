"""What is locked or limited, for the wire."""

from datetime import datetime
from uuid import UUID

import msgspec


class LimitedOut(msgspec.Struct):
    """One thing. Without `since` nobody wrote it down; without `until` people end it."""

    kind: str
    name: str
    shop: str
    since: datetime | None
    until: datetime | None
    reason: str | None
    voucher_id: str | None
    member_id: UUID | None
    card_no: str | None


class LimitedsOut(msgspec.Struct):
    """By kind, the newest first, at most 200 of a kind."""

    items: list[LimitedOut]
