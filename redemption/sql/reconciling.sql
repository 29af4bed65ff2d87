-- What the bank's own list says: payments it made and payments it sent back, booked together, each once.

-- Books lines of the bank's list in their order. Each has a key of its own: one that was booked is answered as it was the first time, one
-- that is refused changes nothing and says why, beside the others. Merchants before statements, all in order and before the first posting,
-- as a payment locks them: two who book at once wait here and nowhere later. What came back while a file's line is live was sent by it
-- and never recorded: both are booked, so that a second person approves before it is sent again.
CREATE FUNCTION redemption.book_bank_lines(
    p_community bigint, p_keys uuid[], p_settlements uuid[], p_fen bigint[], p_references text[], p_returns boolean[], p_payments int[],
    p_reasons text[], p_actor uuid, p_now timestamptz
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_lines jsonb := '[]';
    v_done redemption.verdict;
    v_answer jsonb;
    v_number int;
    v_is_sent boolean;
BEGIN
    IF p_actor IS NULL THEN
        RETURN redemption.said('actor_missing');
    END IF;
    PERFORM FROM redemption.merchant m
      WHERE m.community_id = p_community
        AND m.merchant_id IN (SELECT s.merchant_id FROM redemption.settlement s
                               WHERE s.community_id = p_community AND s.settlement_id = ANY (p_settlements))
      ORDER BY m.merchant_id FOR SHARE;
    PERFORM FROM redemption.settlement s
      WHERE s.community_id = p_community AND s.settlement_id = ANY (p_settlements) ORDER BY s.settlement_id FOR NO KEY UPDATE;
    FOR i IN 1 .. cardinality(p_keys) LOOP
        SELECT c.answer INTO v_answer FROM redemption.command c
         WHERE c.community_id = p_community AND c.key = p_keys[i] AND c.verb IN ('pay', 'return') FOR UPDATE;
        IF FOUND THEN
            v_done := redemption.said('replayed', v_answer);
        ELSIF p_returns[i] AND coalesce(p_reasons[i], '') = '' THEN
            v_done := redemption.said('reason_missing');
        ELSIF NOT p_returns[i] THEN
            v_done := redemption.pay_settlement(p_community, p_keys[i], p_settlements[i], p_references[i], p_actor, p_now, p_fen[i]);
        ELSE
            v_done := redemption.said('payment_unknown');
            v_number := p_payments[i];
            v_is_sent := false;
            IF v_number IS NULL AND EXISTS (SELECT FROM redemption.bank_file_line l
                                             WHERE l.community_id = p_community AND l.settlement_id = p_settlements[i] AND l.is_live) THEN
                v_done := redemption.pay_settlement(p_community, md5(p_keys[i]::text || ' sent')::uuid, p_settlements[i], p_references[i],
                                                    p_actor, p_now, p_fen[i]);
                v_is_sent := v_done.code = 'done';
                v_number := CASE WHEN v_is_sent THEN (v_done.detail ->> 'payment')::int END;
            ELSIF v_number IS NULL THEN
                SELECT max(p.number) INTO v_number FROM redemption.payment p
                 WHERE p.community_id = p_community AND p.settlement_id = p_settlements[i] AND p.returned_at IS NULL AND p.fen = p_fen[i];
            ELSIF NOT EXISTS (SELECT FROM redemption.payment p WHERE p.community_id = p_community AND p.settlement_id = p_settlements[i]
                                 AND p.number = v_number AND p.fen = p_fen[i]) THEN
                v_number := NULL;
            END IF;
            IF v_number IS NOT NULL THEN
                v_done := redemption.return_payment(p_community, p_keys[i], p_settlements[i], v_number, p_reasons[i], p_actor, p_now);
                IF v_is_sent AND v_done.code <> 'done' THEN
                    RAISE EXCEPTION 'what was just recorded as sent does not come back: %', v_done.code;
                END IF;
            END IF;
        END IF;
        v_lines := v_lines || jsonb_build_object('code', v_done.code, 'detail', v_done.detail);
    END LOOP;
    RETURN redemption.said('done', jsonb_build_object('lines', v_lines));
END $$;
