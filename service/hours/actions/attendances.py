"""Arriving, leaving, being confirmed, being put right; and the door that closes by itself."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.communities import setting
from service.hours import queries
from service.hours.actions.sign_ups import behalf, check_open, check_registered, take_place_on_the_spot
from service.hours.rules import (
    AttendanceNotFound,
    AttendanceNotInReview,
    AttendanceState,
    ChangedMeanwhile,
    How,
    NotCheckedIn,
    NothingToConfirm,
    OpenElsewhere,
    OwnHours,
    ShiftState,
    TimesOutside,
    TimesOverlap,
    check_check_out_time,
    check_serves_today,
    computed_minutes,
    planned_minutes,
    served_on,
)
from service.hours.tables import Attendance, Shift
from service.identity import lock_people
from service.kit import audit
from service.kit.access import Actor
from service.kit.db import broken_constraint
from service.kit.ids import new_id

SHIFTS_CLOSED_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class Arrival:
    """An attendance that a check-in or check-out led to."""

    attendance_id: UUID
    is_new: bool
    """False when the same was done before: the first answer stands."""


async def check_in(
    session: AsyncSession, *, actor: Actor, shift_id: UUID, member_id: UUID, how: How, now: datetime
) -> Arrival:
    """Note that somebody is there; whoever has no place takes one on the spot if one is left.

    A second check-in for the same shift is the first one over again. Two at once, here or at two shifts, meet at the
    constraints, which let one of them in.
    """
    shift, activity = await queries.lock_shift(session, actor.community_id, shift_id)
    check_open(shift, activity)
    found = await queries.lock_attendance(session, actor.community_id, at=(shift_id, member_id))
    if found is not None:
        return Arrival(found[0].attendance_id, is_new=False)
    check_serves_today(opens_at=shift.opens_at, starts_at=shift.starts_at, ends_at=shift.ends_at, now=now)
    await check_registered(session, actor, member_id, now)
    await lock_people(session, actor.community_id, [member_id])
    sign_ups = await queries.sign_ups_of(session, actor.community_id, [shift_id])
    take_place_on_the_spot(session, actor, shift, sign_ups, member_id, now)
    attendance_id = await _insert(session, actor, shift, member_id, how, now)
    audit.record(
        session,
        actor,
        "hours.checked_in",
        kind="attendance",
        id=attendance_id,
        now=now,
        on_behalf_of=behalf(actor, member_id),
        detail={"member": member_id.hex, "shift": shift_id.hex, "how": how.value},
    )
    return Arrival(attendance_id, is_new=True)


async def _insert(session: AsyncSession, actor: Actor, shift: Shift, member_id: UUID, how: How, now: datetime) -> UUID:
    attendance_id = new_id()
    inserted = await session.execute(
        insert(Attendance)
        .values(
            community_id=shift.community_id,
            attendance_id=attendance_id,
            shift_id=shift.shift_id,
            member_id=member_id,
            state=AttendanceState.OPEN,
            revision=1,
            served_on=served_on(shift.starts_at),
            checked_in_at=now,
            how_in=how,
            checked_in_by=actor.member_id,
            awaits_confirmation=how is How.POSTER,
            planned_minutes=planned_minutes(shift.starts_at, shift.ends_at),
            minutes=0,
        )
        # Without a target it yields to every constraint, the exclusion as well, and the transaction can say why.
        .on_conflict_do_nothing()
        .returning(col(Attendance.attendance_id))
    )
    if inserted.scalar_one_or_none() is not None:
        return attendance_id
    if await queries.open_attendance(session, shift.community_id, member_id) is not None:
        raise OpenElsewhere
    raise TimesOverlap


async def check_out(
    session: AsyncSession, *, actor: Actor, shift_id: UUID, member_id: UUID, how: How, now: datetime
) -> Arrival:
    """Note that somebody leaves, and work out what their presence is worth.

    Until the door closes a later check-out replaces an earlier one: whoever pressed too soon presses again on leaving.
    """
    found = await queries.lock_attendance(session, actor.community_id, at=(shift_id, member_id))
    if found is None:
        raise NotCheckedIn
    row, shift = found
    if row.state not in (AttendanceState.OPEN, AttendanceState.DONE):
        raise AttendanceNotInReview(row.state)
    check_check_out_time(closes_at=shift.closes_at, ends_at=shift.ends_at, now=now)
    is_new = row.state == AttendanceState.OPEN
    await _leave(session, row, shift, actor, how, now, now)
    audit.record(
        session,
        actor,
        "hours.checked_out",
        kind="attendance",
        id=row.attendance_id,
        now=now,
        on_behalf_of=behalf(actor, member_id),
        detail={"how": how.value, "minutes": row.minutes},
    )
    await _flush(session)
    return Arrival(row.attendance_id, is_new=is_new)


async def _leave(
    session: AsyncSession, row: Attendance, shift: Shift, actor: Actor, how: How, left_at: datetime, now: datetime
) -> None:
    percent = await setting(session, row.community_id, "presence_percent_min", row.served_on)
    # A clock that went back between two requests must not turn a departure into one before the arrival.
    row.checked_out_at = max(left_at, row.checked_in_at)
    row.how_out = how
    row.checked_out_by = actor.member_id
    row.awaits_confirmation = row.awaits_confirmation or how is How.POSTER
    row.state = AttendanceState.DONE
    row.done_at = now
    row.minutes = computed_minutes(
        came_at=row.checked_in_at,
        left_at=row.checked_out_at,
        starts_at=shift.starts_at,
        ends_at=shift.ends_at,
        presence_percent_min=percent,
    )
    row.revision += 1


async def _flush(session: AsyncSession) -> None:
    try:
        await session.flush()
    except IntegrityError as error:
        if broken_constraint(error) == "ex_attendance_overlap":
            raise TimesOverlap from error
        raise


async def confirm_arrival(session: AsyncSession, *, actor: Actor, attendance_id: UUID, now: datetime) -> None:
    """The leader vouches for somebody whose arrival or departure rests on a poster; never for themself."""
    row, _ = await _locked(session, actor, attendance_id)
    if row.member_id == actor.member_id:
        raise OwnHours
    if row.state not in (AttendanceState.OPEN, AttendanceState.DONE):
        raise AttendanceNotInReview(row.state)
    if not row.awaits_confirmation:
        raise NothingToConfirm
    row.awaits_confirmation = False
    row.confirmed_by, row.confirmed_at = actor.member_id, now
    row.revision += 1
    audit.record(
        session,
        actor,
        "hours.arrival_confirmed",
        kind="attendance",
        id=attendance_id,
        now=now,
        on_behalf_of=row.member_id,
    )


async def ask_correction(session: AsyncSession, *, actor: Actor, attendance_id: UUID, text: str, now: datetime) -> None:
    """A volunteer says what is wrong with their own hours; they wait for a decision, again if they were returned."""
    row, _ = await _locked(session, actor, attendance_id)
    if row.member_id != actor.member_id:
        raise AttendanceNotFound
    if row.state not in (AttendanceState.DONE, AttendanceState.RETURNED):
        raise AttendanceNotInReview(row.state)
    row.state = AttendanceState.DONE
    row.done_at = now
    row.review_id = None
    row.correction_text, row.correction_asked_at = text, now
    row.revision += 1
    audit.record(session, actor, "hours.correction_asked", kind="attendance", id=attendance_id, now=now)
    await _flush(session)


async def adjust_times(
    session: AsyncSession,
    *,
    actor: Actor,
    attendance_id: UUID,
    revision: int,
    came_at: datetime,
    left_at: datetime,
    now: datetime,
) -> None:
    """The desk puts the times of an attendance right that waits for a decision; never their own."""
    row, shift = await _locked(session, actor, attendance_id)
    if row.member_id == actor.member_id:
        raise OwnHours
    if row.state != AttendanceState.DONE:
        raise AttendanceNotInReview(row.state)
    if row.revision != revision:
        raise ChangedMeanwhile
    if not shift.opens_at <= came_at < left_at <= min(shift.closes_at, now):
        raise TimesOutside(shift.opens_at, shift.closes_at)
    before = {"came": row.checked_in_at.isoformat(), "left": row.checked_out_at and row.checked_out_at.isoformat()}
    if came_at != row.checked_in_at:
        row.checked_in_at, row.how_in, row.checked_in_by = came_at, How.LEADER, actor.member_id
    done_at = row.done_at
    await _leave(session, row, shift, actor, How.LEADER, left_at, now)
    row.done_at = done_at
    # Whoever sets the times vouches for them, and the volunteer's question is answered.
    row.awaits_confirmation = False
    row.correction_asked_at = None
    audit.record(
        session,
        actor,
        "hours.times_adjusted",
        kind="attendance",
        id=attendance_id,
        now=now,
        on_behalf_of=row.member_id,
        detail={**before, "minutes": row.minutes},
    )
    await _flush(session)


async def _locked(session: AsyncSession, actor: Actor, attendance_id: UUID) -> tuple[Attendance, Shift]:
    found = await queries.lock_attendance(session, actor.community_id, attendance_id=attendance_id)
    if found is None:
        raise AttendanceNotFound
    # Before anything is written: whoever moves a person's times never meets an approval of theirs at the constraint.
    await lock_people(session, actor.community_id, [found[0].member_id])
    return found


async def end_presences(session: AsyncSession, actor: Actor, shift_ids: Collection[UUID], now: datetime) -> None:
    """Check out everybody who is in these locked shifts, because they end now."""
    if not shift_ids:
        return
    rows = await queries.lock_attendances(session, actor.community_id, shift_ids=shift_ids)
    for row, shift, _ in rows.values():
        await _leave(session, row, shift, actor, How.LEADER, min(now, shift.closes_at), now)
        audit.record(
            session,
            actor,
            "hours.checked_out",
            kind="attendance",
            id=row.attendance_id,
            now=now,
            on_behalf_of=behalf(actor, row.member_id),
            detail={"how": How.LEADER.value, "minutes": row.minutes},
        )


async def close_due_shifts(session: AsyncSession, now: datetime) -> int:
    """Close shifts whose door has been open long enough; whoever never left waits for review without an end.

    One community at a time, so that no transaction holds rows of two; shifts that another worker has are left to it.
    """
    due = sa.and_(col(Shift.state) == ShiftState.OPEN, col(Shift.closes_at) <= now)
    first = await session.exec(select(col(Shift.community_id)).where(due).order_by(col(Shift.closes_at)).limit(1))
    community_id = first.first()
    if community_id is None:
        return 0
    shifts = (
        await session.exec(
            select(Shift)
            .where(due, col(Shift.community_id) == community_id)
            .order_by(col(Shift.shift_id))
            .limit(SHIFTS_CLOSED_AT_ONCE)
            .with_for_update(skip_locked=True, key_share=True)
        )
    ).all()
    if not shifts:
        return 0
    for shift in shifts:
        shift.state = ShiftState.CLOSED
        shift.revision += 1
        audit.record(
            session, None, "hours.shift_closed", kind="shift", id=shift.shift_id, now=now, community_id=community_id
        )
    rows = await queries.lock_attendances(session, community_id, shift_ids=[shift.shift_id for shift in shifts])
    for row, _, _ in rows.values():
        row.state = AttendanceState.DONE
        row.done_at = now
        row.revision += 1
        audit.record(
            session,
            None,
            "hours.check_out_missing",
            kind="attendance",
            id=row.attendance_id,
            now=now,
            community_id=community_id,
        )
    return len(shifts)
