"""The desk's pages of the bank's lists."""

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

from service.identity import people_by_ids
from service.kit.access import Actor, allow
from service.kit.export import csv_answer
from service.kit.i18n import _, translate
from service.kit.manifest import InboxRow
from service.kit.once import once_page
from service.kit.pages import form_of, go, page, refill
from service.kit.sheets.refusals import FILE_BYTES_MAX, FileTooLarge
from service.kit.workbook import xlsx_answer
from service.payouts.bank import actions, queries, workbooks
from service.payouts.bank.payloads import AsideIn, BookForm, ColumnsIn, ListForm
from service.payouts.bank.queries import Choice, LineView, ListView
from service.payouts.bank.rules import CERTAIN, Column, ListState, Outcome, Verdict
from service.payouts.rules import PROPOSERS, READERS

AnyRequest = Request[Any, Any, Any]
PAGE = "/desk/payouts/bank"
BODY_BYTES_MAX = 12_000_000
"""More than a list may have, so that a slightly too large one is refused in our words and not cut off."""
ORDER = (
    *(verdict for verdict in Verdict if verdict not in CERTAIN and verdict is not Verdict.KNOWN),
    *CERTAIN,
    Verdict.KNOWN,
)
"""What needs a look first, then what is certain."""


async def _lists(session: AsyncSession, actor: Actor, after: str | None = None) -> dict[str, Any]:
    found = await queries.lists(session, actor.community_id, after=after)
    return {
        "title": _("银行清单"),
        "lists": found.rows,
        "people": await people_by_ids(session, actor.community_id, {view.uploaded_by for view in found.rows}),
        "next_url": f"{PAGE}?after={found.next}" if found.next else None,
        "may_upload": actor.has(*PROPOSERS),
        "certain": CERTAIN,
    }


@get(PAGE, opt=allow(*READERS), include_in_schema=False)
async def lists_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    after: FromQuery[str | None] = None,
) -> Template:
    """Upload a list of the bank; the lists so far."""
    return page(request, "payouts/bank_lists.html", **await _lists(session, actor, after))


@get(PAGE + "/template.xlsx", opt=allow(*PROPOSERS), include_in_schema=False)
async def template() -> Response[bytes]:
    """The sheet to fill in."""
    return xlsx_answer(_("银行清单模板"), await anyio.to_thread.run_sync(workbooks.template))


@get(PAGE + "/template.csv", opt=allow(*PROPOSERS), include_in_schema=False)
async def template_csv() -> Response[bytes]:
    """The same as CSV."""
    return csv_answer(_("银行清单模板"), workbooks.template_csv())


@post(PAGE, opt=allow(*PROPOSERS), include_in_schema=False, request_max_body_size=BODY_BYTES_MAX)
async def upload(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Check a list and show what it says."""
    with refill(request, "payouts/bank_lists.html", **await _lists(session, actor)):
        form = await form_of(request, ListForm)
        content = await form.file.read(FILE_BYTES_MAX + 1)
        if len(content) > FILE_BYTES_MAX:
            raise FileTooLarge
        made = await actions.check_list(
            session, actor=actor, file_name=form.file.filename or "?", content=content, now=now
        )
    return go(f"{PAGE}/{made}")


async def _columns(session: AsyncSession, actor: Actor) -> dict[str, Any]:
    kept = await queries.columns_of(session, actor.community_id)
    return {
        "title": _("银行清单的列名"),
        "fields": [
            (column.name.lower(), translate(f"bank_column.{column.name.lower()}"), kept.headings.get(column.value, ""))
            for column in Column
        ],
        "revision": kept.revision,
        "may_change": actor.has(*PROPOSERS),
    }


@get(PAGE + "/columns", opt=allow(*READERS), include_in_schema=False)
async def columns_page(
    request: AnyRequest, session: NamedDependency[AsyncSession], actor: NamedDependency[Actor]
) -> Template:
    """Under which headings this community's bank writes its columns."""
    return page(request, "payouts/bank_columns.html", **await _columns(session, actor))


@post(PAGE + "/columns", opt=allow(*PROPOSERS), include_in_schema=False)
async def choose_columns(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Keep other headings."""
    with refill(request, "payouts/bank_columns.html", **await _columns(session, actor)):
        form = await form_of(request, ColumnsIn)

        async def work() -> str:
            await actions.choose_columns(
                session, actor=actor, headings=form.headings(), revision=form.revision, now=now
            )
            return f"{PAGE}?done=payouts.columns_chosen"

        return await once_page(request, session, actor, now, work)


async def _one(
    session: AsyncSession, actor: Actor, list_id: UUID, show: str | None = None, after: str | None = None
) -> dict[str, Any]:
    view = await queries.list_for(session, actor.community_id, list_id)
    kinds = _kinds(view)
    chosen = show if show in kinds else next(iter(kinds), "")
    is_booked = view.state is ListState.BOOKED
    found = await queries.lines_of(
        session,
        actor.community_id,
        list_id,
        verdict=None if is_booked else Verdict(chosen),
        outcome=Outcome(chosen) if is_booked else None,
        after=after,
    )
    waiting = [line for line in found.rows if line.is_to_book]
    may_decide = actor.has(*PROPOSERS)
    choices = await queries.choices(session, actor.community_id, waiting) if waiting and may_decide else []
    url = f"{PAGE}/{list_id}"
    hands = {view.uploaded_by, view.booked_by, *(line.decided_by for line in found.rows)}
    return {
        "title": _("银行清单"),
        "list": view,
        "url": url,
        "people": await people_by_ids(session, actor.community_id, hands),
        "views": [
            {"label": label, "url": f"{url}?show={kind}", "current": kind == chosen, "count": count}
            for kind, (label, count) in kinds.items()
        ],
        "lines": [_line(line) for line in found.rows],
        "options": {line.line_no: [_option(each) for each in choices if _may_be(line, each)] for line in waiting},
        "next_url": f"{url}?show={chosen}&after={found.next}" if found.next else None,
        "certain": sum(view.verdicts[verdict] for verdict in CERTAIN),
        "may_book": view.state is ListState.CHECKED and may_decide,
        "may_decide": may_decide,
    }


def _may_be(line: LineView, choice: Choice) -> bool:
    """Whether a line may be offered this statement: what is open takes a part as well, what came back is whole."""
    if line.direction == "returned":
        return choice.fen == line.fen
    return choice.payment is None and line.fen <= choice.fen


def _option(choice: Choice) -> tuple[str, str]:
    yuan = f"{choice.fen // 100}.{choice.fen % 100:02}"
    if choice.payment is None:
        said = _("{shop} 第 {number} 期，没付的 {yuan} 元")
        return str(choice.settlement_id), said.format(shop=choice.shop, number=choice.number, yuan=yuan)
    said = _("{shop} 第 {number} 期，第 {payment} 次付的 {yuan} 元")
    return (
        f"{choice.settlement_id}/{choice.payment}",
        said.format(shop=choice.shop, number=choice.number, payment=choice.payment, yuan=yuan),
    )


def _kinds(view: ListView) -> dict[str, tuple[str, int]]:
    """The kinds of lines that there are: by verdict before it is confirmed, by outcome afterwards."""
    if view.state is ListState.BOOKED:
        outcomes = (Outcome.OPEN, Outcome.BOOKED, Outcome.ASIDE, Outcome.SKIPPED)
        return {
            kind.value: (translate(f"state.bank_outcome.{kind.value}"), view.outcomes[kind])
            for kind in outcomes
            if view.outcomes[kind]
        }
    return {
        kind.value: (translate(f"state.bank_line.{kind.value}"), view.verdicts[kind])
        for kind in ORDER
        if view.verdicts[kind]
    }


def _line(line: LineView) -> dict[str, Any]:
    problem = ""
    if line.problem is not None:
        column, code = line.problem
        name = translate(f"bank_column.{column.name.lower()}")
        problem = _("{column}：{problem}").format(column=name, problem=translate(f"bank_problem.{code}"))
    return {
        "line": line,
        "problem": problem,
        "refused": translate(f"refusal.{line.refused_code}") if line.refused_code else "",
        "is_returned": line.direction == "returned",
        "is_open": line.outcome is Outcome.OPEN,
        "is_unread": line.outcome is Outcome.OPEN and not line.is_to_book,
    }


@get(PAGE + "/{list_id:uuid}", opt=allow(*READERS), include_in_schema=False)
async def list_page(
    request: AnyRequest,
    list_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    show: FromQuery[str | None] = None,
    after: FromQuery[str | None] = None,
) -> Template:
    """What a list says, line by line, and what became of it."""
    return page(request, "payouts/bank_list.html", **await _one(session, actor, list_id, show, after))


async def _act(
    request: AnyRequest,
    session: AsyncSession,
    actor: Actor,
    now: datetime,
    list_id: UUID,
    act: Callable[[], Awaitable[str]],
) -> Redirect:
    with refill(request, "payouts/bank_list.html", **await _one(session, actor, list_id)):

        async def work() -> str:
            return f"{PAGE}/{list_id}?done={await act()}"

        return await once_page(request, session, actor, now, work)


@post(PAGE + "/{list_id:uuid}/book", opt=allow(*PROPOSERS), include_in_schema=False)
async def book(
    request: AnyRequest,
    list_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Book what is certain."""

    async def act() -> str:
        await actions.book_list(session, actor=actor, list_id=list_id, now=now)
        return "payouts.list_booked"

    return await _act(request, session, actor, now, list_id, act)


@post(PAGE + "/{list_id:uuid}/lines/{line_no:int}/book", opt=allow(*PROPOSERS), include_in_schema=False)
async def book_line(
    request: AnyRequest,
    list_id: FromPath[UUID],
    line_no: FromPath[int],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Decide by hand which statement a line is about."""

    async def act() -> str:
        settlement_id, payment = (await form_of(request, BookForm)).chosen()
        await actions.book_line(
            session,
            actor=actor,
            list_id=list_id,
            line_no=line_no,
            settlement_id=settlement_id,
            payment=payment,
            now=now,
        )
        return "payouts.line_booked"

    return await _act(request, session, actor, now, list_id, act)


@post(PAGE + "/{list_id:uuid}/lines/{line_no:int}/aside", opt=allow(*PROPOSERS), include_in_schema=False)
async def aside(
    request: AnyRequest,
    list_id: FromPath[UUID],
    line_no: FromPath[int],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Decide by hand that a line concerns no statement."""

    async def act() -> str:
        form = await form_of(request, AsideIn)
        await actions.set_aside(session, actor=actor, list_id=list_id, line_no=line_no, reason=form.reason, now=now)
        return "payouts.line_set_aside"

    return await _act(request, session, actor, now, list_id, act)


async def inbox(session: AsyncSession, actor: Actor, now: datetime) -> list[InboxRow]:
    """The lists with lines that finance has to decide."""
    del now
    if not actor.has(*PROPOSERS):
        return []
    found = await queries.waiting(session, actor.community_id)
    people = await people_by_ids(session, actor.community_id, {each[2] for each in found})
    return [
        InboxRow(
            "bank_line",
            _("银行清单里 {n} 行等人定").format(n=count),
            people[who].name if who in people else "",
            at,
            f"{PAGE}/{list_id}",
        )
        for list_id, count, who, at in found
    ]


HANDLERS = [
    lists_page,
    template,
    template_csv,
    upload,
    columns_page,
    choose_columns,
    list_page,
    book,
    book_line,
    aside,
]
