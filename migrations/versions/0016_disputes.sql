-- A dispute is decided: its columns and rules, and the functions that close, carry and refund.
-- Frozen from redemption/tables/settlement.py and redemption/sql/.

ALTER TABLE redemption.dispute
    DROP CONSTRAINT ck_dispute_state,
    ADD COLUMN resolution TEXT,
    ADD COLUMN carried_settlement UUID,
    ADD COLUMN carried_line_no INTEGER,
    ADD CONSTRAINT uq_dispute_carried UNIQUE (community_id, carried_settlement, carried_line_no),
    ADD CONSTRAINT fk_dispute_carried FOREIGN KEY(community_id, carried_settlement, carried_line_no)
        REFERENCES redemption.settlement_line (community_id, settlement_id, line_no),
    ADD CONSTRAINT ck_dispute_state CHECK (state IN ('DISPUTED', 'UPHELD', 'REVERSED')),
    ADD CONSTRAINT ck_dispute_two_people CHECK (resolved_by <> raised_by),
    ADD CONSTRAINT ck_dispute_resolved CHECK (
        (state = 'DISPUTED') = (resolved_at IS NULL) AND (resolved_at IS NULL) = (resolved_by IS NULL)
        AND (resolved_at IS NULL) = (coalesce(resolution, '') = '')),
    ADD CONSTRAINT ck_dispute_carried CHECK (
        (carried_settlement IS NULL) = (carried_line_no IS NULL) AND (carried_settlement IS NULL OR state = 'UPHELD'));
CREATE INDEX ix_dispute_waiting ON redemption.dispute (community_id, state, raised_at)
 WHERE state <> 'REVERSED' AND carried_settlement IS NULL;

ALTER TABLE redemption.settlement_line
    DROP CONSTRAINT ck_settlement_line_kind,
    DROP CONSTRAINT ck_settlement_line_amounts,
    ADD CONSTRAINT ck_settlement_line_kind CHECK (kind IN ('use', 'carried', 'adjustment')),
    ADD CONSTRAINT ck_settlement_line_amounts CHECK (
        kind = 'adjustment' OR (points >= 0 AND subsidy_points >= 0 AND payable_fen >= 0 AND cash_fen >= 0));

-- The exact opposite of what a use paid: the merchant's points to the member and to the sponsor, the merchant's fen to the sponsor.
CREATE OR REPLACE FUNCTION redemption.counter_steps(p_voucher redemption.voucher, p_use redemption.use) RETURNS ledger.step[]
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(array_agg(ROW('post', redemption.account('merchant', p_use.merchant_id), part.credit, part.unit, part.amount, NULL, NULL)::ledger.step
                              ORDER BY part.n), '{}')
      FROM (VALUES
        (1, redemption.account('member', p_voucher.member_id), 'point', 100 * p_use.points),
        (2, redemption.account('budget', p_voucher.sponsor_id), 'point', 100 * p_use.subsidy_points),
        (3, redemption.account('budget', p_voucher.sponsor_id), 'fen', p_use.payable_fen)
      ) AS part (n, credit, unit, amount)
     WHERE part.amount > 0
$$;

-- Moves the money of a use back, and puts all that is open then into fresh escrow: old rest out, merchant to payer, new hold in.
CREATE OR REPLACE FUNCTION redemption.reversal_steps(p_old redemption.voucher, p_new redemption.voucher, p_use redemption.use) RETURNS ledger.step[]
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT redemption.release_steps(p_old)
        || redemption.counter_steps(p_old, p_use)
        || redemption.hold_steps(p_new, redemption.open_quantity(p_new))
$$;

-- Three independent sums over the same uses: what the uses say, what the vouchers' frozen prices say (the lines),
-- and what the ledger credited the merchant. Points in the ledger's hundredths.
CREATE OR REPLACE FUNCTION redemption.three_sums(p_community bigint, p_merchant uuid, p_uses redemption.use[]) RETURNS jsonb
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH taken AS (
        SELECT u.* FROM unnest(p_uses) u
    ), credited AS (
        SELECT t.unit, t.amount
          FROM taken u
          JOIN ledger.journal j ON j.community_id = p_community AND j.journal_id = u.journal_id
          JOIN ledger.transfer t ON t.community_id = p_community AND t.seq >= j.journal_id AND t.seq < j.journal_id + j.transfers
          JOIN ledger.account a ON a.community_id = p_community AND a.account_id = t.credit
           AND a.code = redemption.account('merchant', p_merchant)
    )
    SELECT jsonb_build_object(
        'uses', (SELECT jsonb_build_object('count', count(*), 'points', 100 * coalesce(sum(u.points + u.subsidy_points), 0),
                                           'fen', coalesce(sum(u.payable_fen), 0)) FROM taken u),
        'lines', (SELECT jsonb_build_object('count', count(*),
                                            'points', 100 * coalesce(sum(u.quantity * (v.points_each + v.subsidy_points_each)::bigint), 0),
                                            'fen', coalesce(sum(u.quantity * v.payable_fen_each), 0))
                    FROM taken u JOIN redemption.voucher v ON v.community_id = p_community AND v.voucher_id = u.voucher_id
                   WHERE NOT EXISTS (SELECT FROM redemption.settlement_line l
                                      WHERE l.community_id = p_community AND l.voucher_id = u.voucher_id AND l.use_seq = u.seq AND l.part = 0)
                      OR EXISTS (SELECT FROM redemption.settlement_line l
                                   JOIN redemption.dispute d ON d.community_id = l.community_id AND d.settlement_id = l.settlement_id
                                                            AND d.line_no = l.line_no
                                  WHERE l.community_id = p_community AND l.voucher_id = u.voucher_id AND l.use_seq = u.seq
                                    AND d.state = 'UPHELD' AND d.carried_settlement IS NULL)),
        'ledger', jsonb_build_object(
            'points', (SELECT coalesce(sum(c.amount), 0) FROM credited c WHERE c.unit = 'point'),
            'fen', (SELECT coalesce(sum(c.amount), 0) FROM credited c WHERE c.unit = 'fen')))
$$;

-- Lines of earlier batches that were decided for the shop join this one, once, after its own lines.
CREATE OR REPLACE FUNCTION redemption.carry_lines(p_settlement redemption.settlement, p_disputes redemption.dispute[], p_after int) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO redemption.settlement_line (community_id, settlement_id, line_no, kind, voucher_id, use_seq, part, quantity,
                                            points, subsidy_points, payable_fen, cash_fen, received_at, journal_id)
    SELECT l.community_id, p_settlement.settlement_id, p_after + row_number() OVER (ORDER BY l.received_at, l.voucher_id, l.use_seq), 'carried',
           l.voucher_id, l.use_seq, l.part + 1, l.quantity, l.points, l.subsidy_points, l.payable_fen, l.cash_fen, l.received_at, l.journal_id
      FROM unnest(p_disputes) d
      JOIN redemption.settlement_line l
        ON l.community_id = p_settlement.community_id AND l.settlement_id = d.settlement_id AND l.line_no = d.line_no;
    UPDATE redemption.dispute d SET carried_settlement = n.settlement_id, carried_line_no = n.line_no
      FROM unnest(p_disputes) t
      JOIN redemption.settlement_line l
        ON l.community_id = p_settlement.community_id AND l.settlement_id = t.settlement_id AND l.line_no = t.line_no
      JOIN redemption.settlement_line n
        ON n.community_id = l.community_id AND n.settlement_id = p_settlement.settlement_id AND n.kind = 'carried'
       AND n.voucher_id = l.voucher_id AND n.use_seq = l.use_seq
     WHERE d.community_id = p_settlement.community_id AND d.settlement_id = t.settlement_id AND d.line_no = t.line_no;
END $$;

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

-- Takes a settled use back: the money by its exact opposite, the pieces out of the voucher as returned, never into use again.
-- The caller holds the dispute. NULL, or why not.
CREATE OR REPLACE FUNCTION redemption.refund_use(p_line redemption.settlement_line, p_reason text, p_actor uuid, p_second uuid, p_now timestamptz)
RETURNS redemption.verdict
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
    ELSIF v_voucher.state IN ('FROZEN', 'LOCKED', 'CANCEL_PENDING', 'RESERVED') THEN
        RETURN redemption.said(redemption.state_refusal(v_voucher), jsonb_build_object('voucher_id', p_line.voucher_id));
    END IF;
    v_state := CASE
        WHEN v_voucher.state IN ('CANCELLED', 'EXPIRED', 'VOID') THEN v_voucher.state
        WHEN v_voucher.quantity_used > v_use.quantity THEN v_voucher.state
        WHEN redemption.open_quantity(v_voucher) > 0 THEN 'ISSUED'
        ELSE 'CANCELLED'
    END;
    v_posted := redemption.post(p_line.community_id, 'redemption.use:' || v_use.device_id || ':' || v_use.nonce || ':reversed', 'voucher_use_reversed',
                                redemption.counter_steps(v_voucher, v_use), p_actor, NULL, p_now);
    IF v_posted.code <> 'posted' THEN
        RETURN redemption.said('ledger_refused', jsonb_build_object('ledger_code', v_posted.code, 'ledger', v_posted.detail));
    END IF;
    UPDATE redemption.use u
       SET state = 'REVERSED', reversed_at = p_now, reversed_by = p_actor, reversal_reason = p_reason, reversal_journal_id = v_posted.journal_id
     WHERE u.community_id = p_line.community_id AND u.voucher_id = p_line.voucher_id AND u.seq = p_line.use_seq;
    UPDATE redemption.voucher v
       SET state = v_state, quantity_used = v.quantity_used - v_use.quantity, quantity_returned = v.quantity_returned + v_use.quantity,
           event_seq = v.event_seq + 1, changed_at = p_now
     WHERE v.community_id = p_line.community_id AND v.voucher_id = p_line.voucher_id;
    UPDATE redemption.offer o SET stock_taken = o.stock_taken - v_use.quantity
     WHERE o.community_id = p_line.community_id AND o.offer_id = v_voucher.offer_id;
    INSERT INTO redemption.voucher_event (community_id, voucher_id, number, action, from_state, to_state, actor_id, second_id, reason, at)
    VALUES (p_line.community_id, p_line.voucher_id, v_voucher.event_seq + 1, 'refund', v_voucher.state, v_state, p_actor, p_second, p_reason, p_now);
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
        v_before := redemption.refund_use(v_line, p_reason, p_actor, v_closed_by, p_now);
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

REVOKE ALL ON FUNCTION redemption.counter_steps, redemption.carry_lines, redemption.refund_use, redemption.resolve_dispute FROM PUBLIC;
GRANT EXECUTE ON FUNCTION redemption.resolve_dispute TO linli_app;
