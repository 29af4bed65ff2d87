"""A counter keeps a voucher while it prepares: the page with two buttons, ready or not needed."""

from datetime import datetime
from typing import Any, cast
from uuid import UUID

from litestar import Request, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from service.communities import setting
from service.kit.access import Actor, allow
from service.kit.clock import local_day
from service.kit.crypto import Keyring
from service.kit.i18n import _
from service.kit.ids import new_id
from service.kit.issuers import code_keys
from service.kit.once import once_page
from service.kit.pages import form_of, page, refill
from service.kit.words import yuan
from service.vouchers.actions import locking
from service.vouchers.browser import COUNTER, SHOP_COOKIE, chosen, device_here, uuid_cookie
from service.vouchers.card_uses import desk_answer
from service.vouchers.payloads import TypedForm
from service.vouchers.payloads.locks import KeptUseForm, LetGoForm
from service.vouchers.queries.counter import Shop, shops_of
from service.vouchers.rules import key_for

AnyRequest = Request[Any, Any, Any]


def _wanted(request: AnyRequest, shop: UUID | None) -> UUID | None:
    return shop or uuid_cookie(request, SHOP_COOKIE)


async def _shop(request: AnyRequest, session: AsyncSession, actor: Actor, shop: UUID | None, now: datetime) -> Shop:
    return chosen(await shops_of(session, actor, local_day(now)), _wanted(request, shop))


@post("/shop/locks", opt=allow(*COUNTER), include_in_schema=False, status_code=200)
async def keep(
    request: AnyRequest,
    state: State,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template:
    """Keep the voucher of a scanned code for two minutes. A reload shows the same lock."""
    shops = await shops_of(session, actor, local_day(now))
    sent = await request.form()
    key = str(sent.get("_key") or new_id().hex)
    keys = code_keys(cast("Keyring", state.keyring), now)
    is_paper = locking.is_static(str(sent.get("code") or ""), keys, actor, now)
    compare_fen = await setting(session, actor.community_id, "voucher_compare_fen", local_day(now))
    with refill(
        request,
        "vouchers/confirm.html",
        title=_("核销这张券"),
        code="",
        voucher=None,
        shops=list(shops.values()),
        chosen=next(iter(shops), None),
        is_paper=is_paper,
        compare_yuan=yuan(compare_fen),
        may_keep=True,
    ):
        form = await form_of(request, TypedForm)
        here = chosen(shops, _wanted(request, form.shop))
        kept = await locking.keep(
            session,
            keys,
            actor=actor,
            shop_id=here.organisation_id,
            code=form.code,
            is_compared=form.compared,
            device_id=device_here(request, actor),
            key=key,
            now=now,
        )
    return page(request, "vouchers/kept.html", title=_("先给这位顾客留着"), kept=kept, shop=here, answer=None)


@post("/shop/locks/{voucher_id:int}/use", opt=allow(*COUNTER), include_in_schema=False, status_code=200)
async def use(
    request: AnyRequest,
    voucher_id: FromPath[int],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template:
    """It is ready. Pressed twice, or loaded again, it is one use."""
    form = await form_of(request, KeptUseForm)
    key = str((await request.form()).get("_key") or new_id().hex)
    here = await _shop(request, session, actor, form.shop, now)
    scan = await locking.use(
        session,
        actor=actor,
        voucher_id=voucher_id,
        token=form.token,
        shop_id=here.organisation_id,
        device_id=device_here(request, actor),
        nonce=key_for(actor.member_id, f"kept:{key}"),
        quantity=form.quantity,
        is_compared=form.compared,
        now=now,
    )
    answer = await desk_answer(session, actor, scan)
    if scan.verdict in ("compare", "static_day"):
        # It is still kept: asked again with the box, fewer pieces, or let go.
        voucher = await redemption.voucher(session, actor.community_id, voucher_id)
        kept = locking.Kept(voucher, form.token, datetime.fromisoformat(scan.detail["until"]))
        return page(
            request,
            "vouchers/kept.html",
            title=_("先给这位顾客留着"),
            status_code=409,
            kept=kept,
            shop=here,
            answer=answer,
        )
    return page(request, "vouchers/result.html", title=answer.title, answer=answer)


@post("/shop/locks/{voucher_id:int}/release", opt=allow(*COUNTER), include_in_schema=False)
async def release(
    request: AnyRequest,
    voucher_id: FromPath[int],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """It is not needed after all."""
    form = await form_of(request, LetGoForm)
    key = str((await request.form()).get("_key") or new_id().hex)
    here = await _shop(request, session, actor, form.shop, now)

    async def work() -> str:
        await locking.let_go(
            session,
            actor=actor,
            voucher_id=voucher_id,
            token=form.token,
            shop_id=here.organisation_id,
            key=key,
            now=now,
        )
        return "/shop/today?done=vouchers.let_go"

    return await once_page(request, session, actor, now, work)
