"""Lots: that they sum up to the balances, follow the transfers, and expire when the rules said."""

from ledger.verify.kinds import Kind, first_of_each

# Every account that has lots, with the number of the book when its unit's first rule came.
_TRACKED = """
    SELECT a.community_id, a.account_id, a.code, a.unit, a.balance, p.seq AS since
      FROM ledger.lot_policy p
      JOIN ledger.account a ON a.community_id = p.community_id AND a.unit = p.unit AND starts_with(a.code, p.prefix)
     WHERE p.number = 1 AND ($1::bigint IS NULL OR p.community_id = $1)
"""

_SUMS = first_of_each(
    f"""
    SELECT a.community_id, a.account_id AS place_no, a.code, a.unit, greatest(a.balance, 0) AS due, coalesce(l.amount, 0) AS amount
      FROM ({_TRACKED}) a
      LEFT JOIN (SELECT community_id, account_id, sum(amount) AS amount FROM ledger.lot GROUP BY 1, 2) l
             USING (community_id, account_id)
    """,  # noqa: S608  (all of it stands in this file)
    Kind(
        "lot_sum",
        "r.amount <> r.due",
        "'account ' || r.code || ' ' || r.unit",
        "'has lots of ' || r.amount || ', its balance makes ' || r.due",
    ),
)

_MOVES = first_of_each(
    """
    SELECT community_id, account_id, account_id AS place_no, expires_at, sum(has) AS amount, sum(moved) AS due
      FROM (SELECT community_id, account_id, expires_at, amount AS has, 0 AS moved FROM ledger.lot
             UNION ALL SELECT community_id, account_id, expires_at, 0, amount FROM ledger.lot_move) x
     WHERE $1::bigint IS NULL OR community_id = $1
     GROUP BY community_id, account_id, expires_at
    """,
    Kind(
        "lot_moves",
        "r.amount <> r.due",
        "'account ' || r.account_id",
        "'has ' || r.amount || ' that expire at ' || r.expires_at || ', its transfers give ' || r.due",
    ),
)

_TRANSFERS = first_of_each(
    f"""
    SELECT l.community_id, l.seq, l.seq AS place_no, l.account_id, l.due, coalesce(m.amount, 0) AS amount
      FROM (SELECT t.community_id, t.seq, a.account_id,
                   CASE t.debit WHEN a.account_id THEN -least(t.amount, greatest(t.debit_balance + t.amount, 0))
                                ELSE greatest(least(t.amount, t.credit_balance), 0) END AS due
              FROM ({_TRACKED}) a
              JOIN ledger.transfer t ON t.community_id = a.community_id AND t.seq > greatest(a.since, $2::bigint)
                                    AND a.account_id IN (t.debit, t.credit)) l
      LEFT JOIN (SELECT community_id, seq, account_id, sum(amount) AS amount FROM ledger.lot_move GROUP BY 1, 2, 3) m
             USING (community_id, seq, account_id)
    """,  # noqa: S608  (all of it stands in this file)
    Kind(
        "lot_transfer",
        "r.amount <> r.due",
        "'transfer ' || r.seq",
        "'moves ' || r.amount || ' in the lots of account ' || r.account_id || ', not ' || r.due",
    ),
)

# What was earned anew: from an account without lots, by a plain posting that undoes nothing.
_EXPIRIES = first_of_each(
    f"""
    SELECT t.community_id, t.seq, t.seq AS place_no, m.expires_at,
           ledger.lot_expiry(p.rule, p.months, p.zone, j.posted_at) AS due
      FROM ({_TRACKED}) a
      JOIN ledger.transfer t ON t.community_id = a.community_id AND t.seq > greatest(a.since, $2::bigint)
                            AND t.credit = a.account_id AND t.kind = 'post'
      JOIN ledger.journal j ON j.community_id = t.community_id AND j.journal_id = t.journal_id AND j.reverses IS NULL
      JOIN ledger.lot_move m ON m.community_id = t.community_id AND m.seq = t.seq AND m.account_id = t.credit
     CROSS JOIN LATERAL (SELECT x.* FROM ledger.lot_policy x WHERE x.community_id = t.community_id AND x.unit = t.unit
                            AND x.seq < t.seq ORDER BY x.number DESC LIMIT 1) p
     WHERE NOT EXISTS (SELECT FROM ledger.account d WHERE d.community_id = t.community_id AND d.account_id = t.debit
                          AND starts_with(d.code, p.prefix))
    """,  # noqa: S608  (all of it stands in this file)
    Kind(
        "lot_expiry",
        "r.expires_at <> r.due",
        "'transfer ' || r.seq",
        "'makes a lot that expires at ' || r.expires_at || ', the rule says ' || r.due",
    ),
)

_HOLDS = first_of_each(
    f"""
    SELECT h.community_id, h.journal_id AS place_no, h.hold_id, h.amount, h.captured, h.released, h.refunded,
           l.amount AS amount_due, l.captured AS captured_due, l.released AS released_due, l.refunded AS refunded_due
      FROM ({_TRACKED}) a
      JOIN ledger.hold h ON h.community_id = a.community_id AND h.account_id = a.account_id
      LEFT JOIN (SELECT community_id, hold_id, sum(amount) AS amount, sum(captured) AS captured, sum(released) AS released,
                        sum(refunded) AS refunded FROM ledger.hold_lot GROUP BY 1, 2) l
             ON l.community_id = h.community_id AND l.hold_id = h.hold_id
    """,  # noqa: S608  (all of it stands in this file)
    Kind(
        "hold_lot",
        "((r.amount, r.captured, r.released, r.refunded) = (r.amount_due, r.captured_due, r.released_due, "
        "r.refunded_due)) IS NOT TRUE",
        "'hold ' || r.hold_id",
        "'does not fit its lots'",
    ),
)

# What came back and does not expire when a day begins has days of grace: written down, and as many as the rule gave then.
_GRACE = first_of_each(
    """
    SELECT m.community_id, m.seq, m.seq AS place_no, m.expires_at, g.seq AS given_by,
           j.posted_at + make_interval(hours => 24 * p.grace_days) AS due
      FROM ledger.lot_move m
      JOIN ledger.transfer t ON t.community_id = m.community_id AND t.seq = m.seq
      JOIN ledger.journal j ON j.community_id = t.community_id AND j.journal_id = t.journal_id
      LEFT JOIN ledger.lot_grace g ON g.community_id = m.community_id AND g.expires_at = m.expires_at
     CROSS JOIN LATERAL (SELECT x.* FROM ledger.lot_policy x WHERE x.community_id = t.community_id AND x.unit = t.unit
                            AND x.seq < t.seq ORDER BY x.number DESC LIMIT 1) p
     WHERE ($1::bigint IS NULL OR m.community_id = $1) AND m.seq > $2::bigint AND m.amount > 0 AND isfinite(m.expires_at)
       AND extract(second FROM m.expires_at) <> 0
       AND (t.kind = ANY ('{release,refund}') OR j.reverses IS NOT NULL) AND (g.seq IS NULL OR g.seq = m.seq)
    """,
    Kind(
        "lot_grace",
        "(r.given_by IS NOT NULL AND r.expires_at - r.due IN (interval '0', interval '1 microsecond')) IS NOT TRUE",
        "'transfer ' || r.seq",
        "'gives days of grace until ' || r.expires_at || ' that are not written down, or not by the rule'",
    ),
)

CHECKS = (_SUMS, _MOVES, _TRANSFERS, _EXPIRIES, _HOLDS, _GRACE)
