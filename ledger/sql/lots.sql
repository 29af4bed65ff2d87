-- Amounts that expire. What an account has of such a unit lies in lots, one for each moment at which something expires; the sum of an
-- account's lots is its balance (nothing while it is in debt). The first to expire is the first spent, a gift keeps its time, and
-- what comes back goes to the lot it came from. A unit without a policy has no lots, and its postings do not look at this file.
-- Days of grace are had once: the moment at which they end is written down (lot_grace), and what expires then, whoever has it
-- meanwhile and wherever it lies, has none when it comes back again.

-- When something expires that is earned now: never, at the end of the year, or of the day so many months later.
CREATE OR REPLACE FUNCTION ledger.lot_expiry(p_rule text, p_months integer, p_zone text, p_at timestamptz) RETURNS timestamptz
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN CASE p_rule
        WHEN 'never' THEN 'infinity'::timestamptz
        WHEN 'year' THEN (date_trunc('year', p_at AT TIME ZONE p_zone) + interval '1 year' + make_interval(months => p_months)) AT TIME ZONE p_zone
        WHEN 'months' THEN (date_trunc('day', p_at AT TIME ZONE p_zone) + interval '1 day' + make_interval(months => p_months)) AT TIME ZONE p_zone
    END;

-- From now on what is credited to accounts of this unit whose code begins with the prefix expires by this rule. Whatever they have
-- when the first rule comes counts as earned at that moment, and so does what they have on hold. 'set', 'exists', or a refusal.
CREATE OR REPLACE FUNCTION ledger.set_expiry(
    p_book bigint, p_unit text, p_prefix text, p_rule text, p_months integer, p_grace_days integer, p_zone text,
    p_actor uuid, p_now timestamptz
) RETURNS text
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = ledger, pg_temp
AS $$
DECLARE
    v_seq bigint;
    v_at timestamptz;
    v_last lot_policy;
    v_expires timestamptz;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'the ledger needs READ COMMITTED' USING ERRCODE = 'LB003';
    END IF;
    IF NOT EXISTS (SELECT FROM unit u WHERE u.code = p_unit) THEN
        RETURN 'ledger.unit_not_found';
    ELSIF p_rule IS NULL OR p_rule NOT IN ('never', 'year', 'months') OR p_months IS NULL OR p_months NOT BETWEEN 0 AND 1200
          OR (p_rule = 'months' AND p_months = 0) OR p_grace_days IS NULL OR p_grace_days NOT BETWEEN 0 AND 3660
          OR p_prefix IS NULL OR p_prefix = '' OR char_length(p_prefix) > 200 OR starts_with('escrow', p_prefix)
          OR starts_with('expired', p_prefix) OR NOT EXISTS (SELECT FROM pg_timezone_names z WHERE z.name = p_zone) THEN
        RETURN 'ledger.expiry_malformed';
    END IF;
    -- Opening does not take the head, so it comes before.
    PERFORM open_accounts(p_book, ARRAY['expired'], ARRAY[p_unit], ARRAY[NULL::bigint], ARRAY[NULL::bigint], p_now);
    SELECT b.seq, greatest(b.at, p_now) INTO v_seq, v_at FROM book b WHERE b.community_id = p_book FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN 'ledger.book_not_found';
    END IF;
    SELECT p.* INTO v_last FROM lot_policy p
    WHERE p.community_id = p_book AND p.unit = p_unit ORDER BY p.number DESC LIMIT 1;
    IF v_last.prefix <> p_prefix THEN
        RETURN 'ledger.expiry_malformed';
    ELSIF (v_last.rule, v_last.months, v_last.grace_days, v_last.zone) = (p_rule, p_months, p_grace_days, p_zone) THEN
        RETURN 'exists';
    END IF;
    INSERT INTO lot_policy (community_id, unit, number, prefix, rule, months, grace_days, zone, seq, actor_id, set_at)
    VALUES (p_book, p_unit, coalesce(v_last.number, 0) + 1, p_prefix, p_rule, p_months, p_grace_days, p_zone, v_seq, p_actor, v_at);
    IF v_last.number IS NULL THEN
        v_expires := lot_expiry(p_rule, p_months, p_zone, v_at);
        INSERT INTO lot (community_id, account_id, expires_at, amount)
        SELECT p_book, a.account_id, v_expires, a.balance FROM account a
        WHERE a.community_id = p_book AND a.unit = p_unit AND starts_with(a.code, p_prefix) AND a.balance > 0;
        INSERT INTO lot_move (community_id, seq, account_id, expires_at, amount)
        SELECT p_book, v_seq, l.account_id, l.expires_at, l.amount FROM lot l
        JOIN account a ON a.community_id = p_book AND a.account_id = l.account_id AND a.unit = p_unit
        WHERE l.community_id = p_book;
        INSERT INTO hold_lot (community_id, hold_id, expires_at, amount, captured, released, refunded)
        SELECT p_book, h.hold_id, v_expires, h.amount, h.captured, h.released, h.refunded FROM hold h
        JOIN account a ON a.community_id = p_book AND a.account_id = h.account_id AND starts_with(a.code, p_prefix)
        WHERE h.community_id = p_book AND h.unit = p_unit;
    END IF;
    UPDATE book b SET at = v_at, has_lots = true WHERE b.community_id = p_book;
    RETURN 'set';
END
$$;

-- Takes an amount out of an account's lots, as far as there is any, and says which. p_first are taken before all others.
CREATE OR REPLACE FUNCTION ledger.take_lots(
    p_book bigint, p_seq bigint, p_account bigint, p_amount bigint, p_at timestamptz, p_sweep boolean,
    p_first timestamptz[], OUT expires timestamptz[], OUT amounts bigint[]
)
    LANGUAGE plpgsql VOLATILE
    SET search_path = ledger, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
AS $$
DECLARE
    l record;
    part bigint;
BEGIN
    expires := '{}'; amounts := '{}';
    FOR l IN
        SELECT x.expires_at, x.amount FROM lot x
        WHERE x.community_id = p_book AND x.account_id = p_account
        -- What just came back, then what lives, then what is over; a sweep takes what is over.
        ORDER BY (x.expires_at = ANY (p_first)) DESC, NOT p_sweep AND x.expires_at <= p_at, x.expires_at
    LOOP
        EXIT WHEN p_amount = 0;
        part := least(l.amount, p_amount);
        IF part = l.amount THEN
            DELETE FROM lot x
            WHERE x.community_id = p_book AND x.account_id = p_account AND x.expires_at = l.expires_at;
        ELSE
            UPDATE lot x SET amount = x.amount - part
            WHERE x.community_id = p_book AND x.account_id = p_account AND x.expires_at = l.expires_at;
        END IF;
        INSERT INTO lot_move (community_id, seq, account_id, expires_at, amount) VALUES (p_book, p_seq, p_account, l.expires_at, -part);
        expires := expires || l.expires_at; amounts := amounts || part; p_amount := p_amount - part;
    END LOOP;
END
$$;

-- Puts parts into an account's lots. What pays a debt off goes into none, and that is the part that would expire first.
CREATE OR REPLACE FUNCTION ledger.fill_lots(
    p_book bigint, p_seq bigint, p_account bigint, p_debt bigint, p_expires timestamptz[], p_amounts bigint[]
) RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = ledger, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
AS $$
DECLARE
    l record;
    part bigint;
BEGIN
    FOR l IN
        SELECT u.expires, sum(u.amount)::bigint AS amount FROM unnest(p_expires, p_amounts) u(expires, amount)
        GROUP BY u.expires ORDER BY u.expires
    LOOP
        part := least(l.amount, p_debt);
        p_debt := p_debt - part;
        CONTINUE WHEN l.amount = part;
        INSERT INTO lot AS x (community_id, account_id, expires_at, amount)
        VALUES (p_book, p_account, l.expires, l.amount - part)
        ON CONFLICT ON CONSTRAINT pk_lot DO UPDATE SET amount = x.amount + excluded.amount;
        INSERT INTO lot_move AS x (community_id, seq, account_id, expires_at, amount)
        VALUES (p_book, p_seq, p_account, l.expires, l.amount - part);
    END LOOP;
END
$$;

-- Follows the transfers of a batch through the lots, one by one, after they were decided and written.
CREATE OR REPLACE FUNCTION ledger.move_lots(p_book bigint, p_after bigint, p_at timestamptz) RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = ledger, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_hashjoin = off
    SET enable_mergejoin = off
AS $$
DECLARE
    t record;
    l record;
    expires timestamptz[];
    amounts bigint[];
    rest bigint;
    part bigint;
    v_debt bigint;
    v_grace timestamptz;
BEGIN
    FOR t IN
        SELECT x.seq, x.journal_id, x.kind, x.amount, x.hold_id, x.debit, x.credit, x.debit_balance, x.credit_balance,
               j.reverses, o.transfers AS original_transfers, p.rule, p.months, p.zone, p.grace_days,
               starts_with(d.code, p.prefix) AS takes, starts_with(c.code, p.prefix) AS fills, c.code = 'expired' AS sweeps
        FROM transfer x
        CROSS JOIN LATERAL (SELECT y.* FROM lot_policy y WHERE y.community_id = p_book AND y.unit = x.unit
                            ORDER BY y.number DESC LIMIT 1) p
        CROSS JOIN LATERAL (SELECT y.code FROM account y WHERE y.community_id = p_book AND y.account_id = x.debit LIMIT 1) d
        CROSS JOIN LATERAL (SELECT y.code FROM account y WHERE y.community_id = p_book AND y.account_id = x.credit LIMIT 1) c
        CROSS JOIN LATERAL (SELECT y.reverses FROM transfer y WHERE y.community_id = p_book AND y.seq = x.journal_id LIMIT 1) j
        LEFT JOIN LATERAL (SELECT y.transfers FROM transfer y WHERE y.community_id = p_book AND y.seq = j.reverses LIMIT 1) o ON true
        WHERE x.community_id = p_book AND x.seq > p_after
        ORDER BY x.seq
    LOOP
        expires := NULL; amounts := NULL;
        IF t.takes THEN
            -- An undone earning comes out of the lot it made; what came back within this journal goes again before anything else.
            SELECT k.expires, k.amounts INTO expires, amounts FROM take_lots(p_book, t.seq, t.debit, t.amount, p_at, t.sweeps, (
                SELECT array_agg(m.expires_at) FROM lot_move m
                WHERE m.community_id = p_book AND m.account_id = t.debit AND m.amount > 0
                  AND m.seq >= coalesce(t.reverses, t.journal_id) AND m.seq < coalesce(t.reverses + t.original_transfers, t.seq)
                  AND (t.reverses IS NOT NULL
                       OR (SELECT y.kind FROM transfer y WHERE y.community_id = p_book AND y.seq = m.seq LIMIT 1) IN ('release', 'refund')))) k;
        END IF;
        IF t.kind = 'hold' THEN
            INSERT INTO hold_lot (community_id, hold_id, expires_at, amount, captured, released, refunded)
            SELECT p_book, t.hold_id, u.expires, u.amount, 0, 0, 0 FROM unnest(expires, amounts) u(expires, amount)
            UNION ALL
            -- What came out of no lot is owed.
            SELECT p_book, t.hold_id, '-infinity', u.owed, 0, 0, 0
            FROM (SELECT t.amount - coalesce(sum(x), 0) AS owed FROM unnest(amounts) x) u WHERE t.takes AND u.owed > 0;
        ELSIF t.hold_id IS NOT NULL THEN
            -- A capture takes what expires first, and what is owed last; what is given back or refunded goes the other way.
            expires := '{}'; amounts := '{}'; rest := t.amount;
            FOR l IN
                SELECT h.expires_at, CASE t.kind WHEN 'refund' THEN h.captured - h.refunded
                                                 ELSE h.amount - h.captured - h.released END AS room
                FROM hold_lot h WHERE h.community_id = p_book AND h.hold_id = t.hold_id
                ORDER BY (h.expires_at = '-infinity') = (t.kind = 'capture'),
                         CASE WHEN t.kind = 'capture' THEN h.expires_at END, h.expires_at DESC
            LOOP
                part := least(l.room, rest);
                CONTINUE WHEN part = 0;
                UPDATE hold_lot h SET captured = h.captured + CASE t.kind WHEN 'capture' THEN part ELSE 0 END,
                                      released = h.released + CASE t.kind WHEN 'release' THEN part ELSE 0 END,
                                      refunded = h.refunded + CASE t.kind WHEN 'refund' THEN part ELSE 0 END
                WHERE h.community_id = p_book AND h.hold_id = t.hold_id AND h.expires_at = l.expires_at;
                rest := rest - part;
                CONTINUE WHEN l.expires_at = '-infinity';
                expires := expires || l.expires_at; amounts := amounts || part;
            END LOOP;
        ELSIF t.fills AND t.reverses IS NOT NULL THEN
            -- What an undone spending took goes back to the lots it came from, the last to expire first.
            expires := '{}'; amounts := '{}'; rest := t.amount;
            FOR l IN
                SELECT g.expires_at, -sum(g.amount)::bigint AS room FROM (
                    SELECT m.expires_at, m.amount FROM lot_move m
                    WHERE m.community_id = p_book AND m.seq >= t.reverses AND m.seq < t.reverses + t.original_transfers
                      AND m.account_id = t.credit AND m.amount < 0
                    UNION ALL
                    SELECT m.expires_at, m.amount FROM lot_move m
                    WHERE m.community_id = p_book AND m.seq >= t.journal_id AND m.seq < t.seq AND m.account_id = t.credit AND m.amount > 0) g
                GROUP BY g.expires_at HAVING sum(g.amount) < 0 ORDER BY g.expires_at DESC
            LOOP
                part := least(l.room, rest);
                CONTINUE WHEN part = 0;
                expires := expires || l.expires_at; amounts := amounts || part; rest := rest - part;
            END LOOP;
        END IF;
        IF t.fills THEN
            v_debt := greatest(t.amount - t.credit_balance, 0);
            rest := t.amount - coalesce((SELECT sum(u) FROM unnest(amounts) u), 0);
            IF t.kind IN ('release', 'refund') THEN
                -- What was owed pays the debt before anything else, or a hold would make old points young.
                part := least(rest, v_debt);
                rest := rest - part; v_debt := v_debt - part;
            END IF;
            -- What comes from no lot is new.
            IF rest > 0 THEN
                expires := expires || lot_expiry(t.rule, t.months, t.zone, p_at); amounts := amounts || rest;
            END IF;
            IF t.grace_days > 0 AND (t.kind IN ('release', 'refund') OR t.reverses IS NOT NULL) THEN
                v_grace := p_at + make_interval(hours => 24 * t.grace_days);
                IF v_grace = date_trunc('minute', v_grace) THEN
                    -- By a rule things expire when a day begins. Nothing that expires by a rule shall share the moment.
                    v_grace := v_grace + interval '1 microsecond';
                END IF;
                FOR i IN 1..coalesce(cardinality(expires), 0) LOOP
                    IF expires[i] <= p_at
                       AND NOT EXISTS (SELECT FROM lot_grace g WHERE g.community_id = p_book AND g.expires_at = expires[i]) THEN
                        expires[i] := v_grace;
                        INSERT INTO lot_grace AS x (community_id, expires_at, seq) VALUES (p_book, v_grace, t.seq)
                        ON CONFLICT ON CONSTRAINT pk_lot_grace DO NOTHING;
                    END IF;
                END LOOP;
            END IF;
            PERFORM fill_lots(p_book, t.seq, t.credit, v_debt, expires, amounts);
        END IF;
    END LOOP;
END
$$;

-- Takes away what is over, account by account, to the account 'expired'; the oldest accounts first, as many as asked. Each is a
-- journal of its own, posted or refused like any other. p_after is the last account that was already tried.
CREATE OR REPLACE FUNCTION ledger.expire_lots(
    p_book bigint, p_reason text, p_actor uuid, p_after bigint, p_limit integer, p_now timestamptz,
    OUT account_ids bigint[], OUT units text[], OUT account_codes text[], OUT amounts bigint[], OUT codes text[], OUT journal_ids bigint[],
    OUT details jsonb[]
)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = ledger, pg_temp
    SET enable_seqscan = off
    SET enable_hashjoin = off
    SET enable_mergejoin = off
AS $$
DECLARE
    v_at timestamptz;
    v_references text[];
    n integer;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'the ledger needs READ COMMITTED' USING ERRCODE = 'LB003';
    END IF;
    SELECT greatest(b.at, p_now) INTO v_at FROM book b WHERE b.community_id = p_book FOR NO KEY UPDATE;
    SELECT array_agg(x.account_id ORDER BY x.account_id), array_agg(x.unit ORDER BY x.account_id),
           array_agg(x.code ORDER BY x.account_id), array_agg(x.amount ORDER BY x.account_id),
           -- The version moves with every posting, so a lot into which something came back later can expire again.
           array_agg('lots:' || x.account_id || ':' || x.version ORDER BY x.account_id)
    INTO account_ids, units, account_codes, amounts, v_references
    FROM (SELECT o.account_id, o.amount, a.unit, a.code, a.version
          FROM (SELECT l.account_id, sum(l.amount)::bigint AS amount FROM lot l
                WHERE l.community_id = p_book AND l.expires_at <= v_at AND l.account_id > coalesce(p_after, 0)
                GROUP BY l.account_id ORDER BY l.account_id LIMIT p_limit) o
          CROSS JOIN LATERAL (SELECT y.* FROM account y WHERE y.community_id = p_book AND y.account_id = o.account_id LIMIT 1) a) x;
    n := cardinality(account_ids);
    IF n IS NULL THEN
        account_ids := '{}'; units := '{}'; account_codes := '{}'; amounts := '{}'; codes := '{}'; journal_ids := '{}'; details := '{}';
        RETURN;
    END IF;
    SELECT b.codes, b.journal_ids, b.details INTO codes, journal_ids, details
    FROM post_batch(
        p_book, p_now, v_references, array_fill(p_reason, ARRAY[n]), array_fill(p_actor, ARRAY[n]), array_fill(NULL::uuid, ARRAY[n]),
        array_fill(NULL::timestamptz, ARRAY[n]), array_fill(NULL::text, ARRAY[n]), array_fill(1, ARRAY[n]),
        array_fill('post'::text, ARRAY[n]), account_codes, array_fill('expired'::text, ARRAY[n]), units, amounts,
        array_fill(NULL::uuid, ARRAY[n]), array_fill(NULL::timestamptz, ARRAY[n])) b;
END
$$;

REVOKE ALL ON FUNCTION ledger.lot_expiry, ledger.set_expiry, ledger.take_lots, ledger.fill_lots, ledger.move_lots, ledger.expire_lots FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.set_expiry, ledger.expire_lots TO linli_app;
GRANT EXECUTE ON FUNCTION ledger.lot_expiry TO linli_app, linli_audit;
GRANT SELECT ON ledger.lot, ledger.lot_move, ledger.lot_policy, ledger.hold_lot, ledger.lot_grace TO linli_app, linli_audit;
