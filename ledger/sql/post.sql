-- One journal, for other SQL functions. The same core: there is no second way.

CREATE OR REPLACE FUNCTION ledger.post(
    p_book bigint, p_reference text, p_reason text, p_steps ledger.step[], p_actor uuid, p_on_behalf_of uuid,
    p_effective_at timestamptz, p_now timestamptz
) RETURNS ledger.verdict
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = ledger, pg_temp
AS $$
BEGIN
    RETURN post_or_reverse(p_book, p_reference, p_reason, NULL, p_steps, p_actor, p_on_behalf_of, p_effective_at, p_now);
END
$$;

-- p_steps null or empty reverses the whole original; explicit steps are 'post' steps that lead back along its legs.
CREATE OR REPLACE FUNCTION ledger.reverse(
    p_book bigint, p_reference text, p_original text, p_reason text, p_steps ledger.step[], p_actor uuid,
    p_on_behalf_of uuid, p_effective_at timestamptz, p_now timestamptz
) RETURNS ledger.verdict
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = ledger, pg_temp
AS $$
BEGIN
    IF p_original IS NULL THEN
        RETURN ROW('ledger.original_not_found', NULL, jsonb_build_object('original', NULL))::verdict;
    END IF;
    RETURN post_or_reverse(p_book, p_reference, p_reason, p_original, p_steps, p_actor, p_on_behalf_of, p_effective_at, p_now);
END
$$;

CREATE OR REPLACE FUNCTION ledger.post_or_reverse(
    p_book bigint, p_reference text, p_reason text, p_original text, p_steps ledger.step[], p_actor uuid,
    p_on_behalf_of uuid, p_effective_at timestamptz, p_now timestamptz
) RETURNS ledger.verdict
    LANGUAGE plpgsql VOLATILE
    SET search_path = ledger, pg_temp
AS $$
DECLARE
    s record;
    v verdict;
BEGIN
    IF cardinality(p_steps) = 1 THEN
        SELECT b.codes[1], b.journal_ids[1], b.details[1] INTO v
        FROM post_batch(p_book, p_now, ARRAY[p_reference], ARRAY[p_reason], ARRAY[p_actor], ARRAY[p_on_behalf_of],
                        ARRAY[p_effective_at], ARRAY[p_original], ARRAY[1],
                        ARRAY[(p_steps[1]).kind], ARRAY[(p_steps[1]).debit], ARRAY[(p_steps[1]).credit], ARRAY[(p_steps[1]).unit],
                        ARRAY[(p_steps[1]).amount], ARRAY[(p_steps[1]).hold_id], ARRAY[(p_steps[1]).expires_at]) b;
        RETURN v;
    END IF;
    SELECT coalesce(array_agg(x.kind ORDER BY x.place), '{}') AS kind,
           coalesce(array_agg(x.debit ORDER BY x.place), '{}') AS debit,
           coalesce(array_agg(x.credit ORDER BY x.place), '{}') AS credit,
           coalesce(array_agg(x.unit ORDER BY x.place), '{}') AS unit,
           coalesce(array_agg(x.amount ORDER BY x.place), '{}') AS amount,
           coalesce(array_agg(x.hold_id ORDER BY x.place), '{}') AS hold_id,
           coalesce(array_agg(x.expires_at ORDER BY x.place), '{}') AS expires_at
    INTO s
    FROM unnest(p_steps) WITH ORDINALITY x(kind, debit, credit, unit, amount, hold_id, expires_at, place);
    SELECT b.codes[1], b.journal_ids[1], b.details[1] INTO v
    FROM post_batch(p_book, p_now, ARRAY[p_reference], ARRAY[p_reason], ARRAY[p_actor], ARRAY[p_on_behalf_of],
                    ARRAY[p_effective_at], ARRAY[p_original], ARRAY[cardinality(s.kind)],
                    s.kind, s.debit, s.credit, s.unit, s.amount, s.hold_id, s.expires_at) b;
    RETURN v;
END
$$;
