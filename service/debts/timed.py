"""What falls due: telling members what they owe for vouchers used twice, and collecting it when the days have passed."""

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlmodel.ext.asyncio.session import AsyncSession

from service.communities import communities, settings_on
from service.debts.actions import collect_next
from service.debts.rules import COLLECTED_AT_ONCE, NotCollected
from service.facts import OwedTold
from service.kit import outbox
from service.kit.access import Actor
from service.kit.clock import local_day
from service.kit.db import Sessions, transaction
from service.kit.ids import new_id

SETTINGS = ("voucher_owed_days", "voucher_owed_keep_points")
TOLD_AT_ONCE = 200

# Paid or taken back otherwise: what they come to owe later is told them anew.
_END = sa.text("""
UPDATE debt_notice n SET ended_at = :now
 WHERE n.community_id = :community_id AND n.ended_at IS NULL AND NOT EXISTS (
       SELECT FROM ledger.account a
        WHERE a.community_id = n.community_id AND a.code = 'owed:' || replace(n.member_id::text, '-', '') AND a.unit = 'point'
          AND a.balance < 0)
""")
_UNTOLD = sa.text("""
SELECT m.member_id, -a.balance AS owed
  FROM ledger.account a
  JOIN member m ON m.community_id = a.community_id AND m.member_id = substr(a.code, 6)::uuid
 WHERE a.community_id = :community_id AND a.code LIKE 'owed:%' AND a.unit = 'point' AND a.balance < 0
   AND NOT EXISTS (SELECT FROM debt_notice n
                    WHERE n.community_id = m.community_id AND n.member_id = m.member_id AND n.ended_at IS NULL)
 ORDER BY m.member_id LIMIT :limit
""")
# Two workers tell the same person once.
_TELL = sa.text("""
INSERT INTO debt_notice (community_id, notice_id, member_id, told_at, due_at, hundredths, collected)
SELECT :community_id, t.notice_id, t.member_id, :now, :due_at, t.owed, 0
  FROM unnest(CAST(:notices AS uuid[]), CAST(:members AS uuid[]), CAST(:owed AS bigint[])) AS t (notice_id, member_id, owed)
    ON CONFLICT (community_id, member_id) WHERE ended_at IS NULL DO NOTHING
RETURNING notice_id, member_id, hundredths
""")


async def tell_owing(session: AsyncSession, now: datetime) -> int:
    """Tell everybody who owes and was not told yet: how much, and from when on it is paid from their points."""
    told = 0
    for place in await communities(session):
        await session.execute(_END, {"community_id": place.community_id, "now": now})
        days = (await settings_on(session, place.community_id, SETTINGS, local_day(now)))["voucher_owed_days"]
        if not days:
            continue
        asked = {"community_id": place.community_id, "limit": TOLD_AT_ONCE}
        owing = (await session.execute(_UNTOLD, asked)).all()
        rows = {
            "community_id": place.community_id,
            "notices": [new_id() for _ in owing],
            "members": [row.member_id for row in owing],
            "owed": [row.owed for row in owing],
            "now": now,
            "due_at": now + timedelta(days=days),
        }
        for notice_id, member_id, owed in (await session.execute(_TELL, rows)).all():
            fact = OwedTold(
                community_id=place.community_id,
                notice_id=notice_id,
                member_id=member_id,
                points_hundredths=owed,
                days=days,
            )
            outbox.record(session, fact, now=now)
            told += 1
    return told


async def collect_due(sessions: Sessions, *, actor: Actor, now: datetime) -> int:
    """What the worker would do, now and by somebody's press: one member in each transaction; from how many something was taken.

    It is whatever is due by the rule of the day, and nothing else: whoever presses decides nothing.
    """
    paid = 0
    for _ in range(COLLECTED_AT_ONCE):
        async with transaction(sessions) as session:
            rules = await settings_on(session, actor.community_id, SETTINGS, local_day(now))
            if not rules["voucher_owed_days"]:
                raise NotCollected
            collected = await collect_next(
                session, actor.community_id, keep_points=rules["voucher_owed_keep_points"], actor=actor, now=now
            )
        if collected is None:
            break
        paid += collected > 0
    return paid


async def collect_owed(session: AsyncSession, now: datetime) -> int:
    """Pay what one member owes from their points, where that is turned on; 1 as long as somebody was due."""
    for place in await communities(session):
        rules = await settings_on(session, place.community_id, SETTINGS, local_day(now))
        if not rules["voucher_owed_days"]:
            continue
        keep = rules["voucher_owed_keep_points"]
        if await collect_next(session, place.community_id, keep_points=keep, now=now) is not None:
            return 1
    return 0
