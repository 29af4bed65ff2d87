"""The inbox and the audit log as JSON."""

from datetime import datetime

import msgspec
from litestar import get
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromQuery
from sqlmodel.ext.asyncio.session import AsyncSession

from service.desk import queries
from service.desk.payloads import AuditItem, AuditOut, InboxItem, InboxOut
from service.kit.access import OFFICE, Actor, Role, allow


@get("/api/inbox", opt=allow(*OFFICE))
async def inbox(
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    state: State,
    kind: FromQuery[str | None] = None,
) -> InboxOut:
    """Everything that waits for this member of staff."""
    found = await queries.inbox(session, state.slices, actor, now, kind)
    return InboxOut([msgspec.convert(row, InboxItem, from_attributes=True) for row in found.rows], dict(found.counts))


@get("/api/audit", opt=allow(Role.AUDITOR, Role.ADMIN))
async def audit_log(
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    action: FromQuery[str] = "",
    object_id: FromQuery[str] = "",
    after: FromQuery[str | None] = None,
) -> AuditOut:
    """Who did what, newest first."""
    found = await queries.audit_log(session, actor, action=action, object_id=object_id, after=after)
    return AuditOut([msgspec.convert(row, AuditItem, from_attributes=True) for row in found.rows], found.next)
