"""The shop's counter: the scanner, today's takings, statements."""

from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Request, get, post
from litestar.datastructures import Cookie, State
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from service.communities import setting
from service.kit.access import Actor, allow
from service.kit.clock import local_day
from service.kit.db import sessions_of_app, transaction
from service.kit.edge import DEVICE_COOKIE, SESSION_COOKIE
from service.kit.i18n import _
from service.kit.ids import new_id
from service.kit.once import once_page
from service.kit.pages import form_of, go, page, refill
from service.kit.words import points
from service.vouchers.actions import scan as counter
from service.vouchers.browser import (
    COUNTER,
    SHOP_COOKIE,
    chosen,
    desk_of,
    is_card,
    shop_here,
    tail_of,
    use_cursor,
    use_mark,
    uuid_cookie,
)
from service.vouchers.pages.device import QUEUE_WORDS, scanner_context, worker_url
from service.vouchers.payloads import ReasonForm, ScanOut, ShopForm, TypedForm
from service.vouchers.queries.counter import shops_of, slip_of, today
from service.vouchers.rules import ChooseShop, key_for
from service.vouchers.said import said

AnyRequest = Request[Any, Any, Any]
YEAR_SECONDS = 365 * 86_400


def _kept(state: State, name: str, value: UUID) -> Cookie:
    return Cookie(
        key=name,
        value=str(value),
        max_age=YEAR_SECONDS,
        httponly=True,
        secure=bool(state.settings.is_secure),
        samesite="lax",
        path="/",
    )


@get("/shop", opt=allow(*COUNTER), include_in_schema=False)
async def scanner_page(
    request: AnyRequest,
    state: State,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template | Redirect:
    """Opens on the camera. Whoever serves at several shops chooses first."""
    try:
        _shops, shop = await shop_here(request, session, actor, now)
    except ChooseShop:
        return go("/shop/choose")
    found = await today(session, actor, shop, now=now, undo_minutes=0)
    answer = page(
        request,
        "vouchers/scanner.html",
        title=_("扫码核销"),
        **scanner_context()
        | {
            "shop_name": shop.name,
            "today_count": found.count,
            "today_sum": found.points,
            "today_points": points(found.points * 100),
            "clerk": actor.member_id,
            "worker_url": worker_url(request),
        },
    )
    # The phone gets a number of its own once: its scans are told apart by it, also after another clerk signs in.
    if uuid_cookie(request, DEVICE_COOKIE) is None:
        answer.cookies.append(_kept(state, DEVICE_COOKIE, new_id()))
    return answer


@get("/shop/choose", opt=allow(*COUNTER), include_in_schema=False)
async def choose_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template:
    """Ask which of one's shops this counter is."""
    shops = await shops_of(session, actor, local_day(now))
    return page(request, "vouchers/choose.html", title=_("您在哪家店"), shops=list(shops.values()))


@post("/shop/choose", opt=allow(*COUNTER), include_in_schema=False)
async def choose(
    request: AnyRequest,
    state: State,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Keep the choice in this browser."""
    form = await form_of(request, ShopForm)
    shop = chosen(await shops_of(session, actor, local_day(now)), form.shop)
    answer = go("/shop")
    answer.cookies.append(_kept(state, SHOP_COOKIE, shop.organisation_id))
    return answer


@post("/shop/redeem", opt=allow(*COUNTER), include_in_schema=False, status_code=200)
async def redeem_typed(
    request: AnyRequest,
    state: State,
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template | Redirect:
    """The counter without a script: the same function, answered with a page. A reload gets the same answer.

    No session of the request: who waits for other scans holds no connection.
    """
    async with transaction(sessions_of_app(state)) as session:
        shops = await shops_of(session, actor, local_day(now))
    with refill(
        request,
        "vouchers/confirm.html",
        title=_("核销这张券"),
        code="",
        voucher=None,
        shops=list(shops.values()),
        chosen=next(iter(shops), None),
    ):
        form = await form_of(request, TypedForm)
        if is_card(form.code):
            return Redirect(f"/shop/cards/{tail_of(form.code)}", status_code=303)
        key = str((await request.form()).get("_key") or new_id().hex)
        verdict = await counter.redeem_scan(
            desk_of(state),
            request.cookies.get(SESSION_COOKIE, ""),
            counter.Scan(
                nonce=key_for(actor.member_id, f"typed:{key}"),
                code=form.code,
                device_id=uuid_cookie(request, DEVICE_COOKIE),
                shop_id=form.shop or uuid_cookie(request, SHOP_COOKIE),
                quantity=form.quantity,
                scanned_at=now,
                is_compared=form.compared,
            ),
            now,
        )
        if verdict["code"] == ChooseShop.code:
            raise ChooseShop
    answer = said(verdict, answer_url=f"/V/{tail_of(form.code)}")
    return _result(request, answer)


def _result(request: AnyRequest, answer: ScanOut) -> Template:
    status = answer.status if isinstance(answer.status, int) else 200
    return page(request, "vouchers/result.html", title=answer.title, status_code=status, answer=answer)


@get("/shop/today", opt=allow(*COUNTER), include_in_schema=False)
async def today_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    after: FromQuery[str | None] = None,
) -> Template | Redirect:
    """What was taken in today, newest first."""
    try:
        shops, shop = await shop_here(request, session, actor, now)
    except ChooseShop:
        return go("/shop/choose")
    minutes = await setting(session, actor.community_id, "voucher_reverse_minutes", local_day(now))
    found = await today(session, actor, shop, now=now, undo_minutes=minutes, before=use_mark(after))
    cursor = use_cursor(found.next)
    return page(
        request,
        "vouchers/today.html",
        title=_("今天的账"),
        shop=shop,
        several=len(shops) > 1,
        found=found,
        worker_url=worker_url(request),
        offline_words=QUEUE_WORDS,
        next_url=f"/shop/today?after={cursor}" if cursor else None,
        first_url="/shop/today" if after else None,
    )


@get("/shop/uses/{voucher_id:int}/{seq:int}/receipt", opt=allow(*COUNTER), include_in_schema=False)
async def slip_page(
    request: AnyRequest,
    voucher_id: FromPath[int],
    seq: FromPath[int],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    paper: FromQuery[str | None] = None,
) -> Template:
    """A receipt for narrow paper, as the printers at counters have it: 58 millimetres wide, or 80."""
    slip = await slip_of(session, actor, await shops_of(session, actor, local_day(now)), voucher_id, seq)
    wide = paper == "80"
    here = f"/shop/uses/{voucher_id}/{seq}/receipt"
    return page(
        request,
        "vouchers/slip.html",
        title=_("核销小票"),
        slip=slip,
        is_wide=wide,
        other_url=here if wide else f"{here}?paper=80",
    )


@get("/shop/uses/{voucher_id:int}/{seq:int}/undo", opt=allow(*COUNTER), include_in_schema=False)
async def undo_page(
    request: AnyRequest,
    voucher_id: FromPath[int],
    seq: FromPath[int],
) -> Template:
    """Ask why it is undone."""
    return page(request, "vouchers/undo.html", title=_("撤销这一笔"), voucher_id=voucher_id, seq=seq)


@post("/shop/uses/{voucher_id:int}/{seq:int}/undo", opt=allow(*COUNTER), include_in_schema=False)
async def undo(
    request: AnyRequest,
    voucher_id: FromPath[int],
    seq: FromPath[int],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Undo a use within the hour, with a reason."""
    with refill(request, "vouchers/undo.html", title=_("撤销这一笔"), voucher_id=voucher_id, seq=seq):
        form = await form_of(request, ReasonForm)

        async def work() -> str:
            shops = await shops_of(session, actor, local_day(now))
            await counter.undo_use(
                session, actor=actor, shops=shops, voucher_id=voucher_id, seq=seq, reason=form.reason, now=now
            )
            return "/shop/today?done=vouchers.undone"

        return await once_page(request, session, actor, now, work)
