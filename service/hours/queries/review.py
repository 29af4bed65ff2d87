"""Reads of the review inbox. The filter lives in the address, and every figure is of the same filter as the rows."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from service.hours.rules import (
    AGREES_WITHIN_MINUTES,
    AttendanceNotFound,
    AttendanceState,
    Check,
    How,
    ReviewNotFound,
)
from service.hours.tables import Activity, Attendance, HoursReview, Shift
from service.identity import find_people, people_by_ids
from service.kit.paging import PAGE_SIZE, Page, decode_cursor, encode_cursor, page_of
from service.records import ServiceClass, Span, Taken, taken_times, time_is_taken


class ReviewView(StrEnum):
    """The four saved views of the inbox."""

    WAITING = "waiting"
    ODD = "odd"
    APPROVED = "approved"
    RETURNED = "returned"


@dataclass(frozen=True, slots=True)
class ReviewFilter:
    """What the reviewer looks at."""

    view: ReviewView = ReviewView.WAITING
    check: Check | None = None
    activity_id: UUID | None = None
    served_from: date | None = None
    served_until: date | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class ReviewRow:
    """One attendance as a reviewer sees it."""

    attendance_id: UUID
    revision: int
    member_id: UUID
    name: str
    card_no: str
    activity_id: UUID
    title: str
    service_class: ServiceClass
    starts_at: datetime
    ends_at: datetime
    served_on: date
    state: AttendanceState
    check: Check
    taken_by: Taken | None
    """The recorded service that counts for some of this time; approving would count it twice."""
    checked_in_at: datetime
    checked_out_at: datetime | None
    how_in: How
    how_out: How | None
    checked_in_by: str
    checked_out_by: str | None
    confirmed_by: str | None
    planned_minutes: int
    minutes: int
    credited_minutes: int | None
    points_hundredths: int | None
    correction_text: str | None
    return_reason: str | None
    done_at: datetime | None
    reviewed_at: datetime | None
    reviewed_by: str | None
    review_id: UUID | None


@dataclass(frozen=True, slots=True)
class ReviewDone:
    """What one review did, row by row."""

    review_id: UUID
    verb: str
    at: datetime
    undone_at: datetime | None
    verdicts: Mapping[UUID, str]
    names: Mapping[UUID, str]
    """The people of the rows that were not done."""
    done: int
    minutes: int
    """Credited by this review and still standing."""


Rows = sa.Select[*tuple[Any, ...]]


def _overlaps() -> sa.ColumnElement[bool]:
    """True when the person is also down for another shift whose planned time overlaps this one's."""
    other, plan = aliased(Attendance), aliased(Shift)
    return (
        sa.exists()
        .where(
            col(other.community_id) == col(Attendance.community_id),
            col(other.member_id) == col(Attendance.member_id),
            col(other.attendance_id) != col(Attendance.attendance_id),
            col(other.state) != AttendanceState.RETURNED,
            col(plan.community_id) == col(other.community_id),
            col(plan.shift_id) == col(other.shift_id),
            col(plan.starts_at) < col(Shift.ends_at),
            col(plan.ends_at) > col(Shift.starts_at),
        )
        .correlate(Attendance, Shift)
    )


def _taken() -> sa.ColumnElement[bool]:
    """True when the record counts another service for some of this time; decided rows are in the record themselves."""
    taken = time_is_taken(
        col(Attendance.community_id),
        col(Attendance.member_id),
        sa.func.greatest(col(Attendance.checked_in_at), col(Shift.starts_at)),
        sa.func.least(col(Attendance.checked_out_at), col(Shift.ends_at)),
    )
    return sa.and_(col(Attendance.state) == AttendanceState.DONE, col(Attendance.checked_out_at).is_not(None), taken)


def span_of(row: Attendance, shift: Shift) -> Span | None:
    """The time for which an attendance counts: presence within the plan. Without an end there is none."""
    if row.checked_out_at is None:
        return None
    starts_at, ends_at = max(row.checked_in_at, shift.starts_at), min(row.checked_out_at, shift.ends_at)
    return Span(row.attendance_id.hex, row.member_id, starts_at, ends_at) if starts_at < ends_at else None


def check_column() -> sa.ColumnElement[str]:
    """`rules.check_of` in SQL, so that rows can be filtered, counted and summed by it."""
    return sa.case(
        (col(Attendance.awaits_confirmation), Check.UNCONFIRMED.value),
        (col(Attendance.checked_out_at).is_(None), Check.NO_CHECKOUT.value),
        (col(Attendance.correction_asked_at).is_not(None), Check.ASKED.value),
        (sa.or_(_overlaps(), _taken()), Check.OVERLAPS.value),
        (
            col(Attendance.minutes) + AGREES_WITHIN_MINUTES < col(Attendance.planned_minutes),
            Check.SHORT.value,
        ),
        else_=Check.AGREES.value,
    )


def _in_view(view: ReviewView) -> sa.ColumnElement[bool]:
    agrees = check_column() == Check.AGREES.value
    if view is ReviewView.WAITING:
        return sa.and_(col(Attendance.state) == AttendanceState.DONE, agrees)
    if view is ReviewView.ODD:
        return sa.and_(col(Attendance.state) == AttendanceState.DONE, sa.not_(agrees))
    state = AttendanceState.APPROVED if view is ReviewView.APPROVED else AttendanceState.RETURNED
    return col(Attendance.state) == state


async def _wheres(session: AsyncSession, community_id: int, wanted: ReviewFilter) -> Sequence[sa.ColumnElement[bool]]:
    """Everything of the filter but the view."""
    wheres: list[sa.ColumnElement[bool]] = [col(Attendance.community_id) == community_id]
    if wanted.check is not None:
        wheres.append(check_column() == wanted.check.value)
    if wanted.activity_id is not None:
        wheres.append(col(Shift.activity_id) == wanted.activity_id)
    if wanted.served_from is not None:
        wheres.append(col(Attendance.served_on) >= wanted.served_from)
    if wanted.served_until is not None:
        wheres.append(col(Attendance.served_on) <= wanted.served_until)
    if wanted.text.strip():
        people = await find_people(session, community_id, wanted.text)
        wheres.append(
            sa.or_(
                col(Attendance.member_id).in_([person.member_id for person in people.rows]),
                col(Activity.title).icontains(wanted.text.strip(), autoescape=True),
            )
        )
    return wheres


def _joined(query: Rows) -> Rows:
    return (
        query.select_from(Attendance)
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
    )


def _decided(view: ReviewView) -> bool:
    return view in (ReviewView.APPROVED, ReviewView.RETURNED)


async def review_counts(session: AsyncSession, community_id: int, wanted: ReviewFilter) -> Mapping[ReviewView, int]:
    """How many rows of the filter stand in each of the four views."""
    wheres = await _wheres(session, community_id, wanted)
    columns = [sa.func.count().filter(_in_view(view)) for view in ReviewView]
    found = await session.execute(_joined(sa.select(*columns)).where(*wheres))
    return dict(zip(ReviewView, found.one(), strict=True))


async def review_sum(session: AsyncSession, community_id: int, wanted: ReviewFilter) -> tuple[int, int]:
    """How many rows the whole filter finds, and their minutes: credited ones where that is known."""
    wheres = await _wheres(session, community_id, wanted)
    minutes = sa.func.coalesce(
        sa.func.sum(sa.func.coalesce(col(Attendance.credited_minutes), col(Attendance.minutes))), 0
    )
    found = await session.execute(_joined(sa.select(sa.func.count(), minutes)).where(*wheres, _in_view(wanted.view)))
    count, total = found.one()
    return int(count), int(total)


async def review_page(
    session: AsyncSession, community_id: int, wanted: ReviewFilter, *, after: str | None = None, size: int = PAGE_SIZE
) -> Page[ReviewRow]:
    """Rows of the filter: what waits, longest waiting first; what was decided, newest first."""
    moment = col(Attendance.reviewed_at) if _decided(wanted.view) else col(Attendance.done_at)
    place = sa.tuple_(moment, col(Attendance.attendance_id))
    query = _joined(sa.select(Attendance, Shift, Activity, check_column())).where(
        *await _wheres(session, community_id, wanted), _in_view(wanted.view)
    )
    cursor = decode_cursor(after, str, str)
    if cursor is not None:
        last = sa.tuple_(datetime.fromisoformat(str(cursor[0])), UUID(str(cursor[1])))
        query = query.where(place < last if _decided(wanted.view) else place > last)
    order = [moment, col(Attendance.attendance_id)]
    sorted_by = [column.desc() for column in order] if _decided(wanted.view) else order
    rows = (await session.execute(query.order_by(*sorted_by).limit(size + 1))).all()

    def cursor_of(row: ReviewRow) -> str:
        at = row.reviewed_at if _decided(wanted.view) else row.done_at
        assert at is not None, "a row that waits or was decided has its moment"
        return encode_cursor(at.isoformat(), row.attendance_id.hex)

    return page_of(await _rows(session, community_id, rows), cursor_of, size)


async def all_review_rows(
    session: AsyncSession, community_id: int, wanted: ReviewFilter
) -> AsyncIterator[Sequence[ReviewRow]]:
    """Everything the filter finds, a thousand rows at a time."""
    after: str | None = None
    while True:
        found = await review_page(session, community_id, wanted, after=after, size=1000)
        yield found.rows
        after = found.next
        if after is None:
            return


async def review_row(session: AsyncSession, community_id: int, attendance_id: UUID) -> ReviewRow:
    """One row, whatever its view; raises AttendanceNotFound."""
    found = await session.execute(
        _joined(sa.select(Attendance, Shift, Activity, check_column())).where(
            col(Attendance.community_id) == community_id, col(Attendance.attendance_id) == attendance_id
        )
    )
    rows = await _rows(session, community_id, found.all())
    if not rows:
        raise AttendanceNotFound
    return rows[0]


async def waiting_count(session: AsyncSession, community_id: int) -> int:
    """How many attendances wait for a decision."""
    found = await session.execute(
        sa.select(sa.func.count()).where(
            col(Attendance.community_id) == community_id, col(Attendance.state) == AttendanceState.DONE
        )
    )
    return int(found.scalar_one())


async def undecided_before(session: AsyncSession, community_id: int, until: datetime) -> int:
    """How many attendances of shifts that began before a moment nobody has decided, those still inside included."""
    found = await session.execute(
        sa.select(sa.func.count())
        .select_from(Attendance)
        .join(
            Shift,
            sa.and_(
                col(Shift.community_id) == col(Attendance.community_id), col(Shift.shift_id) == col(Attendance.shift_id)
            ),
        )
        .where(
            col(Attendance.community_id) == community_id,
            col(Attendance.state).in_([AttendanceState.OPEN, AttendanceState.DONE]),
            col(Shift.starts_at) < until,
        )
    )
    return int(found.scalar_one())


async def review_done(session: AsyncSession, community_id: int, review_id: UUID) -> ReviewDone:
    """What one review did; raises ReviewNotFound."""
    review = await session.get(HoursReview, (community_id, review_id), populate_existing=True)
    if review is None:
        raise ReviewNotFound
    verdicts = {UUID(text): verdict for text, verdict in review.verdicts.items()}
    rows = await session.execute(
        sa.select(
            col(Attendance.attendance_id),
            col(Attendance.member_id),
            col(Attendance.review_id),
            col(Attendance.credited_minutes),
        ).where(col(Attendance.community_id) == community_id, col(Attendance.attendance_id).in_(list(verdicts)))
    )
    found = {row[0]: row for row in rows}
    undone = {key: found[key][1] for key, verdict in verdicts.items() if verdict != "done" and key in found}
    people = await people_by_ids(session, community_id, set(undone.values()))
    return ReviewDone(
        review_id=review.review_id,
        verb=review.verb,
        at=review.at,
        undone_at=review.undone_at,
        verdicts=verdicts,
        names={key: people[member_id].name for key, member_id in undone.items() if member_id in people},
        done=sum(verdict == "done" for verdict in verdicts.values()),
        minutes=sum(row[3] or 0 for row in found.values() if row[2] == review_id),
    )


async def _rows(session: AsyncSession, community_id: int, rows: Sequence[Any]) -> Sequence[ReviewRow]:
    """Rows with everybody's names, all of them read at once."""
    ids: set[UUID | None] = set()
    for row, _, _, _ in rows:
        ids |= {row.member_id, row.reviewed_by, row.checked_in_by, row.checked_out_by, row.confirmed_by}
    people = await people_by_ids(session, community_id, ids)
    spans = [
        span_of(row, shift)
        for row, shift, _, check in rows
        if check == Check.OVERLAPS.value and row.state == AttendanceState.DONE
    ]
    taken = await taken_times(session, community_id, [span for span in spans if span is not None])

    def name(member_id: UUID | None) -> str | None:
        found = people.get(member_id) if member_id else None
        return found.name if found else None

    return [
        ReviewRow(
            attendance_id=row.attendance_id,
            revision=row.revision,
            member_id=row.member_id,
            name=people[row.member_id].name,
            card_no=people[row.member_id].card_no,
            activity_id=activity.activity_id,
            title=activity.title,
            service_class=ServiceClass(activity.service_class),
            starts_at=shift.starts_at,
            ends_at=shift.ends_at,
            served_on=row.served_on,
            state=AttendanceState(row.state),
            check=Check(check),
            taken_by=taken.get(row.attendance_id.hex),
            checked_in_at=row.checked_in_at,
            checked_out_at=row.checked_out_at,
            how_in=How(row.how_in),
            how_out=How(row.how_out) if row.how_out else None,
            checked_in_by=name(row.checked_in_by) or "",
            checked_out_by=name(row.checked_out_by),
            confirmed_by=name(row.confirmed_by),
            planned_minutes=row.planned_minutes,
            minutes=row.minutes,
            credited_minutes=row.credited_minutes,
            points_hundredths=row.points_hundredths,
            correction_text=row.correction_text,
            return_reason=row.return_reason,
            done_at=row.done_at,
            reviewed_at=row.reviewed_at,
            reviewed_by=name(row.reviewed_by),
            review_id=row.review_id,
        )
        for row, shift, activity, check in rows
    ]
