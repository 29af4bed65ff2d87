-- Back to a table of journals and a table of transfers.

DROP VIEW ledger.journal;
ALTER TABLE ledger.transfer RENAME TO transfer_after;
ALTER TABLE ledger.transfer_after DROP CONSTRAINT pk_transfer;
DROP INDEX ledger.uq_transfer_reference, ledger.uq_transfer_reverses;

CREATE TABLE ledger.journal (
    community_id bigint NOT NULL,
    journal_id bigint NOT NULL,
    reference text NOT NULL,
    reason text NOT NULL,
    transfers integer NOT NULL,
    fingerprint bytea NOT NULL,
    actor_id uuid,
    on_behalf_of uuid,
    effective_at timestamptz NOT NULL,
    posted_at timestamptz NOT NULL,
    reverses bigint,
    CONSTRAINT pk_journal PRIMARY KEY (community_id, journal_id),
    CONSTRAINT uq_journal_reference UNIQUE (community_id, reference),
    CONSTRAINT ck_journal_reference CHECK (reference <> '' AND char_length(reference) <= 200 AND reference !~ '[\x01-\x1f\x7f]'),
    CONSTRAINT ck_journal_reason CHECK (reason <> '' AND char_length(reason) <= 200 AND reason !~ '[\x01-\x1f\x7f]'),
    CONSTRAINT ck_journal_transfers CHECK (transfers >= 1),
    CONSTRAINT ck_journal_fingerprint CHECK (octet_length(fingerprint) = 32),
    CONSTRAINT ck_journal_times CHECK (effective_at <= posted_at),
    CONSTRAINT ck_journal_reverses CHECK (reverses < journal_id)
);
CREATE UNIQUE INDEX uq_journal_reverses ON ledger.journal (community_id, reverses) WHERE reverses IS NOT NULL;

CREATE TABLE ledger.transfer (
    community_id bigint NOT NULL,
    seq bigint NOT NULL,
    journal_id bigint NOT NULL,
    kind text NOT NULL,
    unit text NOT NULL,
    amount bigint NOT NULL,
    debit bigint NOT NULL,
    debit_balance bigint NOT NULL,
    debit_version bigint NOT NULL,
    debit_prev bigint NOT NULL,
    credit bigint NOT NULL,
    credit_balance bigint NOT NULL,
    credit_version bigint NOT NULL,
    credit_prev bigint NOT NULL,
    hold_id uuid,
    CONSTRAINT pk_transfer PRIMARY KEY (community_id, seq),
    CONSTRAINT ck_transfer_kind CHECK (kind IN ('post', 'hold', 'capture', 'release')),
    CONSTRAINT ck_transfer_hold CHECK ((kind = 'post') = (hold_id IS NULL)),
    CONSTRAINT ck_transfer_amount CHECK (amount BETWEEN 1 AND 1000000000000000),
    CONSTRAINT ck_transfer_accounts CHECK (debit <> credit),
    CONSTRAINT ck_transfer_order CHECK (
        journal_id BETWEEN 1 AND seq AND debit_prev BETWEEN 0 AND seq - 1 AND credit_prev BETWEEN 0 AND seq - 1
    )
);

-- What makes two journals the same. One definition serves posting, replaying and verifying.
-- Codes, reasons and references hold no control characters, so the separators cannot be forged.
-- No SET clause here: the planner inlines these, which keeps them at a fraction of a microsecond.

CREATE OR REPLACE FUNCTION ledger.microseconds(p_at timestamptz) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN ((extract(epoch FROM p_at) * 1000000)::bigint)::text;

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
    END || chr(30);

CREATE OR REPLACE FUNCTION ledger.fingerprint(
    p_reference text, p_reason text, p_actor uuid, p_on_behalf_of uuid, p_effective_at timestamptz,
    p_reverses bigint, p_lines text
) RETURNS bytea
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN sha256(convert_to(
        p_reference || chr(31) || p_reason || chr(31) || coalesce(p_actor::text, '') || chr(31)
        || coalesce(p_on_behalf_of::text, '') || chr(31) || ledger.microseconds(p_effective_at) || chr(31)
        || coalesce(p_reverses::text, '') || chr(30) || p_lines, 'UTF8'));

-- Whether a caller who sends a known reference again means what was posted under it.
-- Who asks again is not content. A missing effective time or amount stands for the one that was posted.
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
    SELECT coalesce(j.fingerprint = fingerprint(
        j.reference, p_reason, j.actor_id, j.on_behalf_of, coalesce(p_effective_at, j.effective_at), p_reverses,
        -- A step that cannot be written as a line must not vanish from the sum: chr(30) alone is never posted.
        (SELECT string_agg(coalesce(step_line(s.kind, s.debit, s.credit, s.unit, coalesce(s.amount, t.amount), s.hold,
                                              s.expires), chr(30)), '' ORDER BY s.place)
         FROM unnest(p_kind, p_debit, p_credit, p_unit, p_amount, p_hold, p_expires)
              WITH ORDINALITY s(kind, debit, credit, unit, amount, hold, expires, place)
         LEFT JOIN LATERAL (SELECT x.amount FROM transfer x
                            WHERE x.community_id = p_book AND x.seq = p_journal_id + s.place - 1
                              AND s.kind = 'release' LIMIT 1) t ON true)
    ), false)
    FROM journal j
    WHERE j.community_id = p_book AND j.journal_id = p_journal_id
$$;

INSERT INTO ledger.transfer
SELECT t.community_id, t.seq, t.journal_id, t.kind, t.unit, t.amount, t.debit, t.debit_balance, t.debit_version, t.debit_prev,
       t.credit, t.credit_balance, t.credit_version, t.credit_prev, t.hold_id
  FROM ledger.transfer_after t ORDER BY t.community_id, t.seq;
INSERT INTO ledger.journal
SELECT j.community_id, j.seq, j.reference, j.reason, j.transfers,
       ledger.fingerprint(j.reference, j.reason, j.actor_id, j.on_behalf_of, coalesce(j.effective_at, j.posted_at), j.reverses, x.lines),
       j.actor_id, j.on_behalf_of, coalesce(j.effective_at, j.posted_at), j.posted_at, j.reverses
  FROM ledger.transfer_after j
  JOIN (SELECT t.community_id, t.journal_id,
               string_agg(ledger.step_line(t.kind, d.code, c.code, t.unit, t.amount, t.hold_id, h.expires_at), '' ORDER BY t.seq) AS lines
          FROM ledger.transfer_after t
          JOIN ledger.account d ON d.community_id = t.community_id AND d.account_id = t.debit
          JOIN ledger.account c ON c.community_id = t.community_id AND c.account_id = t.credit
          LEFT JOIN ledger.hold h ON h.community_id = t.community_id AND h.hold_id = t.hold_id
         GROUP BY t.community_id, t.journal_id) x ON x.community_id = j.community_id AND x.journal_id = j.seq
 WHERE j.reference IS NOT NULL
 ORDER BY j.community_id, j.seq;
DROP TABLE ledger.transfer_after;
GRANT SELECT ON ledger.journal, ledger.transfer TO linli_app, linli_audit;

-- Marks: every 64th line of an account, so that a day long ago is found without walking back from today. They say nothing that
-- the transfers do not say; they are written behind the posters' backs, and whatever is not marked yet is walked.

-- Marks the next transfers of a book and says how many were read. Two callers take turns at the row of the book's progress.
CREATE OR REPLACE FUNCTION ledger.mark_lines(p_book bigint, p_limit integer) RETURNS integer
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = ledger, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
AS $$
DECLARE
    v_from bigint;
    v_to bigint;
BEGIN
    INSERT INTO marked (community_id, seq)
    SELECT b.community_id, 0 FROM book b WHERE b.community_id = p_book
    ON CONFLICT ON CONSTRAINT pk_marked DO NOTHING;
    SELECT m.seq INTO v_from FROM marked m WHERE m.community_id = p_book FOR UPDATE;
    -- Read after the lock was given: the numbers below the head are committed, all of them.
    SELECT least(b.seq, v_from + p_limit) INTO v_to FROM book b WHERE b.community_id = p_book;
    IF v_to IS NULL OR v_to <= v_from THEN
        RETURN 0;
    END IF;
    INSERT INTO mark (community_id, account_id, seq)
    SELECT p_book, l.account_id, l.seq
    FROM (SELECT t.debit, t.seq, t.debit_version FROM transfer t
           WHERE t.community_id = p_book AND t.seq > v_from AND t.seq <= v_to
           UNION ALL
          SELECT t.credit, t.seq, t.credit_version FROM transfer t
           WHERE t.community_id = p_book AND t.seq > v_from AND t.seq <= v_to) l(account_id, seq, version)
    WHERE l.version % 64 = 0;
    UPDATE marked m SET seq = v_to WHERE m.community_id = p_book;
    RETURN v_to - v_from;
END
$$;

-- The last number of a book that was given before a moment. Times never run backwards within a book, so it is found by
-- halving: as many look-ups as the number has binary digits, and no index to keep.
CREATE OR REPLACE FUNCTION ledger.seq_before(p_book bigint, p_at timestamptz) RETURNS bigint
    LANGUAGE plpgsql STABLE
    SET search_path = ledger, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
AS $$
DECLARE
    v_low bigint := 0;
    v_high bigint;
    v_middle bigint;
    v_journal journal;
BEGIN
    SELECT b.seq INTO v_high FROM book b WHERE b.community_id = p_book;
    WHILE v_low < v_high LOOP
        v_middle := (v_low + v_high + 1) / 2;
        -- The journal that number belongs to: no journal begins between it and the number.
        SELECT j.* INTO v_journal FROM journal j
         WHERE j.community_id = p_book AND j.journal_id <= v_middle ORDER BY j.journal_id DESC LIMIT 1;
        IF v_journal.posted_at < p_at THEN
            v_low := least(v_journal.journal_id + v_journal.transfers - 1, v_high);
            v_low := greatest(v_low, v_middle);
        ELSE
            v_high := v_journal.journal_id - 1;
        END IF;
    END LOOP;
    RETURN v_low;
END
$$;

-- An account just before a moment: the book's number then, its balance, and the first line after it. No row: no such account.
CREATE OR REPLACE FUNCTION ledger.account_before(
    p_book bigint, p_code text, p_unit text, p_at timestamptz, OUT seq bigint, OUT balance bigint, OUT newer bigint
) RETURNS SETOF record
    LANGUAGE plpgsql STABLE
    SET search_path = ledger, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
AS $$
DECLARE
    v_account account;
    v_transfer transfer;
    v_line bigint;
BEGIN
    SELECT a.* INTO v_account FROM account a WHERE a.community_id = p_book AND a.code = p_code AND a.unit = p_unit;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    seq := seq_before(p_book, p_at);
    balance := 0;
    SELECT m.seq INTO v_line FROM mark m
     WHERE m.community_id = p_book AND m.account_id = v_account.account_id AND m.seq > account_before.seq
     ORDER BY m.seq LIMIT 1;
    v_line := coalesce(v_line, v_account.last_seq);
    WHILE v_line > 0 LOOP
        SELECT t.* INTO v_transfer FROM transfer t WHERE t.community_id = p_book AND t.seq = v_line;
        IF v_line <= seq THEN
            balance := CASE v_transfer.debit WHEN v_account.account_id
                       THEN v_transfer.debit_balance ELSE v_transfer.credit_balance END;
            EXIT;
        END IF;
        newer := v_line;
        v_line := CASE v_transfer.debit WHEN v_account.account_id
                  THEN v_transfer.debit_prev ELSE v_transfer.credit_prev END;
    END LOOP;
    RETURN NEXT;
END
$$;

REVOKE ALL ON FUNCTION ledger.mark_lines, ledger.seq_before, ledger.account_before FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.mark_lines TO linli_app;
GRANT EXECUTE ON FUNCTION ledger.seq_before, ledger.account_before TO linli_app, linli_audit;
GRANT SELECT ON ledger.mark, ledger.marked TO linli_app, linli_audit;

-- The one writer. Takes journals in order, gives each its own verdict, and is the same as posting them one by one.
--
-- The book's head is locked first and kept to the commit. That serialises the posters of one book: no deadlock among
-- them, no gap in seq, and a hot account costs nothing. It is also what makes a replay safe: the lock is written
-- to the log, so the commit of a mere replay waits for the standby as long as the first posting does.
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
    q0 bigint; q bigint; q1 bigint; v_at timestamptz; v_closed timestamptz; r record;
    -- journals
    lo integer[]; hi integer[]; known bigint[]; original bigint[]; effective timestamptz[]; prints bytea[]; lengths integer[];
    earlier integer[]; first integer := 1;
    -- steps
    m integer; sk text[] := p_kind; sd text[] := p_debit; sc text[] := p_credit; su text[] := p_unit;
    sa bigint[] := p_amount; sh uuid[] := p_hold; sx timestamptz[] := p_expires;
    vd text[]; vc text[]; vu text[]; slot integer[]; hslot integer[];
    tq bigint[]; tj bigint[]; td bigint[]; tc bigint[]; ta bigint[]; db bigint[]; dv bigint[]; dp bigint[];
    cb bigint[]; cv bigint[]; cp bigint[];
    -- accounts, one slot each
    xa bigint[]; xb bigint[]; xf bigint[]; xc bigint[]; xv bigint[]; xl bigint[]; xz boolean[];
    -- holds, one slot each
    hid uuid[]; ha bigint[]; hcode text[]; hu text[]; hm bigint[]; hc bigint[]; hr bigint[]; hx timestamptz[];
    hopen boolean[]; hold_stored boolean[]; hj bigint[]; hfirst integer[]; has_hold boolean;
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
    SELECT b.seq, greatest(b.at, p_now), b.closed_until INTO q0, v_at, v_closed
    FROM book b WHERE b.community_id = p_book FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        codes := array_fill('ledger.book_not_found'::text, ARRAY[n]);
        RETURN;
    END IF;
    q := q0;
    original := journal_ids; effective := p_effective_at;
    prints := array_fill(NULL::bytea, ARRAY[n]); lengths := array_fill(NULL::integer, ARRAY[n]);

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
            SELECT sk || array_agg('post'::text), sd || array_agg(y.credit ORDER BY y.seq), sc || array_agg(y.debit ORDER BY y.seq),
                   su || array_agg(y.unit ORDER BY y.seq), sa || array_agg(y.amount ORDER BY y.seq),
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
                   array_agg(y.released ORDER BY s.slot), array_agg(y.expires_at ORDER BY s.slot),
                   array_agg(y.journal_id ORDER BY s.slot),
                   array_agg(y.account_id IS NOT NULL ORDER BY s.slot), array_agg(y.account_id IS NOT NULL ORDER BY s.slot)
            INTO hslot, hid, hfirst, ha, hcode, hu, hm, hc, hr, hx, hj, hopen, hold_stored
            FROM (SELECT u.id, u.slot, min(u.place) FILTER (WHERE u.kind = 'hold') AS place FROM u GROUP BY u.id, u.slot) s
            LEFT JOIN LATERAL (
                SELECT w.*, o.code FROM hold w
                CROSS JOIN LATERAL (SELECT p.code FROM account p
                                    WHERE p.community_id = p_book AND p.account_id = w.account_id LIMIT 1) o
                WHERE w.community_id = p_book AND w.hold_id = s.id LIMIT 1
            ) y ON true;
            FOR i IN 1..m LOOP
                h := hslot[i];
                IF sk[i] = 'hold' THEN
                    vc[i] := 'escrow';
                ELSIF sk[i] IN ('capture', 'release') THEN
                    vd[i] := 'escrow';
                    vu[i] := coalesce(hu[h], su[hfirst[h]]);
                    IF sk[i] = 'release' THEN
                        vc[i] := coalesce(hcode[h], sd[hfirst[h]]);
                    END IF;
                END IF;
            END LOOP;
        END IF;

        -- 6. Accounts, a slot for each code and unit. No row locks: the head serialises all who change them.
        WITH u AS MATERIALIZED (
            SELECT z.code, z.unit, z.place, dense_rank() OVER (ORDER BY z.code COLLATE "C", z.unit COLLATE "C")::integer AS slot
            FROM unnest(vd || vc, vu || vu) WITH ORDINALITY z(code, unit, place)
        )
        SELECT (SELECT array_agg(u.slot ORDER BY u.place) FROM u),
               array_agg(x.account_id), array_agg(x.balance), array_agg(coalesce(x.floor, -balance_max)),
               array_agg(coalesce(x.ceiling, balance_max)), array_agg(x.version), array_agg(x.last_seq),
               array_agg(x.closed_at IS NOT NULL)
        INTO slot, xa, xb, xf, xc, xv, xl, xz
        FROM (SELECT y.* FROM (SELECT DISTINCT u.code, u.unit, u.slot FROM u) s
              LEFT JOIN LATERAL (SELECT w.* FROM account w WHERE w.community_id = p_book AND w.code = s.code AND w.unit = s.unit
                                 LIMIT 1) y ON true
              ORDER BY s.slot) x;
        tq := array_fill(NULL::bigint, ARRAY[m]);
        tj := tq; td := tq; tc := tq; ta := sa; db := tq; dv := tq; dp := tq; cb := tq; cv := tq; cp := tq;
    END IF;

    -- 7. The verdicts, in memory.
    FOR j IN 1..n LOOP
        CONTINUE WHEN codes[j] IS NOT NULL;
        q1 := q; fault := NULL; lines := ''; i := lo[j];
        WHILE i <= hi[j] LOOP
            k := sk[i]; a := sa[i]; d := slot[i]; c := slot[m + i]; h := hslot[i];
            IF k IS NULL OR k NOT IN ('post', 'hold', 'capture', 'release') OR (original[j] IS NOT NULL AND k <> 'post')
               OR (k = 'post' AND (sd[i] IS NULL OR sc[i] IS NULL OR su[i] IS NULL))
               OR (k = 'hold' AND (sd[i] IS NULL OR su[i] IS NULL OR sh[i] IS NULL OR NOT coalesce(isfinite(sx[i]), true)))
               OR (k = 'capture' AND (sh[i] IS NULL OR sc[i] IS NULL))
               OR (k = 'release' AND sh[i] IS NULL) THEN
                fault := 'ledger.step_malformed'; detail := '{}';
            ELSIF a < 1 OR a > amount_max OR (a IS NULL AND k <> 'release') THEN
                fault := 'ledger.amount_out_of_bounds'; detail := jsonb_build_object('amount', a);
            ELSIF k = 'post' AND sd[i] = sc[i] THEN
                fault := 'ledger.same_account'; detail := jsonb_build_object('account', sd[i]);
            ELSIF (k IN ('post', 'hold') AND sd[i] = 'escrow') OR (k IN ('post', 'capture') AND sc[i] = 'escrow') THEN
                fault := 'ledger.escrow_reserved'; detail := '{}';
            ELSIF k = 'hold' AND hopen[h] THEN
                fault := 'ledger.hold_exists'; detail := jsonb_build_object('hold_id', sh[i]);
            ELSIF k IN ('capture', 'release') THEN
                rest := hm[h] - hc[h] - hr[h];
                IF NOT hopen[h] THEN
                    fault := 'ledger.hold_not_found'; detail := jsonb_build_object('hold_id', sh[i]);
                ELSIF su[i] <> vu[i] THEN
                    fault := 'ledger.unit_mismatch'; detail := jsonb_build_object('unit', su[i], 'expected', vu[i]);
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
            ELSIF k = 'hold' THEN
                hopen[h] := true; ha[h] := xa[d]; hu[h] := su[i]; hm[h] := a; hc[h] := 0; hr[h] := 0; hx[h] := sx[i];
                hj[h] := q1 + 1;
            END IF;
            lines := lines || step_line(k, sd[i], sc[i], su[i], a, sh[i], sx[i]);
            i := i + 1;
        END LOOP;

        IF fault IS NULL THEN
            codes[j] := 'posted'; journal_ids[j] := q1 + 1; lengths[j] := hi[j] - lo[j] + 1;
            prints[j] := fingerprint(p_reference[j], p_reason[j], p_actor[j], p_on_behalf_of[j], effective[j], original[j], lines);
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
    INSERT INTO journal (community_id, journal_id, reference, reason, transfers, fingerprint, actor_id, on_behalf_of,
                         effective_at, posted_at, reverses)
    SELECT p_book, u.id, u.reference, u.reason, u.length, u.print, u.actor, u.behalf, u.effective, v_at, u.original
    FROM unnest(journal_ids, p_reference, p_reason, lengths, prints, p_actor, p_on_behalf_of, effective, original, codes)
         u(id, reference, reason, length, print, actor, behalf, effective, original, code)
    WHERE u.code = 'posted';
    INSERT INTO transfer (community_id, seq, journal_id, kind, unit, amount, hold_id,
                          debit, debit_balance, debit_version, debit_prev,
                          credit, credit_balance, credit_version, credit_prev)
    SELECT p_book, u.q, u.j, u.kind, u.unit, u.amount, u.hold, u.d, u.db, u.dv, u.dp, u.c, u.cb, u.cv, u.cp
    FROM unnest(tq, tj, sk, vu, ta, sh, td, db, dv, dp, tc, cb, cv, cp)
         u(q, j, kind, unit, amount, hold, d, db, dv, dp, c, cb, cv, cp)
    WHERE u.q IS NOT NULL;
    IF has_hold THEN
        INSERT INTO hold (community_id, hold_id, account_id, unit, amount, captured, released, expires_at, journal_id)
        SELECT p_book, u.id, u.account, u.unit, u.amount, u.captured, u.released, u.expires, u.journal
        FROM unnest(hid, ha, hu, hm, hc, hr, hx, hj, hopen, hold_stored)
             u(id, account, unit, amount, captured, released, expires, journal, is_open, stored)
        WHERE u.is_open AND NOT u.stored;
        IF cardinality(array_remove(sx, NULL)) > 0 THEN
            INSERT INTO hold_expiry (community_id, expires_at, hold_id)
            SELECT p_book, u.expires, u.id FROM unnest(hid, hx, hopen, hold_stored) u(id, expires, is_open, stored)
            WHERE u.is_open AND NOT u.stored AND u.expires IS NOT NULL;
        END IF;
        UPDATE hold w SET captured = u.captured, released = u.released
        FROM unnest(hid, hc, hr, hold_stored) u(id, captured, released, stored)
        WHERE u.stored AND w.community_id = p_book AND w.hold_id = u.id
          AND (w.captured <> u.captured OR w.released <> u.released);
    END IF;
    UPDATE account w SET balance = u.balance, version = u.version, last_seq = u.last
    FROM unnest(xa, xb, xv, xl) u(id, balance, version, last)
    WHERE w.community_id = p_book AND w.account_id = u.id AND w.version <> u.version;
    UPDATE book b SET seq = q, at = v_at WHERE b.community_id = p_book;
END
$$;
