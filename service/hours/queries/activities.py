"""Reads of activities and of who leads them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.hours.rules import ActivityNotFound, ActivityState, NotYourActivity, ShiftState
from service.hours.tables import Activity, ActivityLeader, Shift
from service.kit.access import Actor, Role
from service.kit.paging import PAGE_SIZE, Page, decode_cursor, encode_cursor, page_of
from service.records import ServiceClass


@dataclass(frozen=True, slots=True)
class ActivityView:
    """An activity as pages show it."""

    activity_id: UUID
    title: str
    place: str
    contact_phone: str
    service_class: ServiceClass
    description: str
    poster_code: str
    state: ActivityState
    revision: int
    shifts_ahead: int
    next_starts_at: datetime | None


async def lock_activity(session: AsyncSession, community_id: int, activity_id: UUID) -> Activity:
    """The row itself, locked; raises ActivityNotFound."""
    found = await session.exec(
        select(Activity)
        .where(col(Activity.community_id) == community_id, col(Activity.activity_id) == activity_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    row = found.one_or_none()
    if row is None:
        raise ActivityNotFound
    return row


async def leads(session: AsyncSession, community_id: int, activity_id: UUID) -> Sequence[UUID]:
    """The leaders of an activity."""
    rows = await session.exec(
        select(col(ActivityLeader.member_id))
        .where(col(ActivityLeader.community_id) == community_id, col(ActivityLeader.activity_id) == activity_id)
        .order_by(col(ActivityLeader.member_id))
    )
    return list(rows)


async def same_shift(
    session: AsyncSession, activity: Activity, times: Sequence[tuple[datetime, datetime]]
) -> datetime | None:
    """When the first shift of the activity starts that has one of these times and was not called off. Lock it before."""
    found = await session.exec(
        select(col(Shift.starts_at))
        .where(
            col(Shift.community_id) == activity.community_id,
            col(Shift.activity_id) == activity.activity_id,
            col(Shift.state) != ShiftState.CANCELLED,
            sa.tuple_(col(Shift.starts_at), col(Shift.ends_at)).in_(times),
        )
        .order_by(col(Shift.starts_at))
        .limit(1)
    )
    return found.one_or_none()


async def check_leads(session: AsyncSession, actor: Actor, activity_id: UUID) -> None:
    """Refuse whoever neither works at the desk nor leads this activity."""
    if actor.has(Role.STAFF):
        return
    if actor.member_id not in await leads(session, actor.community_id, activity_id):
        raise NotYourActivity


def _view_query(community_id: int, now: datetime) -> sa.Select[tuple[Activity, int, datetime | None]]:
    ahead = (
        sa.select(
            col(Shift.activity_id), sa.func.count().label("shifts"), sa.func.min(col(Shift.starts_at)).label("first")
        )
        .where(col(Shift.community_id) == community_id, col(Shift.state) == ShiftState.OPEN, col(Shift.ends_at) > now)
        .group_by(col(Shift.activity_id))
        .subquery()
    )
    return (
        sa.select(Activity, sa.func.coalesce(ahead.c.shifts, 0), ahead.c.first)
        .outerjoin(ahead, ahead.c.activity_id == col(Activity.activity_id))
        .where(col(Activity.community_id) == community_id)
    )


def _view(row: Activity, shifts: int, first: datetime | None) -> ActivityView:
    return ActivityView(
        activity_id=row.activity_id,
        title=row.title,
        place=row.place,
        contact_phone=row.contact_phone,
        service_class=ServiceClass(row.service_class),
        description=row.description,
        poster_code=row.poster_code,
        state=ActivityState(row.state),
        revision=row.revision,
        shifts_ahead=shifts,
        next_starts_at=first,
    )


async def activity_for(session: AsyncSession, actor: Actor, activity_id: UUID, now: datetime) -> ActivityView:
    """One activity; a draft is there for the desk and its leaders only."""
    found = await session.execute(_view_query(actor.community_id, now).where(col(Activity.activity_id) == activity_id))
    row = found.one_or_none()
    if row is None:
        raise ActivityNotFound
    view = _view(*row)
    if view.state is ActivityState.DRAFT:
        try:
            await check_leads(session, actor, activity_id)
        except NotYourActivity as stranger:
            raise ActivityNotFound from stranger
    return view


async def activities(
    session: AsyncSession,
    community_id: int,
    now: datetime,
    *,
    state: ActivityState | None = None,
    after: str | None = None,
) -> Page[ActivityView]:
    """The desk's list, newest first, a page at a time."""
    query = _view_query(community_id, now)
    if state is not None:
        query = query.where(col(Activity.state) == state)
    cursor = decode_cursor(after, str)
    if cursor is not None:
        query = query.where(col(Activity.activity_id) < UUID(str(cursor[0])))
    rows = await session.execute(query.order_by(col(Activity.activity_id).desc()).limit(PAGE_SIZE + 1))
    return page_of([_view(*row) for row in rows], lambda last: encode_cursor(last.activity_id.hex))
