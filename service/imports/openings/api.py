"""Opening balances, as JSON."""

from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from sqlmodel.ext.asyncio.session import AsyncSession

from service.imports.openings import actions, queries
from service.imports.openings.payloads import (
    OpeningOut,
    OpeningsOut,
    RowsOut,
    UploadForm,
    opening_out,
    openings_out,
    row_out,
)
from service.imports.openings.rules import APPROVERS, PROPOSERS, READERS, OpeningVerdict
from service.kit.access import Actor, allow
from service.kit.forms import form_of
from service.kit.once import once
from service.kit.sheets.refusals import FILE_BYTES_MAX, FileTooLarge

AnyRequest = Request[Any, Any, Any]
BODY_BYTES_MAX = 12_000_000


@get("/api/openings", opt=allow(*READERS))
async def openings(
    session: NamedDependency[AsyncSession], actor: NamedDependency[Actor], after: FromQuery[str | None] = None
) -> OpeningsOut:
    """Sheets of balances, and the totals of the books."""
    found = await queries.openings(session, actor.community_id, after=after)
    return openings_out(found.rows, found.next, await queries.totals(session, actor.community_id))


@post("/api/openings", opt=allow(*PROPOSERS), status_code=201, request_max_body_size=BODY_BYTES_MAX)
async def check(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> OpeningOut:
    """Check a sheet (multipart fields `file`, `effective_on`, `source`): nothing is posted."""
    form = await form_of(request, UploadForm)
    content = await form.file.read(FILE_BYTES_MAX + 1)
    if len(content) > FILE_BYTES_MAX:
        raise FileTooLarge
    made = await actions.check_balances(
        session,
        actor=actor,
        file_name=form.file.filename or "?",
        content=content,
        effective_on=form.effective_on,
        source=form.source,
        now=now,
    )
    return opening_out(await queries.opening_for(session, actor, made))


@get("/api/openings/{opening_id:uuid}", opt=allow(*READERS))
async def opening(
    opening_id: FromPath[UUID], session: NamedDependency[AsyncSession], actor: NamedDependency[Actor]
) -> OpeningOut:
    """One sheet, with how far it is posted."""
    return opening_out(await queries.opening_for(session, actor, opening_id))


@get("/api/openings/{opening_id:uuid}/rows", opt=allow(*READERS))
async def rows(
    opening_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    verdict: FromQuery[OpeningVerdict] = OpeningVerdict.NEW,
    after: FromQuery[str | None] = None,
) -> RowsOut:
    """The rows of a sheet, in its order."""
    await queries.opening_for(session, actor, opening_id)
    found = await queries.rows_of(session, actor.community_id, opening_id, verdict, after=after)
    return RowsOut([row_out(row) for row in found.rows], found.next)


@post("/api/openings/{opening_id:uuid}/proposal", opt=allow(*PROPOSERS), status_code=200)
async def propose(
    request: AnyRequest,
    opening_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[OpeningOut]:
    """Ask a second person to let it be posted."""

    async def work() -> OpeningOut:
        await actions.propose(session, actor=actor, opening_id=opening_id, now=now)
        return opening_out(await queries.opening_for(session, actor, opening_id))

    return await once(request, session, actor, now, work)


@post("/api/openings/{opening_id:uuid}/approval", opt=allow(*APPROVERS), status_code=200)
async def approve(
    request: AnyRequest,
    opening_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[OpeningOut]:
    """Let it be posted, as the second person."""

    async def work() -> OpeningOut:
        await actions.approve(session, actor=actor, opening_id=opening_id, now=now)
        return opening_out(await queries.opening_for(session, actor, opening_id))

    return await once(request, session, actor, now, work)


@post("/api/openings/{opening_id:uuid}/withdrawal", opt=allow(*PROPOSERS, *APPROVERS), status_code=200)
async def withdraw(
    request: AnyRequest,
    opening_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[OpeningOut]:
    """Give a sheet up that nobody has approved."""

    async def work() -> OpeningOut:
        await actions.withdraw(session, actor=actor, opening_id=opening_id, now=now)
        return opening_out(await queries.opening_for(session, actor, opening_id))

    return await once(request, session, actor, now, work)


@post("/api/openings/{opening_id:uuid}/return", opt=allow(*APPROVERS), status_code=200)
async def take_back(
    request: AnyRequest,
    opening_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[OpeningOut]:
    """Have a posted sheet taken back from whoever has spent nothing of it."""

    async def work() -> OpeningOut:
        await actions.take_back(session, actor=actor, opening_id=opening_id, now=now)
        return opening_out(await queries.opening_for(session, actor, opening_id))

    return await once(request, session, actor, now, work)


HANDLERS = [openings, check, opening, rows, propose, approve, withdraw, take_back]
