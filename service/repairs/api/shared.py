"""What the routes of repairs have in common."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Request, Response
from sqlmodel.ext.asyncio.session import AsyncSession

from service.identity import people_by_ids
from service.kit.access import Actor, Role, allow
from service.kit.once import once
from service.repairs.actions import QuoteLine
from service.repairs.payloads import (
    LineIn,
    RepairOut,
    RepairsOut,
    repair_out,
)
from service.repairs.tables import RepairLine, RepairOrder

AnyRequest = Request[Any, Any, Any]
WORKERS = allow(Role.REPAIRER)


def lines_of(given: list[LineIn]) -> list[QuoteLine]:
    """Lines as the actions take them."""
    return [QuoteLine(line.item, line.quantity, line.fen_each) for line in given]


async def names_of(
    session: AsyncSession, actor: Actor, orders: Sequence[RepairOrder], lines: Sequence[RepairLine] = ()
) -> dict[UUID, str]:
    """Names of all who are in it, in one query."""
    ids = {who for order in orders for who in (order.asked_by, order.repairer_id)}
    ids |= {who for line in lines for who in (line.actor_id, line.on_behalf_of)}
    return {who: person.name for who, person in (await people_by_ids(session, actor.community_id, ids)).items()}


async def listed(session: AsyncSession, actor: Actor, orders: Sequence[RepairOrder]) -> RepairsOut:
    """A list for the wire, in one query more."""
    names = await names_of(session, actor, orders)
    return RepairsOut([repair_out(order, names) for order in orders])


async def acted(
    request: AnyRequest,
    session: AsyncSession,
    actor: Actor,
    now: datetime,
    act: Callable[[], Awaitable[RepairOrder]],
    *,
    status: int = 200,
) -> Response[RepairOut]:
    """Do it once, and answer with where the order is."""

    async def work() -> RepairOut:
        order = await act()
        return repair_out(order, await names_of(session, actor, [order]))

    return await once(request, session, actor, now, work, status=status)
