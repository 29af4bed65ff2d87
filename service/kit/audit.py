"""The append-only line that every change of state leaves behind, in the same transaction."""

from collections.abc import Collection, Mapping
from contextvars import ContextVar
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel.ext.asyncio.session import AsyncSession

from service.kit.access import Actor
from service.kit.tables import Audit

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""Set by the edge for each request, so that an audit line leads to its log lines."""


def record(
    session: AsyncSession,
    actor: Actor | None,
    action: str,
    *,
    kind: str,
    id: UUID | int | str,
    now: datetime,
    community_id: int | None = None,
    on_behalf_of: UUID | None = None,
    detail: Mapping[str, object] | None = None,
) -> None:
    """Write who did what to which thing. `detail` holds codes, ids and numbers, never a name, a phone or free text.

    Without an actor (a timed job, a command) the community must be named.
    """
    tenant = actor.community_id if actor is not None else community_id
    assert tenant is not None, "an audit line belongs to a community"
    session.add(
        Audit(
            community_id=tenant,
            at=now,
            action=action,
            actor_id=actor.member_id if actor is not None else None,
            on_behalf_of=on_behalf_of,
            object_kind=kind,
            object_id=str(id),
            detail=dict(detail or {}),
            request_id=request_id.get(),
        )
    )


async def record_many(
    session: AsyncSession,
    actor: Actor | None,
    action: str,
    *,
    kind: str,
    ids: Collection[UUID],
    now: datetime,
    community_id: int | None = None,
    detail: Mapping[str, object] | None = None,
) -> None:
    """The same line for many things in one statement: what an import does to thousands of people."""
    tenant = actor.community_id if actor is not None else community_id
    assert tenant is not None, "an audit line belongs to a community"
    if not ids:
        return
    line = {
        "community_id": tenant,
        "at": now,
        "action": action,
        "actor_id": actor.member_id if actor is not None else None,
        "object_kind": kind,
        "detail": dict(detail or {}),
        "request_id": request_id.get(),
    }
    # The Core table, so that no generated id is asked back for.
    connection = await session.connection()
    await connection.execute(sa.insert(Audit.__table__), [{**line, "object_id": str(one)} for one in ids])  # type: ignore[attr-defined] # SQLModel types hide the table
