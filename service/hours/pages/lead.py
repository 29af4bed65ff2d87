"""The leader's pages: what I lead, who is there, and the code that proves it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Request, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from redemption import qr_svg
from service.hours import actions, queries
from service.hours.pages.volunteer import by_day
from service.hours.payloads import PersonForm
from service.hours.queries import ShiftView
from service.hours.rules import AttendanceNotFound, How, SignUpState
from service.identity import PersonNotFound, find_people
from service.kit.access import Actor, Role, allow
from service.kit.i18n import _
from service.kit.once import once_page
from service.kit.pages import form_of, page, refill

AnyRequest = Request[Any, Any, Any]
LEADERS = allow(Role.LEADER, Role.STAFF)
KIOSK_EVERY_SECONDS = 5
"""How often the screen asks for the code: often enough that a fresh one is never long in coming."""


async def led_shift(session: AsyncSession, actor: Actor, shift_id: UUID) -> ShiftView:
    """A shift of an activity that this person leads, or any for the desk."""
    shift = await queries.shift_for(session, actor, shift_id)
    await queries.check_leads(session, actor, shift.activity_id)
    return shift


@get("/lead", opt=LEADERS, include_in_schema=False)
async def lead_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template:
    """The shifts I lead, by day."""
    shifts = await queries.shifts_led(session, actor, now)
    return page(request, "hours/lead.html", title=_("我带的活动"), days=by_day(shifts, now))


async def _list_context(session: AsyncSession, actor: Actor, shift_id: UUID, now: datetime) -> dict[str, Any]:
    shift = await led_shift(session, actor, shift_id)
    people = await queries.people_in_shift(session, actor.community_id, shift_id)
    return {
        "title": shift.title,
        "shift": shift,
        "people": people,
        "expected": [line for line in people if line.state is None and line.sign_up is SignUpState.PLACED],
        "waiting": [line for line in people if line.state is None and line.sign_up is SignUpState.WAITING],
        "present": [line for line in people if line.state is not None],
        "claims": sum(line.awaits_confirmation for line in people),
        "door_open": shift.opens_at <= now < shift.closes_at,
        "may_come": shift.opens_at <= now < shift.ends_at,
        "has_started": now >= shift.starts_at,
    }


@get("/lead/shifts/{shift_id:uuid}", opt=LEADERS, include_in_schema=False)
async def list_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    shift_id: FromPath[UUID],
) -> Template:
    """Everybody who should be there, who is, and whose arrival waits for a word."""
    return page(request, "hours/lead_list.html", **await _list_context(session, actor, shift_id, now))


@get("/lead/shifts/{shift_id:uuid}/code", opt=LEADERS, include_in_schema=False)
async def kiosk_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    state: State,
    shift_id: FromPath[UUID],
) -> Template:
    """The code, large, for a phone held up or a screen on the counter; it renews itself."""
    shift = await led_shift(session, actor, shift_id)
    shown = await queries.shown_code(session, actor.community_id, shift, now)
    return page(
        request,
        "hours/kiosk.html",
        title=shift.title,
        shift=shift,
        kiosk_qr=qr_svg(f"{state.settings.origin}/C/{shown.scanned}".upper(), title=_("签到二维码")),
        kiosk_code=f"{shown.typed[:3]} {shown.typed[3:]}",
        kiosk_url=f"/lead/shifts/{shift_id}/code",
        kiosk_every=KIOSK_EVERY_SECONDS,
        kiosk_stale=shown.step_seconds + KIOSK_EVERY_SECONDS,
    )


async def _member_of(session: AsyncSession, actor: Actor, form: PersonForm) -> UUID:
    """The person who was tapped, or the one whose card number was typed in whole."""
    if form.member_id is not None:
        return form.member_id
    found = await find_people(session, actor.community_id, form.card_no)
    exact = [person for person in found.rows if person.card_no == form.card_no.strip().upper() and person.is_open]
    if len(exact) != 1:
        raise PersonNotFound
    return exact[0].member_id


async def _on_list(
    request: AnyRequest, session: AsyncSession, actor: Actor, now: datetime, shift_id: UUID, verb: str
) -> Redirect:
    """Do one thing to one person of the list and show the list again."""
    context = await _list_context(session, actor, shift_id, now)
    with refill(request, "hours/lead_list.html", **context):
        form = await form_of(request, PersonForm)

        async def work() -> str:
            member_id = await _member_of(session, actor, form)
            if verb == "take-off":
                await actions.cancel_sign_up(session, actor=actor, shift_id=shift_id, member_id=member_id, now=now)
            else:
                act = actions.check_in if verb == "check-in" else actions.check_out
                await act(session, actor=actor, shift_id=shift_id, member_id=member_id, how=How.LEADER, now=now)
            return f"/lead/shifts/{shift_id}"

        return await once_page(request, session, actor, now, work)


@post("/lead/shifts/{shift_id:uuid}/check-in", opt=LEADERS, include_in_schema=False)
async def check_in(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    shift_id: FromPath[UUID],
) -> Redirect:
    """Note that somebody without a phone is there."""
    return await _on_list(request, session, actor, now, shift_id, "check-in")


@post("/lead/shifts/{shift_id:uuid}/check-out", opt=LEADERS, include_in_schema=False)
async def check_out(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    shift_id: FromPath[UUID],
) -> Redirect:
    """Note that somebody without a phone leaves."""
    return await _on_list(request, session, actor, now, shift_id, "check-out")


@post("/lead/shifts/{shift_id:uuid}/take-off", opt=LEADERS, include_in_schema=False)
async def take_off(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    shift_id: FromPath[UUID],
) -> Redirect:
    """Take a name off the list for somebody who called."""
    return await _on_list(request, session, actor, now, shift_id, "take-off")


@post("/lead/shifts/{shift_id:uuid}/attendances/{attendance_id:uuid}/confirm", opt=LEADERS, include_in_schema=False)
async def confirm(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    shift_id: FromPath[UUID],
    attendance_id: FromPath[UUID],
) -> Redirect:
    """Vouch for an arrival that rests on the poster."""
    context = await _list_context(session, actor, shift_id, now)
    with refill(request, "hours/lead_list.html", **context):
        if attendance_id not in {
            line.attendance_id for line in await queries.people_in_shift(session, actor.community_id, shift_id)
        }:
            raise AttendanceNotFound

        async def work() -> str:
            await actions.confirm_arrival(session, actor=actor, attendance_id=attendance_id, now=now)
            return f"/lead/shifts/{shift_id}"

        return await once_page(request, session, actor, now, work)
