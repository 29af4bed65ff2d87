"""The bank's lists, as JSON."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from sqlmodel.ext.asyncio.session import AsyncSession

from service.kit.access import Actor, allow
from service.kit.forms import form_of
from service.kit.once import once
from service.kit.sheets.refusals import FILE_BYTES_MAX, FileTooLarge
from service.payouts.bank import actions, queries
from service.payouts.bank.payloads import (
    AsideIn,
    BookIn,
    ColumnsIn,
    ColumnsOut,
    LinesOut,
    ListForm,
    ListOut,
    ListsOut,
    columns_out,
    lines_out,
    list_out,
)
from service.payouts.bank.rules import Outcome, Verdict
from service.payouts.rules import PROPOSERS, READERS

AnyRequest = Request[Any, Any, Any]
BODY_BYTES_MAX = 12_000_000
API = "/api/payouts/bank"


@get(API, opt=allow(*READERS))
async def lists(
    session: NamedDependency[AsyncSession], actor: NamedDependency[Actor], after: FromQuery[str | None] = None
) -> ListsOut:
    """Every list of the bank, the newest first."""
    found = await queries.lists(session, actor.community_id, after=after)
    return ListsOut([list_out(view) for view in found.rows], found.next)


@post(API, opt=allow(*PROPOSERS), status_code=201, request_max_body_size=BODY_BYTES_MAX)
async def check(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> ListOut:
    """Check a list (multipart field `file`): nothing is booked."""
    form = await form_of(request, ListForm)
    content = await form.file.read(FILE_BYTES_MAX + 1)
    if len(content) > FILE_BYTES_MAX:
        raise FileTooLarge
    made = await actions.check_list(session, actor=actor, file_name=form.file.filename or "?", content=content, now=now)
    return list_out(await queries.list_for(session, actor.community_id, made))


@get(API + "/columns", opt=allow(*READERS))
async def columns(session: NamedDependency[AsyncSession], actor: NamedDependency[Actor]) -> ColumnsOut:
    """Under which headings this community's bank writes its columns."""
    return columns_out(await queries.columns_of(session, actor.community_id))


@post(API + "/columns", opt=allow(*PROPOSERS), status_code=200)
async def choose_columns(
    request: AnyRequest,
    data: JSONBody[ColumnsIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[ColumnsOut]:
    """Keep other headings."""

    async def work() -> ColumnsOut:
        await actions.choose_columns(session, actor=actor, headings=data.headings(), revision=data.revision, now=now)
        return columns_out(await queries.columns_of(session, actor.community_id))

    return await once(request, session, actor, now, work)


@get(API + "/{list_id:uuid}", opt=allow(*READERS))
async def one_list(
    list_id: FromPath[UUID], session: NamedDependency[AsyncSession], actor: NamedDependency[Actor]
) -> ListOut:
    """One list."""
    return list_out(await queries.list_for(session, actor.community_id, list_id))


@get(API + "/{list_id:uuid}/lines", opt=allow(*READERS))
async def lines(
    list_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    verdict: FromQuery[Verdict | None] = None,
    outcome: FromQuery[Outcome | None] = None,
    after: FromQuery[str | None] = None,
) -> LinesOut:
    """Its lines, all or of one kind."""
    await queries.list_for(session, actor.community_id, list_id)
    found = await queries.lines_of(session, actor.community_id, list_id, verdict=verdict, outcome=outcome, after=after)
    waiting = [line for line in found.rows if line.is_to_book]
    choices = await queries.choices(session, actor.community_id, waiting) if waiting else []
    return lines_out(found.rows, found.next, choices)


async def _answered(
    request: AnyRequest,
    session: AsyncSession,
    actor: Actor,
    now: datetime,
    list_id: UUID,
    act: Callable[[], Awaitable[None]],
) -> Response[ListOut]:
    async def work() -> ListOut:
        await act()
        await session.flush()
        return list_out(await queries.list_for(session, actor.community_id, list_id))

    return await once(request, session, actor, now, work)


@post(API + "/{list_id:uuid}/booking", opt=allow(*PROPOSERS), status_code=200)
async def book(
    request: AnyRequest,
    list_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[ListOut]:
    """Book what is certain, each line of the bank once for ever."""

    async def act() -> None:
        await actions.book_list(session, actor=actor, list_id=list_id, now=now)

    return await _answered(request, session, actor, now, list_id, act)


@post(API + "/{list_id:uuid}/lines/{line_no:int}/booking", opt=allow(*PROPOSERS), status_code=200)
async def book_line(
    request: AnyRequest,
    list_id: FromPath[UUID],
    line_no: FromPath[int],
    data: JSONBody[BookIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[ListOut]:
    """Decide by hand which statement a line is about."""

    async def act() -> None:
        await actions.book_line(
            session,
            actor=actor,
            list_id=list_id,
            line_no=line_no,
            settlement_id=data.settlement,
            payment=data.payment,
            now=now,
        )

    return await _answered(request, session, actor, now, list_id, act)


@post(API + "/{list_id:uuid}/lines/{line_no:int}/aside", opt=allow(*PROPOSERS), status_code=200)
async def aside(
    request: AnyRequest,
    list_id: FromPath[UUID],
    line_no: FromPath[int],
    data: JSONBody[AsideIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[ListOut]:
    """Decide by hand that a line concerns no statement."""

    async def act() -> None:
        await actions.set_aside(session, actor=actor, list_id=list_id, line_no=line_no, reason=data.reason, now=now)

    return await _answered(request, session, actor, now, list_id, act)


HANDLERS = [lists, check, columns, choose_columns, one_list, lines, book, book_line, aside]
