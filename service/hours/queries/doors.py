"""Which shift a scanned or typed code leads to, and what the code proves."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from service.communities import setting
from service.hours import codes
from service.hours.queries.shifts import ShiftView, open_shift_by_code, open_shifts_at, shifts_of_poster
from service.hours.rules import (
    PROOF_LENGTH,
    SHORT_CODE_LENGTH,
    AttendanceState,
    CodeTooOld,
    CodeUnknown,
    How,
    NoShiftToday,
    SignUpState,
    TooEarly,
    TooLate,
    WrongDay,
    normal_code,
)
from service.kit.access import Actor
from service.kit.clock import local_day
from service.kit.db import keyring


@dataclass(frozen=True, slots=True)
class Door:
    """The shift behind a code."""

    shift: ShiftView
    how: How


@dataclass(frozen=True, slots=True)
class ShownCode:
    """What the leader's phone shows now."""

    scanned: str
    typed: str
    seconds_left: int
    step_seconds: int


async def _step_seconds(session: AsyncSession, community_id: int, now: datetime) -> int:
    return await setting(session, community_id, "checkin_code_seconds", local_day(now))


async def shown_code(session: AsyncSession, community_id: int, shift: ShiftView, now: datetime) -> ShownCode:
    """The codes of this moment for one shift."""
    seconds = await _step_seconds(session, community_id, now)
    key, step = keyring(session).key(codes.PURPOSE), codes.step_of(now, seconds)
    return ShownCode(
        scanned=shift.code + codes.proof(key, community_id, shift.shift_id, step),
        typed=codes.typed(key, community_id, shift.shift_id, step),
        seconds_left=codes.seconds_left(now, seconds),
        step_seconds=seconds,
    )


async def ticket_for(session: AsyncSession, actor: Actor, shift: ShiftView, now: datetime) -> str:
    """A few minutes for this person to press the button of the page they opened with a good code."""
    key = keyring(session).key(codes.PURPOSE)
    return codes.ticket(key, actor.community_id, shift.shift_id, actor.member_id, now)


async def door_of(session: AsyncSession, actor: Actor, text: str, now: datetime, *, ticket: str = "") -> Door:
    """The door that a code opens for this person: the rotating one, the one typed from beside it, or a poster's.

    Raises CodeUnknown, CodeTooOld or, for a poster, why its activity has no open door now.
    """
    code = normal_code(text)
    if len(code) == SHORT_CODE_LENGTH + PROOF_LENGTH:
        return await _rotating(session, actor, code, now, ticket)
    if len(code) == SHORT_CODE_LENGTH:
        return await _typed(session, actor, code, now) or await poster_door(session, actor, code, now)
    raise CodeUnknown


async def _rotating(session: AsyncSession, actor: Actor, code: str, now: datetime, ticket: str) -> Door:
    shift = await open_shift_by_code(session, actor, code[:SHORT_CODE_LENGTH])
    if shift is None:
        raise CodeUnknown
    seconds = await _step_seconds(session, actor.community_id, now)
    keys = keyring(session).keys(codes.PURPOSE).values()
    good = [
        codes.proof(key, actor.community_id, shift.shift_id, step)
        for key in keys
        for step in codes.good_steps(now, seconds)
    ]
    if codes.is_fresh(code[SHORT_CODE_LENGTH:], good) or any(
        codes.ticket_is_good(ticket, key, actor.community_id, shift.shift_id, actor.member_id, now) for key in keys
    ):
        return Door(shift, How.ROTATING)
    raise CodeTooOld


async def _typed(session: AsyncSession, actor: Actor, code: str, now: datetime) -> Door | None:
    shifts = await open_shifts_at(session, actor, now)
    if not shifts:
        return None
    seconds = await _step_seconds(session, actor.community_id, now)
    keys = keyring(session).keys(codes.PURPOSE).values()
    for shift in shifts:
        good = [
            codes.typed(key, actor.community_id, shift.shift_id, step)
            for key in keys
            for step in codes.good_steps(now, seconds)
        ]
        if codes.is_fresh(code, good):
            return Door(shift, How.ROTATING)
    return None


async def poster_door(session: AsyncSession, actor: Actor, text: str, now: datetime) -> Door:
    """The shift that a poster means at this moment, or why there is none."""
    shifts = await shifts_of_poster(session, actor, normal_code(text))
    if shifts is None:
        raise CodeUnknown
    return Door(_meant(shifts, now), How.POSTER)


def _meant(shifts: Sequence[ShiftView], now: datetime) -> ShiftView:
    """Where the person is checked in, else where they have a place, else where the door is open."""
    here = [shift for shift in shifts if shift.opens_at <= now < shift.closes_at]
    if here:
        return min(
            here,
            key=lambda shift: (
                shift.attendance_state is not AttendanceState.OPEN,
                now >= shift.ends_at,
                shift.mine is not SignUpState.PLACED,
                shift.starts_at,
            ),
        )
    ahead = [shift for shift in shifts if shift.starts_at > now]
    if ahead and local_day(ahead[0].starts_at) == local_day(now):
        raise TooEarly(ahead[0].opens_at)
    over = [shift for shift in shifts if shift.ends_at <= now and local_day(shift.ends_at) == local_day(now)]
    if over:
        raise TooLate(over[-1].ends_at)
    if ahead:
        raise WrongDay(ahead[0].starts_at)
    raise NoShiftToday


__all__ = ["Door", "ShownCode", "door_of", "poster_door", "shown_code", "ticket_for"]
