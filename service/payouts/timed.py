"""What the calendar closes: each shop's last whole day or week, as soon as nothing of it can be undone at a counter."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from service.communities import communities, setting, watch_on
from service.facts import SettlementClosed
from service.kit import audit, outbox
from service.kit.clock import local_day
from service.payouts.actions_departures import carry
from service.payouts.rules import close_key, period_end


async def close_due(session: AsyncSession, now: datetime) -> int:
    """Close the next shop whose period is over; one a transaction, so that a shop's scans wait for no other shop's closing.

    Nobody is named as closing, so anybody of finance may approve. A shop whose three sums differ is left for people, who
    are told the figures when they close it, and stops no other.
    """
    for place in await communities(session):
        community_id, today = place.community_id, local_day(now)
        minutes = await setting(session, community_id, "voucher_reverse_minutes", today)
        chosen = await redemption.rhythms_on(session, community_id, today)
        ends = {rhythm: period_end(rhythm, now) for rhythm in redemption.Rhythm}
        for rhythm, until in ends.items():
            if until + timedelta(minutes=minutes) > now:
                continue
            due = await redemption.open_batches(session, community_id, received_until=until)
            for shop in sorted(due):
                if chosen.get(shop, redemption.Rhythm.WEEKLY) is rhythm and await _close(
                    session, community_id, shop, until, now
                ):
                    return 1
    return 0


async def carry_departures(session: AsyncSession, now: datetime) -> int:
    """Lock out shops whose day has come, move the next of their vouchers: one shop a transaction, which holds one book's head."""
    for place in await communities(session):
        for departure_id in await redemption.departures_due(session, place.community_id, now=now):
            done = await carry(session, place.community_id, departure_id, now=now)
            if done:
                return done
    return 0


async def _close(session: AsyncSession, community_id: int, shop: UUID, until: datetime, now: datetime) -> bool:
    settlement_id = close_key(shop, until)
    try:
        batch = await redemption.close_settlement(
            session,
            community_id,
            settlement_id=settlement_id,
            merchant_id=shop,
            received_until=until,
            actor_id=redemption.NOBODY,
            watch=await watch_on(session, community_id, local_day(now)),
            now=now,
        )
    except (redemption.SumsDiffer, redemption.PeriodWrong, redemption.NothingToSettle, redemption.CorrectionWaits):
        return False
    audit.record(
        session,
        None,
        "vouchers.settlement_closed",
        kind="settlement",
        id=settlement_id,
        now=now,
        community_id=community_id,
        detail={"shop": batch.merchant_id.hex, "lines": batch.line_count},
    )
    outbox.record(
        session,
        SettlementClosed(community_id=community_id, settlement_id=settlement_id, merchant_id=batch.merchant_id),
        now=now,
    )
    return True
