"""Proves vouchers, uses and settlements against each other and against the ledger.

Each check is one statement, so it sees one moment and may run beside the shops. It needs only to read, and names the
first bad row of its kind in each book.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from redemption.calls import rows


@dataclass(frozen=True, slots=True)
class Fault:
    """The first row that is wrong in one way: where it is, and what it says against what it should say."""

    kind: str
    book: int
    place: str
    detail: str


_CHECKS: Final[dict[str, str]] = {
    # Each query gives book, place, says, should.
    "voucher_used": """
        SELECT v.community_id AS book, 'voucher ' || v.voucher_id AS place, v.quantity_used AS says,
               coalesce(sum(u.quantity), 0) AS should
          FROM redemption.voucher v
          LEFT JOIN redemption.use u ON u.community_id = v.community_id AND u.voucher_id = v.voucher_id
                AND u.state IN ('ACCEPTED', 'SETTLED') AND u.bearer IS NULL
         GROUP BY v.community_id, v.voucher_id
        HAVING v.quantity_used <> coalesce(sum(u.quantity), 0)
    """,
    "voucher_returned": """
        -- While a voucher lives, only what a dispute or a correction gave back and what the member gave up in part is returned.
        SELECT v.community_id AS book, 'voucher ' || v.voucher_id AS place, v.quantity_returned AS says, r.refunded AS should
          FROM redemption.voucher v
         CROSS JOIN LATERAL (
               SELECT coalesce(sum(u.quantity), 0)
                      + (SELECT coalesce(sum(e.quantity), 0) FROM redemption.voucher_event e
                          WHERE e.community_id = v.community_id AND e.voucher_id = v.voucher_id) AS refunded
                 FROM redemption.use u
                WHERE u.community_id = v.community_id AND u.voucher_id = v.voucher_id AND u.state IN ('REVERSED', 'ADJUSTED')
                  AND u.bearer IS NULL
                  AND EXISTS (SELECT FROM redemption.settlement_line l
                               WHERE l.community_id = u.community_id AND l.voucher_id = u.voucher_id AND l.use_seq = u.seq)) r
         WHERE v.quantity_returned < r.refunded
            OR (v.quantity_returned <> r.refunded AND v.state NOT IN ('CANCELLED', 'EXPIRED', 'VOID'))
    """,
    "voucher_escrow": """
        SELECT v.community_id AS book, 'voucher ' || v.voucher_id || ' ' || part.name AS place,
               coalesce(h.amount - h.captured - h.released, 0) AS says,
               part.each * (v.quantity_total - v.quantity_used - v.quantity_returned) AS should
          FROM redemption.voucher v
         CROSS JOIN LATERAL (SELECT 'member:' || replace(coalesce(v.payer_id, v.member_id)::text, '-', '') AS member,
                                    'budget:' || replace(v.sponsor_id::text, '-', '') AS sponsor) code
         CROSS JOIN LATERAL (VALUES ('points', v.points_hold, 100::bigint * v.points_each, code.member),
                                    ('subsidy', v.subsidy_hold, 100::bigint * v.subsidy_points_each, code.sponsor),
                                    ('payable', v.payable_hold, v.payable_fen_each, code.sponsor))
                    AS part (name, hold_id, each, account)
          LEFT JOIN (ledger.hold h JOIN ledger.account a ON a.community_id = h.community_id AND a.account_id = h.account_id)
            ON h.community_id = v.community_id AND h.hold_id = part.hold_id AND a.code = part.account
         WHERE coalesce(h.amount - h.captured - h.released, 0)
               <> part.each * (v.quantity_total - v.quantity_used - v.quantity_returned)
    """,
    "voucher_price": """
        -- What a change order agreed to is what the voucher costs, until the next.
        SELECT v.community_id AS book, 'voucher ' || v.voucher_id AS place,
               concat_ws(' ', v.points_each, v.subsidy_points_each, v.payable_fen_each, v.cash_fen_each) AS says,
               concat_ws(' ', c.points_each, c.subsidy_points_each, c.payable_fen_each, c.cash_fen_each) AS should
          FROM (SELECT DISTINCT ON (o.community_id, o.voucher_id) o.*, a.answered_at
                  FROM redemption.change_order o
                  JOIN redemption.change_answer a ON a.community_id = o.community_id AND a.change_id = o.change_id AND a.is_agreed
                 ORDER BY o.community_id, o.voucher_id, a.answered_at DESC, o.proposed_at DESC) c
          JOIN redemption.voucher v ON v.community_id = c.community_id AND v.voucher_id = c.voucher_id
         WHERE NOT EXISTS (
               -- Two may have been agreed to in one instant: either may have been the last.
               SELECT FROM redemption.change_order o
                 JOIN redemption.change_answer a ON a.community_id = o.community_id AND a.change_id = o.change_id AND a.is_agreed
                WHERE o.community_id = c.community_id AND o.voucher_id = c.voucher_id AND a.answered_at = c.answered_at
                  AND (v.points_each, v.subsidy_points_each, v.payable_fen_each, v.cash_fen_each)
                      = (o.points_each, o.subsidy_points_each, o.payable_fen_each, o.cash_fen_each))
    """,
    "change_people": """
        SELECT o.community_id AS book, 'change ' || o.change_id AS place, 'agreed by ' || a.answered_by AS says,
               CASE WHEN o.is_dearer THEN 'the member, or for them' ELSE 'who proposed it' END AS should
          FROM redemption.change_order o
          JOIN redemption.change_answer a ON a.community_id = o.community_id AND a.change_id = o.change_id
         WHERE a.is_agreed AND o.is_dearer = (a.answered_by = o.proposed_by)
    """,
    "voucher_history": """
        SELECT v.community_id AS book, 'voucher ' || v.voucher_id AS place, e.count || ' ' || coalesce(e.state, '-') AS says,
               v.event_seq || ' ' || v.state AS should
          FROM redemption.voucher v
         CROSS JOIN LATERAL (SELECT count(*) AS count, (array_agg(x.to_state ORDER BY x.number DESC))[1] AS state
                               FROM redemption.voucher_event x
                              WHERE x.community_id = v.community_id AND x.voucher_id = v.voucher_id) e
         WHERE e.count <> v.event_seq OR e.state IS DISTINCT FROM v.state
    """,
    "offline_use": """
        -- What a phone was told is in the books: what was accepted is a use, a conflict that is paid is one with its bearer.
        SELECT o.community_id AS book, 'record ' || o.device_id || '.' || o.nonce AS place,
               concat_ws(' ', o.verdict, o.bearer) AS says, concat_ws(' ', u.state, u.bearer) AS should
          FROM redemption.offline_record o
          LEFT JOIN redemption.use u ON u.community_id = o.community_id AND u.device_id = o.device_id AND u.nonce = o.nonce
         WHERE (o.verdict = 'accepted' AND o.reason <> 'undone' AND (u.seq IS NULL OR u.bearer IS NOT NULL))
            OR (o.verdict = 'conflict' AND o.bearer <> 'merchant' AND u.bearer IS DISTINCT FROM o.bearer)
            OR (o.verdict = 'conflict' AND o.bearer = 'merchant' AND u.seq IS NOT NULL)
    """,
    "offline_undo": """
        -- What a phone took back is no use, and whoever says so is there.
        SELECT o.community_id AS book, 'record ' || o.device_id || '.' || o.nonce AS place,
               'undone' AS says, coalesce(u.state, 'nobody took it back') AS should
          FROM redemption.offline_record o
          LEFT JOIN redemption.use u ON u.community_id = o.community_id AND u.device_id = o.device_id
               AND u.nonce = coalesce(o.undoes, o.nonce)
         WHERE o.reason = 'undone'
           AND (u.state NOT IN ('REVERSED', 'ADJUSTED') OR (o.undoes IS NULL AND NOT EXISTS (
                SELECT FROM redemption.offline_record b
                 WHERE b.community_id = o.community_id AND b.device_id = o.device_id AND b.undoes = o.nonce
                   AND b.reason = 'undone')))
    """,
    "use_sequence": """
        SELECT v.community_id AS book, 'voucher ' || v.voucher_id AS place,
               count(u.seq) || ' to ' || coalesce(max(u.seq), 0) AS says,
               v.use_seq || ' to ' || v.use_seq AS should
          FROM redemption.voucher v
          LEFT JOIN redemption.use u ON u.community_id = v.community_id AND u.voucher_id = v.voucher_id
         GROUP BY v.community_id, v.voucher_id
        HAVING count(u.seq) <> v.use_seq OR coalesce(max(u.seq), 0) <> v.use_seq
    """,
    "use_price": """
        SELECT u.community_id AS book, 'use ' || u.voucher_id || '.' || u.seq AS place,
               concat_ws(' ', u.points, u.subsidy_points, u.payable_fen, u.cash_fen) AS says,
               concat_ws(' ', u.quantity * v.points_each, u.quantity * v.subsidy_points_each, u.quantity * v.payable_fen_each,
                         u.quantity * v.cash_fen_each) AS should
          FROM redemption.use u
          JOIN redemption.voucher v ON v.community_id = u.community_id AND v.voucher_id = u.voucher_id
         WHERE (u.points, u.subsidy_points, u.payable_fen, u.cash_fen)
               <> (u.quantity * v.points_each, u.quantity * v.subsidy_points_each, u.quantity * v.payable_fen_each,
                   u.quantity * v.cash_fen_each)
    """,
    "use_ledger": """
        SELECT u.community_id AS book, 'use ' || u.voucher_id || '.' || u.seq AS place, l.points || ' ' || l.fen AS says,
               100 * (u.points + u.subsidy_points) || ' ' || u.payable_fen AS should
          FROM redemption.use u
         CROSS JOIN LATERAL (SELECT redemption.moved(u.community_id, u.journal_id, 'credit', u.merchant_id, 'point') AS points,
                                    redemption.moved(u.community_id, u.journal_id, 'credit', u.merchant_id, 'fen') AS fen) l
         WHERE l.points <> 100 * (u.points + u.subsidy_points) OR l.fen <> u.payable_fen
    """,
    "use_reversal": """
        SELECT u.community_id AS book, 'use ' || u.voucher_id || '.' || u.seq AS place, l.points || ' ' || l.fen AS says,
               100 * (u.points + u.subsidy_points) || ' ' || u.payable_fen AS should
          FROM redemption.use u
         CROSS JOIN LATERAL (
               SELECT redemption.moved(u.community_id, u.reversal_journal_id, 'debit', u.merchant_id, 'point') AS points,
                      redemption.moved(u.community_id, u.reversal_journal_id, 'debit', u.merchant_id, 'fen') AS fen) l
         WHERE u.state IN ('REVERSED', 'ADJUSTED') AND (l.points <> 100 * (u.points + u.subsidy_points) OR l.fen <> u.payable_fen)
    """,
    "use_settlement": """
        SELECT u.community_id AS book, 'use ' || u.voucher_id || '.' || u.seq AS place, u.state AS says,
               CASE WHEN l.line_no IS NULL THEN 'not settled' ELSE 'SETTLED' END AS should
          FROM redemption.use u
          LEFT JOIN redemption.settlement_line l
            ON l.community_id = u.community_id AND l.voucher_id = u.voucher_id AND l.use_seq = u.seq AND l.part = 0
         WHERE (u.state IN ('SETTLED', 'ADJUSTED')
                OR (u.state = 'REVERSED'
                    AND EXISTS (SELECT FROM redemption.settlement_line x
                                  JOIN redemption.dispute d ON d.community_id = x.community_id
                                       AND d.settlement_id = x.settlement_id AND d.line_no = x.line_no
                                 WHERE x.community_id = u.community_id AND x.voucher_id = u.voucher_id AND x.use_seq = u.seq
                                   AND d.state = 'REVERSED'))) <> (l.line_no IS NOT NULL)
    """,
    "settlement_line": """
        SELECT l.community_id AS book, 'line ' || l.settlement_id || '.' || l.line_no AS place,
               concat_ws(' ', s.merchant_id, l.quantity, l.points, l.subsidy_points, l.payable_fen, l.cash_fen) AS says,
               concat_ws(' ', u.merchant_id, u.quantity, u.points, u.subsidy_points, u.payable_fen, u.cash_fen) AS should
          FROM redemption.settlement_line l
          JOIN redemption.settlement s ON s.community_id = l.community_id AND s.settlement_id = l.settlement_id
          JOIN redemption.use u ON u.community_id = l.community_id AND u.voucher_id = l.voucher_id AND u.seq = l.use_seq
         WHERE l.kind IN ('use', 'carried') AND (s.merchant_id, l.quantity, l.points, l.subsidy_points, l.payable_fen, l.cash_fen)
               <> (u.merchant_id, u.quantity, u.points, u.subsidy_points, u.payable_fen, u.cash_fen)
    """,
    "dispute_people": """
        SELECT d.community_id AS book, 'dispute ' || d.settlement_id || '.' || d.line_no AS place,
               'resolved by ' || d.resolved_by AS says, 'somebody else' AS should
          FROM redemption.dispute d
          JOIN redemption.settlement s ON s.community_id = d.community_id AND s.settlement_id = d.settlement_id
         WHERE d.resolved_by IN (s.closed_by, d.raised_by)
    """,
    "dispute_reversed": """
        SELECT d.community_id AS book, 'dispute ' || d.settlement_id || '.' || d.line_no AS place, d.state AS says,
               'a use ' || u.state AS should
          FROM redemption.dispute d
          JOIN redemption.settlement_line l
            ON l.community_id = d.community_id AND l.settlement_id = d.settlement_id AND l.line_no = d.line_no
          JOIN redemption.use u ON u.community_id = l.community_id AND u.voucher_id = l.voucher_id AND u.seq = l.use_seq
         WHERE d.state = 'REVERSED' AND u.state <> 'REVERSED'
    """,
    "dispute_carried": """
        -- Each part after the first has exactly the one dispute that let it in, and follows it in the shop's own chain.
        SELECT l.community_id AS book, 'line ' || l.settlement_id || '.' || l.line_no AS place,
               coalesce(b.number || ' part ' || e.part, 'nobody decided it') AS says,
               'before ' || a.number || ' part ' || l.part AS should
          FROM redemption.settlement_line l
          JOIN redemption.settlement a ON a.community_id = l.community_id AND a.settlement_id = l.settlement_id
          LEFT JOIN (redemption.dispute d
                     JOIN redemption.settlement_line e
                       ON e.community_id = d.community_id AND e.settlement_id = d.settlement_id AND e.line_no = d.line_no
                     JOIN redemption.settlement b ON b.community_id = d.community_id AND b.settlement_id = d.settlement_id)
            ON d.community_id = l.community_id AND d.carried_settlement = l.settlement_id AND d.carried_line_no = l.line_no
         WHERE (l.kind = 'carried' OR d.line_no IS NOT NULL)
           AND (l.kind, b.merchant_id, e.voucher_id, e.use_seq, e.part + 1, b.number < a.number)
               IS DISTINCT FROM ('carried', a.merchant_id, l.voucher_id, l.use_seq, l.part, true)
    """,
    "adjustment_use": """
        -- A use is adjusted when, and only when, two people agreed on it; neither of them gets the points.
        SELECT u.community_id AS book, 'use ' || u.voucher_id || '.' || u.seq AS place, u.state AS says,
               coalesce('ADJUSTED by ' || a.decided_by, 'agreed by somebody') AS should
          FROM redemption.use u
          LEFT JOIN redemption.adjustment a
            ON a.community_id = u.community_id AND a.voucher_id = u.voucher_id AND a.use_seq = u.seq AND a.state = 'done'
         WHERE (u.state = 'ADJUSTED') <> (a.adjustment_id IS NOT NULL)
    """,
    "adjustment_line": """
        -- Each correction in a statement is a use's line with its sign turned, agreed on once, later, of the same shop.
        SELECT l.community_id AS book, 'line ' || l.settlement_id || '.' || l.line_no AS place,
               concat_ws(' ', l.kind, l.quantity, l.points, l.subsidy_points, l.payable_fen, l.cash_fen, 'part', l.part) AS says,
               coalesce(concat_ws(' ', 'adjustment', -e.quantity, -e.points, -e.subsidy_points, -e.payable_fen, -e.cash_fen,
                                  'part', e.part + 1), 'nobody agreed on it') AS should
          FROM redemption.settlement_line l
          JOIN redemption.settlement s ON s.community_id = l.community_id AND s.settlement_id = l.settlement_id
          LEFT JOIN (redemption.adjustment a
                     JOIN redemption.settlement_line e
                       ON e.community_id = a.community_id AND e.settlement_id = a.settlement_id AND e.line_no = a.line_no
                     JOIN redemption.settlement b ON b.community_id = a.community_id AND b.settlement_id = a.settlement_id
                     JOIN redemption.use u
                       ON u.community_id = a.community_id AND u.voucher_id = a.voucher_id AND u.seq = a.use_seq)
            ON a.community_id = l.community_id AND a.carried_settlement = l.settlement_id AND a.carried_line_no = l.line_no
         WHERE (l.kind = 'adjustment' OR a.adjustment_id IS NOT NULL)
           AND (l.kind, l.voucher_id, l.use_seq, l.part, l.quantity, l.points, l.subsidy_points, l.payable_fen, l.cash_fen,
                l.journal_id, s.merchant_id, b.number < s.number)
               IS DISTINCT FROM
               ('adjustment', e.voucher_id, e.use_seq, e.part + 1, -e.quantity, -e.points, -e.subsidy_points, -e.payable_fen,
                -e.cash_fen, u.reversal_journal_id, a.merchant_id, true)
    """,
    "settlement_sums": """
        SELECT s.community_id AS book, 'settlement ' || s.settlement_id AS place,
               concat_ws(' ', s.line_count, s.points, s.subsidy_points, s.payable_fen, s.cash_fen) AS says,
               concat_ws(' ', l.line_count, l.points, l.subsidy_points, l.payable_fen, l.cash_fen) AS should
          FROM redemption.settlement s
         CROSS JOIN LATERAL (SELECT count(*) AS line_count, coalesce(sum(x.points), 0) AS points,
                                    coalesce(sum(x.subsidy_points), 0) AS subsidy_points,
                                    coalesce(sum(x.payable_fen), 0) AS payable_fen, coalesce(sum(x.cash_fen), 0) AS cash_fen
                               FROM redemption.settlement_line x
                              WHERE x.community_id = s.community_id AND x.settlement_id = s.settlement_id) l
         WHERE (s.line_count, s.points, s.subsidy_points, s.payable_fen, s.cash_fen)
               <> (l.line_count, l.points, l.subsidy_points, l.payable_fen, l.cash_fen)
    """,
    "settlement_hash": """
        SELECT s.community_id AS book, 'settlement ' || s.settlement_id AS place, encode(s.hash, 'hex') AS says,
               encode(redemption.settlement_hash(s), 'hex') AS should
          FROM redemption.settlement s
         WHERE s.hash <> redemption.settlement_hash(s)
    """,
    "settlement_chain": """
        SELECT s.community_id AS book, 'settlement ' || s.settlement_id AS place,
               s.number || ' after ' || encode(s.previous_hash, 'hex') AS says,
               s.expected || ' after ' || encode(s.before, 'hex') AS should
          FROM (SELECT x.*, row_number() OVER w AS expected, coalesce(lag(x.hash) OVER w, sha256('')) AS before
                  FROM redemption.settlement x WINDOW w AS (PARTITION BY x.community_id, x.merchant_id ORDER BY x.number)) s
         WHERE s.number <> s.expected OR s.previous_hash <> s.before
    """,
    "settlement_head": """
        SELECT m.community_id AS book, 'merchant ' || m.merchant_id AS place,
               m.settled_number || ' ' || coalesce(encode(m.settled_hash, 'hex'), '-') AS says,
               coalesce(s.number, 0) || ' ' || coalesce(encode(s.hash, 'hex'), '-') AS should
          FROM redemption.merchant m
          LEFT JOIN LATERAL (SELECT x.number, x.hash FROM redemption.settlement x
                              WHERE x.community_id = m.community_id AND x.merchant_id = m.merchant_id
                              ORDER BY x.number DESC LIMIT 1) s ON true
         WHERE m.settled_number <> coalesce(s.number, 0) OR m.settled_hash IS DISTINCT FROM s.hash
    """,
    "settlement_paid": """
        SELECT s.community_id AS book, 'settlement ' || s.settlement_id AS place, concat_ws(' ', s.paid_points, s.paid_fen) AS says,
               concat_ws(' ', p.points, p.fen) AS should
          FROM redemption.settlement s
         CROSS JOIN LATERAL (SELECT coalesce(sum(x.points), 0) AS points, coalesce(sum(x.fen), 0) AS fen
                               FROM redemption.payment x
                              WHERE x.community_id = s.community_id AND x.settlement_id = s.settlement_id
                                AND x.returned_at IS NULL) p
         WHERE (s.paid_points, s.paid_fen) <> (p.points, p.fen)
    """,
    "settlement_due": """
        SELECT s.community_id AS book, 'settlement ' || s.settlement_id AS place,
               concat_ws(' ', s.approved_points, s.approved_fen) AS says, concat_ws(' ', d.points, d.fen) AS should
          FROM redemption.settlement s
         CROSS JOIN LATERAL (SELECT coalesce(sum(x.points + x.subsidy_points), 0) AS points, coalesce(sum(x.payable_fen), 0) AS fen
                               FROM redemption.settlement_line x
                              WHERE x.community_id = s.community_id AND x.settlement_id = s.settlement_id
                                AND NOT EXISTS (SELECT FROM redemption.dispute y WHERE y.community_id = x.community_id
                                                   AND y.settlement_id = x.settlement_id AND y.line_no = x.line_no)) d
         WHERE s.approved_at IS NOT NULL AND (s.approved_points, s.approved_fen) <> (d.points, d.fen)
    """,
    "payment_ledger": """
        SELECT p.community_id AS book, 'payment ' || p.settlement_id || '.' || p.number AS place,
               concat_ws(' ', l.points, l.fen, b.points, b.fen) AS says,
               concat_ws(' ', 100 * p.points, p.fen, back.n * 100 * p.points, back.n * p.fen) AS should
          FROM redemption.payment p
          JOIN redemption.settlement s ON s.community_id = p.community_id AND s.settlement_id = p.settlement_id
         CROSS JOIN LATERAL (SELECT (p.returned_at IS NOT NULL)::int AS n) back
         CROSS JOIN LATERAL (SELECT redemption.moved(p.community_id, p.journal_id, 'debit', s.merchant_id, 'point') AS points,
                                    redemption.moved(p.community_id, p.journal_id, 'debit', s.merchant_id, 'fen') AS fen) l
         CROSS JOIN LATERAL (SELECT redemption.moved(p.community_id, p.return_journal_id, 'credit', s.merchant_id, 'point')
                                    AS points,
                                    redemption.moved(p.community_id, p.return_journal_id, 'credit', s.merchant_id, 'fen') AS fen) b
         WHERE (l.points, l.fen, b.points, b.fen) <> (100 * p.points, p.fen, back.n * 100 * p.points, back.n * p.fen)
    """,
    "merchant_balance": """
        SELECT m.community_id AS book, 'merchant ' || m.merchant_id || ' ' || part.unit AS place,
               coalesce(a.balance, 0) AS says, part.should
          FROM redemption.merchant m
         CROSS JOIN LATERAL (SELECT coalesce(sum(u.points + u.subsidy_points), 0) AS points, coalesce(sum(u.payable_fen), 0) AS fen
                               FROM redemption.use u
                              WHERE u.community_id = m.community_id AND u.merchant_id = m.merchant_id
                                AND u.state IN ('ACCEPTED', 'CONFLICT', 'SETTLED')) taken
         CROSS JOIN LATERAL (SELECT coalesce(sum(s.paid_points), 0) AS points, coalesce(sum(s.paid_fen), 0) AS fen
                               FROM redemption.settlement s
                              WHERE s.community_id = m.community_id AND s.merchant_id = m.merchant_id) paid
         CROSS JOIN LATERAL (VALUES ('point', 100 * (taken.points - paid.points)), ('fen', taken.fen - paid.fen))
                    AS part (unit, should)
          LEFT JOIN ledger.account a ON a.community_id = m.community_id AND a.unit = part.unit
                AND a.code = 'merchant:' || replace(m.merchant_id::text, '-', '')
         WHERE coalesce(a.balance, 0) <> part.should
    """,
    "offer_period": """
        SELECT p.community_id AS book, 'offer ' || p.offer_id || ' from ' || p.began_at AS place,
               p.taken || ' of ' || p.cap AS says,
               coalesce(sum(v.quantity_total - v.quantity_returned), 0) || ' of ' || o.period_cap AS should
          FROM redemption.offer_period p
          JOIN redemption.offer o ON o.community_id = p.community_id AND o.offer_id = p.offer_id
          LEFT JOIN redemption.voucher v ON v.community_id = p.community_id AND v.offer_id = p.offer_id
           AND p.began_at = CASE o.period_cap_per WHEN 'ever' THEN '-infinity'
                            ELSE date_trunc(o.period_cap_per, v.issued_at, o.time_zone) END
         GROUP BY p.community_id, p.offer_id, p.began_at, p.taken, p.cap, o.period_cap
        HAVING p.taken <> coalesce(sum(v.quantity_total - v.quantity_returned), 0) OR p.cap IS DISTINCT FROM o.period_cap
    """,
    "offer_stock": """
        SELECT o.community_id AS book, 'offer ' || o.offer_id AS place, o.stock_taken AS says,
               coalesce(sum(v.quantity_total - v.quantity_returned), 0) AS should
          FROM redemption.offer o
          LEFT JOIN redemption.voucher v ON v.community_id = o.community_id AND v.offer_id = o.offer_id
         GROUP BY o.community_id, o.offer_id
        HAVING o.stock_taken <> coalesce(sum(v.quantity_total - v.quantity_returned), 0)
    """,
}

_FIRST: Final = """
SELECT DISTINCT ON (f.book) f.book, f.place, f.says::text AS says, f.should::text AS should FROM ({check}) f
 WHERE CAST(:book AS bigint) IS NULL OR f.book = :book ORDER BY f.book, f.place
"""

KINDS: Final = tuple(_CHECKS)
"""Every kind of fault that is looked for, in order."""


async def verify(session: AsyncSession, book: int | None = None) -> list[Fault]:
    """Check one book, or all of them; an empty list means that nothing is wrong."""
    faults: list[Fault] = []
    for kind, query in _CHECKS.items():
        found = await rows(session, _FIRST.replace("{check}", query), book=book)
        faults += [
            Fault(kind, row["book"], row["place"], f"says {row['says']}, should say {row['should']}") for row in found
        ]
    return faults
