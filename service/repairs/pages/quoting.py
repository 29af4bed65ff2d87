"""The quote and every later price: the list of the day as a form, how many of each by a stepper, the price within its range."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from service.communities import PriceLine, prices_on
from service.kit.access import Actor, Role, allow
from service.kit.clock import local_day
from service.kit.i18n import _
from service.kit.once import once_page
from service.kit.pages import form_of, page, refill
from service.kit.refusals import Invalid
from service.kit.words import yuan
from service.repairs import actions
from service.repairs.actions import QuoteLine
from service.repairs.pages.shared import AnyRequest, context
from service.repairs.payloads import Nothing, ReasonForm
from service.repairs.queries import orders as queries
from service.repairs.rules import PIECES, NotYourJob, RepairState
from service.repairs.tables import RepairOrder

WORKERS = allow(Role.REPAIRER)
QUANTITY_MAX = 99
QUANTITY_LENGTH_MAX = 9
"""Of what is typed, with noughts in front: a number of thousands of digits is not even read."""
_MONEY = re.compile(r"\d{1,5}(\.\d{1,2})?")


async def _list(session: AsyncSession, order: RepairOrder, now: datetime) -> Sequence[PriceLine]:
    """The list that holds: of the day of the quote once the price was agreed to, else today's."""
    if order.team_id is None:
        return []
    is_new = order.state in (RepairState.TAKEN, RepairState.QUOTED) or order.priced_on is None
    day = local_day(now) if is_new or order.priced_on is None else order.priced_on
    return await prices_on(session, order.community_id, order.team_id, day)


async def _shown(
    request: AnyRequest, session: AsyncSession, actor: Actor, order_id: UUID, now: datetime
) -> dict[str, Any]:
    shown = await context(request, session, actor, order_id, now)
    if not shown["is_my_job"]:
        raise NotYourJob
    order = await queries.order_for(session, actor, order_id)
    current = {part.item: part for part in shown["parts"]}
    lines = []
    for number, line in enumerate(await _list(session, order, now)):
        part, most = current.get(line.item), line.fen_cap or line.fen_max
        lines.append(
            {
                "number": number,
                "line": line,
                "most": most,
                "is_fixed": line.fen_min == most,
                "quantity": part.quantity if part else 0,
                "yuan": yuan(part.fen_each if part else line.fen_min),
            }
        )
    is_change = order.state not in (RepairState.TAKEN, RepairState.QUOTED)
    return {
        **shown,
        "title": _("改价钱") if is_change else _("报价"),
        "lines": lines,
        "is_change": is_change,
        "quantity_max": QUANTITY_MAX,
    }


@get("/repairs/{order_id:uuid}/quote", opt=WORKERS, include_in_schema=False)
async def quote_form(
    request: AnyRequest,
    order_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template:
    """The price list, with what was named before."""
    return page(request, "repairs/quote.html", **await _shown(request, session, actor, order_id, now))


async def _typed(request: AnyRequest, lines: Sequence[dict[str, Any]]) -> list[QuoteLine]:
    """What was counted, item by item. Every field that cannot be read is named."""
    form, found, problems = await request.form(), [], {}
    for each in lines:
        number, line = each["number"], each["line"]
        quantity = str(form.get(f"quantity_{number}") or "0").strip()
        if len(quantity) > QUANTITY_LENGTH_MAX or not quantity.isdecimal() or int(quantity) > QUANTITY_MAX:
            problems[f"quantity_{number}"] = "number"
            continue
        if not int(quantity):
            continue
        price = str(form.get(f"yuan_{number}") or yuan(line.fen_min)).strip()
        if not _MONEY.fullmatch(price):
            problems[f"yuan_{number}"] = "yuan"
            continue
        fen = _fen(price)
        if not line.fen_min <= fen <= each["most"]:
            problems[f"yuan_{number}"] = "repair_price"
            continue
        if fen % PIECES:
            problems[f"yuan_{number}"] = "repair_pieces"
            continue
        found.append(QuoteLine(line.item, int(quantity), fen))
    if problems:
        raise Invalid(problems)
    return found


def _fen(price: str) -> int:
    whole, _point, rest = price.partition(".")
    return int(whole) * 100 + int(rest.ljust(2, "0"))


@post("/repairs/{order_id:uuid}/quote", opt=WORKERS, include_in_schema=False)
async def quote(
    request: AnyRequest,
    order_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Say what it will cost; nothing counted is free of charge."""
    shown = await _shown(request, session, actor, order_id, now)
    with refill(request, "repairs/quote.html", **shown):
        await form_of(request, Nothing)
        lines = await _typed(request, shown["lines"])

        async def work() -> str:
            await actions.quote(session, actor=actor, order_id=order_id, lines=lines, now=now)
            return f"/repairs/{order_id}?done=repairs.quoted"

        return await once_page(request, session, actor, now, work)


@post("/repairs/{order_id:uuid}/changes", opt=WORKERS, include_in_schema=False)
async def change(
    request: AnyRequest,
    order_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Another price for a job under way, with the reason."""
    shown = await _shown(request, session, actor, order_id, now)
    with refill(request, "repairs/quote.html", **shown):
        form = await form_of(request, ReasonForm)
        lines = await _typed(request, shown["lines"])

        async def work() -> str:
            await actions.change_price(
                session, actor=actor, order_id=order_id, lines=lines, reason=form.reason, now=now
            )
            return f"/repairs/{order_id}?done=repairs.changed"

        return await once_page(request, session, actor, now, work)


HANDLERS = [quote_form, quote, change]
