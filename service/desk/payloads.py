"""The inbox and the audit log on the wire."""

from datetime import datetime

import msgspec


class InboxItem(msgspec.Struct):
    """One piece of waiting work."""

    kind: str
    title: str
    who: str
    since: datetime
    url: str
    is_urgent: bool


class InboxOut(msgspec.Struct):
    """The waiting work and how much there is of each kind."""

    items: list[InboxItem]
    counts: dict[str, int]


class AuditItem(msgspec.Struct):
    """One line of the audit log."""

    audit_id: int
    at: datetime
    action: str
    actor: str
    on_behalf_of: str
    object_kind: str
    object_id: str
    request_id: str | None


class AuditOut(msgspec.Struct):
    """A page of the audit log and the cursor of the next."""

    items: list[AuditItem]
    next: str | None
