"""What falls due with time: vouchers run out, holders are reminded, statements nobody objected to are agreed."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from service.communities import communities, setting
from service.facts import VoucherExpiring, VoucherReturned
from service.kit import audit, outbox
from service.kit.clock import local_day
from service.vouchers.rules import NAMESPACE, REMINDER_DAYS, key_for, objection_over

BATCH = 200

_WITH_DUE = sa.text(
    "SELECT DISTINCT v.community_id FROM redemption.voucher v"
    " WHERE v.due_at <= :now AND v.state IN ('RESERVED', 'ISSUED', 'PART_USED') ORDER BY 1"
)
_WITH_LOCKS = sa.text(
    "SELECT DISTINCT v.community_id FROM redemption.voucher v"
    " WHERE v.lock_until <= :now AND v.state = 'LOCKED' ORDER BY 1"
)
_WITH_CANCELLING = sa.text(
    "SELECT DISTINCT v.community_id FROM redemption.voucher v WHERE v.state = 'CANCEL_PENDING' ORDER BY 1"
)
_TO_REMIND = sa.text("""
INSERT INTO voucher_reminder (community_id, voucher_id, days_before, reminded_at)
SELECT v.community_id, v.voucher_id, :days, :now
  FROM redemption.voucher v
 WHERE v.state IN ('ISSUED', 'PART_USED') AND v.expires_at > :now AND v.expires_at <= :until
   AND v.issued_at <= v.expires_at - CAST(:life AS interval)
   AND NOT EXISTS (SELECT FROM voucher_reminder r
                    WHERE r.community_id = v.community_id AND r.voucher_id = v.voucher_id AND r.days_before <= :days)
 ORDER BY v.community_id, v.voucher_id LIMIT :limit
    ON CONFLICT DO NOTHING
RETURNING community_id, voucher_id,
          (SELECT v.member_id FROM redemption.voucher v
            WHERE v.community_id = voucher_reminder.community_id AND v.voucher_id = voucher_reminder.voucher_id)
""")


async def expire_vouchers(session: AsyncSession, now: datetime) -> int:
    """Give back what is left of vouchers whose time is over: one community a transaction, which holds one book's head."""
    for community_id in await _communities_with_due(session, now):
        round_ = await redemption.expire_due(session, community_id, now=now, limit=BATCH)
        for ended in round_.expired:
            audit.record(
                session,
                None,
                "vouchers.expired",
                kind="voucher",
                id=ended.voucher_id,
                now=now,
                community_id=community_id,
                detail={"points": ended.points},
            )
            outbox.record(
                session,
                VoucherReturned(
                    community_id=community_id,
                    voucher_id=ended.voucher_id,
                    member_id=ended.member_id,
                    reason="expired",
                ),
                now=now,
            )
        if round_.expired:
            return len(round_.expired)
    return 0


async def end_cancelling(session: AsyncSession, now: datetime) -> int:
    """Give back vouchers whose cancelling waited for a shop's phone: one community a transaction."""
    for community_id in (await session.execute(_WITH_CANCELLING)).scalars():
        round_ = await redemption.end_cancelling(session, community_id, now=now, limit=BATCH)
        for ended in round_.expired:
            audit.record(
                session,
                None,
                "vouchers.cancelled",
                kind="voucher",
                id=ended.voucher_id,
                now=now,
                community_id=community_id,
                detail={"points": ended.points, "quantity": ended.quantity},
            )
            outbox.record(
                session,
                VoucherReturned(
                    community_id=community_id,
                    voucher_id=ended.voucher_id,
                    member_id=ended.member_id,
                    reason="cancelled",
                ),
                now=now,
            )
        if round_.expired:
            return len(round_.expired)
    return 0


async def release_locks(session: AsyncSession, now: datetime) -> int:
    """Let go of vouchers whose counter or job has had its time: one community a transaction."""
    for community_id in (await session.execute(_WITH_LOCKS, {"now": now})).scalars():
        round_ = await redemption.unlock_due(session, community_id, now=now, limit=BATCH)
        if round_.released:
            return len(round_.released)
    return 0


async def _communities_with_due(session: AsyncSession, now: datetime) -> Sequence[int]:
    return list((await session.execute(_WITH_DUE, {"now": now})).scalars())


async def remind_holders(session: AsyncSession, now: datetime) -> int:
    """Tell holders once a week before and once a day before that a voucher ends.

    A voucher that lives hardly longer than the reminder's days gets none: it would come with the voucher itself.
    """
    told = 0
    for days in sorted(REMINDER_DAYS):
        rows = await session.execute(
            _TO_REMIND,
            {
                "days": days,
                "now": now,
                "until": now + timedelta(days=days),
                "life": timedelta(days=days + 1),
                "limit": BATCH,
            },
        )
        for community_id, voucher_id, member_id in rows:
            told += 1
            outbox.record(
                session,
                VoucherExpiring(community_id=community_id, voucher_id=voucher_id, member_id=member_id),
                now=now,
            )
    return told


async def agree_in_silence(session: AsyncSession, now: datetime) -> int:
    """Confirm statements that a shop has not objected to within its working days; nobody is named as confirming."""
    done = 0
    for place in await communities(session):
        days = await setting(session, place.community_id, "settlement_confirm_days", local_day(now))
        page = await redemption.settlements(
            session, place.community_id, state=redemption.SettlementState.CLOSED, limit=BATCH
        )
        for batch in page.settlements:
            if not objection_over(local_day(batch.closed_at), local_day(now), days):
                continue
            await redemption.confirm_settlement(
                session,
                place.community_id,
                batch.settlement_id,
                key=key_for(NAMESPACE, f"silence:{batch.settlement_id}"),
                actor_id=None,
                now=now,
            )
            audit.record(
                session,
                None,
                "vouchers.settlement_confirmed",
                kind="settlement",
                id=batch.settlement_id,
                now=now,
                community_id=place.community_id,
            )
            done += 1
    return done
