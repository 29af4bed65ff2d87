"""Held records of phones: one of staff says whether the shop is paid, somebody else does it."""

from datetime import datetime
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from service.communities import loss_month
from service.facts import VoucherUseReversed
from service.kit import audit, outbox
from service.kit.access import Actor
from service.vouchers.hands import check_review


async def propose_review(
    session: AsyncSession, *, actor: Actor, device_id: UUID, nonce: UUID, is_paid: bool, note: str, now: datetime
) -> None:
    """Say whether the shop should be paid for a held record; somebody of finance decides."""
    review = await redemption.review(session, actor.community_id, device_id, nonce)
    await check_review(session, actor, review, now=now)
    await redemption.propose_review(
        session,
        actor.community_id,
        device_id,
        nonce,
        is_paid=is_paid,
        note=note,
        actor_id=actor.member_id,
        now=now,
    )
    audit.record(
        session, actor, "vouchers.review_proposed", kind="device", id=device_id, now=now, detail={"is_paid": is_paid}
    )


async def decide_review(
    session: AsyncSession, *, actor: Actor, device_id: UUID, nonce: UUID, is_agreed: bool, now: datetime
) -> None:
    """Do what was proposed, as the second person, or put it back."""
    review = await redemption.review(session, actor.community_id, device_id, nonce)
    await check_review(session, actor, review, now=now)
    back = await redemption.decide_review(
        session,
        actor.community_id,
        device_id,
        nonce,
        is_agreed=is_agreed,
        actor_id=actor.member_id,
        month_on=loss_month(now),
        now=now,
    )
    audit.record(
        session,
        actor,
        "vouchers.review_decided",
        kind="device",
        id=device_id,
        now=now,
        detail={"is_agreed": is_agreed},
    )
    if back is not None:
        audit.record(
            session,
            actor,
            "vouchers.use_reversed",
            kind="voucher",
            id=back.voucher_id,
            now=now,
            detail={"shop": back.merchant_id.hex, "seq": back.seq},
        )
        fact = VoucherUseReversed(
            community_id=actor.community_id,
            voucher_id=back.voucher_id,
            member_id=back.member_id,
            merchant_id=back.merchant_id,
            seq=back.seq,
        )
        outbox.record(session, fact, now=now)
