"""The clerk's pages of importing people."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import anyio.to_thread
from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from service import identity
from service.imports import actions, actions_apply, actions_slips, actions_undo, queries, workbooks
from service.imports.actions_slips import Slip
from service.imports.payloads import SlipsForm, UploadForm
from service.imports.queries import BatchView, RowView
from service.imports.rules import BatchState, Verdict
from service.imports.wording import change_sentence, problem_sentence, slip_place, unused_sentence, written_sentences
from service.kit.access import Actor, Role, allow
from service.kit.i18n import _, translate
from service.kit.once import once_page
from service.kit.pages import form_of, go, page, refill
from service.kit.sheets.refusals import FILE_BYTES_MAX, FileTooLarge
from service.kit.workbook import xlsx_answer

AnyRequest = Request[Any, Any, Any]
CLERKS = allow(Role.STAFF, Role.ADMIN)
BODY_BYTES_MAX = 12_000_000
"""More than a sheet may have, so that a slightly too large one is refused in our words and not cut off."""


@get("/desk/imports", opt=CLERKS, include_in_schema=False)
async def imports_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    after: FromQuery[str | None] = None,
) -> Template:
    """Upload a sheet; the imports so far."""
    return page(request, "imports/list.html", **await _list(session, actor, after))


async def _list(session: AsyncSession, actor: Actor, after: str | None = None) -> dict[str, Any]:
    found = await queries.batches(session, actor.community_id, after=after)
    people = await identity.people_by_ids(session, actor.community_id, {batch.uploaded_by for batch in found.rows})
    rows = [{"batch": batch, "by": people[batch.uploaded_by].name} for batch in found.rows]
    next_url = f"/desk/imports?after={found.next}" if found.next else None
    return {"title": _("导入人员"), "rows": rows, "next_url": next_url}


@get("/desk/imports/template.xlsx", opt=CLERKS, include_in_schema=False)
async def template() -> Response[bytes]:
    """The sheet to fill in."""
    return xlsx_answer(_("人员导入模板"), await anyio.to_thread.run_sync(workbooks.template))


@post("/desk/imports", opt=CLERKS, include_in_schema=False, request_max_body_size=BODY_BYTES_MAX)
async def upload(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Check a sheet and show what it would do."""
    shown = await _list(session, actor)
    with refill(request, "imports/list.html", **shown):
        form = await form_of(request, UploadForm)
        content = await form.file.read(FILE_BYTES_MAX + 1)
        if len(content) > FILE_BYTES_MAX:
            raise FileTooLarge
        import_id = await actions.check_sheet(
            session, actor=actor, file_name=form.file.filename or "?", content=content, now=now
        )
    return go(f"/desk/imports/{import_id}")


@get("/desk/imports/{import_id:uuid}", opt=CLERKS, include_in_schema=False)
async def import_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    import_id: FromPath[UUID],
    show: FromQuery[Verdict | None] = None,
    after: FromQuery[str | None] = None,
) -> Template:
    """What a sheet would do, row by row; what it did."""
    return page(request, "imports/import.html", **await _one(session, actor, now, import_id, show, after))


async def _one(
    session: AsyncSession,
    actor: Actor,
    now: datetime,
    import_id: UUID,
    show: Verdict | None = None,
    after: str | None = None,
) -> dict[str, Any]:
    batch = await queries.batch_for(session, actor, import_id)
    chosen = show or _most_urgent(batch)
    found = await queries.rows_of(session, actor.community_id, import_id, [chosen], after=after)
    ids = {batch.uploaded_by, batch.applied_by, batch.undone_by}
    people = await identity.people_by_ids(session, actor.community_id, ids)
    url = f"/desk/imports/{import_id}"
    views = [
        {
            "label": translate(f"state.import_row.{verdict.value}"),
            "url": f"{url}?show={verdict.value}",
            "current": verdict is chosen,
            "count": count,
        }
        for verdict, count in batch.counts.items()
    ]
    is_applied = batch.state is BatchState.APPLIED
    return {
        "title": _("导入人员"),
        "batch": batch,
        "url": url,
        "unused": unused_sentence(batch.unused, {heading for row in found.rows for heading in row.row.typed})
        if batch.unused
        else "",
        "views": views,
        "chosen": chosen.value,
        "rows": [_row(row) for row in found.rows],
        "next_url": f"{url}?show={chosen.value}&after={found.next}" if found.next else None,
        "by": {member_id: person.name for member_id, person in people.items()},
        "parts": await actions_slips.slip_parts(session, actor, import_id, now) if is_applied else 0,
        "is_forgotten": batch.is_forgotten(now),
        "slips_at_once": actions_slips.SLIPS_AT_ONCE,
    }


def _most_urgent(batch: BatchView) -> Verdict:
    """Errors first, then conflicts, then what will be written."""
    order = (Verdict.ERROR, Verdict.CONFLICT, Verdict.CHANGED, Verdict.NEW, Verdict.UNCHANGED)
    return next((verdict for verdict in order if batch.counts[verdict]), Verdict.NEW)


def _row(row: RowView) -> dict[str, object]:
    return {
        "row_no": row.row_no,
        "card_no": row.row.card_no or row.row.typed.get("卡号", ""),
        "name": row.row.name,
        "problems": [problem_sentence(problem) for problem in row.problems],
        "changes": [change_sentence(change) for change in row.changes],
        "values": written_sentences(row.meant) if row.verdict is Verdict.NEW and row.meant else [],
        "kept": row.kept,
        "member_id": row.member_id,
    }


@post("/desk/imports/{import_id:uuid}/apply", opt=CLERKS, include_in_schema=False)
async def apply(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    import_id: FromPath[UUID],
) -> Redirect:
    """Write all good rows."""

    async def work() -> str:
        await actions_apply.apply_import(session, actor=actor, import_id=import_id, now=now)
        return f"/desk/imports/{import_id}?done=imports.applied"

    with refill(request, "imports/import.html", **await _one(session, actor, now, import_id)):
        return await once_page(request, session, actor, now, work)


@post("/desk/imports/{import_id:uuid}/check-again", opt=CLERKS, include_in_schema=False)
async def check_again(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    import_id: FromPath[UUID],
) -> Redirect:
    """Judge the rows against the people of today."""
    with refill(request, "imports/import.html", **await _one(session, actor, now, import_id)):
        await actions.check_again(session, actor=actor, import_id=import_id, now=now)
    return go(f"/desk/imports/{import_id}", "imports.checked")


@post("/desk/imports/{import_id:uuid}/undo", opt=CLERKS, include_in_schema=False)
async def undo(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    import_id: FromPath[UUID],
) -> Redirect:
    """Take the import back."""
    with refill(request, "imports/import.html", **await _one(session, actor, now, import_id)):
        await actions_undo.undo_import(session, actor=actor, import_id=import_id, now=now)
    return go(f"/desk/imports/{import_id}", "imports.undone")


@get("/desk/imports/{import_id:uuid}/errors.xlsx", opt=CLERKS, include_in_schema=False)
async def errors(
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    import_id: FromPath[UUID],
) -> Response[bytes]:
    """The rows with errors, to be corrected and imported again."""
    rows = await actions.take_out_errors(session, actor=actor, import_id=import_id, now=now)
    return xlsx_answer(_("有错误的行"), await anyio.to_thread.run_sync(workbooks.errors, rows))


@post("/desk/imports/{import_id:uuid}/slips", opt=CLERKS, include_in_schema=False, status_code=200)
async def slips(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    import_id: FromPath[UUID],
    state: State,
) -> Template:
    """Activation slips, eight on a sheet.

    Answered without a redirect on purpose: the codes are kept as hashes only, so no second page could show them.
    """
    with refill(request, "imports/import.html", **await _one(session, actor, now, import_id)):
        form = await form_of(request, SlipsForm)
        made = await actions_slips.issue_slips(session, actor=actor, import_id=import_id, part=form.part, now=now)
    cards = await anyio.to_thread.run_sync(_cards, made.slips, state.settings.origin)
    sheets = [cards[start : start + 8] for start in range(0, len(cards), 8)]
    return page(
        request,
        "imports/slips.html",
        title=_("启用单"),
        sheets=sheets,
        count=len(cards),
        part=made.part,
        parts=made.parts,
        back=f"/desk/imports/{import_id}",
    )


def _cards(made: Sequence[Slip], origin: str) -> list[dict[str, object]]:
    return [
        {
            "name": slip.person.name,
            "card_no": slip.person.card_no,
            "place": slip_place(slip.person),
            "code": identity.grouped_code(slip.code),
            "qr": redemption.qr_svg(f"{origin}/A/{slip.code}".upper()),
        }
        for slip in made
    ]
