"""JSON for those who plan activities and those who review hours."""

from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Request, Response, get, post, put
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from sqlmodel.ext.asyncio.session import AsyncSession

from service.hours import actions, queries
from service.hours.actions import ActivityText
from service.hours.api.shapes import MINUTE, activity_out, review_row_out, reviewed_out, shift_out
from service.hours.payloads import (
    ActivitiesOut,
    ActivityChange,
    ActivityIn,
    ActivityOut,
    ApproveIn,
    ItemIn,
    PlacesIn,
    ReturnIn,
    ReviewedOut,
    ReviewPageOut,
    ReviewRowOut,
    SeenIn,
    ShiftIn,
    ShiftsOut,
    TimesIn,
    UndoneOut,
)
from service.hours.queries import ReviewFilter, ReviewView
from service.hours.rules import ActivityState, Check
from service.kit.access import Actor, Role, allow
from service.kit.db import poster_of_app, sessions_of_app
from service.kit.once import once, once_in_steps

AnyRequest = Request[Any, Any, Any]
STAFF = allow(Role.STAFF)
REVIEWERS = allow(Role.APPROVER, Role.STAFF)


def _text(data: ActivityIn) -> ActivityText:
    return ActivityText(data.title, data.place, data.contact_phone, data.service_class, data.description)


@get("/api/activities", opt=STAFF)
async def activities(
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    only: FromQuery[ActivityState | None] = None,
    after: FromQuery[str | None] = None,
) -> ActivitiesOut:
    """Every activity, drafts as well, newest first."""
    found = await queries.activities(session, actor.community_id, now, state=only, after=after)
    return ActivitiesOut(items=[activity_out(view) for view in found.rows], next=found.next)


@post("/api/activities", opt=STAFF, status_code=201)
async def plan(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    data: JSONBody[ActivityIn],
) -> Response[ActivityOut]:
    """Begin an activity as a draft."""

    async def work() -> ActivityOut:
        activity_id = await actions.plan_activity(session, actor=actor, text=_text(data), leaders=data.leaders, now=now)
        return activity_out(await queries.activity_for(session, actor, activity_id, now))

    return await once(request, session, actor, now, work, status=201)


@put("/api/activities/{activity_id:uuid}", opt=STAFF, status_code=204)
async def change(
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    activity_id: FromPath[UUID],
    data: JSONBody[ActivityChange],
) -> None:
    """Write something else about an activity."""
    await actions.change_activity(
        session,
        actor=actor,
        activity_id=activity_id,
        revision=data.revision,
        text=_text(data),
        leaders=data.leaders,
        now=now,
    )


@post("/api/activities/{activity_id:uuid}/open", opt=STAFF, status_code=204)
async def open_activity(
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    activity_id: FromPath[UUID],
) -> None:
    """Show it to everybody."""
    await actions.open_activity(session, actor=actor, activity_id=activity_id, now=now)


@post("/api/activities/{activity_id:uuid}/cancel", opt=STAFF, status_code=204)
async def cancel_activity(
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    activity_id: FromPath[UUID],
) -> None:
    """Call it off and tell everybody."""
    await actions.cancel_activity(session, actor=actor, activity_id=activity_id, now=now)


@post("/api/activities/{activity_id:uuid}/close", opt=STAFF, status_code=204)
async def close_activity(
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    activity_id: FromPath[UUID],
) -> None:
    """End it; nothing lies ahead."""
    await actions.close_activity(session, actor=actor, activity_id=activity_id, now=now)


@post("/api/activities/{activity_id:uuid}/shifts", opt=STAFF, status_code=201)
async def add_shifts(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    activity_id: FromPath[UUID],
    data: JSONBody[ShiftIn],
) -> Response[ShiftsOut]:
    """Add one shift, or the same one in each of several weeks."""

    async def work() -> ShiftsOut:
        made = await actions.add_shifts(
            session,
            actor=actor,
            activity_id=activity_id,
            starts_at=data.starts_at,
            ends_at=data.ends_at,
            places=data.places,
            weeks=data.weeks,
            now=now,
        )
        await session.flush()  # the answer is read back from the rows
        views = await queries.shifts_of_activity(session, actor, activity_id)
        return ShiftsOut(items=[shift_out(view) for view in views if view.shift_id in set(made)], next=None)

    return await once(request, session, actor, now, work, status=201)


@put("/api/shifts/{shift_id:uuid}/places", opt=STAFF, status_code=204)
async def change_places(
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    shift_id: FromPath[UUID],
    data: JSONBody[PlacesIn],
) -> None:
    """Give a shift another number of places."""
    await actions.change_places(
        session, actor=actor, shift_id=shift_id, revision=data.revision, places=data.places, now=now
    )


@post("/api/shifts/{shift_id:uuid}/cancel", opt=STAFF, status_code=204)
async def cancel_shift(
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    shift_id: FromPath[UUID],
) -> None:
    """Call one shift off."""
    await actions.cancel_shift(session, actor=actor, shift_id=shift_id, now=now)


# Review.


@get("/api/attendances", opt=REVIEWERS)
async def attendances(
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    view: FromQuery[ReviewView] = ReviewView.WAITING,
    check: FromQuery[Check | None] = None,
    activity: FromQuery[UUID | None] = None,
    q: FromQuery[str] = "",
    after: FromQuery[str | None] = None,
) -> ReviewPageOut:
    """A page of the inbox, with the count and sum of its whole filter."""
    wanted = ReviewFilter(view=view, check=check, activity_id=activity, text=q[:40])
    found = await queries.review_page(session, actor.community_id, wanted, after=after)
    count, minutes = await queries.review_sum(session, actor.community_id, wanted)
    return ReviewPageOut(
        items=[review_row_out(row) for row in found.rows], count=count, minutes=minutes, unit=MINUTE, next=found.next
    )


@get("/api/reviews/attendances/{attendance_id:uuid}", opt=REVIEWERS)
async def attendance(
    session: NamedDependency[AsyncSession], actor: NamedDependency[Actor], attendance_id: FromPath[UUID]
) -> ReviewRowOut:
    """One row of the inbox."""
    return review_row_out(await queries.review_row(session, actor.community_id, attendance_id))


def _items(items: list[ItemIn]) -> dict[UUID, int]:
    return {item.attendance_id: item.revision for item in items}


@post("/api/attendances/approve", opt=REVIEWERS, status_code=200)
async def approve(
    request: AnyRequest,
    state: State,
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    data: JSONBody[ApproveIn],
) -> Response[ReviewedOut]:
    """Approve many attendances; every row gets its own verdict."""
    items, sessions = _items(data.items), sessions_of_app(state)
    actions.check_choice(items)

    async def work(review_id: UUID) -> tuple[ReviewedOut, bool]:
        done = await actions.approve_attendances(
            sessions, poster_of_app(state), actor=actor, items=items, review_id=review_id, now=now
        )
        return reviewed_out(done), done.is_final

    return await once_in_steps(request, sessions, actor, now, work)


@post("/api/attendances/return", opt=REVIEWERS, status_code=200)
async def send_back(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    data: JSONBody[ReturnIn],
) -> Response[ReviewedOut]:
    """Return many attendances with a reason."""

    async def work() -> ReviewedOut:
        return reviewed_out(
            await actions.return_attendances(
                session, actor=actor, items=_items(data.items), reason=data.reason, now=now
            )
        )

    return await once(request, session, actor, now, work)


@post("/api/reviews/{review_id:uuid}/undo", opt=REVIEWERS, status_code=200)
async def undo_review(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    review_id: FromPath[UUID],
) -> Response[UndoneOut]:
    """Take a whole review back."""

    async def work() -> UndoneOut:
        return UndoneOut(undone=await actions.undo_review(session, actor=actor, review_id=review_id, now=now))

    return await once(request, session, actor, now, work)


@post("/api/attendances/{attendance_id:uuid}/undo", opt=REVIEWERS, status_code=204)
async def undo_one(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    attendance_id: FromPath[UUID],
    data: JSONBody[SeenIn],
) -> Response[None]:
    """Take one decision of a review back; what it posted is reversed."""

    async def work() -> None:
        await actions.undo_approval(session, actor=actor, attendance_id=attendance_id, revision=data.revision, now=now)

    return await once(request, session, actor, now, work, status=204)


@put("/api/attendances/{attendance_id:uuid}/times", opt=REVIEWERS, status_code=204)
async def adjust_times(
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    attendance_id: FromPath[UUID],
    data: JSONBody[TimesIn],
) -> None:
    """Put the times of an attendance right that waits for a decision."""
    await actions.adjust_times(
        session,
        actor=actor,
        attendance_id=attendance_id,
        revision=data.revision,
        came_at=data.came_at,
        left_at=data.left_at,
        now=now,
    )
