"""Reads of shifts: what is on, who has a place, whose code this is."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.hours.queries.activities import check_leads
from service.hours.rules import (
    ActivityState,
    AttendanceState,
    NotYourActivity,
    ShiftNotFound,
    ShiftState,
    SignUpState,
    planned_minutes,
)
from service.hours.tables import Activity, ActivityLeader, Attendance, Shift, SignUp
from service.kit.access import Actor
from service.kit.clock import local_day
from service.kit.paging import PAGE_SIZE, Page, decode_cursor, encode_cursor, page_of
from service.records import ServiceClass


@dataclass(frozen=True, slots=True)
class ShiftView:
    """A shift as one person sees it."""

    shift_id: UUID
    activity_id: UUID
    title: str
    place: str
    contact_phone: str
    service_class: ServiceClass
    description: str
    activity_state: ActivityState
    code: str
    opens_at: datetime
    starts_at: datetime
    ends_at: datetime
    closes_at: datetime
    places: int
    state: ShiftState
    revision: int
    placed: int
    waiting: int
    mine: SignUpState | None
    ahead_of_me: int
    """How many wait before this person; 0 for whoever does not wait."""
    attendance_id: UUID | None
    attendance_state: AttendanceState | None

    @property
    def places_left(self) -> int:
        """How many places nobody has."""
        return max(0, self.places - self.placed)

    @property
    def on(self) -> date:
        """The community's day on which it begins."""
        return local_day(self.starts_at)

    @property
    def minutes(self) -> int:
        """How many minutes can be earned at most."""
        return planned_minutes(self.starts_at, self.ends_at)


async def lock_shift(session: AsyncSession, community_id: int, shift_id: UUID) -> tuple[Shift, Activity]:
    """The shift's row, locked, and its activity; raises ShiftNotFound.

    The activity is only read: whoever changes its state locks its shifts as well, so the shift's state is the guard.
    """
    found = await session.exec(
        select(Shift, Activity)
        .join(
            Activity,
            sa.and_(
                col(Activity.community_id) == col(Shift.community_id),
                col(Activity.activity_id) == col(Shift.activity_id),
            ),
        )
        .where(col(Shift.community_id) == community_id, col(Shift.shift_id) == shift_id)
        .with_for_update(of=Shift, key_share=True)
        .execution_options(populate_existing=True)
    )
    row = found.one_or_none()
    if row is None:
        raise ShiftNotFound
    return row[0], row[1]


Rows = sa.Select[*tuple[Any, ...]]


def _count(state: SignUpState) -> sa.ScalarSelect[int]:
    """How many people have this in the shift of the outer query."""
    return (
        sa.select(sa.func.count())
        .where(
            col(SignUp.community_id) == col(Shift.community_id),
            col(SignUp.shift_id) == col(Shift.shift_id),
            col(SignUp.state) == state,
        )
        .correlate(Shift)
        .scalar_subquery()
    )


def _query(community_id: int, member_id: UUID) -> Rows:
    mine, before = aliased(SignUp), aliased(SignUp)
    ahead = (
        sa.select(sa.func.count())
        .where(
            col(before.community_id) == col(mine.community_id),
            col(before.shift_id) == col(mine.shift_id),
            col(before.state) == SignUpState.WAITING,
            col(before.turn) < col(mine.turn),
            col(mine.state) == SignUpState.WAITING,
        )
        .correlate(mine)
        .scalar_subquery()
    )
    return (
        sa.select(
            Shift,
            Activity,
            _count(SignUpState.PLACED),
            _count(SignUpState.WAITING),
            col(mine.state),
            ahead,
            col(Attendance.attendance_id),
            col(Attendance.state),
        )
        .join(
            Activity,
            sa.and_(
                col(Activity.community_id) == col(Shift.community_id),
                col(Activity.activity_id) == col(Shift.activity_id),
            ),
        )
        .outerjoin(
            mine,
            sa.and_(
                col(mine.community_id) == col(Shift.community_id),
                col(mine.shift_id) == col(Shift.shift_id),
                col(mine.member_id) == member_id,
            ),
        )
        .outerjoin(
            Attendance,
            sa.and_(
                col(Attendance.community_id) == col(Shift.community_id),
                col(Attendance.shift_id) == col(Shift.shift_id),
                col(Attendance.member_id) == member_id,
            ),
        )
        .where(col(Shift.community_id) == community_id)
    )


def _view(row: sa.Row[*tuple[Any, ...]]) -> ShiftView:
    shift, activity, placed, waiting, mine, ahead, attendance_id, attendance_state = row
    return ShiftView(
        shift_id=shift.shift_id,
        activity_id=shift.activity_id,
        title=activity.title,
        place=activity.place,
        contact_phone=activity.contact_phone,
        service_class=ServiceClass(activity.service_class),
        description=activity.description,
        activity_state=ActivityState(activity.state),
        code=shift.code,
        opens_at=shift.opens_at,
        starts_at=shift.starts_at,
        ends_at=shift.ends_at,
        closes_at=shift.closes_at,
        places=shift.places,
        state=ShiftState(shift.state),
        revision=shift.revision,
        placed=placed,
        waiting=waiting,
        mine=SignUpState(mine) if mine else None,
        ahead_of_me=ahead or 0,
        attendance_id=attendance_id,
        attendance_state=AttendanceState(attendance_state) if attendance_state else None,
    )


async def _views(session: AsyncSession, query: Rows) -> Sequence[ShiftView]:
    return [_view(row) for row in await session.execute(query)]


async def shift_for(session: AsyncSession, actor: Actor, shift_id: UUID) -> ShiftView:
    """One shift; that of a draft is there for the desk and its leaders only."""
    views = await _views(session, _query(actor.community_id, actor.member_id).where(col(Shift.shift_id) == shift_id))
    if not views:
        raise ShiftNotFound
    if views[0].activity_state is ActivityState.DRAFT:
        try:
            await check_leads(session, actor, views[0].activity_id)
        except NotYourActivity as stranger:
            raise ShiftNotFound from stranger
    return views[0]


async def upcoming_shifts(
    session: AsyncSession, actor: Actor, since: datetime, *, after: str | None = None
) -> Page[ShiftView]:
    """What everybody may see, by time; `since` is the start of today, so that what is just over still stands there."""
    query = _query(actor.community_id, actor.member_id).where(
        col(Activity.state) == ActivityState.OPEN, col(Shift.ends_at) > since
    )
    cursor = decode_cursor(after, str, str)
    if cursor is not None:
        moment, shift_id = datetime.fromisoformat(str(cursor[0])), UUID(str(cursor[1]))
        query = query.where(sa.tuple_(col(Shift.starts_at), col(Shift.shift_id)) > sa.tuple_(moment, shift_id))
    views = await _views(session, query.order_by(col(Shift.starts_at), col(Shift.shift_id)).limit(PAGE_SIZE + 1))
    return page_of(views, lambda last: encode_cursor(last.starts_at.isoformat(), last.shift_id.hex))


async def my_shifts(session: AsyncSession, actor: Actor, since: datetime) -> Sequence[ShiftView]:
    """Where this person has a place or waits, from `since` on, by time."""
    query = _query(actor.community_id, actor.member_id).where(
        col(Shift.ends_at) > since,
        sa.exists().where(
            col(SignUp.community_id) == col(Shift.community_id),
            col(SignUp.shift_id) == col(Shift.shift_id),
            col(SignUp.member_id) == actor.member_id,
            col(SignUp.state) != SignUpState.CANCELLED,
        ),
    )
    return await _views(session, query.order_by(col(Shift.starts_at), col(Shift.shift_id)).limit(200))


async def my_next_shift(session: AsyncSession, actor: Actor, now: datetime) -> ShiftView | None:
    """The place whose time comes next and is not over; one that this person is in right now comes first."""
    query = _query(actor.community_id, actor.member_id).where(
        col(Shift.state) == ShiftState.OPEN,
        col(Shift.closes_at) > now,
        sa.or_(col(Shift.ends_at) > now, col(Attendance.state) == AttendanceState.OPEN),
        sa.or_(col(Attendance.state).is_(None), col(Attendance.state) == AttendanceState.OPEN),
        sa.exists().where(
            col(SignUp.community_id) == col(Shift.community_id),
            col(SignUp.shift_id) == col(Shift.shift_id),
            col(SignUp.member_id) == actor.member_id,
            col(SignUp.state) == SignUpState.PLACED,
        ),
    )
    order = (sa.case((col(Attendance.state) == AttendanceState.OPEN, 0), else_=1), col(Shift.starts_at))
    views = await _views(session, query.order_by(*order, col(Shift.shift_id)).limit(1))
    return views[0] if views else None


async def shifts_of_activity(
    session: AsyncSession, actor: Actor, activity_id: UUID, *, since: datetime | None = None
) -> Sequence[ShiftView]:
    """The shifts of one activity, by time; at most a year of weekly ones."""
    query = _query(actor.community_id, actor.member_id).where(col(Shift.activity_id) == activity_id)
    if since is not None:
        query = query.where(col(Shift.ends_at) > since)
    newest = await _views(session, query.order_by(col(Shift.starts_at).desc(), col(Shift.shift_id).desc()).limit(60))
    return newest[::-1]


async def shifts_led(session: AsyncSession, actor: Actor, now: datetime) -> Sequence[ShiftView]:
    """What this person leads and what is not closed yet, by time."""
    query = _query(actor.community_id, actor.member_id).where(
        col(Shift.state) == ShiftState.OPEN,
        col(Shift.closes_at) > now - timedelta(days=1),
        sa.exists().where(
            col(ActivityLeader.community_id) == col(Shift.community_id),
            col(ActivityLeader.activity_id) == col(Shift.activity_id),
            col(ActivityLeader.member_id) == actor.member_id,
        ),
    )
    return await _views(session, query.order_by(col(Shift.starts_at), col(Shift.shift_id)).limit(100))


async def shifts_of_poster(session: AsyncSession, actor: Actor, poster_code: str) -> Sequence[ShiftView] | None:
    """The open shifts of the activity whose poster carries this code, by time; None for a code on no poster."""
    known = await session.exec(
        select(col(Activity.activity_id)).where(
            col(Activity.community_id) == actor.community_id,
            col(Activity.poster_code) == poster_code,
            col(Activity.state) == ActivityState.OPEN,
        )
    )
    activity_id = known.first()
    if activity_id is None:
        return None
    query = _query(actor.community_id, actor.member_id).where(
        col(Shift.activity_id) == activity_id, col(Shift.state) == ShiftState.OPEN
    )
    return await _views(session, query.order_by(col(Shift.starts_at), col(Shift.shift_id)).limit(60))


async def open_shift_by_code(session: AsyncSession, actor: Actor, code: str) -> ShiftView | None:
    """The shift that a rotating code names."""
    views = await _views(
        session,
        _query(actor.community_id, actor.member_id).where(
            col(Shift.code) == code, col(Activity.state) == ActivityState.OPEN
        ),
    )
    return views[0] if views else None


async def open_shifts_at(session: AsyncSession, actor: Actor, now: datetime) -> Sequence[ShiftView]:
    """Every shift whose door is open now: those whose typed code may be meant."""
    query = _query(actor.community_id, actor.member_id).where(
        col(Activity.state) == ActivityState.OPEN,
        col(Shift.state) == ShiftState.OPEN,
        col(Shift.opens_at) <= now,
        col(Shift.closes_at) > now,
    )
    return await _views(session, query.order_by(col(Shift.starts_at), col(Shift.shift_id)).limit(500))


async def clashing_shift(
    session: AsyncSession, community_id: int, member_id: UUID, *, starts_at: datetime, ends_at: datetime, but: UUID
) -> tuple[str, datetime] | None:
    """Title and start of a shift that this person promised for an overlapping time, or None."""
    found = await session.execute(
        sa.select(col(Activity.title), col(Shift.starts_at))
        .join(
            Shift,
            sa.and_(
                col(Shift.community_id) == col(Activity.community_id),
                col(Shift.activity_id) == col(Activity.activity_id),
            ),
        )
        .join(
            SignUp,
            sa.and_(col(SignUp.community_id) == col(Shift.community_id), col(SignUp.shift_id) == col(Shift.shift_id)),
        )
        .where(
            col(SignUp.community_id) == community_id,
            col(SignUp.member_id) == member_id,
            col(SignUp.state) != SignUpState.CANCELLED,
            col(Shift.state) == ShiftState.OPEN,
            col(Shift.shift_id) != but,
            col(Shift.starts_at) < ends_at,
            col(Shift.ends_at) > starts_at,
        )
        .order_by(col(Shift.starts_at))
        .limit(1)
    )
    row = found.first()
    return (row[0], row[1]) if row else None


async def sign_ups_of(session: AsyncSession, community_id: int, shift_ids: Collection[UUID]) -> Sequence[SignUp]:
    """The rows of everybody who signed up for these shifts, by turn; for actions that hold the shifts' locks."""
    rows = await session.exec(
        select(SignUp)
        .where(col(SignUp.community_id) == community_id, col(SignUp.shift_id).in_(sorted(shift_ids)))
        .order_by(col(SignUp.shift_id), col(SignUp.turn), col(SignUp.member_id))
        .execution_options(populate_existing=True)
    )
    return list(rows)
