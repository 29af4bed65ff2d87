"""Giving minutes to somebody of one's household: the form, a look at everything, and what was given and got."""

from datetime import datetime
from typing import Any

from litestar import Request, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromQuery
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

import ledger
from service import chart
from service.exchange.actions.gifts import check_gift, give, giving
from service.exchange.pages.board import TERMS, places
from service.exchange.payloads import GiftIn
from service.exchange.queries import gifts as queries
from service.exchange.rules import NotEnough
from service.kit.access import SIGNED_IN, Actor
from service.kit.db import poster_of_app, sessions_of_app, transaction
from service.kit.i18n import _
from service.kit.pages import Typed, form_of, go, page, refill
from service.kit.read_only import READS_ONLY

AnyRequest = Request[Any, Any, Any]


@get("/exchange/gifts", opt=SIGNED_IN, include_in_schema=False)
async def mine(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    after: FromQuery[str | None] = None,
) -> Template:
    """What I gave and got."""
    found = await queries.my_gifts(session, actor, after)
    return page(
        request,
        "exchange/gifts.html",
        title=_("送给家里人"),
        places=places("/exchange/gifts"),
        gifts=found.rows,
        next_url=f"/exchange/gifts?after={found.next}" if found.next else None,
        first_url="/exchange/gifts" if after else None,
    )


async def _form(session: AsyncSession, actor: Actor) -> dict[str, Any]:
    held = await ledger.balance(session, actor.community_id, chart.member(actor.member_id), chart.MINUTE)
    return {
        "title": _("送时间币"),
        "kin": [(str(one.member_id), one.name) for one in await queries.kin(session, actor)],
        "terms": [(minutes, _("{minutes} 分钟").format(minutes=minutes)) for minutes in TERMS],
        "held": held,
    }


@get("/exchange/gifts/new", opt=SIGNED_IN, include_in_schema=False)
async def new(request: AnyRequest, session: NamedDependency[AsyncSession], actor: NamedDependency[Actor]) -> Template:
    """To whom, how much, with which words."""
    return page(request, "exchange/give.html", **await _form(session, actor))


@post("/exchange/gifts/new", opt={**SIGNED_IN, **READS_ONLY}, include_in_schema=False, status_code=200)
async def again(request: AnyRequest, session: NamedDependency[AsyncSession], actor: NamedDependency[Actor]) -> Template:
    """Back from the look at everything, with what was typed."""
    typed = {name: str(text) for name, text in (await request.form()).items() if name in GiftIn.__struct_fields__}
    return page(request, "exchange/give.html", values=Typed(typed), **await _form(session, actor))


@post("/exchange/gifts/check", opt={**SIGNED_IN, **READS_ONLY}, include_in_schema=False, status_code=200)
async def check(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template:
    """The same in full before anything is given."""
    shown = await _form(session, actor)
    with refill(request, "exchange/give.html", **shown):
        form = await form_of(request, GiftIn)
        name, _month = await check_gift(session, actor=actor, receiver_id=form.receiver, minutes=form.minutes, now=now)
        if form.minutes > shown["held"]:
            raise NotEnough
    left = shown["held"] - form.minutes
    return page(request, "exchange/give_check.html", title=_("看一看再送"), form=form, name=name, left=left)


@post("/exchange/gifts", opt=SIGNED_IN, include_in_schema=False)
async def give_away(
    request: AnyRequest, actor: NamedDependency[Actor], now: NamedDependency[datetime], state: State
) -> Redirect:
    """Give; pressed twice, it is given once. Holds no session while it waits at the door."""
    sessions = sessions_of_app(state)
    async with transaction(sessions) as session:
        shown = await _form(session, actor)
    with refill(request, "exchange/give.html", **shown):
        form = await form_of(request, GiftIn)
        key = str((await request.form()).get("_key") or "") or None
        async with transaction(sessions) as session:
            asked = await giving(
                session,
                actor=actor,
                receiver_id=form.receiver,
                minutes=form.minutes,
                note=form.note.strip(),
                key=key,
                now=now,
            )
        await give(sessions, poster_of_app(state).post, asked, now=now)
    return go("/exchange/gifts", "exchange.given")


HANDLERS = [mine, new, again, check, give_away]
