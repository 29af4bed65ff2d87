"""The desk's page of debts: who owes since when, what waits for a second person, and the forms."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Request, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from service import chart
from service.communities import settings_on
from service.debts import actions, queries
from service.debts.payloads import AllowanceIn, ConflictIn, ObjectionForIn, WriteOffIn
from service.debts.rules import DECIDERS, NOTE_LENGTH_MAX, PROPOSERS, READERS, ConflictWay
from service.debts.timed import SETTINGS, collect_due
from service.identity import people_by_ids
from service.kit.access import Actor, allow
from service.kit.clock import local_day
from service.kit.db import sessions_of_app, transaction
from service.kit.i18n import _, translate
from service.kit.manifest import InboxRow
from service.kit.once import once_page, once_page_in_steps
from service.kit.pages import form_of, page, refill

AnyRequest = Request[Any, Any, Any]
PAGE = "/desk/books/debts"


@get(PAGE, opt=allow(*READERS), include_in_schema=False)
async def debts_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    after: FromQuery[str | None] = None,
) -> Template:
    """Open debts with their age, what waits, what was decided."""
    return page(request, "debts/debts.html", **await _shown(session, actor, now, after))


async def _shown(session: AsyncSession, actor: Actor, now: datetime, after: str | None = None) -> dict[str, Any]:
    found = await queries.requests(session, actor.community_id, after=after)
    waiting = await queries.waiting(session, actor.community_id)
    collections = await queries.collections(session, actor.community_id)
    ids = {
        who
        for view in (*waiting, *found.rows)
        for who in (view.member_id, view.proposed_by, view.decided_by)
        if who is not None
    } | {view.member_id for view in collections}
    debts = await queries.debts(session, actor.community_id)
    conflicts = await queries.conflict_debts(session, actor.community_id)
    told = await queries.open_notices(session, actor.community_id)
    notices = {chart.owed(member_id): notice for member_id, notice in told.items()}
    return {
        "title": _("欠分"),
        "debts": [{"debt": debt, "days": (now - debt.since).days} for debt in debts],
        "conflicts": [
            {"debt": debt, "days": (now - debt.since).days, "notice": notices.get(debt.account)} for debt in conflicts
        ],
        "collections": collections,
        "rules": await settings_on(session, actor.community_id, SETTINGS, local_day(now)),
        "ways": [(each.value, translate(f"debt_step.{each}")) for each in ConflictWay],
        "allowances": await queries.allowances(session, actor.community_id),
        "waiting": waiting,
        "decided": found.rows,
        "people": await people_by_ids(session, actor.community_id, ids),
        "may_propose": actor.has(*PROPOSERS),
        "may_decide": actor.has(*DECIDERS),
        "may_read_books": actor.has(*DECIDERS) or not actor.has(*PROPOSERS),
        "me": actor.member_id,
        "note_length": NOTE_LENGTH_MAX,
        "next_url": f"{PAGE}?after={found.next}" if found.next else None,
        "first_url": PAGE if after else None,
    }


async def _act(
    request: AnyRequest, session: AsyncSession, actor: Actor, now: datetime, act: Callable[[], Awaitable[str]]
) -> Redirect:
    with refill(request, "debts/debts.html", **await _shown(session, actor, now)):

        async def work() -> str:
            return f"{PAGE}?done={await act()}"

        return await once_page(request, session, actor, now, work)


@post(f"{PAGE}/allowances", opt=allow(*PROPOSERS), include_in_schema=False)
async def propose_allowance(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Propose that corrections may take an account below zero."""

    async def act() -> str:
        form = await form_of(request, AllowanceIn)
        await actions.propose_allowance(
            session, actor=actor, card_no=form.card_no, points=form.points, note=form.note, now=now
        )
        return "debts.proposed"

    return await _act(request, session, actor, now, act)


@post(f"{PAGE}/write-offs", opt=allow(*PROPOSERS), include_in_schema=False)
async def propose_write_off(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Propose to forgive what somebody owes."""

    async def act() -> str:
        form = await form_of(request, WriteOffIn)
        await actions.propose_write_off(session, actor=actor, member_id=form.member_id, note=form.note, now=now)
        return "debts.proposed"

    return await _act(request, session, actor, now, act)


@post(f"{PAGE}/conflicts", opt=allow(*PROPOSERS), include_in_schema=False)
async def propose_conflict(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Propose to pay what somebody owes for vouchers used twice from their points, or to forgive it."""

    async def act() -> str:
        form = await form_of(request, ConflictIn)
        await actions.propose_conflict(
            session, actor=actor, member_id=form.member_id, way=form.way, note=form.note, now=now
        )
        return "debts.proposed"

    return await _act(request, session, actor, now, act)


@post(f"{PAGE}/{{request_id:uuid}}/confirm", opt=allow(*DECIDERS), include_in_schema=False)
async def confirm(
    request: AnyRequest,
    request_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Do what was proposed, as the second person."""

    async def act() -> str:
        await actions.confirm(session, actor=actor, request_id=request_id, now=now)
        return "debts.done"

    return await _act(request, session, actor, now, act)


@post(f"{PAGE}/{{request_id:uuid}}/withdraw", opt=allow(*PROPOSERS), include_in_schema=False)
async def withdraw(
    request: AnyRequest,
    request_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Take a proposal back."""

    async def act() -> str:
        await actions.withdraw(session, actor=actor, request_id=request_id, now=now)
        return "debts.withdrawn"

    return await _act(request, session, actor, now, act)


@post(f"{PAGE}/objections", opt=allow(*PROPOSERS), include_in_schema=False)
async def object_for(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Somebody at the desk does not agree to owe: nothing is collected by itself until people have decided."""

    async def act() -> str:
        form = await form_of(request, ObjectionForIn)
        await actions.object_to_notice(session, actor=actor, member_id=form.member_id, words=form.note, now=now)
        return "debts.objected"

    return await _act(request, session, actor, now, act)


@post(f"{PAGE}/collections", opt=allow(*PROPOSERS), include_in_schema=False)
async def collect(
    request: AnyRequest, actor: NamedDependency[Actor], now: NamedDependency[datetime], state: State
) -> Redirect:
    """Collect what is due now, as the worker would within the hour."""
    sessions = sessions_of_app(state)
    async with transaction(sessions) as session:
        shown = await _shown(session, actor, now)

    async def work(_act: UUID) -> tuple[str, bool]:
        paid = await collect_due(sessions, actor=actor, now=now)
        return f"{PAGE}?done=debts.{'collected' if paid else 'none_due'}", True

    with refill(request, "debts/debts.html", **shown):
        return await once_page_in_steps(request, sessions, actor, now, work)


async def inbox(session: AsyncSession, actor: Actor, now: datetime) -> list[InboxRow]:
    """What waits for this person to be the second."""
    del now
    if not actor.has(*DECIDERS):
        return []
    found = [view for view in await queries.waiting(session, actor.community_id) if view.proposed_by != actor.member_id]
    people = await people_by_ids(session, actor.community_id, {view.member_id for view in found})
    return [
        InboxRow(
            "debt",
            translate(f"debt_step.{view.step}"),
            f"{people[view.member_id].name} {people[view.member_id].card_no}",
            view.proposed_at,
            PAGE,
        )
        for view in found
    ]


HANDLERS = [
    debts_page,
    propose_allowance,
    propose_write_off,
    propose_conflict,
    object_for,
    collect,
    confirm,
    withdraw,
]
