"""The desk's pages of opening balances."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import anyio.to_thread
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from service.chart import MINUTE, POINT
from service.identity import people_by_ids
from service.imports.openings import actions, queries, workbooks
from service.imports.openings.cells import problem_sentence
from service.imports.openings.payloads import UploadForm
from service.imports.openings.queries import OpeningView, RowView
from service.imports.openings.rules import (
    APPROVERS,
    PROPOSERS,
    READERS,
    OpeningState,
    OpeningVerdict,
    Outcome,
)
from service.kit.access import Actor, allow
from service.kit.clock import local_day
from service.kit.i18n import _, translate
from service.kit.manifest import InboxRow
from service.kit.once import once_page
from service.kit.pages import form_of, go, page, refill
from service.kit.sheets.refusals import FILE_BYTES_MAX, FileTooLarge
from service.kit.workbook import xlsx_answer

AnyRequest = Request[Any, Any, Any]
BODY_BYTES_MAX = 12_000_000
"""More than a sheet may have, so that a slightly too large one is refused in our words and not cut off."""
Act = Callable[..., Awaitable[None]]


@get("/desk/openings", opt=allow(*READERS), include_in_schema=False)
async def openings_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    after: FromQuery[str | None] = None,
) -> Template:
    """Upload a sheet of balances; the sheets so far."""
    return page(request, "imports/openings.html", **await _list(session, actor, now, after))


async def _list(session: AsyncSession, actor: Actor, now: datetime, after: str | None = None) -> dict[str, Any]:
    found = await queries.openings(session, actor.community_id, after=after)
    people = await people_by_ids(session, actor.community_id, {view.uploaded_by for view in found.rows})
    return {
        "title": _("期初余额"),
        "rows": [{"opening": view, "by": people[view.uploaded_by].name} for view in found.rows],
        "next_url": f"/desk/openings?after={found.next}" if found.next else None,
        "may_upload": actor.has(*PROPOSERS),
        "today": local_day(now),
    }


@get("/desk/openings/template.xlsx", opt=allow(*PROPOSERS), include_in_schema=False)
async def template() -> Response[bytes]:
    """The sheet to fill in."""
    return xlsx_answer(_("期初余额模板"), await anyio.to_thread.run_sync(workbooks.template))


@post("/desk/openings", opt=allow(*PROPOSERS), include_in_schema=False, request_max_body_size=BODY_BYTES_MAX)
async def upload(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Check a sheet and show what it would bring."""
    with refill(request, "imports/openings.html", **await _list(session, actor, now)):
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
    return go(f"/desk/openings/{made}")


@get("/desk/openings/{opening_id:uuid}", opt=allow(*READERS), include_in_schema=False)
async def opening_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    opening_id: FromPath[UUID],
    show: FromQuery[OpeningVerdict | None] = None,
    outcome: FromQuery[Outcome | None] = None,
    after: FromQuery[str | None] = None,
) -> Template:
    """What a sheet would bring, with the totals before and after; how far it is posted; what became of each row."""
    return page(request, "imports/opening.html", **await _one(session, actor, opening_id, show, outcome, after))


async def _one(
    session: AsyncSession,
    actor: Actor,
    opening_id: UUID,
    show: OpeningVerdict | None = None,
    outcome: Outcome | None = None,
    after: str | None = None,
) -> dict[str, Any]:
    view = await queries.opening_for(session, actor, opening_id)
    chosen = show or _most_urgent(view)
    found = await queries.rows_of(session, actor.community_id, opening_id, chosen, outcome=outcome, after=after)
    url = f"/desk/openings/{opening_id}"
    asked = f"{url}?show={chosen.value}" + (f"&outcome={outcome.value}" if outcome else "")
    people = await people_by_ids(session, actor.community_id, view.people)
    return {
        "title": _("期初余额"),
        "opening": view,
        "url": url,
        "by": {member_id: person.name for member_id, person in people.items()},
        "totals": await queries.totals(session, actor.community_id),
        "adds": {MINUTE: view.minutes, POINT: view.points},
        "views": [
            {
                "label": translate(f"state.opening_row.{verdict.value}"),
                "url": f"{url}?show={verdict.value}",
                "current": verdict is chosen,
                "count": count,
            }
            for verdict, count in view.counts.items()
        ],
        "chosen": chosen.value,
        "rows": [_row(row) for row in found.rows],
        "next_url": f"{asked}&after={found.next}" if found.next else None,
        **_may(actor, view),
    }


def _may(actor: Actor, view: OpeningView) -> dict[str, bool]:
    is_second = actor.member_id not in (view.uploaded_by, view.proposed_by)
    is_open = view.state in (OpeningState.CHECKED, OpeningState.PROPOSED)
    return {
        "may_propose": view.state is OpeningState.CHECKED
        and actor.has(*PROPOSERS)
        and view.counts[OpeningVerdict.NEW] > 0,
        "may_approve": view.state is OpeningState.PROPOSED and actor.has(*APPROVERS) and is_second,
        "may_withdraw": is_open and actor.has(*PROPOSERS, *APPROVERS),
        "may_take_back": view.state is OpeningState.POSTED and actor.has(*APPROVERS) and view.posted > 0,
        "may_take_errors": actor.has(*PROPOSERS) and view.counts[OpeningVerdict.ERROR] > 0,
        "waits_for_second": view.state is OpeningState.PROPOSED and not is_second,
    }


def _most_urgent(view: OpeningView) -> OpeningVerdict:
    """Errors first, then conflicts, then what will be brought."""
    order: tuple[OpeningVerdict, ...] = (
        OpeningVerdict.ERROR,
        OpeningVerdict.CONFLICT,
        OpeningVerdict.NEW,
        OpeningVerdict.BROUGHT,
    )
    if view.state not in (OpeningState.CHECKED, OpeningState.PROPOSED):
        order = (OpeningVerdict.NEW, *order)
    return next((verdict for verdict in order if view.counts[verdict]), OpeningVerdict.NEW)


def _row(row: RowView) -> dict[str, object]:
    return {
        "row_no": row.row_no,
        "who": row.who or row.typed.get("卡号", ""),
        "member_id": row.member_id,
        "minutes": row.minutes,
        "points": row.points,
        "record_minutes": row.record_minutes,
        "source": row.source,
        "outcome": row.outcome.value if row.outcome else "",
        "refused": translate(f"refusal.{row.refused_code}") if row.refused_code else "",
        "problems": [problem_sentence(problem) for problem in row.problems],
    }


async def _act(
    request: AnyRequest, session: AsyncSession, actor: Actor, now: datetime, opening_id: UUID, act: Act, done: str
) -> Redirect:
    with refill(request, "imports/opening.html", **await _one(session, actor, opening_id)):

        async def work() -> str:
            await act(session, actor=actor, opening_id=opening_id, now=now)
            return f"/desk/openings/{opening_id}?done={done}"

        return await once_page(request, session, actor, now, work)


@post("/desk/openings/{opening_id:uuid}/propose", opt=allow(*PROPOSERS), include_in_schema=False)
async def propose(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    opening_id: FromPath[UUID],
) -> Redirect:
    """Ask a second person to let it be posted."""
    return await _act(request, session, actor, now, opening_id, actions.propose, "openings.proposed")


@post("/desk/openings/{opening_id:uuid}/approve", opt=allow(*APPROVERS), include_in_schema=False)
async def approve(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    opening_id: FromPath[UUID],
) -> Redirect:
    """Let it be posted, as the second person."""
    return await _act(request, session, actor, now, opening_id, actions.approve, "openings.approved")


@post("/desk/openings/{opening_id:uuid}/withdraw", opt=allow(*PROPOSERS, *APPROVERS), include_in_schema=False)
async def withdraw(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    opening_id: FromPath[UUID],
) -> Redirect:
    """Give a sheet up that nobody has approved."""
    return await _act(request, session, actor, now, opening_id, actions.withdraw, "openings.withdrawn")


@post("/desk/openings/{opening_id:uuid}/take-back", opt=allow(*APPROVERS), include_in_schema=False)
async def take_back(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    opening_id: FromPath[UUID],
) -> Redirect:
    """Have a posted sheet taken back."""
    return await _act(request, session, actor, now, opening_id, actions.take_back, "openings.taken_back")


@get("/desk/openings/{opening_id:uuid}/errors.xlsx", opt=allow(*PROPOSERS), include_in_schema=False)
async def errors(
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    opening_id: FromPath[UUID],
) -> Response[bytes]:
    """The rows with errors, to be corrected and uploaded again."""
    rows = await actions.take_out_errors(session, actor=actor, opening_id=opening_id, now=now)
    return xlsx_answer(_("有错误的行"), await anyio.to_thread.run_sync(workbooks.errors, rows))


async def inbox(session: AsyncSession, actor: Actor, now: datetime) -> list[InboxRow]:
    """The sheets that wait for this person to be the second."""
    del now
    if not actor.has(*APPROVERS):
        return []
    found = await queries.waiting(session, actor.community_id)
    people = await people_by_ids(session, actor.community_id, {view.proposed_by for view in found})
    return [
        InboxRow(
            "opening",
            _("{n} 人的期初余额").format(n=view.counts[OpeningVerdict.NEW]),
            people[view.proposed_by].name if view.proposed_by else "",
            view.proposed_at or view.uploaded_at,
            f"/desk/openings/{view.opening_id}",
        )
        for view in found
        if actor.member_id not in (view.uploaded_by, view.proposed_by)
    ]


HANDLERS = [
    openings_page,
    template,
    upload,
    opening_page,
    propose,
    approve,
    withdraw,
    take_back,
    errors,
]
