"""The public account, for everybody: on the phone, and on a sheet for the notice board."""

from datetime import date, datetime, timedelta
from typing import Any

from litestar import Request, get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Template
from sqlmodel.ext.asyncio.session import AsyncSession

from service.communities import community
from service.fund.payloads import period_of
from service.fund.queries.account import DONATIONS_SHOWN, account
from service.kit.access import PUBLIC
from service.kit.clock import local_day
from service.kit.i18n import _
from service.kit.pages import page
from service.kit.words import points, yuan

AnyRequest = Request[Any, Any, Any]


async def _shown(session: AsyncSession, community_id: int, of: str | None, now: datetime) -> dict[str, Any]:
    place = await community(session, community_id)
    today = local_day(now)
    since, until = period_of(of, today)
    is_year = (until - since).days > 31
    before = since - timedelta(days=1)
    found = await account(session, community_id, since, until)
    return {
        "title": _("公益基金公示"),
        "community_name": place.name,
        "community_phone": place.phone,
        "here": f"/fund/{community_id}",
        "found": found,
        "lost_said": _(
            "没有网络时核销、后来才知道不该收的券有 {count} 张，店家照付："
            "公益基金垫了 {fund} 元，损失账上记了 {yuan} 元和 {points} 积分。"
        ).format(
            count=found.lost.uses,
            fund=yuan(found.lost.fund_fen),
            yuan=yuan(found.lost.other_fen),
            points=points(found.lost.points),
        ),
        "label": _("{year} 年").format(year=since.year)
        if is_year
        else _("{year} 年 {month} 月").format(year=since.year, month=since.month),
        "of": _named(since, is_year=is_year),
        "earlier": _named(before, is_year=is_year),
        "later": _named(until, is_year=is_year) if until <= today else None,
        "other": _named(since, is_year=not is_year) if is_year is False else _named(today, is_year=False),
        "is_year": is_year,
        "today": today,
        "shown_max": DONATIONS_SHOWN,
    }


def _named(day: date, *, is_year: bool) -> str:
    return f"{day.year:04d}" if is_year else f"{day.year:04d}-{day.month:02d}"


@get("/fund/{community_id:int}", opt=dict(PUBLIC), include_in_schema=False)
async def public_page(
    request: AnyRequest,
    community_id: FromPath[int],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
    of: FromQuery[str | None] = None,
) -> Template:
    """What came into the fund, from whom."""
    return page(request, "fund/public.html", **await _shown(session, community_id, of, now))


@get("/fund/{community_id:int}/print", opt=dict(PUBLIC), include_in_schema=False)
async def public_print(
    request: AnyRequest,
    community_id: FromPath[int],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
    of: FromQuery[str | None] = None,
) -> Template:
    """The same on paper."""
    return page(request, "fund/public_print.html", **await _shown(session, community_id, of, now))


HANDLERS = [public_page, public_print]
