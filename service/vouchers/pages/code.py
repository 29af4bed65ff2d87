"""The address in every voucher's code. Opening it shows, and never redeems."""

from datetime import datetime
from typing import Any, cast

from litestar import Request, get
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from service.communities import setting
from service.kit.access import PUBLIC, Actor
from service.kit.clock import local_day
from service.kit.crypto import Keyring
from service.kit.i18n import _
from service.kit.issuers import code_keys
from service.kit.pages import page
from service.kit.words import yuan
from service.vouchers.browser import COUNTER, SHOP_COOKIE, uuid_cookie
from service.vouchers.queries.catalogue import voucher_cards
from service.vouchers.queries.counter import shops_of

AnyRequest = Request[Any, Any, Any]


@get(["/V/{code:str}", "/v/{code:str}"], opt=PUBLIC, include_in_schema=False)
async def code_page(
    request: AnyRequest,
    code: FromPath[str],
    state: State,
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Template | Redirect:
    """A clerk may go on to redeem, the owner sees the voucher, anybody else a friendly page."""
    actor = request.scope.get("user")
    if not isinstance(actor, Actor):
        return page(request, "vouchers/stranger.html", title=_("邻里兑换券"), signed_in=False)
    read = redemption.read_code(
        code, code_keys(cast("Keyring", state.keyring), now), community_id=actor.community_id, now=now
    )
    voucher_id = read.voucher_id if read.verdict is not redemption.CodeVerdict.CARD else None
    if voucher_id is None and read.short_code is not None:
        voucher_id = await redemption.voucher_by_code(session, actor.community_id, read.short_code)
    try:
        found = await redemption.voucher(session, actor.community_id, voucher_id) if voucher_id else None
    except redemption.VoucherUnknown:
        found = None
    if found is not None and found.member_id == actor.member_id:
        return Redirect(f"/vouchers/{found.voucher_id}", status_code=303)
    shops = await shops_of(session, actor, local_day(now)) if actor.has(*COUNTER) else {}
    if not shops:
        return page(request, "vouchers/stranger.html", title=_("邻里兑换券"), signed_in=True)
    if read.verdict is redemption.CodeVerdict.CARD:
        return Redirect(f"/shop/cards/{code.upper()}", status_code=303)
    # What another shop's voucher is worth is not this shop's business; the counter says no in its own words.
    ours = found is not None and not shops.keys().isdisjoint(found.merchant_ids)
    card = (await voucher_cards(session, actor.community_id, [found], now))[0] if found and ours else None
    chosen = uuid_cookie(request, SHOP_COOKIE)
    is_paper = read.verdict in (redemption.CodeVerdict.PRINTED, redemption.CodeVerdict.SIGNED)
    return page(
        request,
        "vouchers/confirm.html",
        title=_("核销这张券"),
        code=code.upper(),
        voucher=card,
        is_paper=is_paper,
        compare_yuan=yuan(await setting(session, actor.community_id, "voucher_compare_fen", local_day(now)))
        if is_paper
        else "",
        shops=list(shops.values()),
        chosen=chosen if chosen in shops else next(iter(shops)),
    )
