-- What a conflict paid is taken back: its exact opposite, once, with the strike and the fund's loss.

-- What a member has made good of what they owed, beyond all that they owe now: it goes back to where it came from, to the member first.
-- The caller has posted, so it has the book's head, and nobody pays or forgives meanwhile.
CREATE FUNCTION redemption.return_overpaid(p_community bigint, p_owed text, p_reference text, p_actor uuid, p_now timestamptz) RETURNS boolean
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_left bigint := redemption.available(p_community, p_owed, 'point');
    v_source record;
    v_steps ledger.step[] := '{}';
BEGIN
    IF v_left <= 0 THEN
        RETURN true;
    END IF;
    FOR v_source IN
        WITH RECURSIVE line AS (
            SELECT a.account_id, a.last_seq AS seq FROM ledger.account a
             WHERE a.community_id = p_community AND a.code = p_owed AND a.unit = 'point'
             UNION ALL
            SELECT l.account_id, CASE t.debit WHEN l.account_id THEN t.debit_prev ELSE t.credit_prev END
              FROM line l JOIN ledger.transfer t ON t.community_id = p_community AND t.seq = l.seq
        )
        SELECT a.code, sum(CASE t.credit WHEN l.account_id THEN t.amount ELSE -t.amount END) AS given
          FROM line l
          JOIN ledger.transfer t ON t.community_id = p_community AND t.seq = l.seq
          JOIN ledger.account a ON a.community_id = p_community AND a.account_id = CASE t.credit WHEN l.account_id THEN t.debit ELSE t.credit END
         WHERE a.code NOT LIKE 'merchant:%'
         GROUP BY a.code
        HAVING sum(CASE t.credit WHEN l.account_id THEN t.amount ELSE -t.amount END) > 0
         ORDER BY a.code LIKE 'member:%' DESC, a.code
    LOOP
        EXIT WHEN v_left = 0;
        v_steps := v_steps || ROW('post', p_owed, v_source.code, 'point', least(v_left, v_source.given), NULL, NULL)::ledger.step;
        v_left := v_left - least(v_left, v_source.given);
    END LOOP;
    RETURN (redemption.post(p_community, p_reference, 'voucher_use_reversed', v_steps, p_actor, NULL, p_now)).code = 'posted';
END $$;

-- Takes back what a conflict paid. The shop gives everything back to whoever bore it; of what a member has made good in between, what is too
-- much comes back to them; the strike is withdrawn and the month has its loss again. The voucher itself took no part and changes nothing.
-- The caller holds the voucher. NULL, or why not; then nothing may stay.
CREATE FUNCTION redemption.reverse_conflict(
    p_voucher redemption.voucher, p_use redemption.use, p_state text, p_reason text, p_actor uuid, p_second uuid, p_now timestamptz
) RETURNS redemption.verdict
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_reference text := 'redemption.use:' || p_use.device_id || ':' || p_use.nonce;
    v_posted ledger.verdict := ROW('posted', NULL, '{}')::ledger.verdict;
    v_events int;
BEGIN
    IF p_use.bearer = 'fund' THEN
        -- Before the book's head, as everywhere.
        UPDATE redemption.loss_month m SET lost_fen = greatest(0, m.lost_fen - coalesce(r.value_fen, 0))
          FROM redemption.offline_record r, redemption.offer o
         WHERE r.community_id = p_use.community_id AND r.device_id = p_use.device_id AND r.nonce = p_use.nonce
           AND o.community_id = p_voucher.community_id AND o.offer_id = p_voucher.offer_id
           AND m.community_id = p_use.community_id AND m.began_on = date_trunc('month', p_use.received_at AT TIME ZONE o.time_zone)::date;
    END IF;
    IF p_use.journal_id IS NOT NULL THEN
        v_posted := ledger.reverse(p_use.community_id, v_reference || ':' || lower(p_state), v_reference, 'voucher_use_reversed', NULL, p_actor, NULL,
                                   p_now, p_now);
        IF v_posted.code <> 'posted'
           OR NOT redemption.return_overpaid(p_use.community_id, redemption.account('owed', coalesce(p_voucher.payer_id, p_voucher.member_id)),
                                             v_reference || ':overpaid', p_actor, p_now) THEN
            RETURN redemption.said('ledger_refused', jsonb_build_object('ledger_code', v_posted.code, 'ledger', v_posted.detail));
        END IF;
    END IF;
    UPDATE redemption.use u
       SET state = p_state, reversal_journal_id = v_posted.journal_id,
           reversed_at = CASE p_state WHEN 'REVERSED' THEN p_now END, reversed_by = CASE p_state WHEN 'REVERSED' THEN p_actor END,
           reversal_reason = CASE p_state WHEN 'REVERSED' THEN p_reason END
     WHERE u.community_id = p_use.community_id AND u.voucher_id = p_use.voucher_id AND u.seq = p_use.seq;
    UPDATE redemption.strike s SET withdrawn_at = p_now
     WHERE s.community_id = p_use.community_id AND s.device_id = p_use.device_id AND s.nonce = p_use.nonce AND s.withdrawn_at IS NULL;
    UPDATE redemption.voucher v SET event_seq = v.event_seq + 1
     WHERE v.community_id = p_voucher.community_id AND v.voucher_id = p_voucher.voucher_id
    RETURNING v.event_seq INTO v_events;
    INSERT INTO redemption.voucher_event (community_id, voucher_id, number, action, from_state, to_state, actor_id, second_id, reason, at)
    VALUES (p_voucher.community_id, p_voucher.voucher_id, v_events, 'end_conflict', p_voucher.state, p_voucher.state, p_actor, p_second, p_reason, p_now);
    RETURN NULL;
END $$;

-- A use that its phone took back and that a statement has by now: two people of the held record agreed, so it is corrected as any other use
-- that its shop has confirmed. The caller holds the shop, shared. NULL, or why not.
CREATE FUNCTION redemption.adjust_undone(
    p_use redemption.use, p_key uuid, p_reason text, p_first uuid, p_second uuid, p_now timestamptz
) RETURNS redemption.verdict
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v redemption.settlement;
    v_line redemption.settlement_line;
    v_refusal redemption.verdict;
BEGIN
    SELECT * INTO v_line FROM redemption.settlement_line l
     WHERE l.community_id = p_use.community_id AND l.voucher_id = p_use.voucher_id AND l.use_seq = p_use.seq AND l.part = 0;
    SELECT * INTO v FROM redemption.settlement s
     WHERE s.community_id = v_line.community_id AND s.settlement_id = v_line.settlement_id FOR NO KEY UPDATE;
    v_refusal := redemption.settlement_refusal(v, '{CONFIRMED,APPROVED,PART_PAID,PAID}');
    IF v_refusal.code IS NOT NULL THEN
        RETURN v_refusal;
    ELSIF redemption.has_left(p_use.community_id, p_use.merchant_id) THEN
        RETURN redemption.said('merchant_left');
    ELSIF EXISTS (SELECT FROM redemption.dispute d
                   WHERE d.community_id = v.community_id AND d.settlement_id = v.settlement_id AND d.line_no = v_line.line_no) THEN
        RETURN redemption.said('already_disputed');
    ELSIF EXISTS (SELECT FROM redemption.adjustment a
                   WHERE a.community_id = v.community_id AND a.voucher_id = p_use.voucher_id AND a.use_seq = p_use.seq AND a.state <> 'refused') THEN
        RETURN redemption.said('already_adjusted');
    END IF;
    INSERT INTO redemption.adjustment (community_id, adjustment_id, settlement_id, line_no, voucher_id, use_seq, merchant_id, cause, state,
                                       reason, proposed_by, proposed_at, decided_by, decided_at)
    VALUES (v.community_id, p_key, v.settlement_id, v_line.line_no, p_use.voucher_id, p_use.seq, v.merchant_id, 'undone', 'done',
            p_reason, p_first, p_now, p_second, p_now);
    RETURN redemption.refund_use(v_line, 'ADJUSTED', p_reason, p_second, p_first, p_now);
END $$;
