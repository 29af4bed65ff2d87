"""Sending for somebody without a phone: find the person, then the same form; both names stand on the line."""

from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from service.clearing.actions.sending import recall
from service.clearing.looks import count_look
from service.clearing.pages.asking import AnyRequest, checked, form_context, send_form
from service.clearing.payloads import SendForForm
from service.clearing.queries.transfers import my_transfers
from service.clearing.rules import HELPERS
from service.identity import Person, PersonNotFound, find_people, person
from service.kit import audit
from service.kit.access import Actor, allow
from service.kit.db import sessions_of_app
from service.kit.i18n import _
from service.kit.once import once_page
from service.kit.pages import form_of, page, refill

STAFF = allow(*HELPERS)


async def _context(session: AsyncSession, actor: Actor, owner: Person | None, now: datetime) -> dict[str, Any]:
    form: dict[str, Any] = {"partners": [], "units": [], "held": {}, "transfers": []}
    if owner is not None:
        form = await form_context(session, actor.community_id, owner.member_id)
        sent = await my_transfers(session, actor.community_id, owner.member_id, after=None, now=now)
        form["transfers"] = sent.rows
    return {"title": _("代办跨社区转出"), "owner": owner, "q": "", "found": [], **form}


@get("/desk/clearing/send", opt=STAFF, include_in_schema=False)
async def send_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    member: FromQuery[UUID | None] = None,
    q: FromQuery[str] = "",
) -> Template:
    """First whose it is, by card, phone or name; then where to."""
    owner = await person(session, actor.community_id, member) if member else None
    if owner is not None:
        audit.record(
            session,
            actor,
            "clearing.looked_up",
            kind="member",
            id=owner.member_id,
            now=now,
            on_behalf_of=owner.member_id,
        )
    context = await _context(session, actor, owner, now)
    if owner is None and q.strip():
        context["found"] = [one for one in (await find_people(session, actor.community_id, q)).rows if one.is_open]
    return page(request, "clearing/desk_send.html", **{**context, "q": q.strip()})


async def _owner(request: AnyRequest, session: AsyncSession, actor: Actor) -> Person:
    """Whose it is, read before anything can be refused."""
    try:
        member = UUID(str((await request.form()).get("member") or ""))
    except ValueError as problem:
        raise PersonNotFound from problem
    return await person(session, actor.community_id, member)


@post("/desk/clearing/send/check", opt=STAFF, include_in_schema=False, status_code=200)
async def check(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    state: State,
) -> Template:
    """The same in full before anything is sent."""
    await count_look(sessions_of_app(state), actor, now)
    owner = await _owner(request, session, actor)
    context = await _context(session, actor, owner, now)
    with refill(request, "clearing/desk_send.html", **context):
        form = await form_of(request, SendForForm)
        seen = await checked(session, actor, form, context["held"])
    return page(request, "clearing/desk_check.html", title=_("看一看再转"), owner=owner, **seen)


@post("/desk/clearing/send", opt=STAFF, include_in_schema=False)
async def send_for(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    state: State,
) -> Redirect:
    """Send it for them."""
    await count_look(sessions_of_app(state), actor, now)
    owner = await _owner(request, session, actor)
    with refill(request, "clearing/desk_send.html", **await _context(session, actor, owner, now)):
        form = await form_of(request, SendForForm)

        async def work() -> str:
            await send_form(session, actor, form, now=now, member_id=owner.member_id)
            return f"/desk/clearing/send?member={owner.member_id}&done=clearing.sent"

        return await once_page(request, session, actor, now, work)


@post("/desk/clearing/send/{transfer_id:uuid}/recall", opt=STAFF, include_in_schema=False)
async def recall_for(
    request: AnyRequest,
    transfer_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Ask for it back for them."""
    owner = await _owner(request, session, actor)

    async def work() -> str:
        await recall(session, actor=actor, transfer_id=transfer_id, now=now, member_id=owner.member_id)
        return f"/desk/clearing/send?member={owner.member_id}&done=clearing.recalled"

    return await once_page(request, session, actor, now, work)


HANDLERS = [send_page, check, send_for, recall_for]
