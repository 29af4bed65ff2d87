-- A payment that a file asked for names the account of the file. Frozen from redemption/sql/.

-- Records that the bank paid p_fen, or all that is open. The points are burnt with the part that completes it.
-- The merchant's row comes first: of a payment and a new account one waits for the other. The statement's row orders payments,
-- and its CHECK of paid against approved is the wall behind. Where a file asks the bank for it, the payment went to the account that the
-- file names, whatever account the shop has by now.
CREATE OR REPLACE FUNCTION redemption.pay_settlement(
    p_community bigint, p_key uuid, p_settlement uuid, p_bank_reference text, p_actor uuid, p_now timestamptz, p_fen bigint DEFAULT NULL
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb := jsonb_strip_nulls(jsonb_build_object('settlement', p_settlement, 'bank_reference', p_bank_reference, 'fen', p_fen));
    v redemption.settlement;
    v_payee redemption.payee;
    v_before redemption.verdict;
    v_open bigint;
    v_fen bigint;
    v_points bigint;
    v_number int;
    v_repeats int;
    v_posted ledger.verdict;
    v_detail jsonb;
BEGIN
    PERFORM FROM redemption.merchant m
      WHERE m.community_id = p_community
        AND m.merchant_id = (SELECT s.merchant_id FROM redemption.settlement s WHERE s.community_id = p_community AND s.settlement_id = p_settlement)
      FOR SHARE;
    SELECT * INTO v FROM redemption.settlement s WHERE s.community_id = p_community AND s.settlement_id = p_settlement FOR NO KEY UPDATE;
    v_before := redemption.remembered(p_community, p_key, 'pay', v_request);
    IF v_before.code IS NULL THEN
        v_before := redemption.settlement_refusal(v, '{APPROVED,PART_PAID}');
    END IF;
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    ELSIF coalesce(p_bank_reference, '') = '' THEN
        RETURN redemption.said('bank_reference_missing');
    ELSIF p_actor IS NULL THEN
        RETURN redemption.said('actor_missing');
    ELSIF p_actor = v.approved_by THEN
        RETURN redemption.said('same_person');
    END IF;
    v_open := v.approved_fen - v.paid_fen;
    v_fen := coalesce(p_fen, v_open);
    v_payee := redemption.payee_of(p_community, v.merchant_id);
    IF v_fen NOT BETWEEN least(1, v_open) AND v_open THEN
        RETURN redemption.said('amount_wrong', jsonb_build_object('open', v_open));
    ELSIF v_fen > 0 AND v_payee.frozen_until > p_now THEN
        RETURN redemption.said('payout_frozen', jsonb_build_object('frozen_until', v_payee.frozen_until));
    ELSIF EXISTS (SELECT FROM redemption.payment p
                   WHERE p.community_id = p_community AND p.settlement_id = p_settlement AND p.bank_reference = p_bank_reference) THEN
        RETURN redemption.said('reference_used');
    END IF;
    v_points := CASE WHEN v_fen = v_open THEN v.approved_points - v.paid_points ELSE 0 END;
    SELECT count(*) + 1, min(p.number) FILTER (WHERE p.returned_at IS NOT NULL AND NOT EXISTS (
               SELECT FROM redemption.payment r
                WHERE r.community_id = p.community_id AND r.settlement_id = p.settlement_id AND r.repeats = p.number))
      INTO v_number, v_repeats
      FROM redemption.payment p WHERE p.community_id = p_community AND p.settlement_id = p_settlement;
    v_posted := redemption.post(p_community, 'redemption.settlement:' || p_settlement || ':paid' || CASE WHEN v_number > 1 THEN ':' || v_number ELSE '' END,
                                'settlement_paid', redemption.payment_steps(v.merchant_id, v_points, v_fen, false), p_actor, NULL, p_now);
    IF v_posted.code <> 'posted' THEN
        RETURN redemption.said('ledger_refused', jsonb_build_object('ledger_code', v_posted.code, 'ledger', v_posted.detail));
    END IF;
    INSERT INTO redemption.payment (community_id, settlement_id, number, points, fen, bank_reference, payee_id, repeats, approved_by,
                                    paid_by, paid_at, journal_id)
    VALUES (p_community, p_settlement, v_number, v_points, v_fen, p_bank_reference,
            coalesce((SELECT l.payee_id FROM redemption.bank_file_line l
                       WHERE l.community_id = p_community AND l.settlement_id = p_settlement AND l.is_live), v_payee.payee_id),
            v_repeats, v.approved_by, p_actor, p_now, v_posted.journal_id);
    UPDATE redemption.settlement s
       SET paid_fen = s.paid_fen + v_fen, paid_points = s.paid_points + v_points,
           state = CASE WHEN v_fen = v_open THEN 'PAID' ELSE 'PART_PAID' END,
           paid_by = CASE WHEN v_fen = v_open THEN p_actor END, paid_at = CASE WHEN v_fen = v_open THEN p_now END,
           bank_reference = CASE WHEN v_fen = v_open THEN p_bank_reference END,
           journal_id = CASE WHEN v_fen = v_open THEN v_posted.journal_id END
     WHERE s.community_id = p_community AND s.settlement_id = p_settlement;
    -- The file that asked the bank for it has done its work; a rest, or a repetition, goes into another.
    UPDATE redemption.bank_file_line l SET is_live = false WHERE l.community_id = p_community AND l.settlement_id = p_settlement AND l.is_live;
    v_detail := jsonb_build_object('settlement_id', p_settlement, 'payment', v_number, 'paid_points', v_points, 'paid_fen', v_fen,
                                   'open_fen', v_open - v_fen);
    PERFORM redemption.remember(p_community, p_key, 'pay', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;
