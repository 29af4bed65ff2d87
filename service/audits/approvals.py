"""Who approved what: the same hands on both sides, households, and what stands out in how somebody decides.

Read from the domains' own rows, in a period of at most `PERIOD_DAYS_MAX` days; one query for the flags, one for the counts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlmodel.ext.asyncio.session import AsyncSession

from service.audits.rules import Counts, Oddity, check_period, oddities
from service.identity import Person, people_by_ids
from service.kit.clock import LAST_DAY, day_begins

FLAGS_SHOWN = 500

_ACTS = """
WITH act AS (
    SELECT 'hours' AS kind, a.attendance_id::text AS id, a.done_at AS asked_at, a.reviewed_at AS at,
           a.reviewed_by AS decider, a.state <> 'returned' AS agreed,
           ARRAY['served', 'checked_in', 'checked_out'] AS roles,
           ARRAY[a.member_id, a.checked_in_by, a.checked_out_by] AS hands
      FROM attendance a
     WHERE a.community_id = :community_id AND a.reviewed_at >= :since AND a.reviewed_at < :until
    UNION ALL
    SELECT 'wish', w.wish_id::text, w.posted_at, e.at, e.actor_id, e.verb = 'approve',
           ARRAY['asked', 'posted', 'helped'], ARRAY[w.asked_by, w.posted_by, w.volunteer_id]
      FROM wish_event e JOIN wish w ON w.community_id = e.community_id AND w.wish_id = e.wish_id
     WHERE e.community_id = :community_id AND e.at >= :since AND e.at < :until AND e.verb IN ('approve', 'return')
    UNION ALL
    SELECT 'wish_done', w.wish_id::text, w.served_at, w.confirmed_at, w.confirmed_by, true,
           ARRAY['helped'], ARRAY[w.volunteer_id]
      FROM wish w
     WHERE w.community_id = :community_id AND w.confirmed_at >= :since AND w.confirmed_at < :until
    UNION ALL
    SELECT 'settlement', s.settlement_id::text, s.closed_at, s.approved_at, s.approved_by, true,
           ARRAY['closed', 'confirmed'], ARRAY[s.closed_by, s.confirmed_by]
      FROM redemption.settlement s
     WHERE s.community_id = :community_id AND s.approved_at >= :since AND s.approved_at < :until
    UNION ALL
    SELECT 'dispute', d.settlement_id::text, d.raised_at, d.resolved_at, d.resolved_by, d.state = 'UPHELD',
           ARRAY['objected', 'objected'], ARRAY[d.raised_by, d.on_behalf_of]
      FROM redemption.dispute d
     WHERE d.community_id = :community_id AND d.resolved_at >= :since AND d.resolved_at < :until
    UNION ALL
    SELECT 'correction', a.settlement_id || '/lines/' || a.line_no, a.proposed_at, a.decided_at, a.decided_by,
           a.state = 'done', ARRAY['correction_asked', 'holder', 'holder'], ARRAY[a.proposed_by, v.member_id, v.payer_id]
      FROM redemption.adjustment a
      JOIN redemption.voucher v ON v.community_id = a.community_id AND v.voucher_id = a.voucher_id
     WHERE a.community_id = :community_id AND a.decided_at >= :since AND a.decided_at < :until
    UNION ALL
    SELECT 'setting', c.name, c.proposed_at, c.decided_at, c.decided_by, c.state <> 'refused',
           ARRAY['proposed'], ARRAY[c.proposed_by]
      FROM setting_change c
     WHERE c.community_id = :community_id AND c.decided_at >= :since AND c.decided_at < :until AND c.needs_second
    UNION ALL
    SELECT 'desk_use', u.voucher_id::text, u.proposed_at, u.decided_at,
           CASE u.way WHEN 'pin' THEN u.proposed_by ELSE u.decided_by END,
           u.state = 'done', ARRAY['desk_asked', 'holder'],
           ARRAY[CASE u.way WHEN 'second' THEN u.proposed_by END, u.member_id]
      FROM desk_use u
     WHERE u.community_id = :community_id AND u.decided_at >= :since AND u.decided_at < :until
)
"""
_FLAGS = sa.text(
    _ACTS
    + """
SELECT DISTINCT act.kind, act.id, act.at, act.decider, h.role, h.hand, h.hand = act.decider AS is_self
  FROM act
 CROSS JOIN LATERAL unnest(act.roles, act.hands) h(role, hand)
  JOIN member d ON d.community_id = :community_id AND d.member_id = act.decider
  JOIN member m ON m.community_id = :community_id AND m.member_id = h.hand
 WHERE act.agreed AND (h.hand = act.decider OR d.household_id = m.household_id)
 ORDER BY act.at DESC, act.id, h.role LIMIT :most
"""
)
_COUNTS = sa.text(
    _ACTS
    + """
SELECT act.kind, act.decider, count(*) FILTER (WHERE act.agreed), count(*) FILTER (WHERE NOT act.agreed),
       coalesce(percentile_disc(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM act.at - act.asked_at)), 0)::bigint
  FROM act WHERE act.decider IS NOT NULL
 GROUP BY 1, 2 ORDER BY 1, 3 DESC, 2
"""
)


@dataclass(frozen=True, slots=True)
class Flag:
    """One decision with the same person, or the same household, on both sides."""

    kind: str
    thing_id: str
    at: datetime
    decider: UUID
    role: str
    hand: UUID
    is_self: bool

    @property
    def url(self) -> str:
        """Where the act is told in full."""
        place = {
            "wish": "/desk/wishes/{}",
            "wish_done": "/desk/wishes/{}",
            "settlement": "/desk/settlements/{}",
            "dispute": "/desk/settlements/{}",
            "correction": "/desk/settlements/{}/correction",
            "setting": "/desk/settings/{}",
            "desk_use": "/desk/vouchers/{}",
        }.get(self.kind, "/desk/audit?object_id={}")
        return place.format(self.thing_id)


@dataclass(frozen=True, slots=True)
class Approvals:
    """What was found in a period. `is_cut` when there were more flags than are shown."""

    flags: Sequence[Flag]
    is_cut: bool
    counts: Sequence[Counts]
    oddities: Mapping[tuple[str, UUID], Sequence[Oddity]]
    people: Mapping[UUID, Person]


async def approvals(session: AsyncSession, community_id: int, since: date, until: date) -> Approvals:
    """Everything decided on these days, both included."""
    check_period(since, until)
    asked = {
        "community_id": community_id,
        "since": day_begins(since),
        "until": day_begins(min(until, LAST_DAY) + timedelta(days=1)),
    }
    rows = (await session.execute(_FLAGS, {**asked, "most": FLAGS_SHOWN + 1})).all()
    flags = [Flag(*row) for row in rows[:FLAGS_SHOWN]]
    counts = [Counts(*row) for row in await session.execute(_COUNTS, asked)]
    who = {flag.decider for flag in flags} | {flag.hand for flag in flags} | {row.decider for row in counts}
    people = await people_by_ids(session, community_id, who)
    return Approvals(flags, len(rows) > FLAGS_SHOWN, counts, oddities(counts), people)
