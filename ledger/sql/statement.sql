-- One page of an account, newest first, by the back-pointers: as many look-ups as lines, whatever the account's age.
-- p_before is the seq of the last line already seen. No row at all means that the account or that line does not exist;
-- an empty page is one row whose seq is null.
CREATE FUNCTION ledger.statement(
    p_book bigint, p_code text, p_unit text, p_before bigint, p_limit integer,
    OUT seq bigint, OUT journal_id bigint, OUT reference text, OUT reason text, OUT kind text, OUT amount bigint,
    OUT balance bigint, OUT counterpart text, OUT effective_at timestamptz, OUT posted_at timestamptz,
    OUT actor_id uuid, OUT on_behalf_of uuid, OUT hold_id uuid, OUT reversed_by text, OUT reverses text, OUT prev bigint
) RETURNS SETOF record
    LANGUAGE sql STABLE
    SET search_path = ledger, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_hashjoin = off
    SET enable_mergejoin = off
    SET enable_material = off
    SET jit = off
AS $$
    WITH RECURSIVE start AS (
        SELECT a.account_id, CASE
            WHEN p_before IS NULL THEN a.last_seq
            ELSE (SELECT CASE t.debit WHEN a.account_id THEN t.debit_prev ELSE t.credit_prev END
                  FROM transfer t
                  WHERE t.community_id = p_book AND t.seq = p_before AND a.account_id IN (t.debit, t.credit))
        END AS seq
        FROM account a
        WHERE a.community_id = p_book AND a.code = p_code AND a.unit = p_unit
    ), line AS (
        SELECT 0 AS n, s.account_id AS owner, s.seq AS next, NULL::bigint AS seq
        FROM start s WHERE s.seq IS NOT NULL
        UNION ALL
        SELECT l.n + 1, l.owner, CASE t.debit WHEN l.owner THEN t.debit_prev ELSE t.credit_prev END, t.seq
        FROM line l
        CROSS JOIN LATERAL (SELECT x.* FROM transfer x
                            WHERE x.community_id = p_book AND x.seq = l.next LIMIT 1) t
        WHERE l.n < p_limit
    )
    SELECT t.seq, t.journal_id, j.reference, j.reason, t.kind,
           CASE t.debit WHEN l.owner THEN -t.amount ELSE t.amount END,
           CASE t.debit WHEN l.owner THEN t.debit_balance ELSE t.credit_balance END,
           o.code, j.effective_at, j.posted_at, j.actor_id, j.on_behalf_of, t.hold_id, undo.reference, undone.reference, l.next
    FROM line l
    LEFT JOIN LATERAL (SELECT x.* FROM transfer x
                       WHERE x.community_id = p_book AND x.seq = l.seq LIMIT 1) t ON true
    LEFT JOIN LATERAL (SELECT x.* FROM journal x
                       WHERE x.community_id = p_book AND x.journal_id = t.journal_id LIMIT 1) j ON true
    LEFT JOIN LATERAL (SELECT x.code FROM account x
                       WHERE x.community_id = p_book
                         AND x.account_id = CASE t.debit WHEN l.owner THEN t.credit ELSE t.debit END LIMIT 1) o ON true
    LEFT JOIN LATERAL (SELECT x.reference FROM journal x
                       WHERE x.community_id = p_book AND x.reverses = t.journal_id LIMIT 1) undo ON true
    LEFT JOIN LATERAL (SELECT x.reference FROM journal x
                       WHERE x.community_id = p_book AND x.journal_id = j.reverses LIMIT 1) undone ON true
    ORDER BY l.n
$$;
