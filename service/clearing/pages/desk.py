"""The desk: agreements, what is owed to whom, every transfer with a partner, and both sides' figures side by side."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from service.clearing.actions import agreements as acts
from service.clearing.actions.netting import propose_netting
from service.clearing.pages.asking import AnyRequest
from service.clearing.payloads import Nothing, ProposeForm
from service.clearing.queries.agreements import agreement, agreements, strangers
from service.clearing.queries.nettings import nettings, waiting_nettings
from service.clearing.queries.positions import first_difference, positions
from service.clearing.queries.transfers import FILE_ROWS_MAX, Shown, TransferView, count_stuck, partner_transfers
from service.clearing.rules import AGREERS, NETTERS, READERS, AgreementState
from service.communities import settings_on
from service.kit import audit
from service.kit.access import Actor, allow
from service.kit.clock import local_day
from service.kit.export import Cell, csv_answer, csv_bytes
from service.kit.i18n import _, translate
from service.kit.manifest import InboxRow
from service.kit.once import once_page
from service.kit.pages import form_of, page, refill

DESK = allow(*READERS)


async def _overview(session: AsyncSession, actor: Actor, now: datetime) -> dict[str, Any]:
    names = ("clearing_open_minutes_max", "clearing_open_points_max")
    usual = await settings_on(session, actor.community_id, names, local_day(now))
    stuck, _oldest = await count_stuck(session, actor.community_id, now)
    return {
        "title": _("跨社区往来"),
        "agreements": await agreements(session, actor.community_id),
        "positions": await positions(session, actor.community_id),
        "stuck": stuck,
        "may_agree": actor.has(*AGREERS),
        "strangers": await strangers(session, actor.community_id) if actor.has(*AGREERS) else [],
        "hours_max": usual[names[0]] // 60,
        "points_max": usual[names[1]],
    }


@get("/desk/clearing", opt=DESK, include_in_schema=False)
async def overview(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template:
    """Every partner: what was agreed, what we owe and are owed, what is under way."""
    return page(request, "clearing/desk.html", **await _overview(session, actor, now))


@post("/desk/clearing/agreements", opt=allow(*AGREERS), include_in_schema=False)
async def propose(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Ask another community to clear with us."""
    with refill(request, "clearing/desk.html", **await _overview(session, actor, now)):
        form = await form_of(request, ProposeForm)

        async def work() -> str:
            await acts.propose(
                session,
                actor=actor,
                partner_id=form.partner,
                minutes_max=60 * form.hours_max,
                points_max=form.points_max,
                now=now,
            )
            return "/desk/clearing?done=clearing.proposed"

        return await once_page(request, session, actor, now, work)


@post("/desk/clearing/{partner_id:int}/accept", opt=allow(*AGREERS), include_in_schema=False)
async def accept(
    request: AnyRequest,
    partner_id: FromPath[int],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Agree to what they proposed."""

    async def work() -> str:
        await acts.accept(session, actor=actor, partner_id=partner_id, now=now)
        return "/desk/clearing?done=clearing.accepted"

    return await once_page(request, session, actor, now, work)


@post("/desk/clearing/{partner_id:int}/end", opt=allow(*AGREERS), include_in_schema=False)
async def end(
    request: AnyRequest,
    partner_id: FromPath[int],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Withdraw, decline or end it."""

    async def work() -> str:
        await acts.end(session, actor=actor, partner_id=partner_id, now=now)
        return "/desk/clearing?done=clearing.ended"

    return await once_page(request, session, actor, now, work)


async def _partner(
    session: AsyncSession, actor: Actor, partner_id: int, shown: Shown, text: str, after: str | None, now: datetime
) -> dict[str, Any]:
    known = await agreement(session, actor.community_id, partner_id)
    found = await partner_transfers(
        session, actor.community_id, partner_id, shown=shown, text=text, after=after, now=now
    )
    here = f"/desk/clearing/{partner_id}"
    asked = {name: value for name, value in (("shown", shown.value), ("q", text)) if value and value != Shown.ALL}
    return {
        "title": _("和{name}的往来").format(name=known.partner_name),
        "agreement": known,
        "positions": await positions(session, actor.community_id, partner_id),
        "difference": await first_difference(session, actor.community_id, partner_id),
        "nettings": await nettings(session, actor.community_id, partner_id),
        "transfers": found.rows,
        "views": [
            {
                "label": translate(f"clearing.shown.{each.value}"),
                "url": here + (f"?shown={each.value}" if each is not Shown.ALL else ""),
                "current": each is shown,
            }
            for each in Shown
        ],
        "shown": shown.value,
        "q": text,
        "may_net": actor.has(*NETTERS),
        "csv_url": f"{here}/transfers.csv?{urlencode(asked)}",
        "next_url": f"{here}?{urlencode({**asked, 'after': found.next})}" if found.next else None,
        "first_url": f"{here}?{urlencode(asked)}" if after else None,
    }


@get("/desk/clearing/{partner_id:int}", opt=DESK, include_in_schema=False)
async def partner(
    request: AnyRequest,
    partner_id: FromPath[int],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    shown: FromQuery[Shown] = Shown.ALL,
    q: FromQuery[str] = "",
    after: FromQuery[str | None] = None,
) -> Template:
    """One partner: both sides' figures compared, the nettings, and every transfer."""
    return page(
        request, "clearing/partner.html", **await _partner(session, actor, partner_id, shown, q.strip(), after, now)
    )


@get("/desk/clearing/{partner_id:int}/transfers.csv", opt=DESK, include_in_schema=False)
async def transfers_file(
    partner_id: FromPath[int],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    shown: FromQuery[Shown] = Shown.ALL,
    q: FromQuery[str] = "",
) -> Response[bytes]:
    """The list as it is filtered, for a spreadsheet."""
    known = await agreement(session, actor.community_id, partner_id)
    found = await partner_transfers(
        session, actor.community_id, partner_id, shown=shown, text=q.strip(), size=FILE_ROWS_MAX, now=now
    )
    audit.record(
        session,
        actor,
        "clearing.exported",
        kind="clearing_agreement",
        id=partner_id,
        now=now,
        detail={"rows": len(found.rows)},
    )
    header = [_("编号"), _("方向"), _("单位"), _("数量"), _("本社区卡号"), _("对方卡号"), _("状态"), _("原因")]
    content = csv_bytes([*header, _("转出时间"), _("办结时间")], [_line(view) for view in found.rows])
    return csv_answer(f"{known.partner_name}-{local_day(now).isoformat()}", content)


def _line(view: TransferView) -> Sequence[Cell]:
    return (
        view.code,
        translate(f"clearing.direction.{view.direction.value}"),
        translate(f"unit.{view.unit.value}"),
        view.amount,
        view.own_card,
        view.their_card,
        translate(f"state.clearing.{view.state.value}"),
        translate(view.reason) if view.refused else "",
        view.sent_at,
        view.settled_at,
    )


@post("/desk/clearing/{partner_id:int}/nettings", opt=allow(*NETTERS), include_in_schema=False)
async def net(
    request: AnyRequest,
    partner_id: FromPath[int],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Propose to set to zero what was sent before this month."""
    with refill(
        request, "clearing/partner.html", **await _partner(session, actor, partner_id, Shown.ALL, "", None, now)
    ):
        await form_of(request, Nothing)

        async def work() -> str:
            netting_id = await propose_netting(session, actor=actor, partner_id=partner_id, now=now)
            return f"/desk/clearing/nettings/{netting_id}?done=clearing.netting_proposed"

        return await once_page(request, session, actor, now, work)


async def inbox(session: AsyncSession, actor: Actor, now: datetime) -> list[InboxRow]:
    """What waits here: an offer for the administrator, a netting or something stuck for finance."""
    rows = []
    if actor.has(*AGREERS):
        rows += [
            InboxRow("clearing_offer", _("想和我们互通"), one.partner_name, one.proposed_at, "/desk/clearing")
            for one in await agreements(session, actor.community_id)
            if one.state is AgreementState.OFFERED
        ]
    if actor.has(*NETTERS):
        names = {one.partner_id: one.partner_name for one in await agreements(session, actor.community_id)}
        rows += [
            InboxRow(
                "clearing_netting",
                _("请确认轧差"),
                names[one.partner_id],
                one.proposed_at,
                f"/desk/clearing/nettings/{one.netting_id}",
            )
            for one in await waiting_nettings(session, actor.community_id)
        ]
        stuck, oldest = await count_stuck(session, actor.community_id, now)
        if oldest is not None:
            title = _("{count} 笔跨社区转出很久没有回音").format(count=stuck)
            rows.append(InboxRow("clearing_stuck", title, _("系统"), oldest, "/desk/clearing", is_urgent=True))
        rows += [
            InboxRow("clearing_differs", _("和这个社区的账对不上"), names[one.partner_id], now, here, is_urgent=True)
            for one in await positions(session, actor.community_id)
            if not one.mirrors and (here := f"/desk/clearing/{one.partner_id}")
        ]
    return rows


HANDLERS = [overview, propose, accept, end, partner, transfers_file, net]
