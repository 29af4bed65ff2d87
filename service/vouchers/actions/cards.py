"""A member's card at a counter: the use that its holder's PIN agreed to."""

from datetime import datetime
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from service.facts import VoucherRedeemed
from service.identity import Card
from service.kit import audit, outbox
from service.kit.access import Actor


async def use_by_card(
    session: AsyncSession,
    *,
    actor: Actor,
    card: Card,
    voucher_id: int,
    shop_id: UUID,
    device_id: UUID,
    nonce: UUID,
    quantity: int,
    now: datetime,
) -> redemption.Scan:
    """Use a voucher of the card's holder, whose PIN was right. Every rule of a scan holds, the clerk's own household included."""
    found = await redemption.redeem(
        session,
        actor.community_id,
        device_id=device_id,
        nonce=nonce,
        voucher_id=voucher_id,
        code_seq=None,
        merchant_id=shop_id,
        owner_group_of_clerk=actor.household_id,
        clerk_id=actor.member_id,
        quantity=quantity,
        scanned_at=now,
        now=now,
    )
    if found.verdict == "redeemed":
        audit.record(
            session,
            actor,
            "vouchers.redeemed_by_card",
            kind="voucher",
            id=voucher_id,
            now=now,
            on_behalf_of=card.member_id,
            detail={"shop": shop_id.hex, "seq": found.detail["seq"]},
        )
        fact = VoucherRedeemed(
            community_id=actor.community_id,
            voucher_id=voucher_id,
            member_id=card.member_id,
            merchant_id=shop_id,
            seq=found.detail["seq"],
        )
        outbox.record(session, fact, now=now)
    return found
