-- As it was: only corrections agreed on before a statement's end joined it, and whose voucher it is was asked of the second person alone.

-- By one of finance. Before the shop confirms, a line is disputed instead; a line in dispute is decided there. p_adjustment is the client's
-- key and names the correction for ever. The statement's row orders those who ask, so that a use has one correction at most.
CREATE OR REPLACE FUNCTION redemption.propose_adjustment(
    p_community bigint, p_adjustment uuid, p_settlement uuid, p_line_no int, p_cause text, p_reason text, p_actor uuid, p_now timestamptz
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb := jsonb_build_object('settlement', p_settlement, 'line_no', p_line_no, 'cause', p_cause, 'reason', p_reason);
    v redemption.settlement;
    v_line redemption.settlement_line;
    v_use redemption.use;
    v_before redemption.verdict;
    v_detail jsonb := jsonb_build_object('adjustment_id', p_adjustment);
BEGIN
    SELECT * INTO v FROM redemption.settlement s WHERE s.community_id = p_community AND s.settlement_id = p_settlement FOR NO KEY UPDATE;
    v_before := redemption.remembered(p_community, p_adjustment, 'propose_adjustment', v_request);
    IF v_before.code IS NULL THEN
        v_before := redemption.settlement_refusal(v, '{CONFIRMED,APPROVED,PART_PAID,PAID}');
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
    SELECT * INTO v_use FROM redemption.use u
     WHERE u.community_id = p_community AND u.voucher_id = v_line.voucher_id AND u.seq = v_line.use_seq;
    IF v_line.line_no IS NULL THEN
        RETURN redemption.said('line_unknown');
    ELSIF EXISTS (SELECT FROM redemption.dispute d
                   WHERE d.community_id = p_community AND d.settlement_id = p_settlement AND d.line_no = p_line_no) THEN
        RETURN redemption.said('already_disputed');
    ELSIF EXISTS (SELECT FROM redemption.adjustment a
                   WHERE a.community_id = p_community AND a.voucher_id = v_line.voucher_id AND a.use_seq = v_line.use_seq AND a.state <> 'refused') THEN
        RETURN redemption.said('already_adjusted');
    ELSIF v_use.state <> 'SETTLED' OR v_use.bearer IS NOT NULL THEN
        RETURN redemption.said('not_adjustable', jsonb_build_object('state', v_use.state));
    END IF;
    INSERT INTO redemption.adjustment (community_id, adjustment_id, settlement_id, line_no, voucher_id, use_seq, merchant_id, cause, state,
                                       reason, proposed_by, proposed_at)
    VALUES (p_community, p_adjustment, p_settlement, p_line_no, v_line.voucher_id, v_line.use_seq, v.merchant_id, p_cause, 'proposed',
            p_reason, p_actor, p_now);
    PERFORM redemption.remember(p_community, p_adjustment, 'propose_adjustment', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;

-- Yes is a second person's, and not of whoever gets the points; no is anybody's, also of who proposed it. Yes moves the money at once; the
-- shop's next statement says so. The adjustment's row orders those who decide: the second waits and is told what was decided.
CREATE OR REPLACE FUNCTION redemption.decide_adjustment(
    p_community bigint, p_key uuid, p_adjustment uuid, p_is_agreed boolean, p_actor uuid, p_now timestamptz
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb := jsonb_build_object('adjustment', p_adjustment, 'agreed', p_is_agreed);
    v redemption.adjustment;
    v_line redemption.settlement_line;
    v_before redemption.verdict;
    v_detail jsonb := jsonb_build_object('adjustment_id', p_adjustment, 'agreed', p_is_agreed);
BEGIN
    SELECT * INTO v FROM redemption.adjustment a WHERE a.community_id = p_community AND a.adjustment_id = p_adjustment FOR NO KEY UPDATE;
    v_before := redemption.remembered(p_community, p_key, 'decide_adjustment', v_request);
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    ELSIF v.adjustment_id IS NULL THEN
        RETURN redemption.said('adjustment_unknown');
    ELSIF v.state <> 'proposed' THEN
        RETURN redemption.said('adjustment_decided', jsonb_build_object('state', v.state));
    ELSIF p_actor IS NULL OR p_is_agreed IS NULL THEN
        RETURN redemption.said('actor_missing');
    ELSIF p_is_agreed AND (p_actor = v.proposed_by OR EXISTS (
        SELECT FROM redemption.voucher w
         WHERE w.community_id = p_community AND w.voucher_id = v.voucher_id AND p_actor IN (w.member_id, w.payer_id))) THEN
        RETURN redemption.said('same_person');
    END IF;
    IF p_is_agreed THEN
        SELECT * INTO v_line FROM redemption.settlement_line l
         WHERE l.community_id = p_community AND l.settlement_id = v.settlement_id AND l.line_no = v.line_no;
        v_before := redemption.refund_use(v_line, 'ADJUSTED', v.reason, p_actor, v.proposed_by, p_now);
        IF v_before.code IS NOT NULL THEN
            RETURN v_before;
        END IF;
    END IF;
    UPDATE redemption.adjustment a
       SET state = CASE WHEN p_is_agreed THEN 'done' ELSE 'refused' END, decided_by = p_actor, decided_at = p_now
     WHERE a.community_id = p_community AND a.adjustment_id = p_adjustment;
    PERFORM redemption.remember(p_community, p_key, 'decide_adjustment', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;

-- Corrections that two people agreed on join the shop's statement, after its other lines, each once. The caller holds the shop.
CREATE OR REPLACE FUNCTION redemption.carry_adjustments(p_settlement redemption.settlement) RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_count bigint;
BEGIN
    WITH agreed AS (
        SELECT a.* FROM redemption.adjustment a
         WHERE a.community_id = p_settlement.community_id AND a.merchant_id = p_settlement.merchant_id AND a.state = 'done'
           AND a.carried_settlement IS NULL AND a.decided_at < p_settlement.received_until
         ORDER BY a.adjustment_id FOR NO KEY UPDATE
    ), written AS (
        INSERT INTO redemption.settlement_line (community_id, settlement_id, line_no, kind, voucher_id, use_seq, part, quantity,
                                                points, subsidy_points, payable_fen, cash_fen, received_at, journal_id)
        SELECT l.community_id, p_settlement.settlement_id,
               (SELECT count(*) FROM redemption.settlement_line n
                 WHERE n.community_id = p_settlement.community_id AND n.settlement_id = p_settlement.settlement_id)
               + row_number() OVER (ORDER BY l.received_at, l.voucher_id, l.use_seq), 'adjustment',
               l.voucher_id, l.use_seq, l.part + 1, -l.quantity, -l.points, -l.subsidy_points, -l.payable_fen, -l.cash_fen, l.received_at,
               u.reversal_journal_id
          FROM agreed a
          JOIN redemption.settlement_line l ON l.community_id = a.community_id AND l.settlement_id = a.settlement_id AND l.line_no = a.line_no
          JOIN redemption.use u ON u.community_id = l.community_id AND u.voucher_id = l.voucher_id AND u.seq = l.use_seq
        RETURNING *
    )
    UPDATE redemption.adjustment a SET carried_settlement = w.settlement_id, carried_line_no = w.line_no
      FROM written w
     WHERE a.community_id = w.community_id AND a.voucher_id = w.voucher_id AND a.use_seq = w.use_seq AND a.state = 'done';
    GET DIAGNOSTICS v_count = ROW_COUNT;
    RETURN v_count;
END $$;

-- The dispute's row orders those who decide: the second waits and is told what was decided.
CREATE OR REPLACE FUNCTION redemption.resolve_dispute(
    p_community bigint, p_key uuid, p_settlement uuid, p_line_no int, p_for_shop boolean, p_reason text, p_actor uuid, p_now timestamptz
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb := jsonb_build_object('settlement', p_settlement, 'line_no', p_line_no, 'for_shop', p_for_shop, 'reason', p_reason);
    v_dispute redemption.dispute;
    v_closed_by uuid;
    v_line redemption.settlement_line;
    v_before redemption.verdict;
    v_detail jsonb := jsonb_build_object('settlement_id', p_settlement, 'line_no', p_line_no,
                                         'dispute_state', CASE WHEN p_for_shop THEN 'UPHELD' ELSE 'REVERSED' END);
BEGIN
    SELECT * INTO v_dispute FROM redemption.dispute d
     WHERE d.community_id = p_community AND d.settlement_id = p_settlement AND d.line_no = p_line_no FOR NO KEY UPDATE;
    v_before := redemption.remembered(p_community, p_key, 'resolve', v_request);
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    ELSIF v_dispute.line_no IS NULL THEN
        RETURN redemption.said('not_disputed');
    ELSIF v_dispute.state <> 'DISPUTED' THEN
        RETURN redemption.said('dispute_resolved', jsonb_build_object('state', v_dispute.state, 'resolved_at', v_dispute.resolved_at));
    ELSIF coalesce(p_reason, '') = '' THEN
        RETURN redemption.said('reason_missing');
    ELSIF p_actor IS NULL OR p_for_shop IS NULL THEN
        RETURN redemption.said('actor_missing');
    END IF;
    SELECT s.closed_by INTO v_closed_by FROM redemption.settlement s WHERE s.community_id = p_community AND s.settlement_id = p_settlement;
    IF p_actor IN (v_closed_by, v_dispute.raised_by) THEN
        RETURN redemption.said('same_person');
    END IF;
    SELECT * INTO v_line FROM redemption.settlement_line l
     WHERE l.community_id = p_community AND l.settlement_id = p_settlement AND l.line_no = p_line_no;
    IF NOT p_for_shop THEN
        v_before := redemption.refund_use(v_line, 'REVERSED', p_reason, p_actor, v_closed_by, p_now);
        IF v_before.code IS NOT NULL THEN
            RETURN v_before;
        END IF;
    END IF;
    UPDATE redemption.dispute d
       SET state = v_detail ->> 'dispute_state', resolution = p_reason, resolved_by = p_actor, resolved_at = p_now
     WHERE d.community_id = p_community AND d.settlement_id = p_settlement AND d.line_no = p_line_no;
    PERFORM redemption.remember(p_community, p_key, 'resolve', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;

-- A voucher that was used before: where decides who pays. The floor bounds what the fund bears. Used twice it was at two devices, whether
-- the first had a network or not: the member owes the points either way. Where nothing of it was used, the pieces had been given back.
CREATE OR REPLACE FUNCTION redemption.used_before(
    p_device redemption.device, p_record jsonb, p_voucher redemption.voucher, p_heard timestamptz, p_terms jsonb
) RETURNS jsonb
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_earlier record;
BEGIN
    SELECT bool_or(u.device_id = p_device.device_id) AS here, bool_or(o.verdict = 'accepted') AS offline INTO v_earlier
      FROM redemption.use u
      LEFT JOIN redemption.offline_record o ON o.community_id = u.community_id AND o.device_id = u.device_id AND o.nonce = u.nonce
     WHERE u.community_id = p_voucher.community_id AND u.voucher_id = p_voucher.voucher_id AND u.state <> 'REVERSED' AND u.bearer IS NULL;
    IF v_earlier.here THEN
        RETURN redemption.concluded('conflict', 'used_here', 'merchant');
    ELSIF (p_record ->> 'quantity')::int > p_voucher.quantity_total
          OR NOT redemption.is_inside_floor(p_device, p_record, p_voucher, p_heard, p_terms) THEN
        RETURN redemption.concluded('conflict', 'above_floor', 'merchant');
    ELSIF v_earlier.here IS NULL THEN
        RETURN redemption.concluded('conflict', 'cancelled_before', 'member');
    END IF;
    RETURN redemption.concluded('conflict', CASE WHEN v_earlier.offline THEN 'used_elsewhere' ELSE 'used_online' END, 'fund');
END $$;

DROP FUNCTION redemption.has_left;
