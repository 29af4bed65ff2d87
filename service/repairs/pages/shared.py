"""What the pages of repairs have in common: one order as everybody sees it, and a step that leads back to it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from litestar import Request
from litestar.response import Redirect
from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from service.kit.access import Actor
from service.kit.i18n import _, translate
from service.kit.once import once_page
from service.kit.pages import form_of, refill
from service.kit.photos import ACCEPT, Photo
from service.kit.refusals import Refusal
from service.repairs.payloads import PictureForm
from service.repairs.queries import orders as queries
from service.repairs.rules import MINUTES_MAX, Decline, RepairState, Trade, Warranty
from service.repairs.tables import RepairOrder
from service.repairs.view import codes_of, detail, photo_in

AnyRequest = Request[Any, Any, Any]
F = TypeVar("F", bound=msgspec.Struct)
TEMPLATE = "repairs/one.html"
POLL_SECONDS = 2
"""How soon the code in the hand shows that it was scanned."""
S = RepairState
STAGE = {
    S.REPORTED: 0,
    S.ASSIGNED: 1,
    S.TAKEN: 1,
    S.QUOTED: 2,
    S.AGREED: 3,
    S.ON_WAY: 3,
    S.ON_SITE: 3,
    S.DONE: 4,
    S.ACCEPTED: 5,
}
"""How far an order is in the five stages that its resident sees."""


def trades() -> list[tuple[str, str]]:
    """The kinds of work, for a choice."""
    return [(trade.value, translate(f"repairs.trade.{trade.value}")) for trade in Trade]


def stages() -> list[str]:
    """What an order goes through, for the eye."""
    return [_("派师傅"), _("报价"), _("同意"), _("上门"), _("验收")]


async def context(
    request: AnyRequest, session: AsyncSession, actor: Actor, order_id: UUID, now: datetime
) -> dict[str, Any]:
    """Everything on the page of an order, read before any form is tried."""
    order = await queries.order_for(session, actor, order_id)
    origin = request.app.state.settings.origin
    shown = await detail(session, actor, order, origin, now)
    code, said = await codes_of(session, actor, order, origin, now)
    is_held = order.warranty == Warranty.HELD and order.warranty_until is not None and now < order.warranty_until
    return {
        "title": _("报修单"),
        "repair": shown.repair,
        "changes": [change for change in shown.changes if change.is_agreed is None and change.is_dearer],
        "history": shown.history,
        "parts": [part for part in shown.parts if part.is_current],
        "photos": shown.photos,
        "stage": STAGE.get(RepairState(order.state)),
        "stages": stages(),
        "svg": redemption.qr_svg(code, title=_("验收码")) if code else "",
        "short_code": said or "",
        "is_mine": order.asked_by == actor.member_id,
        "is_my_job": order.repairer_id == actor.member_id,
        "may_claim": is_held and order.asked_by == actor.member_id,
        "is_held": is_held,
        "minutes": _minutes(order, now),
        "declines": [(each.value, translate(f"repairs.decline.{each.value}")) for each in Decline],
        "accept": ACCEPT,
        "poll_seconds": POLL_SECONDS,
    }


def _minutes(order: RepairOrder, now: datetime) -> int:
    """How long the repairer has been there, in steps of five."""
    fives = -((order.arrived_at - now) // timedelta(minutes=5)) if order.arrived_at else 1
    return min(max(fives, 1) * 5, MINUTES_MAX)


@dataclass(frozen=True, slots=True)
class Drawn:
    """What became of the photo of a form, or why it is refused."""

    photo: Photo | None
    refusal: Refusal | None = None

    def check(self) -> None:
        """Raises the refusal, where its page is known."""
        if self.refusal is not None:
            raise self.refusal


async def drawn(request: AnyRequest) -> Drawn:
    """The photo of a form, drawn before anything is asked of the database: no connection and no lock waits for it."""
    try:
        return Drawn(await photo_in((await form_of(request, PictureForm)).photo))
    except Refusal as refusal:
        return Drawn(None, refusal)


async def step(
    request: AnyRequest,
    session: AsyncSession,
    actor: Actor,
    order_id: UUID,
    now: datetime,
    form: type[F],
    act: Callable[[F], Awaitable[object]],
    done: str,
    *,
    to: str | None = None,
    picture: Drawn | None = None,
) -> Redirect:
    """Read the form, do it once, and lead to the order; a refusal shows the order again with its sentence on top."""
    with refill(request, TEMPLATE, **await context(request, session, actor, order_id, now)):
        if picture is not None:
            picture.check()
        typed = await form_of(request, form)

        async def work() -> str:
            await act(typed)
            return f"{to or f'/repairs/{order_id}'}?done={done}"

        return await once_page(request, session, actor, now, work)
