-- Opening is idempotent and does not take the book's head, so a business transaction may do it at any point.

CREATE OR REPLACE FUNCTION ledger.open_book(p_book bigint, p_now timestamptz) RETURNS boolean
    LANGUAGE sql VOLATILE SECURITY DEFINER
    SET search_path = ledger, pg_temp
AS $$
    INSERT INTO book (community_id, seq, at, opened_at) VALUES (p_book, 0, p_now, p_now)
    ON CONFLICT ON CONSTRAINT pk_book DO NOTHING
    RETURNING true
$$;

-- One verdict an account, in the order asked: 'opened', 'exists', or a refusal. account_id is null when refused.
CREATE OR REPLACE FUNCTION ledger.open_accounts(
    p_book bigint, p_code text[], p_unit text[], p_floor bigint[], p_ceiling bigint[], p_now timestamptz,
    OUT codes text[], OUT account_ids bigint[]
)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = ledger, pg_temp
    SET enable_hashjoin = off
    SET enable_mergejoin = off
    SET enable_seqscan = off
AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM book WHERE community_id = p_book) THEN
        codes := array_fill('ledger.book_not_found'::text, ARRAY[cardinality(p_code)]);
        account_ids := array_fill(NULL::bigint, ARRAY[cardinality(p_code)]);
        RETURN;
    END IF;
    -- Sorted, so that two callers who open the same accounts wait for each other in one direction only.
    WITH asked AS MATERIALIZED (
        SELECT a.*,
               CASE WHEN a.code IS NULL OR a.code = '' OR char_length(a.code) > 200 OR a.code ~ '[\x01-\x20\x7f]'
                      OR a.floor > a.ceiling OR a.floor > 0 OR a.ceiling < 0
                      -- Beyond these a sum could leave 64 bits (post_batch.sql).
                      OR a.floor < -9000000000000000000 OR a.ceiling > 9000000000000000000
                    THEN 'ledger.account_malformed'
                    WHEN NOT EXISTS (SELECT 1 FROM unit u WHERE u.code = a.unit) THEN 'ledger.unit_not_found'
               END AS fault
        FROM unnest(p_code, p_unit, p_floor, p_ceiling) WITH ORDINALITY a(code, unit, floor, ceiling, place)
    ), opened AS (
        INSERT INTO account (community_id, code, unit, floor, ceiling, balance, version, last_seq, opened_at)
        SELECT p_book, f.code, f.unit, f.floor, f.ceiling, 0, 0, 0, p_now
        FROM (SELECT DISTINCT ON (a.code, a.unit) a.* FROM asked a WHERE a.fault IS NULL
              ORDER BY a.code, a.unit, a.place) f
        ORDER BY f.code COLLATE "C", f.unit COLLATE "C"
        ON CONFLICT ON CONSTRAINT uq_account_code DO NOTHING
        RETURNING account.account_id, account.code, account.unit
    )
    SELECT array_agg(a.fault ORDER BY a.place),
           array_agg((SELECT o.account_id FROM opened o WHERE o.code = a.code AND o.unit = a.unit) ORDER BY a.place)
    INTO codes, account_ids
    FROM asked a;
    -- A second statement: it sees what another caller committed while the insert waited for it.
    SELECT array_agg(CASE WHEN f.fault IS NOT NULL THEN f.fault
                          WHEN x.floor IS DISTINCT FROM f.floor OR x.ceiling IS DISTINCT FROM f.ceiling
                          THEN 'ledger.account_differs'
                          WHEN f.opened IS NOT NULL THEN 'opened' ELSE 'exists' END ORDER BY f.place),
           array_agg(CASE WHEN f.fault IS NULL AND x.floor IS NOT DISTINCT FROM f.floor
                           AND x.ceiling IS NOT DISTINCT FROM f.ceiling THEN x.account_id END ORDER BY f.place)
    INTO codes, account_ids
    FROM unnest(codes, account_ids, p_code, p_unit, p_floor, p_ceiling)
         WITH ORDINALITY f(fault, opened, code, unit, floor, ceiling, place)
    LEFT JOIN LATERAL (SELECT y.* FROM account y
                       WHERE y.community_id = p_book AND y.code = f.code AND y.unit = f.unit LIMIT 1) x ON true;
END
$$;

-- 'closed', 'exists' when it was closed before, or a refusal. Takes the head: nothing may be posted in between.
CREATE OR REPLACE FUNCTION ledger.close_account(p_book bigint, p_code text, p_unit text, p_now timestamptz) RETURNS text
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = ledger, pg_temp
AS $$
DECLARE
    v_at timestamptz;
    a account;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'the ledger needs READ COMMITTED' USING ERRCODE = 'LB003';
    END IF;
    SELECT greatest(b.at, p_now) INTO v_at FROM book b WHERE b.community_id = p_book FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN 'ledger.book_not_found';
    END IF;
    SELECT x.* INTO a FROM account x WHERE x.community_id = p_book AND x.code = p_code AND x.unit = p_unit;
    IF NOT FOUND THEN
        RETURN 'ledger.account_not_found';
    ELSIF a.closed_at IS NOT NULL THEN
        RETURN 'exists';
    ELSIF a.balance <> 0 THEN
        RETURN 'ledger.account_not_empty';
    END IF;
    UPDATE account x SET closed_at = v_at WHERE x.community_id = p_book AND x.account_id = a.account_id;
    UPDATE book b SET at = v_at WHERE b.community_id = p_book;
    RETURN 'closed';
END
$$;
