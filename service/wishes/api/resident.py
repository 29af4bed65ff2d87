"""What residents and volunteers read and do, as JSON."""

from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from sqlmodel.ext.asyncio.session import AsyncSession

from service.identity import people_by_ids
from service.kit.access import SIGNED_IN, Actor, Role, allow
from service.kit.once import once
from service.wishes import actions, queries
from service.wishes.faces import face_for, faces_of
from service.wishes.kinds import WishCategory, WishKind
from service.wishes.payloads import (
    ConfirmIn,
    ContactOut,
    EditIn,
    HistoryOut,
    MovedOut,
    NoteIn,
    ServeIn,
    StepIn,
    WishesOut,
    WishIn,
    WishOut,
    moment_out,
    moved_out,
    wish_out,
)
from service.wishes.queries import Filter

AnyRequest = Request[Any, Any, Any]

ASKERS = allow(Role.RESIDENT, Role.VOLUNTEER, Role.STEWARD, Role.STAFF, Role.APPROVER)
"""Who may ask for something for themselves."""
HELPERS = allow(Role.VOLUNTEER)
HELPERS_AND_STAFF = allow(Role.VOLUNTEER, Role.STAFF, Role.APPROVER)


@get("/api/wishes", opt=SIGNED_IN)
async def wall(
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    kind: FromQuery[WishKind | None] = None,
    category: FromQuery[WishCategory | None] = None,
    q: FromQuery[str] = "",
    after: FromQuery[str | None] = None,
) -> WishesOut:
    """What is on the wall: urgent first, then the newest."""
    found = await queries.wish_wall(session, actor.community_id, Filter(kind, category, q), after)
    page = await faces_of(session, actor, found, now)
    return WishesOut([wish_out(face) for face in page.rows], page.next)


@get("/api/wishes/mine", opt=SIGNED_IN)
async def mine(
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    after: FromQuery[str | None] = None,
) -> WishesOut:
    """What I asked for, last changed first."""
    found = await queries.wishes_of(session, actor.community_id, actor.member_id, after)
    page = await faces_of(session, actor, found, now)
    return WishesOut([wish_out(face) for face in page.rows], page.next)


@get("/api/wishes/claimed", opt=SIGNED_IN)
async def claimed(
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    after: FromQuery[str | None] = None,
) -> WishesOut:
    """What I took on, last changed first."""
    found = await queries.wishes_helped_by(session, actor.community_id, actor.member_id, after)
    page = await faces_of(session, actor, found, now)
    return WishesOut([wish_out(face) for face in page.rows], page.next)


@get("/api/wishes/{wish_id:uuid}", opt=SIGNED_IN)
async def wish(
    wish_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> WishOut:
    """One wish as I may see it, and what I may do to it."""
    face, _ = await face_for(session, actor, wish_id, now)
    return wish_out(face)


@get("/api/wishes/{wish_id:uuid}/history", opt=SIGNED_IN)
async def history(
    wish_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> HistoryOut:
    """Everything that happened to it; empty for those whom it does not concern."""
    _, moments = await face_for(session, actor, wish_id, now)
    return HistoryOut([moment_out(moment) for moment in moments])


@get("/api/wishes/{wish_id:uuid}/contact", opt=HELPERS_AND_STAFF)
async def contact(
    wish_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> ContactOut:
    """Phone and door of the asker, for who has taken it on. The look is written down."""
    seen = await actions.asker_contact(session, actor=actor, wish_id=wish_id, now=now)
    asker = (await queries.wish_for(session, actor, wish_id)).asked_by
    name = (await people_by_ids(session, actor.community_id, [asker]))[asker].name
    return ContactOut(name, seen.phone, seen.building, seen.door)


@post("/api/wishes", opt=ASKERS)
async def post_wish(
    request: AnyRequest,
    data: JSONBody[WishIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[MovedOut]:
    """Ask for something."""

    async def work() -> MovedOut:
        return moved_out(await actions.post_wish(session, actor=actor, draft=data.draft(), now=now))

    return await once(request, session, actor, now, work, status=201)


@post("/api/wishes/{wish_id:uuid}/edit", opt=SIGNED_IN, status_code=200)
async def edit_wish(
    request: AnyRequest,
    wish_id: FromPath[UUID],
    data: JSONBody[EditIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[MovedOut]:
    """Say it in other words and ask again."""

    async def work() -> MovedOut:
        return moved_out(
            await actions.edit_wish(
                session, actor=actor, wish_id=wish_id, draft=data.draft(), now=now, revision=data.revision
            )
        )

    return await once(request, session, actor, now, work)


@post("/api/wishes/{wish_id:uuid}/withdraw", opt=SIGNED_IN, status_code=200)
async def withdraw_wish(
    request: AnyRequest,
    wish_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    data: JSONBody[NoteIn | None] = None,
) -> Response[MovedOut]:
    """No longer needed."""
    given = data or NoteIn()

    async def work() -> MovedOut:
        return moved_out(
            await actions.withdraw_wish(
                session, actor=actor, wish_id=wish_id, now=now, revision=given.revision, note=given.note.strip()
            )
        )

    return await once(request, session, actor, now, work)


@post("/api/wishes/{wish_id:uuid}/restore", opt=SIGNED_IN, status_code=200)
async def restore_wish(
    request: AnyRequest,
    wish_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    data: JSONBody[StepIn | None] = None,
) -> Response[MovedOut]:
    """Take a withdrawal back, shortly after it."""
    given = data or StepIn()

    async def work() -> MovedOut:
        return moved_out(
            await actions.restore_wish(session, actor=actor, wish_id=wish_id, now=now, revision=given.revision)
        )

    return await once(request, session, actor, now, work)


@post("/api/wishes/{wish_id:uuid}/claim", opt=HELPERS, status_code=200)
async def claim_wish(
    request: AnyRequest,
    wish_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    data: JSONBody[StepIn | None] = None,
) -> Response[MovedOut]:
    """Take a wish on."""
    given = data or StepIn()

    async def work() -> MovedOut:
        return moved_out(
            await actions.claim_wish(session, actor=actor, wish_id=wish_id, now=now, revision=given.revision)
        )

    return await once(request, session, actor, now, work)


@post("/api/wishes/{wish_id:uuid}/release", opt=HELPERS_AND_STAFF, status_code=200)
async def release_wish(
    request: AnyRequest,
    wish_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    data: JSONBody[NoteIn | None] = None,
) -> Response[MovedOut]:
    """Give it back; staff may take it back from somebody and say why."""
    given = data or NoteIn()

    async def work() -> MovedOut:
        return moved_out(
            await actions.release_wish(
                session, actor=actor, wish_id=wish_id, now=now, revision=given.revision, note=given.note.strip()
            )
        )

    return await once(request, session, actor, now, work)


@post("/api/wishes/{wish_id:uuid}/serve", opt=HELPERS, status_code=200)
async def serve_wish(
    request: AnyRequest,
    wish_id: FromPath[UUID],
    data: JSONBody[ServeIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[MovedOut]:
    """Say that it is done."""

    async def work() -> MovedOut:
        return moved_out(
            await actions.serve_wish(
                session,
                actor=actor,
                wish_id=wish_id,
                started_at=data.started_at,
                minutes=data.minutes,
                note=data.note.strip(),
                now=now,
                revision=data.revision,
            )
        )

    return await once(request, session, actor, now, work)


@post("/api/wishes/{wish_id:uuid}/confirm", opt=SIGNED_IN, status_code=200)
async def confirm_wish(
    request: AnyRequest,
    wish_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    data: JSONBody[ConfirmIn | None] = None,
) -> Response[MovedOut]:
    """Yes, it was done; the helper's minutes and points arrive with the answer."""
    given = data or ConfirmIn()

    async def work() -> MovedOut:
        return moved_out(
            await actions.confirm_wish(
                session,
                actor=actor,
                wish_id=wish_id,
                now=now,
                revision=given.revision,
                warmth=given.warmth,
                thanks=given.thanks.strip(),
            )
        )

    return await once(request, session, actor, now, work)


@post("/api/wishes/{wish_id:uuid}/dispute", opt=SIGNED_IN, status_code=200)
async def dispute_wish(
    request: AnyRequest,
    wish_id: FromPath[UUID],
    data: JSONBody[NoteIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[MovedOut]:
    """It is not done, and this is what is missing."""

    async def work() -> MovedOut:
        return moved_out(
            await actions.dispute_wish(
                session, actor=actor, wish_id=wish_id, note=data.note.strip(), now=now, revision=data.revision
            )
        )

    return await once(request, session, actor, now, work)


@post("/api/wishes/{wish_id:uuid}/thank", opt=SIGNED_IN, status_code=200)
async def thank_volunteer(
    request: AnyRequest,
    wish_id: FromPath[UUID],
    data: JSONBody[ConfirmIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[MovedOut]:
    """Thank the helper afterwards."""

    async def work() -> MovedOut:
        return moved_out(
            await actions.thank_volunteer(
                session,
                actor=actor,
                wish_id=wish_id,
                warmth=data.warmth,
                thanks=data.thanks.strip(),
                now=now,
                revision=data.revision,
            )
        )

    return await once(request, session, actor, now, work)


HANDLERS = [
    wall,
    mine,
    claimed,
    wish,
    history,
    contact,
    post_wish,
    edit_wish,
    withdraw_wish,
    restore_wish,
    claim_wish,
    release_wish,
    serve_wish,
    confirm_wish,
    dispute_wish,
    thank_volunteer,
]
