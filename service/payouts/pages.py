"""The desk's pages: every shop, and of one shop how often it is settled and where its money goes."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from redemption import Rhythm
from service.identity import people_by_ids
from service.kit.access import Actor, allow
from service.kit.clock import local_day
from service.kit.i18n import _, translate
from service.kit.once import once_page
from service.kit.pages import form_of, page, refill
from service.payouts import actions, queries
from service.payouts.payloads import AccountIn, DecisionIn, RhythmIn
from service.payouts.rules import DECIDERS, PROPOSERS, READERS

AnyRequest = Request[Any, Any, Any]
PAGE = "/desk/payouts"


@get(PAGE, opt=allow(*READERS), include_in_schema=False)
async def shops_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template:
    """Every shop."""
    found = await queries.shops(session, actor.community_id, local_day(now))
    return page(request, "payouts/shops.html", title=_("商户收款"), shops=found, now=now)


async def _shown(session: AsyncSession, actor: Actor, shop_id: UUID, now: datetime) -> dict[str, Any]:
    today = local_day(now)
    shop = await queries.shop_of(session, actor.community_id, shop_id, today)
    accounts = [account for account in (shop.account, shop.proposed) if account is not None]
    hands = {who for account in accounts for who in (account.proposed_by, account.decided_by)}
    return {
        "title": shop.name,
        "shop": shop,
        "people": await people_by_ids(session, actor.community_id, hands),
        "rhythms": [(each.value, translate(f"rhythm.{each.value}")) for each in Rhythm],
        "tomorrow": (today + timedelta(days=1)).isoformat(),
        "may_propose": actor.has(*PROPOSERS),
        "may_decide": actor.has(*DECIDERS)
        and shop.proposed is not None
        and shop.proposed.proposed_by != actor.member_id,
        "now": now,
        "number": None,
    }


@get(PAGE + "/{shop_id:uuid}", opt=allow(*READERS), include_in_schema=False)
async def shop_page(
    request: AnyRequest,
    shop_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template:
    """One shop."""
    return page(request, "payouts/shop.html", **await _shown(session, actor, shop_id, now))


async def _act(
    request: AnyRequest,
    session: AsyncSession,
    actor: Actor,
    now: datetime,
    shop_id: UUID,
    act: Callable[[], Awaitable[str]],
) -> Redirect:
    with refill(request, "payouts/shop.html", **await _shown(session, actor, shop_id, now)):

        async def work() -> str:
            return f"{PAGE}/{shop_id}?done={await act()}"

        return await once_page(request, session, actor, now, work)


@post(PAGE + "/{shop_id:uuid}/rhythm", opt=allow(*PROPOSERS), include_in_schema=False)
async def choose_rhythm(
    request: AnyRequest,
    shop_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Settle a shop so often from a day on."""

    async def act() -> str:
        form = await form_of(request, RhythmIn)
        await actions.choose_rhythm(
            session, actor=actor, shop_id=shop_id, rhythm=form.rhythm, effective_from=form.effective_from, now=now
        )
        return "payouts.rhythm_chosen"

    return await _act(request, session, actor, now, shop_id, act)


@post(PAGE + "/{shop_id:uuid}/account", opt=allow(*PROPOSERS), include_in_schema=False)
async def propose_account(
    request: AnyRequest,
    shop_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Propose a shop's bank account."""

    async def act() -> str:
        form = await form_of(request, AccountIn)
        await actions.propose_account(
            session,
            actor=actor,
            shop_id=shop_id,
            holder=form.holder,
            bank=form.bank,
            account=form.account,
            reason=form.reason,
            now=now,
        )
        return "payouts.account_proposed"

    return await _act(request, session, actor, now, shop_id, act)


@post(PAGE + "/accounts/{account_id:uuid}/decide", opt=allow(*DECIDERS), include_in_schema=False)
async def decide_account(
    request: AnyRequest,
    account_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Agree to an account or refuse it, as a second person."""
    account = await queries.account_of(session, actor.community_id, account_id)

    async def act() -> str:
        form = await form_of(request, DecisionIn)
        await actions.decide_account(
            session, actor=actor, payee_id=account_id, is_agreed=form.agreed, reason=form.reason, now=now
        )
        return "payouts.account_decided"

    return await _act(request, session, actor, now, account.merchant_id, act)


@post(PAGE + "/accounts/{account_id:uuid}/number", opt=allow(*PROPOSERS), include_in_schema=False, status_code=200)
async def look(
    request: AnyRequest,
    account_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template:
    """The shop's page with the whole number; that somebody looked is written down."""
    account = await queries.account_of(session, actor.community_id, account_id)
    shown = await _shown(session, actor, account.merchant_id, now)
    shown["number"] = await actions.look(session, actor=actor, payee_id=account_id, now=now)
    return page(request, "payouts/shop.html", **shown)


HANDLERS = [shops_page, shop_page, choose_rhythm, propose_account, decide_account, look]
