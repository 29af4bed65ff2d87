-- A batch is closed in sets; what looks odd stays out of it until somebody has looked. Frozen from redemption/tables/ and redemption/sql/.

CREATE TABLE redemption.alarm (
    community_id BIGINT NOT NULL,
    voucher_id BIGINT NOT NULL,
    use_seq INTEGER NOT NULL,
    rule TEXT NOT NULL,
    merchant_id UUID NOT NULL,
    state TEXT NOT NULL,
    seen BIGINT NOT NULL,
    allowed BIGINT NOT NULL,
    raised_by UUID,
    raised_at TIMESTAMP WITH TIME ZONE NOT NULL,
    decided_by UUID,
    decided_at TIMESTAMP WITH TIME ZONE,
    reason TEXT,
    CONSTRAINT pk_alarm PRIMARY KEY (community_id, voucher_id, use_seq, rule),
    CONSTRAINT fk_alarm_use FOREIGN KEY(community_id, voucher_id, use_seq) REFERENCES redemption.use (community_id, voucher_id, seq),
    CONSTRAINT ck_alarm_rule CHECK (rule IN ('outside_hours', 'too_fast', 'member_often', 'day_unusual', 'typed_much', 'denied')),
    CONSTRAINT ck_alarm_state CHECK (state IN ('OPEN', 'CLEARED', 'DISPUTED')),
    CONSTRAINT ck_alarm_decided CHECK ((state = 'OPEN') = (decided_at IS NULL) AND (decided_at IS NULL) = (decided_by IS NULL) AND (decided_at IS NULL) = (coalesce(reason, '') = '')),
    CONSTRAINT ck_alarm_raised_by CHECK ((rule = 'denied') = (raised_by IS NOT NULL))
);
CREATE INDEX ix_alarm_merchant ON redemption.alarm (community_id, merchant_id, state);
CREATE INDEX ix_alarm_open ON redemption.alarm (community_id, raised_at) WHERE state = 'OPEN';

CREATE TABLE redemption.opening (
    community_id BIGINT NOT NULL,
    merchant_id UUID NOT NULL,
    effective_from DATE NOT NULL,
    weekday SMALLINT NOT NULL,
    opens SMALLINT NOT NULL,
    closes SMALLINT NOT NULL,
    set_by UUID NOT NULL,
    set_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_opening PRIMARY KEY (community_id, merchant_id, effective_from, weekday, opens),
    CONSTRAINT fk_opening_merchant FOREIGN KEY(community_id, merchant_id) REFERENCES redemption.merchant (community_id, merchant_id),
    CONSTRAINT ck_opening_weekday CHECK (weekday BETWEEN 1 AND 7),
    CONSTRAINT ck_opening_hours CHECK (opens >= 0 AND opens < closes AND closes <= 1440)
);

DROP FUNCTION redemption.close_settlement;
DROP FUNCTION redemption.three_sums;
DROP FUNCTION redemption.add_lines;
DROP FUNCTION redemption.carry_lines;

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

-- Three independent sums over the lines of a batch: what their uses say, what the vouchers' frozen prices say (the lines),
-- and what the ledger credited the merchant. Points in the ledger's hundredths.
CREATE FUNCTION redemption.three_sums(p_settlement redemption.settlement) RETURNS jsonb
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH priced AS (
        SELECT l.journal_id, u.points + u.subsidy_points AS use_points, u.payable_fen AS use_fen,
               l.quantity * (v.points_each + v.subsidy_points_each)::bigint AS points, l.quantity * v.payable_fen_each AS fen
          FROM redemption.settlement_line l
          JOIN redemption.use u ON u.community_id = l.community_id AND u.voucher_id = l.voucher_id AND u.seq = l.use_seq
          JOIN redemption.voucher v ON v.community_id = l.community_id AND v.voucher_id = l.voucher_id
         WHERE l.community_id = p_settlement.community_id AND l.settlement_id = p_settlement.settlement_id
    ), summed AS (
        SELECT count(*) AS n, coalesce(sum(p.use_points), 0) AS use_points, coalesce(sum(p.use_fen), 0) AS use_fen,
               coalesce(sum(p.points), 0) AS points, coalesce(sum(p.fen), 0) AS fen
          FROM priced p
    ), credited AS (
        SELECT coalesce(sum(t.amount) FILTER (WHERE t.unit = 'point'), 0) AS points, coalesce(sum(t.amount) FILTER (WHERE t.unit = 'fen'), 0) AS fen
          FROM redemption.settlement_line l
          JOIN ledger.journal j ON j.community_id = l.community_id AND j.journal_id = l.journal_id
          JOIN ledger.transfer t ON t.community_id = l.community_id AND t.seq >= j.journal_id AND t.seq < j.journal_id + j.transfers
          JOIN ledger.account a ON a.community_id = l.community_id AND a.account_id = t.credit
           AND a.code = redemption.account('merchant', p_settlement.merchant_id)
         WHERE l.community_id = p_settlement.community_id AND l.settlement_id = p_settlement.settlement_id
    )
    SELECT jsonb_build_object('uses', jsonb_build_object('count', s.n, 'points', 100 * s.use_points, 'fen', s.use_fen),
                              'lines', jsonb_build_object('count', p_settlement.line_count, 'points', 100 * s.points, 'fen', s.fen),
                              'ledger', jsonb_build_object('points', c.points, 'fen', c.fen))
      FROM summed s CROSS JOIN credited c
$$;

-- The uses that the batch takes: what the server received before its end and nobody has to look at. One statement, so that
-- exactly what the rules of the watch have seen is taken: a scan that commits from here on belongs to the next batch, whatever its
-- time says. The update locks each use and asks again whether a reversal was faster.
CREATE FUNCTION redemption.take_uses(p_settlement redemption.settlement, p_watch jsonb, p_now timestamptz) RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_count bigint;
BEGIN
    WITH found AS MATERIALIZED (
        SELECT s.* FROM redemption.suspicions(p_settlement.community_id, p_settlement.merchant_id, p_settlement.received_until, p_watch) s
    ), raised AS (
        INSERT INTO redemption.alarm (community_id, voucher_id, use_seq, rule, merchant_id, state, seen, allowed, raised_at)
        SELECT p_settlement.community_id, f.voucher_id, f.use_seq, f.rule, p_settlement.merchant_id, 'OPEN', f.seen, f.allowed, p_now FROM found f
            ON CONFLICT DO NOTHING
        RETURNING voucher_id, use_seq
    ), taken AS (
        UPDATE redemption.use u SET state = 'SETTLED'
         WHERE u.community_id = p_settlement.community_id AND u.merchant_id = p_settlement.merchant_id AND u.state = 'ACCEPTED'
           AND u.received_at < p_settlement.received_until
           AND (u.voucher_id, u.seq) NOT IN (
               SELECT r.voucher_id, r.use_seq FROM raised r
                UNION ALL
               SELECT a.voucher_id, a.use_seq FROM redemption.alarm a
                WHERE a.community_id = p_settlement.community_id AND a.merchant_id = p_settlement.merchant_id AND a.state = 'OPEN')
        RETURNING u.*
    )
    INSERT INTO redemption.settlement_line (community_id, settlement_id, line_no, kind, voucher_id, use_seq, quantity,
                                            points, subsidy_points, payable_fen, cash_fen, received_at, journal_id)
    SELECT t.community_id, p_settlement.settlement_id, row_number() OVER (ORDER BY t.received_at, t.voucher_id, t.seq), 'use',
           t.voucher_id, t.seq, t.quantity, t.points, t.subsidy_points, t.payable_fen, t.cash_fen, t.received_at, t.journal_id
      FROM taken t;
    GET DIAGNOSTICS v_count = ROW_COUNT;
    -- What a person did not let through is in the statement for all to see, in dispute from the first moment, and not paid with it.
    INSERT INTO redemption.dispute (community_id, settlement_id, line_no, state, reason, raised_by, raised_at)
    SELECT DISTINCT ON (l.line_no) l.community_id, l.settlement_id, l.line_no, 'DISPUTED', a.reason, a.decided_by, p_now
      FROM redemption.alarm a
      JOIN redemption.settlement_line l ON l.community_id = a.community_id AND l.settlement_id = p_settlement.settlement_id
       AND l.voucher_id = a.voucher_id AND l.use_seq = a.use_seq AND l.part = 0
     WHERE a.community_id = p_settlement.community_id AND a.merchant_id = p_settlement.merchant_id AND a.state = 'DISPUTED'
     ORDER BY l.line_no, a.rule;
    RETURN v_count;
END $$;

-- Lines of earlier batches that were decided for the shop join this one, once, after its own lines.
CREATE FUNCTION redemption.carry_lines(p_settlement redemption.settlement, p_after bigint) RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_count bigint;
BEGIN
    WITH upheld AS (
        SELECT d.settlement_id, d.line_no FROM redemption.dispute d
         WHERE d.community_id = p_settlement.community_id AND d.state = 'UPHELD' AND d.carried_settlement IS NULL
           AND d.resolved_at < p_settlement.received_until
           AND EXISTS (SELECT FROM redemption.settlement s
                        WHERE s.community_id = d.community_id AND s.settlement_id = d.settlement_id AND s.merchant_id = p_settlement.merchant_id)
         ORDER BY d.settlement_id, d.line_no FOR NO KEY UPDATE OF d
    )
    INSERT INTO redemption.settlement_line (community_id, settlement_id, line_no, kind, voucher_id, use_seq, part, quantity,
                                            points, subsidy_points, payable_fen, cash_fen, received_at, journal_id)
    SELECT l.community_id, p_settlement.settlement_id, p_after + row_number() OVER (ORDER BY l.received_at, l.voucher_id, l.use_seq), 'carried',
           l.voucher_id, l.use_seq, l.part + 1, l.quantity, l.points, l.subsidy_points, l.payable_fen, l.cash_fen, l.received_at, l.journal_id
      FROM upheld d
      JOIN redemption.settlement_line l
        ON l.community_id = p_settlement.community_id AND l.settlement_id = d.settlement_id AND l.line_no = d.line_no;
    GET DIAGNOSTICS v_count = ROW_COUNT;
    UPDATE redemption.dispute d SET carried_settlement = n.settlement_id, carried_line_no = n.line_no
      FROM redemption.settlement_line n
      JOIN redemption.settlement_line l
        ON l.community_id = n.community_id AND l.voucher_id = n.voucher_id AND l.use_seq = n.use_seq AND l.part = n.part - 1
     WHERE n.community_id = p_settlement.community_id AND n.settlement_id = p_settlement.settlement_id AND n.kind = 'carried'
       AND d.community_id = l.community_id AND d.settlement_id = l.settlement_id AND d.line_no = l.line_no;
    RETURN v_count;
END $$;

-- Closes what the server received before p_until, and what was decided for the shop before then. The client's settlement id is the key.
-- p_watch is what the community looks for (watch.sql); nothing looks at nothing.
CREATE FUNCTION redemption.close_settlement(
    p_community bigint, p_settlement uuid, p_merchant uuid, p_until timestamptz, p_actor uuid, p_now timestamptz, p_watch jsonb DEFAULT NULL
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb := jsonb_build_object('merchant', p_merchant, 'until', redemption.micros(p_until));
    v_before redemption.verdict;
    v_merchant redemption.merchant;
    v_taken bigint;
    v_sums jsonb;
    v redemption.settlement;
    v_detail jsonb;
BEGIN
    -- The merchant's row orders its batches, and whoever raises alarms.
    SELECT * INTO v_merchant FROM redemption.merchant m
     WHERE m.community_id = p_community AND m.merchant_id = p_merchant FOR NO KEY UPDATE;
    v_before := redemption.remembered(p_community, p_settlement, 'close', v_request);
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    ELSIF v_merchant.merchant_id IS NULL THEN
        RETURN redemption.said('merchant_unknown');
    ELSIF p_actor IS NULL THEN
        RETURN redemption.said('actor_missing');
    ELSIF p_until > p_now OR p_until <= v_merchant.settled_until THEN
        RETURN redemption.said('period_wrong', jsonb_build_object('settled_until', v_merchant.settled_until));
    END IF;
    -- Written first and summed afterwards, in sets: nothing of it is held in memory. What does not agree is rolled back as if never written.
    BEGIN
        v.community_id := p_community;
        v.settlement_id := p_settlement;
        v.merchant_id := p_merchant;
        v.number := v_merchant.settled_number + 1;
        v.received_from := '-infinity';
        v.received_until := p_until;
        v.state := 'CLOSED';
        v.line_count := 1;
        v.points := 0;
        v.subsidy_points := 0;
        v.payable_fen := 0;
        v.cash_fen := 0;
        v.previous_hash := coalesce(v_merchant.settled_hash, sha256(''));
        v.hash := ''::bytea;
        v.paid_points := 0;
        v.paid_fen := 0;
        v.closed_by := p_actor;
        v.closed_at := p_now;
        INSERT INTO redemption.settlement SELECT v.*;
        v_taken := redemption.take_uses(v, p_watch, p_now);
        PERFORM redemption.carry_lines(v, v_taken);
        SELECT count(*), coalesce(sum(l.points), 0), coalesce(sum(l.subsidy_points), 0), coalesce(sum(l.payable_fen), 0), coalesce(sum(l.cash_fen), 0),
               least(v_merchant.settled_until, min(l.received_at) FILTER (WHERE l.kind = 'use'))
          INTO v.line_count, v.points, v.subsidy_points, v.payable_fen, v.cash_fen, v.received_from
          FROM redemption.settlement_line l WHERE l.community_id = p_community AND l.settlement_id = p_settlement;
        IF v.line_count = 0 THEN
            -- The alarms stay: everything waits for somebody to look.
            DELETE FROM redemption.settlement s WHERE s.community_id = p_community AND s.settlement_id = p_settlement;
            RETURN redemption.said('nothing_to_settle');
        END IF;
        v_sums := redemption.three_sums(v);
        IF v_sums -> 'uses' IS DISTINCT FROM v_sums -> 'lines' OR (v_sums -> 'uses') - 'count' IS DISTINCT FROM v_sums -> 'ledger' THEN
            RAISE EXCEPTION USING ERRCODE = 'LS001';
        END IF;
    EXCEPTION WHEN SQLSTATE 'LS001' THEN
        RETURN redemption.said('sums_differ', v_sums);
    END;
    v.hash := redemption.settlement_hash(v);
    UPDATE redemption.settlement s
       SET hash = v.hash, received_from = v.received_from, line_count = v.line_count, points = v.points, subsidy_points = v.subsidy_points,
           payable_fen = v.payable_fen, cash_fen = v.cash_fen
     WHERE s.community_id = p_community AND s.settlement_id = p_settlement;
    UPDATE redemption.merchant m SET settled_number = v.number, settled_hash = v.hash, settled_until = p_until
     WHERE m.community_id = p_community AND m.merchant_id = p_merchant;
    v_detail := jsonb_build_object('settlement_id', p_settlement, 'number', v.number, 'sums', v_sums, 'line_count', v.line_count,
                                   'points', v.points + v.subsidy_points, 'payable_fen', v.payable_fen, 'hash', encode(v.hash, 'hex'));
    PERFORM redemption.remember(p_community, p_settlement, 'close', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;

CREATE OR REPLACE FUNCTION redemption.approve_settlement(p_community bigint, p_key uuid, p_settlement uuid, p_actor uuid, p_now timestamptz)
RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb := jsonb_build_object('settlement', p_settlement);
    v redemption.settlement;
    v_before redemption.verdict;
    v_due record;
    v_detail jsonb := jsonb_build_object('settlement_id', p_settlement);
BEGIN
    SELECT * INTO v FROM redemption.settlement s WHERE s.community_id = p_community AND s.settlement_id = p_settlement FOR NO KEY UPDATE;
    v_before := redemption.remembered(p_community, p_key, 'approve', v_request);
    IF v_before.code IS NULL THEN
        v_before := redemption.settlement_refusal(v, '{CONFIRMED}');
    END IF;
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    ELSIF p_actor IS NULL OR p_actor = v.closed_by OR EXISTS (
        -- Whoever let an odd use through does not also let it be paid.
        SELECT FROM redemption.alarm a
          JOIN redemption.settlement_line l ON l.community_id = a.community_id AND l.voucher_id = a.voucher_id AND l.use_seq = a.use_seq
         WHERE a.community_id = p_community AND a.merchant_id = v.merchant_id AND a.state = 'CLEARED' AND a.decided_by = p_actor
           AND l.settlement_id = p_settlement) THEN
        RETURN redemption.said('same_person');
    END IF;
    -- What is due no longer changes: lines are disputed before the shop agrees. After a returned payment a part may be paid already.
    v_due := redemption.settlement_due(p_community, p_settlement);
    UPDATE redemption.settlement s
       SET state = CASE WHEN v.paid_fen > 0 THEN 'PART_PAID' ELSE 'APPROVED' END, approved_by = p_actor, approved_at = p_now,
           approved_points = v_due.points, approved_fen = v_due.fen
     WHERE s.community_id = p_community AND s.settlement_id = p_settlement;
    PERFORM redemption.remember(p_community, p_key, 'approve', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;

CREATE TABLE call_draw (
    community_id BIGINT NOT NULL,
    used_on DATE NOT NULL,
    seed UUID NOT NULL,
    uses INTEGER NOT NULL,
    drawn INTEGER NOT NULL,
    drawn_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_call_draw PRIMARY KEY (community_id, used_on),
    CONSTRAINT ck_call_draw_counts CHECK (uses >= 0 AND drawn BETWEEN 0 AND uses),
    CONSTRAINT fk_call_draw_community FOREIGN KEY(community_id) REFERENCES community (community_id)
);

CREATE TABLE use_call (
    community_id BIGINT NOT NULL,
    voucher_id BIGINT NOT NULL,
    use_seq INTEGER NOT NULL,
    used_on DATE NOT NULL,
    member_id UUID NOT NULL,
    merchant_id UUID NOT NULL,
    clerk_id UUID NOT NULL,
    title TEXT NOT NULL,
    received_at TIMESTAMP WITH TIME ZONE NOT NULL,
    state TEXT NOT NULL,
    note TEXT NOT NULL,
    called_by UUID,
    called_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_use_call PRIMARY KEY (community_id, voucher_id, use_seq),
    CONSTRAINT ck_use_call_state CHECK (state = ANY (ARRAY['waiting'::text, 'confirmed'::text, 'denied'::text, 'unreached'::text])),
    CONSTRAINT ck_use_call_called CHECK ((state = 'waiting'::text) = (called_at IS NULL) AND (called_at IS NULL) = (called_by IS NULL)),
    CONSTRAINT fk_use_call_draw FOREIGN KEY(community_id, used_on) REFERENCES call_draw (community_id, used_on),
    CONSTRAINT fk_use_call_member FOREIGN KEY(community_id, member_id) REFERENCES member (community_id, member_id),
    CONSTRAINT fk_use_call_called_by FOREIGN KEY(community_id, called_by) REFERENCES member (community_id, member_id)
);
CREATE INDEX ix_use_call_state ON use_call (community_id, state, used_on);

GRANT SELECT, INSERT ON call_draw TO linli_app;
GRANT SELECT, INSERT, UPDATE (state, note, called_by, called_at) ON use_call TO linli_app;
GRANT SELECT ON call_draw, use_call TO linli_audit;

-- Communities that were founded before get the values that a new one starts with.
INSERT INTO setting (community_id, name, effective_from, revision, value, set_at)
SELECT c.community_id, s.name, DATE '2000-01-01', 1, s.value, c.founded_at
  FROM community c
 CROSS JOIN (VALUES ('watch_hours_grace_minutes', 15), ('watch_seconds_between', 5), ('watch_member_uses_per_day', 3), ('watch_sigmas', 4),
                    ('watch_typed_fen_per_day', 5000), ('watch_calls_per_mille', 10)) AS s (name, value)
    ON CONFLICT ON CONSTRAINT pk_setting DO NOTHING;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA redemption FROM PUBLIC;
GRANT SELECT ON redemption.alarm, redemption.opening TO linli_app, linli_audit;
GRANT EXECUTE ON FUNCTION
    redemption.close_settlement, redemption.watch_uses, redemption.raise_alarm, redemption.decide_alarms, redemption.set_opening
    TO linli_app;
