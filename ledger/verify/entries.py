"""Entries: that transfers, journals, reversals and holds fit each other and are what was posted."""

from ledger.verify.kinds import Kind, first_of_each

_TRANSFERS = first_of_each(
    """
    SELECT t.community_id, t.seq, t.journal_id, t.kind, t.unit, t.amount, t.hold_id, t.debit, t.debit_balance, t.credit,
           t.credit_balance, t.seq AS place_no, d.code AS debit_code, c.code AS credit_code, d.unit AS debit_unit,
           c.unit AS credit_unit, d.floor, c.ceiling, j.transfers, j.reason, j.reverses, j.posted_at,
           h.hold_id AS held, h.expires_at
      FROM ledger.transfer t
      LEFT JOIN ledger.account d ON d.community_id = t.community_id AND d.account_id = t.debit
      LEFT JOIN ledger.account c ON c.community_id = t.community_id AND c.account_id = t.credit
      LEFT JOIN ledger.journal j ON j.community_id = t.community_id AND j.journal_id = t.journal_id
      LEFT JOIN ledger.hold h ON h.community_id = t.community_id AND h.hold_id = t.hold_id
     WHERE ($1::bigint IS NULL OR t.community_id = $1) AND t.seq > $2::bigint
    """,
    Kind(
        "transfer_account",
        "(r.debit_unit = r.unit AND r.credit_unit = r.unit AND r.debit <> r.credit) IS NOT TRUE",
        "'transfer ' || r.seq",
        "'moves ' || r.unit || ' from account ' || r.debit || ' (' || coalesce(r.debit_unit, 'none') || "
        "') to ' || r.credit || ' (' || coalesce(r.credit_unit, 'none') || ')'",
    ),
    Kind(
        "transfer_amount",
        "r.amount NOT BETWEEN 1 AND 1000000000000000",
        "'transfer ' || r.seq",
        "'moves ' || r.amount",
    ),
    Kind(
        "transfer_floor",
        # Below it by a reversal, as the last allowance before it says.
        "r.debit_balance < r.floor AND (r.reverses IS NOT NULL AND r.debit_balance >= r.floor - (SELECT "
        "CASE a.reason WHEN r.reason THEN a.debt_limit END FROM ledger.debt_allowance a WHERE a.community_id = "
        "r.community_id AND a.account_id = r.debit AND a.seq < r.seq ORDER BY a.number DESC LIMIT 1)) IS NOT TRUE",
        "'transfer ' || r.seq",
        "'leaves ' || r.debit_balance || ' below ' || r.floor",
    ),
    Kind(
        "transfer_ceiling",
        "r.credit_balance > r.ceiling",
        "'transfer ' || r.seq",
        "'leaves ' || r.credit_balance || ' above ' || r.ceiling",
    ),
    Kind(
        "transfer_late",
        "r.kind = 'capture' AND r.expires_at <= r.posted_at",
        "'transfer ' || r.seq",
        "'captures at ' || r.posted_at || ' what had expired at ' || r.expires_at",
    ),
    Kind(
        "transfer_journal",
        "(r.seq >= r.journal_id AND r.seq < r.journal_id + r.transfers) IS NOT TRUE",
        "'transfer ' || r.seq",
        "'says journal ' || r.journal_id || ', which does not have it'",
    ),
    Kind(
        "transfer_hold",
        "CASE r.kind WHEN 'post' THEN r.hold_id IS NOT NULL ELSE r.held IS NULL END",
        "'transfer ' || r.seq",
        "'is a ' || r.kind || ' with hold ' || coalesce(r.hold_id::text, 'none')",
    ),
    Kind(
        "transfer_escrow",
        "CASE r.kind WHEN 'post' THEN r.debit_code = 'escrow' OR r.credit_code = 'escrow' WHEN 'hold' "
        "THEN r.credit_code <> 'escrow' WHEN 'refund' "
        "THEN r.debit_code = 'escrow' OR r.credit_code = 'escrow' ELSE r.debit_code <> 'escrow' END",
        "'transfer ' || r.seq",
        "'is a ' || r.kind || ' from ' || coalesce(r.debit_code, 'nowhere') || ' to ' || "
        "coalesce(r.credit_code, 'nowhere')",
    ),
)

_JOURNALS = first_of_each(
    """
    SELECT j.*, j.journal_id AS place_no, x.found, x.lines
      FROM ledger.journal j
      LEFT JOIN (SELECT t.community_id, t.journal_id, count(*) AS found,
                        string_agg(ledger.step_line(t.kind, d.code, c.code, t.unit, t.amount, t.hold_id, h.expires_at),
                                   '' ORDER BY t.seq) AS lines
                   FROM ledger.transfer t
                   LEFT JOIN ledger.account d ON d.community_id = t.community_id AND d.account_id = t.debit
                   LEFT JOIN ledger.account c ON c.community_id = t.community_id AND c.account_id = t.credit
                   LEFT JOIN ledger.hold h ON h.community_id = t.community_id AND h.hold_id = t.hold_id
                  WHERE ($1::bigint IS NULL OR t.community_id = $1) AND t.seq > $2::bigint
                  GROUP BY t.community_id, t.journal_id) x USING (community_id, journal_id)
     WHERE ($1::bigint IS NULL OR community_id = $1) AND journal_id > $2::bigint
    """,
    Kind(
        "journal_transfers",
        "r.transfers IS DISTINCT FROM r.found",
        "'journal ' || r.journal_id || ' ' || r.reference",
        "'says ' || r.transfers || ' transfers and has ' || coalesce(r.found, 0)",
    ),
    Kind(
        "fingerprint",
        "r.fingerprint IS DISTINCT FROM ledger.fingerprint(r.reference, r.reason, r.actor_id, "
        "r.on_behalf_of, r.effective_at, r.reverses, r.lines)",
        "'journal ' || r.journal_id || ' ' || r.reference",
        "'is not what was posted'",
    ),
    Kind(
        "effective_at",
        "r.effective_at > r.posted_at",
        "'journal ' || r.journal_id || ' ' || r.reference",
        "'takes effect after it was posted'",
    ),
)

_ORDER = first_of_each(
    """
    SELECT j.community_id, j.journal_id, j.journal_id AS place_no, j.reference, j.posted_at,
           coalesce(lag(j.posted_at) OVER (PARTITION BY j.community_id ORDER BY j.journal_id), o.posted_at)
               AS posted_before
      FROM ledger.journal j
      LEFT JOIN LATERAL (SELECT x.posted_at FROM ledger.journal x
                          WHERE $2::bigint > 0 AND x.community_id = j.community_id AND x.journal_id <= $2::bigint
                          ORDER BY x.journal_id DESC LIMIT 1) o ON true
     WHERE ($1::bigint IS NULL OR j.community_id = $1) AND j.journal_id > $2::bigint
    """,
    Kind(
        "posted_at",
        "r.posted_at < r.posted_before",
        "'journal ' || r.journal_id || ' ' || r.reference",
        "'was posted at ' || r.posted_at || ', before the one in front of it'",
    ),
)

_KEYS = first_of_each(
    """
    SELECT j.community_id, min(j.journal_id) AS place_no, j.reference, count(*) AS same_reference
      FROM ledger.journal j WHERE $1::bigint IS NULL OR j.community_id = $1
     GROUP BY j.community_id, j.reference HAVING count(*) > 1 OR j.reference = ''
    """,
    Kind(
        "key",
        "true",
        "'journal ' || r.place_no || ' ' || r.reference",
        "'its reference stands ' || r.same_reference || ' times'",
    ),
)

_PERIODS = first_of_each(
    """
    SELECT j.*, j.journal_id AS place_no, p.closed_until
      FROM (SELECT *, lead(seq) OVER (PARTITION BY community_id ORDER BY closed_until) AS next_seq
              FROM ledger.period WHERE $1::bigint IS NULL OR community_id = $1) p
      JOIN ledger.journal j ON j.community_id = p.community_id AND j.journal_id > p.seq
                           AND (p.next_seq IS NULL OR j.journal_id <= p.next_seq) AND j.journal_id > $2::bigint
    """,
    Kind(
        "period",
        "r.effective_at < r.closed_until",
        "'journal ' || r.journal_id || ' ' || r.reference",
        "'takes effect at ' || r.effective_at || ', the book was closed until ' || r.closed_until",
    ),
)

_REVERSALS = first_of_each(
    """
    SELECT j.*, j.journal_id AS place_no, o.journal_id AS original, o.reverses AS original_reverses,
           (SELECT count(*) FROM ledger.journal x
             WHERE x.community_id = j.community_id AND x.reverses = j.reverses) AS same_original,
           EXISTS (SELECT 1 FROM ledger.transfer t
                    WHERE t.community_id = j.community_id AND t.kind <> 'post'
                      AND t.seq >= j.reverses AND t.seq < j.reverses + o.transfers) AS has_holds,
           EXISTS (SELECT 1 FROM (SELECT t.debit, t.credit, sum(t.amount) AS amount FROM ledger.transfer t
                                   WHERE t.community_id = j.community_id
                                     AND t.seq >= j.journal_id AND t.seq < j.journal_id + j.transfers
                                   GROUP BY t.debit, t.credit) back
                    WHERE back.amount > coalesce((SELECT sum(t.amount) FROM ledger.transfer t
                                                   WHERE t.community_id = j.community_id AND t.debit = back.credit
                                                     AND t.credit = back.debit AND t.seq >= j.reverses
                                                     AND t.seq < j.reverses + o.transfers), 0)) AS exceeds
      FROM ledger.journal j
      LEFT JOIN ledger.journal o ON o.community_id = j.community_id AND o.journal_id = j.reverses
     WHERE j.reverses IS NOT NULL AND ($1::bigint IS NULL OR j.community_id = $1) AND j.journal_id > $2::bigint
    """,
    Kind(
        "reversal",
        "r.original IS NULL OR r.original >= r.journal_id",
        "'journal ' || r.journal_id || ' ' || r.reference",
        "'reverses journal ' || r.reverses || ', which is not before it'",
    ),
    Kind(
        "reversal_of_reversal",
        "r.original_reverses IS NOT NULL",
        "'journal ' || r.journal_id || ' ' || r.reference",
        "'reverses the reversal ' || r.reverses",
    ),
    Kind(
        "reversal_of_hold",
        "r.has_holds",
        "'journal ' || r.journal_id || ' ' || r.reference",
        "'reverses journal ' || r.reverses || ', which has holds'",
    ),
    Kind(
        "reversal_twice",
        "r.same_original > 1",
        "'journal ' || r.journal_id || ' ' || r.reference",
        "'reverses journal ' || r.reverses || ', as ' || r.same_original || ' do'",
    ),
    Kind(
        "reversal_amount",
        "r.exceeds",
        "'journal ' || r.journal_id || ' ' || r.reference",
        "'gives back more than journal ' || r.reverses || ' moved'",
    ),
)

_HOLDS = first_of_each(
    """
    SELECT h.*, h.journal_id AS place_no, h.journal_id <= $2::bigint AS is_before, t.account_due, t.unit_due, t.journal_due,
           coalesce(t.amount_due, 0) AS amount_due, coalesce(t.captured_due, 0) AS captured_due,
           coalesce(t.released_due, 0) AS released_due, coalesce(t.refunded_due, 0) AS refunded_due,
           coalesce(t.strays, 0) AS strays, e.expires_at AS queued
      FROM ledger.hold h
      LEFT JOIN ledger.hold_expiry e USING (community_id, expires_at, hold_id)
      LEFT JOIN (SELECT t.community_id, t.hold_id,
                        sum(t.amount) FILTER (WHERE t.kind = 'hold') AS amount_due,
                        sum(t.amount) FILTER (WHERE t.kind = 'capture') AS captured_due,
                        sum(t.amount) FILTER (WHERE t.kind = 'release') AS released_due,
                        sum(t.amount) FILTER (WHERE t.kind = 'refund') AS refunded_due,
                        min(t.debit) FILTER (WHERE t.kind = 'hold') AS account_due,
                        min(t.unit) FILTER (WHERE t.kind = 'hold') AS unit_due,
                        min(t.journal_id) FILTER (WHERE t.kind = 'hold') AS journal_due,
                        count(*) FILTER (WHERE t.unit <> o.unit
                                            OR t.kind = ANY ('{release,refund}') AND t.credit <> o.account_id) AS strays
                   FROM ledger.transfer t
                   JOIN ledger.hold o ON o.community_id = t.community_id AND o.hold_id = t.hold_id
                  WHERE t.hold_id IS NOT NULL AND ($1::bigint IS NULL OR t.community_id = $1) AND t.seq > $2::bigint
                  GROUP BY t.community_id, t.hold_id) t USING (community_id, hold_id)
     WHERE ($1::bigint IS NULL OR community_id = $1) AND (h.journal_id > $2::bigint OR t.strays IS NOT NULL)
    """,
    Kind(
        "hold",
        # Of a hold that was opened before, only what moved since is looked at.
        "CASE WHEN r.is_before THEN r.amount_due > 0 OR r.captured < r.captured_due OR r.released < r.released_due OR "
        "r.refunded < r.refunded_due ELSE ((r.amount, r.captured, r.released, r.refunded) = (r.amount_due, "
        "r.captured_due, r.released_due, r.refunded_due)) IS NOT TRUE END",
        "'hold ' || r.hold_id",
        "'says ' || r.amount || ' held, ' || r.captured || ' captured, ' || r.released || ' released, ' || "
        "r.refunded || ' refunded; its transfers give ' || r.amount_due || ', ' || r.captured_due || ', ' || "
        "r.released_due || ', ' || r.refunded_due",
    ),
    Kind(
        "hold_account",
        "((r.is_before OR r.account_id = r.account_due AND r.unit = r.unit_due AND r.journal_id = r.journal_due) AND "
        "r.strays = 0) IS NOT TRUE",
        "'hold ' || r.hold_id",
        "'does not fit its transfers'",
    ),
    Kind(
        "hold_expiry",
        "r.expires_at IS NOT NULL AND r.queued IS NULL AND r.captured + r.released < r.amount",
        "'hold ' || r.hold_id",
        "'would never expire'",
    ),
    Kind(
        "hold_parts",
        "r.captured + r.released > r.amount OR r.captured < 0 OR r.released < 0 OR "
        "r.refunded NOT BETWEEN 0 AND r.captured",
        "'hold ' || r.hold_id",
        "r.captured || ' captured and ' || r.released || ' released of ' || r.amount",
    ),
)

_ESCROW = """
    SELECT 'escrow' AS kind, community_id, unit, 'escrow has ' || sum(has) || ', the open holds are ' || sum(open)
      FROM (SELECT community_id, unit, balance AS has, 0 AS open FROM ledger.account WHERE code = 'escrow'
             UNION ALL
            SELECT community_id, unit, 0, amount - captured - released FROM ledger.hold) e
     WHERE $1::bigint IS NULL OR community_id = $1
     GROUP BY community_id, unit HAVING sum(has) <> sum(open)
     ORDER BY community_id, unit LIMIT 1
"""

CHECKS = (_TRANSFERS, _JOURNALS, _ORDER, _KEYS, _PERIODS, _REVERSALS, _HOLDS, _ESCROW)
