-- A use is corrected after its shop has confirmed the statement. Frozen from redemption/tables/ and redemption/sql/.

CREATE TABLE redemption.adjustment (
    community_id BIGINT NOT NULL,
    adjustment_id UUID NOT NULL,
    settlement_id UUID NOT NULL,
    line_no INTEGER NOT NULL,
    voucher_id BIGINT NOT NULL,
    use_seq INTEGER NOT NULL,
    merchant_id UUID NOT NULL,
    cause TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    proposed_by UUID NOT NULL,
    proposed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    decided_by UUID,
    decided_at TIMESTAMP WITH TIME ZONE,
    carried_settlement UUID,
    carried_line_no INTEGER,
    CONSTRAINT pk_adjustment PRIMARY KEY (community_id, adjustment_id),
    CONSTRAINT uq_adjustment_carried UNIQUE (community_id, carried_settlement, carried_line_no),
    CONSTRAINT fk_adjustment_line FOREIGN KEY(community_id, settlement_id, line_no) REFERENCES redemption.settlement_line (community_id, settlement_id, line_no),
    CONSTRAINT fk_adjustment_use FOREIGN KEY(community_id, voucher_id, use_seq) REFERENCES redemption.use (community_id, voucher_id, seq),
    CONSTRAINT fk_adjustment_merchant FOREIGN KEY(community_id, merchant_id) REFERENCES redemption.merchant (community_id, merchant_id),
    CONSTRAINT fk_adjustment_carried FOREIGN KEY(community_id, carried_settlement, carried_line_no) REFERENCES redemption.settlement_line (community_id, settlement_id, line_no),
    CONSTRAINT ck_adjustment_cause CHECK (cause IN ('dispute', 'warranty')),
    CONSTRAINT ck_adjustment_state CHECK (state IN ('proposed', 'done', 'refused')),
    CONSTRAINT ck_adjustment_reason CHECK (length(reason) > 0),
    CONSTRAINT ck_adjustment_two_people CHECK (state <> 'done' OR decided_by <> proposed_by),
    CONSTRAINT ck_adjustment_decided CHECK ((state = 'proposed') = (decided_at IS NULL) AND (decided_at IS NULL) = (decided_by IS NULL)),
    CONSTRAINT ck_adjustment_carried CHECK ((carried_settlement IS NULL) = (carried_line_no IS NULL) AND (carried_settlement IS NULL OR state = 'done'))
);
CREATE UNIQUE INDEX uq_adjustment_use ON redemption.adjustment (community_id, voucher_id, use_seq) WHERE state <> 'refused';
CREATE INDEX ix_adjustment_line ON redemption.adjustment (community_id, settlement_id, line_no);
CREATE INDEX ix_adjustment_waiting ON redemption.adjustment (community_id, merchant_id) WHERE state <> 'refused' AND carried_settlement IS NULL;

-- Nothing has written a correction yet, so nothing that is there can break this.
ALTER TABLE redemption.settlement_line DROP CONSTRAINT ck_settlement_line_amounts;
ALTER TABLE redemption.settlement_line ADD CONSTRAINT ck_settlement_line_amounts CHECK (
    CASE kind WHEN 'adjustment' THEN quantity < 0 AND points <= 0 AND subsidy_points <= 0 AND payable_fen <= 0 AND cash_fen <= 0
    ELSE points >= 0 AND subsidy_points >= 0 AND payable_fen >= 0 AND cash_fen >= 0 END) NOT VALID;
ALTER TABLE redemption.settlement_line VALIDATE CONSTRAINT ck_settlement_line_amounts;

DROP FUNCTION redemption.refund_use(redemption.settlement_line, text, uuid, uuid, timestamptz);

-- Takes a settled use back: the money by its exact opposite, the pieces out of the voucher as returned, never into use again.
-- REVERSED takes its line out of its batch; ADJUSTED leaves the line alone, and another in a later batch says the opposite.
-- The caller holds the dispute, or the adjustment. NULL, or why not.
CREATE OR REPLACE FUNCTION redemption.refund_use(
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
    IF v_use.state <> 'SETTLED' OR v_use.bearer IS NOT NULL THEN
        RETURN redemption.said('already_reversed', jsonb_build_object('voucher_id', p_line.voucher_id, 'seq', p_line.use_seq, 'state', v_use.state));
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

-- The dispute's row orders those who decide: the second waits and is told what was decided.
CREATE OR REPLACE FUNCTION redemption.resolve_dispute(
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

-- By one of finance. Before the shop confirms, a line is disputed instead; a line in dispute is decided there. p_adjustment is the client's
-- key and names the correction for ever. The statement's row orders those who ask, so that a use has one correction at most.
CREATE OR REPLACE FUNCTION redemption.propose_adjustment(
    p_community bigint, p_adjustment uuid, p_settlement uuid, p_line_no int, p_cause text, p_reason text, p_actor uuid, p_now timestamptz
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb := jsonb_build_object('settlement', p_settlement, 'line_no', p_line_no, 'cause', p_cause, 'reason', p_reason);
    v redemption.settlement;
    v_line redemption.settlement_line;
    v_use redemption.use;
    v_before redemption.verdict;
    v_detail jsonb := jsonb_build_object('adjustment_id', p_adjustment);
BEGIN
    SELECT * INTO v FROM redemption.settlement s WHERE s.community_id = p_community AND s.settlement_id = p_settlement FOR NO KEY UPDATE;
    v_before := redemption.remembered(p_community, p_adjustment, 'propose_adjustment', v_request);
    IF v_before.code IS NULL THEN
        v_before := redemption.settlement_refusal(v, '{CONFIRMED,APPROVED,PART_PAID,PAID}');
    END IF;
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    ELSIF coalesce(p_reason, '') = '' THEN
        RETURN redemption.said('reason_missing');
    ELSIF p_actor IS NULL THEN
        RETURN redemption.said('actor_missing');
    END IF;
    SELECT * INTO v_line FROM redemption.settlement_line l
     WHERE l.community_id = p_community AND l.settlement_id = p_settlement AND l.line_no = p_line_no;
    SELECT * INTO v_use FROM redemption.use u
     WHERE u.community_id = p_community AND u.voucher_id = v_line.voucher_id AND u.seq = v_line.use_seq;
    IF v_line.line_no IS NULL THEN
        RETURN redemption.said('line_unknown');
    ELSIF EXISTS (SELECT FROM redemption.dispute d
                   WHERE d.community_id = p_community AND d.settlement_id = p_settlement AND d.line_no = p_line_no) THEN
        RETURN redemption.said('already_disputed');
    ELSIF EXISTS (SELECT FROM redemption.adjustment a
                   WHERE a.community_id = p_community AND a.voucher_id = v_line.voucher_id AND a.use_seq = v_line.use_seq AND a.state <> 'refused') THEN
        RETURN redemption.said('already_adjusted');
    ELSIF v_use.state <> 'SETTLED' OR v_use.bearer IS NOT NULL THEN
        RETURN redemption.said('not_adjustable', jsonb_build_object('state', v_use.state));
    END IF;
    INSERT INTO redemption.adjustment (community_id, adjustment_id, settlement_id, line_no, voucher_id, use_seq, merchant_id, cause, state,
                                       reason, proposed_by, proposed_at)
    VALUES (p_community, p_adjustment, p_settlement, p_line_no, v_line.voucher_id, v_line.use_seq, v.merchant_id, p_cause, 'proposed',
            p_reason, p_actor, p_now);
    PERFORM redemption.remember(p_community, p_adjustment, 'propose_adjustment', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;

-- Yes is a second person's, and not of whoever gets the points; no is anybody's, also of who proposed it. Yes moves the money at once; the
-- shop's next statement says so. The adjustment's row orders those who decide: the second waits and is told what was decided.
CREATE OR REPLACE FUNCTION redemption.decide_adjustment(
    p_community bigint, p_key uuid, p_adjustment uuid, p_is_agreed boolean, p_actor uuid, p_now timestamptz
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb := jsonb_build_object('adjustment', p_adjustment, 'agreed', p_is_agreed);
    v redemption.adjustment;
    v_line redemption.settlement_line;
    v_before redemption.verdict;
    v_detail jsonb := jsonb_build_object('adjustment_id', p_adjustment, 'agreed', p_is_agreed);
BEGIN
    SELECT * INTO v FROM redemption.adjustment a WHERE a.community_id = p_community AND a.adjustment_id = p_adjustment FOR NO KEY UPDATE;
    v_before := redemption.remembered(p_community, p_key, 'decide_adjustment', v_request);
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    ELSIF v.adjustment_id IS NULL THEN
        RETURN redemption.said('adjustment_unknown');
    ELSIF v.state <> 'proposed' THEN
        RETURN redemption.said('adjustment_decided', jsonb_build_object('state', v.state));
    ELSIF p_actor IS NULL OR p_is_agreed IS NULL THEN
        RETURN redemption.said('actor_missing');
    ELSIF p_is_agreed AND (p_actor = v.proposed_by OR EXISTS (
        SELECT FROM redemption.voucher w
         WHERE w.community_id = p_community AND w.voucher_id = v.voucher_id AND p_actor IN (w.member_id, w.payer_id))) THEN
        RETURN redemption.said('same_person');
    END IF;
    IF p_is_agreed THEN
        SELECT * INTO v_line FROM redemption.settlement_line l
         WHERE l.community_id = p_community AND l.settlement_id = v.settlement_id AND l.line_no = v.line_no;
        v_before := redemption.refund_use(v_line, 'ADJUSTED', v.reason, p_actor, v.proposed_by, p_now);
        IF v_before.code IS NOT NULL THEN
            RETURN v_before;
        END IF;
    END IF;
    UPDATE redemption.adjustment a
       SET state = CASE WHEN p_is_agreed THEN 'done' ELSE 'refused' END, decided_by = p_actor, decided_at = p_now
     WHERE a.community_id = p_community AND a.adjustment_id = p_adjustment;
    PERFORM redemption.remember(p_community, p_key, 'decide_adjustment', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;

-- Corrections that two people agreed on join the shop's statement, after its other lines, each once. The caller holds the shop.
CREATE OR REPLACE FUNCTION redemption.carry_adjustments(p_settlement redemption.settlement) RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_count bigint;
BEGIN
    WITH agreed AS (
        SELECT a.* FROM redemption.adjustment a
         WHERE a.community_id = p_settlement.community_id AND a.merchant_id = p_settlement.merchant_id AND a.state = 'done'
           AND a.carried_settlement IS NULL AND a.decided_at < p_settlement.received_until
         ORDER BY a.adjustment_id FOR NO KEY UPDATE
    ), written AS (
        INSERT INTO redemption.settlement_line (community_id, settlement_id, line_no, kind, voucher_id, use_seq, part, quantity,
                                                points, subsidy_points, payable_fen, cash_fen, received_at, journal_id)
        SELECT l.community_id, p_settlement.settlement_id,
               (SELECT count(*) FROM redemption.settlement_line n
                 WHERE n.community_id = p_settlement.community_id AND n.settlement_id = p_settlement.settlement_id)
               + row_number() OVER (ORDER BY l.received_at, l.voucher_id, l.use_seq), 'adjustment',
               l.voucher_id, l.use_seq, l.part + 1, -l.quantity, -l.points, -l.subsidy_points, -l.payable_fen, -l.cash_fen, l.received_at,
               u.reversal_journal_id
          FROM agreed a
          JOIN redemption.settlement_line l ON l.community_id = a.community_id AND l.settlement_id = a.settlement_id AND l.line_no = a.line_no
          JOIN redemption.use u ON u.community_id = l.community_id AND u.voucher_id = l.voucher_id AND u.seq = l.use_seq
        RETURNING *
    )
    UPDATE redemption.adjustment a SET carried_settlement = w.settlement_id, carried_line_no = w.line_no
      FROM written w
     WHERE a.community_id = w.community_id AND a.voucher_id = w.voucher_id AND a.use_seq = w.use_seq AND a.state = 'done';
    GET DIAGNOSTICS v_count = ROW_COUNT;
    RETURN v_count;
END $$;

-- Three independent sums over the lines of a batch: what their uses say, what the vouchers' frozen prices say (the lines),
-- and what the ledger credited the merchant, each without what corrections took back. Points in the ledger's hundredths.
CREATE OR REPLACE FUNCTION redemption.three_sums(p_settlement redemption.settlement) RETURNS jsonb
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH priced AS (
        SELECT sign.n * (u.points + u.subsidy_points) AS use_points, sign.n * u.payable_fen AS use_fen,
               l.quantity * (v.points_each + v.subsidy_points_each)::bigint AS points, l.quantity * v.payable_fen_each AS fen
          FROM redemption.settlement_line l
         CROSS JOIN LATERAL (SELECT CASE l.kind WHEN 'adjustment' THEN -1 ELSE 1 END AS n) sign
          JOIN redemption.use u ON u.community_id = l.community_id AND u.voucher_id = l.voucher_id AND u.seq = l.use_seq
          JOIN redemption.voucher v ON v.community_id = l.community_id AND v.voucher_id = l.voucher_id
         WHERE l.community_id = p_settlement.community_id AND l.settlement_id = p_settlement.settlement_id
    ), summed AS (
        SELECT count(*) AS n, coalesce(sum(p.use_points), 0) AS use_points, coalesce(sum(p.use_fen), 0) AS use_fen,
               coalesce(sum(p.points), 0) AS points, coalesce(sum(p.fen), 0) AS fen
          FROM priced p
    ), credited AS (
        SELECT coalesce(sum(t.amount) FILTER (WHERE t.unit = 'point'), 0) AS points, coalesce(sum(t.amount) FILTER (WHERE t.unit = 'fen'), 0) AS fen
          FROM redemption.settlement_line l
          JOIN ledger.journal j ON j.community_id = l.community_id AND j.journal_id = l.journal_id
          JOIN ledger.transfer t ON t.community_id = l.community_id AND t.seq >= j.journal_id AND t.seq < j.journal_id + j.transfers
          JOIN ledger.account a ON a.community_id = l.community_id AND a.account_id = t.credit
           AND a.code = redemption.account('merchant', p_settlement.merchant_id)
         WHERE l.community_id = p_settlement.community_id AND l.settlement_id = p_settlement.settlement_id AND l.kind <> 'adjustment'
    ), corrected AS (
        SELECT coalesce(sum(redemption.moved(l.community_id, l.journal_id, 'debit', p_settlement.merchant_id, 'point')), 0) AS points,
               coalesce(sum(redemption.moved(l.community_id, l.journal_id, 'debit', p_settlement.merchant_id, 'fen')), 0) AS fen
          FROM redemption.settlement_line l
         WHERE l.community_id = p_settlement.community_id AND l.settlement_id = p_settlement.settlement_id AND l.kind = 'adjustment'
    )
    SELECT jsonb_build_object('uses', jsonb_build_object('count', s.n, 'points', 100 * s.use_points, 'fen', s.use_fen),
                              'lines', jsonb_build_object('count', p_settlement.line_count, 'points', 100 * s.points, 'fen', s.fen),
                              'ledger', jsonb_build_object('points', c.points - x.points, 'fen', c.fen - x.fen))
      FROM summed s CROSS JOIN credited c CROSS JOIN corrected x
$$;

-- Closes what the server received before p_until, what was decided for the shop before then, and the corrections agreed on before then. The client's settlement id is the key.
-- p_watch is what the community looks for (watch.sql); nothing looks at nothing.
CREATE OR REPLACE FUNCTION redemption.close_settlement(
    p_community bigint, p_settlement uuid, p_merchant uuid, p_until timestamptz, p_actor uuid, p_now timestamptz, p_watch jsonb DEFAULT NULL
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb := jsonb_build_object('merchant', p_merchant, 'until', redemption.micros(p_until));
    v_before redemption.verdict;
    v_merchant redemption.merchant;
    v_taken bigint;
    v_due record;
    v_sums jsonb;
    v redemption.settlement;
    v_detail jsonb;
BEGIN
    -- The merchant's row orders its batches, and whoever raises alarms.
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
    -- Written first and summed afterwards, in sets: nothing of it is held in memory. What does not agree is rolled back as if never written.
    BEGIN
        v.community_id := p_community;
        v.settlement_id := p_settlement;
        v.merchant_id := p_merchant;
        v.number := v_merchant.settled_number + 1;
        v.received_from := '-infinity';
        v.received_until := p_until;
        v.state := 'CLOSED';
        v.line_count := 1;
        v.points := 0;
        v.subsidy_points := 0;
        v.payable_fen := 0;
        v.cash_fen := 0;
        v.previous_hash := coalesce(v_merchant.settled_hash, sha256(''));
        v.hash := ''::bytea;
        v.paid_points := 0;
        v.paid_fen := 0;
        v.closed_by := p_actor;
        v.closed_at := p_now;
        INSERT INTO redemption.settlement SELECT v.*;
        v_taken := redemption.take_uses(v, p_watch, p_now);
        PERFORM redemption.carry_lines(v, v_taken);
        IF redemption.carry_adjustments(v) > 0 THEN
            -- A correction is borne by what the shop has earned since. Until that is enough nothing is closed, so nothing is paid out either.
            v_due := redemption.settlement_due(p_community, p_settlement);
            IF v_due.points < 0 OR v_due.fen < 0 THEN
                RAISE EXCEPTION USING ERRCODE = 'LS002';
            END IF;
        END IF;
        SELECT count(*), coalesce(sum(l.points), 0), coalesce(sum(l.subsidy_points), 0), coalesce(sum(l.payable_fen), 0), coalesce(sum(l.cash_fen), 0),
               least(v_merchant.settled_until, min(l.received_at) FILTER (WHERE l.kind = 'use'))
          INTO v.line_count, v.points, v.subsidy_points, v.payable_fen, v.cash_fen, v.received_from
          FROM redemption.settlement_line l WHERE l.community_id = p_community AND l.settlement_id = p_settlement;
        IF v.line_count = 0 THEN
            -- The alarms stay: everything waits for somebody to look.
            DELETE FROM redemption.settlement s WHERE s.community_id = p_community AND s.settlement_id = p_settlement;
            RETURN redemption.said('nothing_to_settle');
        END IF;
        v_sums := redemption.three_sums(v);
        IF v_sums -> 'uses' IS DISTINCT FROM v_sums -> 'lines' OR (v_sums -> 'uses') - 'count' IS DISTINCT FROM v_sums -> 'ledger' THEN
            RAISE EXCEPTION USING ERRCODE = 'LS001';
        END IF;
    EXCEPTION WHEN SQLSTATE 'LS001' THEN
        RETURN redemption.said('sums_differ', v_sums);
    WHEN SQLSTATE 'LS002' THEN
        RETURN redemption.said('correction_waits', jsonb_build_object('short_points', greatest(-v_due.points, 0), 'short_fen', greatest(-v_due.fen, 0)));
    END;
    v.hash := redemption.settlement_hash(v);
    UPDATE redemption.settlement s
       SET hash = v.hash, received_from = v.received_from, line_count = v.line_count, points = v.points, subsidy_points = v.subsidy_points,
           payable_fen = v.payable_fen, cash_fen = v.cash_fen
     WHERE s.community_id = p_community AND s.settlement_id = p_settlement;
    UPDATE redemption.merchant m SET settled_number = v.number, settled_hash = v.hash, settled_until = p_until
     WHERE m.community_id = p_community AND m.merchant_id = p_merchant;
    v_detail := jsonb_build_object('settlement_id', p_settlement, 'number', v.number, 'sums', v_sums, 'line_count', v.line_count,
                                   'points', v.points + v.subsidy_points, 'payable_fen', v.payable_fen, 'hash', encode(v.hash, 'hex'));
    PERFORM redemption.remember(p_community, p_settlement, 'close', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;

-- A line leaves its batch, the rest goes on. After the shop has confirmed it is too late: the next batch carries the correction. So it is
-- for a line without which the rest no longer bears the corrections of this batch; and a correction has been decided by two already.
CREATE OR REPLACE FUNCTION redemption.dispute_line(
    p_community bigint, p_key uuid, p_settlement uuid, p_line_no int, p_reason text, p_actor uuid, p_on_behalf_of uuid, p_now timestamptz
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb := jsonb_build_object('settlement', p_settlement, 'line_no', p_line_no);
    v redemption.settlement;
    v_line redemption.settlement_line;
    v_due record;
    v_before redemption.verdict;
    v_detail jsonb := jsonb_build_object('settlement_id', p_settlement, 'line_no', p_line_no);
BEGIN
    SELECT * INTO v FROM redemption.settlement s WHERE s.community_id = p_community AND s.settlement_id = p_settlement FOR NO KEY UPDATE;
    v_before := redemption.remembered(p_community, p_key, 'dispute', v_request);
    IF v_before.code IS NULL THEN
        v_before := redemption.settlement_refusal(v, '{CLOSED}');
    END IF;
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    ELSIF coalesce(p_reason, '') = '' THEN
        RETURN redemption.said('reason_missing');
    ELSIF p_actor IS NULL THEN
        RETURN redemption.said('actor_missing');
    END IF;
    SELECT * INTO v_line FROM redemption.settlement_line l
     WHERE l.community_id = p_community AND l.settlement_id = p_settlement AND l.line_no = p_line_no;
    IF v_line.line_no IS NULL THEN
        RETURN redemption.said('line_unknown');
    ELSIF v_line.kind = 'adjustment' THEN
        RETURN redemption.said('line_final');
    ELSIF EXISTS (SELECT FROM redemption.dispute d
                   WHERE d.community_id = p_community AND d.settlement_id = p_settlement AND d.line_no = p_line_no) THEN
        RETURN redemption.said('already_disputed');
    ELSIF EXISTS (SELECT FROM redemption.settlement_line l
                   WHERE l.community_id = p_community AND l.settlement_id = p_settlement AND l.kind = 'adjustment') THEN
        v_due := redemption.settlement_due(p_community, p_settlement);
        IF v_due.points < v_line.points + v_line.subsidy_points OR v_due.fen < v_line.payable_fen THEN
            RETURN redemption.said('line_bears_correction');
        END IF;
    END IF;
    INSERT INTO redemption.dispute (community_id, settlement_id, line_no, state, reason, raised_by, on_behalf_of, raised_at)
    VALUES (p_community, p_settlement, p_line_no, 'DISPUTED', p_reason, p_actor, p_on_behalf_of, p_now);
    PERFORM redemption.remember(p_community, p_key, 'dispute', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;

-- What is still open of a shop that leaves, kind by kind.
CREATE OR REPLACE FUNCTION redemption.departure_open(p_community bigint, p_departure uuid, p_now timestamptz) RETURNS jsonb
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH d AS (
        SELECT x AS whole, x.merchant_id FROM redemption.departure x WHERE x.community_id = p_community AND x.departure_id = p_departure
    ), held AS (
        SELECT count(*) AS n
          FROM redemption.voucher v
         WHERE v.community_id = p_community AND v.state IN ('RESERVED', 'ISSUED', 'PART_USED', 'LOCKED', 'CANCEL_PENDING', 'FROZEN')
           AND v.offer_id IN (
               SELECT o.offer_id FROM redemption.departure_offer o
                WHERE o.community_id = p_community AND o.departure_id = p_departure AND o.is_alone
                UNION ALL
               SELECT m.offer_id FROM redemption.offer_merchant m JOIN d ON m.merchant_id = d.merchant_id
                WHERE m.community_id = p_community
                  AND NOT EXISTS (SELECT FROM redemption.offer_merchant other
                                   WHERE other.community_id = m.community_id AND other.offer_id = m.offer_id AND other.merchant_id <> m.merchant_id))
           AND NOT EXISTS (SELECT FROM redemption.departure_voucher m
                            WHERE m.community_id = v.community_id AND m.departure_id = p_departure AND m.voucher_id = v.voucher_id)
    )
    SELECT jsonb_build_object(
        'vouchers', (SELECT n FROM held),
        'movable', (SELECT count(*) FROM d CROSS JOIN LATERAL redemption.movable(d.whole, p_now)),
        'leases', (SELECT count(*) FROM redemption.lease l JOIN d ON d.merchant_id = l.merchant_id
                    WHERE l.community_id = p_community AND l.state = 'out' AND l.ends_at > p_now),
        'reviews', (SELECT count(*) FROM redemption.offline_review r JOIN d ON d.merchant_id = r.merchant_id
                     WHERE r.community_id = p_community AND r.state <> 'decided'),
        'uses', (SELECT count(*) FROM redemption.use u JOIN d ON d.merchant_id = u.merchant_id
                  WHERE u.community_id = p_community AND u.state IN ('ACCEPTED', 'CONFLICT')),
        'disputes', (SELECT count(*) FROM redemption.dispute x
                       JOIN redemption.settlement s ON s.community_id = x.community_id AND s.settlement_id = x.settlement_id
                       JOIN d ON d.merchant_id = s.merchant_id
                      WHERE x.community_id = p_community AND (x.state = 'DISPUTED' OR (x.state = 'UPHELD' AND x.carried_settlement IS NULL))),
        'adjustments', (SELECT count(*) FROM redemption.adjustment a JOIN d ON d.merchant_id = a.merchant_id
                         WHERE a.community_id = p_community AND a.state <> 'refused' AND a.carried_settlement IS NULL),
        'settlements', (SELECT count(*) FROM redemption.settlement s JOIN d ON d.merchant_id = s.merchant_id
                         WHERE s.community_id = p_community AND s.state <> 'PAID'))
$$;

REVOKE ALL ON FUNCTION redemption.refund_use, redemption.propose_adjustment, redemption.decide_adjustment, redemption.carry_adjustments FROM PUBLIC;
GRANT EXECUTE ON FUNCTION redemption.propose_adjustment, redemption.decide_adjustment TO linli_app;
GRANT SELECT ON redemption.adjustment TO linli_app, linli_audit;
