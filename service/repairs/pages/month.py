"""The month's sheet of the repairers, and what each of them can do."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from service.kit import audit
from service.kit.access import Actor, allow
from service.kit.clock import local_day
from service.kit.export import Cell, csv_answer, csv_bytes
from service.kit.i18n import _, translate
from service.kit.once import once_page
from service.kit.pages import form_of, page, refill
from service.kit.words import yuan
from service.repairs import actions
from service.repairs.pages.shared import AnyRequest, trades
from service.repairs.payloads import SkillsForm
from service.repairs.payloads_month import SheetOut
from service.repairs.queries.desk import repairers
from service.repairs.queries.month import month_of
from service.repairs.rules import DISPATCHERS
from service.repairs.view import classes_out, month_out

DISPATCH = allow(*DISPATCHERS)


@get("/desk/repairs/month", opt=DISPATCH, include_in_schema=False)
async def month(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    day: FromQuery[date | None] = None,
) -> Template:
    """What each repairer did in a month, in numbers only."""
    today = local_day(now)
    sheet = await month_out(session, actor, day or today)
    before = sheet.begins - timedelta(days=1)
    return page(
        request,
        "repairs/month.html",
        title=_("维修月报"),
        sheet=sheet,
        before_url=f"/desk/repairs/month?day={before.replace(day=1).isoformat()}",
        next_url=f"/desk/repairs/month?day={sheet.until.isoformat()}" if sheet.until <= today else None,
        csv_url=f"/desk/repairs/month.csv?day={sheet.begins.isoformat()}",
        classes_url=f"/desk/repairs/month/classes?day={sheet.begins.isoformat()}" if sheet.until <= today else None,
    )


@get("/desk/repairs/month.csv", opt=DISPATCH, include_in_schema=False)
async def month_file(
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    day: FromQuery[date | None] = None,
) -> Response[bytes]:
    """The same for a spreadsheet."""
    sheet = await month_out(session, actor, day or local_day(now))
    detail = {"rows": len(sheet.items)}
    audit.record(session, actor, "repairs.exported", kind="repair", id="month", now=now, detail=detail)
    header = [_("师傅"), _("修了几单"), _("按价付"), _("经费付了一部分或全部"), _("不收钱"), _("分钟")]
    header += [_("居民付（元）"), _("经费付（元）"), _("提了质保")]
    return csv_answer(
        f"{_('维修月报')}-{sheet.begins.isoformat()[:7]}", csv_bytes(header, [_line(line) for line in sheet.items])
    )


def _line(line: SheetOut) -> Sequence[Cell]:
    return (
        line.repairer,
        line.jobs,
        line.normal,
        line.reduced,
        line.free,
        line.minutes,
        yuan(line.cash_fen),
        yuan(line.payable_fen),
        line.claimed,
    )


@get("/desk/repairs/month/classes", opt=DISPATCH, include_in_schema=False)
async def month_classes(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    day: FromQuery[date | None] = None,
) -> Template:
    """A month that is over by class of household, in sums of three households and more; the last unless said otherwise."""
    sheet = await classes_out(session, actor, day, now)
    before = (sheet.begins - timedelta(days=1)).replace(day=1)
    is_next_over = month_of(sheet.until)[1] <= local_day(now)
    others = {"none": _("没有类别"), "rest": _("其余（不足三户的合在一起）")}
    names = {each.kind: others.get(each.kind) or translate(f"household.{each.kind}") for each in sheet.items}
    return page(
        request,
        "repairs/month_classes.html",
        title=_("维修月报：按家庭类别"),
        sheet=sheet,
        names=names,
        month_url=f"/desk/repairs/month?day={sheet.begins.isoformat()}",
        before_url=f"/desk/repairs/month/classes?day={before.isoformat()}",
        next_url=f"/desk/repairs/month/classes?day={sheet.until.isoformat()}" if is_next_over else None,
    )


async def _skills(session: AsyncSession, actor: Actor, now: datetime) -> dict[str, Any]:
    return {
        "title": _("师傅会修什么"),
        "repairers": await repairers(session, actor, local_day(now)),
        "trades": trades(),
    }


@get("/desk/repairs/skills", opt=DISPATCH, include_in_schema=False)
async def skills(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template:
    """Who repairs for which team, and what they can do."""
    return page(request, "repairs/skills.html", **await _skills(session, actor, now))


@post("/desk/repairs/skills/{member_id:uuid}", opt=DISPATCH, include_in_schema=False)
async def write_skills(
    request: AnyRequest,
    member_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """These and no others."""
    with refill(request, "repairs/skills.html", **await _skills(session, actor, now)):
        form = await form_of(request, SkillsForm)

        async def work() -> str:
            await actions.write_skills(session, actor=actor, member_id=member_id, trades=form.trades, now=now)
            return "/desk/repairs/skills?done=repairs.skills"

        return await once_page(request, session, actor, now, work)


HANDLERS = [month, month_file, month_classes, skills, write_skills]
