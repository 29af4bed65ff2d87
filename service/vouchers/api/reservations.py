"""Keeping an offer for ten minutes and saying yes to it, as JSON."""

from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Request, Response, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from sqlmodel.ext.asyncio.session import AsyncSession

from service.kit.access import SIGNED_IN, Actor
from service.kit.once import once
from service.vouchers.actions import taking
from service.vouchers.api.offers import key_of, shown_voucher, take_for
from service.vouchers.payloads import TakeIn, VoucherOut

AnyRequest = Request[Any, Any, Any]


@post("/api/offers/{offer_id:uuid}/reservations", opt=SIGNED_IN)
async def reserve(
    request: AnyRequest,
    offer_id: FromPath[UUID],
    data: JSONBody[TakeIn],
    state: State,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[VoucherOut]:
    """Keep an offer for ten minutes, its price, split and price list frozen; confirm it, give it up, or it goes back."""
    return await take_for(request, state, session, actor, now, offer_id, data.for_member, is_reserved=True)


@post("/api/vouchers/{voucher_id:int}/confirmation", opt=SIGNED_IN, status_code=200)
async def confirm(
    request: AnyRequest,
    voucher_id: FromPath[int],
    state: State,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[VoucherOut]:
    """Say yes to what was reserved: the price is the one that was shown, and the voucher's days begin."""

    async def work() -> VoucherOut:
        await taking.confirm(session, actor=actor, voucher_id=voucher_id, key=key_of(request), now=now)
        await session.flush()
        return await shown_voucher(state, session, actor, voucher_id, now)

    return await once(request, session, actor, now, work)
