-- Files of payments for the bank: a statement is in one that counts or in none, and a payment that is recorded ends its line.

-- Puts approved statements into the next file. The client's file id is the key. Merchants before statements, both in order, as a payment
-- locks them: of two who make a file at once the second is told what the first one has.
CREATE FUNCTION redemption.make_bank_file(p_community bigint, p_file uuid, p_settlements uuid[], p_actor uuid, p_now timestamptz)
RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_ids uuid[] := ARRAY(SELECT DISTINCT s.id FROM unnest(p_settlements) AS s (id) ORDER BY s.id);
    v_request jsonb := jsonb_build_object('settlements', v_ids);
    v_before redemption.verdict := redemption.remembered(p_community, p_file, 'bank_file', v_request);
    v_bad record;
    v_number int;
    v_fen bigint;
    v_detail jsonb;
BEGIN
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    ELSIF p_actor IS NULL THEN
        RETURN redemption.said('actor_missing');
    END IF;
    PERFORM FROM redemption.merchant m
      WHERE m.community_id = p_community
        AND m.merchant_id IN (SELECT s.merchant_id FROM redemption.settlement s WHERE s.community_id = p_community AND s.settlement_id = ANY (v_ids))
      ORDER BY m.merchant_id FOR SHARE;
    PERFORM FROM redemption.settlement s
      WHERE s.community_id = p_community AND s.settlement_id = ANY (v_ids) ORDER BY s.settlement_id FOR NO KEY UPDATE;
    SELECT i.id, s.state, s.approved_by, s.approved_fen - s.paid_fen AS fen, p.payee_id, p.frozen_until,
           (SELECT l.file_id FROM redemption.bank_file_line l
             WHERE l.community_id = p_community AND l.settlement_id = i.id AND l.is_live) AS file_id
      INTO v_bad
      FROM unnest(v_ids) AS i (id)
      LEFT JOIN redemption.settlement s ON s.community_id = p_community AND s.settlement_id = i.id
      LEFT JOIN LATERAL redemption.payee_of(p_community, s.merchant_id) p ON true
     WHERE s.settlement_id IS NULL OR s.state NOT IN ('APPROVED', 'PART_PAID') OR s.approved_by = p_actor OR s.approved_fen <= s.paid_fen
        OR p.payee_id IS NULL OR p.frozen_until > p_now
        OR EXISTS (SELECT FROM redemption.bank_file_line l
                    WHERE l.community_id = p_community AND l.settlement_id = i.id AND l.is_live)
     ORDER BY i.id LIMIT 1;
    IF cardinality(v_ids) = 0 THEN
        RETURN redemption.said('nothing_to_pay');
    ELSIF FOUND THEN
        v_detail := jsonb_build_object('settlement_id', v_bad.id, 'state', v_bad.state, 'frozen_until', v_bad.frozen_until);
        RETURN CASE
            WHEN v_bad.state IS NULL THEN redemption.said('settlement_unknown', v_detail)
            WHEN v_bad.state NOT IN ('APPROVED', 'PART_PAID') THEN redemption.said('settlement_state', v_detail)
            WHEN v_bad.file_id IS NOT NULL THEN redemption.said('in_bank_file', v_detail)
            WHEN v_bad.approved_by = p_actor THEN redemption.said('same_person', v_detail)
            WHEN v_bad.fen <= 0 THEN redemption.said('nothing_to_pay', v_detail)
            WHEN v_bad.payee_id IS NULL THEN redemption.said('payee_missing', v_detail)
            ELSE redemption.said('payout_frozen', v_detail)
        END;
    END IF;
    -- Numbers without a gap: whoever makes a file waits for the file before. The key of the number is the wall behind.
    PERFORM pg_advisory_xact_lock(hashtextextended('redemption.bank_file', p_community));
    SELECT coalesce(max(f.number), 0) + 1 INTO v_number FROM redemption.bank_file f WHERE f.community_id = p_community;
    SELECT sum(s.approved_fen - s.paid_fen) INTO v_fen
      FROM redemption.settlement s WHERE s.community_id = p_community AND s.settlement_id = ANY (v_ids);
    INSERT INTO redemption.bank_file (community_id, file_id, number, line_count, fen, made_by, made_at)
    VALUES (p_community, p_file, v_number, cardinality(v_ids), v_fen, p_actor, p_now);
    INSERT INTO redemption.bank_file_line (community_id, file_id, line_no, settlement_id, payee_id, fen, is_live)
    SELECT p_community, p_file, row_number() OVER (ORDER BY s.settlement_id), s.settlement_id, p.payee_id, s.approved_fen - s.paid_fen, true
      FROM redemption.settlement s CROSS JOIN LATERAL redemption.payee_of(p_community, s.merchant_id) p
     WHERE s.community_id = p_community AND s.settlement_id = ANY (v_ids);
    v_detail := jsonb_build_object('file_id', p_file, 'number', v_number, 'lines', cardinality(v_ids), 'fen', v_fen);
    PERFORM redemption.remember(p_community, p_file, 'bank_file', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;

-- A file that never reached the bank: its statements are free for another one.
CREATE FUNCTION redemption.void_bank_file(p_community bigint, p_file uuid, p_reason text, p_actor uuid, p_now timestamptz) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF coalesce(p_reason, '') = '' THEN
        RETURN redemption.said('reason_missing');
    ELSIF p_actor IS NULL THEN
        RETURN redemption.said('actor_missing');
    END IF;
    UPDATE redemption.bank_file f SET voided_by = p_actor, voided_at = p_now, void_reason = p_reason
     WHERE f.community_id = p_community AND f.file_id = p_file AND f.voided_at IS NULL;
    IF NOT FOUND THEN
        RETURN redemption.said(CASE WHEN EXISTS (SELECT FROM redemption.bank_file f WHERE f.community_id = p_community AND f.file_id = p_file)
                                    THEN 'bank_file_void' ELSE 'bank_file_unknown' END);
    END IF;
    UPDATE redemption.bank_file_line l SET is_live = false WHERE l.community_id = p_community AND l.file_id = p_file AND l.is_live;
    RETURN redemption.said('done');
END $$;
