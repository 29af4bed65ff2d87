"""Shops' accounts and how often they are settled, as JSON."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from sqlmodel.ext.asyncio.session import AsyncSession

from service.kit.access import Actor, allow
from service.kit.clock import local_day
from service.kit.once import once
from service.payouts import actions, queries
from service.payouts.payloads import AccountIn, DecisionIn, NumberOut, RhythmIn, ShopOut, ShopsOut, shop_out
from service.payouts.rules import DECIDERS, PROPOSERS, READERS

AnyRequest = Request[Any, Any, Any]


@get("/api/payouts", opt=allow(*READERS))
async def shops(
    session: NamedDependency[AsyncSession], actor: NamedDependency[Actor], now: NamedDependency[datetime]
) -> ShopsOut:
    """How often each shop is settled, where its money goes, what waits for a second person."""
    return ShopsOut([shop_out(shop) for shop in await queries.shops(session, actor.community_id, local_day(now))])


async def _answered(
    request: AnyRequest,
    session: AsyncSession,
    actor: Actor,
    now: datetime,
    act: Callable[[], Awaitable[UUID]],
) -> Response[ShopOut]:
    async def work() -> ShopOut:
        return shop_out(await queries.shop_of(session, actor.community_id, await act(), local_day(now)))

    return await once(request, session, actor, now, work)


@post("/api/payouts/{shop_id:uuid}/rhythm", opt=allow(*PROPOSERS), status_code=200)
async def choose_rhythm(
    request: AnyRequest,
    shop_id: FromPath[UUID],
    data: JSONBody[RhythmIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[ShopOut]:
    """Settle a shop so often from a day on, tomorrow at the earliest."""

    async def act() -> UUID:
        await actions.choose_rhythm(
            session, actor=actor, shop_id=shop_id, rhythm=data.rhythm, effective_from=data.effective_from, now=now
        )
        return shop_id

    return await _answered(request, session, actor, now, act)


@post("/api/payouts/{shop_id:uuid}/account", opt=allow(*PROPOSERS), status_code=200)
async def propose_account(
    request: AnyRequest,
    shop_id: FromPath[UUID],
    data: JSONBody[AccountIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[ShopOut]:
    """Propose a shop's bank account."""

    async def act() -> UUID:
        await actions.propose_account(
            session,
            actor=actor,
            shop_id=shop_id,
            holder=data.holder,
            bank=data.bank,
            account=data.account,
            reason=data.reason,
            now=now,
        )
        return shop_id

    return await _answered(request, session, actor, now, act)


@post("/api/payouts/accounts/{account_id:uuid}/decision", opt=allow(*DECIDERS), status_code=200)
async def decide_account(
    request: AnyRequest,
    account_id: FromPath[UUID],
    data: JSONBody[DecisionIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[ShopOut]:
    """Agree to an account or refuse it, as a second person."""

    async def act() -> UUID:
        await actions.decide_account(
            session, actor=actor, payee_id=account_id, is_agreed=data.agreed, reason=data.reason, now=now
        )
        return (await queries.account_of(session, actor.community_id, account_id)).merchant_id

    return await _answered(request, session, actor, now, act)


@post("/api/payouts/accounts/{account_id:uuid}/number", opt=allow(*PROPOSERS), status_code=200)
async def look(
    account_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> NumberOut:
    """The whole number of an account; that somebody looked is written down."""
    return NumberOut(await actions.look(session, actor=actor, payee_id=account_id, now=now))


HANDLERS = [shops, choose_rhythm, propose_account, decide_account, look]
