"""Importing people, as JSON."""

from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from sqlmodel.ext.asyncio.session import AsyncSession

from service.imports import actions, actions_apply, actions_slips, actions_undo, queries
from service.imports.payloads import (
    BatchAnswer,
    BatchesAnswer,
    RowsAnswer,
    SlipAnswer,
    SlipsAnswer,
    SlipsForm,
    UploadForm,
    batch_answer,
    row_answer,
)
from service.imports.rules import Verdict
from service.kit.access import Actor, Role, allow
from service.kit.forms import form_of
from service.kit.once import once
from service.kit.sheets.refusals import FILE_BYTES_MAX, FileTooLarge

AnyRequest = Request[Any, Any, Any]
CLERKS = allow(Role.STAFF, Role.ADMIN)
BODY_BYTES_MAX = 12_000_000


@get("/api/imports", opt=CLERKS)
async def imports(
    session: NamedDependency[AsyncSession], actor: NamedDependency[Actor], after: FromQuery[str | None] = None
) -> BatchesAnswer:
    """Imports, the newest first."""
    found = await queries.batches(session, actor.community_id, after=after)
    return BatchesAnswer([batch_answer(batch) for batch in found.rows], found.next)


@post("/api/imports", opt=CLERKS, status_code=201, request_max_body_size=BODY_BYTES_MAX)
async def check(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> BatchAnswer:
    """Check a sheet (multipart field `file`): nothing is written but the checked rows."""
    form = await form_of(request, UploadForm)
    content = await form.file.read(FILE_BYTES_MAX + 1)
    if len(content) > FILE_BYTES_MAX:
        raise FileTooLarge
    import_id = await actions.check_sheet(
        session, actor=actor, file_name=form.file.filename or "?", content=content, now=now
    )
    return batch_answer(await queries.batch_for(session, actor, import_id))


@get("/api/imports/{import_id:uuid}", opt=CLERKS)
async def one_import(
    session: NamedDependency[AsyncSession], actor: NamedDependency[Actor], import_id: FromPath[UUID]
) -> BatchAnswer:
    """One import."""
    return batch_answer(await queries.batch_for(session, actor, import_id))


@get("/api/imports/{import_id:uuid}/rows", opt=CLERKS)
async def rows(
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    import_id: FromPath[UUID],
    verdict: FromQuery[Verdict | None] = None,
    after: FromQuery[str | None] = None,
) -> RowsAnswer:
    """The rows of an import, in the sheet's order."""
    await queries.batch_for(session, actor, import_id)
    chosen = [verdict] if verdict else list(Verdict)
    found = await queries.rows_of(session, actor.community_id, import_id, chosen, after=after)
    return RowsAnswer([row_answer(row) for row in found.rows], found.next)


@post("/api/imports/{import_id:uuid}/apply", opt=CLERKS, status_code=200)
async def apply(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    import_id: FromPath[UUID],
) -> Response[BatchAnswer]:
    """Write all good rows, all or none."""

    async def work() -> BatchAnswer:
        await actions_apply.apply_import(session, actor=actor, import_id=import_id, now=now)
        return batch_answer(await queries.batch_for(session, actor, import_id))

    return await once(request, session, actor, now, work)


@post("/api/imports/{import_id:uuid}/check-again", opt=CLERKS, status_code=200)
async def check_again(
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    import_id: FromPath[UUID],
) -> BatchAnswer:
    """Judge the rows against the people of today."""
    await actions.check_again(session, actor=actor, import_id=import_id, now=now)
    return batch_answer(await queries.batch_for(session, actor, import_id))


@post("/api/imports/{import_id:uuid}/undo", opt=CLERKS, status_code=200)
async def undo(
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    import_id: FromPath[UUID],
) -> BatchAnswer:
    """Take an import back."""
    await actions_undo.undo_import(session, actor=actor, import_id=import_id, now=now)
    return batch_answer(await queries.batch_for(session, actor, import_id))


@post("/api/imports/{import_id:uuid}/slips", opt=CLERKS, status_code=200)
async def slips(
    data: JSONBody[SlipsForm],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    import_id: FromPath[UUID],
    state: State,
) -> SlipsAnswer:
    """One-time codes for a part of the new people; told once, older codes die."""
    made = await actions_slips.issue_slips(session, actor=actor, import_id=import_id, part=data.part, now=now)
    return SlipsAnswer(
        [
            SlipAnswer(
                slip.person.member_id, slip.person.card_no, slip.code, f"{state.settings.origin}/A/{slip.code}".upper()
            )
            for slip in made.slips
        ],
        made.part,
        made.parts,
    )
