"""Whose time is taken: one person's minutes are never counted twice for the same time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from service.records.tables import ServiceTime


@dataclass(frozen=True, slots=True)
class Span:
    """When somebody served; `reference` is the caller's own name for it."""

    reference: str
    member_id: UUID
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Taken:
    """A service that already counts for some of that time."""

    title: str
    source: str
    starts_at: datetime
    ends_at: datetime


_TAKEN = sa.text("""
SELECT DISTINCT ON (s.place) s.place, r.title, r.source, t.starts_at, t.ends_at
  FROM unnest(:members, :starts, :ends) WITH ORDINALITY AS s (member_id, starts_at, ends_at, place)
  JOIN service_time t ON t.community_id = :community_id AND t.member_id = s.member_id
   AND tstzrange(t.starts_at, t.ends_at) && tstzrange(s.starts_at, s.ends_at)
  JOIN service_record r ON r.community_id = t.community_id AND r.record_id = t.record_id
 ORDER BY s.place, t.starts_at
""").bindparams(
    sa.bindparam("members", type_=ARRAY(sa.Uuid)),
    sa.bindparam("starts", type_=ARRAY(sa.DateTime(timezone=True))),
    sa.bindparam("ends", type_=ARRAY(sa.DateTime(timezone=True))),
)


async def taken_times(session: AsyncSession, community_id: int, spans: Sequence[Span]) -> Mapping[str, Taken]:
    """By reference, the first recorded service that shares time with each span; one query for all.

    A look, not a promise: hold `identity.lock_people` when something is decided by it.
    """
    if not spans:
        return {}
    rows = await session.execute(
        _TAKEN,
        {
            "community_id": community_id,
            "members": [span.member_id for span in spans],
            "starts": [span.starts_at for span in spans],
            "ends": [span.ends_at for span in spans],
        },
    )
    return {spans[row.place - 1].reference: Taken(row.title, row.source, row.starts_at, row.ends_at) for row in rows}


def time_is_taken(
    community_id: sa.SQLColumnExpression[int],
    member_id: sa.SQLColumnExpression[UUID],
    starts_at: sa.ColumnElement[datetime],
    ends_at: sa.ColumnElement[datetime],
) -> sa.ColumnElement[bool]:
    """True in SQL when a recorded service shares time with a row that has none yet; an open end is never taken."""
    return sa.exists().where(
        ends_at.is_not(None),
        starts_at < ends_at,
        col(ServiceTime.community_id) == community_id,
        col(ServiceTime.member_id) == member_id,
        sa.func.tstzrange(col(ServiceTime.starts_at), col(ServiceTime.ends_at)).op("&&")(
            sa.func.tstzrange(starts_at, sa.func.greatest(starts_at, ends_at))
        ),
    )


def overlap_within(spans: Sequence[Span]) -> tuple[Span, Span] | None:
    """Two spans of one person that share time, if there are any."""
    before: Span | None = None
    for span in sorted(spans, key=lambda item: (item.member_id, item.starts_at, item.ends_at)):
        if before is not None and before.member_id == span.member_id and span.starts_at < before.ends_at:
            return before, span
        if before is None or before.member_id != span.member_id or span.ends_at > before.ends_at:
            before = span
    return None
