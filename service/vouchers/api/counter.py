"""The counter as JSON. The scan itself is the one route that meets the database in a single call."""

from datetime import datetime
from typing import Any, cast
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from sqlmodel.ext.asyncio.session import AsyncSession

from service.communities import setting
from service.kit.access import BY_DATABASE, Actor, allow
from service.kit.clock import Clock, local_day
from service.kit.crypto import Keyring
from service.kit.edge import DEVICE_COOKIE, SESSION_COOKIE
from service.kit.i18n import _
from service.kit.once import once
from service.vouchers.actions import scan as counter
from service.vouchers.browser import (
    COUNTER,
    SHOP_COOKIE,
    chosen,
    desk_of,
    is_card,
    tail_of,
    use_cursor,
    use_mark,
    uuid_cookie,
)
from service.vouchers.payloads import ReasonIn, ScanIn, ScanOut, TakingOut, TodayOut, UndoIn
from service.vouchers.queries.counter import shops_of, today
from service.vouchers.rules import ScanState
from service.vouchers.said import answered, said, undone

AnyRequest = Request[Any, Any, Any]


@post("/api/scans", opt=BY_DATABASE, status_code=200)
async def scan(request: AnyRequest, data: JSONBody[ScanIn], state: State) -> Response[ScanOut]:
    """Redeem what was scanned: exactly once, in one round trip. The same nonce gets the same answer for ever."""
    clock: Clock = state.clock
    now = clock()
    if is_card(data.code):
        # Who shows a card is asked for a PIN on a page of its own; nothing is looked up here.
        asked = {"state": ScanState.QUESTION, "code": "vouchers.scan_card"}
        return answered(said(asked, answer_url=f"/shop/cards/{tail_of(data.code)}", url_label=_("看能用的券")))
    verdict = await counter.redeem_scan(
        desk_of(state),
        request.cookies.get(SESSION_COOKIE, ""),
        counter.Scan(
            nonce=data.nonce,
            code=data.code,
            device_id=uuid_cookie(request, DEVICE_COOKIE),
            shop_id=data.shop or uuid_cookie(request, SHOP_COOKIE),
            quantity=data.quantity,
            scanned_at=data.scanned_at if data.scanned_at and data.scanned_at.tzinfo else now,
            is_compared=data.compared,
        ),
        now,
    )
    return answered(said(verdict, answer_url=f"/V/{tail_of(data.code)}"))


@post("/api/scans/undo", opt=allow(*COUNTER), status_code=200)
async def undo(
    request: AnyRequest,
    data: JSONBody[UndoIn],
    state: State,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[ScanOut]:
    """Undo one's own scan within the minute. The points are back with the voucher, and its old code is dead."""
    shops = await shops_of(session, actor, local_day(now))
    device = counter.device_of(
        cast("Keyring", state.keyring), request.cookies.get(SESSION_COOKIE, ""), uuid_cookie(request, DEVICE_COOKIE)
    )
    use = await counter.undo_scan(session, actor=actor, shops=shops, device_id=device, nonce=data.nonce, now=now)
    return answered(undone(use))


@get("/api/shop/today", opt=allow(*COUNTER))
async def takings(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    shop: FromQuery[UUID | None] = None,
    after: FromQuery[str | None] = None,
) -> TodayOut:
    """A shop's day: the sums, and its uses, newest first."""
    served = dict(await shops_of(session, actor, local_day(now)))
    here = chosen(served, shop or uuid_cookie(request, SHOP_COOKIE))
    minutes = await setting(session, actor.community_id, "voucher_reverse_minutes", local_day(now))
    found = await today(session, actor, here, now=now, undo_minutes=minutes, before=use_mark(after))
    items = [
        TakingOut(
            str(item.voucher_id),
            item.seq,
            item.title,
            item.quantity,
            item.points,
            item.cash_fen,
            item.card_tail,
            item.state.value.lower(),
            item.received_at,
            item.may_undo,
        )
        for item in found.takings
    ]
    following = use_cursor(found.next)
    return TodayOut(here.organisation_id, here.name, found.count, found.points, found.cash_fen, items, following)


@post("/api/shop/uses/{voucher_id:int}/{seq:int}/reversal", opt=allow(*COUNTER), status_code=200)
async def reverse(
    request: AnyRequest,
    voucher_id: FromPath[int],
    seq: FromPath[int],
    data: JSONBody[ReasonIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[ScanOut]:
    """Undo a use of today's list with a reason, within the hour."""

    async def work() -> ScanOut:
        shops = await shops_of(session, actor, local_day(now))
        use = await counter.undo_use(
            session, actor=actor, shops=shops, voucher_id=voucher_id, seq=seq, reason=data.reason, now=now
        )
        return undone(use)

    return await once(request, session, actor, now, work)
