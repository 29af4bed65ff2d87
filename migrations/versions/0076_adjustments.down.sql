-- A correction that was agreed on would be forgotten while its points are back: books that have one do not go back.
DO $$
BEGIN
    IF EXISTS (SELECT FROM redemption.adjustment WHERE state = 'done') THEN
        RAISE EXCEPTION 'uses are corrected';
    END IF;
END $$;

DROP FUNCTION redemption.propose_adjustment, redemption.decide_adjustment, redemption.carry_adjustments;
DROP FUNCTION redemption.refund_use(redemption.settlement_line, text, text, uuid, uuid, timestamptz);

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
    v_posted := redemption.post(p_line.community_id, 'redemption.use:' || v_use.device_id || ':' || v_use.nonce || ':reversed', 'voucher_use_reversed',
                                redemption.counter_steps(v_use), p_actor, NULL, p_now);
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
    PERFORM redemption.restock(v_voucher, v_use.quantity);
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

-- Three independent sums over the lines of a batch: what their uses say, what the vouchers' frozen prices say (the lines),
-- and what the ledger credited the merchant. Points in the ledger's hundredths.
CREATE OR REPLACE FUNCTION redemption.three_sums(p_settlement redemption.settlement) RETURNS jsonb
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH priced AS (
        SELECT l.journal_id, u.points + u.subsidy_points AS use_points, u.payable_fen AS use_fen,
               l.quantity * (v.points_each + v.subsidy_points_each)::bigint AS points, l.quantity * v.payable_fen_each AS fen
          FROM redemption.settlement_line l
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
         WHERE l.community_id = p_settlement.community_id AND l.settlement_id = p_settlement.settlement_id
    )
    SELECT jsonb_build_object('uses', jsonb_build_object('count', s.n, 'points', 100 * s.use_points, 'fen', s.use_fen),
                              'lines', jsonb_build_object('count', p_settlement.line_count, 'points', 100 * s.points, 'fen', s.fen),
                              'ledger', jsonb_build_object('points', c.points, 'fen', c.fen))
      FROM summed s CROSS JOIN credited c
$$;

-- Closes what the server received before p_until, and what was decided for the shop before then. The client's settlement id is the key.
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

-- A line leaves its batch, the rest goes on. After approval it is too late: the next batch carries the correction.
CREATE OR REPLACE FUNCTION redemption.dispute_line(
    p_community bigint, p_key uuid, p_settlement uuid, p_line_no int, p_reason text, p_actor uuid, p_on_behalf_of uuid, p_now timestamptz
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb := jsonb_build_object('settlement', p_settlement, 'line_no', p_line_no);
    v redemption.settlement;
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
    ELSIF NOT EXISTS (SELECT FROM redemption.settlement_line l
                       WHERE l.community_id = p_community AND l.settlement_id = p_settlement AND l.line_no = p_line_no) THEN
        RETURN redemption.said('line_unknown');
    ELSIF EXISTS (SELECT FROM redemption.dispute d
                   WHERE d.community_id = p_community AND d.settlement_id = p_settlement AND d.line_no = p_line_no) THEN
        RETURN redemption.said('already_disputed');
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
        'settlements', (SELECT count(*) FROM redemption.settlement s JOIN d ON d.merchant_id = s.merchant_id
                         WHERE s.community_id = p_community AND s.state <> 'PAID'))
$$;

REVOKE ALL ON FUNCTION redemption.refund_use FROM PUBLIC;

DROP TABLE redemption.adjustment;
ALTER TABLE redemption.settlement_line DROP CONSTRAINT ck_settlement_line_amounts;
ALTER TABLE redemption.settlement_line ADD CONSTRAINT ck_settlement_line_amounts CHECK (
    kind = 'adjustment' OR (points >= 0 AND subsidy_points >= 0 AND payable_fen >= 0 AND cash_fen >= 0)) NOT VALID;
ALTER TABLE redemption.settlement_line VALIDATE CONSTRAINT ck_settlement_line_amounts;
