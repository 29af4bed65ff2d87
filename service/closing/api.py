"""Closings and closed years, as JSON."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from litestar.response import Stream
from sqlmodel.ext.asyncio.session import AsyncSession

from service.closing import actions, drawing, files, queries
from service.closing.payloads import (
    ClosingOut,
    ClosingsOut,
    DifferencesOut,
    OpenOut,
    PeriodIn,
    YearIn,
    YearLinesOut,
    YearOut,
    closing_out,
    line_out,
    open_out,
    year_out,
)
from service.closing.rules import CLOSERS, READERS, YearUnit, closes_at, end_of_last_month
from service.kit.access import Actor, allow
from service.kit.clock import local_day
from service.kit.db import sessions_of_app
from service.kit.export import file_stream
from service.kit.once import once

AnyRequest = Request[Any, Any, Any]


@get("/api/books/closings", opt=allow(*READERS))
async def closings(
    session: NamedDependency[AsyncSession], actor: NamedDependency[Actor], after: FromQuery[str | None] = None
) -> ClosingsOut:
    """How far the books are closed, and every closing."""
    found = await queries.closings(session, actor.community_id, after=after)
    return ClosingsOut(
        await queries.closed_until(session, actor.community_id),
        await queries.years(session, actor.community_id),
        [closing_out(view) for view in found.rows],
        found.next,
    )


@get("/api/books/open", opt=allow(*READERS))
async def still_open(
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    state: State,
    last_day: FromQuery[date | None] = None,
) -> OpenOut:
    """What is not done of everything up to a day, by default the end of last month."""
    until = closes_at(last_day or end_of_last_month(local_day(now)))
    return open_out(await queries.still_open(session, state.slices, actor.community_id, until=until))


@post("/api/books/closings", opt=allow(*CLOSERS), status_code=201)
async def propose(
    request: AnyRequest,
    data: JSONBody[PeriodIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[ClosingOut]:
    """Propose to close the books up to and with a day."""

    async def work() -> ClosingOut:
        made = await actions.propose_period(session, actor=actor, last_day=data.last_day, now=now)
        return closing_out(await queries.closing_for(session, actor.community_id, made))

    return await once(request, session, actor, now, work, status=201)


@post("/api/books/years", opt=allow(*CLOSERS), status_code=201)
async def propose_year(
    request: AnyRequest,
    data: JSONBody[YearIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    state: State,
) -> Response[ClosingOut]:
    """Propose to close a year; the books prove themselves first."""

    async def work() -> ClosingOut:
        made = await actions.propose_year(session, actor=actor, year=data.year, slices=state.slices, now=now)
        return closing_out(await queries.closing_for(session, actor.community_id, made))

    return await once(request, session, actor, now, work, status=201)


@get("/api/books/closings/{closing_id:uuid}", opt=allow(*READERS))
async def closing(
    closing_id: FromPath[UUID], session: NamedDependency[AsyncSession], actor: NamedDependency[Actor]
) -> ClosingOut:
    """One closing."""
    return closing_out(await queries.closing_for(session, actor.community_id, closing_id))


@post("/api/books/closings/{closing_id:uuid}/confirmation", opt=allow(*CLOSERS), status_code=200)
async def confirm(
    request: AnyRequest,
    closing_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[ClosingOut]:
    """Close the books, as the second person."""

    async def work() -> ClosingOut:
        await actions.confirm_closing(session, actor=actor, closing_id=closing_id, now=now)
        return closing_out(await queries.closing_for(session, actor.community_id, closing_id))

    return await once(request, session, actor, now, work)


@post("/api/books/closings/{closing_id:uuid}/withdrawal", opt=allow(*CLOSERS), status_code=200)
async def withdraw(
    request: AnyRequest,
    closing_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[ClosingOut]:
    """Take a proposal back."""

    async def work() -> ClosingOut:
        await actions.withdraw_closing(session, actor=actor, closing_id=closing_id, now=now)
        return closing_out(await queries.closing_for(session, actor.community_id, closing_id))

    return await once(request, session, actor, now, work)


@get("/api/books/years/{year:int}", opt=allow(*READERS))
async def year(year: FromPath[int], session: NamedDependency[AsyncSession], actor: NamedDependency[Actor]) -> YearOut:
    """A closed year: totals and movements by kind of account."""
    return year_out(await queries.year_view(session, actor.community_id, year))


@get("/api/books/years/{year:int}/accounts", opt=allow(*READERS))
async def year_accounts(
    year: FromPath[int],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    unit: FromQuery[YearUnit],
    after: FromQuery[str | None] = None,
) -> YearLinesOut:
    """The accounts of a closed year in one unit."""
    await queries.year_view(session, actor.community_id, year)
    found = await queries.year_lines(session, actor.community_id, year, unit, after=after)
    return YearLinesOut([line_out(row) for row in found.rows], found.next)


@get("/api/books/years/{year:int}/differences", opt=allow(*READERS))
async def year_differences(
    year: FromPath[int], session: NamedDependency[AsyncSession], actor: NamedDependency[Actor]
) -> DifferencesOut:
    """Hold a closed year against the ledger once more."""
    await queries.year_view(session, actor.community_id, year)
    return DifferencesOut(await drawing.differences(session, actor.community_id, year))


@get("/api/books/years/{year:int}/book.csv", opt=allow(*READERS))
async def year_csv(
    year: FromPath[int], session: NamedDependency[AsyncSession], actor: NamedDependency[Actor], state: State
) -> Stream:
    """The year's book as a table."""
    await queries.year_view(session, actor.community_id, year)
    pieces = files.csv_bytes(sessions_of_app(state), actor.community_id, year)
    return file_stream(files.file_name(actor.community_id, year), pieces, files.CSV)


HANDLERS = [
    closings,
    still_open,
    propose,
    propose_year,
    closing,
    confirm,
    withdraw,
    year,
    year_accounts,
    year_differences,
    year_csv,
]
