"""What two communities owe each other, held side by side; and what proves that neither lost or made anything.

The only reads that see both sides. They carry sums and references, never a person.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel.ext.asyncio.session import AsyncSession

from ledger import Fault
from service.clearing.rules import Unit, code_of


@dataclass(frozen=True, slots=True)
class Position:
    """One partner and one unit. `owed` is what we owe them (below zero: they owe us); so is `theirs`, seen from there."""

    partner_id: int
    unit: Unit
    owed: int
    theirs: int
    under_way: int
    netting_under_way: int
    """What a netting has taken off one side only, as the sum of both sides shows it."""

    @property
    def mirrors(self) -> bool:
        """True when the two sides say the same, but for what is under way."""
        return self.owed + self.theirs == self.under_way + self.netting_under_way


@dataclass(frozen=True, slots=True)
class Difference:
    """The first transfer that the two sides do not tell alike, as each of them has it."""

    transfer_id: UUID
    sent_at: datetime
    ours: str | None
    theirs: str | None

    @property
    def code(self) -> str:
        """Its reference as people quote it."""
        return code_of(self.transfer_id)


_POSITIONS = sa.text("""
WITH pair AS MATERIALIZED (
    SELECT g.community_id AS us, g.partner_id AS them, u.unit
      FROM clearing_agreement g CROSS JOIN (VALUES ('minute'), ('point')) u (unit)
     WHERE g.community_id = :community_id AND g.accepted_at IS NOT NULL
       AND (CAST(:partner_id AS bigint) IS NULL OR g.partner_id = :partner_id)
), way AS (
    SELECT CASE o.community_id WHEN :community_id THEN o.partner_id ELSE o.community_id END AS them, o.unit,
           sum(o.amount) AS amount
      FROM clearing_transfer o
      LEFT JOIN clearing_transfer i ON i.community_id = o.partner_id AND i.transfer_id = o.transfer_id
     WHERE o.due_at IS NOT NULL AND (o.community_id = :community_id OR o.partner_id = :community_id)
       AND i.state IS DISTINCT FROM 'arrived'
     GROUP BY 1, 2
), net AS (
    SELECT p.them, p.unit, -sum(CASE p.unit WHEN 'minute' THEN d.minutes ELSE d.points_hundredths END) AS amount
      FROM pair p
      JOIN clearing_netting d ON d.state = 'done'
       AND ((d.community_id = p.us AND d.partner_id = p.them) OR (d.community_id = p.them AND d.partner_id = p.us))
      JOIN clearing_netting o ON o.community_id = d.partner_id AND o.netting_id = d.netting_id AND o.state = 'proposed'
     GROUP BY p.them, p.unit
)
SELECT p.them, p.unit, coalesce(a.balance, 0), coalesce(b.balance, 0),
       coalesce(way.amount, 0)::bigint, coalesce(net.amount, 0)::bigint
  FROM pair p
  LEFT JOIN ledger.account a ON a.community_id = p.us AND a.code = 'clearing:' || p.them AND a.unit = p.unit
  LEFT JOIN ledger.account b ON b.community_id = p.them AND b.code = 'clearing:' || p.us AND b.unit = p.unit
  LEFT JOIN way ON way.them = p.them AND way.unit = p.unit
  LEFT JOIN net ON net.them = p.them AND net.unit = p.unit
 ORDER BY p.them, p.unit
""")

_FIRST_DIFFERENCE = sa.text("""
WITH settled AS MATERIALIZED (
    SELECT o.netting_id FROM clearing_netting o
      JOIN clearing_netting t ON t.community_id = :partner_id AND t.netting_id = o.netting_id AND t.state = 'done'
     WHERE o.community_id = :community_id AND o.partner_id = :partner_id AND o.state = 'done' AND NOT :whole
), us AS MATERIALIZED (
    SELECT * FROM clearing_transfer
     WHERE community_id = :community_id AND partner_id = :partner_id
       AND (netting_id IS NULL OR netting_id NOT IN (SELECT netting_id FROM settled))
), them AS MATERIALIZED (
    SELECT * FROM clearing_transfer
     WHERE community_id = :partner_id AND partner_id = :community_id
       AND (netting_id IS NULL OR netting_id NOT IN (SELECT netting_id FROM settled))
), told AS (
    SELECT coalesce(us.transfer_id, them.transfer_id) AS transfer_id, coalesce(us.sent_at, them.sent_at) AS sent_at,
           us.direction || ' ' || us.amount || ' ' || us.unit || ' ' || us.state AS ours,
           them.direction || ' ' || them.amount || ' ' || them.unit || ' ' || them.state AS theirs,
           CASE WHEN coalesce(us.direction = 'out', them.direction = 'in') THEN us.state ELSE them.state END AS sender,
           CASE WHEN coalesce(us.direction = 'out', them.direction = 'in') THEN them.state ELSE us.state END AS taker,
           us.transfer_id IS NOT NULL AND them.transfer_id IS NOT NULL AS is_both,
           us.direction IS NOT DISTINCT FROM them.direction OR us.amount IS DISTINCT FROM them.amount
               OR us.unit IS DISTINCT FROM them.unit OR us.sent_at IS DISTINCT FROM them.sent_at AS is_other,
           us.netting_id IS DISTINCT FROM them.netting_id
               AND coalesce((SELECT bool_and(n.state <> 'proposed') FROM clearing_netting n
                              WHERE n.netting_id IN (us.netting_id, them.netting_id)
                                AND n.community_id IN (:community_id, :partner_id)), false) AS is_netted_apart
      FROM us FULL JOIN them ON them.transfer_id = us.transfer_id
)
SELECT transfer_id, sent_at, ours, theirs
  FROM told
 WHERE sender IS NULL                                           -- taken, and never sent
    OR (is_both AND is_other)                                   -- two different things under one reference
    OR (sender = 'arrived' AND taker IS DISTINCT FROM 'arrived')
    OR (sender = 'returned' AND taker IS DISTINCT FROM 'refused')
    OR is_netted_apart
 ORDER BY sent_at, transfer_id LIMIT 1
""")

_OWN = sa.text("""
WITH account AS (
    SELECT a.code, a.unit, a.balance, CAST(split_part(a.code, ':', 2) AS bigint) AS partner_id
      FROM ledger.account a WHERE a.community_id = :community_id AND a.code LIKE 'clearing:%'
), due AS (
    SELECT a.*,
           coalesce((SELECT sum(CASE t.direction WHEN 'out' THEN t.amount ELSE -t.amount END) FROM clearing_transfer t
                      WHERE t.community_id = :community_id AND t.partner_id = a.partner_id AND t.unit = a.unit
                        AND t.state IN ('sent', 'recalled', 'arrived')), 0)
         - coalesce((SELECT sum(CASE a.unit WHEN 'minute' THEN n.minutes ELSE n.points_hundredths END)
                       FROM clearing_netting n
                      WHERE n.community_id = :community_id AND n.partner_id = a.partner_id AND n.state = 'done'), 0) AS due
      FROM account a
), row AS (
    SELECT t.transfer_id, t.code, 'clearing:' || t.transfer_id AS reference FROM clearing_transfer t
     WHERE t.community_id = :community_id AND t.state <> 'refused'
), journal AS (
    SELECT j.reference, j.reason FROM ledger.journal j
     WHERE j.community_id = :community_id AND j.reason IN ('clearing_sent', 'clearing_arrived')
)
SELECT 'clearing.account_differs' AS kind, d.code || ' ' || d.unit AS place,
       'has ' || d.balance || ', its transfers and nettings give ' || d.due AS detail
  FROM due d WHERE d.balance <> d.due
 UNION ALL
SELECT 'clearing.journal_missing', r.code, 'no journal ' || r.reference
  FROM row r WHERE NOT EXISTS (SELECT FROM journal j WHERE j.reference = r.reference)
 UNION ALL
SELECT 'clearing.transfer_missing', j.reference, 'a journal without a transfer'
  FROM journal j WHERE NOT EXISTS (SELECT FROM row r WHERE r.reference = j.reference)
""")


async def positions(session: AsyncSession, community_id: int, partner_id: int | None = None) -> Sequence[Position]:
    """Every partner and unit, or one partner's, with what both sides say; one statement, so one moment."""
    rows = await session.execute(_POSITIONS, {"community_id": community_id, "partner_id": partner_id})
    return [Position(partner, Unit(unit), *figures) for partner, unit, *figures in rows]


async def first_difference(
    session: AsyncSession, community_id: int, partner_id: int, *, whole: bool = False
) -> Difference | None:
    """The earliest transfer between two communities that they do not tell alike. What is under way is no difference.

    What both have netted was compared then, and is again only where the `whole` is asked for.
    """
    asked = {"community_id": community_id, "partner_id": partner_id, "whole": whole}
    rows = await session.execute(_FIRST_DIFFERENCE, asked)
    found = rows.one_or_none()
    return Difference(*found) if found is not None else None


async def verify_positions(session: AsyncSession, community_id: int) -> list[Fault]:
    """What is wrong between this community and its partners: the first fault of each kind, and per partner."""
    faults: dict[str, Fault] = {}
    for kind, place, detail in await session.execute(_OWN, {"community_id": community_id}):
        faults.setdefault(kind, Fault(kind, community_id, place, detail))
    found = list(faults.values())
    apart = [one for one in await positions(session, community_id) if not one.mirrors]
    found += [
        Fault(
            "clearing.positions_differ",
            community_id,
            f"clearing:{one.partner_id} {one.unit}",
            f"here {one.owed}, there {one.theirs}, under way {one.under_way + one.netting_under_way}",
        )
        for one in apart
    ]
    partners = await session.execute(
        sa.text("SELECT partner_id FROM clearing_agreement WHERE community_id = :community_id ORDER BY 1"),
        {"community_id": community_id},
    )
    for partner_id in partners.scalars().all():  # a handful: communities that agreed with each other
        odd = await first_difference(session, community_id, partner_id, whole=True)
        if odd is not None:
            detail = f"here {odd.ours or 'nothing'}, with {partner_id} {odd.theirs or 'nothing'}"
            found.append(Fault("clearing.transfers_differ", community_id, odd.code, detail))
    return found
