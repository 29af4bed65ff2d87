"""The desk's pages of closing: what is still open, the proposal, the second person, the history."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from litestar import Request, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from service.closing import actions, queries
from service.closing.payloads import PeriodIn, YearIn
from service.closing.rules import (
    CLOSERS,
    READERS,
    ClosingState,
    closes_at,
    end_of_last_month,
    last_closed_day,
)
from service.identity import people_by_ids
from service.kit.access import Actor, allow
from service.kit.clock import local_day
from service.kit.i18n import _
from service.kit.manifest import InboxRow
from service.kit.once import once_page
from service.kit.pages import form_of, page, refill
from service.kit.words import day as said_day

AnyRequest = Request[Any, Any, Any]


@get("/desk/books/closings", opt=allow(*READERS), include_in_schema=False)
async def closings_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    state: State,
    last_day: FromQuery[date | None] = None,
    after: FromQuery[str | None] = None,
) -> Template:
    """How far the books are closed, what is open up to a day, the form for it, and every closing so far."""
    return page(request, "closing/closings.html", **await _list(session, actor, now, state, last_day, after))


async def _list(
    session: AsyncSession,
    actor: Actor,
    now: datetime,
    state: State,
    last_day: date | None = None,
    after: str | None = None,
) -> dict[str, Any]:
    today = local_day(now)
    chosen = last_day or end_of_last_month(today)
    closed = await queries.closed_until(session, actor.community_id)
    years = await queries.years(session, actor.community_id)
    found = await queries.closings(session, actor.community_id, after=after)
    ids = {who for row in found.rows for who in (row.proposed_by, row.decided_by)}
    return {
        "title": _("结账"),
        "closed_day": last_closed_day(closed) if closed else None,
        "last_day": chosen,
        "open": await queries.still_open(session, state.slices, actor.community_id, until=closes_at(chosen)),
        "waiting": await queries.waiting_closing(session, actor.community_id),
        "may_close": actor.has(*CLOSERS),
        "rows": found.rows,
        "people": await people_by_ids(session, actor.community_id, ids),
        "next_url": f"/desk/books/closings?after={found.next}" if found.next else None,
        "first_url": "/desk/books/closings" if after else None,
        "years": years,
        "next_year": years[0] + 1 if years else today.year - 1,
        "today": today,
    }


@post("/desk/books/closings", opt=allow(*CLOSERS), include_in_schema=False)
async def propose(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    state: State,
) -> Redirect:
    """Propose to close the books up to and with a day."""
    with refill(request, "closing/closings.html", **await _list(session, actor, now, state)):
        form = await form_of(request, PeriodIn)

        async def work() -> str:
            made = await actions.propose_period(session, actor=actor, last_day=form.last_day, now=now)
            return f"/desk/books/closings/{made}?done=closing.proposed"

        return await once_page(request, session, actor, now, work)


@post("/desk/books/years", opt=allow(*CLOSERS), include_in_schema=False)
async def propose_year(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    state: State,
) -> Redirect:
    """Propose to close a year, once the books have proved themselves."""
    with refill(request, "closing/closings.html", **await _list(session, actor, now, state)):
        form = await form_of(request, YearIn)

        async def work() -> str:
            made = await actions.propose_year(session, actor=actor, year=form.year, slices=state.slices, now=now)
            return f"/desk/books/closings/{made}?done=closing.proposed"

        return await once_page(request, session, actor, now, work)


@get("/desk/books/closings/{closing_id:uuid}", opt=allow(*READERS), include_in_schema=False)
async def closing_page(
    request: AnyRequest,
    closing_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    state: State,
) -> Template:
    """One closing: what is open, who proposed it, and the buttons of whoever decides."""
    return page(request, "closing/closing.html", **await _one(session, actor, closing_id, state))


async def _one(session: AsyncSession, actor: Actor, closing_id: UUID, state: State) -> dict[str, Any]:
    view = await queries.closing_for(session, actor.community_id, closing_id)
    is_waiting = view.state is ClosingState.PROPOSED
    until = closes_at(view.last_day)
    return {
        "title": _("{year} 年结账").format(year=view.year) if view.year else _("结账"),
        "closing": view,
        "open": await queries.still_open(session, state.slices, actor.community_id, until=until),
        "people": await people_by_ids(session, actor.community_id, {view.proposed_by, view.decided_by}),
        "may_confirm": is_waiting and actor.has(*CLOSERS) and actor.member_id != view.proposed_by,
        "may_withdraw": is_waiting and actor.has(*CLOSERS),
        "is_own": view.proposed_by == actor.member_id,
    }


@post("/desk/books/closings/{closing_id:uuid}/confirm", opt=allow(*CLOSERS), include_in_schema=False)
async def confirm(
    request: AnyRequest,
    closing_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    state: State,
) -> Redirect:
    """Close the books, as the second person."""
    with refill(request, "closing/closing.html", **await _one(session, actor, closing_id, state)):

        async def work() -> str:
            await actions.confirm_closing(session, actor=actor, closing_id=closing_id, now=now)
            return f"/desk/books/closings/{closing_id}?done=closing.confirmed"

        return await once_page(request, session, actor, now, work)


@post("/desk/books/closings/{closing_id:uuid}/withdraw", opt=allow(*CLOSERS), include_in_schema=False)
async def withdraw(
    request: AnyRequest,
    closing_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    state: State,
) -> Redirect:
    """Take a proposal back."""
    with refill(request, "closing/closing.html", **await _one(session, actor, closing_id, state)):

        async def work() -> str:
            await actions.withdraw_closing(session, actor=actor, closing_id=closing_id, now=now)
            return "/desk/books/closings?done=closing.withdrawn"

        return await once_page(request, session, actor, now, work)


async def inbox(session: AsyncSession, actor: Actor, now: datetime) -> list[InboxRow]:
    """The closing that waits for this person to be the second."""
    del now
    if not actor.has(*CLOSERS):
        return []
    waiting = await queries.waiting_closing(session, actor.community_id)
    if waiting is None or waiting.proposed_by == actor.member_id:
        return []
    people = await people_by_ids(session, actor.community_id, {waiting.proposed_by})
    title = _("结账到 {day}").format(day=said_day(waiting.last_day, year=True))
    url = f"/desk/books/closings/{waiting.closing_id}"
    return [InboxRow("closing", title, people[waiting.proposed_by].name, waiting.proposed_at, url)]


HANDLERS = [closings_page, propose, propose_year, closing_page, confirm, withdraw]
