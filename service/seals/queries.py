"""Reads: which books are in order, what waits for somebody to look, and which book is due."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.seals.tables import BookAlarm

ALARMS_SHOWN = 100
LAG_AT_MOST = 4096
"""A tree further behind is read on first; the seal can wait a few minutes."""

_DUE = sa.text("""
SELECT b.community_id
  FROM ledger.book b
  LEFT JOIN ledger.tree t USING (community_id)
  LEFT JOIN LATERAL (SELECT s.size, s.sealed_at FROM ledger.seal s WHERE s.community_id = b.community_id
                      ORDER BY s.number DESC LIMIT 1) s ON true
 WHERE b.seq > coalesce(s.size, 0) AND b.seq - coalesce(t.size, 0) <= :lag
   AND (s.sealed_at IS NULL OR s.sealed_at < :day_began)
   AND NOT EXISTS (SELECT FROM book_alarm a WHERE a.community_id = b.community_id AND a.closed_at IS NULL)
 ORDER BY b.community_id LIMIT 1
""")


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm; `closed_at` is when somebody said that it was looked into."""

    alarm_id: UUID
    kind: str
    place: str
    detail: str
    raised_at: datetime
    closed_at: datetime | None


async def alarms(session: AsyncSession, community_id: int, *, only_open: bool = False) -> Sequence[Alarm]:
    """The alarms of a community, open ones first, then the newest."""
    query = select(BookAlarm).where(col(BookAlarm.community_id) == community_id)
    if only_open:
        query = query.where(col(BookAlarm.closed_at).is_(None))
    query = query.order_by(col(BookAlarm.closed_at).isnot(None), col(BookAlarm.raised_at).desc()).limit(ALARMS_SHOWN)
    return [
        Alarm(row.alarm_id, row.kind, row.place, row.detail, row.raised_at, row.closed_at)
        for row in await session.exec(query)
    ]


async def lock_alarm(session: AsyncSession, community_id: int, alarm_id: UUID) -> BookAlarm | None:
    """The open alarm itself, locked; None when it is not there or closed."""
    query = select(BookAlarm).where(
        col(BookAlarm.community_id) == community_id,
        col(BookAlarm.alarm_id) == alarm_id,
        col(BookAlarm.closed_at).is_(None),
    )
    return (await session.exec(query.with_for_update())).one_or_none()


async def alarmed(session: AsyncSession) -> list[int]:
    """The communities with an open alarm."""
    return list(await session.exec(select(BookAlarm.community_id).where(col(BookAlarm.closed_at).is_(None)).distinct()))


async def due_for_seal(session: AsyncSession, day_began: datetime) -> int | None:
    """A community with postings that are not sealed yet, whose last seal is from before today."""
    found = await session.execute(_DUE, {"day_began": day_began, "lag": LAG_AT_MOST})
    community_id: int | None = found.scalar_one_or_none()
    return community_id
