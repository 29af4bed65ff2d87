"""Debts, as JSON."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from sqlmodel.ext.asyncio.session import AsyncSession

from service.debts import actions, queries
from service.debts.payloads import (
    AllowanceIn,
    CollectedOut,
    ConflictIn,
    DebtsOut,
    NoticeOut,
    ObjectionForIn,
    ObjectionIn,
    OwedOut,
    RequestOut,
    WriteOffIn,
    collection_out,
    debt_out,
    notice_out,
    request_out,
)
from service.debts.rules import DECIDERS, PROPOSERS, READERS
from service.debts.timed import collect_due
from service.kit.access import SIGNED_IN, Actor, allow
from service.kit.db import sessions_of_app
from service.kit.once import once, once_in_steps

AnyRequest = Request[Any, Any, Any]


@get("/api/debts", opt=allow(*READERS))
async def debts(
    session: NamedDependency[AsyncSession], actor: NamedDependency[Actor], after: FromQuery[str | None] = None
) -> DebtsOut:
    """Who is in debt since when, and what was proposed and decided about it."""
    found = await queries.requests(session, actor.community_id, after=after)
    return DebtsOut(
        [debt_out(view) for view in await queries.debts(session, actor.community_id)],
        [debt_out(view) for view in await queries.conflict_debts(session, actor.community_id)],
        [notice_out(view) for view in (await queries.open_notices(session, actor.community_id)).values()],
        [collection_out(view) for view in await queries.collections(session, actor.community_id)],
        [request_out(view) for view in await queries.waiting(session, actor.community_id)],
        [request_out(view) for view in found.rows],
        found.next,
    )


async def _answered(
    request: AnyRequest,
    session: AsyncSession,
    actor: Actor,
    now: datetime,
    act: Callable[[], Awaitable[UUID]],
    status: int = 200,
) -> Response[RequestOut]:
    async def work() -> RequestOut:
        request_id = await act()
        return request_out(await queries.request_for(session, actor.community_id, request_id))

    return await once(request, session, actor, now, work, status=status)


@post("/api/debts/allowances", opt=allow(*PROPOSERS), status_code=201)
async def propose_allowance(
    request: AnyRequest,
    data: JSONBody[AllowanceIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[RequestOut]:
    """Propose that corrections may take an account below zero."""

    async def act() -> UUID:
        return await actions.propose_allowance(
            session, actor=actor, card_no=data.card_no, points=data.points, note=data.note, now=now
        )

    return await _answered(request, session, actor, now, act, 201)


@post("/api/debts/write-offs", opt=allow(*PROPOSERS), status_code=201)
async def propose_write_off(
    request: AnyRequest,
    data: JSONBody[WriteOffIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[RequestOut]:
    """Propose to forgive what somebody owes."""

    async def act() -> UUID:
        return await actions.propose_write_off(session, actor=actor, member_id=data.member_id, note=data.note, now=now)

    return await _answered(request, session, actor, now, act, 201)


@post("/api/debts/conflicts", opt=allow(*PROPOSERS), status_code=201)
async def propose_conflict(
    request: AnyRequest,
    data: JSONBody[ConflictIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[RequestOut]:
    """Propose to pay what somebody owes for vouchers used twice from their points, or to forgive it."""

    async def act() -> UUID:
        return await actions.propose_conflict(
            session, actor=actor, member_id=data.member_id, way=data.way, note=data.note, now=now
        )

    return await _answered(request, session, actor, now, act, 201)


@post("/api/debts/{request_id:uuid}/confirmation", opt=allow(*DECIDERS), status_code=200)
async def confirm(
    request: AnyRequest,
    request_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[RequestOut]:
    """Do what was proposed, as the second person."""

    async def act() -> UUID:
        await actions.confirm(session, actor=actor, request_id=request_id, now=now)
        return request_id

    return await _answered(request, session, actor, now, act)


@post("/api/debts/{request_id:uuid}/withdrawal", opt=allow(*PROPOSERS), status_code=200)
async def withdraw(
    request: AnyRequest,
    request_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[RequestOut]:
    """Take a proposal back."""

    async def act() -> UUID:
        await actions.withdraw(session, actor=actor, request_id=request_id, now=now)
        return request_id

    return await _answered(request, session, actor, now, act)


async def _objected(
    request: AnyRequest, session: AsyncSession, actor: Actor, now: datetime, member_id: UUID, words: str
) -> Response[NoticeOut | None]:
    async def work() -> NoticeOut | None:
        await actions.object_to_notice(session, actor=actor, member_id=member_id, words=words, now=now)
        await session.flush()
        notice = await queries.notice_of(session, actor.community_id, member_id)
        return notice_out(notice) if notice is not None else None

    return await once(request, session, actor, now, work)


@post("/api/debts/objections", opt=allow(*PROPOSERS), status_code=200)
async def object_for(
    request: AnyRequest,
    data: JSONBody[ObjectionForIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[NoticeOut | None]:
    """Somebody at the desk does not agree to owe: nothing is collected by itself until people have decided."""
    return await _objected(request, session, actor, now, data.member_id, data.note)


@post("/api/debts/collections", opt=allow(*PROPOSERS), status_code=200)
async def collect(
    request: AnyRequest, actor: NamedDependency[Actor], now: NamedDependency[datetime], state: State
) -> Response[CollectedOut]:
    """Collect what is due now, as the worker would within the hour; at most from fifty members."""
    sessions = sessions_of_app(state)

    async def work(_act: UUID) -> tuple[CollectedOut, bool]:
        return CollectedOut(await collect_due(sessions, actor=actor, now=now)), True

    return await once_in_steps(request, sessions, actor, now, work)


@get("/api/owed", opt=SIGNED_IN)
async def owed(session: NamedDependency[AsyncSession], actor: NamedDependency[Actor]) -> OwedOut:
    """What I owe for vouchers used twice, when it is collected, and what was."""
    owes, _has = await queries.conflict_debt(session, actor.community_id, actor.member_id)
    notice = await queries.notice_of(session, actor.community_id, actor.member_id)
    taken = await queries.collections(session, actor.community_id, member_id=actor.member_id)
    return OwedOut(owes, notice_out(notice) if notice else None, [collection_out(view) for view in taken])


@post("/api/owed/objection", opt=SIGNED_IN, status_code=200)
async def object_(
    request: AnyRequest,
    data: JSONBody[ObjectionIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[NoticeOut | None]:
    """I do not agree to owe this: the office looks at it, and nothing is collected meanwhile."""
    return await _objected(request, session, actor, now, actor.member_id, data.words)


HANDLERS = [
    debts,
    propose_allowance,
    propose_write_off,
    propose_conflict,
    confirm,
    withdraw,
    object_for,
    collect,
    owed,
    object_,
]
