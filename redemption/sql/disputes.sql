-- A line in dispute is decided once, by a second person: for the shop, or by taking the use back.

-- Takes a settled use back: the money by its exact opposite, the pieces out of the voucher as returned, never into use again.
-- REVERSED takes its line out of its batch; ADJUSTED leaves the line alone, and another in a later batch says the opposite.
-- The caller holds the dispute, or the adjustment. NULL, or why not.
CREATE FUNCTION redemption.refund_use(
    p_line redemption.settlement_line, p_state text, p_reason text, p_actor uuid, p_second uuid, p_now timestamptz
) RETURNS redemption.verdict
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_voucher redemption.voucher := redemption.lock_voucher(p_line.community_id, p_line.voucher_id);
    v_use redemption.use;
    v_posted ledger.verdict;
    v_state text;
BEGIN
    SELECT * INTO v_use FROM redemption.use u
     WHERE u.community_id = p_line.community_id AND u.voucher_id = p_line.voucher_id AND u.seq = p_line.use_seq FOR NO KEY UPDATE;
    IF v_use.state <> 'SETTLED' THEN
        RETURN redemption.said('already_reversed', jsonb_build_object('voucher_id', p_line.voucher_id, 'seq', p_line.use_seq, 'state', v_use.state));
    ELSIF v_use.bearer IS NOT NULL THEN
        RETURN redemption.reverse_conflict(v_voucher, v_use, p_state, p_reason, p_actor, p_second, p_now);
    ELSIF v_voucher.state IN ('FROZEN', 'LOCKED', 'CANCEL_PENDING', 'RESERVED') THEN
        RETURN redemption.said(redemption.state_refusal(v_voucher), jsonb_build_object('voucher_id', p_line.voucher_id));
    END IF;
    v_state := CASE
        WHEN v_voucher.state IN ('CANCELLED', 'EXPIRED', 'VOID') THEN v_voucher.state
        WHEN v_voucher.quantity_used > v_use.quantity THEN v_voucher.state
        WHEN redemption.open_quantity(v_voucher) > 0 THEN 'ISSUED'
        ELSE 'CANCELLED'
    END;
    v_posted := redemption.post(p_line.community_id, 'redemption.use:' || v_use.device_id || ':' || v_use.nonce || ':' || lower(p_state),
                                'voucher_use_reversed', redemption.counter_steps(v_use), p_actor, NULL, p_now);
    IF v_posted.code <> 'posted' THEN
        RETURN redemption.said('ledger_refused', jsonb_build_object('ledger_code', v_posted.code, 'ledger', v_posted.detail));
    END IF;
    UPDATE redemption.use u
       SET state = p_state, reversal_journal_id = v_posted.journal_id,
           reversed_at = CASE p_state WHEN 'REVERSED' THEN p_now END, reversed_by = CASE p_state WHEN 'REVERSED' THEN p_actor END,
           reversal_reason = CASE p_state WHEN 'REVERSED' THEN p_reason END
     WHERE u.community_id = p_line.community_id AND u.voucher_id = p_line.voucher_id AND u.seq = p_line.use_seq;
    UPDATE redemption.voucher v
       SET state = v_state, quantity_used = v.quantity_used - v_use.quantity, quantity_returned = v.quantity_returned + v_use.quantity,
           event_seq = v.event_seq + 1, changed_at = p_now
     WHERE v.community_id = p_line.community_id AND v.voucher_id = p_line.voucher_id;
    PERFORM redemption.restock(v_voucher, v_use.quantity);
    INSERT INTO redemption.voucher_event (community_id, voucher_id, number, action, from_state, to_state, actor_id, second_id, reason, at)
    VALUES (p_line.community_id, p_line.voucher_id, v_voucher.event_seq + 1,
            CASE p_state WHEN 'REVERSED' THEN 'refund' ELSE 'adjust' END, v_voucher.state, v_state, p_actor, p_second, p_reason, p_now);
    RETURN NULL;
END $$;

-- By neither who closed the statement nor who objected, and never about one's own voucher. The dispute's row orders those who decide: the
-- second waits and is told what was decided.
CREATE FUNCTION redemption.resolve_dispute(
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
    IF EXISTS (SELECT FROM redemption.voucher w
                WHERE w.community_id = p_community AND w.voucher_id = v_line.voucher_id AND p_actor IN (w.member_id, w.payer_id)) THEN
        RETURN redemption.said('own_voucher');
    END IF;
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
