"""The desk's review inbox: four views, a filter in the address, many rows in one act, and a way back."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from service.communities import setting
from service.hours import actions, queries
from service.hours.payloads import BackForm, ReviewForm, TimesForm, UndoForm
from service.hours.queries import ReviewFilter, ReviewRow, ReviewView
from service.hours.rules import REVIEW_ROWS_MAX, Check, NothingChosen
from service.kit.access import Actor, Role, allow
from service.kit.clock import HOME_ZONE, local_day
from service.kit.db import poster_of_app, sessions_of_app
from service.kit.export import Cell, csv_answer, csv_bytes
from service.kit.i18n import _, translate
from service.kit.once import once_page, once_page_in_steps
from service.kit.pages import form_of, page, refill, safe_path
from service.kit.refusals import Invalid

AnyRequest = Request[Any, Any, Any]
REVIEWERS = allow(Role.APPROVER, Role.STAFF)
INBOX = "/desk/hours"
SHOWN_FILTERS = ("check", "activity", "since", "until", "q")


def filter_of(values: Mapping[str, str]) -> ReviewFilter:
    """The filter in an address; what cannot be read is refused, so that nobody approves under another filter than meant."""
    try:
        return ReviewFilter(
            view=ReviewView(values.get("view") or ReviewView.WAITING),
            check=Check(values["check"]) if values.get("check") else None,
            activity_id=UUID(values["activity"]) if values.get("activity") else None,
            served_from=date.fromisoformat(values["since"]) if values.get("since") else None,
            served_until=date.fromisoformat(values["until"]) if values.get("until") else None,
            text=values.get("q", "")[:40],
        )
    except ValueError as problem:
        raise Invalid({"filter": "choice"}) from problem


def _kept(values: Mapping[str, str], **other: str | None) -> str:
    """This page's address with some of its filter changed."""
    kept = {name: values[name] for name in ("view", *SHOWN_FILTERS) if values.get(name)}
    kept.update({name: value for name, value in other.items() if value})
    for name, value in other.items():
        if not value:
            kept.pop(name, None)
    return INBOX + (f"?{urlencode(kept)}" if kept else "")


def items_of(texts: Sequence[str]) -> dict[UUID, int]:
    """Rows as they stand in the form, `<id>.<revision>`."""
    items: dict[UUID, int] = {}
    try:
        for text in texts:
            number, _dot, revision = text.partition(".")
            items[UUID(number)] = int(revision)
    except ValueError as problem:
        raise Invalid({"ids": "choice"}) from problem
    return items


def item_text(row: ReviewRow) -> str:
    """A row as it stands in the form: the id, and the revision that was seen."""
    return f"{row.attendance_id.hex}.{row.revision}"


def _undecided(row: ReviewRow, actor: Actor) -> bool:
    return row.state == "done" and row.member_id != actor.member_id


@get(INBOX, opt=REVIEWERS, include_in_schema=False)
async def inbox_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    after: FromQuery[str | None] = None,
    row: FromQuery[UUID | None] = None,
    review: FromQuery[UUID | None] = None,
) -> Template:
    """The rows of the filter, their sum, what the last review did, and one row opened beside them."""
    values = {name: str(value) for name, value in request.query_params.items()}
    wanted = filter_of(values)
    found = await queries.review_page(session, actor.community_id, wanted, after=after)
    counts = await queries.review_counts(session, actor.community_id, wanted)
    count, minutes = await queries.review_sum(session, actor.community_id, wanted)
    opened = await queries.review_row(session, actor.community_id, row) if row else None
    return page(
        request,
        "hours/review.html",
        title=_("时长审核"),
        wanted=wanted,
        values=values,
        rows=[(item, item_text(item), _kept(values, row=item.attendance_id.hex)) for item in found.rows],
        views=[
            {
                "label": translate(f"view.hours.{view.value}"),
                "url": _kept(values, view=view.value),
                "count": counts[view],
                "current": view is wanted.view,
            }
            for view in ReviewView
        ],
        checks=[(check, _kept(values, check=None if wanted.check is check else check.value)) for check in Check],
        count=count,
        minutes=minutes,
        next_url=_kept(values, after=found.next) if found.next else None,
        here=_kept(values),
        export_url=_kept(values).replace(INBOX, f"{INBOX}/export.csv", 1),
        all_url=_kept(values).replace(INBOX, f"{INBOX}/approve-all", 1),
        least_percent=await setting(session, actor.community_id, "presence_percent_min", local_day(now)),
        opened=opened,
        opened_item=item_text(opened) if opened else "",
        can_decide=opened is not None and _undecided(opened, actor),
        decided_by_me=actor.member_id,
        last=await queries.review_done(session, actor.community_id, review) if review else None,
        zone=HOME_ZONE,
    )


def _after_review(back: str, review_id: UUID) -> str:
    """Back to the same filter, with what was done said on top."""
    path = safe_path(back, INBOX)
    if not (path == INBOX or path.startswith(f"{INBOX}?")):
        path = INBOX
    return path + ("&" if "?" in path else "?") + urlencode({"review": review_id.hex})


@post(f"{INBOX}/approve", opt=REVIEWERS, include_in_schema=False)
async def approve(
    request: AnyRequest, state: State, actor: NamedDependency[Actor], now: NamedDependency[datetime]
) -> Redirect:
    """Approve the chosen rows; all that match are shown on a page of their own first."""
    form = await form_of(request, ReviewForm)
    back = safe_path(form.back, INBOX)
    if form.scope == "matching" and not form.one:
        query = back.partition("?")[2]
        return Redirect(f"{INBOX}/approve-all?{query}", status_code=303)
    items, sessions = items_of([form.one] if form.one else form.ids), sessions_of_app(state)
    actions.check_choice(items)

    async def work(review_id: UUID) -> tuple[str, bool]:
        done = await actions.approve_attendances(
            sessions, poster_of_app(state), actor=actor, items=items, review_id=review_id, now=now
        )
        return _after_review(back, review_id), done.is_final

    return await once_page_in_steps(request, sessions, actor, now, work)


@get(f"{INBOX}/approve-all", opt=REVIEWERS, include_in_schema=False)
async def approve_all_page(
    request: AnyRequest, session: NamedDependency[AsyncSession], actor: NamedDependency[Actor]
) -> Template:
    """The second step of approving everything that agrees: exactly the rows that the button will approve."""
    values = {name: str(value) for name, value in request.query_params.items()}
    wanted = filter_of({**values, "view": ReviewView.WAITING.value})
    found = await queries.review_page(session, actor.community_id, wanted, size=REVIEW_ROWS_MAX)
    rows = [row for row in found.rows if _undecided(row, actor)]
    if not rows:
        raise NothingChosen
    return page(
        request,
        "hours/approve_all.html",
        title=_("一起通过"),
        rows=rows,
        items=[item_text(row) for row in rows],
        minutes=sum(row.minutes for row in rows),
        has_more=found.next is not None,
        back=_kept(values, view=ReviewView.WAITING.value),
    )


@post(f"{INBOX}/return", opt=REVIEWERS, include_in_schema=False)
async def send_back(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Return the chosen rows; without a reason the page asks for one."""
    raw = await request.form()
    one = str(raw.get("one") or "")
    texts = [one] if one else [str(text) for text in raw.getall("ids", [])]
    context = {
        "title": _("退回时长"),
        "items": texts,
        "back": safe_path(str(raw.get("back") or ""), INBOX),
    }
    with refill(request, "hours/return.html", **context):
        form = await form_of(request, ReviewForm)
        items = items_of(texts)
        if not items:
            raise NothingChosen
        if not form.reason:
            raise Invalid({"reason": "required"})

        async def work() -> str:
            reviewed = await actions.return_attendances(session, actor=actor, items=items, reason=form.reason, now=now)
            return _after_review(form.back, reviewed.review_id)

        return await once_page(request, session, actor, now, work)


@post(f"{INBOX}/reviews/{{review_id:uuid}}/undo", opt=REVIEWERS, include_in_schema=False)
async def undo_review(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    review_id: FromPath[UUID],
) -> Redirect:
    """Take a whole review back."""
    form = await form_of(request, BackForm)

    async def work() -> str:
        await actions.undo_review(session, actor=actor, review_id=review_id, now=now)
        return _after_review(form.back, review_id)

    return await once_page(request, session, actor, now, work)


def _row_path(back: str, attendance_id: UUID, done: str) -> str:
    path = safe_path(back, INBOX)
    if not (path == INBOX or path.startswith(f"{INBOX}?")):
        path = INBOX
    return path + ("&" if "?" in path else "?") + urlencode({"row": attendance_id.hex, "done": done})


@post(f"{INBOX}/{{attendance_id:uuid}}/undo", opt=REVIEWERS, include_in_schema=False)
async def undo_one(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    attendance_id: FromPath[UUID],
) -> Redirect:
    """Take one decision back."""
    form = await form_of(request, UndoForm)

    async def work() -> str:
        await actions.undo_approval(session, actor=actor, attendance_id=attendance_id, revision=form.revision, now=now)
        return _row_path(form.back, attendance_id, "hours.approval_undone")

    return await once_page(request, session, actor, now, work)


@get(f"{INBOX}/{{attendance_id:uuid}}/times", opt=REVIEWERS, include_in_schema=False)
async def times_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    attendance_id: FromPath[UUID],
) -> Template:
    """The times as they are, to be put right."""
    row = await queries.review_row(session, actor.community_id, attendance_id)
    values = {
        "came_at": _local(row.checked_in_at),
        "left_at": _local(row.checked_out_at or row.ends_at),
    }
    return page(request, "hours/times.html", title=_("更正时间"), row=row, values=values)


def _local(value: datetime) -> str:
    return value.astimezone(HOME_ZONE).strftime("%Y-%m-%dT%H:%M")


@post(f"{INBOX}/{{attendance_id:uuid}}/times", opt=REVIEWERS, include_in_schema=False)
async def adjust_times(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    attendance_id: FromPath[UUID],
) -> Redirect:
    """Put the times right."""
    row = await queries.review_row(session, actor.community_id, attendance_id)
    with refill(request, "hours/times.html", title=_("更正时间"), row=row):
        form = await form_of(request, TimesForm)

        async def work() -> str:
            await actions.adjust_times(
                session,
                actor=actor,
                attendance_id=attendance_id,
                revision=form.revision,
                came_at=form.came_at,
                left_at=form.left_at,
                now=now,
            )
            return _row_path(f"{INBOX}?view=waiting", attendance_id, "hours.times_adjusted")

        return await once_page(request, session, actor, now, work)


def _cells(row: ReviewRow) -> Sequence[Cell]:
    return (
        row.served_on,
        row.card_no,
        row.name,
        row.title,
        translate(f"class.{row.service_class.value}"),
        row.starts_at,
        row.ends_at,
        row.checked_in_at,
        row.checked_out_at,
        translate(f"how.{row.how_in.value}"),
        row.planned_minutes,
        row.minutes,
        row.credited_minutes,
        translate(f"check.{row.check.value}"),
        translate(f"state.attendance.{row.state.value}"),
        row.reviewed_by,
        row.reviewed_at,
        row.return_reason,
    )


@get(f"{INBOX}/export.csv", opt=REVIEWERS, include_in_schema=False)
async def export(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """What the filter finds, as a file; minutes stay whole numbers."""
    wanted = filter_of({name: str(value) for name, value in request.query_params.items()})
    header = [
        _("服务日期"), _("卡号"), _("姓名"), _("活动"), _("类别"), _("排班开始"), _("排班结束"), _("签到"), _("签退"),
        _("签到方式"), _("排班分钟"), _("可计分钟"), _("已计分钟"), _("核对"), _("状态"), _("审核人"), _("审核时间"),
        _("退回原因"),
    ]  # fmt: skip
    rows: list[Sequence[Cell]] = []
    async for part in queries.all_review_rows(session, actor.community_id, wanted):
        rows += [_cells(row) for row in part]
    actions.note_export(session, actor=actor, view=wanted.view.value, rows=len(rows), now=now)
    name = f"{_('时长')}-{translate(f'view.hours.{wanted.view.value}')}-{local_day(now).isoformat()}"
    return csv_answer(name, csv_bytes(header, rows))
