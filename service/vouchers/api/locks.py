"""Keeping a voucher at a counter while something is prepared, as JSON."""

from datetime import datetime
from typing import Any, cast
from uuid import UUID

from litestar import Request, Response, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from sqlmodel.ext.asyncio.session import AsyncSession

from service.kit.access import Actor, allow
from service.kit.clock import local_day
from service.kit.crypto import Keyring
from service.kit.ids import new_id
from service.kit.issuers import code_keys
from service.kit.once import once
from service.vouchers.actions import locking
from service.vouchers.browser import COUNTER, SHOP_COOKIE, chosen, device_here, uuid_cookie
from service.vouchers.card_uses import desk_answer
from service.vouchers.payloads import ScanOut
from service.vouchers.payloads.locks import KeepIn, KeptOut, KeptUseIn, LetGoIn
from service.vouchers.queries.counter import Shop, shops_of
from service.vouchers.said import answered

AnyRequest = Request[Any, Any, Any]


async def _shop(request: AnyRequest, session: AsyncSession, actor: Actor, wanted: UUID | None, now: datetime) -> Shop:
    return chosen(await shops_of(session, actor, local_day(now)), wanted or uuid_cookie(request, SHOP_COOKIE))


@post("/api/shop/locks", opt=allow(*COUNTER))
async def lock(
    request: AnyRequest,
    data: JSONBody[KeepIn],
    state: State,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[KeptOut]:
    """Keep the scanned voucher for two minutes: its member cannot cancel it and no other counter takes it."""
    here = await _shop(request, session, actor, data.shop, now)

    async def work() -> KeptOut:
        kept = await locking.keep(
            session,
            code_keys(cast("Keyring", state.keyring), now),
            actor=actor,
            shop_id=here.organisation_id,
            code=data.code,
            is_compared=data.compared,
            device_id=device_here(request, actor),
            key=request.headers.get("idempotency-key") or new_id().hex,
            now=now,
        )
        voucher = kept.voucher
        return KeptOut(
            str(voucher.voucher_id),
            kept.token,
            kept.until,
            int((kept.until - now).total_seconds()),
            voucher.title,
            voucher.points_each + voucher.subsidy_points_each,
            voucher.cash_fen_each,
            voucher.quantity_open,
        )

    return await once(request, session, actor, now, work, status=201)


@post("/api/shop/locks/{voucher_id:int}/use", opt=allow(*COUNTER), status_code=200)
async def use(
    request: AnyRequest,
    voucher_id: FromPath[int],
    data: JSONBody[KeptUseIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[ScanOut]:
    """It is ready: redeem what is kept, exactly once."""
    here = await _shop(request, session, actor, data.shop, now)
    scan = await locking.use(
        session,
        actor=actor,
        voucher_id=voucher_id,
        token=data.token,
        shop_id=here.organisation_id,
        device_id=device_here(request, actor),
        nonce=data.nonce,
        quantity=data.quantity,
        is_compared=data.compared,
        now=now,
    )
    return answered(await desk_answer(session, actor, scan))


@post("/api/shop/locks/{voucher_id:int}/release", opt=allow(*COUNTER), status_code=204)
async def release(
    request: AnyRequest,
    voucher_id: FromPath[int],
    data: JSONBody[LetGoIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[None]:
    """It is not needed after all: the member may use it elsewhere or cancel at once."""
    here = await _shop(request, session, actor, data.shop, now)

    async def work() -> None:
        await locking.let_go(
            session,
            actor=actor,
            voucher_id=voucher_id,
            token=data.token,
            shop_id=here.organisation_id,
            key=request.headers.get("idempotency-key") or new_id().hex,
            now=now,
        )

    return await once(request, session, actor, now, work, status=204)
