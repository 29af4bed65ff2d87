-- What waits for a look would be paid unseen: decided first.
DO $$
BEGIN
    IF EXISTS (SELECT FROM redemption.alarm WHERE state = 'OPEN') THEN
        RAISE EXCEPTION 'alarms are open';
    END IF;
END $$;
DROP FUNCTION redemption.close_settlement;
DROP FUNCTION redemption.take_uses;
DROP FUNCTION redemption.carry_lines;
DROP FUNCTION redemption.three_sums;
DROP FUNCTION redemption.set_opening;
DROP FUNCTION redemption.decide_alarms;
DROP FUNCTION redemption.raise_alarm;
DROP FUNCTION redemption.watch_uses;
DROP FUNCTION redemption.raise_alarms;
DROP FUNCTION redemption.suspicions;
DROP TABLE use_call;
DROP TABLE call_draw;
DROP TABLE redemption.alarm;
DROP TABLE redemption.opening;

-- Three independent sums over the same uses: what the uses say, what the vouchers' frozen prices say (the lines),
-- and what the ledger credited the merchant. Points in the ledger's hundredths.
CREATE FUNCTION redemption.three_sums(p_community bigint, p_merchant uuid, p_uses redemption.use[]) RETURNS jsonb
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH taken AS (
        SELECT u.* FROM unnest(p_uses) u
    ), credited AS (
        SELECT t.unit, t.amount
          FROM taken u
          JOIN ledger.journal j ON j.community_id = p_community AND j.journal_id = u.journal_id
          JOIN ledger.transfer t ON t.community_id = p_community AND t.seq >= j.journal_id AND t.seq < j.journal_id + j.transfers
          JOIN ledger.account a ON a.community_id = p_community AND a.account_id = t.credit
           AND a.code = redemption.account('merchant', p_merchant)
    )
    SELECT jsonb_build_object(
        'uses', (SELECT jsonb_build_object('count', count(*), 'points', 100 * coalesce(sum(u.points + u.subsidy_points), 0),
                                           'fen', coalesce(sum(u.payable_fen), 0)) FROM taken u),
        'lines', (SELECT jsonb_build_object('count', count(*),
                                            'points', 100 * coalesce(sum(u.quantity * (v.points_each + v.subsidy_points_each)::bigint), 0),
                                            'fen', coalesce(sum(u.quantity * v.payable_fen_each), 0))
                    FROM taken u JOIN redemption.voucher v ON v.community_id = p_community AND v.voucher_id = u.voucher_id
                   WHERE NOT EXISTS (SELECT FROM redemption.settlement_line l
                                      WHERE l.community_id = p_community AND l.voucher_id = u.voucher_id AND l.use_seq = u.seq AND l.part = 0)
                      OR EXISTS (SELECT FROM redemption.settlement_line l
                                   JOIN redemption.dispute d ON d.community_id = l.community_id AND d.settlement_id = l.settlement_id
                                                            AND d.line_no = l.line_no
                                  WHERE l.community_id = p_community AND l.voucher_id = u.voucher_id AND l.use_seq = u.seq
                                    AND d.state = 'UPHELD' AND d.carried_settlement IS NULL)),
        'ledger', jsonb_build_object(
            'points', (SELECT coalesce(sum(c.amount), 0) FROM credited c WHERE c.unit = 'point'),
            'fen', (SELECT coalesce(sum(c.amount), 0) FROM credited c WHERE c.unit = 'fen')))
$$;

CREATE FUNCTION redemption.add_lines(p_settlement redemption.settlement, p_uses redemption.use[]) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO redemption.settlement_line (community_id, settlement_id, line_no, kind, voucher_id, use_seq, quantity,
                                            points, subsidy_points, payable_fen, cash_fen, received_at, journal_id)
    SELECT t.community_id, p_settlement.settlement_id, row_number() OVER (ORDER BY t.received_at, t.voucher_id, t.seq), 'use',
           t.voucher_id, t.seq, t.quantity, t.points, t.subsidy_points, t.payable_fen, t.cash_fen, t.received_at, t.journal_id
      FROM unnest(p_uses) t;
    UPDATE redemption.use u SET state = 'SETTLED'
      FROM unnest(p_uses) t
     WHERE u.community_id = p_settlement.community_id AND u.voucher_id = t.voucher_id AND u.seq = t.seq;
END $$;

-- Lines of earlier batches that were decided for the shop join this one, once, after its own lines.
CREATE FUNCTION redemption.carry_lines(p_settlement redemption.settlement, p_disputes redemption.dispute[], p_after int) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO redemption.settlement_line (community_id, settlement_id, line_no, kind, voucher_id, use_seq, part, quantity,
                                            points, subsidy_points, payable_fen, cash_fen, received_at, journal_id)
    SELECT l.community_id, p_settlement.settlement_id, p_after + row_number() OVER (ORDER BY l.received_at, l.voucher_id, l.use_seq), 'carried',
           l.voucher_id, l.use_seq, l.part + 1, l.quantity, l.points, l.subsidy_points, l.payable_fen, l.cash_fen, l.received_at, l.journal_id
      FROM unnest(p_disputes) d
      JOIN redemption.settlement_line l
        ON l.community_id = p_settlement.community_id AND l.settlement_id = d.settlement_id AND l.line_no = d.line_no;
    UPDATE redemption.dispute d SET carried_settlement = n.settlement_id, carried_line_no = n.line_no
      FROM unnest(p_disputes) t
      JOIN redemption.settlement_line l
        ON l.community_id = p_settlement.community_id AND l.settlement_id = t.settlement_id AND l.line_no = t.line_no
      JOIN redemption.settlement_line n
        ON n.community_id = l.community_id AND n.settlement_id = p_settlement.settlement_id AND n.kind = 'carried'
       AND n.voucher_id = l.voucher_id AND n.use_seq = l.use_seq
     WHERE d.community_id = p_settlement.community_id AND d.settlement_id = t.settlement_id AND d.line_no = t.line_no;
END $$;

-- Closes what the server received before p_until, and what was decided for the shop before then. The client's settlement id is the key.
CREATE FUNCTION redemption.close_settlement(
    p_community bigint, p_settlement uuid, p_merchant uuid, p_until timestamptz, p_actor uuid, p_now timestamptz
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb := jsonb_build_object('merchant', p_merchant, 'until', redemption.micros(p_until));
    v_before redemption.verdict;
    v_merchant redemption.merchant;
    v_uses redemption.use[];
    v_upheld redemption.dispute[];
    v_all redemption.use[];
    v_sums jsonb;
    v redemption.settlement;
    v_detail jsonb;
BEGIN
    -- The merchant's row orders its batches; the uses are locked before they are summed, so no reversal slips between.
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
    -- Exactly these uses: a scan that commits from here on belongs to the next batch, whatever its time says.
    v_uses := ARRAY(
        SELECT u FROM redemption.use u
         WHERE u.community_id = p_community AND u.merchant_id = p_merchant AND u.state = 'ACCEPTED' AND u.received_at < p_until
         ORDER BY u.voucher_id, u.seq FOR NO KEY UPDATE);
    v_upheld := ARRAY(
        SELECT d FROM redemption.dispute d
         WHERE d.community_id = p_community AND d.state = 'UPHELD' AND d.carried_settlement IS NULL AND d.resolved_at < p_until
           AND EXISTS (SELECT FROM redemption.settlement s
                        WHERE s.community_id = d.community_id AND s.settlement_id = d.settlement_id AND s.merchant_id = p_merchant)
         ORDER BY d.settlement_id, d.line_no FOR NO KEY UPDATE);
    v_all := v_uses || ARRAY(
        SELECT u FROM unnest(v_upheld) d
          JOIN redemption.settlement_line l ON l.community_id = p_community AND l.settlement_id = d.settlement_id AND l.line_no = d.line_no
          JOIN redemption.use u ON u.community_id = p_community AND u.voucher_id = l.voucher_id AND u.seq = l.use_seq);
    IF cardinality(v_all) = 0 THEN
        RETURN redemption.said('nothing_to_settle');
    END IF;
    v_sums := redemption.three_sums(p_community, p_merchant, v_all);
    IF v_sums -> 'uses' IS DISTINCT FROM v_sums -> 'lines' OR (v_sums -> 'uses') - 'count' IS DISTINCT FROM v_sums -> 'ledger' THEN
        RETURN redemption.said('sums_differ', v_sums);
    END IF;

    SELECT p_community, p_settlement, p_merchant, v_merchant.settled_number + 1,
           least(v_merchant.settled_until, (SELECT min(t.received_at) FROM unnest(v_uses) t)), p_until, 'CLOSED', count(*),
           sum(u.points), sum(u.subsidy_points), sum(u.payable_fen), sum(u.cash_fen)
      INTO v.community_id, v.settlement_id, v.merchant_id, v.number, v.received_from, v.received_until, v.state, v.line_count,
           v.points, v.subsidy_points, v.payable_fen, v.cash_fen
      FROM unnest(v_all) u;
    v.previous_hash := coalesce(v_merchant.settled_hash, sha256(''));
    v.hash := ''::bytea;
    v.paid_points := 0;
    v.paid_fen := 0;
    v.closed_by := p_actor;
    v.closed_at := p_now;
    INSERT INTO redemption.settlement SELECT v.*;
    PERFORM redemption.add_lines(v, v_uses);
    PERFORM redemption.carry_lines(v, v_upheld, cardinality(v_uses));
    v.hash := redemption.settlement_hash(v);
    UPDATE redemption.settlement s SET hash = v.hash WHERE s.community_id = p_community AND s.settlement_id = p_settlement;
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
    ELSIF p_actor IS NULL OR p_actor = v.closed_by THEN
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

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA redemption FROM PUBLIC;
GRANT EXECUTE ON FUNCTION redemption.close_settlement TO linli_app;
