"""Reads of the service record."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.communities import setting
from service.kit.paging import PAGE_SIZE, Page, decode_cursor, encode_cursor, page_of
from service.records.rules import credited_minutes
from service.records.tables import ServiceRecord


@dataclass(frozen=True, slots=True)
class RecordLine:
    """One line of the record."""

    record_id: UUID
    member_id: UUID
    kind: str
    service_class: str
    minutes: int
    points_hundredths: int
    title: str
    source: str
    reference: str
    served_on: date
    confirmed_at: datetime
    corrects: UUID | None


async def record_minutes(session: AsyncSession, community_id: int, member_id: UUID) -> int:
    """服务时长: all service minutes of a person, training left out."""
    return (await minutes_by_member(session, community_id, [member_id])).get(member_id, 0)


async def minutes_by_member(session: AsyncSession, community_id: int, ids: Collection[UUID]) -> Mapping[UUID, int]:
    """服务时长 of many people in one query."""
    rows = await session.execute(
        sa.select(col(ServiceRecord.member_id), sa.func.sum(col(ServiceRecord.minutes)))
        .where(
            col(ServiceRecord.community_id) == community_id,
            col(ServiceRecord.member_id).in_(list(ids)),
            col(ServiceRecord.kind) != "training",
        )
        .group_by(col(ServiceRecord.member_id))
    )
    return {member_id: int(total) for member_id, total in rows}


async def credited_on(
    session: AsyncSession, community_id: int, days: Collection[tuple[UUID, date]]
) -> Mapping[tuple[UUID, date], int]:
    """Credited minutes that people already have on given days."""
    rows = await session.execute(
        sa.select(col(ServiceRecord.member_id), col(ServiceRecord.served_on), sa.func.sum(col(ServiceRecord.minutes)))
        .where(
            col(ServiceRecord.community_id) == community_id,
            col(ServiceRecord.member_id).in_({member_id for member_id, _ in days}),
            col(ServiceRecord.served_on).in_({day for _, day in days}),
            col(ServiceRecord.kind) == "credited",
        )
        .group_by(col(ServiceRecord.member_id), col(ServiceRecord.served_on))
    )
    return {(member_id, day): int(total) for member_id, day, total in rows}


async def countable_minutes(
    session: AsyncSession, community_id: int, member_id: UUID, served_on: date, minutes: int
) -> int:
    """What of a service would count today, when the day has a cap: for a page to say before somebody confirms."""
    most = await setting(session, community_id, "credited_minutes_per_day_max", served_on)
    credited = await credited_on(session, community_id, [(member_id, served_on)])
    return credited_minutes(minutes, credited.get((member_id, served_on), 0), most)


async def record_lines(
    session: AsyncSession, community_id: int, member_id: UUID, *, after: str | None = None
) -> Page[RecordLine]:
    """The record of one person, a page at a time: the newest service day first, within a day what was confirmed last."""
    query = select(ServiceRecord).where(
        col(ServiceRecord.community_id) == community_id, col(ServiceRecord.member_id) == member_id
    )
    place = sa.tuple_(col(ServiceRecord.served_on), col(ServiceRecord.record_id))
    cursor = decode_cursor(after, str, str)
    if cursor is not None:
        query = query.where(place < (date.fromisoformat(str(cursor[0])), UUID(str(cursor[1]))))
    newest = (col(ServiceRecord.served_on).desc(), col(ServiceRecord.record_id).desc())
    rows = (await session.exec(query.order_by(*newest).limit(PAGE_SIZE + 1))).all()
    lines = [
        RecordLine(
            record_id=row.record_id,
            member_id=row.member_id,
            kind=row.kind,
            service_class=row.service_class,
            minutes=row.minutes,
            points_hundredths=row.points_hundredths,
            title=row.title,
            source=row.source,
            reference=row.reference,
            served_on=row.served_on,
            confirmed_at=row.confirmed_at,
            corrects=row.corrects,
        )
        for row in rows
    ]
    return page_of(lines, lambda last: encode_cursor(last.served_on.isoformat(), last.record_id.hex))
