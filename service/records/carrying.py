"""The figure of the service record that somebody brings along from the books before: in the record alone, nothing is posted."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from service.kit.ids import new_id
from service.records.rules import RecordKind, ServiceClass
from service.records.tables import ServiceRecord


@dataclass(frozen=True, slots=True)
class Carried:
    """One person's sum of minutes. `reference` is unique per community."""

    member_id: UUID
    minutes: int
    title: str
    source: str
    reference: str
    served_on: date
    """The day up to which it was counted."""


async def carry_over(
    session: AsyncSession, *, community_id: int, carried: Sequence[Carried], confirmed_by: UUID | None, now: datetime
) -> None:
    """Write sums into the record, all in one statement. Whoever stands behind the book's head has locked the people before."""
    rows = [
        {
            "community_id": community_id,
            "record_id": new_id(),
            "member_id": each.member_id,
            "kind": RecordKind.CARRIED.value,
            "service_class": ServiceClass.GENERAL.value,
            "minutes": each.minutes,
            "points_hundredths": 0,
            "coins": 0,
            "title": each.title,
            "source": each.source,
            "reference": each.reference,
            "served_on": each.served_on,
            "confirmed_at": now,
            "confirmed_by": confirmed_by,
        }
        for each in carried
    ]
    if rows:
        await session.execute(sa.insert(ServiceRecord), rows)


async def take_back_carried(
    session: AsyncSession, *, community_id: int, references: Sequence[str], confirmed_by: UUID | None, now: datetime
) -> None:
    """Undo sums by their exact opposite; the first lines stay for ever. What is undone already stays as it is."""
    if not references:
        return
    found = await session.execute(
        sa.select(ServiceRecord).where(
            col(ServiceRecord.community_id) == community_id,
            col(ServiceRecord.reference) == sa.any_(sa.literal(list(references), sa.ARRAY(sa.Text()))),
            col(ServiceRecord.kind) == RecordKind.CARRIED,
        )
    )
    firsts = found.scalars().all()
    undone = await session.execute(
        sa.select(col(ServiceRecord.corrects)).where(
            col(ServiceRecord.community_id) == community_id,
            col(ServiceRecord.corrects) == sa.any_(sa.literal([row.record_id for row in firsts], sa.ARRAY(sa.Uuid()))),
        )
    )
    done = set(undone.scalars())
    rows = [
        {
            "community_id": community_id,
            "record_id": new_id(),
            "member_id": row.member_id,
            "kind": row.kind,
            "service_class": row.service_class,
            "minutes": -row.minutes,
            "points_hundredths": 0,
            "coins": 0,
            "title": row.title,
            "source": row.source,
            "reference": f"{row.reference}:corrected",
            "served_on": row.served_on,
            "confirmed_at": now,
            "confirmed_by": confirmed_by,
            "corrects": row.record_id,
        }
        for row in firsts
        if row.record_id not in done
    ]
    if rows:
        await session.execute(sa.insert(ServiceRecord), rows)
