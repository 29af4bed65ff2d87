-- Files of payments for the bank. Frozen from redemption/tables/ and redemption/sql/.

CREATE TABLE redemption.bank_file (
    community_id BIGINT NOT NULL,
    file_id UUID NOT NULL,
    number INTEGER NOT NULL,
    line_count INTEGER NOT NULL,
    fen BIGINT NOT NULL,
    made_by UUID NOT NULL,
    made_at TIMESTAMP WITH TIME ZONE NOT NULL,
    voided_by UUID,
    voided_at TIMESTAMP WITH TIME ZONE,
    void_reason TEXT,
    CONSTRAINT pk_bank_file PRIMARY KEY (community_id, file_id),
    CONSTRAINT uq_bank_file_number UNIQUE (community_id, number),
    CONSTRAINT ck_bank_file_amounts CHECK (number > 0 AND line_count > 0 AND fen > 0),
    CONSTRAINT ck_bank_file_voided CHECK ((voided_at IS NULL) = (voided_by IS NULL) AND (voided_at IS NULL) = (coalesce(void_reason, '') = ''))
);

CREATE TABLE redemption.bank_file_line (
    community_id BIGINT NOT NULL,
    file_id UUID NOT NULL,
    line_no INTEGER NOT NULL,
    settlement_id UUID NOT NULL,
    payee_id UUID NOT NULL,
    fen BIGINT NOT NULL,
    is_live BOOLEAN NOT NULL,
    CONSTRAINT pk_bank_file_line PRIMARY KEY (community_id, file_id, line_no),
    CONSTRAINT fk_bank_file_line_file FOREIGN KEY(community_id, file_id) REFERENCES redemption.bank_file (community_id, file_id),
    CONSTRAINT fk_bank_file_line_settlement FOREIGN KEY(community_id, settlement_id) REFERENCES redemption.settlement (community_id, settlement_id),
    CONSTRAINT fk_bank_file_line_payee FOREIGN KEY(community_id, payee_id) REFERENCES redemption.payee (community_id, payee_id),
    CONSTRAINT ck_bank_file_line_fen CHECK (line_no > 0 AND fen > 0)
);
CREATE UNIQUE INDEX uq_bank_file_line_live ON redemption.bank_file_line (community_id, settlement_id) WHERE is_live;

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

-- Records that the bank paid p_fen, or all that is open. The points are burnt with the part that completes it.
-- The merchant's row comes first: of a payment and a new account one waits for the other. The statement's row orders payments,
-- and its CHECK of paid against approved is the wall behind.
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
    VALUES (p_community, p_settlement, v_number, v_points, v_fen, p_bank_reference, v_payee.payee_id, v_repeats, v.approved_by,
            p_actor, p_now, v_posted.journal_id);
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

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA redemption FROM PUBLIC;
GRANT SELECT ON redemption.bank_file, redemption.bank_file_line TO linli_app, linli_audit;
GRANT EXECUTE ON FUNCTION redemption.make_bank_file, redemption.void_bank_file TO linli_app;
