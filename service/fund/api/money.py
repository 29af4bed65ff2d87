"""Money that comes in and the public account, as JSON."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from sqlmodel.ext.asyncio.session import AsyncSession

from service.communities import community
from service.fund.actions.income import agree_to_income, record_donation, record_payment, refuse_income
from service.fund.payloads import (
    AccountOut,
    DonationIn,
    IncomeOut,
    IncomePageOut,
    PaymentIn,
    account_out,
    income_out,
    period_of,
)
from service.fund.queries.account import account
from service.fund.queries.income import income, lock_income, views, waiting_income
from service.fund.rules import CASHIERS, DECIDERS, KEEPERS, READERS
from service.kit.access import PUBLIC, Actor, allow
from service.kit.clock import local_day
from service.kit.once import once

AnyRequest = Request[Any, Any, Any]


@get("/api/fund/{community_id:int}/account", opt=dict(PUBLIC))
async def public_account(
    community_id: FromPath[int],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
    of: FromQuery[str | None] = None,
) -> AccountOut:
    """What came into a community's fund, by source, in a month (`2026-11`) or a year (`2026`); this month by default."""
    await community(session, community_id)
    since, until = period_of(of, local_day(now))
    return account_out(await account(session, community_id, since, until))


@get("/api/fund/income", opt=allow(*READERS))
async def all_income(
    session: NamedDependency[AsyncSession], actor: NamedDependency[Actor], after: FromQuery[str | None] = None
) -> IncomePageOut:
    """Everything that came in, and what waits for a second person."""
    found = await income(session, actor.community_id, after=after)
    waiting = await waiting_income(session, actor.community_id)
    return IncomePageOut([income_out(view) for view in waiting], [income_out(view) for view in found.rows], found.next)


@post("/api/fund/payments", opt=allow(*CASHIERS), status_code=201)
async def pay_in(
    request: AnyRequest,
    data: JSONBody[PaymentIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[IncomeOut]:
    """Record what a merchant paid; a second person of finance agrees."""

    async def act() -> UUID:
        return await record_payment(
            session,
            actor=actor,
            organisation_id=data.shop,
            amount_fen=data.amount_fen,
            document=data.document,
            received_on=data.received_on,
            now=now,
        )

    return await _answered(request, session, actor, now, act, status=201)


@post("/api/fund/donations", opt=allow(*KEEPERS), status_code=201)
async def donate(
    request: AnyRequest,
    data: JSONBody[DonationIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[IncomeOut]:
    """Take a donation in; above the community's limit a second person agrees."""

    async def act() -> UUID:
        return await record_donation(
            session,
            actor=actor,
            donor=data.donor,
            is_named=data.is_named,
            amount_fen=data.amount_fen,
            document=data.document,
            received_on=data.received_on,
            now=now,
        )

    return await _answered(request, session, actor, now, act, status=201)


@post("/api/fund/income/{income_id:uuid}/agreement", opt=allow(*DECIDERS), status_code=200)
async def agree(
    request: AnyRequest,
    income_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[IncomeOut]:
    """Agree to what somebody else recorded."""

    async def act() -> UUID:
        await agree_to_income(session, actor=actor, income_id=income_id, now=now)
        return income_id

    return await _answered(request, session, actor, now, act)


@post("/api/fund/income/{income_id:uuid}/refusal", opt=allow(*DECIDERS, *KEEPERS), status_code=200)
async def refuse(
    request: AnyRequest,
    income_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[IncomeOut]:
    """Say no, or take one's own record back."""

    async def act() -> UUID:
        await refuse_income(session, actor=actor, income_id=income_id, now=now)
        return income_id

    return await _answered(request, session, actor, now, act)


async def _answered(
    request: AnyRequest,
    session: AsyncSession,
    actor: Actor,
    now: datetime,
    act: Callable[[], Awaitable[UUID]],
    status: int = 200,
) -> Response[IncomeOut]:
    async def work() -> IncomeOut:
        income_id = await act()
        await session.flush()
        row = await lock_income(session, actor.community_id, income_id)
        return income_out((await views(session, actor.community_id, [row]))[0])

    return await once(request, session, actor, now, work, status=status)


HANDLERS = [public_account, all_income, pay_in, donate, agree, refuse]
