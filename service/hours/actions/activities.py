"""Planning activities and their shifts, opening, cancelling and closing them."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.communities import settings_on
from service.facts import ActivityCancelled, ShiftCancelled
from service.hours import codes, queries
from service.hours.actions.attendances import end_presences
from service.hours.actions.sign_ups import move_up
from service.hours.rules import (
    ActivityHasShifts,
    ActivityNotOpen,
    ActivityState,
    ChangedMeanwhile,
    FewerPlacesThanTaken,
    NotALeader,
    ShiftNotOpen,
    ShiftState,
    ShiftThere,
    SignUpState,
    check_shift_times,
)
from service.hours.tables import Activity, ActivityLeader, Shift
from service.identity import holders_of
from service.kit import audit, outbox
from service.kit.access import Actor, Role
from service.kit.clock import local_day
from service.kit.ids import new_id
from service.records import ServiceClass


@dataclass(frozen=True, slots=True)
class ActivityText:
    """What staff write about an activity."""

    title: str
    place: str
    contact_phone: str
    service_class: ServiceClass
    description: str


async def plan_activity(
    session: AsyncSession, *, actor: Actor, text: ActivityText, leaders: Collection[UUID], now: datetime
) -> UUID:
    """Begin an activity as a draft that only the desk and its leaders see."""
    activity_id = new_id()
    session.add(
        Activity(
            community_id=actor.community_id,
            activity_id=activity_id,
            **asdict(text),
            poster_code=codes.new_short_code(),
            state=ActivityState.DRAFT,
            created_at=now,
            created_by=actor.member_id,
        )
    )
    await session.flush()
    await _set_leaders(session, actor, activity_id, leaders, now)
    audit.record(session, actor, "hours.activity_planned", kind="activity", id=activity_id, now=now)
    return activity_id


async def change_activity(
    session: AsyncSession,
    *,
    actor: Actor,
    activity_id: UUID,
    revision: int,
    text: ActivityText,
    leaders: Collection[UUID],
    now: datetime,
) -> None:
    """Write something else about an activity that is not over. What was approved keeps the words of that day."""
    row = await queries.lock_activity(session, actor.community_id, activity_id)
    if row.state not in (ActivityState.DRAFT, ActivityState.OPEN):
        raise ActivityNotOpen(row.state)
    if row.revision != revision:
        raise ChangedMeanwhile
    for name, value in asdict(text).items():
        setattr(row, name, value)
    row.revision += 1
    await _set_leaders(session, actor, activity_id, leaders, now)
    audit.record(session, actor, "hours.activity_changed", kind="activity", id=activity_id, now=now)


async def _set_leaders(
    session: AsyncSession, actor: Actor, activity_id: UUID, leaders: Collection[UUID], now: datetime
) -> None:
    able = set(await holders_of(session, actor.community_id, [Role.LEADER], local_day(now)))
    kept = set(await queries.leads(session, actor.community_id, activity_id))
    wanted = set(leaders)
    # Who leads already may stay although the role has ended: taking them off is a decision of its own.
    if not wanted <= able | kept:
        raise NotALeader
    await session.execute(
        sa.delete(ActivityLeader).where(
            col(ActivityLeader.community_id) == actor.community_id,
            col(ActivityLeader.activity_id) == activity_id,
            col(ActivityLeader.member_id).in_(kept - wanted),
        )
    )
    session.add_all(
        ActivityLeader(community_id=actor.community_id, activity_id=activity_id, member_id=member_id)
        for member_id in sorted(wanted - kept)
    )


async def open_activity(session: AsyncSession, *, actor: Actor, activity_id: UUID, now: datetime) -> None:
    """Show a draft to everybody. Opening what is open changes nothing."""
    row = await queries.lock_activity(session, actor.community_id, activity_id)
    if row.state == ActivityState.OPEN:
        return
    if row.state != ActivityState.DRAFT:
        raise ActivityNotOpen(row.state)
    row.state = ActivityState.OPEN
    row.revision += 1
    audit.record(session, actor, "hours.activity_opened", kind="activity", id=activity_id, now=now)


async def close_activity(session: AsyncSession, *, actor: Actor, activity_id: UUID, now: datetime) -> None:
    """End an activity that has nothing ahead of it."""
    row = await queries.lock_activity(session, actor.community_id, activity_id)
    if row.state == ActivityState.CLOSED:
        return
    if row.state != ActivityState.OPEN:
        raise ActivityNotOpen(row.state)
    ahead = [shift for shift in await _lock_open_shifts(session, row) if shift.closes_at > now]
    if ahead:
        raise ActivityHasShifts(len(ahead))
    row.state = ActivityState.CLOSED
    row.revision += 1
    audit.record(session, actor, "hours.activity_closed", kind="activity", id=activity_id, now=now)


async def cancel_activity(session: AsyncSession, *, actor: Actor, activity_id: UUID, now: datetime) -> None:
    """Call everything off: no shift of it takes place any more, and everybody who signed up is told.

    Whoever is there at this moment is checked out now, so that what they did so far can be reviewed.
    """
    row = await queries.lock_activity(session, actor.community_id, activity_id)
    if row.state == ActivityState.CANCELLED:
        return
    if row.state == ActivityState.CLOSED:
        raise ActivityNotOpen(row.state)
    shifts = [shift for shift in await _lock_open_shifts(session, row) if shift.closes_at > now]
    told = await _call_off(session, actor, shifts, now)
    row.state = ActivityState.CANCELLED
    row.revision += 1
    audit.record(
        session,
        actor,
        "hours.activity_cancelled",
        kind="activity",
        id=activity_id,
        now=now,
        detail={"shifts": len(shifts), "people": len(told)},
    )
    outbox.record(
        session, ActivityCancelled(community_id=actor.community_id, activity_id=activity_id, member_ids=told), now=now
    )


async def cancel_shift(session: AsyncSession, *, actor: Actor, shift_id: UUID, now: datetime) -> None:
    """Call one shift off and tell everybody in it. Cancelling twice changes nothing."""
    shift, _ = await queries.lock_shift(session, actor.community_id, shift_id)
    if shift.state == ShiftState.CANCELLED:
        return
    if shift.state == ShiftState.CLOSED:
        raise ShiftNotOpen(shift.state)
    told = await _call_off(session, actor, [shift], now)
    outbox.record(session, ShiftCancelled(community_id=actor.community_id, shift_id=shift_id, member_ids=told), now=now)


async def _call_off(session: AsyncSession, actor: Actor, shifts: Sequence[Shift], now: datetime) -> tuple[UUID, ...]:
    """End locked shifts and name everybody who had a place or a turn in one that is not over."""
    ids = [shift.shift_id for shift in shifts]
    sign_ups = await queries.sign_ups_of(session, actor.community_id, ids)
    await end_presences(session, actor, ids, now)
    over = {shift.shift_id for shift in shifts if shift.ends_at <= now}
    for shift in shifts:
        shift.state = ShiftState.CANCELLED
        shift.revision += 1
        audit.record(session, actor, "hours.shift_cancelled", kind="shift", id=shift.shift_id, now=now)
    told = {row.member_id for row in sign_ups if row.state != SignUpState.CANCELLED and row.shift_id not in over}
    return tuple(sorted(told))


async def _lock_open_shifts(session: AsyncSession, activity: Activity) -> Sequence[Shift]:
    rows = await session.exec(
        select(Shift)
        .where(
            col(Shift.community_id) == activity.community_id,
            col(Shift.activity_id) == activity.activity_id,
            col(Shift.state) == ShiftState.OPEN,
        )
        .order_by(col(Shift.shift_id))
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return list(rows)


async def add_shifts(
    session: AsyncSession,
    *,
    actor: Actor,
    activity_id: UUID,
    starts_at: datetime,
    ends_at: datetime,
    places: int,
    weeks: int,
    now: datetime,
) -> Sequence[UUID]:
    """Add one shift, or the same one in each of several weeks. Opening and closing follow the settings of its day.

    Two colleagues may press at once: the activity's lock makes the second wait and then be told that it is there.
    """
    row = await queries.lock_activity(session, actor.community_id, activity_id)
    if row.state not in (ActivityState.DRAFT, ActivityState.OPEN):
        raise ActivityNotOpen(row.state)
    check_shift_times(starts_at, ends_at, now)
    times = [(starts_at + timedelta(weeks=week), ends_at + timedelta(weeks=week)) for week in range(weeks)]
    there = await queries.same_shift(session, row, times)
    if there is not None:
        raise ShiftThere(there)
    made: list[UUID] = []
    for start, end in times:
        rules = await settings_on(
            session, actor.community_id, ["checkin_early_minutes_max", "checkin_late_minutes_max"], local_day(start)
        )
        shift_id = new_id()
        session.add(
            Shift(
                community_id=actor.community_id,
                shift_id=shift_id,
                activity_id=activity_id,
                code=codes.new_short_code(),
                opens_at=start - timedelta(minutes=rules["checkin_early_minutes_max"]),
                starts_at=start,
                ends_at=end,
                closes_at=end + timedelta(minutes=rules["checkin_late_minutes_max"]),
                places=places,
                state=ShiftState.OPEN,
            )
        )
        audit.record(session, actor, "hours.shift_added", kind="shift", id=shift_id, now=now)
        made.append(shift_id)
    return made


async def change_places(
    session: AsyncSession, *, actor: Actor, shift_id: UUID, revision: int, places: int, now: datetime
) -> None:
    """Give a shift more or fewer places, never fewer than are taken; whoever waits moves up."""
    shift, _ = await queries.lock_shift(session, actor.community_id, shift_id)
    if shift.state != ShiftState.OPEN:
        raise ShiftNotOpen(shift.state)
    if shift.revision != revision:
        raise ChangedMeanwhile
    sign_ups = await queries.sign_ups_of(session, actor.community_id, [shift_id])
    taken = sum(row.state == SignUpState.PLACED for row in sign_ups)
    if places < taken:
        raise FewerPlacesThanTaken(taken)
    shift.places = places
    shift.revision += 1
    move_up(session, actor, shift, sign_ups, now)
    audit.record(session, actor, "hours.places_changed", kind="shift", id=shift_id, now=now, detail={"places": places})
