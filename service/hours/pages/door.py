"""Checking in and out by code. A GET never acts: it shows one button, and what pressing it will do."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from service.hours import actions, queries
from service.hours.pages.volunteer import VOLUNTEERS
from service.hours.payloads import DoorForm
from service.hours.queries import Door
from service.hours.rules import (
    AttendanceState,
    How,
    SignUpState,
    check_check_out_time,
    check_serves_today,
    normal_code,
)
from service.kit.access import Actor
from service.kit.i18n import _
from service.kit.once import once_page
from service.kit.pages import form_of, page, refill

AnyRequest = Request[Any, Any, Any]


def closed_door(code: str) -> dict[str, object]:
    """The page that says why a code opens nothing now, and what to do instead."""
    return {"title": _("签到签退"), "code": code}


@get("/check-in", opt=VOLUNTEERS, include_in_schema=False)
async def scan_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    code: FromQuery[str | None] = None,
) -> Template | Redirect:
    """The camera in the page and the field for typing; a typed code leads to the page that scanning leads to."""
    if not code:
        return page(request, "hours/scan.html", title=_("签到签退"), code="")
    with refill(request, "hours/closed_door.html", **closed_door(code)):
        door = await queries.door_of(session, actor, code, now)
    if door.how is How.POSTER:
        return Redirect(f"/P/{normal_code(code)}", status_code=303)
    shown = await queries.shown_code(session, actor.community_id, door.shift, now)
    return Redirect(f"/C/{shown.scanned}", status_code=303)


async def _door_page(
    request: AnyRequest, session: AsyncSession, actor: Actor, now: datetime, code: str, door: Door
) -> Template:
    shift = door.shift
    if shift.attendance_state is None:
        check_serves_today(opens_at=shift.opens_at, starts_at=shift.starts_at, ends_at=shift.ends_at, now=now)
    elif shift.attendance_state in (AttendanceState.OPEN, AttendanceState.DONE):
        check_check_out_time(closes_at=shift.closes_at, ends_at=shift.ends_at, now=now)
    return page(
        request,
        "hours/door.html",
        title=shift.title,
        shift=shift,
        act=_act(door),
        is_poster=door.how is How.POSTER,
        action=f"/{'P' if door.how is How.POSTER else 'C'}/{code}",
        ticket=await queries.ticket_for(session, actor, shift, now) if door.how is How.ROTATING else "",
    )


def _act(door: Door) -> str:
    """What the one button does: in, walk_in, full, out, again, or nothing any more."""
    shift = door.shift
    if shift.attendance_state is AttendanceState.OPEN:
        return "out"
    if shift.attendance_state is AttendanceState.DONE:
        return "again"
    if shift.attendance_state is not None:
        return "decided"
    if shift.mine is SignUpState.PLACED:
        return "in"
    return "walk_in" if shift.places_left > 0 else "full"


async def _through(
    request: AnyRequest,
    session: AsyncSession,
    actor: Actor,
    now: datetime,
    code: str,
    door_of: Callable[[str], Awaitable[Door]],
) -> Redirect:
    with refill(request, "hours/closed_door.html", **closed_door(code)):
        form = await form_of(request, DoorForm)

        async def work() -> str:
            door = await door_of(form.ticket)
            act = actions.check_out if form.act == "out" else actions.check_in
            arrival = await act(
                session,
                actor=actor,
                shift_id=door.shift.shift_id,
                member_id=actor.member_id,
                how=door.how,
                now=now,
            )
            return f"/attendances/{arrival.attendance_id}"

        return await once_page(request, session, actor, now, work)


@get(["/C/{code:str}", "/c/{code:str}"], opt=VOLUNTEERS, include_in_schema=False)
async def rotating_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    code: FromPath[str],
) -> Template:
    """Where the code on the leader's phone leads."""
    code = normal_code(code)
    with refill(request, "hours/closed_door.html", **closed_door(code)):
        door = await queries.door_of(session, actor, code, now)
        return await _door_page(request, session, actor, now, code, door)


@post(["/C/{code:str}", "/c/{code:str}"], opt=VOLUNTEERS, include_in_schema=False)
async def rotating(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    code: FromPath[str],
) -> Redirect:
    """Check in or out by the code on the leader's phone."""

    async def door_of(ticket: str) -> Door:
        return await queries.door_of(session, actor, code, now, ticket=ticket)

    return await _through(request, session, actor, now, normal_code(code), door_of)


@get(["/P/{code:str}", "/p/{code:str}"], opt=VOLUNTEERS, include_in_schema=False)
async def poster_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    code: FromPath[str],
) -> Template:
    """Where the printed poster leads."""
    code = normal_code(code)
    with refill(request, "hours/closed_door.html", **closed_door(code)):
        door = await queries.poster_door(session, actor, code, now)
        return await _door_page(request, session, actor, now, code, door)


@post(["/P/{code:str}", "/p/{code:str}"], opt=VOLUNTEERS, include_in_schema=False)
async def poster(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    code: FromPath[str],
) -> Redirect:
    """Claim an arrival or a departure by the poster; it counts when the leader has confirmed it."""

    async def door_of(_ticket: str) -> Door:
        return await queries.poster_door(session, actor, code, now)

    return await _through(request, session, actor, now, normal_code(code), door_of)
