-- Many scans at once, of one piece each: what a counter may plainly use is paid and written by a few statements for all of them.
--
-- The same rules as redemption.redeem, by the same functions. About whatever is not plain, a repeated scan and every refusal
-- among it, this is silent: redemption.redeem then looks into that scan alone. Returns what was used, NULL for the others, in
-- the order asked. Of two scans of one voucher or of one device only the first is looked at.
CREATE FUNCTION redemption.redeem_many(
    p_community bigint, p_device uuid[], p_nonce uuid[], p_voucher_id bigint[], p_code_seq int[], p_merchant uuid[],
    p_owner_group_of_clerk uuid[], p_clerk uuid[], p_scanned_at timestamptz[], p_now timestamptz
) RETURNS jsonb[]
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_hashjoin = off
    SET enable_mergejoin = off
    SET jit = off
AS $$
DECLARE
    v_held bigint[];
    v_plain int[];
    v_moving int[];
    v_counts int[];
    v_credit text[];
    v_unit text[];
    v_amount bigint[];
    v_hold uuid[];
    v_posted record;
    v_journals bigint[] := array_fill(NULL::bigint, ARRAY[cardinality(p_voucher_id)]);
    v_details jsonb[];
    v_written bigint;
BEGIN
    -- As everywhere: the vouchers first, in the order of their numbers, the head of the book last. One that somebody else holds is not
    -- waited for: its scan waits alone.
    v_held := ARRAY(SELECT v.voucher_id FROM redemption.voucher v
                     WHERE v.community_id = p_community AND v.voucher_id = ANY (p_voucher_id)
                     ORDER BY v.voucher_id FOR NO KEY UPDATE SKIP LOCKED);

    WITH asked AS MATERIALIZED (
        SELECT u.*, row_number() OVER (PARTITION BY u.voucher_id ORDER BY u.j) AS of_voucher, row_number() OVER (PARTITION BY u.device_id ORDER BY u.j) AS of_device
          FROM unnest(p_device, p_nonce, p_voucher_id, p_code_seq, p_merchant, p_owner_group_of_clerk, p_clerk)
               WITH ORDINALITY u (device_id, nonce, voucher_id, code_seq, merchant_id, owner_group, clerk_id, j)
    ), plain AS MATERIALIZED (
        SELECT a.j::int AS j, redemption.capture_steps(v.voucher, 1, a.merchant_id) AS steps
          FROM asked a
         CROSS JOIN LATERAL (SELECT x AS voucher FROM redemption.voucher x
                              WHERE x.community_id = p_community AND x.voucher_id = a.voucher_id LIMIT 1) v
         WHERE a.voucher_id = ANY (v_held) AND a.of_voucher = 1 AND a.of_device = 1 AND a.code_seq IS NOT NULL
           AND NOT EXISTS (SELECT FROM redemption.use u
                            WHERE u.community_id = p_community AND u.device_id = a.device_id AND u.nonce = a.nonce)
           AND NOT EXISTS (SELECT FROM redemption.offline_record o
                            WHERE o.community_id = p_community AND o.device_id = a.device_id AND o.nonce = a.nonce)
           AND NOT EXISTS (SELECT FROM redemption.device d
                            WHERE d.community_id = p_community AND d.device_id = a.device_id
                              AND (d.revoked_at IS NOT NULL OR d.merchant_id <> a.merchant_id))
           AND (redemption.redeem_refusal(v.voucher, a.code_seq, a.merchant_id, a.owner_group, a.clerk_id, 1, p_now, a.device_id)).code IS NULL
    ), step AS MATERIALIZED (
        SELECT p.j, s.credit, s.unit, s.amount, s.hold_id, s.place
          FROM plain p CROSS JOIN LATERAL unnest(p.steps) WITH ORDINALITY s (kind, debit, credit, unit, amount, hold_id, expires_at, place)
    )
    SELECT (SELECT array_agg(p.j ORDER BY p.j) FROM plain p),
           (SELECT array_agg(p.j ORDER BY p.j) FROM plain p WHERE cardinality(p.steps) > 0),
           (SELECT array_agg(cardinality(p.steps) ORDER BY p.j) FROM plain p WHERE cardinality(p.steps) > 0),
           array_agg(s.credit ORDER BY s.j, s.place), array_agg(s.unit ORDER BY s.j, s.place),
           array_agg(s.amount ORDER BY s.j, s.place), array_agg(s.hold_id ORDER BY s.j, s.place)
      INTO v_plain, v_moving, v_counts, v_credit, v_unit, v_amount, v_hold
      FROM step s;
    IF v_plain IS NULL THEN
        RETURN array_fill(NULL::jsonb, ARRAY[cardinality(p_voucher_id)]);
    END IF;

    -- A browser becomes a device by its first scan.
    INSERT INTO redemption.device (community_id, device_id, kind, registered_by, registered_at)
    SELECT p_community, p_device[g.j], 'browser', p_clerk[g.j], p_now FROM unnest(v_plain) g (j) ORDER BY p_device[g.j]
        ON CONFLICT DO NOTHING;

    IF v_moving IS NOT NULL THEN
        SELECT b.codes, b.journal_ids INTO v_posted
          FROM ledger.post_batch(
                   p_community, p_now,
                   ARRAY(SELECT 'redemption.use:' || p_device[g.j] || ':' || p_nonce[g.j] FROM unnest(v_moving) WITH ORDINALITY g (j, n) ORDER BY g.n),
                   array_fill('voucher_used'::text, ARRAY[cardinality(v_moving)]),
                   ARRAY(SELECT p_clerk[g.j] FROM unnest(v_moving) WITH ORDINALITY g (j, n) ORDER BY g.n),
                   array_fill(NULL::uuid, ARRAY[cardinality(v_moving)]), array_fill(p_now, ARRAY[cardinality(v_moving)]),
                   array_fill(NULL::text, ARRAY[cardinality(v_moving)]), v_counts,
                   array_fill('capture'::text, ARRAY[cardinality(v_hold)]), array_fill(NULL::text, ARRAY[cardinality(v_hold)]),
                   v_credit, v_unit, v_amount, v_hold, array_fill(NULL::timestamptz, ARRAY[cardinality(v_hold)])) b;
        FOR i IN 1..cardinality(v_moving) LOOP
            IF v_posted.codes[i] = 'posted' THEN
                v_journals[v_moving[i]] := v_posted.journal_ids[i];
            ELSE
                v_plain := array_remove(v_plain, v_moving[i]);
            END IF;
        END LOOP;
    END IF;

    WITH changed AS (
        UPDATE redemption.voucher v
           SET quantity_used = v.quantity_used + 1, use_seq = v.use_seq + 1, event_seq = v.event_seq + 1, changed_at = p_now,
               state = CASE WHEN redemption.open_quantity(v) = 1 THEN 'USED' ELSE 'PART_USED' END
          FROM unnest(v_plain) g (j)
         CROSS JOIN LATERAL (SELECT x.community_id, x.voucher_id, x.state FROM redemption.voucher x
                              WHERE x.community_id = p_community AND x.voucher_id = p_voucher_id[g.j] LIMIT 1) was
         WHERE v.community_id = was.community_id AND v.voucher_id = was.voucher_id
           AND v.state IN ('ISSUED', 'PART_USED') AND redemption.open_quantity(v) >= 1
        RETURNING g.j, v AS voucher, was.state AS from_state
    ), made AS (
        INSERT INTO redemption.use AS u (community_id, voucher_id, seq, device_id, nonce, merchant_id, clerk_id, quantity,
                                         points, subsidy_points, payable_fen, cash_fen, code_seq, state, scanned_at, received_at, journal_id)
        SELECT p_community, (c.voucher).voucher_id, (c.voucher).use_seq, p_device[c.j], p_nonce[c.j], p_merchant[c.j], p_clerk[c.j], 1,
               (c.voucher).points_each, (c.voucher).subsidy_points_each, (c.voucher).payable_fen_each, (c.voucher).cash_fen_each,
               p_code_seq[c.j], 'ACCEPTED', p_scanned_at[c.j], p_now, v_journals[c.j]
          FROM changed c ORDER BY c.j
        RETURNING u.voucher_id, u AS use
    ), noted AS (
        INSERT INTO redemption.voucher_event (community_id, voucher_id, number, action, from_state, to_state, actor_id, reason, at)
        SELECT p_community, (c.voucher).voucher_id, (c.voucher).event_seq, 'redeem', c.from_state, (c.voucher).state, p_clerk[c.j], 'scanned', p_now
          FROM changed c
    ), told AS (
        SELECT c.j, redemption.use_detail(c.voucher, m.use) AS detail
          FROM changed c JOIN made m ON m.voucher_id = (c.voucher).voucher_id
    )
    SELECT array_agg(t.detail ORDER BY g.j), count(t.detail) INTO v_details, v_written
      FROM generate_series(1, cardinality(p_voucher_id)) g (j) LEFT JOIN told t ON t.j = g.j;
    IF v_written <> cardinality(v_plain) THEN
        -- Paid, and not written: cannot be, the vouchers are held. The whole batch is undone, and each is asked alone.
        RAISE EXCEPTION 'a voucher that was held has changed' USING ERRCODE = 'LR001';
    END IF;
    RETURN v_details;
END $$;
