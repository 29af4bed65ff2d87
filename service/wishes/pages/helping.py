"""Helping: take a wish on, give it back, say that it is done."""

from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from service.kit.access import Actor, Role, allow
from service.kit.clock import HOME_ZONE
from service.kit.i18n import _
from service.kit.once import once_page
from service.kit.pages import form_of, page, refill
from service.wishes import actions
from service.wishes.faces import face_for
from service.wishes.pages.forms import AnyRequest, NoteForm, ServeForm, StepForm
from service.wishes.pages.wall import wish_context
from service.wishes.rules import Verb, WishInOtherState

HELPERS = allow(Role.VOLUNTEER)


@post("/wishes/{wish_id:uuid}/claim", opt=HELPERS, include_in_schema=False)
async def claim(
    request: AnyRequest,
    wish_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """我来帮."""
    with refill(request, "wishes/wish.html", **await wish_context(session, actor, wish_id, now)):
        form = await form_of(request, StepForm)

        async def work() -> str:
            await actions.claim_wish(session, actor=actor, wish_id=wish_id, now=now, revision=form.revision)
            return f"/wishes/{wish_id}?done=wish_claimed"

        return await once_page(request, session, actor, now, work)


@post("/wishes/{wish_id:uuid}/release", opt=HELPERS, include_in_schema=False)
async def release(
    request: AnyRequest,
    wish_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Give it back; somebody else will find the time."""
    with refill(request, "wishes/wish.html", **await wish_context(session, actor, wish_id, now)):
        form = await form_of(request, NoteForm)

        async def work() -> str:
            await actions.release_wish(
                session, actor=actor, wish_id=wish_id, now=now, revision=form.revision, note=form.note
            )
            return f"/wishes/{wish_id}?done=wish_released"

        return await once_page(request, session, actor, now, work)


async def serve_context(session: AsyncSession, actor: Actor, wish_id: UUID, now: datetime) -> dict[str, Any]:
    """What the volunteer is shown before saying that it is done."""
    face, _moments = await face_for(session, actor, wish_id, now)
    return {"title": _("我帮完了"), "face": face, "wish": face.wish, "today": now.astimezone(HOME_ZONE).date()}


@get("/wishes/{wish_id:uuid}/serve", opt=HELPERS, include_in_schema=False)
async def serve_page(
    request: AnyRequest,
    wish_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template:
    """When, how long, and what was done."""
    context = await serve_context(session, actor, wish_id, now)
    if Verb.SERVE not in context["face"].can:
        raise WishInOtherState(context["wish"].state)
    return page(request, "wishes/serve.html", **context)


@post("/wishes/{wish_id:uuid}/serve", opt=HELPERS, include_in_schema=False)
async def serve(
    request: AnyRequest,
    wish_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """It is done; the asker is asked."""
    with refill(request, "wishes/serve.html", **await serve_context(session, actor, wish_id, now)):
        form = await form_of(request, ServeForm)

        async def work() -> str:
            await actions.serve_wish(
                session,
                actor=actor,
                wish_id=wish_id,
                started_at=form.started_at(),
                minutes=form.minutes,
                note=form.note,
                now=now,
                revision=form.revision,
            )
            return f"/wishes/{wish_id}?done=wish_served"

        return await once_page(request, session, actor, now, work)


HANDLERS = [claim, release, serve_page, serve]
