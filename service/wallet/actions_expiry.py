"""Points that expire: the community's rule reaches the ledger, holders are warned, and what is over is taken away."""

from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlmodel.ext.asyncio.session import AsyncSession

import ledger
from ledger import ExpiryPolicy, ExpiryRule
from service.chart import POINT, Reason
from service.communities import communities, settings_in_force
from service.facts import PointsExpiring
from service.kit import outbox
from service.kit.clock import HOME_ZONE, local_day

WARNED_DAYS_BEFORE = 30
AT_ONCE = 500
MEMBERS = "member:"
"""How the accounts begin whose points expire; what shops, sponsors and pools have does not."""
_NAMES = ("points_expire_months", "points_expire_at_year_end", "points_expire_grace_days")
_NOBODY = UUID(int=0)

# One round trip finds whom nobody told yet and notes that they are told now; two workers insert the same row once.
_TO_WARN = sa.text("""
INSERT INTO points_reminder (community_id, member_id, expires_at, reminded_at)
SELECT l.community_id, substr(a.code, 8)::uuid, l.expires_at, :now
  FROM ledger.lot l JOIN ledger.account a USING (community_id, account_id)
 WHERE l.expires_at > :now AND l.expires_at <= :until AND starts_with(a.code, 'member:')
   AND NOT EXISTS (SELECT FROM points_reminder r WHERE r.community_id = l.community_id
                      AND r.member_id = substr(a.code, 8)::uuid AND r.expires_at = l.expires_at)
 LIMIT :limit
ON CONFLICT ON CONSTRAINT pk_points_reminder DO NOTHING
RETURNING community_id, member_id
""")
_BOOKS_DUE = sa.text("SELECT DISTINCT l.community_id FROM ledger.lot l WHERE l.expires_at <= :now ORDER BY 1")


def policy_of(months: int, at_year_end: int, grace_days: int) -> ExpiryPolicy:
    """The community's three numbers as the ledger's rule."""
    rule = ExpiryRule.YEAR if at_year_end else ExpiryRule.MONTHS if months else ExpiryRule.NEVER
    return ExpiryPolicy(MEMBERS, rule, months, grace_days, zone=HOME_ZONE.key)


async def follow_rule(session: AsyncSession, now: datetime) -> int:
    """Give the ledger the rule of the first community whose settings say another than the ledger has; 1 when there was one.

    One book a transaction: setting a rule holds its head. A community that never had a rule and wants none gets none,
    so that its postings go on without looking at lots.
    """
    for place in await communities(session):
        lines = await settings_in_force(session, place.community_id, local_day(now))
        wanted = policy_of(*(lines[name].value for name in _NAMES))
        known = await ledger.expiry_policies(session, place.community_id, POINT)
        if known[0].policy == wanted if known else wanted.rule is ExpiryRule.NEVER:
            continue
        by = max((lines[name] for name in _NAMES), key=lambda line: (line.set_by is not None, line.set_at)).set_by
        await ledger.set_expiry(session, place.community_id, POINT, wanted, actor_id=by or _NOBODY, now=now)
        return 1
    return 0


async def warn_holders(session: AsyncSession, now: datetime) -> int:
    """Tell members a month before some of their points expire, once for each day of expiry."""
    until = now + timedelta(days=WARNED_DAYS_BEFORE)
    told = (await session.execute(_TO_WARN, {"now": now, "until": until, "limit": AT_ONCE})).all()
    for community_id, member_id in set(told):
        outbox.record(session, PointsExpiring(community_id=community_id, member_id=member_id), now=now)
    return len(told)


async def sweep_points(session: AsyncSession, now: datetime) -> int:
    """Take away what is over: a page of one book a transaction, which holds one book's head."""
    for community_id in (await session.execute(_BOOKS_DUE, {"now": now})).scalars().all():
        last: ledger.Swept | None = None
        while page := await ledger.sweep(session, community_id, reason=Reason.POINTS_EXPIRED, after=last, now=now):
            if posted := sum(isinstance(each.verdict, ledger.Posted) for each in page):
                return posted
            last = page[-1]
    return 0
