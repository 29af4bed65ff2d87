"""Shops that leave, as JSON."""

from collections.abc import Awaitable, Callable
from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from service.kit.access import Actor, allow
from service.kit.ids import new_id
from service.kit.once import once
from service.payouts import actions_departures
from service.payouts.payloads import Reason
from service.payouts.rules import DECIDERS, PROPOSERS, READERS

AnyRequest = Request[Any, Any, Any]


class DepartureIn(msgspec.Struct):
    """Which shop leaves from which day on, why, and who takes its vouchers over; without one they are refunded."""

    shop: UUID
    leaves_on: date
    reason: Reason
    successor: UUID | None = None


class AgreedIn(msgspec.Struct):
    """Yes by a second person, or taken back."""

    agreed: bool


class OpenOut(msgspec.Struct):
    """What is still open of it, kind by kind."""

    vouchers: int
    movable: int
    leases: int
    reviews: int
    uses: int
    disputes: int
    adjustments: int
    settlements: int


class DepartureOut(msgspec.Struct):
    """One shop that leaves, or left."""

    departure_id: UUID
    shop: UUID
    successor: UUID | None
    leaves_at: datetime
    state: str
    reason: str
    proposed_by: UUID
    proposed_at: datetime
    agreed_by: UUID | None
    agreed_at: datetime | None
    locked_at: datetime | None
    ended_by: UUID | None
    ended_at: datetime | None
    moved: int
    points: int


class DepartureWithOpenOut(msgspec.Struct):
    """One of them with what is still open."""

    departure: DepartureOut
    open: OpenOut


class DeparturesOut(msgspec.Struct):
    """The last proposed first."""

    items: list[DepartureOut]


def _out(found: redemption.Departure) -> DepartureOut:
    return DepartureOut(
        found.departure_id,
        found.merchant_id,
        found.successor_id,
        found.leaves_at,
        found.state.value.lower(),
        found.reason,
        found.proposed_by,
        found.proposed_at,
        found.agreed_by,
        found.agreed_at,
        found.locked_at,
        found.ended_by,
        found.ended_at,
        found.moved,
        found.points,
    )


async def _one(session: AsyncSession, community_id: int, departure_id: UUID, now: datetime) -> DepartureWithOpenOut:
    [found] = await redemption.departures(session, community_id, departure_id=departure_id)
    still = await redemption.departure_open(session, community_id, departure_id, now=now)
    return DepartureWithOpenOut(_out(found), msgspec.convert(still, OpenOut, from_attributes=True))


@get("/api/payouts/departures", opt=allow(*READERS))
async def departures(session: NamedDependency[AsyncSession], actor: NamedDependency[Actor]) -> DeparturesOut:
    """Every shop that leaves or left."""
    return DeparturesOut([_out(each) for each in await redemption.departures(session, actor.community_id)])


@get("/api/payouts/departures/{departure_id:uuid}", opt=allow(*READERS))
async def departure(
    departure_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> DepartureWithOpenOut:
    """One of them, and what is still open of it."""
    return await _one(session, actor.community_id, departure_id, now)


async def _answered(
    request: AnyRequest,
    session: AsyncSession,
    actor: Actor,
    now: datetime,
    departure_id: UUID,
    act: Callable[[], Awaitable[object]],
) -> Response[DepartureWithOpenOut]:
    async def work() -> DepartureWithOpenOut:
        await act()
        return await _one(session, actor.community_id, departure_id, now)

    return await once(request, session, actor, now, work)


@post("/api/payouts/departures", opt=allow(*PROPOSERS), status_code=200)
async def propose(
    request: AnyRequest,
    data: JSONBody[DepartureIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[DepartureWithOpenOut]:
    """Propose that a shop leaves."""
    departure_id = new_id()

    async def act() -> None:
        await actions_departures.propose(
            session,
            actor=actor,
            departure_id=departure_id,
            shop_id=data.shop,
            successor_id=data.successor,
            leaves_on=data.leaves_on,
            reason=data.reason,
            now=now,
        )

    return await _answered(request, session, actor, now, departure_id, act)


@post("/api/payouts/departures/{departure_id:uuid}/decision", opt=allow(*DECIDERS), status_code=200)
async def decide(
    request: AnyRequest,
    departure_id: FromPath[UUID],
    data: JSONBody[AgreedIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[DepartureWithOpenOut]:
    """Agree as a second person, or take it back."""

    async def act() -> None:
        await actions_departures.decide(session, actor=actor, departure_id=departure_id, is_agreed=data.agreed, now=now)

    return await _answered(request, session, actor, now, departure_id, act)


@post("/api/payouts/departures/{departure_id:uuid}/step", opt=allow(*PROPOSERS), status_code=200)
async def carry(
    request: AnyRequest,
    departure_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[DepartureWithOpenOut]:
    """Move the next vouchers now; the worker does it every minute."""

    async def act() -> None:
        await actions_departures.carry(session, actor.community_id, departure_id, now=now, actor=actor)

    return await _answered(request, session, actor, now, departure_id, act)


@post("/api/payouts/departures/{departure_id:uuid}/end", opt=allow(*PROPOSERS), status_code=200)
async def finish(
    request: AnyRequest,
    departure_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[DepartureWithOpenOut]:
    """The shop is gone: nothing of it is open."""

    async def act() -> None:
        await actions_departures.finish(session, actor=actor, departure_id=departure_id, now=now)

    return await _answered(request, session, actor, now, departure_id, act)


HANDLERS = [departures, departure, propose, decide, carry, finish]
