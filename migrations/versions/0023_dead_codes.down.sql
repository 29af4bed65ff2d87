-- The functions as they were.

DROP FUNCTION redemption.reverse_use;
DROP FUNCTION redemption.renew_code;
DROP FUNCTION redemption.dispute_line;

CREATE FUNCTION redemption.reverse_use(
    p_community bigint, p_key uuid, p_voucher_id bigint, p_seq int, p_as_owner boolean, p_reason text,
    p_actor uuid, p_on_behalf_of uuid, p_now timestamptz, p_reversible_minutes int, p_reversals_per_day int
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb := jsonb_build_object('voucher', p_voucher_id, 'seq', p_seq);
    v_before redemption.verdict;
    v_old redemption.voucher;
    v_new redemption.voucher;
    v_use redemption.use;
    v_posted ledger.verdict;
    v_detail jsonb;
BEGIN
    SELECT * INTO v_old FROM redemption.voucher v
     WHERE v.community_id = p_community AND v.voucher_id = p_voucher_id FOR NO KEY UPDATE;
    SELECT * INTO v_use FROM redemption.use u
     WHERE u.community_id = p_community AND u.voucher_id = p_voucher_id AND u.seq = p_seq FOR NO KEY UPDATE;
    -- The device's lock makes its number of reversals a day a true limit.
    PERFORM FROM redemption.device d
      WHERE d.community_id = p_community AND d.device_id = v_use.device_id FOR NO KEY UPDATE;
    v_before := redemption.remembered(p_community, p_key, 'reverse', v_request);
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    END IF;
    v_before := redemption.reversal_refusal(
        v_old, v_use, p_as_owner, p_reason, p_actor, p_now, p_reversible_minutes, p_reversals_per_day);
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    END IF;
    v_new := v_old;
    v_new.quantity_used := v_old.quantity_used - v_use.quantity;
    v_new.points_hold := CASE WHEN v_old.points_hold IS NOT NULL THEN redemption.uuid_at(p_now) END;
    v_new.subsidy_hold := CASE WHEN v_old.subsidy_hold IS NOT NULL THEN redemption.uuid_at(p_now) END;
    v_new.payable_hold := CASE WHEN v_old.payable_hold IS NOT NULL THEN redemption.uuid_at(p_now) END;
    v_new.state := CASE WHEN v_new.quantity_used = 0 THEN 'ISSUED' ELSE 'PART_USED' END;

    v_posted := redemption.post(p_community, 'redemption.use:' || v_use.device_id || ':' || v_use.nonce || ':reversed', 'voucher_use_reversed',
                                redemption.reversal_steps(v_old, v_new, v_use), p_actor, p_on_behalf_of, p_now);
    IF v_posted.code <> 'posted' THEN
        RETURN redemption.said('ledger_refused', jsonb_build_object('ledger_code', v_posted.code, 'ledger', v_posted.detail));
    END IF;
    UPDATE redemption.use u
       SET state = 'REVERSED', reversed_at = p_now, reversed_by = p_actor, reversal_reason = p_reason, reversal_journal_id = v_posted.journal_id
     WHERE u.community_id = p_community AND u.voucher_id = p_voucher_id AND u.seq = p_seq;
    UPDATE redemption.voucher v
       SET state = v_new.state, quantity_used = v_new.quantity_used, code_seq = v.code_seq + 1, event_seq = v.event_seq + 1, changed_at = p_now,
           points_hold = v_new.points_hold, subsidy_hold = v_new.subsidy_hold, payable_hold = v_new.payable_hold
     WHERE v.community_id = p_community AND v.voucher_id = p_voucher_id;
    INSERT INTO redemption.voucher_event (community_id, voucher_id, number, action, from_state, to_state, actor_id, on_behalf_of, reason, at)
    VALUES (p_community, p_voucher_id, v_old.event_seq + 1, 'reverse', v_old.state, v_new.state, p_actor, p_on_behalf_of, p_reason, p_now);
    v_detail := jsonb_build_object('voucher_id', p_voucher_id, 'seq', p_seq, 'member_id', v_old.member_id, 'quantity', v_use.quantity,
                                   'points', v_use.points, 'voucher_state', v_new.state);
    PERFORM redemption.remember(p_community, p_key, 'reverse', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;

CREATE FUNCTION redemption.renew_code(p_community bigint, p_voucher_id bigint, p_reason text, p_actor uuid, p_on_behalf_of uuid, p_now timestamptz)
RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_voucher redemption.voucher := redemption.lock_voucher(p_community, p_voucher_id);
    v_code text;
BEGIN
    v_code := redemption.state_refusal(v_voucher);
    IF v_voucher.voucher_id IS NULL THEN
        RETURN redemption.said('unknown');
    ELSIF coalesce(p_reason, '') = '' THEN
        RETURN redemption.said('reason_missing');
    ELSIF v_code IS NOT NULL THEN
        RETURN redemption.said(v_code, jsonb_build_object('voucher_id', p_voucher_id));
    END IF;
    UPDATE redemption.voucher v SET code_seq = v.code_seq + 1, event_seq = v.event_seq + 1, changed_at = p_now
     WHERE v.community_id = p_community AND v.voucher_id = p_voucher_id;
    INSERT INTO redemption.voucher_event (community_id, voucher_id, number, action, from_state, to_state, actor_id, on_behalf_of, reason, at)
    VALUES (p_community, p_voucher_id, v_voucher.event_seq + 1, 'renew_code', v_voucher.state, v_voucher.state, p_actor, p_on_behalf_of, p_reason, p_now);
    RETURN redemption.said('done', jsonb_build_object('voucher_id', p_voucher_id, 'code_seq', v_voucher.code_seq + 1));
END $$;

CREATE FUNCTION redemption.dispute_line(
    p_community bigint, p_key uuid, p_settlement uuid, p_line_no int, p_reason text, p_actor uuid, p_on_behalf_of uuid, p_now timestamptz
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb := jsonb_build_object('settlement', p_settlement, 'line_no', p_line_no);
    v redemption.settlement;
    v_before redemption.verdict;
    v_detail jsonb := jsonb_build_object('settlement_id', p_settlement, 'line_no', p_line_no);
BEGIN
    SELECT * INTO v FROM redemption.settlement s WHERE s.community_id = p_community AND s.settlement_id = p_settlement FOR NO KEY UPDATE;
    v_before := redemption.remembered(p_community, p_key, 'dispute', v_request);
    IF v_before.code IS NULL THEN
        v_before := redemption.settlement_refusal(v, '{CLOSED,CONFIRMED}');
    END IF;
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    ELSIF coalesce(p_reason, '') = '' THEN
        RETURN redemption.said('reason_missing');
    ELSIF p_actor IS NULL THEN
        RETURN redemption.said('actor_missing');
    ELSIF NOT EXISTS (SELECT FROM redemption.settlement_line l
                       WHERE l.community_id = p_community AND l.settlement_id = p_settlement AND l.line_no = p_line_no) THEN
        RETURN redemption.said('line_unknown');
    ELSIF EXISTS (SELECT FROM redemption.dispute d
                   WHERE d.community_id = p_community AND d.settlement_id = p_settlement AND d.line_no = p_line_no) THEN
        RETURN redemption.said('already_disputed');
    END IF;
    INSERT INTO redemption.dispute (community_id, settlement_id, line_no, state, reason, raised_by, on_behalf_of, raised_at)
    VALUES (p_community, p_settlement, p_line_no, 'DISPUTED', p_reason, p_actor, p_on_behalf_of, p_now);
    PERFORM redemption.remember(p_community, p_key, 'dispute', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;

REVOKE ALL ON FUNCTION redemption.reverse_use, redemption.renew_code, redemption.dispute_line FROM PUBLIC;
GRANT EXECUTE ON FUNCTION redemption.reverse_use, redemption.renew_code, redemption.dispute_line TO linli_app;
