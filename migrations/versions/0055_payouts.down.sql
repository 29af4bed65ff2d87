-- What the release before could not say is refused: a statement paid in part, or a payment that came back.
DO $$
BEGIN
    IF EXISTS (SELECT FROM redemption.settlement WHERE state = 'PART_PAID') OR EXISTS (SELECT FROM redemption.payment WHERE number > 1 OR returned_at IS NOT NULL) THEN
        RAISE EXCEPTION 'statements were paid in parts or came back';
    END IF;
END $$;
DROP FUNCTION redemption.pay_settlement;
DROP FUNCTION redemption.return_payment;
DROP FUNCTION redemption.note_invoice;
DROP FUNCTION redemption.withdraw_invoice;
DROP FUNCTION redemption.payment_steps;
DROP FUNCTION redemption.choose_rhythm;
DROP FUNCTION redemption.propose_payee;
DROP FUNCTION redemption.decide_payee;
DROP FUNCTION redemption.payee_of;
ALTER TABLE redemption.settlement
    DROP CONSTRAINT ck_settlement_state,
    DROP CONSTRAINT ck_settlement_approved,
    DROP CONSTRAINT ck_settlement_due,
    DROP CONSTRAINT ck_settlement_paid_once,
    DROP CONSTRAINT ck_settlement_paid_whole,
    DROP COLUMN approved_points,
    DROP COLUMN approved_fen,
    ALTER COLUMN paid_points DROP NOT NULL,
    ALTER COLUMN paid_points DROP DEFAULT,
    ALTER COLUMN paid_fen DROP NOT NULL,
    ALTER COLUMN paid_fen DROP DEFAULT,
    ADD CONSTRAINT ck_settlement_state CHECK (state IN ('OPEN', 'CLOSED', 'CONFIRMED', 'APPROVED', 'PAID')),
    ADD CONSTRAINT ck_settlement_approved CHECK ((state IN ('APPROVED', 'PAID')) = (approved_at IS NOT NULL));
DROP TABLE redemption.invoice;
DROP TABLE redemption.payment;
DROP TABLE redemption.payee;
DROP TABLE redemption.rhythm;

-- Closes what the server received before p_until, and what was decided for the shop before then. The client's settlement id is the key.
CREATE OR REPLACE FUNCTION redemption.close_settlement(
    p_community bigint, p_settlement uuid, p_merchant uuid, p_until timestamptz, p_actor uuid, p_now timestamptz
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb := jsonb_build_object('merchant', p_merchant, 'until', redemption.micros(p_until));
    v_before redemption.verdict;
    v_merchant redemption.merchant;
    v_uses redemption.use[];
    v_upheld redemption.dispute[];
    v_all redemption.use[];
    v_sums jsonb;
    v redemption.settlement;
    v_detail jsonb;
BEGIN
    -- The merchant's row orders its batches; the uses are locked before they are summed, so no reversal slips between.
    SELECT * INTO v_merchant FROM redemption.merchant m
     WHERE m.community_id = p_community AND m.merchant_id = p_merchant FOR NO KEY UPDATE;
    v_before := redemption.remembered(p_community, p_settlement, 'close', v_request);
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    ELSIF v_merchant.merchant_id IS NULL THEN
        RETURN redemption.said('merchant_unknown');
    ELSIF p_actor IS NULL THEN
        RETURN redemption.said('actor_missing');
    ELSIF p_until > p_now OR p_until <= v_merchant.settled_until THEN
        RETURN redemption.said('period_wrong', jsonb_build_object('settled_until', v_merchant.settled_until));
    END IF;
    -- Exactly these uses: a scan that commits from here on belongs to the next batch, whatever its time says.
    v_uses := ARRAY(
        SELECT u FROM redemption.use u
         WHERE u.community_id = p_community AND u.merchant_id = p_merchant AND u.state = 'ACCEPTED' AND u.received_at < p_until
         ORDER BY u.voucher_id, u.seq FOR NO KEY UPDATE);
    v_upheld := ARRAY(
        SELECT d FROM redemption.dispute d
         WHERE d.community_id = p_community AND d.state = 'UPHELD' AND d.carried_settlement IS NULL AND d.resolved_at < p_until
           AND EXISTS (SELECT FROM redemption.settlement s
                        WHERE s.community_id = d.community_id AND s.settlement_id = d.settlement_id AND s.merchant_id = p_merchant)
         ORDER BY d.settlement_id, d.line_no FOR NO KEY UPDATE);
    v_all := v_uses || ARRAY(
        SELECT u FROM unnest(v_upheld) d
          JOIN redemption.settlement_line l ON l.community_id = p_community AND l.settlement_id = d.settlement_id AND l.line_no = d.line_no
          JOIN redemption.use u ON u.community_id = p_community AND u.voucher_id = l.voucher_id AND u.seq = l.use_seq);
    IF cardinality(v_all) = 0 THEN
        RETURN redemption.said('nothing_to_settle');
    END IF;
    v_sums := redemption.three_sums(p_community, p_merchant, v_all);
    IF v_sums -> 'uses' IS DISTINCT FROM v_sums -> 'lines' OR (v_sums -> 'uses') - 'count' IS DISTINCT FROM v_sums -> 'ledger' THEN
        RETURN redemption.said('sums_differ', v_sums);
    END IF;

    SELECT p_community, p_settlement, p_merchant, v_merchant.settled_number + 1,
           least(v_merchant.settled_until, (SELECT min(t.received_at) FROM unnest(v_uses) t)), p_until, 'CLOSED', count(*),
           sum(u.points), sum(u.subsidy_points), sum(u.payable_fen), sum(u.cash_fen)
      INTO v.community_id, v.settlement_id, v.merchant_id, v.number, v.received_from, v.received_until, v.state, v.line_count,
           v.points, v.subsidy_points, v.payable_fen, v.cash_fen
      FROM unnest(v_all) u;
    v.previous_hash := coalesce(v_merchant.settled_hash, sha256(''));
    v.hash := ''::bytea;
    v.closed_by := p_actor;
    v.closed_at := p_now;
    INSERT INTO redemption.settlement SELECT v.*;
    PERFORM redemption.add_lines(v, v_uses);
    PERFORM redemption.carry_lines(v, v_upheld, cardinality(v_uses));
    v.hash := redemption.settlement_hash(v);
    UPDATE redemption.settlement s SET hash = v.hash WHERE s.community_id = p_community AND s.settlement_id = p_settlement;
    UPDATE redemption.merchant m SET settled_number = v.number, settled_hash = v.hash, settled_until = p_until
     WHERE m.community_id = p_community AND m.merchant_id = p_merchant;
    v_detail := jsonb_build_object('settlement_id', p_settlement, 'number', v.number, 'sums', v_sums, 'line_count', v.line_count,
                                   'points', v.points + v.subsidy_points, 'payable_fen', v.payable_fen, 'hash', encode(v.hash, 'hex'));
    PERFORM redemption.remember(p_community, p_settlement, 'close', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;

CREATE OR REPLACE FUNCTION redemption.approve_settlement(p_community bigint, p_key uuid, p_settlement uuid, p_actor uuid, p_now timestamptz)
RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb := jsonb_build_object('settlement', p_settlement);
    v redemption.settlement;
    v_before redemption.verdict;
    v_detail jsonb := jsonb_build_object('settlement_id', p_settlement);
BEGIN
    SELECT * INTO v FROM redemption.settlement s WHERE s.community_id = p_community AND s.settlement_id = p_settlement FOR NO KEY UPDATE;
    v_before := redemption.remembered(p_community, p_key, 'approve', v_request);
    IF v_before.code IS NULL THEN
        v_before := redemption.settlement_refusal(v, '{CONFIRMED}');
    END IF;
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    ELSIF p_actor IS NULL OR p_actor = v.closed_by THEN
        RETURN redemption.said('same_person');
    END IF;
    UPDATE redemption.settlement s SET state = 'APPROVED', approved_by = p_actor, approved_at = p_now
     WHERE s.community_id = p_community AND s.settlement_id = p_settlement;
    PERFORM redemption.remember(p_community, p_key, 'approve', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;

-- Records that the bank paid: the points are burnt, the debt in fen is gone.
CREATE FUNCTION redemption.pay_settlement(p_community bigint, p_key uuid, p_settlement uuid, p_bank_reference text, p_actor uuid, p_now timestamptz)
RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb := jsonb_build_object('settlement', p_settlement, 'bank_reference', p_bank_reference);
    v redemption.settlement;
    v_before redemption.verdict;
    v_due record;
    v_steps ledger.step[];
    v_posted ledger.verdict;
    v_detail jsonb;
BEGIN
    SELECT * INTO v FROM redemption.settlement s WHERE s.community_id = p_community AND s.settlement_id = p_settlement FOR NO KEY UPDATE;
    v_before := redemption.remembered(p_community, p_key, 'pay', v_request);
    IF v_before.code IS NULL THEN
        v_before := redemption.settlement_refusal(v, '{APPROVED}');
    END IF;
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    ELSIF coalesce(p_bank_reference, '') = '' THEN
        RETURN redemption.said('bank_reference_missing');
    ELSIF p_actor IS NULL THEN
        RETURN redemption.said('actor_missing');
    END IF;
    v_due := redemption.settlement_due(p_community, p_settlement);
    SELECT coalesce(array_agg(ROW('post', redemption.account('merchant', v.merchant_id), part.credit, part.unit, part.amount, NULL, NULL)::ledger.step
                              ORDER BY part.n), '{}') INTO v_steps
      FROM (VALUES (1, 'issued', 'point', 100 * v_due.points), (2, 'paid', 'fen', v_due.fen)) AS part (n, credit, unit, amount)
     WHERE part.amount > 0;
    v_posted := redemption.post(p_community, 'redemption.settlement:' || p_settlement || ':paid', 'settlement_paid', v_steps, p_actor, NULL, p_now);
    IF v_posted.code <> 'posted' THEN
        RETURN redemption.said('ledger_refused', jsonb_build_object('ledger_code', v_posted.code, 'ledger', v_posted.detail));
    END IF;
    UPDATE redemption.settlement s
       SET state = 'PAID', paid_by = p_actor, paid_at = p_now, bank_reference = p_bank_reference,
           paid_points = v_due.points, paid_fen = v_due.fen, journal_id = v_posted.journal_id
     WHERE s.community_id = p_community AND s.settlement_id = p_settlement;
    v_detail := jsonb_build_object('settlement_id', p_settlement, 'paid_points', v_due.points, 'paid_fen', v_due.fen);
    PERFORM redemption.remember(p_community, p_key, 'pay', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;

REVOKE ALL ON FUNCTION redemption.pay_settlement FROM PUBLIC;
GRANT EXECUTE ON FUNCTION redemption.pay_settlement TO linli_app;
