"""Arithmetic on times, and the checks, each in the order in which it says no."""

from datetime import date, datetime, timedelta
from uuid import UUID

from service.hours.rules.refusals import ShiftFieldOdd, ShiftTimesOdd, TooEarly, TooLate, WrongDay
from service.hours.rules.states import (
    AGREES_WITHIN_MINUTES,
    SHIFT_DAYS_AHEAD_MAX,
    SHIFT_HOURS_MAX,
    AttendanceState,
    Check,
    ShiftState,
    SignUpState,
    Standing,
    Verdict,
)
from service.kit.clock import local_day


def planned_minutes(starts_at: datetime, ends_at: datetime) -> int:
    """The length of a shift in whole minutes."""
    return int((ends_at - starts_at) / timedelta(minutes=1))


def computed_minutes(
    *, came_at: datetime, left_at: datetime | None, starts_at: datetime, ends_at: datetime, presence_percent_min: int
) -> int:
    """Whole minutes that a presence is worth: clipped to the plan, nothing below the least share of it.

    The share is compared on exact time and only the result is cut to minutes, so that nobody fails by
    seconds of rounding.
    """
    if left_at is None:
        return 0
    present = min(left_at, ends_at) - max(came_at, starts_at)
    if present <= timedelta(0) or present * 100 < (ends_at - starts_at) * presence_percent_min:
        return 0
    return int(present / timedelta(minutes=1))


def check_of(
    *, awaits_confirmation: bool, has_left: bool, correction_asked: bool, overlaps: bool, minutes: int, planned: int
) -> Check:
    """The word that a reviewer sees first. `queries.review` says the same in SQL; a test compares the two."""
    if awaits_confirmation:
        return Check.UNCONFIRMED
    if not has_left:
        return Check.NO_CHECKOUT
    if correction_asked:
        return Check.ASKED
    if overlaps:
        return Check.OVERLAPS
    if minutes + AGREES_WITHIN_MINUTES < planned:
        return Check.SHORT
    return Check.AGREES


def served_on(starts_at: datetime) -> date:
    """The day a shift counts for: a night shift belongs to the evening it began."""
    return local_day(starts_at)


# Checks, each in the order in which it says no.


def check_shift_day(day: date, today: date) -> None:
    """A day typed for a shift is yesterday, for a night that is not over, or within two years."""
    if not today - timedelta(days=1) <= day <= today + timedelta(days=SHIFT_DAYS_AHEAD_MAX):
        raise ShiftFieldOdd({"on": "day"})


def check_shift_times(starts_at: datetime, ends_at: datetime, now: datetime) -> None:
    """A shift lies ahead of us, not years away, and is at least a minute and at most half a day long."""
    if starts_at - now > timedelta(days=SHIFT_DAYS_AHEAD_MAX + 1):
        raise ShiftFieldOdd({"starts_at": "day"})
    if starts_at == ends_at:
        raise ShiftFieldOdd({"ends_at": "same_time"})
    length = ends_at - starts_at
    if not timedelta(minutes=1) <= length <= timedelta(hours=SHIFT_HOURS_MAX) or ends_at <= now:
        raise ShiftTimesOdd


def check_serves_today(*, opens_at: datetime, starts_at: datetime, ends_at: datetime, now: datetime) -> None:
    """Checking in is possible from a little before the shift until its end."""
    if opens_at <= now < ends_at:
        return
    days = {local_day(opens_at), local_day(starts_at), local_day(ends_at)}
    if local_day(now) not in days:
        raise WrongDay(starts_at)
    if now < opens_at:
        raise TooEarly(opens_at)
    raise TooLate(ends_at)


def check_check_out_time(*, closes_at: datetime, ends_at: datetime, now: datetime) -> None:
    """Checking out is possible until the shift closes."""
    if now >= closes_at:
        raise TooLate(ends_at)


def check_approval(
    *, state: AttendanceState, member_id: UUID, actor_id: UUID, awaits_confirmation: bool, minutes: int
) -> Verdict:
    """What becomes of one row that somebody wants to approve; the revision is compared before."""
    if member_id == actor_id:
        return Verdict.OWN
    if state is not AttendanceState.DONE:
        return Verdict.STALE
    if awaits_confirmation:
        return Verdict.UNCONFIRMED
    if minutes <= 0:
        return Verdict.NOTHING_TO_CREDIT
    return Verdict.DONE


def normal_code(text: str) -> str:
    """A code as it is compared: upper case, without the spaces and dashes people type, full-width forgiven."""
    narrow = "".join(chr(ord(c) - 0xFEE0) if "！" <= c <= "～" else c for c in text)
    return "".join(c for c in narrow.upper() if c.isascii() and c.isalnum())[:40]


def standing(
    *,
    shift_state: ShiftState,
    starts_at: datetime,
    ends_at: datetime,
    places_left: int,
    mine: SignUpState | None,
    now: datetime,
) -> Standing:
    """What a shift is to a volunteer at this moment, in the one word that decides its button."""
    if shift_state is ShiftState.CANCELLED:
        return Standing.CANCELLED
    if shift_state is ShiftState.CLOSED or now >= ends_at:
        return Standing.OVER
    if mine is SignUpState.PLACED:
        return Standing.MINE
    if now >= starts_at:
        return Standing.STARTED
    if mine is SignUpState.WAITING:
        return Standing.WAITING
    return Standing.FREE if places_left > 0 else Standing.FULL
