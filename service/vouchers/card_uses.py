"""A card at a counter or at the desk, for the page and for JSON alike: whose it is, the PIN, and what the screen says."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Request
from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from redemption import CodeKeys
from service.identity import CardLocked, CardUnknown, NoCard, card_by_code, cards_of, check_pin, people_by_ids
from service.kit.access import Actor
from service.kit.db import Sessions, transaction
from service.kit.edge import DEVICE_COOKIE
from service.vouchers.actions import cards, desk_uses
from service.vouchers.actions.keeping import found
from service.vouchers.browser import uuid_cookie
from service.vouchers.payloads import ScanOut
from service.vouchers.queries.counter import Shop
from service.vouchers.rules import ScanState
from service.vouchers.said import said

AnyRequest = Request[Any, Any, Any]
_COLOURS = {"used": ScanState.USED, "compare": ScanState.QUESTION}


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
    await check_pin(sessions, actor.community_id, card, pin, now)
    async with transaction(sessions) as session:
        # The card may have been withdrawn while the PIN was looked at.
        if (await card_by_code(session, actor.community_id, code, keys, now)).card_seq != card.card_seq:
            raise CardUnknown
        scan = await cards.use_by_card(
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
        if scan.is_accepted and UUID(scan.detail["member_id"]) != card.member_id:
            # Somebody else's voucher under this holder's PIN: the transaction goes back with the refusal.
            raise CardUnknown
        return said(verdict_of(scan, card.tail))


async def use_at_desk(
    sessions: Sessions,
    *,
    actor: Actor,
    voucher_id: int,
    shop_id: UUID,
    pin: str,
    nonce: UUID,
    quantity: int,
    now: datetime,
) -> ScanOut:
    """Staff use a voucher whose holder types the PIN at the desk: the same tries as at a counter, in the same three steps."""
    async with transaction(sessions) as session:
        voucher = await found(session, actor.community_id, voucher_id)
        await desk_uses.check_hands(
            session,
            actor.community_id,
            member_id=actor.member_id,
            household_id=actor.household_id,
            voucher=voucher,
            shop_id=shop_id,
            now=now,
        )
        card = (await cards_of(session, actor.community_id, [voucher.member_id])).get(voucher.member_id)
    if card is None:
        raise NoCard
    if card.is_locked:
        raise CardLocked
    await check_pin(sessions, actor.community_id, card, pin, now)
    async with transaction(sessions) as session:
        held = (await cards_of(session, actor.community_id, [card.member_id])).get(card.member_id)
        if held is None or held.card_seq != card.card_seq:
            # It may have been withdrawn while the PIN was looked at.
            raise NoCard
        scan = await redemption.redeem(
            session,
            actor.community_id,
            device_id=actor.member_id,
            nonce=nonce,
            voucher_id=voucher_id,
            code_seq=None,
            merchant_id=shop_id,
            owner_group_of_clerk=actor.household_id,
            clerk_id=actor.member_id,
            quantity=quantity,
            scanned_at=now,
            on_behalf_of=card.member_id,
            now=now,
        )
        if scan.is_accepted and UUID(scan.detail["member_id"]) != card.member_id:
            # It was given to somebody else meanwhile: the transaction goes back with the refusal.
            raise NoCard
        if scan.verdict == "redeemed":
            desk_uses.note_pin(session, actor=actor, nonce=nonce, scan=scan, shop_id=shop_id, now=now)
            desk_uses.redeemed(session, actor, scan, actor.member_id, shop_id, now)
        return await desk_answer(session, actor, scan)


async def desk_answer(session: AsyncSession, actor: Actor, scan: redemption.Scan) -> ScanOut:
    """What the desk's screen says about a use: as the counter's, with the end of the holder's card number."""
    tail = ""
    if scan.is_accepted:
        holder = UUID(scan.detail["member_id"])
        tail = (await people_by_ids(session, actor.community_id, {holder}))[holder].card_no[-4:]
    return said(verdict_of(scan, tail))


def verdict_of(scan: redemption.Scan, tail: str) -> Mapping[str, Any]:
    """A verdict of the library with what the result screen shows beside it."""
    if scan.is_accepted:
        return {**scan.detail, "state": ScanState.OK, "code": "vouchers.redeemed", "card_tail": tail}
    state = _COLOURS.get(scan.verdict, ScanState.REFUSED)
    return {**scan.detail, "state": state, "code": f"vouchers.scan_{scan.verdict}"}
