"""The dispatcher's desk: orders by view, a call written down, who goes and why, the warranty, the month's sheet."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from service.identity import find_people, person
from service.kit import audit
from service.kit.access import Actor, Role, allow
from service.kit.clock import local_day
from service.kit.export import Cell, csv_answer, csv_bytes
from service.kit.i18n import _, translate
from service.kit.once import once_page
from service.kit.pages import form_of, page, refill
from service.kit.photos import ACCEPT, BODY_BYTES_MAX
from service.kit.refusals import Invalid
from service.kit.words import yuan
from service.repairs import actions
from service.repairs.pages.shared import AnyRequest, context, drawn, trades
from service.repairs.payloads import AgreeForm, AssignForm, NoteIn, ReasonForm, RepairOut, ReportForForm
from service.repairs.queries.desk import FILE_ROWS_MAX, Shown, candidates, count_waiting, desk_list
from service.repairs.queries.orders import order_for
from service.repairs.rules import DISPATCHERS, OFFICE, RepairState, Trade, Warranty
from service.repairs.view import listed

DESK, DISPATCH, STAFF = allow(*OFFICE), allow(*DISPATCHERS), allow(Role.STAFF)
TEMPLATE = "repairs/desk_one.html"
OPEN_TO_DISPATCH = (RepairState.REPORTED, RepairState.ASSIGNED, RepairState.TAKEN)


@get("/desk/repairs", opt=DESK, include_in_schema=False)
async def overview(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    shown: FromQuery[Shown] = Shown.OPEN,
    trade: FromQuery[Trade | None] = None,
    q: FromQuery[str] = "",
    after: FromQuery[str | None] = None,
) -> Template:
    """Everything open first, urgent on top; the other views are tabs."""
    text = q.strip()
    found = await desk_list(session, actor, shown=shown, trade=trade, text=text, after=after)
    asked = {"shown": shown.value, "trade": trade.value if trade else "", "q": text}
    query = urlencode({name: value for name, value in asked.items() if value})
    waiting = await count_waiting(session, actor)
    return page(
        request,
        "repairs/desk.html",
        title=_("维修"),
        repairs=await listed(session, actor, found.rows),
        views=[
            {
                "label": translate(f"repairs.shown.{one.value}"),
                "url": f"/desk/repairs?shown={one.value}",
                "current": one is shown,
                "count": waiting if one is Shown.WAITING else None,
            }
            for one in Shown
        ],
        shown=shown.value,
        trade=asked["trade"],
        trades=[("", _("全部")), *trades()],
        q=text,
        csv_url=f"/desk/repairs/list.csv?{query}",
        next_url=f"/desk/repairs?{query}&{urlencode({'after': found.next})}" if found.next else None,
        first_url=f"/desk/repairs?{query}" if after else None,
        may_dispatch=actor.has(*DISPATCHERS),
    )


@get("/desk/repairs/list.csv", opt=DESK, include_in_schema=False)
async def list_file(
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    shown: FromQuery[Shown] = Shown.OPEN,
    trade: FromQuery[Trade | None] = None,
    q: FromQuery[str] = "",
) -> Response[bytes]:
    """The list as it is filtered, for a spreadsheet."""
    found = await desk_list(session, actor, shown=shown, trade=trade, text=q.strip(), size=FILE_ROWS_MAX)
    rows = await listed(session, actor, found.rows)
    audit.record(session, actor, "repairs.exported", kind="repair", id=shown.value, now=now, detail={"rows": len(rows)})
    header = [_("报修时间"), _("急"), _("哪一类"), _("哪里坏了"), _("居民"), _("楼栋"), _("师傅"), _("状态")]
    header += [_("分钟"), _("居民付（元）"), _("经费付（元）"), _("质保")]
    return csv_answer(f"{_('维修')}-{local_day(now).isoformat()}", csv_bytes(header, [_line(row) for row in rows]))


def _line(row: RepairOut) -> Sequence[Cell]:
    return (
        row.posted_at,
        _("急") if row.is_urgent else "",
        translate(f"repairs.trade.{row.trade.value}"),
        row.text,
        row.asker,
        row.building,
        row.repairer,
        translate(f"state.repair.{row.state.value}"),
        row.minutes,
        yuan(row.cash_fen),
        yuan(row.payable_fen),
        translate(f"repairs.warranty.{row.warranty.value}") if row.warranty is not Warranty.NONE else "",
    )


async def _asker(session: AsyncSession, actor: Actor, member: UUID | None, q: str) -> dict[str, Any]:
    """Somebody who phoned, looked for by card, phone or name."""
    asker = await person(session, actor.community_id, member) if member else None
    found = (
        []
        if asker or not q
        else [one for one in (await find_people(session, actor.community_id, q)).rows if one.is_open]
    )
    return {
        "title": _("电话报修"),
        "asker": asker,
        "found": found,
        "q": q,
        "trades": trades(),
        "accept": ACCEPT,
    }


@get("/desk/repairs/new", opt=DISPATCH, include_in_schema=False)
async def new(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    member: FromQuery[UUID | None] = None,
    q: FromQuery[str] = "",
) -> Template:
    """Who phoned, then what is broken."""
    return page(request, "repairs/desk_new.html", **await _asker(session, actor, member, q.strip()))


@post("/desk/repairs", opt=DISPATCH, include_in_schema=False, request_max_body_size=BODY_BYTES_MAX)
async def report_for(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Write a report down for somebody who phoned; pressed twice, it is one order."""
    typed = str((await request.form()).get("asked_by") or "")
    try:
        member = UUID(typed)
    except ValueError as problem:
        raise Invalid({"asked_by": "choice"}) from problem
    picture = await drawn(request)
    with refill(request, "repairs/desk_new.html", **await _asker(session, actor, member, "")):
        picture.check()
        form = await form_of(request, ReportForForm)

        async def work() -> str:
            order = await actions.report(
                session,
                actor=actor,
                text=form.text,
                trade=form.trade,
                is_urgent=form.is_urgent,
                asked_by=form.asked_by,
                photo=picture.photo,
                now=now,
            )
            return f"/desk/repairs/{order.order_id}?done=repairs.reported"

        return await once_page(request, session, actor, now, work)


async def _one(
    request: AnyRequest, session: AsyncSession, actor: Actor, order_id: UUID, now: datetime
) -> dict[str, Any]:
    shown = await context(request, session, actor, order_id, now)
    order = await order_for(session, actor, order_id)
    may_dispatch = actor.has(*DISPATCHERS) and order.state in OPEN_TO_DISPATCH
    is_theirs = actor.member_id in (order.asked_by, order.repairer_id)
    return {
        **shown,
        "candidates": await candidates(session, actor, order, local_day(now)) if may_dispatch else [],
        "may_dispatch": may_dispatch,
        "may_speak": actor.has(Role.STAFF) and not is_theirs,
        "may_decide": order.warranty == Warranty.CLAIMED
        and actor.has(*OFFICE)
        and actor.member_id not in (order.claimed_by, order.repairer_id, order.asked_by),
        "all_trades": trades(),
    }


@get("/desk/repairs/{order_id:uuid}", opt=DESK, include_in_schema=False)
async def one(
    request: AnyRequest,
    order_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template:
    """One order: who could go and why, what it costs, what happened."""
    return page(request, TEMPLATE, **await _one(request, session, actor, order_id, now))


async def _step(
    request: AnyRequest,
    session: AsyncSession,
    actor: Actor,
    order_id: UUID,
    now: datetime,
    form: type[msgspec.Struct],
    act: Callable[[Any], Awaitable[object]],
    done: str,
) -> Redirect:
    with refill(request, TEMPLATE, **await _one(request, session, actor, order_id, now)):
        typed = await form_of(request, form)

        async def work() -> str:
            await act(typed)
            return f"/desk/repairs/{order_id}?done={done}"

        return await once_page(request, session, actor, now, work)


@post("/desk/repairs/{order_id:uuid}/assign", opt=DISPATCH, include_in_schema=False)
async def assign(
    request: AnyRequest,
    order_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Give it to a repairer of a team."""

    async def act(form: AssignForm) -> None:
        repairer, _point, team = form.who.partition(".")
        await actions.assign(
            session, actor=actor, order_id=order_id, team_id=UUID(team), repairer_id=UUID(repairer), now=now
        )

    return await _step(request, session, actor, order_id, now, AssignForm, act, "repairs.assigned")


@post("/desk/repairs/{order_id:uuid}/agree", opt=STAFF, include_in_schema=False)
async def agree_for(
    request: AnyRequest,
    order_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """The resident said yes on the phone."""

    async def act(form: AgreeForm) -> None:
        await actions.agree(session, actor=actor, order_id=order_id, revision=form.revision, now=now)

    return await _step(request, session, actor, order_id, now, AgreeForm, act, "repairs.agreed")


@post("/desk/repairs/{order_id:uuid}/cancel", opt=STAFF, include_in_schema=False)
async def cancel_for(
    request: AnyRequest,
    order_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """The resident does not need it any more."""

    async def act(form: NoteIn) -> None:
        await actions.cancel(session, actor=actor, order_id=order_id, note=form.note, now=now)

    return await _step(request, session, actor, order_id, now, NoteIn, act, "repairs.cancelled")


@post("/desk/repairs/{order_id:uuid}/claim", opt=STAFF, include_in_schema=False)
async def claim_for(
    request: AnyRequest,
    order_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """The resident says on the phone that it broke again."""

    async def act(form: ReasonForm) -> None:
        await actions.claim_warranty(session, actor=actor, order_id=order_id, reason=form.reason, now=now)

    return await _step(request, session, actor, order_id, now, ReasonForm, act, "repairs.claimed")


@post("/desk/repairs/{order_id:uuid}/uphold", opt=DESK, include_in_schema=False)
async def uphold(
    request: AnyRequest,
    order_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """What was kept goes back to who paid it."""
    return await _decide(request, session, actor, order_id, now, is_upheld=True)


@post("/desk/repairs/{order_id:uuid}/dismiss", opt=DESK, include_in_schema=False)
async def dismiss(
    request: AnyRequest,
    order_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """What was kept is the team's."""
    return await _decide(request, session, actor, order_id, now, is_upheld=False)


async def _decide(
    request: AnyRequest, session: AsyncSession, actor: Actor, order_id: UUID, now: datetime, *, is_upheld: bool
) -> Redirect:
    async def act(form: ReasonForm) -> None:
        await actions.decide_claim(
            session, actor=actor, order_id=order_id, is_upheld=is_upheld, reason=form.reason, now=now
        )

    return await _step(request, session, actor, order_id, now, ReasonForm, act, "repairs.decided")


HANDLERS = [overview, list_file, new, report_for, one, assign, agree_for, cancel_for, claim_for, uphold, dismiss]
