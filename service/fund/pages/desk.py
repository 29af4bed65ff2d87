"""The desk: every shop with its rate, proposals that wait, and the page of one shop."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from litestar import Request, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from service.fund.actions.correcting import correct_sale
from service.fund.actions.delivering import type_in_day
from service.fund.actions.rates import agree_to_rate, propose_rate, refuse_rate
from service.fund.pages.shop import done_by, shown
from service.fund.payloads import CorrectionIn, DayForm, RateForm, fen_of
from service.fund.queries.shops import rates, shops, waiting_rates
from service.fund.rules import DECIDERS, KEEPERS, READERS, Basis, Way
from service.identity import people_by_ids
from service.kit.access import Actor, allow
from service.kit.clock import local_day
from service.kit.db import poster_of_app, sessions_of_app, transaction
from service.kit.i18n import _, translate
from service.kit.manifest import InboxRow
from service.kit.once import once_page
from service.kit.pages import form_of, go, page, refill

AnyRequest = Request[Any, Any, Any]
PAGE = "/desk/fund"
SHOP = f"{PAGE}/shops/{{organisation_id:uuid}}"
OVERVIEW, ONE = "fund/desk.html", "fund/desk_shop.html"


async def _overview(session: AsyncSession, actor: Actor, now: datetime) -> dict[str, Any]:
    today = local_day(now)
    found = await shops(session, actor.community_id, today)
    waiting = await waiting_rates(session, actor.community_id)
    return {
        "title": _("公益基金"),
        "shops": found,
        "names": {shop.organisation_id: shop.name for shop in found},
        "waiting": waiting,
        "people": await people_by_ids(session, actor.community_id, {view.proposed_by for view in waiting}),
        "bases": [(basis.value, translate(f"fund.basis.{basis.value}")) for basis in Basis],
        "today": today,
        "tomorrow": today + timedelta(days=1),
        "may_propose": actor.has(*KEEPERS),
        "may_decide": actor.has(*DECIDERS),
        "me": actor.member_id,
    }


@get(PAGE, opt=allow(*READERS), include_in_schema=False)
async def overview(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template:
    """Every shop, what it gives and owes."""
    return page(request, OVERVIEW, **await _overview(session, actor, now))


@post(f"{PAGE}/rates", opt=allow(*KEEPERS), include_in_schema=False)
async def propose(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Propose a rate."""
    with refill(request, OVERVIEW, **await _overview(session, actor, now)):
        form = await form_of(request, RateForm)

        async def work() -> str:
            await propose_rate(
                session,
                actor=actor,
                organisation_id=form.shop,
                basis=form.basis,
                value=form.value,
                effective_from=form.effective_from,
                now=now,
            )
            return f"{PAGE}?done=fund.rate_proposed"

        return await once_page(request, session, actor, now, work)


@post(f"{SHOP}/rates/{{rate_id:uuid}}/agree", opt=allow(*DECIDERS), include_in_schema=False)
async def agree(
    request: AnyRequest,
    organisation_id: FromPath[UUID],
    rate_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Agree to somebody else's proposal."""
    with refill(request, OVERVIEW, **await _overview(session, actor, now)):

        async def work() -> str:
            await agree_to_rate(session, actor=actor, organisation_id=organisation_id, rate_id=rate_id, now=now)
            return f"{PAGE}?done=fund.rate_agreed"

        return await once_page(request, session, actor, now, work)


@post(f"{SHOP}/rates/{{rate_id:uuid}}/refuse", opt=allow(*DECIDERS, *KEEPERS), include_in_schema=False)
async def refuse(
    request: AnyRequest,
    organisation_id: FromPath[UUID],
    rate_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Say no, or take one's own proposal back."""
    with refill(request, OVERVIEW, **await _overview(session, actor, now)):

        async def work() -> str:
            await refuse_rate(session, actor=actor, organisation_id=organisation_id, rate_id=rate_id, now=now)
            return f"{PAGE}?done=fund.rate_refused"

        return await once_page(request, session, actor, now, work)


async def _one(
    session: AsyncSession, actor: Actor, organisation_id: UUID, now: datetime, after: str | None = None
) -> dict[str, Any]:
    here = f"{PAGE}/shops/{organisation_id}"
    context = await shown(session, actor, organisation_id, now, after)
    agreed = await rates(session, actor.community_id, organisation_id)
    ids = {sale.entered_by for sale in context["sales"]} | {
        who for view in agreed for who in (view.proposed_by, view.decided_by) if who is not None
    }
    return context | {
        "title": context["shop"].name,
        "here": here,
        "rates": agreed,
        "people": await people_by_ids(session, actor.community_id, ids),
        "may_enter": actor.has(*KEEPERS),
        "next_url": f"{here}?after={context['next']}" if context["next"] else None,
        "first_url": here if after else None,
    }


@get(SHOP, opt=allow(*READERS), include_in_schema=False)
async def one(
    request: AnyRequest,
    organisation_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    after: FromQuery[str | None] = None,
) -> Template:
    """One shop: its rates, its lines, and the form for a day of a shop without a phone."""
    return page(request, ONE, **await _one(session, actor, organisation_id, now, after))


@post(f"{SHOP}/sales", opt=allow(*KEEPERS), include_in_schema=False)
async def send_day(
    request: AnyRequest,
    organisation_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    state: State,
) -> Redirect:
    """Type in a day for a shop. No session of the request: who waits at the ledger's door holds no connection."""
    async with transaction(sessions_of_app(state)) as session:
        context = await _one(session, actor, organisation_id, now)
    with refill(request, ONE, **context):
        form = await form_of(request, DayForm)
        answer = await type_in_day(
            sessions_of_app(state),
            poster_of_app(state),
            actor=actor,
            organisation_id=organisation_id,
            sold_on=form.sold_on,
            sales=form.sales,
            amount_fen=fen_of(form.amount_yuan),
            way=Way.DESK,
            now=now,
        )
        return go(f"{PAGE}/shops/{organisation_id}", done_by(answer.outcome))


@post(f"{SHOP}/corrections", opt=allow(*KEEPERS), include_in_schema=False)
async def correct(
    request: AnyRequest,
    organisation_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Take a line back for a shop."""
    with refill(request, ONE, **await _one(session, actor, organisation_id, now)):
        form = await form_of(request, CorrectionIn)

        async def work() -> str:
            await correct_sale(
                session, actor=actor, organisation_id=organisation_id, number=form.number, reason=form.reason, now=now
            )
            return f"{PAGE}/shops/{organisation_id}?done=fund.corrected"

        return await once_page(request, session, actor, now, work)


async def inbox(session: AsyncSession, actor: Actor, now: datetime) -> Sequence[InboxRow]:
    """Rates that wait for this person's agreement."""
    if not actor.has(*DECIDERS):
        return []
    waiting = [view for view in await waiting_rates(session, actor.community_id) if view.proposed_by != actor.member_id]
    if not waiting:
        return []
    names = {shop.organisation_id: shop.name for shop in await shops(session, actor.community_id, local_day(now))}
    return [InboxRow("fund_rate", names.get(view.organisation_id, ""), "", view.proposed_at, PAGE) for view in waiting]


HANDLERS = [overview, propose, agree, refuse, one, send_day, correct]
