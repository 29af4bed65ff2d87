"""A card at a counter, for the page and for JSON alike: whose it is, the PIN, and what the screen says."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Request
from sqlmodel.ext.asyncio.session import AsyncSession

from redemption import CodeKeys
from service.kit.access import Actor
from service.kit.db import Sessions, transaction
from service.kit.edge import DEVICE_COOKIE
from service.vouchers.actions import cards
from service.vouchers.browser import uuid_cookie
from service.vouchers.payloads import ScanOut
from service.vouchers.queries.cards import card_by_code
from service.vouchers.queries.counter import Shop, today
from service.vouchers.rules import CardLocked, CardUnknown, ScanState
from service.vouchers.said import said

AnyRequest = Request[Any, Any, Any]


async def pay_by_card(
    request: AnyRequest,
    sessions: Sessions,
    keys: CodeKeys,
    *,
    actor: Actor,
    shop: Shop,
    code: str,
    voucher_id: int,
    pin: str,
    nonce: UUID,
    quantity: int,
    now: datetime,
) -> ScanOut:
    """Three transactions: whose card it is, the count of the try, and the use. No connection waits for the slow hash."""
    async with transaction(sessions) as session:
        card = await card_by_code(session, actor.community_id, code, keys, now)
    if card.is_locked:
        raise CardLocked
    await cards.check_pin(sessions, actor.community_id, card, pin)
    async with transaction(sessions) as session:
        # The card may have been withdrawn while the PIN was looked at.
        if (await card_by_code(session, actor.community_id, code, keys, now)).card_seq != card.card_seq:
            raise CardUnknown
        found = await cards.use_by_card(
            session,
            actor=actor,
            card=card,
            voucher_id=voucher_id,
            shop_id=shop.organisation_id,
            device_id=uuid_cookie(request, DEVICE_COOKIE) or actor.member_id,
            nonce=nonce,
            quantity=quantity,
            now=now,
        )
        if found.is_accepted and UUID(found.detail["member_id"]) != card.member_id:
            # Somebody else's voucher under this holder's PIN: the transaction goes back with the refusal.
            raise CardUnknown
        return said(await _verdict(session, actor, shop, found.verdict, found.detail, card.tail, now))


async def _verdict(
    session: AsyncSession, actor: Actor, shop: Shop, verdict: str, detail: Mapping[str, Any], tail: str, now: datetime
) -> Mapping[str, Any]:
    if verdict not in ("redeemed", "replayed"):
        state = ScanState.USED if verdict == "used" else ScanState.REFUSED
        return {**detail, "state": state, "code": f"vouchers.scan_{verdict}"}
    sums = await today(session, actor, shop, now=now, undo_minutes=0)
    return {
        **detail,
        "state": ScanState.OK,
        "code": "vouchers.redeemed",
        "card_tail": tail,
        "today_count": sums.count,
        "today_points": sums.points,
    }
