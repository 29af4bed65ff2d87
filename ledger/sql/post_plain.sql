-- The lane of a single plain journal: one transfer, nothing undone, no hold, nothing that expires. It posts what is plainly right
-- and is silent about everything else, which the core (post_batch.sql) then looks into; so no refusal is written twice.
CREATE FUNCTION ledger.post_plain(
    p_book bigint, p_now timestamptz, p_reference text, p_reason text, p_actor uuid, p_on_behalf_of uuid, p_effective_at timestamptz,
    p_debit text, p_credit text, p_unit text, p_amount bigint
) RETURNS bigint
    LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    v_seq bigint;
    v_at timestamptz;
    v_effective timestamptz;
BEGIN
    -- The head, as in the core: what follows sees all that was posted before.
    SELECT b.seq + 1, greatest(b.at, p_now), coalesce(p_effective_at, greatest(p_now, b.closed_until)) INTO v_seq, v_at, v_effective
    FROM book b
    WHERE b.community_id = p_book AND NOT b.has_lots AND coalesce(p_effective_at >= b.closed_until, true) FOR NO KEY UPDATE;
    IF v_seq IS NULL OR (p_amount BETWEEN 1 AND 1000000000000000 AND p_debit <> 'escrow' AND p_credit <> 'escrow' AND p_debit <> p_credit
           AND v_effective BETWEEN '1970-01-01Z' AND v_at AND coalesce(p_effective_at <= p_now, true)
           AND p_reference <> '' AND p_reason <> '' AND char_length(p_reference) <= 200 AND char_length(p_reason) <= 200
           AND p_reference || p_reason !~ '[\x01-\x1f\x7f]') IS NOT TRUE THEN
        RETURN NULL;
    END IF;
    WITH way AS MATERIALIZED (
        SELECT d.account_id AS debit, d.balance - p_amount AS debit_balance, d.version + 1 AS debit_version, d.last_seq AS debit_prev,
               c.account_id AS credit, c.balance + p_amount AS credit_balance, c.version + 1 AS credit_version, c.last_seq AS credit_prev
        FROM account d, account c
        WHERE d.community_id = p_book AND d.code = p_debit AND d.unit = p_unit AND d.closed_at IS NULL
          AND c.community_id = p_book AND c.code = p_credit AND c.unit = p_unit AND c.closed_at IS NULL
          AND d.balance - p_amount >= coalesce(d.floor, -9000000000000000000)
          AND c.balance + p_amount <= coalesce(c.ceiling, 9000000000000000000)
          AND NOT EXISTS (SELECT FROM transfer x WHERE x.community_id = p_book AND x.reference = p_reference)
    ), posted AS (
        INSERT INTO transfer (community_id, seq, journal_id, amount, debit, debit_balance, debit_version, debit_prev,
                              credit, credit_balance, credit_version, credit_prev, kind, unit, reference, reason, transfers,
                              fingerprint, actor_id, on_behalf_of, effective_at, posted_at)
        SELECT p_book, v_seq, v_seq, p_amount, w.debit, w.debit_balance, w.debit_version, w.debit_prev,
               w.credit, w.credit_balance, w.credit_version, w.credit_prev, 'post', p_unit, p_reference, p_reason, 1,
               fingerprint(p_reference, p_reason, p_actor, p_on_behalf_of, v_effective, NULL,
                           step_line('post', p_debit, p_credit, p_unit, p_amount, NULL, NULL)),
               p_actor, p_on_behalf_of, nullif(v_effective, v_at), v_at
        FROM way w
    ), given AS (
        UPDATE account a SET balance = w.debit_balance, version = w.debit_version, last_seq = v_seq
        FROM way w WHERE a.community_id = p_book AND a.account_id = w.debit
    ), taken AS (
        UPDATE account a SET balance = w.credit_balance, version = w.credit_version, last_seq = v_seq
        FROM way w WHERE a.community_id = p_book AND a.account_id = w.credit
    )
    UPDATE book b SET seq = v_seq, at = v_at FROM way w WHERE b.community_id = p_book;
    RETURN CASE WHEN FOUND THEN v_seq END;
END
$$;
REVOKE ALL ON FUNCTION ledger.post_plain FROM PUBLIC;
