-- Many records of a phone at once: what is plainly accepted is paid and written by a few statements for all of them.
--
-- The same rules as redemption.merge_record, by the same functions, and in the same order: only records that follow each other in the phone's
-- chain and in the upload go together, so that the books are as if each had come alone. Whatever is not plain is merged by itself.

-- When a record was made, as far as we believe it: by the phone's trusted time, never before what it wrote earlier and never after now.
CREATE FUNCTION redemption.scanned_at(p_claimed timestamptz, p_log_at timestamptz, p_now timestamptz) RETURNS timestamptz
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT least(p_now, greatest(p_claimed, p_log_at))
$$;

-- The phone's word for when it wrote a record, but what it wrote after it had last told us how far its log goes is not from before that.
CREATE FUNCTION redemption.believed_at(p_device redemption.device, p_seq bigint, p_claimed timestamptz) RETURNS timestamptz
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN p_seq > p_device.said_seq THEN p_claimed + greatest(interval '0', p_device.said_at - p_claimed) ELSE p_claimed END
$$;

-- When the phone had last heard of us before a scan.
CREATE FUNCTION redemption.heard_at(p_device redemption.device, p_mono text, p_scanned timestamptz) RETURNS timestamptz
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(p_scanned - make_interval(secs => p_mono::double precision / 1000), least(p_device.seen_at, p_scanned), p_device.registered_at)
$$;

-- Which records are plain, by their places: scanned at that moment, new to us, their voucher named once in this upload and judged accepted
-- as it stands. ends is the place up to which such records follow each other without a gap. NULL for all others.
-- What no other record of the upload can change is judged here; the moments are right as long as every record before gets an answer, which
-- the caller looks at.
CREATE FUNCTION redemption.plain_records(
    p_device redemption.device, p_records jsonb, p_undone text[], p_now timestamptz, p_terms jsonb, OUT scanned timestamptz[], OUT ends int[]
)
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_hashjoin = off
    SET enable_mergejoin = off
    SET jit = off
AS $$
BEGIN
    WITH sent AS MATERIALIZED (
        SELECT r.place::int AS place, r.value AS record, (r.value ->> 'nonce')::uuid AS nonce, (r.value ->> 'voucher')::bigint AS voucher_id,
               (r.value ->> 'quantity')::int AS quantity,
               redemption.believed_at(p_device, (r.value ->> 'seq')::bigint, to_timestamp((r.value ->> 'trusted_at')::numeric / 1000)) AS claimed,
               r.value ->> 'undoes' IS NULL AND r.value ->> 'is_unread' IS NULL
               AND NOT coalesce((r.value ->> 'nonce') || ' ' || (r.value ->> 'voucher') = ANY (p_undone), true)
               AND NOT r.value -> 'flags' ?| '{gap,fork,clock_back}' AS is_scan
          FROM jsonb_array_elements(p_records) WITH ORDINALITY r (value, place)
    ), seen AS MATERIALIZED (
        SELECT s.*, EXISTS (SELECT FROM redemption.offline_record o WHERE o.community_id = p_device.community_id AND o.device_id = p_device.device_id
                                                                      AND o.nonce = s.nonce) AS is_known
          FROM sent s
    ), alone AS MATERIALIZED (
        SELECT s.*, count(*) OVER (PARTITION BY s.voucher_id) = 1 AND count(*) OVER (PARTITION BY s.nonce) = 1 AS is_once,
               redemption.scanned_at(max(s.claimed) FILTER (WHERE NOT s.is_known) OVER (ORDER BY s.place), p_device.log_at, p_now) AS scanned
          FROM seen s
    ), judged AS MATERIALIZED (
        SELECT a.place, a.record, a.scanned,
               a.is_scan AND a.is_once AND NOT a.is_known AND a.quantity > 0 AND a.claimed IS NOT NULL
               AND NOT EXISTS (SELECT FROM redemption.use u WHERE u.community_id = p_device.community_id AND u.device_id = p_device.device_id
                                                              AND u.nonce = a.nonce)
               AND coalesce((SELECT redemption.judge_record(p_device, a.record, v, a.scanned, redemption.heard_at(p_device, a.record ->> 'mono', a.scanned),
                                                            p_now, p_terms) ->> 'verdict' = 'accepted'
                               FROM redemption.voucher v
                              WHERE v.community_id = p_device.community_id AND v.voucher_id = a.voucher_id AND v.state IN ('ISSUED', 'PART_USED')
                              LIMIT 1), false) AS is_plain
          FROM alone a
    ), cut AS (
        SELECT j.place, j.scanned, j.is_plain,
               sum(CASE WHEN j.is_plain AND lag_plain AND linked THEN 0 ELSE 1 END) OVER (ORDER BY j.place) AS run
          FROM (SELECT d.*, lag(d.is_plain) OVER w AS lag_plain,
                       (d.record ->> 'seq')::bigint = (lag(d.record) OVER w ->> 'seq')::bigint + 1
                       AND d.record ->> 'prev' = lag(d.record) OVER w ->> 'hash' AS linked
                  FROM judged d WINDOW w AS (ORDER BY d.place)) j
    )
    SELECT array_agg(CASE WHEN c.is_plain THEN c.scanned END ORDER BY c.place), array_agg(CASE WHEN c.is_plain THEN c.until END ORDER BY c.place)
      INTO scanned, ends
      FROM (SELECT x.*, (max(x.place) OVER (PARTITION BY x.run))::int AS until FROM cut x) c;
EXCEPTION WHEN data_exception THEN
    -- One of them cannot be read so: each is then looked at for itself.
    scanned := NULL; ends := NULL;
END $$;

-- Merges plain records that follow each other, p_scanned saying when each was made. Answers as redemption.merge_record would, in their order.
-- NULL, and nothing is done, when the books refuse one or something is wrong with one: then each is merged by itself.
-- The caller holds the vouchers, the device and the month's losses.
CREATE FUNCTION redemption.merge_plain(p_device redemption.device, p_records jsonb[], p_scanned timestamptz[], p_now timestamptz) RETURNS jsonb[]
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_hashjoin = off
    SET enable_mergejoin = off
    SET jit = off
AS $$
DECLARE
    v_moving int[];
    v_counts int[];
    v_hold uuid[];
    v_unit text[];
    v_amount bigint[];
    v_credit text[];
    v_posted record;
    v_journals bigint[] := array_fill(NULL::bigint, ARRAY[cardinality(p_records)]);
    v_answers jsonb[];
BEGIN
    WITH paid AS MATERIALIZED (
        SELECT u.j::int AS j, redemption.capture_steps(v.voucher, (u.record ->> 'quantity')::int, p_device.merchant_id) AS steps
          FROM unnest(p_records) WITH ORDINALITY u (record, j)
         CROSS JOIN LATERAL (SELECT x AS voucher FROM redemption.voucher x
                              WHERE x.community_id = p_device.community_id AND x.voucher_id = (u.record ->> 'voucher')::bigint LIMIT 1) v
    ), step AS MATERIALIZED (
        SELECT p.j, s.credit, s.unit, s.amount, s.hold_id, s.place
          FROM paid p CROSS JOIN LATERAL unnest(p.steps) WITH ORDINALITY s (kind, debit, credit, unit, amount, hold_id, expires_at, place)
    )
    SELECT (SELECT array_agg(p.j ORDER BY p.j) FROM paid p WHERE cardinality(p.steps) > 0),
           (SELECT array_agg(cardinality(p.steps) ORDER BY p.j) FROM paid p WHERE cardinality(p.steps) > 0),
           array_agg(s.credit ORDER BY s.j, s.place), array_agg(s.unit ORDER BY s.j, s.place),
           array_agg(s.amount ORDER BY s.j, s.place), array_agg(s.hold_id ORDER BY s.j, s.place)
      INTO v_moving, v_counts, v_credit, v_unit, v_amount, v_hold
      FROM step s;

    IF v_moving IS NOT NULL THEN
        SELECT b.codes, b.journal_ids INTO v_posted
          FROM ledger.post_batch(
                   p_device.community_id, p_now,
                   ARRAY(SELECT 'redemption.use:' || p_device.device_id || ':' || (p_records[g.j] ->> 'nonce')::uuid
                           FROM unnest(v_moving) WITH ORDINALITY g (j, n) ORDER BY g.n),
                   array_fill('voucher_used'::text, ARRAY[cardinality(v_moving)]),
                   ARRAY(SELECT (p_records[g.j] ->> 'clerk')::uuid FROM unnest(v_moving) WITH ORDINALITY g (j, n) ORDER BY g.n),
                   array_fill(NULL::uuid, ARRAY[cardinality(v_moving)]), array_fill(p_now, ARRAY[cardinality(v_moving)]),
                   array_fill(NULL::text, ARRAY[cardinality(v_moving)]), v_counts,
                   array_fill('capture'::text, ARRAY[cardinality(v_hold)]), array_fill(NULL::text, ARRAY[cardinality(v_hold)]),
                   v_credit, v_unit, v_amount, v_hold, array_fill(NULL::timestamptz, ARRAY[cardinality(v_hold)])) b;
        IF v_posted.codes <> array_fill('posted'::text, ARRAY[cardinality(v_moving)]) THEN
            RAISE EXCEPTION 'the books refuse one of them';
        END IF;
        FOR i IN 1..cardinality(v_moving) LOOP
            v_journals[v_moving[i]] := v_posted.journal_ids[i];
        END LOOP;
    END IF;

    WITH asked AS MATERIALIZED (
        SELECT u.j::int AS j, u.record, u.scanned, (u.record ->> 'nonce')::uuid AS nonce, (u.record ->> 'voucher')::bigint AS voucher_id,
               (u.record ->> 'quantity')::int AS quantity, (u.record ->> 'clerk')::uuid AS clerk_id
          FROM unnest(p_records, p_scanned) WITH ORDINALITY u (record, scanned, j)
    ), changed AS (
        UPDATE redemption.voucher v
           SET quantity_used = v.quantity_used + was.quantity, use_seq = v.use_seq + 1, event_seq = v.event_seq + 1, changed_at = p_now,
               state = CASE WHEN redemption.open_quantity(v) = was.quantity THEN 'USED' ELSE 'PART_USED' END
          FROM (SELECT a.*, x.community_id, x.state AS from_state
                  FROM asked a
                 CROSS JOIN LATERAL (SELECT y.community_id, y.state FROM redemption.voucher y
                                      WHERE y.community_id = p_device.community_id AND y.voucher_id = a.voucher_id LIMIT 1) x) was
         WHERE v.community_id = was.community_id AND v.voucher_id = was.voucher_id
           AND v.state IN ('ISSUED', 'PART_USED') AND redemption.open_quantity(v) >= was.quantity
        RETURNING was.j, was.record, was.scanned, was.nonce, was.quantity, was.clerk_id, was.from_state, v AS voucher
    ), made AS (
        INSERT INTO redemption.use AS u (community_id, voucher_id, seq, device_id, nonce, merchant_id, clerk_id, quantity,
                                         points, subsidy_points, payable_fen, cash_fen, code_seq, state, scanned_at, received_at, journal_id)
        SELECT p_device.community_id, (c.voucher).voucher_id, (c.voucher).use_seq, p_device.device_id, c.nonce, p_device.merchant_id, c.clerk_id, c.quantity,
               c.quantity::bigint * (c.voucher).points_each, c.quantity::bigint * (c.voucher).subsidy_points_each,
               c.quantity * (c.voucher).payable_fen_each, c.quantity * (c.voucher).cash_fen_each,
               (c.record ->> 'code_seq')::int, 'ACCEPTED', c.scanned, p_now, v_journals[c.j]
          FROM changed c ORDER BY c.j
        RETURNING u.voucher_id, u AS use
    ), noted AS (
        INSERT INTO redemption.voucher_event (community_id, voucher_id, number, action, from_state, to_state, actor_id, reason, at)
        SELECT p_device.community_id, (c.voucher).voucher_id, (c.voucher).event_seq, 'merge', c.from_state, (c.voucher).state, c.clerk_id, 'scanned', p_now
          FROM changed c ORDER BY c.j
    ), kept AS (
        INSERT INTO redemption.offline_record (community_id, device_id, nonce, seq, hash, text, voucher_id, quantity, merchant_id, clerk_id, lease_id,
                                               offline_class, scanned_at, claimed_at, received_at, flags, verdict, reason, use_seq, value_fen, heard_at)
        SELECT p_device.community_id, p_device.device_id, c.nonce, (c.record ->> 'seq')::bigint, decode(c.record ->> 'hash', 'hex'), c.record ->> 'text',
               (c.voucher).voucher_id, c.quantity, p_device.merchant_id, c.clerk_id, (c.record ->> 'lease')::uuid, (c.voucher).offline_class,
               c.scanned, to_timestamp((c.record ->> 'trusted_at')::numeric / 1000), p_now,
               ARRAY(SELECT jsonb_array_elements_text(c.record -> 'flags')), 'accepted', 'accepted', (c.voucher).use_seq,
               redemption.value_fen(c.voucher) * c.quantity, redemption.heard_at(p_device, c.record ->> 'mono', c.scanned)
          FROM changed c ORDER BY c.j
    )
    SELECT array_agg(redemption.concluded('accepted', 'accepted') || d.detail
                     || jsonb_build_object('use_seq', d.detail -> 'seq', 'nonce', c.nonce, 'scanned_at', c.scanned) ORDER BY c.j)
      INTO v_answers
      FROM changed c
      JOIN made m ON m.voucher_id = (c.voucher).voucher_id
     CROSS JOIN LATERAL (SELECT redemption.use_detail(c.voucher, m.use) AS detail OFFSET 0) d;
    IF cardinality(v_answers) IS DISTINCT FROM cardinality(p_records) THEN
        RAISE EXCEPTION 'one of them is not as it was judged';
    END IF;
    RETURN v_answers;
EXCEPTION WHEN OTHERS THEN
    -- As for one record: only what is wrong with the records themselves; a cut connection or a deadlock is the whole upload's.
    IF left(SQLSTATE, 2) NOT IN ('22', '23', 'P0') THEN
        RAISE;
    END IF;
    RETURN NULL;
END $$;
