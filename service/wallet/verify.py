"""Proves the books of a community as a whole: the ledger and its seals, the vouchers, and the service record against both.

The ledger proves itself and so does redemption. What neither can see is whether every confirmed service was posted as
it stands in the record, and whether anything was posted as a service that the record does not know.
"""

import sqlalchemy as sa
from sqlmodel.ext.asyncio.session import AsyncSession

import ledger
import redemption
from ledger import Fault
from service.kit.sealing import copies, trusted_keys

_RECORDS = sa.text("""
WITH posted AS (
    SELECT r.record_id, r.reference, r.kind, r.minutes, r.coins, r.points_hundredths, r.corrects,
           j.journal_id, j.reverses,
           (SELECT f.reference FROM service_record f
             WHERE f.community_id = r.community_id AND f.record_id = r.corrects) AS corrects_reference,
           coalesce(moved.own_minutes, 0) AS own_minutes, coalesce(moved.all_minutes, 0) AS all_minutes,
           coalesce(moved.own_points, 0) AS own_points
      FROM service_record r
      LEFT JOIN ledger.journal j ON j.community_id = r.community_id AND j.reference = r.reference
      LEFT JOIN LATERAL (
        SELECT sum(t.amount * (CASE WHEN c.code = own.code THEN 1 WHEN d.code = own.code THEN -1 ELSE 0 END))
                   FILTER (WHERE t.unit = 'minute') AS own_minutes,
               sum(t.amount * (CASE WHEN d.code = 'issued' THEN 1 WHEN c.code = 'issued' THEN -1 ELSE 0 END))
                   FILTER (WHERE t.unit = 'minute') AS all_minutes,
               sum(t.amount * (CASE WHEN c.code = own.code THEN 1 WHEN d.code = own.code THEN -1 ELSE 0 END))
                   FILTER (WHERE t.unit = 'point') AS own_points
          FROM (SELECT 'member:' || replace(r.member_id::text, '-', '') AS code) own
          JOIN ledger.transfer t ON t.community_id = r.community_id
           AND t.seq >= j.journal_id AND t.seq < j.journal_id + j.transfers
          JOIN ledger.account d ON d.community_id = r.community_id AND d.account_id = t.debit
          JOIN ledger.account c ON c.community_id = r.community_id AND c.account_id = t.credit
      ) moved ON true
     WHERE r.community_id = :community_id
), expected AS (
    SELECT p.*, CASE p.kind WHEN 'credited' THEN p.minutes ELSE 0 END AS due_minutes,
           p.kind = 'credited' OR p.points_hundredths <> 0 AS is_posted
      FROM posted p
), found AS (
    SELECT 'records.journal_missing' AS kind, e.record_id::text AS place,
           'no journal ' || e.reference AS detail
      FROM expected e WHERE e.is_posted AND e.journal_id IS NULL
    UNION ALL
    SELECT 'records.journal_unexpected', e.record_id::text,
           'journal ' || e.journal_id || ' for a record that earns nothing'
      FROM expected e WHERE NOT e.is_posted AND e.journal_id IS NOT NULL
    UNION ALL
    SELECT 'records.minutes_differ', e.record_id::text,
           'record ' || e.due_minutes || ', posted ' || e.all_minutes
      FROM expected e WHERE e.journal_id IS NOT NULL AND e.all_minutes <> e.due_minutes
    UNION ALL
    SELECT 'records.coins_differ', e.record_id::text, 'record ' || e.coins || ', posted ' || e.own_minutes
      FROM expected e WHERE e.journal_id IS NOT NULL AND e.own_minutes <> e.coins
    UNION ALL
    SELECT 'records.points_differ', e.record_id::text, 'record ' || e.points_hundredths || ', posted ' || e.own_points
      FROM expected e WHERE e.journal_id IS NOT NULL AND e.own_points <> e.points_hundredths
    UNION ALL
    SELECT 'records.correction_unlinked', e.record_id::text,
           'corrects ' || coalesce(e.corrects_reference, 'nothing')
               || ', journal reverses ' || coalesce(o.reference, 'nothing')
      FROM expected e LEFT JOIN ledger.journal o ON o.community_id = :community_id AND o.journal_id = e.reverses
     WHERE e.journal_id IS NOT NULL AND o.reference IS DISTINCT FROM e.corrects_reference
    UNION ALL
    SELECT 'records.correction_differs', c.record_id::text, 'not the opposite of ' || f.record_id
      FROM service_record c JOIN service_record f ON f.community_id = c.community_id AND f.record_id = c.corrects
     WHERE c.community_id = :community_id
       AND (c.minutes, c.coins, c.points_hundredths, c.member_id, c.kind)
           IS DISTINCT FROM (-f.minutes, -f.coins, -f.points_hundredths, f.member_id, f.kind)
    UNION ALL
    SELECT 'records.time_kept', t.record_id::text, 'the time of a record that is corrected, somebody else''s or counts nothing'
      FROM service_time t JOIN service_record r ON r.community_id = t.community_id AND r.record_id = t.record_id
     WHERE t.community_id = :community_id
       AND (r.member_id <> t.member_id OR r.minutes <= 0
            OR EXISTS (SELECT FROM service_record c WHERE c.community_id = r.community_id AND c.corrects = r.record_id))
    UNION ALL
    SELECT 'records.record_missing', j.reference, 'journal ' || j.journal_id || ' has no record'
      FROM ledger.journal j
     WHERE j.community_id = :community_id AND j.reason = 'service'
       AND NOT EXISTS (SELECT FROM service_record r WHERE r.community_id = j.community_id AND r.reference = j.reference)
    UNION ALL
    SELECT 'records.reversal_missing', j.reference,
           'journal ' || j.journal_id || ' undoes a service that the record still counts'
      FROM ledger.journal j JOIN ledger.journal o ON o.community_id = j.community_id AND o.journal_id = j.reverses
     WHERE j.community_id = :community_id AND o.reason = 'service'
       AND NOT EXISTS (SELECT FROM service_record r WHERE r.community_id = j.community_id AND r.reference = j.reference)
)
SELECT DISTINCT ON (f.kind) f.kind, f.place, f.detail FROM found f ORDER BY f.kind, f.place COLLATE "C"
""")


_REWARDS = sa.text("""
SELECT 'wishes.reward_not_held', w.wish_id::text,
       'promised ' || 100 * w.reward_points || ', set aside ' || coalesce(h.amount - h.captured - h.released, 0)
  FROM wish w
  LEFT JOIN (ledger.hold h JOIN ledger.account a ON a.community_id = h.community_id AND a.account_id = h.account_id)
    ON h.community_id = w.community_id AND h.hold_id = w.reward_hold AND h.unit = 'point'
   AND a.code = 'budget:' || replace(w.reward_budget::text, '-', '')
 WHERE w.community_id = :community_id AND w.reward_hold IS NOT NULL
   AND coalesce(h.amount - h.captured - h.released, 0) <> 100 * w.reward_points
 ORDER BY 2 LIMIT 1
""")


_OPENINGS = sa.text(r"""
SELECT 'openings.not_posted', o.opening_id || '\:' || o.row_no,
       'no journal brings ' || o.minutes || ' minutes, ' || o.points || ' points'
  FROM opening_row o
 WHERE o.community_id = :community_id AND o.outcome IN ('posted', 'kept', 'returned') AND o.minutes + o.points > 0
   AND NOT EXISTS (SELECT FROM ledger.journal j
                    WHERE j.community_id = :community_id AND j.reference = 'opening\:' || o.opening_id || '\:' || o.row_no)
 ORDER BY 2 LIMIT 1
""")


async def verify_records(session: AsyncSession, community_id: int) -> list[Fault]:
    """The first record of each kind of fault that does not stand in the ledger as it should, or the other way round."""
    faults: list[Fault] = []
    for query in (_RECORDS, _REWARDS, _OPENINGS):
        rows = await session.execute(query, {"community_id": community_id})
        faults += [Fault(kind, community_id, place, detail) for kind, place, detail in rows]
    return faults


async def verify_books(session: AsyncSession, community_id: int, *, since_seal: bool = False) -> list[Fault]:
    """Everything that is wrong in a community's books; an empty list means that they are whole.

    With `since_seal` the ledger proves what was posted after its last seal, and the seals only that they are signed and
    follow from each other; vouchers and records are proved in any case.
    """
    last = await ledger.last_seal(session, community_id) if since_seal else None
    faults = list(await ledger.verify(session, community_id, since=last.size if last is not None else 0))
    faults += await ledger.verify_seals(
        session, community_id, trusted_keys(session), copies=copies(session, community_id), since_last=since_seal
    )
    faults += [
        Fault(fault.kind, community_id, fault.place, fault.detail)
        for fault in await redemption.verify(session, community_id)
    ]
    return faults + await verify_records(session, community_id)
