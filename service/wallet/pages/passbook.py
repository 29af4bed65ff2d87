"""The passbook: one tab a unit, the record of service beside it, and both on paper."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from litestar import Request, get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Template
from sqlmodel.ext.asyncio.session import AsyncSession

from service.identity import Person, person
from service.kit.access import SIGNED_IN, Actor, Role, allow
from service.kit.clock import FIRST_DAY, LAST_DAY
from service.kit.i18n import _
from service.kit.pages import page
from service.kit.refusals import Invalid
from service.kit.words import hours, points
from service.records import record_lines, stars
from service.wallet.actions import note_look
from service.wallet.queries.passbook import figures, line_of, passbook, points_lots, whole_passbook
from service.wallet.rules import Unit

AnyRequest = Request[Any, Any, Any]


@dataclass(frozen=True, slots=True)
class Tab:
    """One of the passbook's tabs."""

    label: str
    url: str
    current: bool


def tabs(chosen: Unit | None) -> Sequence[Tab]:
    """Points and coins are never one column, and the record of service is a list of its own."""
    return [
        Tab(_("积分"), "/passbook?unit=point", chosen is Unit.POINT),
        Tab(_("时间币"), "/passbook?unit=minute", chosen is Unit.MINUTE),
        Tab(_("服务时长"), "/passbook/service", chosen is None),
    ]


def amount_text(unit: Unit, amount: int) -> str:
    """An amount in words: 2 小时, 3.5 分."""
    return f"{hours(amount)} {_('小时')}" if unit is Unit.MINUTE else f"{points(amount)} {_('分')}"


def month_of(text: str | None) -> date | None:
    """The first day of a month typed as 2026-11; nothing for no filter."""
    if not text:
        return None
    try:
        first = date.fromisoformat(f"{text}-01")
    except ValueError as problem:
        raise Invalid({"month": "date"}) from problem
    if not FIRST_DAY <= first <= LAST_DAY:
        raise Invalid({"month": "date"})
    return first


@get("/passbook", opt=SIGNED_IN, include_in_schema=False)
async def passbook_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    unit: FromQuery[Unit] = Unit.POINT,
    month: FromQuery[str | None] = None,
    before: FromQuery[int | None] = None,
) -> Template:
    """One unit's lines by month, newest first, with the balance after each."""
    only = month_of(month)
    mine = await figures(session, actor.community_id, actor.member_id)
    shown = await passbook(session, actor.community_id, actor.member_id, unit, month=only, before=before)
    following = urlencode({"unit": unit.value, "before": shown.next}) if shown.next else None
    return page(
        request,
        "wallet/passbook.html",
        title=_("我的存折"),
        unit=unit.value,
        tab_items=tabs(unit),
        balance=mine.points_hundredths if unit is Unit.POINT else mine.coin_minutes,
        lots=await points_lots(session, actor.community_id, actor.member_id) if unit is Unit.POINT else [],
        months=shown.months,
        month=month or "",
        next_url=f"/passbook?{following}" if following else None,
        first_url=f"/passbook?unit={unit.value}" if before or only else None,
    )


@get("/passbook/lines/{seq:int}", opt=SIGNED_IN, include_in_schema=False)
async def line_page(
    request: AnyRequest,
    seq: FromPath[int],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    unit: FromQuery[Unit] = Unit.POINT,
) -> Template:
    """Where one line came from: the service or voucher, who confirmed it, when, and what corrected it."""
    found = await line_of(session, actor.community_id, actor.member_id, unit, seq)
    return page(request, "wallet/line.html", title=_("这一笔"), unit=unit.value, found=found, line=found.line)


@get("/passbook/service", opt=SIGNED_IN, include_in_schema=False)
async def service_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    after: FromQuery[str | None] = None,
) -> Template:
    """服务时长: every confirmed service. It never falls when something is spent."""
    mine = await figures(session, actor.community_id, actor.member_id)
    lines = await record_lines(session, actor.community_id, actor.member_id, after=after)
    return page(
        request,
        "wallet/service.html",
        title=_("我的存折"),
        tab_items=tabs(None),
        service_minutes=mine.service_minutes,
        stars=stars(mine.service_minutes),
        lines=lines.rows,
        next_url=f"/passbook/service?after={lines.next}" if lines.next else None,
        first_url="/passbook/service" if after else None,
    )


@get("/passbook/print", opt=SIGNED_IN, include_in_schema=False)
async def print_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template:
    """My own passbook on A4, oldest line first."""
    holder = await person(session, actor.community_id, actor.member_id)
    return await _paper(request, session, actor.community_id, holder, now, "/passbook")


@get(
    "/desk/passbooks/{member_id:uuid}",
    opt=allow(Role.STAFF, Role.FINANCE, Role.AUDITOR, Role.ADMIN),
    include_in_schema=False,
)
async def print_for(
    request: AnyRequest,
    member_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template:
    """Somebody's passbook on A4, for people without a phone; the look is logged."""
    holder = await person(session, actor.community_id, member_id)
    await note_look(session, actor=actor, member_id=member_id, now=now)
    return await _paper(request, session, actor.community_id, holder, now, "/desk")


async def _paper(
    request: AnyRequest, session: AsyncSession, community_id: int, holder: Person, now: datetime, back_url: str
) -> Template:
    return page(
        request,
        "wallet/print.html",
        title=_("存折"),
        holder=holder.name,
        card_no=holder.card_no,
        now=now,
        back_url=back_url,
        figures=await figures(session, community_id, holder.member_id),
        points=await whole_passbook(session, community_id, holder.member_id, Unit.POINT),
        coins=await whole_passbook(session, community_id, holder.member_id, Unit.MINUTE),
    )
