-- A batch whose journals bring business rows along, in one statement: what the group poster sends (ledger/group.py).
--
-- p_effect names a kind of rows, 'schema.name', and two functions of it:
--
--   schema.name_lock(book bigint, now timestamptz, reference text[], effects jsonb) RETURNS text[]
--       Before the head: locks every row that the other will touch or refer to, in sorted order, and says for each journal
--       null, or the code of a refusal.
--   schema.name_write(book bigint, now timestamptz, reference text[], journal_id bigint[], effects jsonb) RETURNS void
--       Under the head, for those that were posted now (a replay wrote its rows the first time): writes, and waits for no lock.
--
-- effects is an array with one element for each journal, in its order. Both functions run as the caller, who can do nothing
-- here that he could not do without. What is refused by the first is not posted; one journal's rows that cannot be written
-- fail the whole statement.
CREATE FUNCTION ledger.post_with(
    p_effect text, p_effects jsonb,
    p_book bigint, p_now timestamptz,
    p_reference text[], p_reason text[], p_actor uuid[], p_on_behalf_of uuid[], p_effective_at timestamptz[],
    p_reverses text[], p_steps integer[],
    p_kind text[], p_debit text[], p_credit text[], p_unit text[], p_amount bigint[], p_hold uuid[],
    p_expires timestamptz[],
    OUT codes text[], OUT journal_ids bigint[], OUT details jsonb[]
)
    LANGUAGE plpgsql VOLATILE
    SET search_path = ledger, pg_temp
AS $$
DECLARE
    v_schema text := split_part(p_effect, '.', 1);
    v_name text := split_part(p_effect, '.', 2);
    v_reason text[] := p_reason;
    v_refused text[];
    v_new integer[];
BEGIN
    EXECUTE format('SELECT %I.%I($1, $2, $3, $4)', v_schema, v_name || '_lock')
    INTO v_refused USING p_book, p_now, p_reference, p_effects;
    IF cardinality(array_remove(v_refused, NULL)) > 0 THEN
        -- A batch that comes again after a lost connection finds its rows changed by itself: a known reference is a replay. A
        -- journal without a reason is refused before anything else is looked at.
        SELECT array_agg(CASE WHEN y.known IS NULL THEN u.code END ORDER BY u.j),
               array_agg(CASE WHEN y.known IS NOT NULL OR u.code IS NULL THEN p_reason[u.j] END ORDER BY u.j)
        INTO v_refused, v_reason
        FROM unnest(v_refused) WITH ORDINALITY u(code, j)
        LEFT JOIN LATERAL (SELECT true AS known FROM journal x
                           WHERE u.code IS NOT NULL AND x.community_id = p_book AND x.reference = p_reference[u.j] LIMIT 1) y ON true;
    END IF;
    SELECT b.codes, b.journal_ids, b.details INTO codes, journal_ids, details
    FROM post_batch(p_book, p_now, p_reference, v_reason, p_actor, p_on_behalf_of, p_effective_at, p_reverses, p_steps,
                    p_kind, p_debit, p_credit, p_unit, p_amount, p_hold, p_expires) b;
    IF codes <@ '{posted}' THEN
        EXECUTE format('SELECT %I.%I($1, $2, $3, $4, $5)', v_schema, v_name || '_write')
        USING p_book, p_now, p_reference, journal_ids, p_effects;
        RETURN;
    END IF;
    FOR j IN 1..cardinality(codes) LOOP
        IF v_refused[j] IS NOT NULL THEN
            codes[j] := v_refused[j]; details[j] := NULL;
        ELSIF codes[j] = 'posted' THEN
            v_new := v_new || j;
        END IF;
    END LOOP;
    IF v_new IS NOT NULL THEN
        EXECUTE format('SELECT %I.%I($1, $2, $3, $4, $5)', v_schema, v_name || '_write')
        USING p_book, p_now,
              (SELECT array_agg(p_reference[u.j] ORDER BY u.place) FROM unnest(v_new) WITH ORDINALITY u(j, place)),
              (SELECT array_agg(post_with.journal_ids[u.j] ORDER BY u.place) FROM unnest(v_new) WITH ORDINALITY u(j, place)),
              (SELECT jsonb_agg(p_effects -> (u.j - 1) ORDER BY u.place) FROM unnest(v_new) WITH ORDINALITY u(j, place));
    END IF;
END
$$;
REVOKE ALL ON FUNCTION ledger.post_with FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.post_with TO linli_app;
