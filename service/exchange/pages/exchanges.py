"""One's exchanges, and one of them step by step. What moves value holds no session while it waits at the door."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Request, get, post
from litestar.datastructures import State as AppState
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from service.exchange.actions import answering
from service.exchange.actions.door import Asked, accepting, confirming, through, withdrawing
from service.exchange.pages.board import places
from service.exchange.payloads import Nothing, WordsIn
from service.exchange.queries import exchanges as queries
from service.exchange.rules import HELD, words_of
from service.identity import contact_of
from service.kit.access import SIGNED_IN, Actor
from service.kit.db import poster_of_app, sessions_of_app, transaction
from service.kit.i18n import _
from service.kit.once import once_page
from service.kit.pages import form_of, go, page, refill

AnyRequest = Request[Any, Any, Any]
TEMPLATE = "exchange/one.html"


@get("/exchange/mine", opt=SIGNED_IN, include_in_schema=False)
async def mine(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    after: FromQuery[str | None] = None,
) -> Template:
    """What I have to do next first, then everything, last changed first."""
    found = await queries.my_exchanges(session, actor, after=after)
    return page(
        request,
        "exchange/mine.html",
        title=_("我的交换"),
        places=places("/exchange/mine"),
        exchanges=found.rows,
        next_url=f"/exchange/mine?after={found.next}" if found.next else None,
        first_url="/exchange/mine" if after else None,
    )


async def _context(session: AsyncSession, actor: Actor, exchange_id: UUID, now: datetime) -> dict[str, Any]:
    view = await queries.exchange_for(session, actor, exchange_id)
    contact = None
    if view.is_mine and view.state in HELD:
        other = view.sides.other(actor.member_id)
        contact = await contact_of(session, actor, other, now, reason="exchange_agreed")
    return {
        "title": view.title,
        "exchange": view,
        "moments": await queries.moments(session, actor, view),
        "contact": contact,
    }


@get("/exchange/{exchange_id:uuid}", opt=SIGNED_IN, include_in_schema=False)
async def one(
    request: AnyRequest,
    exchange_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template:
    """Where it is, what comes next, and what happened."""
    return page(request, TEMPLATE, **await _context(session, actor, exchange_id, now))


async def _at_the_door(
    request: AnyRequest,
    state: AppState,
    actor: Actor,
    exchange_id: UUID,
    now: datetime,
    read: Callable[[AsyncSession], Awaitable[Asked | None]],
    done: str,
) -> Redirect:
    """Read, give the connection back, ask. A refusal shows the page again."""
    async with transaction(sessions_of_app(state)) as session:
        shown = await _context(session, actor, exchange_id, now)
    with refill(request, TEMPLATE, **shown):
        async with transaction(sessions_of_app(state)) as session:
            asked = await read(session)
        if asked is not None:
            await through(poster_of_app(state).post, asked, now=now)
    return go(f"/exchange/{exchange_id}", done)


@post("/exchange/{exchange_id:uuid}/accept", opt=SIGNED_IN, include_in_schema=False)
async def accept(
    request: AnyRequest,
    exchange_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    state: AppState,
) -> Redirect:
    """Say yes; pressed twice, it is said once."""

    async def read(session: AsyncSession) -> Asked:
        return await accepting(session, actor=actor, exchange_id=exchange_id, now=now)

    return await _at_the_door(request, state, actor, exchange_id, now, read, "exchange.accepted")


@post("/exchange/{exchange_id:uuid}/confirm", opt=SIGNED_IN, include_in_schema=False)
async def confirm(
    request: AnyRequest,
    exchange_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    state: AppState,
) -> Redirect:
    """Done: the minutes are the helper's."""

    async def read(session: AsyncSession) -> Asked:
        return await confirming(session, actor=actor, exchange_id=exchange_id)

    return await _at_the_door(request, state, actor, exchange_id, now, read, "exchange.confirmed")


@post("/exchange/{exchange_id:uuid}/withdraw", opt=SIGNED_IN, include_in_schema=False)
async def withdraw(
    request: AnyRequest,
    exchange_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    state: AppState,
) -> Redirect:
    """Step back; what was set aside returns."""

    async def read(session: AsyncSession) -> Asked | None:
        asked = await withdrawing(session, actor=actor, exchange_id=exchange_id)
        if asked is None:
            await answering.take_back(session, actor=actor, exchange_id=exchange_id, now=now)
        return asked

    return await _at_the_door(request, state, actor, exchange_id, now, read, "exchange.withdrawn")


async def _step(
    request: AnyRequest,
    session: AsyncSession,
    actor: Actor,
    exchange_id: UUID,
    now: datetime,
    act: Callable[[Mapping[str, str]], Awaitable[None]],
    form: type[Nothing | WordsIn],
    done: str,
) -> Redirect:
    with refill(request, TEMPLATE, **await _context(session, actor, exchange_id, now)):
        typed = await form_of(request, form)
        words = {"words": words_of("words", typed.words)} if isinstance(typed, WordsIn) else {}

        async def work() -> str:
            await act(words)
            return f"/exchange/{exchange_id}?done={done}"

        return await once_page(request, session, actor, now, work)


@post("/exchange/{exchange_id:uuid}/decline", opt=SIGNED_IN, include_in_schema=False)
async def decline(
    request: AnyRequest,
    exchange_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Say no."""

    async def act(_words: Mapping[str, str]) -> None:
        await answering.decline(session, actor=actor, exchange_id=exchange_id, now=now)

    return await _step(request, session, actor, exchange_id, now, act, Nothing, "exchange.declined")


@post("/exchange/{exchange_id:uuid}/finish", opt=SIGNED_IN, include_in_schema=False)
async def finish(
    request: AnyRequest,
    exchange_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """I have done it."""

    async def act(_words: Mapping[str, str]) -> None:
        await answering.finish(session, actor=actor, exchange_id=exchange_id, now=now)

    return await _step(request, session, actor, exchange_id, now, act, Nothing, "exchange.finished")


@post("/exchange/{exchange_id:uuid}/dispute", opt=SIGNED_IN, include_in_schema=False)
async def dispute(
    request: AnyRequest,
    exchange_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Call the staff."""

    async def act(words: Mapping[str, str]) -> None:
        await answering.dispute(session, actor=actor, exchange_id=exchange_id, reason=words["words"], now=now)

    return await _step(request, session, actor, exchange_id, now, act, WordsIn, "exchange.disputed")


@post("/exchange/{exchange_id:uuid}/thanks", opt=SIGNED_IN, include_in_schema=False)
async def thank(
    request: AnyRequest,
    exchange_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """A word of thanks."""

    async def act(words: Mapping[str, str]) -> None:
        await answering.thank(session, actor=actor, exchange_id=exchange_id, words=words["words"], now=now)

    return await _step(request, session, actor, exchange_id, now, act, WordsIn, "exchange.thanked")


HANDLERS = [mine, one, accept, confirm, withdraw, decline, finish, dispute, thank]
