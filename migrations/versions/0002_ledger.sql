-- The ledger: tables, then a frozen copy of ledger/sql/*.sql as it was when this migration was made.

CREATE SCHEMA ledger;

-- What is counted, and how many digits stand after the point. The same for everybody.
CREATE TABLE ledger.unit (
    code text NOT NULL,
    scale integer NOT NULL,
    CONSTRAINT pk_unit PRIMARY KEY (code),
    CONSTRAINT ck_unit_scale CHECK (scale BETWEEN 0 AND 9)
);
INSERT INTO ledger.unit (code, scale) VALUES ('minute', 0), ('point', 2), ('fen', 0);

-- The head of a community's book: the last seq given and the time of the last posting. One small row, updated in place.
CREATE TABLE ledger.book (
    community_id bigint NOT NULL,
    seq bigint NOT NULL,
    at timestamptz NOT NULL,
    opened_at timestamptz NOT NULL,
    CONSTRAINT pk_book PRIMARY KEY (community_id),
    CONSTRAINT ck_book_seq CHECK (seq >= 0)
) WITH (fillfactor = 10);

-- No index touches a column that posting changes, and half of each page is free: balances are updated in place.
CREATE TABLE ledger.account (
    community_id bigint NOT NULL,
    account_id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    code text NOT NULL,
    unit text NOT NULL,
    floor bigint,
    ceiling bigint,
    balance bigint NOT NULL,
    version bigint NOT NULL,
    last_seq bigint NOT NULL,
    opened_at timestamptz NOT NULL,
    closed_at timestamptz,
    CONSTRAINT pk_account PRIMARY KEY (community_id, account_id),
    CONSTRAINT uq_account_code UNIQUE (community_id, code, unit),
    CONSTRAINT fk_account_book FOREIGN KEY (community_id) REFERENCES ledger.book (community_id),
    CONSTRAINT fk_account_unit FOREIGN KEY (unit) REFERENCES ledger.unit (code),
    CONSTRAINT ck_account_code CHECK (code <> '' AND char_length(code) <= 200 AND code !~ '[\x01-\x20\x7f]'),
    CONSTRAINT ck_account_floor CHECK (balance >= floor),
    CONSTRAINT ck_account_ceiling CHECK (balance <= ceiling),
    CONSTRAINT ck_account_version CHECK (version >= 0 AND last_seq >= version)
) WITH (fillfactor = 50);

-- One row a journal: its reference is the key that makes posting happen once, kept for ever. journal_id is the seq of
-- its first transfer, and its transfers are the next `transfers` numbers.
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

-- One immutable row a transfer, both legs in it, so that it cannot be unbalanced. *_prev is the seq of the same
-- account's transfer before this one, 0 for the first: a statement follows it and needs no index of its own.
-- No foreign keys: they double the cost of the insert, the one writer has looked both accounts up, and verify looks again.
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

-- Amounts put aside. What is open of them all is the balance of the unit's escrow account, at every commit.
CREATE TABLE ledger.hold (
    community_id bigint NOT NULL,
    hold_id uuid NOT NULL,
    account_id bigint NOT NULL,
    unit text NOT NULL,
    amount bigint NOT NULL,
    captured bigint NOT NULL,
    released bigint NOT NULL,
    expires_at timestamptz,
    journal_id bigint NOT NULL,
    CONSTRAINT pk_hold PRIMARY KEY (community_id, hold_id),
    CONSTRAINT ck_hold_amount CHECK (amount BETWEEN 1 AND 1000000000000000),
    CONSTRAINT ck_hold_parts CHECK (captured >= 0 AND released >= 0 AND captured + released <= amount)
) WITH (fillfactor = 70);

-- ledger/sql/types.sql
-- What a caller may put into one journal. A step is one transfer:
--   post     debit, credit, unit, amount
--   hold     debit, unit, amount, hold_id, expires_at or null     moves the amount to the escrow account
--   capture  hold_id, credit, amount                              moves a part of the hold to anybody
--   release  hold_id, amount or null for all that is left         moves it back to where it came from
CREATE TYPE ledger.step AS (
    kind text,
    debit text,
    credit text,
    unit text,
    amount bigint,
    hold_id uuid,
    expires_at timestamptz
);

-- code is 'posted', 'replayed' or the code of a refusal (ledger/rules.py); detail holds the refusal's fields.
CREATE TYPE ledger.verdict AS (
    code text,
    journal_id bigint,
    detail jsonb
);

-- ledger/sql/content.sql
-- What makes two journals the same. One definition serves posting, replaying and verifying.
-- Codes, reasons and references hold no control characters, so the separators cannot be forged.
-- No SET clause here: the planner inlines these, which keeps them at a fraction of a microsecond.

CREATE FUNCTION ledger.microseconds(p_at timestamptz) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN ((extract(epoch FROM p_at) * 1000000)::bigint)::text;

CREATE FUNCTION ledger.step_line(
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

CREATE FUNCTION ledger.fingerprint(
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
CREATE FUNCTION ledger.same_content(
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

-- ledger/sql/accounts.sql
-- Opening is idempotent and does not take the book's head, so a business transaction may do it at any point.

CREATE FUNCTION ledger.open_book(p_book bigint, p_now timestamptz) RETURNS boolean
    LANGUAGE sql VOLATILE SECURITY DEFINER
    SET search_path = ledger, pg_temp
AS $$
    INSERT INTO book (community_id, seq, at, opened_at) VALUES (p_book, 0, p_now, p_now)
    ON CONFLICT ON CONSTRAINT pk_book DO NOTHING
    RETURNING true
$$;

-- One verdict an account, in the order asked: 'opened', 'exists', or a refusal. account_id is null when refused.
CREATE FUNCTION ledger.open_accounts(
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
CREATE FUNCTION ledger.close_account(p_book bigint, p_code text, p_unit text, p_now timestamptz) RETURNS text
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

-- ledger/sql/reversal.sql
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

-- ledger/sql/post_batch.sql
-- The one writer. Takes journals in order, gives each its own verdict, and is the same as posting them one by one.
--
-- The book's head is locked first and kept to the commit. That serialises the posters of one book: no deadlock among
-- them, no gap in seq, and a hot account costs nothing. It is also what makes a replay safe: the lock is written
-- to the log, so the commit of a mere replay waits for the standby as long as the first posting does.
--
-- The plan settings belong to the function. A generic plan made while the tables were small would scan them for ever
-- after; look-ups are LATERAL … LIMIT 1 and never a join of two unnests, which a nested loop would do n times n.
CREATE FUNCTION ledger.post_batch(
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
    n integer := cardinality(p_reference);
    q0 bigint; q bigint; q1 bigint; v_at timestamptz; r record;
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
    i integer; k text; a bigint; d integer; c integer; h integer; rest bigint; fault text; detail jsonb; lines text;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        -- Later statements must see what the lock on the head waited for.
        RAISE EXCEPTION 'the ledger needs READ COMMITTED' USING ERRCODE = 'LB003';
    END IF;
    codes := '{}'; journal_ids := '{}'; details := '{}';
    IF n = 0 THEN
        RETURN;
    END IF;
    IF p_now IS NULL OR NOT isfinite(p_now) THEN
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
    SELECT b.seq, greatest(b.at, p_now) INTO q0, v_at FROM book b WHERE b.community_id = p_book FOR NO KEY UPDATE;
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
            effective[j] := p_now;
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
                IF xa[d] IS NULL THEN
                    fault := 'ledger.account_not_found'; detail := jsonb_build_object('account', vd[i], 'unit', vu[i]);
                ELSIF xa[c] IS NULL THEN
                    fault := 'ledger.account_not_found'; detail := jsonb_build_object('account', vc[i], 'unit', vu[i]);
                ELSIF xz[d] THEN
                    fault := 'ledger.account_closed'; detail := jsonb_build_object('account', vd[i], 'unit', vu[i]);
                ELSIF xz[c] AND k <> 'release' THEN
                    -- What was held before an account was closed can still come home.
                    fault := 'ledger.account_closed'; detail := jsonb_build_object('account', vc[i], 'unit', vu[i]);
                ELSIF xb[d] - a < xf[d] THEN
                    fault := 'ledger.insufficient_balance';
                    detail := jsonb_build_object('account', vd[i], 'unit', vu[i], 'asked', a, 'available', xb[d] - xf[d]);
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

-- ledger/sql/post.sql
-- One journal, for other SQL functions. The same core: there is no second way.

CREATE FUNCTION ledger.post(
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
CREATE FUNCTION ledger.reverse(
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

CREATE FUNCTION ledger.post_or_reverse(
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

-- ledger/sql/statement.sql
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

-- ledger/sql/grants.sql
-- The service may read everything and write by the functions alone; the auditor may read and recompute.
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA ledger FROM PUBLIC;
GRANT USAGE ON SCHEMA ledger TO linli_app, linli_audit;
GRANT SELECT ON ALL TABLES IN SCHEMA ledger TO linli_app, linli_audit;
GRANT EXECUTE ON FUNCTION
    ledger.open_book, ledger.open_accounts, ledger.close_account, ledger.post_batch, ledger.post, ledger.reverse
    TO linli_app;
GRANT EXECUTE ON FUNCTION
    ledger.statement, ledger.microseconds, ledger.step_line, ledger.fingerprint
    TO linli_app, linli_audit;
