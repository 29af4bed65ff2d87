-- As it was.

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
            SELECT p_book, t.hold_id, u.expires, u.amount, 0, 0, 0 FROM unnest(expires, amounts) u(expires, amount);
        ELSIF t.hold_id IS NOT NULL THEN
            -- A capture takes what expires first; what is given back or refunded is what expires last.
            expires := '{}'; amounts := '{}'; rest := t.amount;
            FOR l IN
                SELECT h.expires_at, CASE t.kind WHEN 'refund' THEN h.captured - h.refunded
                                                 ELSE h.amount - h.captured - h.released END AS room
                FROM hold_lot h WHERE h.community_id = p_book AND h.hold_id = t.hold_id
                ORDER BY CASE WHEN t.kind = 'capture' THEN h.expires_at END, h.expires_at DESC
            LOOP
                part := least(l.room, rest);
                CONTINUE WHEN part = 0;
                UPDATE hold_lot h SET captured = h.captured + CASE t.kind WHEN 'capture' THEN part ELSE 0 END,
                                      released = h.released + CASE t.kind WHEN 'release' THEN part ELSE 0 END,
                                      refunded = h.refunded + CASE t.kind WHEN 'refund' THEN part ELSE 0 END
                WHERE h.community_id = p_book AND h.hold_id = t.hold_id AND h.expires_at = l.expires_at;
                expires := expires || l.expires_at; amounts := amounts || part; rest := rest - part;
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
            -- What comes from no lot is new.
            rest := t.amount - coalesce((SELECT sum(u) FROM unnest(amounts) u), 0);
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
            PERFORM fill_lots(p_book, t.seq, t.credit, greatest(t.amount - t.credit_balance, 0), expires, amounts);
        END IF;
    END LOOP;
END
$$;

DELETE FROM ledger.hold_lot WHERE expires_at = '-infinity';
