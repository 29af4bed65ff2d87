"""The staff's desk: every exchange by view and person, one of them with its decision, words of thanks to be hidden."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from service.exchange.actions import deciding
from service.exchange.payloads import DecisionIn, Nothing
from service.exchange.queries import exchanges as queries
from service.exchange.queries.desk import FILE_ROWS_MAX, Shown, count_disputed, desk_list
from service.exchange.queries.exchanges import ExchangeView
from service.exchange.rules import READERS, STAFF, State, words_of
from service.kit import audit
from service.kit.access import Actor, allow
from service.kit.clock import local_day
from service.kit.export import Cell, csv_answer, csv_bytes
from service.kit.i18n import _, translate
from service.kit.once import once_page
from service.kit.pages import form_of, page, refill

AnyRequest = Request[Any, Any, Any]
DESK = allow(*READERS)


@get("/desk/exchange", opt=DESK, include_in_schema=False)
async def overview(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    shown: FromQuery[Shown] = Shown.DISPUTED,
    q: FromQuery[str] = "",
    after: FromQuery[str | None] = None,
) -> Template:
    """What waits for a decision first; the other views are tabs."""
    text = q.strip()
    found = await desk_list(session, actor, shown=shown, text=text, after=after)
    asked = {name: value for name, value in (("shown", shown.value), ("q", text)) if value}
    waiting = await count_disputed(session, actor.community_id)
    return page(
        request,
        "exchange/desk.html",
        title=_("邻里交换"),
        exchanges=found.rows,
        views=[
            {
                "label": translate(f"exchange.shown.{one.value}"),
                "url": f"/desk/exchange?shown={one.value}",
                "current": one is shown,
                "count": waiting if one is Shown.DISPUTED else None,
            }
            for one in Shown
        ],
        shown=shown.value,
        q=text,
        csv_url=f"/desk/exchange/list.csv?{urlencode(asked)}",
        next_url=f"/desk/exchange?{urlencode({**asked, 'after': found.next})}" if found.next else None,
        first_url=f"/desk/exchange?{urlencode(asked)}" if after else None,
    )


@get("/desk/exchange/list.csv", opt=DESK, include_in_schema=False)
async def list_file(
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    shown: FromQuery[Shown] = Shown.DISPUTED,
    q: FromQuery[str] = "",
) -> Response[bytes]:
    """The list as it is filtered, for a spreadsheet."""
    found = await desk_list(session, actor, shown=shown, text=q.strip(), size=FILE_ROWS_MAX)
    detail = {"rows": len(found.rows)}
    audit.record(session, actor, "exchange.exported", kind="exchange", id=shown.value, now=now, detail=detail)
    header = [_("做什么"), _("付出的人"), _("卡号"), _("帮忙的人"), _("卡号"), _("分钟"), _("付了几分钟"), _("状态")]
    content = csv_bytes([*header, _("应的时间"), _("最后变动")], [_line(view) for view in found.rows])
    return csv_answer(f"{_('邻里交换')}-{local_day(now).isoformat()}", content)


def _line(view: ExchangeView) -> Sequence[Cell]:
    return (
        view.title,
        view.payer,
        view.payer_card,
        view.helper,
        view.helper_card,
        view.minutes,
        view.paid_minutes,
        translate(f"state.exchange.{view.state.value}"),
        view.asked_at,
        view.changed_at,
    )


async def _one(session: AsyncSession, actor: Actor, exchange_id: UUID) -> dict[str, Any]:
    view = await queries.exchange_for(session, actor, exchange_id)
    return {
        "title": view.title,
        "exchange": view,
        "moments": await queries.moments(session, actor, view),
        "may_decide": view.state is State.DISPUTED and actor.has(*STAFF) and not view.is_mine,
        "may_hide": view.thanks is not None and not view.is_hidden and actor.has(*STAFF),
    }


@get("/desk/exchange/{exchange_id:uuid}", opt=DESK, include_in_schema=False)
async def one(
    request: AnyRequest,
    exchange_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
) -> Template:
    """One exchange with what both said."""
    return page(request, "exchange/desk_one.html", **await _one(session, actor, exchange_id))


@post("/desk/exchange/{exchange_id:uuid}/decide", opt=allow(*STAFF), include_in_schema=False)
async def decide(
    request: AnyRequest,
    exchange_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Pay all, a part or nothing, with a reason that both read."""
    with refill(request, "exchange/desk_one.html", **await _one(session, actor, exchange_id)):
        form = await form_of(request, DecisionIn)
        reason = words_of("reason", form.reason)

        async def work() -> str:
            await deciding.decide(
                session, actor=actor, exchange_id=exchange_id, paid_minutes=form.paid_minutes, reason=reason, now=now
            )
            return f"/desk/exchange/{exchange_id}?done=exchange.decided"

        return await once_page(request, session, actor, now, work)


@post("/desk/exchange/{exchange_id:uuid}/hide", opt=allow(*STAFF), include_in_schema=False)
async def hide(
    request: AnyRequest,
    exchange_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Hide words of thanks."""
    with refill(request, "exchange/desk_one.html", **await _one(session, actor, exchange_id)):
        await form_of(request, Nothing)

        async def work() -> str:
            await deciding.hide_thanks(session, actor=actor, exchange_id=exchange_id, now=now)
            return f"/desk/exchange/{exchange_id}?done=exchange.hidden"

        return await once_page(request, session, actor, now, work)


HANDLERS = [overview, list_file, one, decide, hide]
