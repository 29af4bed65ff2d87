-- The watch over uses: what looks odd is kept out of a batch until somebody has looked. Computed in sets, never while a scan waits.

-- Every use of the running batch that a rule points at, with the figure that was seen and the one that is allowed. What a rule counts
-- in a day counts all of the day, settled or not. rules/watch.py says each rule in words. p_watch: zone, hours_grace_minutes,
-- seconds_between, member_per_day, sigmas, typed_fen_per_day; a rule whose figure is 0 or missing is off.
CREATE FUNCTION redemption.suspicions(p_community bigint, p_merchant uuid, p_until timestamptz, p_watch jsonb)
RETURNS TABLE (voucher_id bigint, use_seq int, rule text, seen bigint, allowed bigint)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH limits AS (
        SELECT coalesce(p_watch ->> 'zone', 'UTC') AS zone, (p_watch ->> 'hours_grace_minutes')::int AS grace,
               nullif((p_watch ->> 'seconds_between')::int, 0) AS seconds, nullif((p_watch ->> 'member_per_day')::bigint, 0) AS member,
               nullif((p_watch ->> 'sigmas')::int, 0) AS sigmas, nullif((p_watch ->> 'typed_fen_per_day')::bigint, 0) AS typed
         WHERE p_watch IS NOT NULL
    ), hours AS MATERIALIZED (
        SELECT o.effective_from, o.weekday, o.opens, o.closes,
               coalesce((SELECT min(x.effective_from) FROM redemption.opening x
                          WHERE x.community_id = o.community_id AND x.merchant_id = o.merchant_id AND x.effective_from > o.effective_from),
                        'infinity') AS effective_until
          FROM redemption.opening o WHERE o.community_id = p_community AND o.merchant_id = p_merchant
    ), began AS (
        SELECT date_trunc('day', min(u.received_at), l.zone) AS at
          FROM limits l
          JOIN redemption.use u ON u.community_id = p_community AND u.merchant_id = p_merchant AND u.state = 'ACCEPTED' AND u.received_at < p_until
         WHERE NOT EXISTS (SELECT FROM redemption.alarm a
                            WHERE a.community_id = u.community_id AND a.voucher_id = u.voucher_id AND a.use_seq = u.seq)
         GROUP BY l.zone
    ), usual AS (
        -- Of a shop that is not known yet nobody can say what is usual: ten days with uses among the sixty before.
        SELECT greatest(10, ceil(avg(d.n) + l.sigmas * stddev_samp(d.n)))::bigint AS uses
          FROM limits l
         CROSS JOIN LATERAL (
               SELECT count(*) AS n FROM redemption.use u, began b
                WHERE u.community_id = p_community AND u.merchant_id = p_merchant AND u.state IN ('ACCEPTED', 'SETTLED')
                  AND u.received_at >= b.at - interval '60 days' AND u.received_at < b.at
                GROUP BY (u.received_at AT TIME ZONE l.zone)::date) d
         WHERE l.sigmas IS NOT NULL
         GROUP BY l.sigmas HAVING count(*) >= 10
    ), base AS MATERIALIZED (
        SELECT u.voucher_id, u.seq, u.state = 'ACCEPTED' AS is_fresh, u.device_id, v.member_id, u.received_at,
               CASE WHEN u.code_seq IS NULL THEN u.payable_fen END AS typed_fen, u.received_at AT TIME ZONE l.zone AS local_at
          FROM limits l
         CROSS JOIN began b
          JOIN redemption.use u ON u.community_id = p_community AND u.merchant_id = p_merchant AND u.received_at >= b.at AND u.received_at < p_until
           AND u.state IN ('ACCEPTED', 'SETTLED')
          JOIN redemption.voucher v ON v.community_id = u.community_id AND v.voucher_id = u.voucher_id
    ), by_device AS (
        SELECT b.voucher_id, b.seq, b.is_fresh, extract(epoch FROM b.received_at - lag(b.received_at) OVER (
                   PARTITION BY b.device_id ORDER BY b.received_at, b.voucher_id, b.seq)) AS gap
          FROM base b
    ), by_member AS (
        SELECT b.voucher_id, b.seq, b.is_fresh, b.typed_fen, row_number() OVER day AS turn, sum(b.typed_fen) OVER day AS fen
          FROM base b
        WINDOW day AS (PARTITION BY b.member_id, b.local_at::date ORDER BY b.received_at, b.voucher_id, b.seq ROWS UNBOUNDED PRECEDING)
    ), by_day AS (
        SELECT b.voucher_id, b.seq, b.is_fresh, row_number() OVER (PARTITION BY b.local_at::date ORDER BY b.received_at, b.voucher_id, b.seq) AS turn
          FROM base b WHERE EXISTS (SELECT FROM usual)
    )
    SELECT b.voucher_id, b.seq, 'outside_hours', (extract(epoch FROM b.local_at::time) / 60)::bigint, l.grace::bigint
      FROM limits l CROSS JOIN base b
     WHERE b.is_fresh AND l.grace IS NOT NULL AND EXISTS (SELECT FROM hours)
       AND EXISTS (SELECT FROM hours h WHERE b.local_at >= h.effective_from AND b.local_at < h.effective_until)
       AND NOT EXISTS (SELECT FROM hours h
                        WHERE b.local_at >= h.effective_from AND b.local_at < h.effective_until AND h.weekday = extract(isodow FROM b.local_at)
                          AND extract(epoch FROM b.local_at::time) / 60 BETWEEN h.opens - l.grace AND h.closes + l.grace)
     UNION ALL
    SELECT d.voucher_id, d.seq, 'too_fast', floor(d.gap)::bigint, l.seconds::bigint
      FROM limits l JOIN by_device d ON d.is_fresh AND d.gap < l.seconds
     UNION ALL
    SELECT m.voucher_id, m.seq, 'member_often', m.turn, l.member
      FROM limits l JOIN by_member m ON m.is_fresh AND m.turn > l.member
     UNION ALL
    SELECT m.voucher_id, m.seq, 'typed_much', m.fen::bigint, l.typed
      FROM limits l JOIN by_member m ON m.is_fresh AND m.typed_fen IS NOT NULL AND m.fen > l.typed
     UNION ALL
    SELECT d.voucher_id, d.seq, 'day_unusual', d.turn, n.uses
      FROM usual n JOIN by_day d ON d.is_fresh AND d.turn > n.uses
$$;

-- Raises an alarm for each, once for ever: what somebody has cleared is not raised by the same rule again. Returns how many are new.
-- The caller holds the merchant's row, as whoever closes a batch does: of the two one waits, and nothing that a batch took is flagged.
CREATE FUNCTION redemption.raise_alarms(p_community bigint, p_merchant uuid, p_until timestamptz, p_watch jsonb, p_now timestamptz) RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_count bigint := 0;
BEGIN
    IF p_watch IS NOT NULL THEN
        INSERT INTO redemption.alarm (community_id, voucher_id, use_seq, rule, merchant_id, state, seen, allowed, raised_at)
        SELECT p_community, s.voucher_id, s.use_seq, s.rule, p_merchant, 'OPEN', s.seen, s.allowed, p_now
          FROM redemption.suspicions(p_community, p_merchant, p_until, p_watch) s
            ON CONFLICT DO NOTHING;
        GET DIAGNOSTICS v_count = ROW_COUNT;
    END IF;
    RETURN v_count;
END $$;

-- What a timed job calls for one shop.
CREATE FUNCTION redemption.watch_uses(p_community bigint, p_merchant uuid, p_until timestamptz, p_watch jsonb, p_now timestamptz)
RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM FROM redemption.merchant m WHERE m.community_id = p_community AND m.merchant_id = p_merchant FOR NO KEY UPDATE;
    RETURN redemption.said('done', jsonb_build_object('raised', redemption.raise_alarms(p_community, p_merchant, p_until, p_watch, p_now)));
END $$;

-- Uses that stand too far back in a row of receipts that nobody read. Whoever runs this library knows who read what and says which;
-- what a batch has, was flagged so before, or is another shop's is passed over.
CREATE FUNCTION redemption.flag_unread(
    p_community bigint, p_merchant uuid, p_vouchers bigint[], p_seqs int[], p_places bigint[], p_allowed bigint, p_now timestamptz
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_count bigint;
BEGIN
    PERFORM FROM redemption.merchant m WHERE m.community_id = p_community AND m.merchant_id = p_merchant FOR NO KEY UPDATE;
    INSERT INTO redemption.alarm (community_id, voucher_id, use_seq, rule, merchant_id, state, seen, allowed, raised_at)
    SELECT p_community, u.voucher_id, u.seq, 'unread', p_merchant, 'OPEN', f.place, p_allowed, p_now
      FROM unnest(p_vouchers, p_seqs, p_places) f (voucher_id, seq, place)
      JOIN redemption.use u ON u.community_id = p_community AND u.voucher_id = f.voucher_id AND u.seq = f.seq
       AND u.merchant_id = p_merchant AND u.state = 'ACCEPTED'
        ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS v_count = ROW_COUNT;
    RETURN redemption.said('done', jsonb_build_object('raised', v_count));
END $$;

-- A member was called and says it was not them: raised by a person, for a use that no batch has taken.
CREATE FUNCTION redemption.raise_alarm(
    p_community bigint, p_voucher_id bigint, p_use_seq int, p_actor uuid, p_now timestamptz
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_use redemption.use;
BEGIN
    PERFORM FROM redemption.merchant m
      WHERE m.community_id = p_community
        AND m.merchant_id = (SELECT u.merchant_id FROM redemption.use u
                              WHERE u.community_id = p_community AND u.voucher_id = p_voucher_id AND u.seq = p_use_seq)
      FOR NO KEY UPDATE;
    SELECT * INTO v_use FROM redemption.use u
     WHERE u.community_id = p_community AND u.voucher_id = p_voucher_id AND u.seq = p_use_seq FOR SHARE;
    IF v_use.seq IS NULL THEN
        RETURN redemption.said('use_unknown');
    ELSIF p_actor IS NULL THEN
        RETURN redemption.said('actor_missing');
    ELSIF v_use.state <> 'ACCEPTED' THEN
        RETURN redemption.said('use_settled', jsonb_build_object('state', v_use.state));
    END IF;
    INSERT INTO redemption.alarm (community_id, voucher_id, use_seq, rule, merchant_id, state, seen, allowed, raised_by, raised_at)
    VALUES (p_community, p_voucher_id, p_use_seq, 'denied', v_use.merchant_id, 'OPEN', 1, 0, p_actor, p_now)
        ON CONFLICT DO NOTHING;
    RETURN redemption.said('done');
END $$;

-- Decides all that is open about these uses: let through, or into the next statement in dispute. Whoever comes second finds nothing
-- open and is told so. Nobody decides about a use of their own, as clerk or as the voucher's member.
CREATE FUNCTION redemption.decide_alarms(
    p_community bigint, p_key uuid, p_vouchers bigint[], p_seqs int[], p_is_cleared boolean, p_reason text, p_actor uuid, p_now timestamptz
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb := jsonb_build_object('vouchers', p_vouchers, 'seqs', p_seqs, 'cleared', p_is_cleared, 'reason', p_reason);
    v_before redemption.verdict := redemption.remembered(p_community, p_key, 'alarms', v_request);
    v_uses bigint;
    v_detail jsonb;
BEGIN
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    ELSIF coalesce(p_reason, '') = '' THEN
        RETURN redemption.said('reason_missing');
    ELSIF p_actor IS NULL OR p_is_cleared IS NULL THEN
        RETURN redemption.said('actor_missing');
    ELSIF EXISTS (SELECT FROM unnest(p_vouchers, p_seqs) AS p (voucher_id, seq)
                    JOIN redemption.use u ON u.community_id = p_community AND u.voucher_id = p.voucher_id AND u.seq = p.seq
                    JOIN redemption.voucher v ON v.community_id = u.community_id AND v.voucher_id = u.voucher_id
                   WHERE p_actor IN (u.clerk_id, v.member_id, v.payer_id)) THEN
        RETURN redemption.said('own_voucher');
    END IF;
    -- In order, so that two who decide about the same uses wait for each other and not for ever.
    PERFORM FROM redemption.alarm a
      WHERE a.community_id = p_community AND a.state = 'OPEN'
        AND (a.voucher_id, a.use_seq) IN (SELECT * FROM unnest(p_vouchers, p_seqs))
      ORDER BY a.voucher_id, a.use_seq, a.rule FOR NO KEY UPDATE;
    WITH decided AS (
        UPDATE redemption.alarm a
           SET state = CASE WHEN p_is_cleared THEN 'CLEARED' ELSE 'DISPUTED' END, decided_by = p_actor, decided_at = p_now, reason = p_reason
         WHERE a.community_id = p_community AND a.state = 'OPEN' AND (a.voucher_id, a.use_seq) IN (SELECT * FROM unnest(p_vouchers, p_seqs))
        RETURNING a.voucher_id, a.use_seq
    )
    SELECT count(DISTINCT (d.voucher_id, d.use_seq)) INTO v_uses FROM decided d;
    IF v_uses = 0 THEN
        RETURN redemption.said('alarm_decided');
    END IF;
    v_detail := jsonb_build_object('uses', v_uses);
    PERFORM redemption.remember(p_community, p_key, 'alarms', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;

-- A shop's hours from a day on, later than today: what was scanned before cannot be made right by them. Set again for the same day they
-- take the place of what was set before.
CREATE FUNCTION redemption.set_opening(
    p_community bigint, p_merchant uuid, p_from date, p_weekdays int[], p_opens int[], p_closes int[], p_actor uuid, p_today date, p_now timestamptz
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM FROM redemption.merchant m WHERE m.community_id = p_community AND m.merchant_id = p_merchant FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN redemption.said('merchant_unknown');
    ELSIF p_actor IS NULL THEN
        RETURN redemption.said('actor_missing');
    ELSIF p_from <= p_today THEN
        RETURN redemption.said('opening_day_wrong');
    ELSIF cardinality(p_weekdays) = 0 OR EXISTS (
        SELECT FROM unnest(p_weekdays, p_opens, p_closes) WITH ORDINALITY AS one (weekday, opens, closes, n)
          LEFT JOIN unnest(p_weekdays, p_opens, p_closes) WITH ORDINALITY AS other (weekday, opens, closes, n)
            ON other.weekday = one.weekday AND other.n <> one.n AND other.opens < one.closes AND one.opens < other.closes
         WHERE other.n IS NOT NULL OR one.weekday NOT BETWEEN 1 AND 7 OR one.opens < 0 OR one.opens >= one.closes OR one.closes > 1440) THEN
        RETURN redemption.said('opening_wrong');
    END IF;
    DELETE FROM redemption.opening o WHERE o.community_id = p_community AND o.merchant_id = p_merchant AND o.effective_from = p_from;
    INSERT INTO redemption.opening (community_id, merchant_id, effective_from, weekday, opens, closes, set_by, set_at)
    SELECT p_community, p_merchant, p_from, t.weekday, t.opens, t.closes, p_actor, p_now
      FROM unnest(p_weekdays, p_opens, p_closes) AS t (weekday, opens, closes);
    RETURN redemption.said('done');
END $$;
