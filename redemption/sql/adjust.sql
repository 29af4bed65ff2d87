-- A use whose statement the shop has confirmed is corrected by its exact opposite in the shop's next statement, never by an edit.

-- By one of finance, never about their own voucher. Before the shop confirms, a line is disputed instead; a line in dispute is decided there.
-- p_adjustment is the client's key and names the correction for ever. The statement's row orders those who ask, so that a use has one
-- correction at most. The shop's row is held first: while somebody asks it is not finished as having left, and of one that has left no
-- statement would ever bear the correction.
CREATE FUNCTION redemption.propose_adjustment(
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
    PERFORM FROM redemption.merchant m
      WHERE m.community_id = p_community
        AND m.merchant_id = (SELECT s.merchant_id FROM redemption.settlement s WHERE s.community_id = p_community AND s.settlement_id = p_settlement)
      FOR SHARE;
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
    ELSIF redemption.has_left(p_community, v.merchant_id) THEN
        RETURN redemption.said('merchant_left');
    END IF;
    SELECT * INTO v_line FROM redemption.settlement_line l
     WHERE l.community_id = p_community AND l.settlement_id = p_settlement AND l.line_no = p_line_no;
    SELECT * INTO v_use FROM redemption.use u
     WHERE u.community_id = p_community AND u.voucher_id = v_line.voucher_id AND u.seq = v_line.use_seq;
    IF v_line.line_no IS NULL THEN
        RETURN redemption.said('line_unknown');
    ELSIF EXISTS (SELECT FROM redemption.voucher w
                   WHERE w.community_id = p_community AND w.voucher_id = v_line.voucher_id AND p_actor IN (w.member_id, w.payer_id)) THEN
        RETURN redemption.said('own_voucher');
    ELSIF EXISTS (SELECT FROM redemption.dispute d
                   WHERE d.community_id = p_community AND d.settlement_id = p_settlement AND d.line_no = p_line_no) THEN
        RETURN redemption.said('already_disputed');
    ELSIF EXISTS (SELECT FROM redemption.adjustment a
                   WHERE a.community_id = p_community AND a.voucher_id = v_line.voucher_id AND a.use_seq = v_line.use_seq AND a.state <> 'refused') THEN
        RETURN redemption.said('already_adjusted');
    ELSIF v_use.state <> 'SETTLED' OR v_use.bearer IS NOT NULL OR p_cause = 'undone' THEN
        -- What a conflict paid is taken back where its phone said so: by two people, of the held record.
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
-- shop's next statement says so, so the shop must still be there. The adjustment's row orders those who decide: the second waits and is told
-- what was decided. The shop's row orders them and whoever closes its statement.
CREATE FUNCTION redemption.decide_adjustment(
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
    PERFORM FROM redemption.merchant m
      WHERE m.community_id = p_community
        AND m.merchant_id = (SELECT a.merchant_id FROM redemption.adjustment a WHERE a.community_id = p_community AND a.adjustment_id = p_adjustment)
      FOR SHARE;
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
    ELSIF p_is_agreed AND redemption.has_left(p_community, v.merchant_id) THEN
        RETURN redemption.said('merchant_left');
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

-- Corrections that two people agreed on join the shop's statement, after its other lines, each once and whenever they were agreed on: what the
-- shop owes is borne first. The caller holds the shop.
CREATE FUNCTION redemption.carry_adjustments(p_settlement redemption.settlement) RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_count bigint;
BEGIN
    WITH agreed AS (
        SELECT a.* FROM redemption.adjustment a
         WHERE a.community_id = p_settlement.community_id AND a.merchant_id = p_settlement.merchant_id AND a.state = 'done'
           AND a.carried_settlement IS NULL
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
