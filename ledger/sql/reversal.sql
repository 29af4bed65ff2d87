-- A reversal undoes a journal: once, never another reversal, and never more than was posted.

CREATE FUNCTION ledger.reversal_legs(
    p_book bigint, p_journal_id bigint, p_transfers integer,
    OUT seq bigint, OUT kind text, OUT debit text, OUT credit text, OUT unit text, OUT amount bigint
) RETURNS SETOF record
    LANGUAGE sql STABLE
    SET search_path = ledger, pg_temp
    SET enable_hashjoin = off
    SET enable_mergejoin = off
    SET enable_seqscan = off
AS $$
    SELECT t.seq, t.kind, d.code, c.code, t.unit, t.amount
    FROM transfer t
    CROSS JOIN LATERAL (SELECT x.code FROM account x
                        WHERE x.community_id = p_book AND x.account_id = t.debit LIMIT 1) d
    CROSS JOIN LATERAL (SELECT x.code FROM account x
                        WHERE x.community_id = p_book AND x.account_id = t.credit LIMIT 1) c
    WHERE t.community_id = p_book AND t.seq >= p_journal_id AND t.seq < p_journal_id + p_transfers
$$;

CREATE FUNCTION ledger.reversal_fault(
    p_book bigint, p_original bigint, p_kind text[], p_debit text[], p_credit text[], p_unit text[], p_amount bigint[]
) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path = ledger, pg_temp
    SET enable_hashjoin = off
    SET enable_mergejoin = off
    SET enable_seqscan = off
AS $$
DECLARE
    v journal;
BEGIN
    SELECT j.* INTO v FROM journal j WHERE j.community_id = p_book AND j.journal_id = p_original;
    IF NOT FOUND THEN
        RETURN 'ledger.original_not_found';
    ELSIF v.reverses IS NOT NULL THEN
        RETURN 'ledger.original_is_reversal';
    ELSIF EXISTS (SELECT 1 FROM transfer t
                  WHERE t.community_id = p_book AND t.seq >= p_original AND t.seq < p_original + v.transfers
                    AND t.kind <> 'post') THEN
        RETURN 'ledger.original_has_holds';
    ELSIF EXISTS (SELECT 1 FROM journal j WHERE j.community_id = p_book AND j.reverses = p_original) THEN
        RETURN 'ledger.already_reversed';
    ELSIF EXISTS (
        SELECT 1 FROM (
            SELECT s.debit, s.credit, s.unit, sum(s.amount) AS amount
            FROM unnest(p_kind, p_debit, p_credit, p_unit, p_amount) s(kind, debit, credit, unit, amount)
            WHERE s.kind = 'post' AND s.amount > 0
            GROUP BY s.debit, s.credit, s.unit
        ) g
        WHERE g.amount > coalesce((
            SELECT sum(l.amount) FROM reversal_legs(p_book, p_original, v.transfers) l
            WHERE l.debit = g.credit AND l.credit = g.debit AND l.unit = g.unit), 0)
    ) THEN
        RETURN 'ledger.reversal_exceeds';
    END IF;
    RETURN NULL;
END
$$;
