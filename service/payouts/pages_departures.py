"""The desk's pages of shops that leave: all of them, and of one what is done and what is still open."""

from collections.abc import Awaitable, Callable
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from service.communities import organisations_by_ids
from service.identity import people_by_ids
from service.kit.access import Actor, allow
from service.kit.clock import local_day
from service.kit.i18n import _
from service.kit.ids import new_id
from service.kit.once import once_page
from service.kit.pages import form_of, page, refill
from service.payouts import actions_departures, queries
from service.payouts.payloads import Reason
from service.payouts.rules import DECIDERS, PROPOSERS, READERS

AnyRequest = Request[Any, Any, Any]
PAGE = "/desk/payouts/departures"
LIST, ONE = "payouts/departures.html", "payouts/departure.html"


class DepartureForm(msgspec.Struct):
    """Which shop leaves from which day on, why, and who takes over."""

    shop: UUID
    leaves_on: date
    reason: Reason
    successor: UUID | None = None


class AgreedForm(msgspec.Struct):
    """Yes by a second person, or taken back."""

    agreed: bool = False


async def _listed(session: AsyncSession, actor: Actor, now: datetime) -> dict[str, Any]:
    today = local_day(now)
    found = await redemption.departures(session, actor.community_id)
    shops = await queries.shops(session, actor.community_id, today)
    # By their ids, for a shop may have closed since.
    named = {who for each in found for who in (each.merchant_id, each.successor_id) if who is not None}
    theirs = await organisations_by_ids(session, actor.community_id, named)
    gone = {each.merchant_id for each in found if each.state is not redemption.DepartureState.WITHDRAWN}
    return {
        "title": _("退出的商户"),
        "departures": found,
        "shops": {shop_id: shop.name for shop_id, shop in theirs.items()},
        "choices": [(str(each.shop_id), each.name) for each in shops if each.shop_id not in gone],
        "may_propose": actor.has(*PROPOSERS),
        "today": today.isoformat(),
        "latest": (today + timedelta(days=400)).isoformat(),
    }


@get(PAGE, opt=allow(*READERS), include_in_schema=False)
async def departures_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template:
    """Every shop that leaves or left."""
    return page(request, LIST, **await _listed(session, actor, now))


@post(PAGE, opt=allow(*PROPOSERS), include_in_schema=False)
async def propose(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Propose that a shop leaves."""
    with refill(request, LIST, **await _listed(session, actor, now)):
        form = await form_of(request, DepartureForm)
        departure_id = new_id()

        async def work() -> str:
            await actions_departures.propose(
                session,
                actor=actor,
                departure_id=departure_id,
                shop_id=form.shop,
                successor_id=form.successor,
                leaves_on=form.leaves_on,
                reason=form.reason,
                now=now,
            )
            return f"{PAGE}/{departure_id}?done=payouts.departure_proposed"

        return await once_page(request, session, actor, now, work)


async def _shown(session: AsyncSession, actor: Actor, departure_id: UUID, now: datetime) -> dict[str, Any]:
    [found] = await redemption.departures(session, actor.community_id, departure_id=departure_id)
    ids = {each for each in (found.merchant_id, found.successor_id) if each is not None}
    shops = await organisations_by_ids(session, actor.community_id, ids)
    hands = {each for each in (found.proposed_by, found.agreed_by, found.ended_by) if each is not None}
    still = await redemption.departure_open(session, actor.community_id, departure_id, now=now)
    return {
        "title": shops[found.merchant_id].name,
        "departure": found,
        "successor": shops[found.successor_id].name if found.successor_id else None,
        "still": still,
        "people": await people_by_ids(session, actor.community_id, hands),
        "may_agree": actor.has(*DECIDERS) and found.proposed_by != actor.member_id,
        "may_take_back": actor.has(*DECIDERS),
        "may_carry": actor.has(*PROPOSERS),
    }


@get(PAGE + "/{departure_id:uuid}", opt=allow(*READERS), include_in_schema=False)
async def departure_page(
    request: AnyRequest,
    departure_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template:
    """One shop that leaves."""
    return page(request, ONE, **await _shown(session, actor, departure_id, now))


async def _act(
    request: AnyRequest,
    session: AsyncSession,
    actor: Actor,
    now: datetime,
    departure_id: UUID,
    act: Callable[[], Awaitable[str]],
) -> Redirect:
    with refill(request, ONE, **await _shown(session, actor, departure_id, now)):

        async def work() -> str:
            return f"{PAGE}/{departure_id}?done={await act()}"

        return await once_page(request, session, actor, now, work)


@post(PAGE + "/{departure_id:uuid}/decide", opt=allow(*DECIDERS), include_in_schema=False)
async def decide(
    request: AnyRequest,
    departure_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Agree as a second person, or take it back."""

    async def act() -> str:
        form = await form_of(request, AgreedForm)
        await actions_departures.decide(session, actor=actor, departure_id=departure_id, is_agreed=form.agreed, now=now)
        return "payouts.departure_agreed" if form.agreed else "payouts.departure_withdrawn"

    return await _act(request, session, actor, now, departure_id, act)


@post(PAGE + "/{departure_id:uuid}/carry", opt=allow(*PROPOSERS), include_in_schema=False)
async def carry(
    request: AnyRequest,
    departure_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Move the next vouchers now."""

    async def act() -> str:
        await actions_departures.carry(session, actor.community_id, departure_id, now=now, actor=actor)
        return "payouts.departure_carried"

    return await _act(request, session, actor, now, departure_id, act)


@post(PAGE + "/{departure_id:uuid}/finish", opt=allow(*PROPOSERS), include_in_schema=False)
async def finish(
    request: AnyRequest,
    departure_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """The shop is gone."""

    async def act() -> str:
        await actions_departures.finish(session, actor=actor, departure_id=departure_id, now=now)
        return "payouts.departure_finished"

    return await _act(request, session, actor, now, departure_id, act)


HANDLERS = [departures_page, propose, departure_page, decide, carry, finish]
