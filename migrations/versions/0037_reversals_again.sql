-- A retry of a reversal is the same whichever end its legs were led back from. Frozen from ledger/sql.

-- ledger/sql/content.sql
-- What makes two journals the same. One definition serves posting, replaying and verifying.
-- Codes, reasons and references hold no control characters, so the separators cannot be forged.
-- No SET clause here: the planner inlines these, which keeps them at a fraction of a microsecond.

CREATE OR REPLACE FUNCTION ledger.microseconds(p_at timestamptz) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN CASE WHEN isfinite(p_at) THEN ((extract(epoch FROM p_at) * 1000000)::bigint)::text ELSE p_at::text END;

CREATE OR REPLACE FUNCTION ledger.step_line(
    p_kind text, p_debit text, p_credit text, p_unit text, p_amount bigint, p_hold uuid, p_expires timestamptz
) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN CASE p_kind
        WHEN 'post' THEN
            'post' || chr(31) || p_debit || chr(31) || p_credit || chr(31) || p_unit || chr(31) || p_amount::text
        WHEN 'hold' THEN
            'hold' || chr(31) || p_debit || chr(31) || p_unit || chr(31) || p_amount::text || chr(31) || p_hold::text
            || chr(31) || coalesce(ledger.microseconds(p_expires), '')
        WHEN 'capture' THEN
            'capture' || chr(31) || p_hold::text || chr(31) || p_credit || chr(31) || p_amount::text
        WHEN 'release' THEN
            'release' || chr(31) || p_hold::text || chr(31) || p_amount::text
        WHEN 'refund' THEN
            'refund' || chr(31) || p_hold::text || chr(31) || p_debit || chr(31) || p_amount::text
    END || chr(30);

-- A check sum over a journal: verify names a row that was changed before it was sealed. It proves nothing to anybody who could
-- compute it anew; that is what the seals are for.
CREATE OR REPLACE FUNCTION ledger.fingerprint(
    p_reference text, p_reason text, p_actor uuid, p_on_behalf_of uuid, p_effective_at timestamptz,
    p_reverses bigint, p_lines text
) RETURNS bytea
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN substr(sha256(convert_to(
        p_reference || chr(31) || p_reason || chr(31) || coalesce(p_actor::text, '') || chr(31)
        || coalesce(p_on_behalf_of::text, '') || chr(31) || ledger.microseconds(p_effective_at) || chr(31)
        || coalesce(p_reverses::text, '') || chr(30) || p_lines, 'UTF8')), 1, 8);

-- Whether a caller who sends a known reference again means what was posted under it. Compared is the content itself.
-- Who asks again is not content. A missing effective time or amount stands for the one that was posted. The legs of a reversal
-- lead back from either end: those posted before 0.3 went the first leg first.
CREATE OR REPLACE FUNCTION ledger.same_content(
    p_book bigint, p_journal_id bigint, p_reason text, p_effective_at timestamptz, p_reverses bigint,
    p_kind text[], p_debit text[], p_credit text[], p_unit text[], p_amount bigint[], p_hold uuid[], p_expires timestamptz[]
) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path = ledger, pg_temp
    SET enable_hashjoin = off
    SET enable_mergejoin = off
    SET enable_seqscan = off
AS $$
    SELECT coalesce(j.reason = p_reason AND j.effective_at = coalesce(p_effective_at, j.effective_at)
                    AND j.reverses IS NOT DISTINCT FROM p_reverses AND j.transfers = cardinality(p_kind), false)
       AND EXISTS (SELECT FROM (VALUES (false), (true)) w(backwards) WHERE (p_reverses IS NOT NULL OR NOT w.backwards) AND NOT EXISTS (
        SELECT FROM unnest(p_kind, p_debit, p_credit, p_unit, p_amount, p_hold, p_expires)
                    WITH ORDINALITY s(kind, debit, credit, unit, amount, hold, expires, place)
        LEFT JOIN LATERAL (SELECT x.* FROM transfer x
                           WHERE x.community_id = p_book AND x.seq = p_journal_id + CASE WHEN w.backwards THEN cardinality(p_kind) - s.place
                                                                              ELSE s.place - 1 END LIMIT 1) t ON true
        LEFT JOIN LATERAL (SELECT x.code FROM account x
                           WHERE x.community_id = p_book AND x.account_id = t.debit LIMIT 1) d ON true
        LEFT JOIN LATERAL (SELECT x.code FROM account x
                           WHERE x.community_id = p_book AND x.account_id = t.credit LIMIT 1) c ON true
        LEFT JOIN LATERAL (SELECT x.expires_at FROM hold x
                           WHERE x.community_id = p_book AND x.hold_id = t.hold_id LIMIT 1) h ON true
        -- What a kind of step does not look at is not compared: a release says nothing of accounts.
        WHERE (t.kind = s.kind AND t.amount = CASE s.kind WHEN 'release' THEN coalesce(s.amount, t.amount) ELSE s.amount END
               AND CASE s.kind
                   WHEN 'post' THEN d.code = s.debit AND c.code = s.credit AND t.unit = s.unit
                   WHEN 'hold' THEN d.code = s.debit AND t.unit = s.unit AND t.hold_id = s.hold
                                    AND h.expires_at IS NOT DISTINCT FROM s.expires
                   WHEN 'capture' THEN c.code = s.credit AND t.hold_id = s.hold
                   WHEN 'release' THEN t.hold_id = s.hold
                   WHEN 'refund' THEN d.code = s.debit AND t.hold_id = s.hold
                   END) IS NOT TRUE))
    FROM journal j
    WHERE j.community_id = p_book AND j.journal_id = p_journal_id
$$;
