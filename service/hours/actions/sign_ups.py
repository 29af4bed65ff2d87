"""Taking a place in a shift, waiting for one, giving one back."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from service.communities import setting
from service.facts import ShiftPlaceFreed, ShiftSignedUp
from service.hours import queries
from service.hours.rules import (
    ActivityNotOpen,
    ActivityState,
    NotAVolunteer,
    NotSignedUp,
    ShiftFull,
    ShiftNotOpen,
    ShiftsClash,
    ShiftStarted,
    ShiftState,
    SignedUpAlready,
    SignUpState,
    TooLateToCancel,
)
from service.hours.tables import Activity, Shift, SignUp
from service.identity import lock_people, roles_by_member
from service.kit import audit, outbox
from service.kit.access import Actor, Role
from service.kit.clock import local_day

SERVING = (Role.VOLUNTEER, Role.STEWARD, Role.GRID_WORKER, Role.REPAIRER, Role.LEADER)
"""Who is registered to serve. A resident registers as a volunteer first: serving is voluntary and on record."""


def check_open(shift: Shift, activity: Activity) -> None:
    """Refuse a shift that does not take place."""
    if activity.state != ActivityState.OPEN:
        raise ActivityNotOpen(activity.state)
    if shift.state != ShiftState.OPEN:
        raise ShiftNotOpen(shift.state)


async def check_registered(session: AsyncSession, actor: Actor, member_id: UUID, now: datetime) -> None:
    """Refuse to send somebody who is not registered to serve, or who has left."""
    if member_id == actor.member_id:
        roles = actor.roles
    else:
        held = await roles_by_member(session, actor.community_id, [member_id], local_day(now))
        roles = frozenset(role for role, _ in held.get(member_id, ()))
    if roles.isdisjoint(SERVING):
        raise NotAVolunteer


async def sign_up(
    session: AsyncSession, *, actor: Actor, shift_id: UUID, member_id: UUID, may_wait: bool, now: datetime
) -> SignUpState:
    """Give a volunteer a place, or a turn in the waiting list if they agreed to wait.

    The shift's lock makes the second of two people who want the last place wait and then be told that it is gone. The
    person is locked as well, so that two taps cannot promise the same hour to two shifts.
    """
    shift, activity = await queries.lock_shift(session, actor.community_id, shift_id)
    check_open(shift, activity)
    if now >= shift.starts_at:
        raise ShiftStarted
    await check_registered(session, actor, member_id, now)
    await lock_people(session, actor.community_id, [member_id])
    sign_ups = await queries.sign_ups_of(session, actor.community_id, [shift_id])
    mine = next((row for row in sign_ups if row.member_id == member_id), None)
    if mine is not None and mine.state != SignUpState.CANCELLED:
        raise SignedUpAlready
    clash = await queries.clashing_shift(
        session, actor.community_id, member_id, starts_at=shift.starts_at, ends_at=shift.ends_at, but=shift_id
    )
    if clash is not None:
        raise ShiftsClash(*clash)
    is_full = _placed(sign_ups) >= shift.places
    if is_full and not may_wait:
        raise ShiftFull
    state = SignUpState.WAITING if is_full else SignUpState.PLACED
    _put(session, actor, shift, sign_ups, member_id, state, now)
    return state


def take_place_on_the_spot(
    session: AsyncSession, actor: Actor, shift: Shift, sign_ups: Sequence[SignUp], member_id: UUID, now: datetime
) -> None:
    """Sign up somebody who stands at the door of a locked shift, if a place is left or they have one already."""
    mine = next((row for row in sign_ups if row.member_id == member_id), None)
    if mine is not None and mine.state == SignUpState.PLACED:
        return
    if _placed(sign_ups) >= shift.places:
        raise ShiftFull
    _put(session, actor, shift, sign_ups, member_id, SignUpState.PLACED, now)


def _placed(sign_ups: Sequence[SignUp]) -> int:
    return sum(row.state == SignUpState.PLACED for row in sign_ups)


def _put(
    session: AsyncSession,
    actor: Actor,
    shift: Shift,
    sign_ups: Sequence[SignUp],
    member_id: UUID,
    state: SignUpState,
    now: datetime,
) -> None:
    turn = max((row.turn for row in sign_ups), default=0) + 1
    mine = next((row for row in sign_ups if row.member_id == member_id), None)
    if mine is None:
        session.add(
            SignUp(
                community_id=shift.community_id,
                shift_id=shift.shift_id,
                member_id=member_id,
                state=state,
                turn=turn,
                signed_up_at=now,
                signed_up_by=actor.member_id,
            )
        )
    else:
        mine.state, mine.turn, mine.signed_up_at, mine.signed_up_by = state, turn, now, actor.member_id
    audit.record(
        session,
        actor,
        "hours.signed_up" if state is SignUpState.PLACED else "hours.waits",
        kind="shift",
        id=shift.shift_id,
        now=now,
        on_behalf_of=behalf(actor, member_id),
        detail={"member": member_id.hex},
    )
    if state is SignUpState.PLACED:
        outbox.record(
            session,
            ShiftSignedUp(community_id=shift.community_id, shift_id=shift.shift_id, member_id=member_id),
            now=now,
        )


def behalf(actor: Actor, member_id: UUID) -> UUID | None:
    """The person somebody acts for, or None when they act for themselves."""
    return None if actor.member_id == member_id else member_id


async def cancel_sign_up(
    session: AsyncSession, *, actor: Actor, shift_id: UUID, member_id: UUID, now: datetime
) -> None:
    """Give a place or a turn back; the first who waits moves up.

    A volunteer can do so until the community's deadline; afterwards somebody has to be told by phone, and the desk or
    the leader takes the name off the list until the shift begins.
    """
    shift, activity = await queries.lock_shift(session, actor.community_id, shift_id)
    sign_ups = await queries.sign_ups_of(session, actor.community_id, [shift_id])
    mine = next((row for row in sign_ups if row.member_id == member_id), None)
    if mine is None or mine.state == SignUpState.CANCELLED:
        raise NotSignedUp
    if now >= shift.starts_at:
        raise ShiftStarted
    if mine.state == SignUpState.PLACED and member_id == actor.member_id:
        minutes = await setting(session, actor.community_id, "shift_cancel_minutes_before", local_day(shift.starts_at))
        if now > shift.starts_at - timedelta(minutes=minutes):
            raise TooLateToCancel(activity.contact_phone)
    mine.state = SignUpState.CANCELLED
    audit.record(
        session,
        actor,
        "hours.sign_up_cancelled",
        kind="shift",
        id=shift_id,
        now=now,
        on_behalf_of=behalf(actor, member_id),
        detail={"member": member_id.hex},
    )
    move_up(session, actor, shift, sign_ups, now)


def move_up(session: AsyncSession, actor: Actor, shift: Shift, sign_ups: Sequence[SignUp], now: datetime) -> None:
    """Let those who wait have the free places of a locked shift, in turn; nobody is called into one that has begun."""
    if now >= shift.starts_at or shift.state != ShiftState.OPEN:
        return
    free = shift.places - _placed(sign_ups)
    waiting = sorted((row for row in sign_ups if row.state == SignUpState.WAITING), key=lambda row: row.turn)
    for row in waiting[: max(0, free)]:
        row.state = SignUpState.PLACED
        audit.record(
            session,
            actor,
            "hours.moved_up",
            kind="shift",
            id=shift.shift_id,
            now=now,
            on_behalf_of=row.member_id,
            detail={"member": row.member_id.hex},
        )
        outbox.record(
            session,
            ShiftPlaceFreed(community_id=shift.community_id, shift_id=shift.shift_id, member_id=row.member_id),
            now=now,
        )
