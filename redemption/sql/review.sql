-- Records that are held for people: one proposes whether the shop is paid, another decides.

CREATE FUNCTION redemption.propose_review(
    p_community bigint, p_device uuid, p_nonce uuid, p_is_paid boolean, p_note text, p_actor uuid, p_now timestamptz
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_review redemption.offline_review;
    v_voucher bigint;
    v_undone text;
BEGIN
    SELECT * INTO v_review FROM redemption.offline_review r
     WHERE r.community_id = p_community AND r.device_id = p_device AND r.nonce = p_nonce FOR NO KEY UPDATE;
    SELECT v.voucher_id INTO v_voucher FROM redemption.offline_record o
      JOIN redemption.voucher v ON v.community_id = o.community_id AND v.voucher_id = o.voucher_id
     WHERE o.community_id = p_community AND o.device_id = p_device AND o.nonce = p_nonce;
    SELECT u.state INTO v_undone FROM redemption.offline_record o
      JOIN redemption.use u ON u.community_id = o.community_id AND u.device_id = o.device_id AND u.nonce = o.undoes
     WHERE o.community_id = p_community AND o.device_id = p_device AND o.nonce = p_nonce;
    IF v_review.nonce IS NULL THEN
        RETURN redemption.said('review_unknown');
    ELSIF v_review.state = 'proposed' AND (v_review.is_paid, v_review.note, v_review.proposed_by) = (p_is_paid, p_note, p_actor) THEN
        RETURN redemption.said('replayed');
    ELSIF v_review.state <> 'open' THEN
        RETURN redemption.said('review_decided', jsonb_build_object('state', v_review.state));
    ELSIF coalesce(p_note, '') = '' THEN
        RETURN redemption.said('reason_missing');
    ELSIF p_actor IS NULL OR p_is_paid IS NULL THEN
        RETURN redemption.said('actor_missing');
    ELSIF p_is_paid AND v_voucher IS NULL THEN
        RETURN redemption.said('review_unpayable');
    ELSIF NOT p_is_paid AND v_undone NOT IN ('ACCEPTED', 'REVERSED', 'ADJUSTED') THEN
        -- Paid as a conflict or in a statement: that is corrected there.
        RETURN redemption.said('use_settled', jsonb_build_object('state', v_undone));
    END IF;
    UPDATE redemption.offline_review r SET state = 'proposed', is_paid = p_is_paid, note = p_note, proposed_by = p_actor, proposed_at = p_now
     WHERE r.community_id = p_community AND r.device_id = p_device AND r.nonce = p_nonce;
    RETURN redemption.said('done');
END $$;

-- Agreeing does what was proposed: out of the voucher's escrow while it is open, else at the fund's cost, which two people may let rise above
-- the month's budget. Not agreeing puts it back. The same person may take their own proposal back, never agree to it. What is used already
-- is paid already: then nothing moves. An undo that came too late to be done by itself is a case too: paid, the use stands; not paid, it is
-- taken back, whatever the hour.
CREATE FUNCTION redemption.decide_review(
    p_community bigint, p_device uuid, p_nonce uuid, p_is_agreed boolean, p_actor uuid, p_now timestamptz, p_month_on date,
    p_short_code text DEFAULT NULL
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_record redemption.offline_record;
    v_review redemption.offline_review;
    v_voucher redemption.voucher;
    v_use redemption.use;
    v_taken redemption.verdict;
    v_seq int;
BEGIN
    SELECT * INTO v_record FROM redemption.offline_record o WHERE o.community_id = p_community AND o.device_id = p_device AND o.nonce = p_nonce;
    SELECT * INTO v_voucher FROM redemption.voucher v
     WHERE v.community_id = p_community AND v.voucher_id = v_record.voucher_id FOR NO KEY UPDATE;
    SELECT * INTO v_review FROM redemption.offline_review r
     WHERE r.community_id = p_community AND r.device_id = p_device AND r.nonce = p_nonce FOR NO KEY UPDATE;
    IF v_review.nonce IS NULL THEN
        RETURN redemption.said('review_unknown');
    ELSIF v_review.state = 'decided' AND v_review.decided_by = p_actor AND p_is_agreed THEN
        RETURN redemption.said('replayed', jsonb_build_object('use_seq', v_review.use_seq));
    ELSIF v_review.state <> 'proposed' THEN
        RETURN redemption.said('review_decided', jsonb_build_object('state', v_review.state));
    ELSIF p_actor IS NULL THEN
        RETURN redemption.said('actor_missing');
    ELSIF NOT p_is_agreed THEN
        UPDATE redemption.offline_review r SET state = 'open', is_paid = NULL, note = NULL, proposed_by = NULL, proposed_at = NULL
         WHERE r.community_id = p_community AND r.device_id = p_device AND r.nonce = p_nonce;
        RETURN redemption.said('done');
    ELSIF p_actor = v_review.proposed_by THEN
        RETURN redemption.said('same_person');
    END IF;
    SELECT * INTO v_use FROM redemption.use u
     WHERE u.community_id = p_community AND u.device_id = p_device AND u.nonce = coalesce(v_record.undoes, p_nonce);
    IF v_use.seq IS NOT NULL AND (v_review.is_paid OR v_record.undoes IS NULL OR v_use.state IN ('REVERSED', 'ADJUSTED')) THEN
        v_seq := v_use.seq;
    ELSIF v_use.seq IS NOT NULL THEN
        v_taken := redemption.reverse_use(p_community, p_nonce, v_use.voucher_id, v_use.seq, true, v_review.note, p_actor, NULL, p_now,
                                          ceil(extract(epoch FROM p_now - v_use.received_at) / 60)::int + 1, 2147483647, p_short_code);
        IF v_taken.code <> 'done' THEN
            RETURN v_taken;
        END IF;
    ELSIF v_review.is_paid AND v_voucher.state IN ('ISSUED', 'PART_USED') AND redemption.open_quantity(v_voucher) >= v_record.quantity THEN
        v_taken := redemption.take_use(v_voucher, p_device, p_nonce, NULL, v_record.merchant_id, coalesce(v_record.clerk_id, p_actor), v_record.quantity,
                                       v_record.scanned_at, p_now, NULL, 'merge');
        v_seq := (v_taken.detail ->> 'seq')::int;
    ELSIF v_review.is_paid THEN
        INSERT INTO redemption.loss_month AS m (community_id, began_on, lost_fen, allowed_fen)
        VALUES (p_community, p_month_on, v_record.value_fen, v_record.value_fen)
            ON CONFLICT ON CONSTRAINT pk_loss_month DO UPDATE
           SET lost_fen = m.lost_fen + excluded.lost_fen, allowed_fen = greatest(m.allowed_fen, m.lost_fen + excluded.lost_fen);
        v_seq := redemption.pay_conflict(v_voucher, p_device, p_nonce, v_record.merchant_id, coalesce(v_record.clerk_id, p_actor), v_record.quantity,
                                         'fund', false, v_review.note, v_record.scanned_at, p_now, v_review.proposed_by, p_actor);
    END IF;
    IF v_review.is_paid AND v_seq IS NULL THEN
        -- Nothing of this may stay when the books do not take it.
        RAISE EXCEPTION 'the ledger refused %', v_taken USING ERRCODE = 'LR001';
    END IF;
    UPDATE redemption.offline_review r SET state = 'decided', decided_by = p_actor, decided_at = p_now, use_seq = v_seq
     WHERE r.community_id = p_community AND r.device_id = p_device AND r.nonce = p_nonce;
    RETURN redemption.said('done', jsonb_build_object('use_seq', v_seq)
        || CASE WHEN v_taken.code = 'done' THEN v_taken.detail || jsonb_build_object('reversed_seq', v_use.seq, 'merchant_id', v_record.merchant_id) ELSE '{}' END);
END $$;
