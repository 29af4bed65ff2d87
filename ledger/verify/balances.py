"""Balances: that they add up, follow from the transfers one by one, and lie between floor and ceiling."""

from ledger.verify.kinds import Kind, first_of_each

_LEGS = """
    SELECT community_id, debit AS account_id, unit, seq, -amount AS delta, debit_balance AS balance,
           debit_version AS version, debit_prev AS prev
      FROM ledger.transfer WHERE ($1::bigint IS NULL OR community_id = $1) AND seq > $2::bigint
     UNION ALL
    SELECT community_id, credit, unit, seq, amount, credit_balance, credit_version, credit_prev
      FROM ledger.transfer WHERE ($1::bigint IS NULL OR community_id = $1) AND seq > $2::bigint
"""
_BEFORE = """
    SELECT t.seq, CASE t.debit WHEN {account} THEN t.debit_balance ELSE t.credit_balance END AS balance,
           CASE t.debit WHEN {account} THEN t.debit_version ELSE t.credit_version END AS version
      FROM ledger.transfer t
     WHERE t.community_id = {book} AND t.seq = {seq} AND t.seq <= $2::bigint AND {account} IN (t.debit, t.credit)
"""
"""An account as its leg at `seq`, which was proved before, left it."""

_SUMS = """
    SELECT 'unit_sum' AS kind, community_id, unit, 'the balances add up to ' || sum(balance)
      FROM ledger.account WHERE $1::bigint IS NULL OR community_id = $1
     GROUP BY community_id, unit HAVING sum(balance) <> 0
     ORDER BY community_id, unit LIMIT 1
"""

_WALK = first_of_each(
    f"""
    SELECT l.*, l.seq AS place_no, l.sum_due + coalesce(b.balance, 0) AS balance_due,
           l.count_due + coalesce(b.version, 0) AS version_due, coalesce(l.lag_due, b.seq, 0) AS prev_due
      FROM (SELECT l.*, sum(l.delta) OVER (account ROWS UNBOUNDED PRECEDING) AS sum_due,
                   row_number() OVER account AS count_due, lag(l.seq) OVER account AS lag_due,
                   CASE WHEN $2::bigint > 0 THEN first_value(l.prev) OVER account END AS first_prev
              FROM ({_LEGS}) l
            WINDOW account AS (PARTITION BY community_id, account_id ORDER BY seq)) l
      LEFT JOIN LATERAL ({_BEFORE.format(account="l.account_id", book="l.community_id", seq="l.first_prev")}) b ON true
    """,  # noqa: S608  (from this file)
    Kind(
        "running_balance",
        "r.balance <> r.balance_due",
        "'transfer ' || r.seq",
        "'says ' || r.balance || ' for account ' || r.account_id || ', the transfers up to it give ' || r.balance_due",
    ),
    Kind(
        "version",
        "r.version <> r.version_due",
        "'transfer ' || r.seq",
        "'says version ' || r.version || ' for account ' || r.account_id || ', it is number ' || r.version_due",
    ),
    Kind(
        "prev",
        "r.prev <> r.prev_due",
        "'transfer ' || r.seq",
        "'points to ' || r.prev || ' for account ' || r.account_id || ', the one before it is ' || r.prev_due",
    ),
)

_ACCOUNTS = first_of_each(
    f"""
    SELECT a.*, a.account_id AS place_no, count(*) OVER (PARTITION BY community_id, a.code, a.unit) AS same_code,
           coalesce(l.balance, 0) + coalesce(b.balance, 0) AS balance_due,
           coalesce(l.version, 0) + coalesce(b.version, 0) AS version_due,
           coalesce(l.last_seq, b.seq, 0) AS last_seq_due, d.reason AS reason_due, d.debt_limit AS limit_due
      FROM ledger.account a
      LEFT JOIN (SELECT DISTINCT ON (community_id, account_id) * FROM ledger.debt_allowance
                  ORDER BY community_id, account_id, number DESC) d USING (community_id, account_id)
      LEFT JOIN (SELECT community_id, account_id, sum(delta) AS balance, count(*) AS version, max(seq) AS last_seq,
                        (array_agg(prev ORDER BY seq))[1] AS first_prev
                   FROM ({_LEGS}) l GROUP BY community_id, account_id) l USING (community_id, account_id)
      LEFT JOIN LATERAL ({
        _BEFORE.format(account="a.account_id", book="a.community_id", seq="coalesce(l.first_prev, a.last_seq)")
    }) b ON $2::bigint > 0
     WHERE $1::bigint IS NULL OR community_id = $1
    """,  # noqa: S608  (from this file)
    Kind(
        "account_balance",
        "r.balance <> r.balance_due",
        "'account ' || r.code || ' ' || r.unit",
        "'has ' || r.balance || ', its transfers give ' || r.balance_due",
    ),
    Kind(
        "account_version",
        "r.version <> r.version_due",
        "'account ' || r.code || ' ' || r.unit",
        "'is at version ' || r.version || ', it has ' || r.version_due || ' transfers'",
    ),
    Kind(
        "account_last_seq",
        "r.last_seq <> r.last_seq_due",
        "'account ' || r.code || ' ' || r.unit",
        "'points to ' || r.last_seq || ', its last transfer is ' || r.last_seq_due",
    ),
    Kind(
        "floor",
        "r.balance + coalesce(r.debt_limit, 0) < r.floor",
        "'account ' || r.code || ' ' || r.unit",
        "'has ' || r.balance || ' below ' || r.floor",
    ),
    Kind(
        "debt_allowance",
        "coalesce(r.debt_limit, 0) <> coalesce(r.limit_due, 0) OR r.debt_limit > 0 AND r.debt_reason <> r.reason_due",
        "'account ' || r.code || ' ' || r.unit",
        "'may owe ' || coalesce(r.debt_limit, 0) || ', was allowed ' || coalesce(r.limit_due, 0)",
    ),
    Kind(
        "ceiling",
        "r.balance > r.ceiling",
        "'account ' || r.code || ' ' || r.unit",
        "'has ' || r.balance || ' above ' || r.ceiling",
    ),
    Kind(
        "account_code",
        "r.code = '' OR r.same_code > 1",
        "'account ' || r.code || ' ' || r.unit",
        "'stands ' || r.same_code || ' times'",
    ),
)

_SEQUENCE = first_of_each(
    """
    SELECT community_id, seq, seq AS place_no,
           $2::bigint + row_number() OVER (PARTITION BY community_id ORDER BY seq) AS seq_due
      FROM ledger.transfer WHERE ($1::bigint IS NULL OR community_id = $1) AND seq > $2::bigint
    """,
    Kind(
        "sequence",
        "r.seq <> r.seq_due",
        "'transfer ' || r.seq",
        "'stands where ' || r.seq_due || ' should'",
    ),
)

_HEADS = first_of_each(
    """
    SELECT coalesce(b.community_id, t.community_id) AS community_id, 0 AS place_no, b.seq, b.at, b.closed_until,
           (SELECT max(p.closed_until) FROM ledger.period p
             WHERE p.community_id = coalesce(b.community_id, t.community_id)) AS closed_due,
           coalesce(t.seq, $2::bigint, 0) AS seq_due, j.at AS at_due
      FROM (SELECT * FROM ledger.book WHERE $1::bigint IS NULL OR community_id = $1) b
      FULL JOIN (SELECT community_id, max(seq) AS seq FROM ledger.transfer
                  WHERE ($1::bigint IS NULL OR community_id = $1) AND seq > $2::bigint GROUP BY community_id) t
     USING (community_id)
      LEFT JOIN (SELECT community_id, max(posted_at) AS at FROM ledger.journal
                  WHERE ($1::bigint IS NULL OR community_id = $1) AND journal_id > $2::bigint GROUP BY community_id) j
             ON j.community_id = coalesce(b.community_id, t.community_id)
    """,
    Kind(
        "head_seq",
        "r.seq IS DISTINCT FROM r.seq_due",
        "'book ' || r.community_id",
        "'is at ' || coalesce(r.seq::text, 'nothing') || ', the last transfer is ' || r.seq_due",
    ),
    Kind(
        "head_closed",
        "r.closed_until IS DISTINCT FROM r.closed_due",
        "'book ' || r.community_id",
        "'is closed until ' || coalesce(r.closed_until::text, 'never') || ', was closed until ' || "
        "coalesce(r.closed_due::text, 'never')",
    ),
    Kind(
        "head_at",
        "r.at < r.at_due",
        "'book ' || r.community_id",
        "'is at ' || r.at || ', the last journal at ' || r.at_due",
    ),
)

CHECKS = (_SUMS, _WALK, _ACCOUNTS, _SEQUENCE, _HEADS)
