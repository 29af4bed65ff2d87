"""A caring merchant's own page: its rate, what it gave and owes, and the form for a day's sales."""

from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Request, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from service.communities import settings_on
from service.fund.actions.correcting import correct_sale
from service.fund.actions.delivering import type_in_day
from service.fund.payloads import CorrectionIn, DayForm, fen_of
from service.fund.queries import sales as reads
from service.fund.queries.shops import agreed_rates, open_fen, shop_for, shops_of
from service.fund.rules import GIVERS, Outcome, Way, rate_on
from service.kit.access import Actor, allow
from service.kit.clock import local_day
from service.kit.db import poster_of_app, sessions_of_app, transaction
from service.kit.i18n import _
from service.kit.once import once_page
from service.kit.pages import form_of, go, page, refill

AnyRequest = Request[Any, Any, Any]
PAGE = "/shop/fund"
TEMPLATE = "fund/shop.html"


@get(PAGE, opt=allow(*GIVERS), include_in_schema=False)
async def own_shops(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template | Redirect:
    """The only shop somebody serves at, or all of them to choose from."""
    shops = await shops_of(session, actor, local_day(now))
    if len(shops) == 1:
        return go(f"{PAGE}/{shops[0].organisation_id}")
    return page(request, "fund/shops.html", title=_("公益金"), shops=shops)


async def shown(
    session: AsyncSession, actor: Actor, organisation_id: UUID, now: datetime, after: str | None = None
) -> dict[str, Any]:
    """What the page of a shop says, whoever looks at it."""
    today = local_day(now)
    shop = await shop_for(session, actor, organisation_id, today)
    rates = await agreed_rates(session, actor.community_id, organisation_id)
    found = await reads.sales(session, actor.community_id, organisation_id, after=after)
    owed = await open_fen(session, actor.community_id, [organisation_id])
    held = await settings_on(
        session, actor.community_id, ["fund_sale_days_back_max", "fund_correction_days_max"], today
    )
    return {
        "shop": shop,
        "rate": rate_on(rates, today),
        "coming": [rate for rate in rates if rate.effective_from > today],
        "sales": found.rows,
        "next": found.next,
        "after": after,
        "months": await reads.months(session, actor.community_id, organisation_id),
        "open_fen": owed.get(organisation_id, 0),
        "today": today,
        "days_back": held["fund_sale_days_back_max"],
        "correction_days": held["fund_correction_days_max"],
        "day_of": local_day,
    }


async def _own(
    session: AsyncSession, actor: Actor, organisation_id: UUID, now: datetime, after: str | None = None
) -> dict[str, Any]:
    here = f"{PAGE}/{organisation_id}"
    context = await shown(session, actor, organisation_id, now, after)
    return context | {
        "title": _("公益金"),
        "here": here,
        "next_url": f"{here}?after={context['next']}" if context["next"] else None,
        "first_url": here if after else None,
    }


@get(f"{PAGE}/{{organisation_id:uuid}}", opt=allow(*GIVERS), include_in_schema=False)
async def own_shop(
    request: AnyRequest,
    organisation_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    after: FromQuery[str | None] = None,
) -> Template:
    """One shop's gifts."""
    return page(request, TEMPLATE, **await _own(session, actor, organisation_id, now, after))


def done_by(outcome: Outcome) -> str:
    """The sentence after a day was typed."""
    return {Outcome.AGAIN: "fund.known", Outcome.NOTHING: "fund.nothing"}.get(outcome, "fund.sent")


@post(f"{PAGE}/{{organisation_id:uuid}}/sales", opt=allow(*GIVERS), include_in_schema=False)
async def send_day(
    request: AnyRequest,
    organisation_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    state: State,
) -> Redirect:
    """Type in a day. No session of the request: who waits at the ledger's door holds no connection."""
    async with transaction(sessions_of_app(state)) as session:
        context = await _own(session, actor, organisation_id, now)
    with refill(request, TEMPLATE, **context):
        form = await form_of(request, DayForm)
        answer = await type_in_day(
            sessions_of_app(state),
            poster_of_app(state),
            actor=actor,
            organisation_id=organisation_id,
            sold_on=form.sold_on,
            sales=form.sales,
            amount_fen=fen_of(form.amount_yuan),
            way=Way.PAGE,
            now=now,
        )
        return go(f"{PAGE}/{organisation_id}", done_by(answer.outcome))


@post(f"{PAGE}/{{organisation_id:uuid}}/corrections", opt=allow(*GIVERS), include_in_schema=False)
async def correct(
    request: AnyRequest,
    organisation_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Take a line back."""
    with refill(request, TEMPLATE, **await _own(session, actor, organisation_id, now)):
        form = await form_of(request, CorrectionIn)

        async def work() -> str:
            await correct_sale(
                session, actor=actor, organisation_id=organisation_id, number=form.number, reason=form.reason, now=now
            )
            return f"{PAGE}/{organisation_id}?done=fund.corrected"

        return await once_page(request, session, actor, now, work)


HANDLERS = [own_shops, own_shop, send_day, correct]
