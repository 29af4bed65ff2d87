DROP FUNCTION redemption.propose_step;
DROP FUNCTION redemption.step_refusal;
DROP FUNCTION redemption.decide_step;
DROP FUNCTION redemption.extend;

-- The next p_limit vouchers whose time is over. Whoever another transaction holds is left for the next round.
-- Offers are locked first and in order, and waited for; vouchers are skipped, so that a scan in progress wins.
CREATE OR REPLACE FUNCTION redemption.expire_due(p_community bigint, p_now timestamptz, p_limit int) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_ids bigint[];
    v_offers uuid[];
    v_vouchers redemption.voucher[];
    v_voucher redemption.voucher;
    v_refusal redemption.verdict;
    v_done jsonb := '[]';
    v_refused jsonb := '[]';
BEGIN
    SELECT array_agg(d.voucher_id), array_agg(DISTINCT d.offer_id) INTO v_ids, v_offers
      FROM (SELECT v.voucher_id, v.offer_id FROM redemption.voucher v
             WHERE v.community_id = p_community AND v.due_at <= p_now
               AND v.state IN ('RESERVED', 'ISSUED', 'PART_USED')
             ORDER BY v.due_at, v.voucher_id LIMIT p_limit) d;
    PERFORM FROM redemption.offer o
      WHERE o.community_id = p_community AND o.offer_id = ANY (v_offers) ORDER BY o.offer_id FOR NO KEY UPDATE;
    -- The state is asked again: while the offers were waited for, a voucher may have been used or cancelled.
    v_vouchers := ARRAY(
        SELECT v FROM redemption.voucher v
         WHERE v.community_id = p_community AND v.voucher_id = ANY (v_ids) AND v.state IN ('RESERVED', 'ISSUED', 'PART_USED')
         ORDER BY v.voucher_id FOR NO KEY UPDATE SKIP LOCKED);
    FOREACH v_voucher IN ARRAY v_vouchers LOOP
        v_refusal := redemption.end_voucher(v_voucher, 'EXPIRED', 'expire', 'voucher_expired', NULL, NULL, 'expired', p_now);
        IF v_refusal.code IS NULL THEN
            v_done := v_done || redemption.ended_detail(v_voucher, 'EXPIRED');
        ELSE
            v_refused := v_refused || jsonb_build_object('voucher_id', v_voucher.voucher_id, 'why', v_refusal.detail);
        END IF;
    END LOOP;
    RETURN redemption.said('done', jsonb_build_object(
        'expired', v_done, 'refused', v_refused, 'found', coalesce(cardinality(v_ids), 0)));
END $$;


DROP TABLE redemption.voucher_request;
