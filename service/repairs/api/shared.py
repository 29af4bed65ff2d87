"""What the routes of repairs have in common."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from litestar import Request, Response
from sqlmodel.ext.asyncio.session import AsyncSession

from service.kit.access import Actor, Role, allow
from service.kit.forms import form_of
from service.kit.once import once
from service.kit.photos import Photo
from service.repairs import view
from service.repairs.actions import QuoteLine
from service.repairs.payloads import LineIn, PhotoForm, RepairOut, repair_out
from service.repairs.rules import Moment
from service.repairs.tables import RepairOrder

AnyRequest = Request[Any, Any, Any]
WORKERS = allow(Role.REPAIRER)


def lines_of(given: list[LineIn]) -> list[QuoteLine]:
    """Lines as the actions take them."""
    return [QuoteLine(line.item, line.quantity, line.fen_each) for line in given]


async def photo_of(request: AnyRequest) -> tuple[Photo, Moment]:
    """The picture of a multipart form, drawn anew."""
    form = await form_of(request, PhotoForm)
    return await view.photo_of(form.photo), form.moment


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
        return repair_out(order, await view.names_of(session, actor, [order]))

    return await once(request, session, actor, now, work, status=status)
