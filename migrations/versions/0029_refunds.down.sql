-- What a use paid goes back as plain postings.

-- The exact opposite of what a use paid: the merchant's points to the member and to the sponsor, the merchant's fen to the sponsor.
CREATE FUNCTION redemption.counter_steps(p_voucher redemption.voucher, p_use redemption.use) RETURNS ledger.step[]
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

DROP FUNCTION redemption.counter_steps(redemption.use);
REVOKE ALL ON FUNCTION redemption.counter_steps FROM PUBLIC;
