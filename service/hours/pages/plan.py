"""The desk's pages of activities: plan, change, open, add shifts, print the poster, call off."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from litestar import Request, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from redemption import qr_svg
from service.hours import actions, queries
from service.hours.actions import ActivityText
from service.hours.pages.volunteer import start_of_today
from service.hours.payloads import ActivityForm, PlacesForm, ShiftForm
from service.hours.rules import ActivityState, ShiftFieldOdd, check_shift_day
from service.identity import holders_of, people_by_ids
from service.kit.access import Actor, Role, allow
from service.kit.clock import HOME_ZONE, local_day
from service.kit.i18n import _, translate
from service.kit.once import once_page
from service.kit.pages import form_of, page, refill
from service.records import ServiceClass

AnyRequest = Request[Any, Any, Any]
STAFF = allow(Role.STAFF)


def text_of(form: ActivityForm) -> ActivityText:
    """What was written, without the rest of the form."""
    return ActivityText(form.title, form.place, form.contact_phone, form.service_class, form.description)


def shift_times(form: ShiftForm, now: datetime) -> tuple[datetime, datetime]:
    """The instants of a shift on the community's clock; an end before the start is on the next day."""
    check_shift_day(form.on, local_day(now))
    if form.starts == form.ends:
        raise ShiftFieldOdd({"ends": "same_time"})
    starts_at = datetime.combine(form.on, form.starts.replace(tzinfo=None), HOME_ZONE)
    ends_at = datetime.combine(form.on, form.ends.replace(tzinfo=None), HOME_ZONE)
    return starts_at, ends_at if ends_at > starts_at else ends_at + timedelta(days=1)


async def _form_context(session: AsyncSession, actor: Actor, now: datetime) -> dict[str, Any]:
    """What the form offers: the classes of service and the people who may lead."""
    ids = await holders_of(session, actor.community_id, [Role.LEADER], local_day(now))
    people = await people_by_ids(session, actor.community_id, set(ids))
    able = sorted(people.values(), key=lambda person: person.card_no)
    return {
        "classes": [item.value for item in ServiceClass],
        "able": [(person.member_id, f"{person.name} {person.card_no}") for person in able],
    }


@get("/desk/activities", opt=STAFF, include_in_schema=False)
async def list_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    only: FromQuery[ActivityState | None] = None,
    after: FromQuery[str | None] = None,
) -> Template:
    """Every activity, newest first."""
    found = await queries.activities(session, actor.community_id, now, state=only, after=after)
    views = [{"label": _("全部"), "url": "/desk/activities", "current": only is None}] + [
        {
            "label": translate(f"state.activity.{item.value}"),
            "url": f"/desk/activities?only={item.value}",
            "current": only is item,
        }
        for item in ActivityState
    ]
    query = f"only={only.value}&" if only else ""
    return page(
        request,
        "hours/plan_list.html",
        title=_("活动"),
        rows=found.rows,
        views=views,
        next_url=f"/desk/activities?{query}after={found.next}" if found.next else None,
    )


@get("/desk/activities/new", opt=STAFF, include_in_schema=False)
async def new_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template:
    """An empty form, with the office's phone filled in."""
    return page(
        request,
        "hours/plan_form.html",
        **{
            **await _form_context(session, actor, now),
            "title": _("新活动"),
            "activity": None,
            "chosen": [],
            "values": {"contact_phone": actor.community_phone},
        },
    )


@post("/desk/activities", opt=STAFF, include_in_schema=False)
async def plan(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Keep a new activity as a draft."""
    context = {
        **await _form_context(session, actor, now),
        "title": _("新活动"),
        "activity": None,
        "chosen": (await request.form()).getall("leaders", []),
    }
    with refill(request, "hours/plan_form.html", **context):
        form = await form_of(request, ActivityForm)

        async def work() -> str:
            activity_id = await actions.plan_activity(
                session, actor=actor, text=text_of(form), leaders=form.leaders, now=now
            )
            return f"/desk/activities/{activity_id}?done=hours.activity_planned"

        return await once_page(request, session, actor, now, work)


async def _activity_context(session: AsyncSession, actor: Actor, activity_id: UUID, now: datetime) -> dict[str, Any]:
    activity = await queries.activity_for(session, actor, activity_id, now)
    leaders = await queries.leads(session, actor.community_id, activity_id)
    people = await people_by_ids(session, actor.community_id, set(leaders))
    return {
        "title": activity.title,
        "activity": activity,
        "leaders": [people[member_id] for member_id in leaders if member_id in people],
        "shifts": await queries.shifts_of_activity(session, actor, activity_id, since=start_of_today(now)),
        "is_planned": activity.state in (ActivityState.DRAFT, ActivityState.OPEN),
        "now": now,
    }


@get("/desk/activities/{activity_id:uuid}", opt=STAFF, include_in_schema=False)
async def activity_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    activity_id: FromPath[UUID],
) -> Template:
    """One activity with its shifts and everything that can be done to it."""
    return page(request, "hours/plan.html", **await _activity_context(session, actor, activity_id, now))


async def _edit_context(session: AsyncSession, actor: Actor, activity_id: UUID, now: datetime) -> dict[str, Any]:
    activity = await queries.activity_for(session, actor, activity_id, now)
    leaders = await queries.leads(session, actor.community_id, activity_id)
    context = await _form_context(session, actor, now)
    known = {member_id for member_id, _name in context["able"]}
    former = await people_by_ids(session, actor.community_id, set(leaders) - known)
    context["able"] += [(person.member_id, f"{person.name} {person.card_no}") for person in former.values()]
    return {
        **context,
        "title": _("修改活动"),
        "activity": activity,
        "chosen": leaders,
    }


@get("/desk/activities/{activity_id:uuid}/edit", opt=STAFF, include_in_schema=False)
async def edit_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    activity_id: FromPath[UUID],
) -> Template:
    """The form with what is written now."""
    context = await _edit_context(session, actor, activity_id, now)
    activity = context["activity"]
    values = {
        name: getattr(activity, name)
        for name in ("title", "place", "contact_phone", "service_class", "description", "revision")
    }
    return page(request, "hours/plan_form.html", **{**context, "values": values})


@post("/desk/activities/{activity_id:uuid}/edit", opt=STAFF, include_in_schema=False)
async def change(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    activity_id: FromPath[UUID],
) -> Redirect:
    """Keep what was changed."""
    context = await _edit_context(session, actor, activity_id, now)
    context["chosen"] = (await request.form()).getall("leaders", [])
    with refill(request, "hours/plan_form.html", **context):
        form = await form_of(request, ActivityForm)

        async def work() -> str:
            await actions.change_activity(
                session,
                actor=actor,
                activity_id=activity_id,
                revision=form.revision,
                text=text_of(form),
                leaders=form.leaders,
                now=now,
            )
            return f"/desk/activities/{activity_id}?done=hours.activity_changed"

        return await once_page(request, session, actor, now, work)


async def _step(
    request: AnyRequest, session: AsyncSession, actor: Actor, now: datetime, activity_id: UUID, verb: str
) -> Redirect:
    context = await _activity_context(session, actor, activity_id, now)
    act = {
        "opened": actions.open_activity,
        "cancelled": actions.cancel_activity,
        "closed": actions.close_activity,
    }[verb]
    with refill(request, "hours/plan.html", **context):

        async def work() -> str:
            await act(session, actor=actor, activity_id=activity_id, now=now)
            return f"/desk/activities/{activity_id}?done=hours.activity_{verb}"

        return await once_page(request, session, actor, now, work)


@post("/desk/activities/{activity_id:uuid}/open", opt=STAFF, include_in_schema=False)
async def open_it(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    activity_id: FromPath[UUID],
) -> Redirect:
    """Show it to everybody."""
    return await _step(request, session, actor, now, activity_id, "opened")


@post("/desk/activities/{activity_id:uuid}/close", opt=STAFF, include_in_schema=False)
async def close_it(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    activity_id: FromPath[UUID],
) -> Redirect:
    """End it; nothing lies ahead."""
    return await _step(request, session, actor, now, activity_id, "closed")


@get("/desk/activities/{activity_id:uuid}/cancel", opt=STAFF, include_in_schema=False)
async def cancel_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    activity_id: FromPath[UUID],
) -> Template:
    """What calling it off means, and for how many people."""
    context = await _activity_context(session, actor, activity_id, now)
    return page(request, "hours/plan_cancel.html", **{**context, "title": _("取消活动")})


@post("/desk/activities/{activity_id:uuid}/cancel", opt=STAFF, include_in_schema=False)
async def cancel(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    activity_id: FromPath[UUID],
) -> Redirect:
    """Call it off and tell everybody."""
    return await _step(request, session, actor, now, activity_id, "cancelled")


@post("/desk/activities/{activity_id:uuid}/shifts", opt=STAFF, include_in_schema=False)
async def add_shifts(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    activity_id: FromPath[UUID],
) -> Redirect:
    """Add a shift, or one a week."""
    context = await _activity_context(session, actor, activity_id, now)
    with refill(request, "hours/plan.html", **context):
        form = await form_of(request, ShiftForm)
        starts_at, ends_at = shift_times(form, now)

        async def work() -> str:
            await actions.add_shifts(
                session,
                actor=actor,
                activity_id=activity_id,
                starts_at=starts_at,
                ends_at=ends_at,
                places=form.places,
                weeks=form.weeks,
                now=now,
            )
            return f"/desk/activities/{activity_id}?done=hours.shifts_added"

        return await once_page(request, session, actor, now, work)


@post("/desk/shifts/{shift_id:uuid}/places", opt=STAFF, include_in_schema=False)
async def change_places(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    shift_id: FromPath[UUID],
) -> Redirect:
    """Give a shift another number of places."""
    shift = await queries.shift_for(session, actor, shift_id)
    context = await _activity_context(session, actor, shift.activity_id, now)
    with refill(request, "hours/plan.html", **context):
        form = await form_of(request, PlacesForm)

        async def work() -> str:
            await actions.change_places(
                session, actor=actor, shift_id=shift_id, revision=form.revision, places=form.places, now=now
            )
            return f"/desk/activities/{shift.activity_id}?done=hours.places_changed"

        return await once_page(request, session, actor, now, work)


@get("/desk/shifts/{shift_id:uuid}/cancel", opt=STAFF, include_in_schema=False)
async def cancel_shift_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    shift_id: FromPath[UUID],
) -> Template:
    """What calling one shift off means, and for how many people."""
    shift = await queries.shift_for(session, actor, shift_id)
    return page(request, "hours/shift_cancel.html", title=_("取消这一场"), shift=shift)


@post("/desk/shifts/{shift_id:uuid}/cancel", opt=STAFF, include_in_schema=False)
async def cancel_shift(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    shift_id: FromPath[UUID],
) -> Redirect:
    """Call one shift off and tell everybody in it."""
    shift = await queries.shift_for(session, actor, shift_id)
    context = await _activity_context(session, actor, shift.activity_id, now)
    with refill(request, "hours/plan.html", **context):

        async def work() -> str:
            await actions.cancel_shift(session, actor=actor, shift_id=shift_id, now=now)
            return f"/desk/activities/{shift.activity_id}?done=hours.shift_cancelled"

        return await once_page(request, session, actor, now, work)


@get("/desk/activities/{activity_id:uuid}/poster", opt=STAFF, include_in_schema=False)
async def poster_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    state: State,
    activity_id: FromPath[UUID],
) -> Template:
    """The A4 sheet for the door."""
    activity = await queries.activity_for(session, actor, activity_id, now)
    shifts = await queries.shifts_of_activity(session, actor, activity_id, since=start_of_today(now))
    return page(
        request,
        "hours/poster.html",
        title=activity.title,
        activity=activity,
        shifts=shifts[:3],
        qr=qr_svg(f"{state.settings.origin}/P/{activity.poster_code}".upper(), ecc="Q"),
        code=f"{activity.poster_code[:3]} {activity.poster_code[3:]}",
        printed_on=local_day(now),
    )
