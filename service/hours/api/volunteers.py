"""JSON for those who serve and those who lead."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from sqlmodel.ext.asyncio.session import AsyncSession

from service.hours import actions, queries
from service.hours.actions.sign_ups import SERVING
from service.hours.api.shapes import activity_out, attendance_out, person_out, shift_out
from service.hours.payloads import (
    ActivityOut,
    AttendanceOut,
    AttendancesOut,
    CodeIn,
    CodeOut,
    CorrectionIn,
    PersonIn,
    PersonInShiftOut,
    ShiftOut,
    ShiftsOut,
    SignUpIn,
    SignUpOut,
)
from service.hours.queries import ShiftView
from service.hours.rules import AttendanceNotFound, How
from service.kit.access import SIGNED_IN, Actor, Role, allow
from service.kit.once import once

AnyRequest = Request[Any, Any, Any]
VOLUNTEERS = allow(*SERVING)
LEADERS = allow(Role.LEADER, Role.STAFF)


@get("/api/shifts", opt=SIGNED_IN)
async def shifts(
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    after: FromQuery[str | None] = None,
) -> ShiftsOut:
    """Every shift of open activities that is not over, by time."""
    found = await queries.upcoming_shifts(session, actor, now, after=after)
    return ShiftsOut(items=[shift_out(view) for view in found.rows], next=found.next)


@get("/api/activities/{activity_id:uuid}", opt=SIGNED_IN)
async def activity(
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    activity_id: FromPath[UUID],
) -> ActivityOut:
    """One activity."""
    return activity_out(await queries.activity_for(session, actor, activity_id, now))


@get("/api/shifts/mine", opt=SIGNED_IN)
async def my_shifts(
    session: NamedDependency[AsyncSession], actor: NamedDependency[Actor], now: NamedDependency[datetime]
) -> ShiftsOut:
    """Where the caller has a place or waits."""
    found = await queries.my_shifts(session, actor, now)
    return ShiftsOut(items=[shift_out(view) for view in found], next=None)


@get("/api/shifts/{shift_id:uuid}", opt=SIGNED_IN)
async def shift(
    session: NamedDependency[AsyncSession], actor: NamedDependency[Actor], shift_id: FromPath[UUID]
) -> ShiftOut:
    """One shift."""
    return shift_out(await queries.shift_for(session, actor, shift_id))


@post("/api/shifts/{shift_id:uuid}/sign-up", opt=VOLUNTEERS, status_code=201)
async def sign_up(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    shift_id: FromPath[UUID],
    data: JSONBody[SignUpIn],
) -> Response[SignUpOut]:
    """Take a place, or a turn in the waiting list."""

    async def work() -> SignUpOut:
        state = await actions.sign_up(
            session, actor=actor, shift_id=shift_id, member_id=actor.member_id, may_wait=data.may_wait, now=now
        )
        return SignUpOut(shift_id=shift_id, state=state.value)

    return await once(request, session, actor, now, work, status=201)


@post("/api/shifts/{shift_id:uuid}/cancel-sign-up", opt=VOLUNTEERS, status_code=204)
async def cancel_sign_up(
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    shift_id: FromPath[UUID],
) -> None:
    """Give the place back."""
    await actions.cancel_sign_up(session, actor=actor, shift_id=shift_id, member_id=actor.member_id, now=now)


async def _by_code(
    request: AnyRequest,
    session: AsyncSession,
    actor: Actor,
    now: datetime,
    code: str,
    act: Callable[..., Awaitable[actions.Arrival]],
) -> Response[AttendanceOut]:
    async def work() -> AttendanceOut:
        door = await queries.door_of(session, actor, code, now)
        arrival = await act(
            session, actor=actor, shift_id=door.shift.shift_id, member_id=actor.member_id, how=door.how, now=now
        )
        await session.flush()  # the answer is read back from the row
        return attendance_out(await queries.attendance_for(session, actor, arrival.attendance_id))

    return await once(request, session, actor, now, work)


@post("/api/check-in", opt=VOLUNTEERS, status_code=200)
async def check_in(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    data: JSONBody[CodeIn],
) -> Response[AttendanceOut]:
    """Arrive, by a code that was scanned or typed."""
    return await _by_code(request, session, actor, now, data.code, actions.check_in)


@post("/api/check-out", opt=VOLUNTEERS, status_code=200)
async def check_out(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    data: JSONBody[CodeIn],
) -> Response[AttendanceOut]:
    """Leave, by a code that was scanned or typed."""
    return await _by_code(request, session, actor, now, data.code, actions.check_out)


@get("/api/attendances/mine", opt=SIGNED_IN)
async def my_attendances(
    session: NamedDependency[AsyncSession], actor: NamedDependency[Actor], after: FromQuery[str | None] = None
) -> AttendancesOut:
    """The caller's presences, newest first."""
    found = await queries.my_attendances(session, actor, after=after)
    return AttendancesOut(items=[attendance_out(view) for view in found.rows], next=found.next)


@get("/api/attendances/{attendance_id:uuid}", opt=SIGNED_IN)
async def attendance(
    session: NamedDependency[AsyncSession], actor: NamedDependency[Actor], attendance_id: FromPath[UUID]
) -> AttendanceOut:
    """One of the caller's presences."""
    return attendance_out(await queries.attendance_for(session, actor, attendance_id))


@post("/api/attendances/{attendance_id:uuid}/ask-correction", opt=SIGNED_IN, status_code=204)
async def ask_correction(
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    attendance_id: FromPath[UUID],
    data: JSONBody[CorrectionIn],
) -> None:
    """Say what is wrong with one's own hours."""
    await actions.ask_correction(session, actor=actor, attendance_id=attendance_id, text=data.text, now=now)


# Leaders.


async def _led(session: AsyncSession, actor: Actor, shift_id: UUID) -> ShiftView:
    view = await queries.shift_for(session, actor, shift_id)
    await queries.check_leads(session, actor, view.activity_id)
    return view


@get("/api/shifts/{shift_id:uuid}/code", opt=LEADERS)
async def code(
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    state: State,
    shift_id: FromPath[UUID],
) -> CodeOut:
    """The code of this moment."""
    shown = await queries.shown_code(session, actor.community_id, await _led(session, actor, shift_id), now)
    return CodeOut(
        url=f"{state.settings.origin}/C/{shown.scanned}".upper(),
        typed=shown.typed,
        seconds_left=shown.seconds_left,
        step_seconds=shown.step_seconds,
    )


@get("/api/shifts/{shift_id:uuid}/people", opt=LEADERS)
async def people(
    session: NamedDependency[AsyncSession], actor: NamedDependency[Actor], shift_id: FromPath[UUID]
) -> list[PersonInShiftOut]:
    """Everybody with a place, a turn or an arrival."""
    await _led(session, actor, shift_id)
    return [person_out(line) for line in await queries.people_in_shift(session, actor.community_id, shift_id)]


async def _tap(
    request: AnyRequest,
    session: AsyncSession,
    actor: Actor,
    now: datetime,
    shift_id: UUID,
    member_id: UUID,
    act: Callable[..., Awaitable[actions.Arrival]],
) -> Response[PersonInShiftOut]:
    await _led(session, actor, shift_id)

    async def work() -> PersonInShiftOut:
        await act(session, actor=actor, shift_id=shift_id, member_id=member_id, how=How.LEADER, now=now)
        await session.flush()  # the answer is read back from the row
        lines = await queries.people_in_shift(session, actor.community_id, shift_id)
        return next(person_out(line) for line in lines if line.member_id == member_id)

    return await once(request, session, actor, now, work)


@post("/api/shifts/{shift_id:uuid}/check-in", opt=LEADERS, status_code=200)
async def lead_check_in(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    shift_id: FromPath[UUID],
    data: JSONBody[PersonIn],
) -> Response[PersonInShiftOut]:
    """Note that somebody without a phone is there."""
    return await _tap(request, session, actor, now, shift_id, data.member_id, actions.check_in)


@post("/api/shifts/{shift_id:uuid}/check-out", opt=LEADERS, status_code=200)
async def lead_check_out(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    shift_id: FromPath[UUID],
    data: JSONBody[PersonIn],
) -> Response[PersonInShiftOut]:
    """Note that somebody without a phone leaves."""
    return await _tap(request, session, actor, now, shift_id, data.member_id, actions.check_out)


@post("/api/shifts/{shift_id:uuid}/take-off", opt=LEADERS, status_code=204)
async def take_off(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    shift_id: FromPath[UUID],
    data: JSONBody[PersonIn],
) -> Response[None]:
    """Take somebody off the list who called; the first who waits moves up."""
    await _led(session, actor, shift_id)

    async def work() -> None:
        await actions.cancel_sign_up(session, actor=actor, shift_id=shift_id, member_id=data.member_id, now=now)

    return await once(request, session, actor, now, work, status=204)


@post("/api/shifts/{shift_id:uuid}/attendances/{attendance_id:uuid}/confirm", opt=LEADERS, status_code=204)
async def confirm(
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    shift_id: FromPath[UUID],
    attendance_id: FromPath[UUID],
) -> None:
    """Vouch for an arrival that rests on the poster."""
    await _led(session, actor, shift_id)
    lines = await queries.people_in_shift(session, actor.community_id, shift_id)
    if attendance_id not in {line.attendance_id for line in lines}:
        raise AttendanceNotFound
    await actions.confirm_arrival(session, actor=actor, attendance_id=attendance_id, now=now)
