"""Exchanges as JSON. What goes through the door holds no session: it reads, gives the connection back, and then asks."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from sqlmodel.ext.asyncio.session import AsyncSession

from service.exchange.actions import answering, deciding
from service.exchange.actions.door import accepting, confirming, through, withdrawing
from service.exchange.payloads import (
    ContactOut,
    DecisionIn,
    ExchangeOut,
    ExchangesOut,
    ExchangeWhole,
    WordsIn,
    exchange_out,
    moment_out,
)
from service.exchange.queries import exchanges as queries
from service.exchange.queries.desk import Shown, desk_list
from service.exchange.rules import HELD, READERS, STAFF, NotYours, words_of
from service.identity import contact_of
from service.kit.access import SIGNED_IN, Actor, allow
from service.kit.db import poster_of_app, sessions_of_app, transaction
from service.kit.once import once

AnyRequest = Request[Any, Any, Any]


@get("/api/exchange", opt=SIGNED_IN)
async def mine(
    session: NamedDependency[AsyncSession], actor: NamedDependency[Actor], after: FromQuery[str | None] = None
) -> ExchangesOut:
    """One's own, last changed first."""
    found = await queries.my_exchanges(session, actor, after=after)
    return ExchangesOut([exchange_out(view) for view in found.rows], found.next)


@get("/api/exchange/{exchange_id:uuid}", opt=SIGNED_IN)
async def one(
    exchange_id: FromPath[UUID], session: NamedDependency[AsyncSession], actor: NamedDependency[Actor]
) -> ExchangeWhole:
    """One exchange with its history, for either side and for staff."""
    view = await queries.exchange_for(session, actor, exchange_id)
    history = await queries.moments(session, actor, view)
    return ExchangeWhole(exchange_out(view), [moment_out(moment) for moment in history])


async def _as_it_is(state: State, actor: Actor, exchange_id: UUID) -> ExchangeOut:
    async with transaction(sessions_of_app(state)) as session:
        return exchange_out(await queries.exchange_for(session, actor, exchange_id))


@post("/api/exchange/{exchange_id:uuid}/accept", opt=SIGNED_IN, status_code=200)
async def accept(
    exchange_id: FromPath[UUID], actor: NamedDependency[Actor], now: NamedDependency[datetime], state: State
) -> ExchangeOut:
    """Say yes: the payer's minutes are set aside. The same again answers the same."""
    async with transaction(sessions_of_app(state)) as session:
        asked = await accepting(session, actor=actor, exchange_id=exchange_id, now=now)
    await through(poster_of_app(state).post, asked, now=now)
    return await _as_it_is(state, actor, exchange_id)


@post("/api/exchange/{exchange_id:uuid}/confirm", opt=SIGNED_IN, status_code=200)
async def confirm(
    exchange_id: FromPath[UUID], actor: NamedDependency[Actor], now: NamedDependency[datetime], state: State
) -> ExchangeOut:
    """Done: the minutes are the helper's. The same again answers the same."""
    async with transaction(sessions_of_app(state)) as session:
        asked = await confirming(session, actor=actor, exchange_id=exchange_id)
    await through(poster_of_app(state).post, asked, now=now)
    return await _as_it_is(state, actor, exchange_id)


@post("/api/exchange/{exchange_id:uuid}/withdraw", opt=SIGNED_IN, status_code=200)
async def withdraw(
    exchange_id: FromPath[UUID], actor: NamedDependency[Actor], now: NamedDependency[datetime], state: State
) -> ExchangeOut:
    """Step back: an answer before it is accepted, either side before it is done."""
    async with transaction(sessions_of_app(state)) as session:
        asked = await withdrawing(session, actor=actor, exchange_id=exchange_id)
        if asked is None:
            await answering.take_back(session, actor=actor, exchange_id=exchange_id, now=now)
    if asked is not None:
        await through(poster_of_app(state).post, asked, now=now)
    return await _as_it_is(state, actor, exchange_id)


async def _moved(
    request: AnyRequest,
    session: AsyncSession,
    actor: Actor,
    now: datetime,
    exchange_id: UUID,
    act: Callable[[], Awaitable[None]],
) -> Response[ExchangeOut]:
    async def work() -> ExchangeOut:
        await act()
        await session.flush()
        return exchange_out(await queries.exchange_for(session, actor, exchange_id))

    return await once(request, session, actor, now, work)


@post("/api/exchange/{exchange_id:uuid}/decline", opt=SIGNED_IN, status_code=200)
async def decline(
    request: AnyRequest,
    exchange_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[ExchangeOut]:
    """Say no to an answer."""
    return await _moved(
        request,
        session,
        actor,
        now,
        exchange_id,
        lambda: answering.decline(session, actor=actor, exchange_id=exchange_id, now=now),
    )


@post("/api/exchange/{exchange_id:uuid}/finish", opt=SIGNED_IN, status_code=200)
async def finish(
    request: AnyRequest,
    exchange_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[ExchangeOut]:
    """The helper says that it is done."""
    return await _moved(
        request,
        session,
        actor,
        now,
        exchange_id,
        lambda: answering.finish(session, actor=actor, exchange_id=exchange_id, now=now),
    )


@post("/api/exchange/{exchange_id:uuid}/dispute", opt=SIGNED_IN, status_code=200)
async def dispute(
    request: AnyRequest,
    exchange_id: FromPath[UUID],
    data: JSONBody[WordsIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[ExchangeOut]:
    """Call the staff."""
    return await _moved(
        request,
        session,
        actor,
        now,
        exchange_id,
        lambda: answering.dispute(
            session, actor=actor, exchange_id=exchange_id, reason=words_of("words", data.words), now=now
        ),
    )


@post("/api/exchange/{exchange_id:uuid}/thanks", opt=SIGNED_IN, status_code=200)
async def thank(
    request: AnyRequest,
    exchange_id: FromPath[UUID],
    data: JSONBody[WordsIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[ExchangeOut]:
    """A word of thanks to the helper."""
    return await _moved(
        request,
        session,
        actor,
        now,
        exchange_id,
        lambda: answering.thank(
            session, actor=actor, exchange_id=exchange_id, words=words_of("words", data.words), now=now
        ),
    )


@post("/api/exchange/{exchange_id:uuid}/decision", opt=allow(*STAFF), status_code=200)
async def decide(
    request: AnyRequest,
    exchange_id: FromPath[UUID],
    data: JSONBody[DecisionIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[ExchangeOut]:
    """Staff end a dispute."""
    return await _moved(
        request,
        session,
        actor,
        now,
        exchange_id,
        lambda: deciding.decide(
            session,
            actor=actor,
            exchange_id=exchange_id,
            paid_minutes=data.paid_minutes,
            reason=words_of("reason", data.reason),
            now=now,
        ),
    )


@post("/api/exchange/{exchange_id:uuid}/thanks/hide", opt=allow(*STAFF), status_code=200)
async def hide_thanks(
    request: AnyRequest,
    exchange_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[ExchangeOut]:
    """Staff hide words of thanks."""
    return await _moved(
        request,
        session,
        actor,
        now,
        exchange_id,
        lambda: deciding.hide_thanks(session, actor=actor, exchange_id=exchange_id, now=now),
    )


@get("/api/exchange/{exchange_id:uuid}/contact", opt=SIGNED_IN)
async def contact(
    exchange_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> ContactOut:
    """Name and phone of the other side, from the agreement until it is over. The look is written down."""
    view = await queries.exchange_for(session, actor, exchange_id)
    if not view.is_mine or view.state not in HELD:
        raise NotYours
    seen = await contact_of(session, actor, view.sides.other(actor.member_id), now, reason="exchange_agreed")
    return ContactOut(view.other, seen.phone)


@get("/api/exchange/desk", opt=allow(*READERS))
async def desk(
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    shown: FromQuery[Shown] = Shown.DISPUTED,
    q: FromQuery[str] = "",
    after: FromQuery[str | None] = None,
) -> ExchangesOut:
    """The staff's views: disputes, what is open, what was paid, words of thanks, all; by card, phone or name."""
    found = await desk_list(session, actor, shown=shown, text=q, after=after)
    return ExchangesOut([exchange_out(view) for view in found.rows], found.next)


HANDLERS = [contact, desk, mine, one, accept, confirm, withdraw, decline, finish, dispute, thank, decide, hide_thanks]
