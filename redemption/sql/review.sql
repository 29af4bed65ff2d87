-- Records that are held for people: one proposes whether the shop is paid, another decides.

CREATE FUNCTION redemption.propose_review(
    p_community bigint, p_device uuid, p_nonce uuid, p_is_paid boolean, p_note text, p_actor uuid, p_now timestamptz
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_review redemption.offline_review;
    v_voucher bigint;
BEGIN
    SELECT * INTO v_review FROM redemption.offline_review r
     WHERE r.community_id = p_community AND r.device_id = p_device AND r.nonce = p_nonce FOR NO KEY UPDATE;
    SELECT v.voucher_id INTO v_voucher FROM redemption.offline_record o
      JOIN redemption.voucher v ON v.community_id = o.community_id AND v.voucher_id = o.voucher_id
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
    END IF;
    UPDATE redemption.offline_review r SET state = 'proposed', is_paid = p_is_paid, note = p_note, proposed_by = p_actor, proposed_at = p_now
     WHERE r.community_id = p_community AND r.device_id = p_device AND r.nonce = p_nonce;
    RETURN redemption.said('done');
END $$;

-- Who bears what two people let a shop be paid for, by the same table as an upload: {bearer, reason, strike}. A voucher with enough left
-- pays out of its escrow (bearer missing), and one that is stopped or kept has to be let go first (code). What the phone should have known
-- for a day, or took beyond all that the voucher had, is the shop's own, and no two people make it the fund's.
CREATE FUNCTION redemption.review_case(p_record redemption.offline_record, p_voucher redemption.voucher) RETURNS jsonb
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_used record;
BEGIN
    IF p_voucher.state IN ('FROZEN', 'VOID', 'CANCELLED') AND redemption.is_stale(p_voucher.changed_at, p_record.scanned_at, p_record.heard_at) THEN
        RETURN '{"code": "review_shops_own"}';
    ELSIF p_voucher.state IN ('FROZEN', 'LOCKED', 'RESERVED') THEN
        RETURN jsonb_build_object('code', redemption.state_refusal(p_voucher));
    ELSIF redemption.open_quantity(p_voucher) >= p_record.quantity THEN
        RETURN '{}';
    ELSIF p_voucher.state IN ('CANCELLED', 'EXPIRED') THEN
        RETURN '{"bearer": "member", "by_member": true}';
    ELSIF p_voucher.state = 'VOID' THEN
        RETURN '{"bearer": "fund", "by_member": false}';
    END IF;
    SELECT coalesce(sum(u.quantity) FILTER (WHERE u.device_id = p_record.device_id), 0) AS here,
           coalesce(bool_or(u.bearer IS NULL) FILTER (WHERE u.device_id <> p_record.device_id), false) AS elsewhere INTO v_used
      FROM redemption.use u
     WHERE u.community_id = p_voucher.community_id AND u.voucher_id = p_voucher.voucher_id AND u.state NOT IN ('REVERSED', 'ADJUSTED');
    IF v_used.here > 0 AND v_used.here + p_record.quantity > p_voucher.quantity_total THEN
        RETURN '{"code": "review_shops_own"}';
    ELSIF v_used.elsewhere THEN
        RETURN '{"bearer": "fund", "by_member": true, "strike": true}';
    END IF;
    RETURN '{"bearer": "member", "by_member": true}';
END $$;

-- Pays the shop for a held record that two people believe. Answers with the number of the use, or why not.
CREATE FUNCTION redemption.pay_review(
    p_record redemption.offline_record, p_review redemption.offline_review, p_voucher redemption.voucher, p_actor uuid, p_now timestamptz,
    p_month_on date
) RETURNS redemption.verdict
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_case jsonb := redemption.review_case(p_record, p_voucher);
    v_clerk uuid := coalesce(p_record.clerk_id, p_actor);
    v_taken redemption.verdict;
    v_seq int;
BEGIN
    IF v_case ->> 'code' IS NOT NULL THEN
        RETURN redemption.said(v_case ->> 'code', jsonb_build_object('voucher_id', p_voucher.voucher_id));
    ELSIF v_case ->> 'bearer' IS NULL THEN
        v_taken := redemption.take_use(p_voucher, p_record.device_id, p_record.nonce, NULL, p_record.merchant_id, v_clerk, p_record.quantity,
                                       p_record.scanned_at, p_now, NULL,
                                       CASE p_voucher.state WHEN 'CANCEL_PENDING' THEN 'end_cancelling' ELSE 'merge' END);
        v_seq := (v_taken.detail ->> 'seq')::int;
    ELSE
        IF v_case ->> 'bearer' = 'fund' THEN
            INSERT INTO redemption.loss_month AS m (community_id, began_on, lost_fen, allowed_fen)
            VALUES (p_record.community_id, p_month_on, p_record.value_fen, p_record.value_fen)
                ON CONFLICT ON CONSTRAINT pk_loss_month DO UPDATE
               SET lost_fen = m.lost_fen + excluded.lost_fen, allowed_fen = greatest(m.allowed_fen, m.lost_fen + excluded.lost_fen);
        END IF;
        v_seq := redemption.pay_conflict(p_voucher, p_record.device_id, p_record.nonce, p_record.merchant_id, v_clerk, p_record.quantity,
                                         v_case ->> 'bearer', (v_case ->> 'by_member')::boolean, p_review.note, p_record.scanned_at, p_now,
                                         p_review.proposed_by, p_actor);
        IF v_case ->> 'strike' IS NOT NULL THEN
            PERFORM redemption.add_strike(p_record.community_id, p_record.device_id, p_record.nonce,
                                          coalesce(p_voucher.payer_id, p_voucher.member_id), p_now);
        END IF;
    END IF;
    IF v_seq IS NULL THEN
        -- Nothing of this may stay when the books do not take it.
        RAISE EXCEPTION 'the ledger refused %', v_taken USING ERRCODE = 'LR001';
    END IF;
    RETURN redemption.said('done', jsonb_build_object('use_seq', v_seq));
END $$;

-- Takes a use back that its phone had taken back, whatever the hour: as at the counter, as a conflict, or in the shop's next statement.
CREATE FUNCTION redemption.undo_review(
    p_use redemption.use, p_review redemption.offline_review, p_voucher redemption.voucher, p_actor uuid, p_now timestamptz, p_short_code text
) RETURNS redemption.verdict
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_refusal redemption.verdict;
BEGIN
    IF p_use.state = 'ACCEPTED' THEN
        RETURN redemption.reverse_use(p_use.community_id, p_review.nonce, p_use.voucher_id, p_use.seq, true, p_review.note, p_actor, NULL, p_now,
                                      ceil(extract(epoch FROM p_now - p_use.received_at) / 60)::int + 1, 2147483647, p_short_code);
    ELSIF p_use.state = 'CONFLICT' THEN
        v_refusal := redemption.reverse_conflict(p_voucher, p_use, 'REVERSED', p_review.note, p_actor, p_review.proposed_by, p_now);
    ELSE
        v_refusal := redemption.adjust_undone(p_use, p_review.nonce, p_review.note, p_review.proposed_by, p_actor, p_now);
    END IF;
    RETURN CASE WHEN v_refusal.code IS NOT NULL THEN v_refusal
                ELSE redemption.said('done', jsonb_build_object('voucher_id', p_use.voucher_id, 'seq', p_use.seq, 'member_id', p_voucher.member_id)) END;
END $$;

-- Agreeing does what was proposed: out of the voucher's escrow while it is open, else by the table of who pays, and the fund's part may rise
-- above the month's budget. Not agreeing puts it back. The same person may take their own proposal back, never agree to it. What is used
-- already is paid already: then nothing moves. An undo that came too late to be done by itself is a case too: paid, the use stands; not paid,
-- it is taken back, whatever the hour. The shop first, then offer and voucher, as for a correction.
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
    v_done redemption.verdict := redemption.said('done');
BEGIN
    SELECT * INTO v_record FROM redemption.offline_record o WHERE o.community_id = p_community AND o.device_id = p_device AND o.nonce = p_nonce;
    PERFORM FROM redemption.merchant m WHERE m.community_id = p_community AND m.merchant_id = v_record.merchant_id FOR SHARE;
    v_voucher := redemption.lock_voucher(p_community, v_record.voucher_id);
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
    ELSIF p_actor IN (v_voucher.member_id, v_voucher.payer_id) OR v_review.proposed_by IN (v_voucher.member_id, v_voucher.payer_id) THEN
        RETURN redemption.said('own_voucher');
    END IF;
    -- What a phone takes back is looked at once more under the shop's and the voucher's lock: a statement may have taken it meanwhile.
    SELECT * INTO v_use FROM redemption.use u
     WHERE u.community_id = p_community AND u.device_id = p_device AND u.nonce = coalesce(v_record.undoes, p_nonce) FOR NO KEY UPDATE;
    IF v_use.seq IS NOT NULL AND (v_review.is_paid OR v_record.undoes IS NULL OR v_use.state IN ('REVERSED', 'ADJUSTED')) THEN
        v_done.detail := jsonb_build_object('use_seq', v_use.seq);
    ELSIF v_use.seq IS NOT NULL THEN
        v_done := redemption.undo_review(v_use, v_review, v_voucher, p_actor, p_now, p_short_code);
        v_done.detail := v_done.detail || jsonb_build_object('reversed_seq', v_use.seq, 'merchant_id', v_record.merchant_id);
    ELSIF v_review.is_paid THEN
        v_done := redemption.pay_review(v_record, v_review, v_voucher, p_actor, p_now, p_month_on);
    END IF;
    IF v_done.code <> 'done' THEN
        RETURN v_done;
    END IF;
    UPDATE redemption.offline_review r SET state = 'decided', decided_by = p_actor, decided_at = p_now, use_seq = (v_done.detail ->> 'use_seq')::int
     WHERE r.community_id = p_community AND r.device_id = p_device AND r.nonce = p_nonce;
    RETURN v_done;
END $$;
