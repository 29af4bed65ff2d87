"""Everything that waits for staff, and everything that was done."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.identity import people_by_ids
from service.kit.access import Actor
from service.kit.manifest import InboxRow, Manifest
from service.kit.paging import PAGE_SIZE, Page, decode_cursor, encode_cursor, page_of
from service.kit.tables import Audit

INBOX_ROWS_MAX = 200


@dataclass(frozen=True, slots=True)
class Inbox:
    """The waiting work, urgent first, then the oldest; and how much there is of each kind."""

    rows: Sequence[InboxRow]
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class AuditLine:
    """One line of the audit log, with names."""

    audit_id: int
    at: datetime
    action: str
    actor: str
    on_behalf_of: str
    object_kind: str
    object_id: str
    request_id: str | None


async def inbox(
    session: AsyncSession, slices: Sequence[Manifest], actor: Actor, now: datetime, kind: str | None = None
) -> Inbox:
    """Ask every slice what waits for this person. The cost does not grow with the rows: each slice asks once."""
    rows: list[InboxRow] = []
    for item in slices:
        for source in item.staff_inbox:
            rows.extend(row for row in await source(session, actor, now) if isinstance(row, InboxRow))
    counts = Counter(row.kind for row in rows)
    shown = [row for row in rows if kind is None or row.kind == kind]
    shown.sort(key=lambda row: (not row.is_urgent, row.since))
    return Inbox(shown[:INBOX_ROWS_MAX], dict(sorted(counts.items())))


async def audit_log(
    session: AsyncSession, actor: Actor, *, action: str = "", object_id: str = "", after: str | None = None
) -> Page[AuditLine]:
    """Who did what, newest first, a page at a time; filtered by the beginning of the action or by the thing."""
    query = select(Audit).where(col(Audit.community_id) == actor.community_id)
    if action:
        query = query.where(col(Audit.action).startswith(action, autoescape=True))
    if object_id:
        query = query.where(col(Audit.object_id) == object_id)
    cursor = decode_cursor(after, int)
    if cursor is not None:
        query = query.where(col(Audit.audit_id) < int(cursor[0]))
    rows = (await session.exec(query.order_by(col(Audit.audit_id).desc()).limit(PAGE_SIZE + 1))).all()
    ids: set[UUID | None] = {row.actor_id for row in rows} | {row.on_behalf_of for row in rows}
    people = await people_by_ids(session, actor.community_id, ids)

    def name(member_id: UUID | None) -> str:
        found = people.get(member_id) if member_id else None
        return f"{found.name} {found.card_no}" if found else ""

    lines = [
        AuditLine(
            audit_id=row.audit_id or 0,
            at=row.at,
            action=row.action,
            actor=name(row.actor_id),
            on_behalf_of=name(row.on_behalf_of),
            object_kind=row.object_kind,
            object_id=row.object_id,
            request_id=row.request_id,
        )
        for row in rows
    ]
    return page_of(lines, lambda last: encode_cursor(last.audit_id))
