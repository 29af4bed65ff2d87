"""What a member sees: what they sent and got, and sending, with a look at everything before it goes."""

from datetime import datetime
from uuid import UUID

from litestar import get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from service.clearing.actions.sending import recall as call_back
from service.clearing.looks import count_look
from service.clearing.pages.asking import AnyRequest, checked, form_context, partners, send_form
from service.clearing.payloads import SendForm
from service.clearing.queries.transfers import my_transfers, transfer_for
from service.clearing.rules import TransferState
from service.kit.access import SIGNED_IN, Actor
from service.kit.db import sessions_of_app
from service.kit.i18n import _
from service.kit.once import once_page
from service.kit.pages import Typed, form_of, page, refill
from service.kit.read_only import READS_ONLY


@get("/clearing", opt=SIGNED_IN, include_in_schema=False)
async def mine(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    after: FromQuery[str | None] = None,
) -> Template:
    """What this person sent to other communities and got from them."""
    found = await my_transfers(session, actor.community_id, actor.member_id, after=after, now=now)
    return page(
        request,
        "clearing/mine.html",
        title=_("和别的社区往来"),
        transfers=found.rows,
        partners=await partners(session, actor.community_id),
        next_url=f"/clearing?after={found.next}" if found.next else None,
        first_url="/clearing" if after else None,
    )


@get("/clearing/new", opt=SIGNED_IN, include_in_schema=False)
async def new(request: AnyRequest, session: NamedDependency[AsyncSession], actor: NamedDependency[Actor]) -> Template:
    """Where to, to whom, what and how much."""
    shown = await form_context(session, actor.community_id, actor.member_id)
    return page(request, "clearing/new.html", title=_("转到别的社区"), **shown)


@post("/clearing/new", opt={**SIGNED_IN, **READS_ONLY}, include_in_schema=False, status_code=200)
async def again(request: AnyRequest, session: NamedDependency[AsyncSession], actor: NamedDependency[Actor]) -> Template:
    """Back from the look at everything, with what was typed."""
    typed = {name: str(text) for name, text in (await request.form()).items() if name in SendForm.__struct_fields__}
    shown = await form_context(session, actor.community_id, actor.member_id)
    return page(request, "clearing/new.html", title=_("转到别的社区"), values=Typed(typed), **shown)


@post("/clearing/check", opt=SIGNED_IN, include_in_schema=False, status_code=200)
async def check(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    state: State,
) -> Template:
    """The same in full before anything is sent. Changes nothing, so it may be reloaded."""
    await count_look(sessions_of_app(state), actor, now)
    shown = await form_context(session, actor.community_id, actor.member_id)
    with refill(request, "clearing/new.html", title=_("转到别的社区"), **shown):
        form = await form_of(request, SendForm)
        seen = await checked(session, actor, form, shown["held"])
    return page(request, "clearing/check.html", title=_("看一看再转"), **seen)


@post("/clearing", opt=SIGNED_IN, include_in_schema=False)
async def send(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    state: State,
) -> Redirect:
    """Send it; pressed twice, it is sent once."""
    await count_look(sessions_of_app(state), actor, now)
    shown = await form_context(session, actor.community_id, actor.member_id)
    with refill(request, "clearing/new.html", title=_("转到别的社区"), **shown):
        form = await form_of(request, SendForm)

        async def work() -> str:
            transfer_id = await send_form(session, actor, form, now=now)
            return f"/clearing/{transfer_id}?done=clearing.sent"

        return await once_page(request, session, actor, now, work)


@get("/clearing/{transfer_id:uuid}", opt=SIGNED_IN, include_in_schema=False)
async def one(
    request: AnyRequest,
    transfer_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template:
    """One transfer: where it is now, and calling it back while it is under way."""
    found = await transfer_for(session, actor.community_id, actor.member_id, transfer_id, now)
    return page(
        request,
        "clearing/one.html",
        title=_("往来 {code}").format(code=found.code),
        transfer=found,
        may_recall=found.state is TransferState.SENT,
    )


@post("/clearing/{transfer_id:uuid}/recall", opt=SIGNED_IN, include_in_schema=False)
async def recall(
    request: AnyRequest,
    transfer_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Ask for it back."""

    async def work() -> str:
        await call_back(session, actor=actor, transfer_id=transfer_id, now=now)
        return f"/clearing/{transfer_id}?done=clearing.recalled"

    return await once_page(request, session, actor, now, work)


HANDLERS = [mine, new, again, check, send, one, recall]
