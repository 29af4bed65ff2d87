"""Reads of attendances: who was there and when."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.hours.rules import AttendanceNotFound, AttendanceState, Check, How, SignUpState, check_of
from service.hours.tables import Activity, Attendance, Shift, SignUp
from service.identity import people_by_ids
from service.kit.access import Actor
from service.kit.paging import PAGE_SIZE, Page, decode_cursor, encode_cursor, page_of


@dataclass(frozen=True, slots=True)
class AttendanceView:
    """One presence, as the person themself and the leader see it."""

    attendance_id: UUID
    shift_id: UUID
    member_id: UUID
    title: str
    place: str
    starts_at: datetime
    ends_at: datetime
    closes_at: datetime
    state: AttendanceState
    revision: int
    served_on: date
    checked_in_at: datetime
    checked_out_at: datetime | None
    how_in: How
    how_out: How | None
    awaits_confirmation: bool
    planned_minutes: int
    minutes: int
    credited_minutes: int | None
    points_hundredths: int | None
    return_reason: str | None
    correction_text: str | None
    correction_asked_at: datetime | None
    reviewed_at: datetime | None

    @property
    def check(self) -> Check:
        """What can be said without looking at the person's other shifts."""
        return check_of(
            awaits_confirmation=self.awaits_confirmation,
            has_left=self.checked_out_at is not None,
            correction_asked=self.correction_asked_at is not None,
            overlaps=False,
            minutes=self.minutes,
            planned=self.planned_minutes,
        )


@dataclass(frozen=True, slots=True)
class PersonInShift:
    """One line of the leader's list."""

    member_id: UUID
    name: str
    card_no: str
    sign_up: SignUpState | None
    turn: int
    attendance_id: UUID | None
    state: AttendanceState | None
    checked_in_at: datetime | None
    checked_out_at: datetime | None
    how_in: How | None
    awaits_confirmation: bool
    minutes: int


def _query(community_id: int) -> sa.Select[Attendance, Shift, Activity]:
    return (
        sa.select(Attendance, Shift, Activity)
        .join(
            Shift,
            sa.and_(
                col(Shift.community_id) == col(Attendance.community_id),
                col(Shift.shift_id) == col(Attendance.shift_id),
            ),
        )
        .join(
            Activity,
            sa.and_(
                col(Activity.community_id) == col(Shift.community_id),
                col(Activity.activity_id) == col(Shift.activity_id),
            ),
        )
        .where(col(Attendance.community_id) == community_id)
    )


def _view(row: Attendance, shift: Shift, activity: Activity) -> AttendanceView:
    return AttendanceView(
        attendance_id=row.attendance_id,
        shift_id=row.shift_id,
        member_id=row.member_id,
        title=activity.title,
        place=activity.place,
        starts_at=shift.starts_at,
        ends_at=shift.ends_at,
        closes_at=shift.closes_at,
        state=AttendanceState(row.state),
        revision=row.revision,
        served_on=row.served_on,
        checked_in_at=row.checked_in_at,
        checked_out_at=row.checked_out_at,
        how_in=How(row.how_in),
        how_out=How(row.how_out) if row.how_out else None,
        awaits_confirmation=row.awaits_confirmation,
        planned_minutes=row.planned_minutes,
        minutes=row.minutes,
        credited_minutes=row.credited_minutes,
        points_hundredths=row.points_hundredths,
        return_reason=row.return_reason,
        correction_text=row.correction_text,
        correction_asked_at=row.correction_asked_at,
        reviewed_at=row.reviewed_at,
    )


async def attendance_for(session: AsyncSession, actor: Actor, attendance_id: UUID) -> AttendanceView:
    """One of this person's own attendances; anybody else's looks as if it were not there."""
    found = await session.execute(
        _query(actor.community_id).where(
            col(Attendance.attendance_id) == attendance_id, col(Attendance.member_id) == actor.member_id
        )
    )
    row = found.one_or_none()
    if row is None:
        raise AttendanceNotFound
    return _view(*row)


async def my_attendances(session: AsyncSession, actor: Actor, *, after: str | None = None) -> Page[AttendanceView]:
    """This person's presences, newest first, a page at a time."""
    query = _query(actor.community_id).where(col(Attendance.member_id) == actor.member_id)
    cursor = decode_cursor(after, str, str)
    place = sa.tuple_(col(Attendance.served_on), col(Attendance.attendance_id))
    if cursor is not None:
        query = query.where(place < sa.tuple_(date.fromisoformat(str(cursor[0])), UUID(str(cursor[1]))))
    order = (col(Attendance.served_on).desc(), col(Attendance.attendance_id).desc())
    rows = await session.execute(query.order_by(*order).limit(PAGE_SIZE + 1))
    views = [_view(*row) for row in rows]
    return page_of(views, lambda last: encode_cursor(last.served_on.isoformat(), last.attendance_id.hex))


async def open_attendance(session: AsyncSession, community_id: int, member_id: UUID) -> Attendance | None:
    """Where this person is checked in now, locked, or None."""
    found = await session.exec(
        select(Attendance)
        .where(
            col(Attendance.community_id) == community_id,
            col(Attendance.member_id) == member_id,
            col(Attendance.state) == AttendanceState.OPEN,
        )
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return found.one_or_none()


async def lock_attendance(
    session: AsyncSession, community_id: int, *, attendance_id: UUID | None = None, at: tuple[UUID, UUID] | None = None
) -> tuple[Attendance, Shift] | None:
    """One attendance, by its id or by (shift, member), locked, with its shift; None when there is none."""
    query = select(Attendance, Shift).join(
        Shift,
        sa.and_(
            col(Shift.community_id) == col(Attendance.community_id), col(Shift.shift_id) == col(Attendance.shift_id)
        ),
    )
    if at is not None:
        query = query.where(col(Attendance.shift_id) == at[0], col(Attendance.member_id) == at[1])
    else:
        query = query.where(col(Attendance.attendance_id) == attendance_id)
    found = await session.exec(
        query.where(col(Attendance.community_id) == community_id)
        .with_for_update(of=Attendance, key_share=True)
        .execution_options(populate_existing=True)
    )
    row = found.one_or_none()
    return (row[0], row[1]) if row else None


async def attendances_by_ids(
    session: AsyncSession, community_id: int, ids: Collection[UUID]
) -> Mapping[UUID, tuple[Attendance, Shift, Activity]]:
    """Many attendances as they are now; nobody is locked."""
    asked = col(Attendance.attendance_id) == sa.any_(sa.literal(list(ids), sa.ARRAY(sa.Uuid())))
    rows = await session.execute(_query(community_id).where(asked))
    return {row[0].attendance_id: (row[0], row[1], row[2]) for row in rows}


async def lock_attendances(
    session: AsyncSession,
    community_id: int,
    *,
    ids: Collection[UUID] = (),
    review_id: UUID | None = None,
    shift_ids: Collection[UUID] = (),
) -> Mapping[UUID, tuple[Attendance, Shift, Activity]]:
    """Many attendances, locked in one order: by id, by the review that decided them, or those open in some shifts."""
    query = _query(community_id)
    if review_id is not None:
        query = query.where(col(Attendance.review_id) == review_id)
    elif shift_ids:
        query = query.where(
            col(Attendance.shift_id).in_(sorted(shift_ids)), col(Attendance.state) == AttendanceState.OPEN
        )
    else:
        query = query.where(col(Attendance.attendance_id).in_(sorted(ids)))
    rows = await session.execute(
        query.order_by(col(Attendance.attendance_id))
        .with_for_update(of=Attendance, key_share=True)
        .execution_options(populate_existing=True)
    )
    return {row[0].attendance_id: (row[0], row[1], row[2]) for row in rows}


async def people_in_shift(session: AsyncSession, community_id: int, shift_id: UUID) -> Sequence[PersonInShift]:
    """Everybody with a place, a turn or an arrival in one shift: places first, then the waiting list."""
    signed = sa.select(SignUp).where(col(SignUp.community_id) == community_id, col(SignUp.shift_id) == shift_id)
    present = sa.select(Attendance).where(
        col(Attendance.community_id) == community_id, col(Attendance.shift_id) == shift_id
    )
    sign_ups: dict[UUID, SignUp] = {row.member_id: row for row in (await session.execute(signed)).scalars()}
    attendances: dict[UUID, Attendance] = {row.member_id: row for row in (await session.execute(present)).scalars()}
    people = await people_by_ids(session, community_id, {*sign_ups, *attendances})
    lines = []
    for member_id, person in people.items():
        sign_up, attendance = sign_ups.get(member_id), attendances.get(member_id)
        if attendance is None and (sign_up is None or sign_up.state == SignUpState.CANCELLED):
            continue
        lines.append(
            PersonInShift(
                member_id=member_id,
                name=person.name,
                card_no=person.card_no,
                sign_up=SignUpState(sign_up.state) if sign_up else None,
                turn=sign_up.turn if sign_up else 0,
                attendance_id=attendance.attendance_id if attendance else None,
                state=AttendanceState(attendance.state) if attendance else None,
                checked_in_at=attendance.checked_in_at if attendance else None,
                checked_out_at=attendance.checked_out_at if attendance else None,
                how_in=How(attendance.how_in) if attendance else None,
                awaits_confirmation=attendance.awaits_confirmation if attendance else False,
                minutes=attendance.minutes if attendance else 0,
            )
        )
    return sorted(lines, key=lambda line: (line.sign_up is SignUpState.WAITING, line.turn, line.card_no))
