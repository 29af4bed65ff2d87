"""Sales and rates, as JSON: what a till talks to."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from sqlmodel.ext.asyncio.session import AsyncSession

from service.fund.actions.correcting import correct_sale
from service.fund.actions.delivering import deliver_sales
from service.fund.actions.rates import agree_to_rate, propose_rate, refuse_rate
from service.fund.payloads import (
    CorrectionIn,
    RateIn,
    RateOut,
    SalePageOut,
    SalesIn,
    SalesOut,
    ShopOut,
    ShopsOut,
    line_of,
    month_out,
    rate_out,
    sale_out,
    sales_out,
    shop_line_out,
)
from service.fund.queries import sales as reads
from service.fund.queries.shops import open_fen, rates, shop_for, shops, waiting_rates
from service.fund.rules import DECIDERS, GIVERS, KEEPERS, READERS, NotYetKnown, Outcome, Way
from service.kit.access import Actor, allow
from service.kit.clock import local_day
from service.kit.db import poster_of_app, sessions_of_app
from service.kit.once import once

AnyRequest = Request[Any, Any, Any]
SHOP = "/api/fund/shops/{organisation_id:uuid}"


@get("/api/fund/shops", opt=allow(*READERS))
async def all_shops(
    session: NamedDependency[AsyncSession], actor: NamedDependency[Actor], now: NamedDependency[datetime]
) -> ShopsOut:
    """Every shop with its rate and what it owes."""
    found = await shops(session, actor.community_id, local_day(now))
    waiting = await waiting_rates(session, actor.community_id)
    return ShopsOut([shop_line_out(view) for view in found], [rate_out(view) for view in waiting])


@get(SHOP, opt=allow(*GIVERS, *READERS))
async def one_shop(
    organisation_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> ShopOut:
    """A shop's rates, its months and what it owes: its own, or any from the desk."""
    found = await shop_for(session, actor, organisation_id, local_day(now))
    owed = await open_fen(session, actor.community_id, [organisation_id])
    return ShopOut(
        organisation_id,
        found.name,
        owed.get(organisation_id, 0),
        [rate_out(view) for view in await rates(session, actor.community_id, organisation_id)],
        [month_out(view) for view in await reads.months(session, actor.community_id, organisation_id)],
    )


@get(f"{SHOP}/sales", opt=allow(*GIVERS, *READERS))
async def sales(
    organisation_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    after: FromQuery[str | None] = None,
) -> SalePageOut:
    """The lines of a shop, the newest day first."""
    await shop_for(session, actor, organisation_id, local_day(now))
    found = await reads.sales(session, actor.community_id, organisation_id, after=after)
    return SalePageOut([sale_out(view) for view in found.rows], found.next)


@post(f"{SHOP}/sales", opt=allow(*GIVERS, *KEEPERS), status_code=200)
async def send_sales(
    organisation_id: FromPath[UUID],
    data: JSONBody[SalesIn],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    state: State,
) -> SalesOut:
    """Send a batch. Each line is answered for itself; the same line again changes nothing, so a batch may always be sent again.

    There is no session of the request here: who waits at the ledger's door holds no connection.
    """
    answers = await deliver_sales(
        sessions_of_app(state),
        poster_of_app(state),
        actor=actor,
        organisation_id=organisation_id,
        lines=[line_of(raw) for raw in data.lines],
        way=Way.DESK if actor.has(*KEEPERS) else Way.TILL,
        now=now,
    )
    if all(answer.outcome is Outcome.UNSURE for answer in answers):
        raise NotYetKnown
    return sales_out(answers)


@post(f"{SHOP}/corrections", opt=allow(*GIVERS, *KEEPERS), status_code=204)
async def correct(
    request: AnyRequest,
    organisation_id: FromPath[UUID],
    data: JSONBody[CorrectionIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[None]:
    """Take a line back, wholly."""

    async def work() -> None:
        await correct_sale(
            session, actor=actor, organisation_id=organisation_id, number=data.number, reason=data.reason, now=now
        )

    return await once(request, session, actor, now, work, status=204)


@post(f"{SHOP}/rates", opt=allow(*KEEPERS), status_code=201)
async def propose(
    request: AnyRequest,
    organisation_id: FromPath[UUID],
    data: JSONBody[RateIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[RateOut]:
    """Propose what a shop will give from a day on."""

    async def act() -> UUID:
        return await propose_rate(
            session,
            actor=actor,
            organisation_id=organisation_id,
            basis=data.basis,
            value=data.value,
            effective_from=data.effective_from,
            now=now,
        )

    return await _rated(request, session, actor, now, organisation_id, act, status=201)


@post(f"{SHOP}/rates/{{rate_id:uuid}}/agreement", opt=allow(*DECIDERS), status_code=200)
async def agree(
    request: AnyRequest,
    organisation_id: FromPath[UUID],
    rate_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[RateOut]:
    """Agree to somebody else's proposal."""

    async def act() -> UUID:
        await agree_to_rate(session, actor=actor, organisation_id=organisation_id, rate_id=rate_id, now=now)
        return rate_id

    return await _rated(request, session, actor, now, organisation_id, act)


@post(f"{SHOP}/rates/{{rate_id:uuid}}/refusal", opt=allow(*DECIDERS, *KEEPERS), status_code=200)
async def refuse(
    request: AnyRequest,
    organisation_id: FromPath[UUID],
    rate_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[RateOut]:
    """Say no to a proposal, or take one's own back."""

    async def act() -> UUID:
        await refuse_rate(session, actor=actor, organisation_id=organisation_id, rate_id=rate_id, now=now)
        return rate_id

    return await _rated(request, session, actor, now, organisation_id, act)


async def _rated(
    request: AnyRequest,
    session: AsyncSession,
    actor: Actor,
    now: datetime,
    organisation_id: UUID,
    act: Callable[[], Awaitable[UUID]],
    status: int = 200,
) -> Response[RateOut]:
    async def work() -> RateOut:
        rate_id = await act()
        await session.flush()
        every = await rates(session, actor.community_id, organisation_id)
        return rate_out(next(view for view in every if view.rate_id == rate_id))

    return await once(request, session, actor, now, work, status=status)


HANDLERS = [all_shops, one_shop, sales, send_sales, correct, propose, agree, refuse]
