"""A shop leaves: propose it, agree or take it back, carry it on, finish it."""

from datetime import date, datetime
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from service.facts import VoucherReturned, VoucherTakenOver
from service.kit import audit, outbox
from service.kit.access import Actor
from service.kit.clock import day_begins, local_day
from service.payouts.queries import shop_of
from service.payouts.rules import key_for


async def propose(
    session: AsyncSession,
    *,
    actor: Actor,
    departure_id: UUID,
    shop_id: UUID,
    successor_id: UUID | None,
    leaves_on: date,
    reason: str,
    now: datetime,
) -> None:
    """Propose that a shop leaves from a day on; today means at once, when a second person agrees."""
    for each in (shop_id, successor_id):
        if each is not None:
            await shop_of(session, actor.community_id, each, local_day(now))
    audit.record(
        session,
        actor,
        "payouts.departure_proposed",
        kind="shop",
        id=shop_id,
        now=now,
        detail={"from": leaves_on.isoformat(), "successor": successor_id.hex if successor_id else None},
    )
    await session.flush()
    await redemption.propose_departure(
        session,
        actor.community_id,
        departure_id=departure_id,
        merchant_id=shop_id,
        successor_id=successor_id,
        leaves_at=now if leaves_on == local_day(now) else day_begins(leaves_on),
        reason=reason,
        actor_id=actor.member_id,
        now=now,
    )


async def decide(session: AsyncSession, *, actor: Actor, departure_id: UUID, is_agreed: bool, now: datetime) -> None:
    """Agree as a second person, which stops the shop's offers; or take it back, until the shop is locked out."""
    [found] = await redemption.departures(session, actor.community_id, departure_id=departure_id)
    audit.record(
        session,
        actor,
        "payouts.departure_agreed" if is_agreed else "payouts.departure_withdrawn",
        kind="shop",
        id=found.merchant_id,
        now=now,
    )
    await session.flush()
    await redemption.decide_departure(
        session,
        actor.community_id,
        departure_id,
        key=key_for(actor.member_id, f"departure:{departure_id}:{is_agreed}"),
        is_agreed=is_agreed,
        actor_id=actor.member_id,
        now=now,
    )


async def carry(
    session: AsyncSession, community_id: int, departure_id: UUID, *, now: datetime, actor: Actor | None = None
) -> int:
    """One step: lock the shop out if its day has come, move the next vouchers, tell their members. How many things it did."""
    done = await redemption.carry_departure(session, community_id, departure_id, now=now)
    for each in done.moved:
        if done.successor_id is not None:
            outbox.record(
                session,
                VoucherTakenOver(
                    community_id=community_id,
                    voucher_id=each.voucher_id,
                    member_id=each.member_id,
                    merchant_id=done.successor_id,
                ),
                now=now,
            )
            continue
        for member_id in {each.member_id, each.payer_id}:
            outbox.record(
                session,
                VoucherReturned(
                    community_id=community_id, voucher_id=each.voucher_id, member_id=member_id, reason="shop_left"
                ),
                now=now,
            )
    if done.moved or done.locked:
        audit.record(
            session,
            actor,
            "payouts.departure_carried",
            kind="departure",
            id=departure_id,
            now=now,
            community_id=community_id,
            detail={"locked": done.locked, "vouchers": len(done.moved)},
        )
    return len(done.moved) + done.locked


async def finish(session: AsyncSession, *, actor: Actor, departure_id: UUID, now: datetime) -> None:
    """The shop is gone, its phones are revoked; refused while anything of it is open."""
    [found] = await redemption.departures(session, actor.community_id, departure_id=departure_id)
    audit.record(session, actor, "payouts.departure_finished", kind="shop", id=found.merchant_id, now=now)
    await session.flush()
    await redemption.finish_departure(
        session,
        actor.community_id,
        departure_id,
        key=key_for(actor.member_id, f"departure:{departure_id}:finish"),
        actor_id=actor.member_id,
        now=now,
    )
