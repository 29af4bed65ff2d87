-- The lane of a batch of plain journals, as post_plain.sql is that of one: one transfer each, nothing undone, no hold, nothing that
-- expires, no reference twice. All of them are judged and written by one statement; if any is not plainly right nothing is
-- written, and the core (post_batch.sql) looks into all of them. Returns the number before the first, or null.
--
-- The plan settings belong to the function. The tables are looked up row by row by their indexes, which needs nested loops
-- and nothing else, so those are chosen although they are switched off; the joins among the rows of the batch are then hashed, where
-- the planner, who cannot know how long an array is, would compare each with each.
CREATE FUNCTION ledger.post_plain_batch(
    p_book bigint, p_now timestamptz,
    p_reference text[], p_reason text[], p_actor uuid[], p_on_behalf_of uuid[], p_effective_at timestamptz[],
    p_debit text[], p_credit text[], p_unit text[], p_amount bigint[]
) RETURNS bigint
    LANGUAGE plpgsql VOLATILE
    SET enable_seqscan = off
    SET enable_hashjoin = on
    SET enable_nestloop = off
    SET enable_mergejoin = off
    SET plan_cache_mode = force_generic_plan
    SET jit = off
AS $$
DECLARE
    n CONSTANT integer := cardinality(p_reference);
    v_seq bigint;
    v_at timestamptz;
    v_effective timestamptz;
    v_closed timestamptz;
BEGIN
    SELECT b.seq, greatest(b.at, p_now), greatest(p_now, b.closed_until), b.closed_until INTO v_seq, v_at, v_effective, v_closed
    FROM book b WHERE b.community_id = p_book AND NOT b.has_lots FOR NO KEY UPDATE;
    IF v_seq IS NULL THEN
        RETURN NULL;
    END IF;
    WITH asked AS MATERIALIZED (
        -- What is missing or wrong falls out here, and then the count is not right.
        SELECT v_seq + u.j AS seq, u.reference, u.reason, u.actor_id, u.on_behalf_of, u.unit, u.amount,
               coalesce(u.effective_at, v_effective) AS effective_at,
               d.account_id AS debit, d.balance AS debit_balance, d.version AS debit_version, d.last_seq AS debit_prev, d.low, d.tid AS debit_tid,
               c.account_id AS credit, c.balance AS credit_balance, c.version AS credit_version, c.last_seq AS credit_prev, c.high, c.tid AS credit_tid,
               u.debit AS debit_code, u.credit AS credit_code
        FROM unnest(p_reference, p_reason, p_actor, p_on_behalf_of, p_effective_at, p_debit, p_credit, p_unit, p_amount)
             WITH ORDINALITY u(reference, reason, actor_id, on_behalf_of, effective_at, debit, credit, unit, amount, j)
        CROSS JOIN LATERAL (SELECT w.account_id, w.balance, w.version, w.last_seq, w.ctid AS tid, coalesce(w.floor, -9000000000000000000) AS low
                            FROM account w WHERE w.community_id = p_book AND w.code = u.debit AND w.unit = u.unit AND w.closed_at IS NULL LIMIT 1) d
        CROSS JOIN LATERAL (SELECT w.account_id, w.balance, w.version, w.last_seq, w.ctid AS tid, coalesce(w.ceiling, 9000000000000000000) AS high
                            FROM account w WHERE w.community_id = p_book AND w.code = u.credit AND w.unit = u.unit AND w.closed_at IS NULL LIMIT 1) c
        LEFT JOIN LATERAL (SELECT true AS known FROM transfer x WHERE x.community_id = p_book AND x.reference = u.reference LIMIT 1) x ON true
        WHERE x.known IS NULL AND u.amount BETWEEN 1 AND 1000000000000000
          AND u.debit <> 'escrow' AND u.credit <> 'escrow' AND u.debit <> u.credit
          AND u.reference <> '' AND u.reason <> '' AND char_length(u.reference) <= 200 AND char_length(u.reason) <= 200
          AND u.reference || u.reason !~ '[\x01-\x1f\x7f]'
          AND (u.effective_at IS NULL OR (u.effective_at BETWEEN '1970-01-01Z' AND p_now AND coalesce(u.effective_at >= v_closed, true)))
          AND coalesce(u.effective_at, v_effective) <= v_at
    ), run AS MATERIALIZED (
        -- Both sides of each, in order, with what the account has after it.
        SELECT l.seq, l.side, l.account, l.tid,
               (l.balance + sum(l.change) OVER ways)::bigint AS balance, l.version + row_number() OVER ways AS version,
               lag(l.seq, 1, l.prev) OVER ways AS prev, lead(l.seq) OVER ways IS NULL AS is_last, l.bound
        FROM (SELECT a.seq, false AS side, a.debit AS account, a.debit_tid AS tid, a.debit_balance AS balance, -a.amount AS change,
                     a.debit_version AS version, a.debit_prev AS prev, a.low AS bound FROM asked a
              UNION ALL
              SELECT a.seq, true, a.credit, a.credit_tid, a.credit_balance, a.amount, a.credit_version, a.credit_prev, a.high FROM asked a) l
        WINDOW ways AS (PARTITION BY l.account ORDER BY l.seq)
    ), right_all AS MATERIALIZED (
        SELECT 1 FROM run r HAVING count(*) = 2 * n AND bool_and(CASE WHEN r.side THEN r.balance <= r.bound ELSE r.balance >= r.bound END)
               AND (SELECT count(DISTINCT a.reference) FROM asked a) = n
    ), posted AS (
        INSERT INTO transfer (community_id, seq, journal_id, amount, debit, debit_balance, debit_version, debit_prev,
                              credit, credit_balance, credit_version, credit_prev, kind, unit, reference, reason, transfers,
                              fingerprint, actor_id, on_behalf_of, effective_at, posted_at)
        SELECT p_book, a.seq, a.seq, a.amount, a.debit, d.balance, d.version, d.prev, a.credit, c.balance, c.version, c.prev,
               'post', a.unit, a.reference, a.reason, 1,
               fingerprint(a.reference, a.reason, a.actor_id, a.on_behalf_of, a.effective_at, NULL,
                           step_line('post', a.debit_code, a.credit_code, a.unit, a.amount, NULL, NULL)),
               a.actor_id, a.on_behalf_of, nullif(a.effective_at, v_at), v_at
        FROM asked a JOIN run d ON d.seq = a.seq AND NOT d.side JOIN run c ON c.seq = a.seq AND c.side
        WHERE EXISTS (SELECT FROM right_all)
    ), changed AS (
        UPDATE account w SET balance = r.balance, version = r.version, last_seq = r.seq
        FROM run r WHERE r.is_last AND w.ctid = r.tid AND EXISTS (SELECT FROM right_all)
    )
    UPDATE book b SET seq = v_seq + n, at = v_at FROM right_all WHERE b.community_id = p_book;
    RETURN CASE WHEN FOUND THEN v_seq END;
END
$$;
REVOKE ALL ON FUNCTION ledger.post_plain_batch FROM PUBLIC;
