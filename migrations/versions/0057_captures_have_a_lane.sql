-- Parts of holds that are paid have a lane of their own. Frozen from ledger/sql.

-- ledger/sql/post_captures.sql
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

-- ledger/sql/post_batch.sql
-- The one writer. Takes journals in order, gives each its own verdict, and is the same as posting them one by one.
--
-- The book's head is locked first and kept to the commit. That serialises the posters of one book: no deadlock among
-- them, no gap in seq, and a hot account costs nothing. It is also what makes a replay safe: the lock is written
-- to the log, so the commit of a mere replay waits for the standby as long as the first posting does.
--
-- A step is one transfer (types.sql). Besides the four of the type's comment there is
--   refund   hold_id, debit, amount    gives back from anybody what a hold paid, to where the hold came from
--
-- The plan settings belong to the function. A generic plan made while the tables were small would scan them for ever
-- after; look-ups are LATERAL … LIMIT 1 and never a join of two unnests, which a nested loop would do n times n.
CREATE OR REPLACE FUNCTION ledger.post_batch(
    p_book bigint, p_now timestamptz,
    p_reference text[], p_reason text[], p_actor uuid[], p_on_behalf_of uuid[], p_effective_at timestamptz[],
    p_reverses text[], p_steps integer[],
    p_kind text[], p_debit text[], p_credit text[], p_unit text[], p_amount bigint[], p_hold uuid[],
    p_expires timestamptz[],
    OUT codes text[], OUT journal_ids bigint[], OUT details jsonb[]
)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = ledger, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_hashjoin = off
    SET enable_mergejoin = off
    SET enable_material = off
    SET jit = off
AS $$
DECLARE
    amount_max CONSTANT bigint := 1000000000000000;
    -- No account without a floor or ceiling can pass these, and one more amount still fits a bigint.
    balance_max CONSTANT bigint := 9000000000000000000;
    -- The head stays locked while a batch is decided: a second or two of these.
    batch_max CONSTANT integer := 50000;
    n integer := cardinality(p_reference);
    q0 bigint; q bigint; q1 bigint; v_at timestamptz; v_closed timestamptz; v_lots boolean; r record;
    -- journals
    lo integer[]; hi integer[]; known bigint[]; original bigint[]; effective timestamptz[]; prints bytea[];
    earlier integer[]; first integer := 1;
    -- steps
    m integer; sk text[] := p_kind; sd text[] := p_debit; sc text[] := p_credit; su text[] := p_unit;
    sa bigint[] := p_amount; sh uuid[] := p_hold; sx timestamptz[] := p_expires;
    vd text[]; vc text[]; vu text[]; slot integer[]; hslot integer[]; heads integer[];
    tq bigint[]; tj bigint[]; td bigint[]; tc bigint[]; ta bigint[]; db bigint[]; dv bigint[]; dp bigint[];
    cb bigint[]; cv bigint[]; cp bigint[];
    -- accounts, one slot each
    xa bigint[]; xb bigint[]; xf bigint[]; xc bigint[]; xv bigint[]; xl bigint[]; xz boolean[]; xo bigint[]; xt tid[];
    -- holds, one slot each
    hid uuid[]; ha bigint[]; hcode text[]; hu text[]; hm bigint[]; hc bigint[]; hr bigint[]; hf bigint[]; hx timestamptz[];
    hopen boolean[]; hold_stored boolean[]; hj bigint[]; hfirst integer[]; ht tid[]; has_hold boolean;
    -- the step at hand
    i integer; k text; a bigint; d integer; c integer; h integer; rest bigint; low bigint; fault text; detail jsonb; lines text;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        -- Later statements must see what the lock on the head waited for.
        RAISE EXCEPTION 'the ledger needs READ COMMITTED' USING ERRCODE = 'LB003';
    END IF;
    codes := '{}'; journal_ids := '{}'; details := '{}';
    IF n = 0 THEN
        RETURN;
    END IF;
    IF p_now IS NULL OR p_now NOT BETWEEN '1970-01-01Z' AND '3000-01-01Z' THEN
        -- The book's clock never runs back: a time out of all bounds would stay, and every hold would have expired.
        RAISE EXCEPTION 'the ledger needs the time' USING ERRCODE = 'LB004';
    END IF;

    IF n = 1 AND p_steps[1] = 1 AND p_kind = '{post}' AND p_reverses[1] IS NULL THEN
        -- One plain journal has a lane of its own, and many of them have another; whatever is not plain is found out below.
        journal_ids[1] := post_plain(p_book, p_now, p_reference[1], p_reason[1], p_actor[1], p_on_behalf_of[1], p_effective_at[1],
                                     p_debit[1], p_credit[1], p_unit[1], p_amount[1]);
        IF journal_ids[1] IS NOT NULL THEN
            codes := '{posted}'; details := '{NULL}';
            RETURN;
        END IF;
    END IF;

    IF n = 1 AND p_steps[1] BETWEEN 1 AND 8 AND p_kind = array_fill('capture'::text, p_steps) AND p_reverses[1] IS NULL THEN
        -- So have parts of holds that are paid.
        journal_ids[1] := post_captures(p_book, p_now, p_reference[1], p_reason[1], p_actor[1], p_on_behalf_of[1], p_effective_at[1],
                                        p_hold, p_credit, p_unit, p_amount);
        IF journal_ids[1] IS NOT NULL THEN
            codes := '{posted}'; details := '{NULL}';
            RETURN;
        END IF;
    END IF;

    IF n BETWEEN 2 AND batch_max AND p_steps = array_fill(1, ARRAY[n]) AND p_kind = array_fill('post'::text, ARRAY[n])
       AND cardinality(array_remove(p_reverses, NULL)) = 0 AND cardinality(array_remove(p_hold, NULL)) = 0 THEN
        q0 := post_plain_batch(p_book, p_now, p_reference, p_reason, p_actor, p_on_behalf_of, p_effective_at,
                               p_debit, p_credit, p_unit, p_amount);
        IF q0 IS NOT NULL THEN
            codes := array_fill('posted'::text, ARRAY[n]); details := array_fill(NULL::jsonb, ARRAY[n]);
            journal_ids := (SELECT array_agg(q0 + x.j ORDER BY x.j) FROM generate_series(1, n) x(j));
            RETURN;
        END IF;
    END IF;

    lo := array_fill(NULL::integer, ARRAY[n]); hi := lo; i := 0;
    FOR j IN 1..n LOOP
        lo[j] := i + 1; i := i + p_steps[j]; hi[j] := i;
    END LOOP;
    m := i;
    IF m <> cardinality(p_kind) THEN
        RAISE EXCEPTION 'the steps do not add up' USING ERRCODE = 'LB004';
    END IF;
    IF greatest(n, m) > batch_max THEN
        codes := array_fill('ledger.batch_too_large'::text, ARRAY[n]); journal_ids := array_fill(NULL::bigint, ARRAY[n]);
        details := array_fill(NULL::jsonb, ARRAY[n]);
        RETURN;
    END IF;

    -- A journal may speak of one before it: the same reference again, its reversal, the same hold id again. Such a batch
    -- is cut there, so that the later one finds the earlier one posted. Captures of a new hold need no cut.
    IF n > 1 THEN
        SELECT array_agg(z.earlier ORDER BY z.j) INTO earlier FROM (
            SELECT y.j, max(y.previous) FILTER (WHERE y.previous < y.j) AS earlier FROM (
                SELECT x.j, lag(x.j) OVER (PARTITION BY x.key ORDER BY x.j) AS previous FROM (
                    SELECT 'r' || coalesce(u.key, '') AS key, u.j FROM unnest(p_reference) WITH ORDINALITY u(key, j)
                    UNION ALL
                    SELECT 'r' || u.key, u.j FROM unnest(p_reverses) WITH ORDINALITY u(key, j) WHERE u.key IS NOT NULL
                    UNION ALL
                    SELECT 'h' || p_hold[s.i]::text, g.j
                    FROM generate_series(1, n) g(j), generate_series(lo[g.j], hi[g.j]) s(i)
                    WHERE cardinality(array_remove(p_hold, NULL)) > 0 AND p_kind[s.i] = 'hold' AND p_hold[s.i] IS NOT NULL
                ) x
            ) y GROUP BY y.j
        ) z;
        IF cardinality(array_remove(earlier, NULL)) > 0 THEN
            FOR j IN 2..n + 1 LOOP
                IF j > n OR earlier[j] >= first THEN
                    SELECT post_batch.codes || b.codes, post_batch.journal_ids || b.journal_ids, post_batch.details || b.details
                    INTO codes, journal_ids, details
                    FROM post_batch(p_book, p_now,
                        p_reference[first:j - 1], p_reason[first:j - 1], p_actor[first:j - 1], p_on_behalf_of[first:j - 1],
                        p_effective_at[first:j - 1], p_reverses[first:j - 1], p_steps[first:j - 1],
                        p_kind[lo[first]:hi[j - 1]], p_debit[lo[first]:hi[j - 1]], p_credit[lo[first]:hi[j - 1]],
                        p_unit[lo[first]:hi[j - 1]], p_amount[lo[first]:hi[j - 1]], p_hold[lo[first]:hi[j - 1]],
                        p_expires[lo[first]:hi[j - 1]]) b;
                    first := j;
                END IF;
            END LOOP;
            RETURN;
        END IF;
    END IF;

    -- 1. The head. NO KEY UPDATE: opening an account refers to the book's key and must not wait for the posters.
    codes := array_fill(NULL::text, ARRAY[n]); journal_ids := array_fill(NULL::bigint, ARRAY[n]);
    details := array_fill(NULL::jsonb, ARRAY[n]);
    SELECT b.seq, greatest(b.at, p_now), b.closed_until, b.has_lots INTO q0, v_at, v_closed, v_lots
    FROM book b WHERE b.community_id = p_book FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        codes := array_fill('ledger.book_not_found'::text, ARRAY[n]);
        RETURN;
    END IF;
    IF v_lots AND n > 1 AND (p_kind && ARRAY['capture', 'release', 'refund'] OR cardinality(array_remove(p_reverses, NULL)) > 0) THEN
        -- What lay aside or comes back may have expired meanwhile, and the next journal has to see it in its lot (lots.sql).
        FOR j IN 1..n LOOP
            SELECT b.codes[1] AS code, b.journal_ids[1] AS journal_id, b.details[1] AS detail INTO r
            FROM post_batch(p_book, p_now, p_reference[j:j], p_reason[j:j], p_actor[j:j], p_on_behalf_of[j:j],
                p_effective_at[j:j], p_reverses[j:j], p_steps[j:j],
                p_kind[lo[j]:hi[j]], p_debit[lo[j]:hi[j]], p_credit[lo[j]:hi[j]], p_unit[lo[j]:hi[j]], p_amount[lo[j]:hi[j]],
                p_hold[lo[j]:hi[j]], p_expires[lo[j]:hi[j]]) b;
            codes[j] := r.code; journal_ids[j] := r.journal_id; details[j] := r.detail;
        END LOOP;
        RETURN;
    END IF;
    q := q0;
    original := journal_ids; effective := p_effective_at;
    prints := array_fill(NULL::bytea, ARRAY[n]);

    -- 2. Known references, before anything else.
    SELECT array_agg(y.journal_id ORDER BY u.j) INTO known
    FROM unnest(p_reference) WITH ORDINALITY u(reference, j)
    LEFT JOIN LATERAL (SELECT x.journal_id FROM journal x
                       WHERE x.community_id = p_book AND x.reference = u.reference LIMIT 1) y ON true;

    -- 3. Reversals: find the original; without legs of its own, a reversal takes all of the original's, turned round.
    IF cardinality(array_remove(p_reverses, NULL)) > 0 THEN
        FOR r IN
            SELECT u.j, y.* FROM unnest(p_reverses) WITH ORDINALITY u(reference, j)
            CROSS JOIN LATERAL (SELECT x.journal_id, x.transfers FROM journal x
                                WHERE x.community_id = p_book AND x.reference = u.reference LIMIT 1) y
        LOOP
            original[r.j] := r.journal_id;
            CONTINUE WHEN p_steps[r.j] > 0;
            lo[r.j] := m + 1; hi[r.j] := m + r.transfers; m := m + r.transfers;
            -- The last first: what an account passed on comes back to it before it is asked to give it back.
            SELECT sk || array_agg('post'::text), sd || array_agg(y.credit ORDER BY y.seq DESC), sc || array_agg(y.debit ORDER BY y.seq DESC),
                   su || array_agg(y.unit ORDER BY y.seq DESC), sa || array_agg(y.amount ORDER BY y.seq DESC),
                   sh || array_agg(NULL::uuid), sx || array_agg(NULL::timestamptz)
            INTO sk, sd, sc, su, sa, sh, sx
            FROM reversal_legs(p_book, r.journal_id, r.transfers) y;
        END LOOP;
    END IF;

    -- 4. What can be said of a journal before its steps are looked at.
    FOR j IN 1..n LOOP
        IF known[j] IS NOT NULL THEN
            IF (p_reverses[j] IS NULL OR original[j] IS NOT NULL) AND same_content(p_book, known[j], p_reason[j], p_effective_at[j], original[j],
                    sk[lo[j]:hi[j]], sd[lo[j]:hi[j]], sc[lo[j]:hi[j]], su[lo[j]:hi[j]], sa[lo[j]:hi[j]], sh[lo[j]:hi[j]],
                    sx[lo[j]:hi[j]]) THEN
                codes[j] := 'replayed'; journal_ids[j] := known[j];
            ELSE
                codes[j] := 'ledger.reference_reused';
                details[j] := jsonb_build_object('journal_id', known[j]);
            END IF;
        ELSIF p_reference[j] IS NULL OR p_reference[j] = '' OR char_length(p_reference[j]) > 200
              OR p_reference[j] ~ '[\x01-\x1f\x7f]'
              OR p_reason[j] IS NULL OR p_reason[j] = '' OR char_length(p_reason[j]) > 200
              OR p_reason[j] ~ '[\x01-\x1f\x7f]' OR NOT coalesce(isfinite(p_effective_at[j]), true) THEN
            codes[j] := 'ledger.journal_malformed';
        ELSIF p_effective_at[j] > p_now THEN
            codes[j] := 'ledger.effective_in_future';
        ELSIF p_effective_at[j] < '1970-01-01Z' THEN
            codes[j] := 'ledger.effective_too_early';
        ELSIF p_effective_at[j] < v_closed THEN
            codes[j] := 'ledger.period_closed'; details[j] := jsonb_build_object('closed_until', v_closed);
        ELSIF p_reverses[j] IS NOT NULL THEN
            codes[j] := reversal_fault(p_book, original[j], sk[lo[j]:hi[j]], sd[lo[j]:hi[j]], sc[lo[j]:hi[j]], su[lo[j]:hi[j]],
                                       sa[lo[j]:hi[j]]);
            IF codes[j] IS NOT NULL THEN
                details[j] := jsonb_build_object('original', p_reverses[j]);
            END IF;
        ELSIF lo[j] > hi[j] THEN
            codes[j] := 'ledger.journal_empty';
        END IF;
        IF effective[j] IS NULL THEN
            -- A caller whose clock is behind when a period was closed posts into the open one.
            effective[j] := greatest(p_now, v_closed);
        END IF;
    END LOOP;

    IF m > 0 THEN
        -- 5. Holds. dense_rank gives each distinct id a slot; steps without one share the last, which stays empty.
        vd := sd; vc := sc; vu := su;
        has_hold := cardinality(array_remove(sh, NULL)) > 0;
        hslot := array_fill(1, ARRAY[m]); hopen := ARRAY[false];
        IF has_hold THEN
            WITH u AS MATERIALIZED (
                SELECT z.id, z.kind, z.place, dense_rank() OVER (ORDER BY z.id)::integer AS slot
                FROM unnest(sh, sk) WITH ORDINALITY z(id, kind, place)
            )
            SELECT (SELECT array_agg(u.slot ORDER BY u.place) FROM u),
                   array_agg(s.id ORDER BY s.slot), array_agg(s.place ORDER BY s.slot),
                   array_agg(y.account_id ORDER BY s.slot), array_agg(y.code ORDER BY s.slot), array_agg(y.unit ORDER BY s.slot),
                   array_agg(y.amount ORDER BY s.slot), array_agg(y.captured ORDER BY s.slot),
                   array_agg(y.released ORDER BY s.slot), array_agg(y.refunded ORDER BY s.slot),
                   array_agg(y.expires_at ORDER BY s.slot), array_agg(y.journal_id ORDER BY s.slot),
                   array_agg(y.account_id IS NOT NULL ORDER BY s.slot), array_agg(y.account_id IS NOT NULL ORDER BY s.slot),
                   array_agg(y.tid ORDER BY s.slot)
            INTO hslot, hid, hfirst, ha, hcode, hu, hm, hc, hr, hf, hx, hj, hopen, hold_stored, ht
            FROM (SELECT u.id, u.slot, min(u.place) FILTER (WHERE u.kind = 'hold') AS place FROM u GROUP BY u.id, u.slot) s
            LEFT JOIN LATERAL (
                SELECT w.*, w.ctid AS tid, o.code FROM hold w
                CROSS JOIN LATERAL (SELECT p.code FROM account p
                                    WHERE p.community_id = p_book AND p.account_id = w.account_id LIMIT 1) o
                WHERE w.community_id = p_book AND w.hold_id = s.id LIMIT 1
            ) y ON true;
            FOR i IN 1..m LOOP
                h := hslot[i];
                IF sk[i] = 'hold' THEN
                    vc[i] := 'escrow';
                ELSIF sk[i] IN ('capture', 'release', 'refund') THEN
                    vu[i] := coalesce(hu[h], su[hfirst[h]]);
                    IF sk[i] <> 'refund' THEN
                        vd[i] := 'escrow';
                    END IF;
                    IF sk[i] <> 'capture' THEN
                        vc[i] := coalesce(hcode[h], sd[hfirst[h]]);
                    END IF;
                END IF;
            END LOOP;
        END IF;

        -- 6. Accounts, a slot for each, and one for all that are missing. No row locks: the head serialises all who change them,
        -- so that a row is still where it was found when it is written.
        WITH l AS MATERIALIZED (
            SELECT z.place, y.*, dense_rank() OVER ids::integer AS slot,
                   lag(coalesce(y.account_id, 0), 1, -1::bigint) OVER ids <> coalesce(y.account_id, 0) AS is_first
            FROM unnest(vd || vc, vu || vu) WITH ORDINALITY z(code, unit, place)
            LEFT JOIN LATERAL (SELECT w.account_id, w.balance, w.floor, w.ceiling, w.version, w.last_seq, w.closed_at, w.ctid AS tid
                               FROM account w WHERE w.community_id = p_book AND w.code = z.code AND w.unit = z.unit LIMIT 1) y ON true
            WINDOW ids AS (ORDER BY y.account_id)
        )
        SELECT (SELECT array_agg(x.slot) FROM (SELECT l.slot FROM l ORDER BY l.place) x),
               array_agg(x.account_id), array_agg(x.balance), array_agg(coalesce(x.floor, -balance_max)),
               array_agg(coalesce(x.ceiling, balance_max)), array_agg(x.version), array_agg(x.last_seq),
               array_agg(x.closed_at IS NOT NULL), array_agg(x.tid)
        INTO slot, xa, xb, xf, xc, xv, xl, xz, xt
        FROM (SELECT l.* FROM l WHERE l.is_first ORDER BY l.slot) x;
        IF v_lots THEN
            -- What is over and not swept yet cannot be spent.
            SELECT array_agg(coalesce(y.amount, 0) ORDER BY u.place) INTO xo
            FROM unnest(xa) WITH ORDINALITY u(id, place)
            LEFT JOIN LATERAL (SELECT sum(l.amount)::bigint AS amount FROM lot l
                               WHERE l.community_id = p_book AND l.account_id = u.id AND l.expires_at <= v_at LIMIT 1) y ON true;
        END IF;
        tq := array_fill(NULL::bigint, ARRAY[m]); heads := array_fill(NULL::integer, ARRAY[m]);
        tj := tq; td := tq; tc := tq; ta := sa; db := tq; dv := tq; dp := tq; cb := tq; cv := tq; cp := tq;
    END IF;

    -- 7. The verdicts, in memory.
    FOR j IN 1..n LOOP
        CONTINUE WHEN codes[j] IS NOT NULL;
        q1 := q; fault := NULL; lines := ''; i := lo[j];
        WHILE i <= hi[j] LOOP
            k := sk[i]; a := sa[i]; d := slot[i]; c := slot[m + i]; h := hslot[i];
            IF k IS NULL OR k NOT IN ('post', 'hold', 'capture', 'release', 'refund') OR (original[j] IS NOT NULL AND k <> 'post')
               OR (k = 'post' AND (sd[i] IS NULL OR sc[i] IS NULL OR su[i] IS NULL))
               OR (k = 'hold' AND (sd[i] IS NULL OR su[i] IS NULL OR sh[i] IS NULL OR NOT coalesce(isfinite(sx[i]), true)))
               OR (k = 'capture' AND (sh[i] IS NULL OR sc[i] IS NULL))
               OR (k = 'release' AND sh[i] IS NULL)
               OR (k = 'refund' AND (sh[i] IS NULL OR sd[i] IS NULL)) THEN
                fault := 'ledger.step_malformed'; detail := '{}';
            ELSIF a < 1 OR a > amount_max OR (a IS NULL AND k <> 'release') THEN
                fault := 'ledger.amount_out_of_bounds'; detail := jsonb_build_object('amount', a);
            ELSIF k = 'post' AND sd[i] = sc[i] THEN
                fault := 'ledger.same_account'; detail := jsonb_build_object('account', sd[i]);
            ELSIF (k IN ('post', 'hold', 'refund') AND sd[i] = 'escrow') OR (k IN ('post', 'capture') AND sc[i] = 'escrow') THEN
                fault := 'ledger.escrow_reserved'; detail := '{}';
            ELSIF k = 'hold' AND hopen[h] THEN
                fault := 'ledger.hold_exists'; detail := jsonb_build_object('hold_id', sh[i]);
            ELSIF k IN ('capture', 'release', 'refund') THEN
                rest := CASE k WHEN 'refund' THEN hc[h] - hf[h] ELSE hm[h] - hc[h] - hr[h] END;
                IF NOT hopen[h] THEN
                    fault := 'ledger.hold_not_found'; detail := jsonb_build_object('hold_id', sh[i]);
                ELSIF su[i] <> vu[i] THEN
                    fault := 'ledger.unit_mismatch'; detail := jsonb_build_object('unit', su[i], 'expected', vu[i]);
                ELSIF k = 'refund' THEN
                    IF sd[i] = vc[i] THEN
                        fault := 'ledger.same_account'; detail := jsonb_build_object('account', sd[i]);
                    ELSIF a > rest THEN
                        fault := 'ledger.refund_exceeds';
                        detail := jsonb_build_object('hold_id', sh[i], 'asked', a, 'remaining', rest);
                    END IF;
                ELSIF rest = 0 THEN
                    fault := 'ledger.hold_closed'; detail := jsonb_build_object('hold_id', sh[i]);
                ELSIF k = 'capture' AND hx[h] <= v_at THEN
                    fault := 'ledger.hold_expired'; detail := jsonb_build_object('hold_id', sh[i]);
                ELSIF a > rest THEN
                    fault := 'ledger.hold_exceeded';
                    detail := jsonb_build_object('hold_id', sh[i], 'asked', a, 'remaining', rest);
                ELSIF a IS NULL THEN
                    a := rest;
                END IF;
            END IF;
            IF fault IS NULL THEN
                low := xf[d];
                IF v_lots AND original[j] IS NULL AND vc[i] <> 'expired' THEN
                    low := low + xo[d];
                END IF;
                IF original[j] IS NOT NULL AND xb[d] - a < low THEN
                    -- Debt is the exception: for one account, by a reversal, for the one reason that was allowed.
                    SELECT low - y.debt_limit INTO rest FROM account y
                    WHERE y.community_id = p_book AND y.account_id = xa[d] AND y.debt_reason = p_reason[j];
                    low := coalesce(rest, low);
                END IF;
                IF xa[d] IS NULL THEN
                    fault := 'ledger.account_not_found'; detail := jsonb_build_object('account', vd[i], 'unit', vu[i]);
                ELSIF xa[c] IS NULL THEN
                    fault := 'ledger.account_not_found'; detail := jsonb_build_object('account', vc[i], 'unit', vu[i]);
                ELSIF xz[d] THEN
                    fault := 'ledger.account_closed'; detail := jsonb_build_object('account', vd[i], 'unit', vu[i]);
                ELSIF xz[c] AND k <> 'release' THEN
                    -- What was held before an account was closed can still come home.
                    fault := 'ledger.account_closed'; detail := jsonb_build_object('account', vc[i], 'unit', vu[i]);
                ELSIF xb[d] - a < low THEN
                    fault := CASE WHEN xb[d] < xf[d] THEN 'ledger.account_in_debt' ELSE 'ledger.insufficient_balance' END;
                    detail := jsonb_build_object('account', vd[i], 'unit', vu[i], 'asked', a, 'available', xb[d] - low);
                ELSIF xb[c] + a > xc[c] THEN
                    fault := 'ledger.over_ceiling';
                    detail := jsonb_build_object('account', vc[i], 'unit', vu[i], 'asked', a, 'room', xc[c] - xb[c]);
                END IF;
            END IF;
            EXIT WHEN fault IS NOT NULL;

            q := q + 1; tq[i] := q; tj[i] := q1 + 1; ta[i] := a;
            td[i] := xa[d]; xb[d] := xb[d] - a; db[i] := xb[d]; xv[d] := xv[d] + 1; dv[i] := xv[d]; dp[i] := xl[d]; xl[d] := q;
            tc[i] := xa[c]; xb[c] := xb[c] + a; cb[i] := xb[c]; xv[c] := xv[c] + 1; cv[i] := xv[c]; cp[i] := xl[c]; xl[c] := q;
            IF k = 'capture' THEN
                hc[h] := hc[h] + a;
            ELSIF k = 'release' THEN
                hr[h] := hr[h] + a;
            ELSIF k = 'refund' THEN
                hf[h] := hf[h] + a;
            ELSIF k = 'hold' THEN
                hopen[h] := true; ha[h] := xa[d]; hu[h] := su[i]; hm[h] := a; hc[h] := 0; hr[h] := 0; hf[h] := 0; hx[h] := sx[i];
                hj[h] := q1 + 1;
            END IF;
            lines := lines || step_line(k, sd[i], sc[i], su[i], a, sh[i], sx[i]);
            i := i + 1;
        END LOOP;

        IF fault IS NULL THEN
            codes[j] := 'posted'; journal_ids[j] := q1 + 1; heads[lo[j]] := j;
            prints[j] := fingerprint(p_reference[j], p_reason[j], p_actor[j], p_on_behalf_of[j], effective[j], original[j], lines);
            IF v_lots THEN
                -- What was over and is taken away now keeps the next journals from nothing.
                FOR s IN lo[j]..hi[j] LOOP
                    IF vc[s] = 'expired' THEN
                        xo[slot[s]] := greatest(xo[slot[s]] - ta[s], 0);
                    END IF;
                END LOOP;
            END IF;
            CONTINUE;
        END IF;
        codes[j] := fault; details[j] := detail || jsonb_build_object('step', i - lo[j] + 1);
        -- All or none: take back the steps before the refused one.
        WHILE i > lo[j] LOOP
            i := i - 1; k := sk[i]; a := ta[i]; d := slot[i]; c := slot[m + i]; h := hslot[i];
            xb[d] := xb[d] + a; xv[d] := xv[d] - 1; xl[d] := dp[i];
            xb[c] := xb[c] - a; xv[c] := xv[c] - 1; xl[c] := cp[i]; tq[i] := NULL;
            IF k = 'capture' THEN
                hc[h] := hc[h] - a;
            ELSIF k = 'release' THEN
                hr[h] := hr[h] - a;
            ELSIF k = 'refund' THEN
                hf[h] := hf[h] - a;
            ELSIF k = 'hold' THEN
                hopen[h] := false;
            END IF;
        END LOOP;
        q := q1;
    END LOOP;
    IF q = q0 THEN
        RETURN;
    END IF;

    -- 8. The rows.
    INSERT INTO transfer (community_id, seq, journal_id, amount, debit, debit_balance, debit_version, debit_prev,
                          credit, credit_balance, credit_version, credit_prev, kind, unit, hold_id,
                          reference, reason, transfers, fingerprint, actor_id, on_behalf_of, effective_at, posted_at, reverses)
    SELECT p_book, u.q, u.j, u.amount, u.d, u.db, u.dv, u.dp, u.c, u.cb, u.cv, u.cp, u.kind, u.unit, u.hold,
           p_reference[u.head], p_reason[u.head], hi[u.head] - lo[u.head] + 1, prints[u.head], p_actor[u.head],
           p_on_behalf_of[u.head], nullif(effective[u.head], v_at), CASE WHEN u.head IS NOT NULL THEN v_at END, original[u.head]
    FROM unnest(tq, tj, heads, sk, vu, ta, sh, td, db, dv, dp, tc, cb, cv, cp)
         u(q, j, head, kind, unit, amount, hold, d, db, dv, dp, c, cb, cv, cp)
    WHERE u.q IS NOT NULL;
    IF 'hold' = ANY (sk) THEN
        INSERT INTO hold (community_id, hold_id, account_id, unit, amount, captured, released, refunded, expires_at, journal_id)
        SELECT p_book, u.id, u.account, u.unit, u.amount, u.captured, u.released, u.refunded, u.expires, u.journal
        FROM unnest(hid, ha, hu, hm, hc, hr, hf, hx, hj, hopen, hold_stored)
             u(id, account, unit, amount, captured, released, refunded, expires, journal, is_open, stored)
        WHERE u.is_open AND NOT u.stored;
        IF cardinality(array_remove(sx, NULL)) > 0 THEN
            INSERT INTO hold_expiry (community_id, expires_at, hold_id)
            SELECT p_book, u.expires, u.id FROM unnest(hid, hx, hopen, hold_stored) u(id, expires, is_open, stored)
            WHERE u.is_open AND NOT u.stored AND u.expires IS NOT NULL;
        END IF;
    END IF;
    IF true = ANY (hold_stored) THEN
        UPDATE hold w SET captured = u.captured, released = u.released, refunded = u.refunded
        FROM unnest(ht, hc, hr, hf, hold_stored) u(tid, captured, released, refunded, stored)
        WHERE u.stored AND w.ctid = u.tid AND (w.captured, w.released, w.refunded) <> (u.captured, u.released, u.refunded);
    END IF;
    UPDATE account w SET balance = u.balance, version = u.version, last_seq = u.last
    FROM unnest(xt, xb, xv, xl) u(tid, balance, version, last)
    WHERE w.ctid = u.tid AND w.version <> u.version;
    UPDATE book b SET seq = q, at = v_at WHERE b.community_id = p_book;
    IF v_lots THEN
        PERFORM move_lots(p_book, q0, v_at);
    END IF;
END
$$;
