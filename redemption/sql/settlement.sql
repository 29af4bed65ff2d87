-- Settlement: what each shop is owed, closed, confirmed, approved by a second person, paid.

-- Three independent sums over the lines of a batch: what their uses say, what the vouchers' frozen prices say (the lines),
-- and what the ledger credited the merchant, each without what corrections took back. Points in the ledger's hundredths.
CREATE FUNCTION redemption.three_sums(p_settlement redemption.settlement) RETURNS jsonb
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH priced AS (
        SELECT sign.n * (u.points + u.subsidy_points) AS use_points, sign.n * u.payable_fen AS use_fen,
               l.quantity * (v.points_each + v.subsidy_points_each)::bigint AS points, l.quantity * v.payable_fen_each AS fen
          FROM redemption.settlement_line l
         CROSS JOIN LATERAL (SELECT CASE l.kind WHEN 'adjustment' THEN -1 ELSE 1 END AS n) sign
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
         WHERE l.community_id = p_settlement.community_id AND l.settlement_id = p_settlement.settlement_id AND l.kind <> 'adjustment'
    ), corrected AS (
        SELECT coalesce(sum(redemption.moved(l.community_id, l.journal_id, 'debit', p_settlement.merchant_id, 'point')), 0) AS points,
               coalesce(sum(redemption.moved(l.community_id, l.journal_id, 'debit', p_settlement.merchant_id, 'fen')), 0) AS fen
          FROM redemption.settlement_line l
         WHERE l.community_id = p_settlement.community_id AND l.settlement_id = p_settlement.settlement_id AND l.kind = 'adjustment'
    )
    SELECT jsonb_build_object('uses', jsonb_build_object('count', s.n, 'points', 100 * s.use_points, 'fen', s.use_fen),
                              'lines', jsonb_build_object('count', p_settlement.line_count, 'points', 100 * s.points, 'fen', s.fen),
                              'ledger', jsonb_build_object('points', c.points - x.points, 'fen', c.fen - x.fen))
      FROM summed s CROSS JOIN credited c CROSS JOIN corrected x
$$;

CREATE FUNCTION redemption.micros(p_at timestamptz) RETURNS bigint
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT (extract(epoch FROM p_at) * 1000000)::bigint
$$;

-- The hash of a closed batch: the previous hash, the head of the statement and each of its lines, in order.
CREATE FUNCTION redemption.settlement_hash(p_settlement redemption.settlement) RETURNS bytea
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT sha256(p_settlement.previous_hash || convert_to(
        concat_ws('|', 'linli-settlement-1', p_settlement.community_id, p_settlement.settlement_id, p_settlement.merchant_id, p_settlement.number,
                  redemption.micros(p_settlement.received_from), redemption.micros(p_settlement.received_until), p_settlement.line_count,
                  p_settlement.points, p_settlement.subsidy_points, p_settlement.payable_fen, p_settlement.cash_fen,
                  p_settlement.closed_by, redemption.micros(p_settlement.closed_at))
        || coalesce((
            SELECT string_agg(E'\n' || concat_ws('|', l.line_no, l.kind, l.voucher_id, l.use_seq, l.part, l.quantity, l.points, l.subsidy_points,
                                                  l.payable_fen, l.cash_fen, redemption.micros(l.received_at), coalesce(l.journal_id, 0)),
                              '' ORDER BY l.line_no)
              FROM redemption.settlement_line l
             WHERE l.community_id = p_settlement.community_id AND l.settlement_id = p_settlement.settlement_id), ''), 'UTF8'))
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
         WHERE u.community_id = p_settlement.community_id AND u.merchant_id = p_settlement.merchant_id
           AND (u.state = 'ACCEPTED' OR u.state = 'CONFLICT')
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

-- Closes what the server received before p_until, what was decided for the shop before then, and every correction that waits, whenever it was
-- agreed on. The client's settlement id is the key.
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
    v_due record;
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
        IF redemption.carry_adjustments(v) > 0 THEN
            -- A correction is borne by what the shop has earned since. Until that is enough nothing is closed, so nothing is paid out either.
            v_due := redemption.settlement_due(p_community, p_settlement);
            IF v_due.points < 0 OR v_due.fen < 0 THEN
                RAISE EXCEPTION USING ERRCODE = 'LS002';
            END IF;
        END IF;
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
    WHEN SQLSTATE 'LS002' THEN
        RETURN redemption.said('correction_waits', jsonb_build_object('short_points', greatest(-v_due.points, 0), 'short_fen', greatest(-v_due.fen, 0)));
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

-- Locks a settlement and says why it is not in the state that the next step needs; NULL when it is.
CREATE FUNCTION redemption.settlement_refusal(p_settlement redemption.settlement, p_expected text[]) RETURNS redemption.verdict
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE
        WHEN p_settlement.settlement_id IS NULL THEN redemption.said('settlement_unknown')
        WHEN p_settlement.state <> ALL (p_expected) THEN redemption.said('settlement_state', jsonb_build_object('state', p_settlement.state))
    END
$$;

-- By the merchant, or by nobody (NULL) when the time to object has passed.
CREATE FUNCTION redemption.confirm_settlement(p_community bigint, p_key uuid, p_settlement uuid, p_actor uuid, p_on_behalf_of uuid, p_now timestamptz)
RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb := jsonb_build_object('settlement', p_settlement);
    v redemption.settlement;
    v_before redemption.verdict;
    v_detail jsonb := jsonb_build_object('settlement_id', p_settlement);
BEGIN
    SELECT * INTO v FROM redemption.settlement s WHERE s.community_id = p_community AND s.settlement_id = p_settlement FOR NO KEY UPDATE;
    v_before := redemption.remembered(p_community, p_key, 'confirm', v_request);
    IF v_before.code IS NULL THEN
        v_before := redemption.settlement_refusal(v, '{CLOSED}');
    END IF;
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    END IF;
    UPDATE redemption.settlement s SET state = 'CONFIRMED', confirmed_by = p_actor, confirmed_at = p_now
     WHERE s.community_id = p_community AND s.settlement_id = p_settlement;
    v_detail := v_detail || jsonb_build_object('on_behalf_of', p_on_behalf_of);
    PERFORM redemption.remember(p_community, p_key, 'confirm', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;

-- What leaves with this batch: its sums without the lines in dispute.
CREATE FUNCTION redemption.settlement_due(p_community bigint, p_settlement uuid, OUT points bigint, OUT fen bigint)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(sum(l.points + l.subsidy_points), 0)::bigint, coalesce(sum(l.payable_fen), 0)::bigint
      FROM redemption.settlement_line l
     WHERE l.community_id = p_community AND l.settlement_id = p_settlement
       AND NOT EXISTS (SELECT FROM redemption.dispute d
                        WHERE d.community_id = p_community AND d.settlement_id = l.settlement_id AND d.line_no = l.line_no)
$$;

CREATE FUNCTION redemption.approve_settlement(p_community bigint, p_key uuid, p_settlement uuid, p_actor uuid, p_now timestamptz)
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

-- A line leaves its batch, the rest goes on. After the shop has confirmed it is too late: the next batch carries the correction. So it is
-- for a line without which the rest no longer bears the corrections of this batch; and a correction has been decided by two already.
CREATE FUNCTION redemption.dispute_line(
    p_community bigint, p_key uuid, p_settlement uuid, p_line_no int, p_reason text, p_actor uuid, p_on_behalf_of uuid, p_now timestamptz
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb := jsonb_build_object('settlement', p_settlement, 'line_no', p_line_no);
    v redemption.settlement;
    v_line redemption.settlement_line;
    v_due record;
    v_before redemption.verdict;
    v_detail jsonb := jsonb_build_object('settlement_id', p_settlement, 'line_no', p_line_no);
BEGIN
    SELECT * INTO v FROM redemption.settlement s WHERE s.community_id = p_community AND s.settlement_id = p_settlement FOR NO KEY UPDATE;
    v_before := redemption.remembered(p_community, p_key, 'dispute', v_request);
    IF v_before.code IS NULL THEN
        v_before := redemption.settlement_refusal(v, '{CLOSED}');
    END IF;
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    ELSIF coalesce(p_reason, '') = '' THEN
        RETURN redemption.said('reason_missing');
    ELSIF p_actor IS NULL THEN
        RETURN redemption.said('actor_missing');
    END IF;
    SELECT * INTO v_line FROM redemption.settlement_line l
     WHERE l.community_id = p_community AND l.settlement_id = p_settlement AND l.line_no = p_line_no;
    IF v_line.line_no IS NULL THEN
        RETURN redemption.said('line_unknown');
    ELSIF v_line.kind = 'adjustment' THEN
        RETURN redemption.said('line_final');
    ELSIF EXISTS (SELECT FROM redemption.dispute d
                   WHERE d.community_id = p_community AND d.settlement_id = p_settlement AND d.line_no = p_line_no) THEN
        RETURN redemption.said('already_disputed');
    ELSIF EXISTS (SELECT FROM redemption.settlement_line l
                   WHERE l.community_id = p_community AND l.settlement_id = p_settlement AND l.kind = 'adjustment') THEN
        v_due := redemption.settlement_due(p_community, p_settlement);
        IF v_due.points < v_line.points + v_line.subsidy_points OR v_due.fen < v_line.payable_fen THEN
            RETURN redemption.said('line_bears_correction');
        END IF;
    END IF;
    INSERT INTO redemption.dispute (community_id, settlement_id, line_no, state, reason, raised_by, on_behalf_of, raised_at)
    VALUES (p_community, p_settlement, p_line_no, 'DISPUTED', p_reason, p_actor, p_on_behalf_of, p_now);
    PERFORM redemption.remember(p_community, p_key, 'dispute', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;
