"""Everything that is locked or limited right now: why, since when, until when."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import sqlalchemy as sa
from sqlmodel.ext.asyncio.session import AsyncSession

from service.communities import organisations_by_ids, settings_on
from service.identity import PIN_TRIES, people_by_ids
from service.kit.access import Actor
from service.kit.clock import local_day

OF_A_KIND_MAX = 200
_NAMES = ("invalid_scans_max", "invalid_scans_minutes", "offline_soft_hours", "offline_hard_hours")


class LimitKind(StrEnum):
    """What is limited, in the order in which it is told."""

    PHONE_SCANS = "phone_scans"
    CLERK_SCANS = "clerk_scans"
    CARD = "card"
    PHONE_SILENT = "phone_silent"
    PHONE_STOPPED = "phone_stopped"
    LEASE_FROZEN = "lease_frozen"
    VOUCHER_FROZEN = "voucher_frozen"
    MEMBER_ONLINE = "member_online"
    SHOP_LEAVING = "shop_leaving"


@dataclass(frozen=True, slots=True)
class Limited:
    """One thing that is locked or limited. Without `since` nobody wrote it down, without `until` people end it."""

    kind: LimitKind
    name: str
    shop: str
    since: datetime | None
    until: datetime | None
    reason: str | None
    voucher_id: int | None
    member_id: UUID | None
    card_no: str | None


_LIMITED = sa.text("""
WITH bounds AS (
    SELECT CAST(:community_id AS bigint) AS book, CAST(:now AS timestamptz) AS now, make_interval(mins => :minutes) AS wide,
           make_interval(hours => :soft) AS soft, make_interval(hours => :hard) AS hard
), wrong AS (
    SELECT f.device_id, f.member_id, f.refused_at FROM scan_refusal f, bounds b
     WHERE f.community_id = b.book AND f.is_invalid AND f.refused_at > b.now - b.wide AND f.refused_at <= b.now
), found AS (
    SELECT 'phone_scans' AS kind, w.device_id, NULL::uuid AS member_id, NULL::bigint AS voucher_id, NULL::uuid AS merchant_id,
           max(w.refused_at) AS since, (array_agg(w.refused_at ORDER BY w.refused_at DESC))[:most] + max(b.wide) AS until,
           NULL AS reason
      FROM wrong w, bounds b GROUP BY w.device_id HAVING count(*) >= :most
     UNION ALL
    SELECT 'clerk_scans', NULL, w.member_id, NULL, NULL, max(w.refused_at),
           (array_agg(w.refused_at ORDER BY w.refused_at DESC))[:most] + max(b.wide), NULL
      FROM wrong w, bounds b GROUP BY w.member_id HAVING count(*) >= :most
     UNION ALL
    SELECT 'card', NULL, c.member_id, NULL, NULL, c.tried_at, NULL, NULL
      FROM member_card c, bounds b WHERE c.community_id = b.book AND c.withdrawn_at IS NULL AND c.tries >= :tries
     UNION ALL
    SELECT CASE WHEN d.seen_at > b.now - b.hard THEN 'phone_silent' ELSE 'phone_stopped' END, d.device_id, NULL, NULL,
           d.merchant_id, d.seen_at, CASE WHEN d.seen_at > b.now - b.hard THEN d.seen_at + b.hard END, NULL
      FROM redemption.device d, bounds b
     WHERE d.community_id = b.book AND d.kind = 'enrolled' AND d.revoked_at IS NULL AND d.seen_at <= b.now - b.soft
     UNION ALL
    SELECT 'lease_frozen', l.device_id, NULL, NULL, l.merchant_id, l.frozen_at, l.ends_at, l.frozen_reason
      FROM redemption.lease l, bounds b
     WHERE l.community_id = b.book AND l.state = 'out' AND l.frozen_at IS NOT NULL AND l.ends_at > b.now
     UNION ALL
    SELECT 'voucher_frozen', NULL, v.member_id, v.voucher_id, NULL, v.changed_at, NULL,
           (SELECT e.reason FROM redemption.voucher_event e
             WHERE e.community_id = v.community_id AND e.voucher_id = v.voucher_id AND e.to_state = 'FROZEN'
             ORDER BY e.number DESC LIMIT 1)
      FROM redemption.voucher v, bounds b WHERE v.community_id = b.book AND v.state = 'FROZEN'
     UNION ALL
    SELECT 'member_online', NULL, s.member_id, NULL, NULL, (array_agg(s.at ORDER BY s.at))[2], NULL, NULL
      FROM redemption.strike s, bounds b WHERE s.community_id = b.book AND s.withdrawn_at IS NULL
     GROUP BY s.member_id HAVING count(*) >= 2
     UNION ALL
    SELECT 'shop_leaving', NULL, NULL, NULL, p.merchant_id, coalesce(p.locked_at, p.agreed_at), p.leaves_at, p.reason
      FROM redemption.departure p, bounds b WHERE p.community_id = b.book AND p.state IN ('LEAVING', 'LOCKED')
), ranked AS (
    SELECT found.*, row_number() OVER (PARTITION BY found.kind
                                       ORDER BY found.since DESC NULLS LAST, found.device_id, found.member_id) AS n
      FROM found
)
SELECT r.kind, r.device_id, r.member_id, r.voucher_id, coalesce(r.merchant_id, d.merchant_id) AS merchant_id, r.since, r.until,
       r.reason, d.label
  FROM ranked r
 CROSS JOIN bounds b
  LEFT JOIN redemption.device d ON d.community_id = b.book AND d.device_id = r.device_id
 WHERE r.n <= :limit ORDER BY r.kind, r.n
""")


async def limited_now(session: AsyncSession, actor: Actor, now: datetime) -> Sequence[Limited]:
    """What is limited, by kind and the newest first, at most 200 of a kind."""
    terms = await settings_on(session, actor.community_id, _NAMES, local_day(now))
    rows = (
        await session.execute(
            _LIMITED,
            {
                "community_id": actor.community_id,
                "now": now,
                "most": terms["invalid_scans_max"],
                "minutes": terms["invalid_scans_minutes"],
                "soft": terms["offline_soft_hours"],
                "hard": terms["offline_hard_hours"],
                "tries": PIN_TRIES,
                "limit": OF_A_KIND_MAX,
            },
        )
    ).all()
    people = await people_by_ids(session, actor.community_id, {row.member_id for row in rows if row.member_id})
    shops = await organisations_by_ids(
        session, actor.community_id, {row.merchant_id for row in rows if row.merchant_id}
    )
    order = list(LimitKind)
    found = []
    for row in rows:
        who = people.get(row.member_id)
        shop = shops[row.merchant_id].name if row.merchant_id in shops else ""
        found.append(
            Limited(
                LimitKind(row.kind),
                who.name if who else row.label or (str(row.device_id)[:8] if row.device_id else shop),
                shop,
                row.since,
                row.until,
                row.reason,
                row.voucher_id,
                row.member_id,
                who.card_no if who else None,
            )
        )
    return sorted(found, key=lambda each: order.index(each.kind))
