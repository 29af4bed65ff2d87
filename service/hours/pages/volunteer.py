"""What is on, taking a place, giving it back, and one's own shifts and hours."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from service.communities import setting
from service.hours import actions, queries
from service.hours.actions.sign_ups import SERVING
from service.hours.pages.calendar import calendar_file
from service.hours.payloads import CorrectionForm, SignUpForm
from service.hours.queries import ShiftView
from service.hours.rules import NotSignedUp, SignUpState, Standing, standing
from service.kit.access import SIGNED_IN, Actor, allow
from service.kit.clock import HOME_ZONE, local_day
from service.kit.i18n import _
from service.kit.once import once_page
from service.kit.pages import form_of, page, refill

AnyRequest = Request[Any, Any, Any]
VOLUNTEERS = allow(*SERVING)


def standing_of(shift: ShiftView, now: datetime) -> Standing:
    """The word that decides a shift's button."""
    return standing(
        shift_state=shift.state,
        starts_at=shift.starts_at,
        ends_at=shift.ends_at,
        places_left=shift.places_left,
        mine=shift.mine,
        now=now,
    )


def start_of_today(now: datetime) -> datetime:
    """Midnight on the community's clock."""
    return now.astimezone(HOME_ZONE).replace(hour=0, minute=0, second=0, microsecond=0)


def by_day(shifts: Sequence[ShiftView], now: datetime) -> list[Mapping[str, object]]:
    """Shifts under their days, each with its standing."""
    return [
        {"date": day, "items": [{"shift": shift, "standing": standing_of(shift, now)} for shift in group]}
        for day, group in groupby(shifts, key=lambda shift: local_day(shift.starts_at))
    ]


@get("/activities", opt=SIGNED_IN, include_in_schema=False)
async def activities_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    after: FromQuery[str | None] = None,
) -> Template:
    """Every shift from today on, by day."""
    found = await queries.upcoming_shifts(session, actor, start_of_today(now), after=after)
    return page(
        request,
        "hours/activities.html",
        title=_("活动"),
        days=by_day(found.rows, now),
        next_url=f"/activities?after={found.next}" if found.next else None,
        first_url="/activities" if after else None,
        leads=bool(await queries.shifts_led(session, actor, now)),
        may_check_in=actor.has(*SERVING),
    )


@get("/activities/{activity_id:uuid}", opt=SIGNED_IN, include_in_schema=False)
async def activity_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    activity_id: FromPath[UUID],
) -> Template:
    """One activity with the shifts ahead of it."""
    activity = await queries.activity_for(session, actor, activity_id, now)
    shifts = await queries.shifts_of_activity(session, actor, activity_id, since=start_of_today(now))
    return page(request, "hours/activity.html", title=activity.title, activity=activity, days=by_day(shifts, now))


@get("/activities/mine", opt=SIGNED_IN, include_in_schema=False)
async def mine_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    after: FromQuery[str | None] = None,
) -> Template:
    """My shifts to come, and my hours so far."""
    found = await queries.my_attendances(session, actor, after=after)
    shifts = await queries.my_shifts(session, actor, start_of_today(now))
    return page(
        request,
        "hours/mine.html",
        title=_("我的班次"),
        days=by_day(shifts, now),
        attendances=found.rows,
        next_url=f"/activities/mine?after={found.next}" if found.next else None,
    )


async def _shift_context(session: AsyncSession, actor: Actor, shift: ShiftView, now: datetime) -> dict[str, Any]:
    """Everything the page of a shift says, the clash before the button is pressed."""
    word = standing_of(shift, now)
    clash = None
    if word in (Standing.FREE, Standing.FULL):
        clash = await queries.clashing_shift(
            session,
            actor.community_id,
            actor.member_id,
            starts_at=shift.starts_at,
            ends_at=shift.ends_at,
            but=shift.shift_id,
        )
    minutes = await setting(session, actor.community_id, "shift_cancel_minutes_before", local_day(shift.starts_at))
    return {
        "title": shift.title,
        "shift": shift,
        "standing": word,
        "clash": clash,
        "cancel_until": shift.starts_at - timedelta(minutes=minutes),
        "may_cancel": now <= shift.starts_at - timedelta(minutes=minutes)
        or (shift.mine is SignUpState.WAITING and now < shift.starts_at),
        "is_volunteer": actor.has(*SERVING),
        "door_open": shift.opens_at <= now < shift.closes_at,
    }


@get("/shifts/{shift_id:uuid}", opt=SIGNED_IN, include_in_schema=False)
async def shift_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    shift_id: FromPath[UUID],
) -> Template:
    """When, where, how much, how many are missing; and the one button."""
    shift = await queries.shift_for(session, actor, shift_id)
    return page(request, "hours/shift.html", **await _shift_context(session, actor, shift, now))


@post("/shifts/{shift_id:uuid}/sign-up", opt=VOLUNTEERS, include_in_schema=False)
async def sign_up(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    shift_id: FromPath[UUID],
) -> Redirect:
    """Take a place, or a turn in the waiting list."""
    shift = await queries.shift_for(session, actor, shift_id)
    context = await _shift_context(session, actor, shift, now)
    with refill(request, "hours/shift.html", **context):
        form = await form_of(request, SignUpForm)

        async def work() -> str:
            await actions.sign_up(
                session,
                actor=actor,
                shift_id=shift_id,
                member_id=actor.member_id,
                may_wait=form.may_wait,
                now=now,
            )
            return f"/shifts/{shift_id}/signed-up"

        return await once_page(request, session, actor, now, work)


@get("/shifts/{shift_id:uuid}/signed-up", opt=SIGNED_IN, include_in_schema=False)
async def signed_up_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    shift_id: FromPath[UUID],
) -> Template:
    """What was promised: day, place, whom to call, and the entry for one's calendar."""
    shift = await queries.shift_for(session, actor, shift_id)
    if shift.mine not in (SignUpState.PLACED, SignUpState.WAITING):
        raise NotSignedUp
    return page(request, "hours/signed_up.html", title=_("报名结果"), shift=shift)


@get("/shifts/{shift_id:uuid}/calendar.ics", opt=SIGNED_IN, include_in_schema=False)
async def calendar(
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    state: State,
    shift_id: FromPath[UUID],
) -> Response[bytes]:
    """The shift as a calendar entry."""
    shift = await queries.shift_for(session, actor, shift_id)
    content = calendar_file(shift, url=f"{state.settings.origin}/shifts/{shift_id}", now=now)
    return Response(
        content,
        media_type="text/calendar; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="shift.ics"'},
    )


@get("/shifts/{shift_id:uuid}/cancel", opt=VOLUNTEERS, include_in_schema=False)
async def cancel_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    shift_id: FromPath[UUID],
) -> Template:
    """What happens to my place when I give it back."""
    shift = await queries.shift_for(session, actor, shift_id)
    context = await _shift_context(session, actor, shift, now)
    return page(request, "hours/cancel.html", **{**context, "title": _("取消报名")})


@post("/shifts/{shift_id:uuid}/cancel", opt=VOLUNTEERS, include_in_schema=False)
async def cancel(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    shift_id: FromPath[UUID],
) -> Redirect:
    """Give the place back."""
    shift = await queries.shift_for(session, actor, shift_id)
    context = await _shift_context(session, actor, shift, now)
    with refill(request, "hours/cancel.html", **{**context, "title": _("取消报名")}):

        async def work() -> str:
            await actions.cancel_sign_up(session, actor=actor, shift_id=shift_id, member_id=actor.member_id, now=now)
            return "/activities/mine?done=hours.sign_up_cancelled"

        return await once_page(request, session, actor, now, work)


@get("/attendances/{attendance_id:uuid}", opt=SIGNED_IN, include_in_schema=False)
async def attendance_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    attendance_id: FromPath[UUID],
) -> Template:
    """What was noted, what it is worth, and what comes next."""
    attendance = await queries.attendance_for(session, actor, attendance_id)
    return page(
        request,
        "hours/attendance.html",
        title=attendance.title,
        attendance=attendance,
        least_percent=await setting(session, actor.community_id, "presence_percent_min", attendance.served_on),
        still_open=now < attendance.closes_at,
    )


@post("/attendances/{attendance_id:uuid}/correction", opt=SIGNED_IN, include_in_schema=False)
async def ask_correction(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    attendance_id: FromPath[UUID],
) -> Redirect:
    """Say what is wrong with one's own hours."""
    attendance = await queries.attendance_for(session, actor, attendance_id)
    context = {
        "title": attendance.title,
        "attendance": attendance,
        "least_percent": await setting(session, actor.community_id, "presence_percent_min", attendance.served_on),
        "still_open": now < attendance.closes_at,
    }
    with refill(request, "hours/attendance.html", **context):
        form = await form_of(request, CorrectionForm)

        async def work() -> str:
            await actions.ask_correction(session, actor=actor, attendance_id=attendance_id, text=form.text, now=now)
            return f"/attendances/{attendance_id}?done=hours.correction_asked"

        return await once_page(request, session, actor, now, work)
