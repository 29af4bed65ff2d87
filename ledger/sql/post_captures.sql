-- The lane of one journal that pays parts of holds and nothing else, as at a shop's counter: no hold twice, nothing that expires by lots.
-- As in the other lanes, what is plainly right is judged and written by one statement, and about everything else it is silent:
-- the core (post_batch.sql) then looks into it. Returns the journal's number, or null.
CREATE FUNCTION ledger.post_captures(
    p_book bigint, p_now timestamptz, p_reference text, p_reason text, p_actor uuid, p_on_behalf_of uuid, p_effective_at timestamptz,
    p_hold uuid[], p_credit text[], p_unit text[], p_amount bigint[]
) RETURNS bigint
    LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    n CONSTANT integer := cardinality(p_hold);
    v_seq bigint;
    v_at timestamptz;
    v_effective timestamptz;
BEGIN
    -- The head, as in the core: what follows sees all that was posted before.
    SELECT b.seq, greatest(b.at, p_now), coalesce(p_effective_at, greatest(p_now, b.closed_until)) INTO v_seq, v_at, v_effective
    FROM book b
    WHERE b.community_id = p_book AND NOT b.has_lots AND coalesce(p_effective_at >= b.closed_until, true) FOR NO KEY UPDATE;
    IF v_seq IS NULL OR (v_effective BETWEEN '1970-01-01Z' AND v_at AND coalesce(p_effective_at <= p_now, true)
           AND p_reference <> '' AND p_reason <> '' AND char_length(p_reference) <= 200 AND char_length(p_reason) <= 200
           AND p_reference || p_reason !~ '[\x01-\x1f\x7f]') IS NOT TRUE THEN
        RETURN NULL;
    END IF;
    WITH asked AS MATERIALIZED (
        -- What is missing or wrong falls out here, and then the count is not right.
        SELECT v_seq + u.j AS seq, u.j, u.hold, u.credit AS credit_code, u.amount, w.unit, w.tid AS hold_tid,
               e.account_id AS debit, e.balance AS debit_balance, e.version AS debit_version, e.last_seq AS debit_prev, e.low, e.tid AS debit_tid,
               c.account_id AS credit, c.balance AS credit_balance, c.version AS credit_version, c.last_seq AS credit_prev, c.high, c.tid AS credit_tid
        FROM unnest(p_hold, p_credit, p_unit, p_amount) WITH ORDINALITY u(hold, credit, unit, amount, j)
        CROSS JOIN LATERAL (SELECT x.unit, x.ctid AS tid FROM hold x
                            WHERE x.community_id = p_book AND x.hold_id = u.hold AND x.amount - x.captured - x.released >= u.amount
                              AND coalesce(x.expires_at > v_at, true) AND coalesce(x.unit = u.unit, true) LIMIT 1) w
        CROSS JOIN LATERAL (SELECT x.account_id, x.balance, x.version, x.last_seq, x.ctid AS tid, coalesce(x.floor, -9000000000000000000) AS low
                            FROM account x WHERE x.community_id = p_book AND x.code = 'escrow' AND x.unit = w.unit AND x.closed_at IS NULL LIMIT 1) e
        CROSS JOIN LATERAL (SELECT x.account_id, x.balance, x.version, x.last_seq, x.ctid AS tid, coalesce(x.ceiling, 9000000000000000000) AS high
                            FROM account x WHERE x.community_id = p_book AND x.code = u.credit AND x.unit = w.unit AND x.closed_at IS NULL LIMIT 1) c
        WHERE u.amount BETWEEN 1 AND 1000000000000000 AND u.credit <> 'escrow'
    ), run AS MATERIALIZED (
        -- Both sides of each, in order, with what the account has after it.
        SELECT l.seq, l.side, l.tid,
               (l.balance + sum(l.change) OVER ways)::bigint AS balance, l.version + row_number() OVER ways AS version,
               lag(l.seq, 1, l.prev) OVER ways AS prev, lead(l.seq) OVER ways IS NULL AS is_last, l.bound
        FROM (SELECT a.seq, false AS side, a.debit AS account, a.debit_tid AS tid, a.debit_balance AS balance, -a.amount AS change,
                     a.debit_version AS version, a.debit_prev AS prev, a.low AS bound FROM asked a
              UNION ALL
              SELECT a.seq, true, a.credit, a.credit_tid, a.credit_balance, a.amount, a.credit_version, a.credit_prev, a.high FROM asked a) l
        WINDOW ways AS (PARTITION BY l.account ORDER BY l.seq)
    ), right_all AS MATERIALIZED (
        SELECT fingerprint(p_reference, p_reason, p_actor, p_on_behalf_of, v_effective, NULL, k.lines) AS print
        FROM (SELECT count(*) AS sides, bool_and(CASE WHEN r.side THEN r.balance <= r.bound ELSE r.balance >= r.bound END) AS fits FROM run r) s
        CROSS JOIN (SELECT count(DISTINCT a.hold) AS holds,
                           string_agg(step_line('capture', NULL, a.credit_code, NULL, a.amount, a.hold, NULL), '' ORDER BY a.j) AS lines
                    FROM asked a) k
        WHERE s.sides = 2 * n AND k.holds = n AND s.fits
          AND NOT EXISTS (SELECT FROM transfer x WHERE x.community_id = p_book AND x.reference = p_reference)
    ), posted AS (
        INSERT INTO transfer (community_id, seq, journal_id, amount, debit, debit_balance, debit_version, debit_prev,
                              credit, credit_balance, credit_version, credit_prev, kind, unit, hold_id, reference, reason, transfers,
                              fingerprint, actor_id, on_behalf_of, effective_at, posted_at)
        SELECT p_book, a.seq, v_seq + 1, a.amount, a.debit, d.balance, d.version, d.prev, a.credit, c.balance, c.version, c.prev,
               'capture', a.unit, a.hold, h.reference, h.reason, h.transfers, h.print, h.actor_id, h.on_behalf_of, h.effective_at, h.posted_at
        FROM asked a JOIN run d ON d.seq = a.seq AND NOT d.side JOIN run c ON c.seq = a.seq AND c.side
        CROSS JOIN right_all k
        LEFT JOIN LATERAL (SELECT p_reference, p_reason, n, k.print, p_actor, p_on_behalf_of, nullif(v_effective, v_at), v_at)
                  h(reference, reason, transfers, print, actor_id, on_behalf_of, effective_at, posted_at) ON a.j = 1
    ), paid AS (
        UPDATE hold w SET captured = w.captured + a.amount FROM asked a WHERE w.ctid = a.hold_tid AND EXISTS (SELECT FROM right_all)
    ), changed AS (
        UPDATE account w SET balance = r.balance, version = r.version, last_seq = r.seq
        FROM run r WHERE r.is_last AND w.ctid = r.tid AND EXISTS (SELECT FROM right_all)
    )
    UPDATE book b SET seq = v_seq + n, at = v_at FROM right_all WHERE b.community_id = p_book;
    RETURN CASE WHEN FOUND THEN v_seq + 1 END;
END
$$;
REVOKE ALL ON FUNCTION ledger.post_captures FROM PUBLIC;
