-- Gives holds back whose time is over by the book's clock, oldest first: as many as asked, after the place given.
-- Each is a journal of its own under the reference hold:<id>:expired, posted or refused like any other.
CREATE FUNCTION ledger.expire(
    p_book bigint, p_reason text, p_actor uuid, p_after_at timestamptz, p_after_id uuid, p_limit integer, p_now timestamptz,
    OUT hold_ids uuid[], OUT expired_at timestamptz[], OUT codes text[], OUT journal_ids bigint[], OUT details jsonb[]
)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = ledger, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_hashjoin = off
    SET enable_mergejoin = off
AS $$
DECLARE
    v_at timestamptz;
    n integer;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'the ledger needs READ COMMITTED' USING ERRCODE = 'LB003';
    END IF;
    -- The head first: until the end nobody opens, captures or releases a hold of this book.
    SELECT greatest(b.at, p_now) INTO v_at FROM book b WHERE b.community_id = p_book FOR NO KEY UPDATE;
    -- A hold that was used up or given back meanwhile leaves the queue without a word.
    DELETE FROM hold_expiry e USING hold h
    WHERE e.community_id = p_book AND e.expires_at <= v_at AND h.community_id = p_book AND h.hold_id = e.hold_id
      AND h.captured + h.released = h.amount;
    SELECT array_agg(e.hold_id ORDER BY e.expires_at, e.hold_id), array_agg(e.expires_at ORDER BY e.expires_at, e.hold_id)
    INTO hold_ids, expired_at
    FROM (SELECT x.* FROM hold_expiry x
          WHERE x.community_id = p_book AND x.expires_at <= v_at
            AND (p_after_at IS NULL OR (x.expires_at, x.hold_id) > (p_after_at, p_after_id))
          ORDER BY x.expires_at, x.hold_id LIMIT p_limit) e;
    n := cardinality(hold_ids);
    IF n IS NULL THEN
        hold_ids := '{}'; expired_at := '{}'; codes := '{}'; journal_ids := '{}'; details := '{}';
        RETURN;
    END IF;
    SELECT b.codes, b.journal_ids, b.details INTO codes, journal_ids, details
    FROM post_batch(
        p_book, p_now, (SELECT array_agg('hold:' || u.id || ':expired' ORDER BY u.place) FROM unnest(hold_ids) WITH ORDINALITY u(id, place)),
        array_fill(p_reason, ARRAY[n]), array_fill(p_actor, ARRAY[n]), array_fill(NULL::uuid, ARRAY[n]),
        array_fill(NULL::timestamptz, ARRAY[n]), array_fill(NULL::text, ARRAY[n]), array_fill(1, ARRAY[n]),
        array_fill('release'::text, ARRAY[n]), array_fill(NULL::text, ARRAY[n]), array_fill(NULL::text, ARRAY[n]),
        array_fill(NULL::text, ARRAY[n]), array_fill(NULL::bigint, ARRAY[n]), hold_ids, array_fill(NULL::timestamptz, ARRAY[n])) b;
    DELETE FROM hold_expiry e USING unnest(hold_ids, expired_at, codes) u(id, at, code)
    WHERE e.community_id = p_book AND e.expires_at = u.at AND e.hold_id = u.id AND u.code = 'posted';
END
$$;
