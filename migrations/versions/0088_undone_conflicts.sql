-- What a conflict paid is taken back whole, a lease is good for what it had, and people decide by the table.


ALTER TABLE redemption.device ADD COLUMN said_seq BIGINT, ADD COLUMN said_at TIMESTAMP WITH TIME ZONE;
ALTER TABLE redemption.device ADD CONSTRAINT ck_device_said CHECK ((said_seq IS NULL) = (said_at IS NULL)) NOT VALID;
ALTER TABLE redemption.device VALIDATE CONSTRAINT ck_device_said;
ALTER TABLE redemption.offline_record ADD COLUMN heard_at TIMESTAMP WITH TIME ZONE;
ALTER TABLE redemption.strike ADD COLUMN withdrawn_at TIMESTAMP WITH TIME ZONE;
ALTER TABLE redemption.adjustment DROP CONSTRAINT ck_adjustment_cause;
ALTER TABLE redemption.adjustment ADD CONSTRAINT ck_adjustment_cause CHECK (cause IN ('dispute', 'warranty', 'undone')) NOT VALID;
ALTER TABLE redemption.adjustment VALIDATE CONSTRAINT ck_adjustment_cause;

CREATE TABLE redemption.lease_cover (
    community_id BIGINT NOT NULL,
    lease_id UUID NOT NULL,
    offer_id UUID NOT NULL,
    covered_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_lease_cover PRIMARY KEY (community_id, lease_id, offer_id),
    CONSTRAINT fk_lease_cover_lease FOREIGN KEY(community_id, lease_id) REFERENCES redemption.lease (community_id, lease_id),
    CONSTRAINT fk_lease_cover_offer FOREIGN KEY(community_id, offer_id) REFERENCES redemption.offer (community_id, offer_id)
);
GRANT SELECT ON redemption.lease_cover TO linli_app, linli_audit;
-- What leases of before had under them nobody wrote down: all that their shop could have, as they were judged until now.
INSERT INTO redemption.lease_cover (community_id, lease_id, offer_id, covered_at)
SELECT l.community_id, l.lease_id, o.offer_id, l.granted_at
  FROM redemption.lease l
  JOIN redemption.offer_merchant m ON m.community_id = l.community_id AND m.merchant_id = l.merchant_id
  JOIN redemption.offer o ON o.community_id = m.community_id AND o.offer_id = m.offer_id AND o.offline_class = 1;

DROP FUNCTION redemption.return_lease(bigint, uuid, bigint, timestamptz);

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
    PERFORM FROM redemption.merchant m
      WHERE m.community_id = p_community
        AND m.merchant_id = (SELECT s.merchant_id FROM redemption.settlement s WHERE s.community_id = p_community AND s.settlement_id = p_settlement)
      FOR SHARE;
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
    ELSIF redemption.has_left(p_community, v.merchant_id) THEN
        RETURN redemption.said('merchant_left');
    END IF;
    SELECT * INTO v_line FROM redemption.settlement_line l
     WHERE l.community_id = p_community AND l.settlement_id = p_settlement AND l.line_no = p_line_no;
    SELECT * INTO v_use FROM redemption.use u
     WHERE u.community_id = p_community AND u.voucher_id = v_line.voucher_id AND u.seq = v_line.use_seq;
    IF v_line.line_no IS NULL THEN
        RETURN redemption.said('line_unknown');
    ELSIF EXISTS (SELECT FROM redemption.voucher w
                   WHERE w.community_id = p_community AND w.voucher_id = v_line.voucher_id AND p_actor IN (w.member_id, w.payer_id)) THEN
        RETURN redemption.said('own_voucher');
    ELSIF EXISTS (SELECT FROM redemption.dispute d
                   WHERE d.community_id = p_community AND d.settlement_id = p_settlement AND d.line_no = p_line_no) THEN
        RETURN redemption.said('already_disputed');
    ELSIF EXISTS (SELECT FROM redemption.adjustment a
                   WHERE a.community_id = p_community AND a.voucher_id = v_line.voucher_id AND a.use_seq = v_line.use_seq AND a.state <> 'refused') THEN
        RETURN redemption.said('already_adjusted');
    ELSIF v_use.state <> 'SETTLED' OR v_use.bearer IS NOT NULL OR p_cause = 'undone' THEN
        -- What a conflict paid is taken back where its phone said so: by two people, of the held record.
        RETURN redemption.said('not_adjustable', jsonb_build_object('state', v_use.state));
    END IF;
    INSERT INTO redemption.adjustment (community_id, adjustment_id, settlement_id, line_no, voucher_id, use_seq, merchant_id, cause, state,
                                       reason, proposed_by, proposed_at)
    VALUES (p_community, p_adjustment, p_settlement, p_line_no, v_line.voucher_id, v_line.use_seq, v.merchant_id, p_cause, 'proposed',
            p_reason, p_actor, p_now);
    PERFORM redemption.remember(p_community, p_adjustment, 'propose_adjustment', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;

CREATE OR REPLACE FUNCTION redemption.return_overpaid(p_community bigint, p_owed text, p_reference text, p_actor uuid, p_now timestamptz) RETURNS boolean
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

CREATE OR REPLACE FUNCTION redemption.reverse_conflict(
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

CREATE OR REPLACE FUNCTION redemption.adjust_undone(
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
    IF v_use.state <> 'SETTLED' THEN
        RETURN redemption.said('already_reversed', jsonb_build_object('voucher_id', p_line.voucher_id, 'seq', p_line.use_seq, 'state', v_use.state));
    ELSIF v_use.bearer IS NOT NULL THEN
        RETURN redemption.reverse_conflict(v_voucher, v_use, p_state, p_reason, p_actor, p_second, p_now);
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

CREATE OR REPLACE FUNCTION redemption.take_lock(
    p_community bigint, p_key uuid, p_voucher_id bigint, p_code_seq int, p_merchant uuid, p_redeemer uuid, p_owner_group_of_redeemer uuid,
    p_until timestamptz, p_reason text, p_actor uuid, p_on_behalf_of uuid, p_now timestamptz, p_device uuid DEFAULT NULL
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb := jsonb_build_object('voucher', p_voucher_id, 'merchant', p_merchant);
    v_voucher redemption.voucher;
    v_scope_at timestamptz;
    v_before redemption.verdict;
    v_detail jsonb := jsonb_build_object('voucher_id', p_voucher_id, 'token', gen_random_uuid(), 'until', p_until);
BEGIN
    -- Two may ask in the same second: the second waits here, and is then told that it is locked.
    SELECT * INTO v_voucher FROM redemption.voucher v
     WHERE v.community_id = p_community AND v.voucher_id = p_voucher_id FOR NO KEY UPDATE;
    v_before := redemption.remembered(p_community, p_key, 'lock', v_request);
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    END IF;
    -- Whoever was paid a part in this moment may keep the rest, also a shop that has left since, and what ran out in the lock before. It is good
    -- for as long as it is kept, also when it is let go before.
    SELECT v_voucher.issued_at INTO v_scope_at FROM redemption.use u
     WHERE u.community_id = p_community AND u.voucher_id = p_voucher_id AND u.merchant_id = p_merchant
       AND u.state = 'ACCEPTED' AND u.received_at = p_now LIMIT 1;
    IF v_scope_at IS NOT NULL THEN
        v_voucher.expires_at := greatest(v_voucher.expires_at, p_until);
    END IF;
    v_before := redemption.redeem_refusal(v_voucher, p_code_seq, p_merchant, p_owner_group_of_redeemer, p_redeemer, 1, p_now,
                                          coalesce(p_device, '00000000-0000-0000-0000-000000000000'), v_scope_at);
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    ELSIF coalesce(p_reason, '') = '' THEN
        RETURN redemption.said('reason_missing');
    ELSIF v_voucher.state NOT IN ('ISSUED', 'PART_USED') THEN
        RETURN redemption.said('state_wrong', jsonb_build_object('voucher_id', p_voucher_id));
    ELSIF p_until IS NULL OR p_until <= p_now OR p_until > p_now + interval '90 days' THEN
        RETURN redemption.said('lock_wrong');
    END IF;
    UPDATE redemption.voucher v
       SET state = 'LOCKED', lock_token = (v_detail ->> 'token')::uuid, lock_until = p_until, event_seq = v.event_seq + 1, changed_at = p_now,
           expires_at = v_voucher.expires_at, due_at = greatest(v.due_at, v_voucher.expires_at)
     WHERE v.community_id = p_community AND v.voucher_id = p_voucher_id;
    INSERT INTO redemption.voucher_event (community_id, voucher_id, number, action, from_state, to_state, actor_id, on_behalf_of, reason, at)
    VALUES (p_community, p_voucher_id, v_voucher.event_seq + 1, 'lock', v_voucher.state, 'LOCKED', p_actor, p_on_behalf_of, p_reason, p_now);
    PERFORM redemption.remember(p_community, p_key, 'lock', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;

CREATE OR REPLACE FUNCTION redemption.redeem_locked(
    p_community bigint, p_device uuid, p_nonce uuid, p_voucher_id bigint, p_code_seq int, p_merchant uuid, p_owner_group_of_clerk uuid,
    p_clerk uuid, p_quantity int, p_scanned_at timestamptz, p_now timestamptz, p_on_behalf_of uuid, p_token uuid, p_only_locked boolean DEFAULT false
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_voucher redemption.voucher;
    v_scan redemption.verdict;
    v_again redemption.verdict;
    v_expires_at timestamptz;
    v_due_at timestamptz;
BEGIN
    SELECT * INTO v_voucher FROM redemption.voucher v
     WHERE v.community_id = p_community AND v.voucher_id = p_voucher_id FOR NO KEY UPDATE;
    v_expires_at := v_voucher.expires_at;
    v_due_at := v_voucher.due_at;
    IF v_voucher.state = 'LOCKED' AND v_voucher.lock_token = p_token THEN
        IF redemption.change_waiting(v_voucher) IS NOT NULL THEN
            RETURN redemption.said('change_waits', jsonb_build_object('change_id', redemption.change_waiting(v_voucher)));
        END IF;
        BEGIN
            UPDATE redemption.voucher v
               SET state = CASE WHEN v.quantity_used > 0 THEN 'PART_USED' ELSE 'ISSUED' END, lock_token = NULL, lock_until = NULL, event_seq = v.event_seq + 1, changed_at = p_now,
                   expires_at = greatest(v.expires_at, v.lock_until), due_at = greatest(v.due_at, v.lock_until)
             WHERE v.community_id = p_community AND v.voucher_id = p_voucher_id;
            INSERT INTO redemption.voucher_event (community_id, voucher_id, number, action, from_state, to_state, actor_id, on_behalf_of, reason, at)
            VALUES (p_community, p_voucher_id, v_voucher.event_seq + 1, 'unlock', 'LOCKED',
                    CASE WHEN v_voucher.quantity_used > 0 THEN 'PART_USED' ELSE 'ISSUED' END, p_clerk, p_on_behalf_of, 'scanned', p_now);
            v_scan := redemption.redeem(p_community, p_device, p_nonce, p_voucher_id, p_code_seq, p_merchant, p_owner_group_of_clerk,
                                        p_clerk, p_quantity, p_scanned_at, p_now, p_on_behalf_of);
            IF v_scan.code IN ('leased', 'wrong_merchant') THEN
                -- A lease younger than the lock has not this voucher on its list: nobody can take it without a network. And a shop that left is
                -- still paid for what it holds: the token says that the lock was lawful, so any day since the voucher was issued will do.
                SELECT * INTO v_voucher FROM redemption.voucher v WHERE v.community_id = p_community AND v.voucher_id = p_voucher_id;
                v_again := redemption.redeem_refusal(v_voucher, p_code_seq, p_merchant, p_owner_group_of_clerk, p_clerk, p_quantity, p_now, NULL,
                                                     v_voucher.issued_at);
                IF v_again.code IS NULL THEN
                    INSERT INTO redemption.device (community_id, device_id, kind, registered_by, registered_at)
                    VALUES (p_community, p_device, 'browser', p_clerk, p_now)
                        ON CONFLICT DO NOTHING;
                    v_scan := redemption.take_use(v_voucher, p_device, p_nonce, p_code_seq, p_merchant, p_clerk, p_quantity, p_scanned_at, p_now,
                                                  p_on_behalf_of, 'redeem');
                ELSIF v_scan.code = 'wrong_merchant' THEN
                    v_scan := v_again;
                END IF;
            END IF;
            IF v_scan.code <> 'redeemed' THEN
                RAISE EXCEPTION USING ERRCODE = 'LL001', MESSAGE = 'not redeemed';
            END IF;
            -- The lock kept in time what was used by it. What is left has the days it had.
            UPDATE redemption.voucher v SET expires_at = v_expires_at, due_at = v_due_at
             WHERE v.community_id = p_community AND v.voucher_id = p_voucher_id;
        EXCEPTION WHEN SQLSTATE 'LL001' THEN
            -- The voucher stays locked; the answer says why.
            NULL;
        END;
        RETURN v_scan;
    ELSIF p_only_locked
          AND NOT EXISTS (SELECT FROM redemption.use u WHERE u.community_id = p_community AND u.device_id = p_device AND u.nonce = p_nonce) THEN
        RETURN redemption.said('not_locked', jsonb_build_object('voucher_id', p_voucher_id));
    END IF;
    RETURN redemption.redeem(p_community, p_device, p_nonce, p_voucher_id, p_code_seq, p_merchant, p_owner_group_of_clerk,
                             p_clerk, p_quantity, p_scanned_at, p_now, p_on_behalf_of);
END $$;

CREATE OR REPLACE FUNCTION redemption.take_lease(p_community bigint, p_device uuid, p_lease uuid, p_now timestamptz, p_hours int) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_device redemption.device;
    v_lease redemption.lease;
    v_offers uuid[];
    v_until timestamptz;
BEGIN
    v_offers := ARRAY(
        SELECT o.offer_id FROM redemption.offer o
         WHERE o.community_id = p_community AND o.offline_class = 1 AND o.state <> 'draft'
           AND o.offer_id IN (SELECT m.offer_id FROM redemption.offer_merchant m
                                JOIN redemption.device d ON d.community_id = m.community_id AND d.merchant_id = m.merchant_id
                               WHERE m.community_id = p_community AND d.device_id = p_device)
         ORDER BY o.offer_id FOR NO KEY UPDATE);
    SELECT * INTO v_device FROM redemption.device d WHERE d.community_id = p_community AND d.device_id = p_device FOR NO KEY UPDATE;
    IF v_device.kind IS DISTINCT FROM 'enrolled' OR v_device.revoked_at IS NOT NULL THEN
        RETURN redemption.said('device_refused');
    END IF;
    UPDATE redemption.lease l SET state = 'over', ended_at = l.ends_at
     WHERE l.community_id = p_community AND l.merchant_id = v_device.merchant_id AND l.state = 'out' AND l.ends_at <= p_now;
    SELECT * INTO v_lease FROM redemption.lease l
     WHERE l.community_id = p_community AND l.device_id = p_device AND l.state = 'out' FOR NO KEY UPDATE;
    IF v_lease.frozen_at IS NOT NULL THEN
        RETURN redemption.said('done', redemption.lease_detail(v_lease));
    END IF;
    -- Asked with the offers in hand: whoever locks the shop out holds them too.
    -- A lease is not made shorter by a limit that was lowered: the phone may not hear of it. Only a shop that leaves ends it earlier.
    v_until := redemption.lease_until(p_community, v_device.merchant_id, greatest(p_now + make_interval(hours => p_hours), v_lease.ends_at), p_now);
    IF v_until IS NULL THEN
        RETURN redemption.said('leased');
    ELSIF NOT EXISTS (SELECT FROM unnest(v_offers) o (offer_id)
                       WHERE coalesce((redemption.lease_on(p_community, o.offer_id, p_now)).device_id, p_device) = p_device) THEN
        RETURN redemption.said('leased', coalesce((SELECT redemption.lease_detail(redemption.lease_on(p_community, o.offer_id, p_now))
                                                     FROM unnest(v_offers) o (offer_id) LIMIT 1), '{}'));
    END IF;
    IF v_lease.lease_id IS NULL THEN
        INSERT INTO redemption.lease (community_id, lease_id, merchant_id, device_id, state, granted_at, renewed_at, ends_at)
        VALUES (p_community, p_lease, v_device.merchant_id, p_device, 'out', p_now, p_now, v_until)
        RETURNING * INTO v_lease;
    ELSE
        UPDATE redemption.lease l SET renewed_at = p_now, ends_at = v_until
         WHERE l.community_id = p_community AND l.lease_id = v_lease.lease_id
        RETURNING * INTO v_lease;
    END IF;
    INSERT INTO redemption.lease_offer AS held (community_id, offer_id, lease_id)
    SELECT p_community, o.offer_id, v_lease.lease_id FROM unnest(v_offers) o (offer_id)
        ON CONFLICT ON CONSTRAINT pk_lease_offer DO UPDATE SET lease_id = excluded.lease_id
     WHERE NOT EXISTS (SELECT FROM redemption.lease l
                        WHERE l.community_id = p_community AND l.lease_id = held.lease_id AND l.state = 'out' AND l.ends_at > p_now);
    -- What the phone may do is kept beyond the lease's end: its records come later.
    INSERT INTO redemption.lease_cover (community_id, lease_id, offer_id, covered_at)
    SELECT o.community_id, o.lease_id, o.offer_id, p_now FROM redemption.lease_offer o
     WHERE o.community_id = p_community AND o.lease_id = v_lease.lease_id
        ON CONFLICT DO NOTHING;
    RETURN redemption.said('done', redemption.lease_detail(v_lease));
END $$;

CREATE OR REPLACE FUNCTION redemption.return_lease(
    p_community bigint, p_device uuid, p_seq bigint, p_now timestamptz, p_lease uuid DEFAULT NULL
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_device redemption.device;
    v_lease redemption.lease;
BEGIN
    SELECT * INTO v_device FROM redemption.device d WHERE d.community_id = p_community AND d.device_id = p_device FOR NO KEY UPDATE;
    IF v_device.kind IS DISTINCT FROM 'enrolled' OR v_device.revoked_at IS NOT NULL THEN
        RETURN redemption.said('device_refused');
    ELSIF p_seq > v_device.log_seq THEN
        RETURN redemption.said('records_waiting', jsonb_build_object('uploaded', v_device.log_seq));
    END IF;
    UPDATE redemption.lease l SET state = 'returned', ended_at = p_now
     WHERE l.community_id = p_community AND l.device_id = p_device AND l.state = 'out' AND l.lease_id = coalesce(p_lease, l.lease_id)
    RETURNING * INTO v_lease;
    DELETE FROM redemption.lease_offer o WHERE o.community_id = p_community AND o.lease_id = v_lease.lease_id;
    RETURN redemption.said('done', jsonb_build_object('lease_id', v_lease.lease_id));
END $$;

CREATE OR REPLACE FUNCTION redemption.redeem_refusal(
    p_voucher redemption.voucher, p_code_seq int, p_merchant uuid, p_owner_group_of_clerk uuid, p_clerk uuid, p_quantity int, p_now timestamptz,
    p_device uuid DEFAULT NULL, p_scope_at timestamptz DEFAULT NULL
) RETURNS redemption.verdict
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_code text;
    v_offer redemption.offer;
    v_lease redemption.lease;
BEGIN
    IF p_voucher.voucher_id IS NULL THEN
        RETURN redemption.said('unknown');
    ELSIF NOT EXISTS (SELECT FROM redemption.offer_merchant om
                       WHERE om.community_id = p_voucher.community_id AND om.offer_id = p_voucher.offer_id
                         AND om.merchant_id = p_merchant)
          AND (p_scope_at IS NULL OR NOT redemption.is_in_scope(p_voucher.community_id, p_voucher.offer_id, p_merchant, p_scope_at)) THEN
        RETURN redemption.said('wrong_merchant');
    ELSIF p_clerk IN (p_voucher.member_id, p_voucher.payer_id) OR p_voucher.owner_group = p_owner_group_of_clerk THEN
        RETURN redemption.said('own_voucher');
    END IF;
    v_code := redemption.state_refusal(p_voucher);
    IF v_code = 'used' THEN
        RETURN redemption.said('used', (
            SELECT redemption.use_detail(p_voucher, u) FROM redemption.use u
             WHERE u.community_id = p_voucher.community_id AND u.voucher_id = p_voucher.voucher_id AND u.bearer IS NULL
               AND u.state NOT IN ('REVERSED', 'ADJUSTED')
             ORDER BY u.seq DESC LIMIT 1));
    ELSIF v_code IS NOT NULL THEN
        RETURN redemption.said(v_code, jsonb_build_object('voucher_id', p_voucher.voucher_id, 'changed_at', p_voucher.changed_at));
    ELSIF p_now >= p_voucher.expires_at THEN
        RETURN redemption.said('expired', jsonb_build_object('voucher_id', p_voucher.voucher_id, 'expires_at', p_voucher.expires_at));
    END IF;
    -- What a published offer says is never edited: its days are as frozen as the price.
    SELECT * INTO v_offer FROM redemption.offer o WHERE o.community_id = p_voucher.community_id AND o.offer_id = p_voucher.offer_id;
    IF p_now < v_offer.usable_from THEN
        RETURN redemption.said('not_yet', jsonb_build_object('voucher_id', p_voucher.voucher_id, 'usable_from', v_offer.usable_from));
    ELSIF v_offer.weekdays & (1 << (extract(isodow FROM p_now AT TIME ZONE v_offer.time_zone)::int - 1)) = 0 THEN
        RETURN redemption.said('not_today', jsonb_build_object('voucher_id', p_voucher.voucher_id, 'weekdays', v_offer.weekdays));
    ELSIF p_code_seq <> p_voucher.code_seq THEN
        RETURN redemption.said('code_outdated', jsonb_build_object('voucher_id', p_voucher.voucher_id));
    END IF;
    IF p_voucher.offline_class = 1 AND p_device IS NOT NULL THEN
        -- A phone may have accepted it without a network: nobody else may until it says that it has not.
        v_lease := redemption.lease_on(p_voucher.community_id, p_voucher.offer_id, p_now);
        IF v_lease.device_id <> p_device THEN
            RETURN redemption.said('leased', redemption.lease_detail(v_lease) || jsonb_build_object('voucher_id', p_voucher.voucher_id));
        END IF;
    END IF;
    IF p_quantity IS NULL OR p_quantity < 1 OR p_quantity > redemption.open_quantity(p_voucher) THEN
        RETURN redemption.said('quantity_wrong', jsonb_build_object('voucher_id', p_voucher.voucher_id, 'open', redemption.open_quantity(p_voucher)));
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION redemption.reversals_today(p_community bigint, p_device uuid, p_now timestamptz) RETURNS bigint
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT count(*) FROM redemption.use u
     WHERE u.community_id = p_community AND u.device_id = p_device AND u.reversed_at >= p_now - interval '24 hours'
$$;

CREATE OR REPLACE FUNCTION redemption.reversal_refusal(
    p_voucher redemption.voucher, p_use redemption.use, p_as_owner boolean, p_reason text, p_actor uuid, p_now timestamptz,
    p_reversible_minutes int, p_reversals_per_day int
) RETURNS redemption.verdict
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_detail jsonb := jsonb_build_object('voucher_id', p_voucher.voucher_id, 'seq', p_use.seq, 'state', p_use.state);
BEGIN
    IF p_use.seq IS NULL THEN
        RETURN redemption.said('use_unknown');
    ELSIF NOT p_as_owner AND p_use.clerk_id <> p_actor THEN
        RETURN redemption.said('not_your_use', v_detail);
    ELSIF coalesce(p_reason, '') = '' THEN
        RETURN redemption.said('reason_missing', v_detail);
    ELSIF p_use.state = 'REVERSED' THEN
        RETURN redemption.said('already_reversed', v_detail);
    ELSIF p_use.state <> 'ACCEPTED' THEN
        RETURN redemption.said('use_settled', v_detail);
    ELSIF p_now >= p_use.received_at + make_interval(mins => p_reversible_minutes) THEN
        RETURN redemption.said('reversal_too_late', v_detail || jsonb_build_object('received_at', p_use.received_at));
    ELSIF p_voucher.state NOT IN ('USED', 'PART_USED') THEN
        RETURN redemption.said(coalesce(redemption.state_refusal(p_voucher), 'state_wrong'), v_detail);
    ELSIF redemption.reversals_today(p_use.community_id, p_use.device_id, p_now) >= p_reversals_per_day THEN
        RETURN redemption.said('too_many_reversals', v_detail);
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION redemption.propose_review(
    p_community bigint, p_device uuid, p_nonce uuid, p_is_paid boolean, p_note text, p_actor uuid, p_now timestamptz
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_review redemption.offline_review;
    v_voucher bigint;
BEGIN
    SELECT * INTO v_review FROM redemption.offline_review r
     WHERE r.community_id = p_community AND r.device_id = p_device AND r.nonce = p_nonce FOR NO KEY UPDATE;
    SELECT v.voucher_id INTO v_voucher FROM redemption.offline_record o
      JOIN redemption.voucher v ON v.community_id = o.community_id AND v.voucher_id = o.voucher_id
     WHERE o.community_id = p_community AND o.device_id = p_device AND o.nonce = p_nonce;
    IF v_review.nonce IS NULL THEN
        RETURN redemption.said('review_unknown');
    ELSIF v_review.state = 'proposed' AND (v_review.is_paid, v_review.note, v_review.proposed_by) = (p_is_paid, p_note, p_actor) THEN
        RETURN redemption.said('replayed');
    ELSIF v_review.state <> 'open' THEN
        RETURN redemption.said('review_decided', jsonb_build_object('state', v_review.state));
    ELSIF coalesce(p_note, '') = '' THEN
        RETURN redemption.said('reason_missing');
    ELSIF p_actor IS NULL OR p_is_paid IS NULL THEN
        RETURN redemption.said('actor_missing');
    ELSIF p_is_paid AND v_voucher IS NULL THEN
        RETURN redemption.said('review_unpayable');
    END IF;
    UPDATE redemption.offline_review r SET state = 'proposed', is_paid = p_is_paid, note = p_note, proposed_by = p_actor, proposed_at = p_now
     WHERE r.community_id = p_community AND r.device_id = p_device AND r.nonce = p_nonce;
    RETURN redemption.said('done');
END $$;

CREATE OR REPLACE FUNCTION redemption.review_case(p_record redemption.offline_record, p_voucher redemption.voucher) RETURNS jsonb
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_used record;
BEGIN
    IF p_voucher.state IN ('FROZEN', 'VOID', 'CANCELLED') AND redemption.is_stale(p_voucher.changed_at, p_record.scanned_at, p_record.heard_at) THEN
        RETURN '{"code": "review_shops_own"}';
    ELSIF p_voucher.state IN ('FROZEN', 'LOCKED', 'RESERVED') THEN
        RETURN jsonb_build_object('code', redemption.state_refusal(p_voucher));
    ELSIF redemption.open_quantity(p_voucher) >= p_record.quantity THEN
        RETURN '{}';
    ELSIF p_voucher.state IN ('CANCELLED', 'EXPIRED') THEN
        RETURN '{"bearer": "member", "by_member": true}';
    ELSIF p_voucher.state = 'VOID' THEN
        RETURN '{"bearer": "fund", "by_member": false}';
    END IF;
    SELECT coalesce(sum(u.quantity) FILTER (WHERE u.device_id = p_record.device_id), 0) AS here,
           coalesce(bool_or(u.bearer IS NULL) FILTER (WHERE u.device_id <> p_record.device_id), false) AS elsewhere INTO v_used
      FROM redemption.use u
     WHERE u.community_id = p_voucher.community_id AND u.voucher_id = p_voucher.voucher_id AND u.state NOT IN ('REVERSED', 'ADJUSTED');
    IF v_used.here > 0 AND v_used.here + p_record.quantity > p_voucher.quantity_total THEN
        RETURN '{"code": "review_shops_own"}';
    ELSIF v_used.elsewhere THEN
        RETURN '{"bearer": "fund", "by_member": true, "strike": true}';
    END IF;
    RETURN '{"bearer": "member", "by_member": true}';
END $$;

CREATE OR REPLACE FUNCTION redemption.pay_review(
    p_record redemption.offline_record, p_review redemption.offline_review, p_voucher redemption.voucher, p_actor uuid, p_now timestamptz,
    p_month_on date
) RETURNS redemption.verdict
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_case jsonb := redemption.review_case(p_record, p_voucher);
    v_clerk uuid := coalesce(p_record.clerk_id, p_actor);
    v_taken redemption.verdict;
    v_seq int;
BEGIN
    IF v_case ->> 'code' IS NOT NULL THEN
        RETURN redemption.said(v_case ->> 'code', jsonb_build_object('voucher_id', p_voucher.voucher_id));
    ELSIF v_case ->> 'bearer' IS NULL THEN
        v_taken := redemption.take_use(p_voucher, p_record.device_id, p_record.nonce, NULL, p_record.merchant_id, v_clerk, p_record.quantity,
                                       p_record.scanned_at, p_now, NULL,
                                       CASE p_voucher.state WHEN 'CANCEL_PENDING' THEN 'end_cancelling' ELSE 'merge' END);
        v_seq := (v_taken.detail ->> 'seq')::int;
    ELSE
        IF v_case ->> 'bearer' = 'fund' THEN
            INSERT INTO redemption.loss_month AS m (community_id, began_on, lost_fen, allowed_fen)
            VALUES (p_record.community_id, p_month_on, p_record.value_fen, p_record.value_fen)
                ON CONFLICT ON CONSTRAINT pk_loss_month DO UPDATE
               SET lost_fen = m.lost_fen + excluded.lost_fen, allowed_fen = greatest(m.allowed_fen, m.lost_fen + excluded.lost_fen);
        END IF;
        v_seq := redemption.pay_conflict(p_voucher, p_record.device_id, p_record.nonce, p_record.merchant_id, v_clerk, p_record.quantity,
                                         v_case ->> 'bearer', (v_case ->> 'by_member')::boolean, p_review.note, p_record.scanned_at, p_now,
                                         p_review.proposed_by, p_actor);
        IF v_case ->> 'strike' IS NOT NULL THEN
            PERFORM redemption.add_strike(p_record.community_id, p_record.device_id, p_record.nonce,
                                          coalesce(p_voucher.payer_id, p_voucher.member_id), p_now);
        END IF;
    END IF;
    IF v_seq IS NULL THEN
        -- Nothing of this may stay when the books do not take it.
        RAISE EXCEPTION 'the ledger refused %', v_taken USING ERRCODE = 'LR001';
    END IF;
    RETURN redemption.said('done', jsonb_build_object('use_seq', v_seq));
END $$;

CREATE OR REPLACE FUNCTION redemption.undo_review(
    p_use redemption.use, p_review redemption.offline_review, p_voucher redemption.voucher, p_actor uuid, p_now timestamptz, p_short_code text
) RETURNS redemption.verdict
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_refusal redemption.verdict;
BEGIN
    IF p_use.state = 'ACCEPTED' THEN
        RETURN redemption.reverse_use(p_use.community_id, p_review.nonce, p_use.voucher_id, p_use.seq, true, p_review.note, p_actor, NULL, p_now,
                                      ceil(extract(epoch FROM p_now - p_use.received_at) / 60)::int + 1, 2147483647, p_short_code);
    ELSIF p_use.state = 'CONFLICT' THEN
        v_refusal := redemption.reverse_conflict(p_voucher, p_use, 'REVERSED', p_review.note, p_actor, p_review.proposed_by, p_now);
    ELSE
        v_refusal := redemption.adjust_undone(p_use, p_review.nonce, p_review.note, p_review.proposed_by, p_actor, p_now);
    END IF;
    RETURN CASE WHEN v_refusal.code IS NOT NULL THEN v_refusal
                ELSE redemption.said('done', jsonb_build_object('voucher_id', p_use.voucher_id, 'seq', p_use.seq, 'member_id', p_voucher.member_id)) END;
END $$;

CREATE OR REPLACE FUNCTION redemption.decide_review(
    p_community bigint, p_device uuid, p_nonce uuid, p_is_agreed boolean, p_actor uuid, p_now timestamptz, p_month_on date,
    p_short_code text DEFAULT NULL
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_record redemption.offline_record;
    v_review redemption.offline_review;
    v_voucher redemption.voucher;
    v_use redemption.use;
    v_done redemption.verdict := redemption.said('done');
BEGIN
    SELECT * INTO v_record FROM redemption.offline_record o WHERE o.community_id = p_community AND o.device_id = p_device AND o.nonce = p_nonce;
    PERFORM FROM redemption.merchant m WHERE m.community_id = p_community AND m.merchant_id = v_record.merchant_id FOR SHARE;
    v_voucher := redemption.lock_voucher(p_community, v_record.voucher_id);
    SELECT * INTO v_review FROM redemption.offline_review r
     WHERE r.community_id = p_community AND r.device_id = p_device AND r.nonce = p_nonce FOR NO KEY UPDATE;
    IF v_review.nonce IS NULL THEN
        RETURN redemption.said('review_unknown');
    ELSIF v_review.state = 'decided' AND v_review.decided_by = p_actor AND p_is_agreed THEN
        RETURN redemption.said('replayed', jsonb_build_object('use_seq', v_review.use_seq));
    ELSIF v_review.state <> 'proposed' THEN
        RETURN redemption.said('review_decided', jsonb_build_object('state', v_review.state));
    ELSIF p_actor IS NULL THEN
        RETURN redemption.said('actor_missing');
    ELSIF NOT p_is_agreed THEN
        UPDATE redemption.offline_review r SET state = 'open', is_paid = NULL, note = NULL, proposed_by = NULL, proposed_at = NULL
         WHERE r.community_id = p_community AND r.device_id = p_device AND r.nonce = p_nonce;
        RETURN redemption.said('done');
    ELSIF p_actor = v_review.proposed_by THEN
        RETURN redemption.said('same_person');
    ELSIF p_actor IN (v_voucher.member_id, v_voucher.payer_id) OR v_review.proposed_by IN (v_voucher.member_id, v_voucher.payer_id) THEN
        RETURN redemption.said('own_voucher');
    END IF;
    -- What a phone takes back is looked at once more under the shop's and the voucher's lock: a statement may have taken it meanwhile.
    SELECT * INTO v_use FROM redemption.use u
     WHERE u.community_id = p_community AND u.device_id = p_device AND u.nonce = coalesce(v_record.undoes, p_nonce) FOR NO KEY UPDATE;
    IF v_use.seq IS NOT NULL AND (v_review.is_paid OR v_record.undoes IS NULL OR v_use.state IN ('REVERSED', 'ADJUSTED')) THEN
        v_done.detail := jsonb_build_object('use_seq', v_use.seq);
    ELSIF v_use.seq IS NOT NULL THEN
        v_done := redemption.undo_review(v_use, v_review, v_voucher, p_actor, p_now, p_short_code);
        v_done.detail := v_done.detail || jsonb_build_object('reversed_seq', v_use.seq, 'merchant_id', v_record.merchant_id);
    ELSIF v_review.is_paid THEN
        v_done := redemption.pay_review(v_record, v_review, v_voucher, p_actor, p_now, p_month_on);
    END IF;
    IF v_done.code <> 'done' THEN
        RETURN v_done;
    END IF;
    UPDATE redemption.offline_review r SET state = 'decided', decided_by = p_actor, decided_at = p_now, use_seq = (v_done.detail ->> 'use_seq')::int
     WHERE r.community_id = p_community AND r.device_id = p_device AND r.nonce = p_nonce;
    RETURN v_done;
END $$;

CREATE OR REPLACE FUNCTION redemption.record_fault(
    p_device redemption.device, p_record jsonb, p_voucher redemption.voucher, p_scanned timestamptz, p_now timestamptz, p_terms jsonb
) RETURNS jsonb
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_lease redemption.lease;
    v_offer redemption.offer;
    v_clerk uuid := (p_record ->> 'clerk')::uuid;
BEGIN
    IF p_device.revoked_at IS NOT NULL THEN
        RETURN redemption.concluded('review', 'device_revoked');
    ELSIF p_record ->> 'fault' IS NOT NULL THEN
        RETURN redemption.concluded('review', p_record ->> 'fault');
    ELSIF p_voucher.voucher_id IS NULL THEN
        RETURN redemption.concluded('review', 'unknown');
    ELSIF v_clerk IS NULL OR NOT (p_record ->> 'is_clerk')::boolean THEN
        RETURN redemption.concluded('review', 'clerk_unknown');
    ELSIF p_now > p_scanned + make_interval(days => (p_terms ->> 'late_days')::int) THEN
        RETURN redemption.concluded('review', 'too_late');
    ELSIF NOT redemption.is_in_scope(p_voucher.community_id, p_voucher.offer_id, p_device.merchant_id, p_scanned) THEN
        RETURN redemption.concluded('conflict', 'wrong_merchant', 'merchant');
    ELSIF v_clerk IN (p_voucher.member_id, p_voucher.payer_id) OR p_voucher.owner_group = (p_record ->> 'group')::uuid THEN
        RETURN redemption.concluded('conflict', 'own_voucher', 'merchant');
    ELSIF p_voucher.offline_class = 0 THEN
        RETURN redemption.concluded('conflict', 'online_only', 'merchant');
    ELSIF p_voucher.offline_class = 1 THEN
        SELECT * INTO v_lease FROM redemption.lease l
         WHERE l.community_id = p_device.community_id AND l.lease_id = (p_record ->> 'lease')::uuid AND l.device_id = p_device.device_id;
        IF v_lease.state = 'broken' THEN
            RETURN redemption.concluded('review', 'lease_broken');
        ELSIF v_lease.lease_id IS NULL OR NOT EXISTS (
            SELECT FROM redemption.lease_cover c
             WHERE c.community_id = p_device.community_id AND c.lease_id = v_lease.lease_id AND c.offer_id = p_voucher.offer_id
               AND c.covered_at <= p_scanned) THEN
            -- A lease of something else is none: another phone may have had this offer at that time.
            RETURN redemption.concluded('conflict', 'lease_unknown', 'merchant');
        ELSIF p_scanned < v_lease.granted_at OR p_scanned >= least(v_lease.ends_at, v_lease.ended_at) THEN
            RETURN redemption.concluded('conflict', 'lease_over', 'merchant');
        END IF;
    END IF;
    SELECT * INTO v_offer FROM redemption.offer o WHERE o.community_id = p_voucher.community_id AND o.offer_id = p_voucher.offer_id;
    IF p_scanned >= p_voucher.expires_at THEN
        RETURN redemption.concluded('conflict', 'expired', 'merchant');
    ELSIF p_scanned < v_offer.usable_from THEN
        RETURN redemption.concluded('conflict', 'not_yet', 'merchant');
    ELSIF v_offer.weekdays & (1 << (extract(isodow FROM p_scanned AT TIME ZONE v_offer.time_zone)::int - 1)) = 0 THEN
        RETURN redemption.concluded('conflict', 'not_today', 'merchant');
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION redemption.take_loss(p_community bigint, p_fen bigint, p_now timestamptz, p_terms jsonb) RETURNS boolean
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_redeemed numeric := (
        SELECT coalesce(sum(coalesce(nullif(u.payable_fen + u.cash_fen, 0), 100 * (u.points + u.subsidy_points))), 0)
          FROM redemption.merchant m
          JOIN redemption.use u ON u.community_id = m.community_id AND u.merchant_id = m.merchant_id
           AND u.received_at >= (p_terms ->> 'month_began')::timestamptz
         WHERE m.community_id = p_community AND u.state NOT IN ('REVERSED', 'ADJUSTED') AND u.bearer IS NULL);
BEGIN
    UPDATE redemption.loss_month m SET allowed_fen = greatest(m.allowed_fen, (p_terms ->> 'fen')::bigint,
                                                              floor(v_redeemed * (p_terms ->> 'loss_millionths')::bigint / 1000000)::bigint)
     WHERE m.community_id = p_community AND m.began_on = (p_terms ->> 'month_on')::date;
    UPDATE redemption.loss_month m
       SET lost_fen = m.lost_fen + p_fen,
           alarmed_at = coalesce(m.alarmed_at, CASE WHEN (m.lost_fen + p_fen) * 2 >= m.allowed_fen THEN p_now END)
     WHERE m.community_id = p_community AND m.began_on = (p_terms ->> 'month_on')::date AND m.lost_fen + p_fen <= m.allowed_fen;
    RETURN FOUND;
END $$;

CREATE OR REPLACE FUNCTION redemption.undo_record(p_device redemption.device, p_record jsonb, p_at timestamptz, p_now timestamptz) RETURNS jsonb
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_use redemption.use;
    v_earlier redemption.offline_record;
    v_minutes int := (p_record ->> 'minutes')::int;
    v_voucher redemption.voucher;
    v_back redemption.verdict;
BEGIN
    SELECT * INTO v_use FROM redemption.use u
     WHERE u.community_id = p_device.community_id AND u.device_id = p_device.device_id AND u.nonce = (p_record ->> 'undoes')::uuid;
    SELECT * INTO v_earlier FROM redemption.offline_record o
     WHERE o.community_id = p_device.community_id AND o.device_id = p_device.device_id AND o.nonce = (p_record ->> 'undoes')::uuid;
    IF v_use.seq IS NULL AND (v_earlier.nonce IS NULL OR v_earlier.reason = 'undone') THEN
        RETURN redemption.concluded('accepted', 'undone');
    ELSIF v_use.seq IS NULL THEN
        RETURN CASE WHEN v_earlier.voucher_id IS NOT DISTINCT FROM (p_record ->> 'voucher')::bigint AND redemption.undo_held(p_device, v_earlier, p_now)
                    THEN redemption.concluded('accepted', 'undone') ELSE redemption.concluded('conflict', 'undo_late', 'merchant') END;
    ELSIF v_use.voucher_id IS DISTINCT FROM (p_record ->> 'voucher')::bigint OR v_use.clerk_id IS DISTINCT FROM (p_record ->> 'clerk')::uuid THEN
        RETURN redemption.concluded('conflict', 'undo_late', 'merchant');
    ELSIF v_use.state IN ('REVERSED', 'ADJUSTED') THEN
        RETURN redemption.concluded('accepted', 'undone');
    ELSIF p_at >= v_use.received_at + make_interval(mins => v_minutes) THEN
        RETURN redemption.concluded('conflict', 'undo_late', 'merchant');
    ELSIF p_device.revoked_at IS NULL AND v_use.state = 'CONFLICT' THEN
        IF redemption.reversals_today(p_device.community_id, p_device.device_id, p_now) < (p_record ->> 'per_day')::int THEN
            SELECT * INTO v_voucher FROM redemption.voucher v WHERE v.community_id = v_use.community_id AND v.voucher_id = v_use.voucher_id;
            BEGIN
                v_back := redemption.reverse_conflict(v_voucher, v_use, 'REVERSED', 'undone on the phone', v_use.clerk_id, NULL, p_now);
                IF v_back.code IS NULL THEN
                    RETURN redemption.concluded('accepted', 'undone') || jsonb_build_object('reversed_seq', v_use.seq);
                END IF;
                RAISE EXCEPTION USING ERRCODE = 'LR001', MESSAGE = 'not reversed';
            EXCEPTION WHEN SQLSTATE 'LR001' THEN
                -- Nothing of it stays, and people look at it.
                NULL;
            END;
        END IF;
    ELSIF p_device.revoked_at IS NULL THEN
        -- As long as it took to reach us is not the clerk's delay.
        v_back := redemption.reverse_use(
            p_device.community_id, (p_record ->> 'nonce')::uuid, v_use.voucher_id, v_use.seq, false, 'undone on the phone', (p_record ->> 'clerk')::uuid,
            NULL, p_now, v_minutes + ceil(extract(epoch FROM p_now - p_at) / 60)::int, (p_record ->> 'per_day')::int, p_record ->> 'short_code');
        IF v_back.code IN ('done', 'replayed') THEN
            RETURN redemption.concluded('accepted', 'undone') || jsonb_build_object('reversed_seq', v_use.seq);
        END IF;
    END IF;
    RETURN redemption.concluded('review', 'undo_waits');
END $$;

CREATE OR REPLACE FUNCTION redemption.merge_record(p_device redemption.device, p_record jsonb, p_flags text[], p_now timestamptz, p_terms jsonb) RETURNS jsonb
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_nonce uuid := (p_record ->> 'nonce')::uuid;
    v_voucher redemption.voucher;
    v_claimed timestamptz := to_timestamp((p_record ->> 'trusted_at')::numeric / 1000);
    v_scanned timestamptz := redemption.scanned_at(redemption.believed_at(p_device, (p_record ->> 'seq')::bigint, v_claimed), p_device.log_at, p_now);
    v_heard timestamptz := redemption.heard_at(p_device, p_record ->> 'mono', v_scanned);
    v_use redemption.use;
    v_said jsonb;
BEGIN
    SELECT * INTO v_voucher FROM redemption.voucher v
     WHERE v.community_id = p_device.community_id AND v.voucher_id = (p_record ->> 'voucher')::bigint;
    SELECT * INTO v_use FROM redemption.use u
     WHERE u.community_id = p_device.community_id AND u.device_id = p_device.device_id AND u.nonce = v_nonce;
    IF (v_use.voucher_id, v_use.quantity) = ((p_record ->> 'voucher')::bigint, (p_record ->> 'quantity')::int) AND p_record ->> 'undoes' IS NULL THEN
        -- The phone had scanned it with us and never heard the answer.
        v_said := redemption.concluded('already', 'accepted');
    ELSIF v_use.seq IS NOT NULL THEN
        v_said := redemption.concluded('review', 'use_differs');
    ELSIF p_record ->> 'undoes' IS NOT NULL THEN
        v_said := redemption.undo_record(p_device, p_record, v_scanned, p_now);
    ELSIF p_record ->> 'is_undone' IS NOT NULL THEN
        -- The phone took it back itself, before or together with this: nothing was given out.
        v_said := redemption.concluded('accepted', 'undone');
    ELSE
        v_said := redemption.judge_record(p_device, p_record, v_voucher, v_scanned, v_heard, p_now, p_terms);
        v_said := redemption.apply_record(p_device, p_record, v_voucher, v_said, v_scanned, p_now, p_terms);
    END IF;
    INSERT INTO redemption.offline_record (community_id, device_id, nonce, seq, hash, text, voucher_id, quantity, merchant_id, clerk_id, lease_id,
                                           offline_class, scanned_at, claimed_at, received_at, flags, verdict, reason, bearer, use_seq, value_fen, undoes, heard_at)
    VALUES (p_device.community_id, p_device.device_id, v_nonce, (p_record ->> 'seq')::bigint, decode(p_record ->> 'hash', 'hex'), p_record ->> 'text',
            (p_record ->> 'voucher')::bigint, (p_record ->> 'quantity')::int, p_device.merchant_id, (p_record ->> 'clerk')::uuid,
            (p_record ->> 'lease')::uuid, CASE WHEN p_record ->> 'undoes' IS NULL AND v_said ->> 'reason' <> 'undone' THEN v_voucher.offline_class END,
            v_scanned, v_claimed, p_now, p_flags,
            v_said ->> 'verdict', v_said ->> 'reason', v_said ->> 'bearer', (v_said ->> 'use_seq')::int,
            CASE WHEN v_said ->> 'reason' IN ('undone', 'undo_late') THEN 0
                 ELSE coalesce(redemption.value_fen(v_voucher), 0) * (p_record ->> 'quantity')::int END,
            (p_record ->> 'undoes')::uuid, v_heard);
    IF v_said ->> 'verdict' = 'review' THEN
        INSERT INTO redemption.offline_review (community_id, device_id, nonce, merchant_id, state, opened_at, due_at)
        VALUES (p_device.community_id, p_device.device_id, v_nonce, p_device.merchant_id, 'open', p_now,
                p_now + make_interval(days => (p_terms ->> 'review_days')::int));
    ELSIF v_said ->> 'reason' IN ('used_elsewhere', 'used_online') THEN
        PERFORM redemption.add_strike(p_device.community_id, p_device.device_id, v_nonce, coalesce(v_voucher.payer_id, v_voucher.member_id), p_now);
    END IF;
    RETURN v_said || jsonb_build_object('nonce', v_nonce, 'scanned_at', v_scanned, 'voucher_id', v_voucher.voucher_id, 'member_id', v_voucher.member_id,
                                        'clerk_id', (p_record ->> 'clerk')::uuid,
                                        'title', (SELECT o.title FROM redemption.offer o
                                                   WHERE o.community_id = v_voucher.community_id AND o.offer_id = v_voucher.offer_id));
END $$;

CREATE OR REPLACE FUNCTION redemption.class_for(p_community bigint, p_member uuid, p_class int) RETURNS int
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN p_class > 0 AND (
                     (SELECT count(*) FROM redemption.strike s
                       WHERE s.community_id = p_community AND s.member_id = p_member AND s.withdrawn_at IS NULL) >= 2
                     OR redemption.available(p_community, redemption.account('owed', p_member), 'point') < 0)
                THEN 0 ELSE p_class END
$$;

CREATE OR REPLACE FUNCTION redemption.sync_records(p_community bigint, p_device uuid, p_records jsonb, p_now timestamptz, p_terms jsonb) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_device redemption.device;
    v_record jsonb;
    v_before redemption.offline_record;
    v_flags text[];
    v_skipped text[] := '{}';
    v_undone text[];
    v_said jsonb;
    v_answers jsonb[] := '{}';
    v_records jsonb[] := ARRAY(SELECT r.value FROM jsonb_array_elements(p_records) WITH ORDINALITY r (value, place) ORDER BY r.place);
    v_plain record;
    v_place int := 0;
    v_until int := 0;
    v_together jsonb[];
    v_written bigint := CASE WHEN p_terms ->> 'is_brought' IS NULL THEN (p_terms ->> 'written')::bigint END;
BEGIN
    PERFORM FROM redemption.voucher v
      WHERE v.community_id = p_community AND v.voucher_id = ANY (ARRAY(SELECT (r ->> 'voucher')::bigint FROM jsonb_array_elements(p_records) r))
      ORDER BY v.voucher_id FOR NO KEY UPDATE;
    SELECT * INTO v_device FROM redemption.device d WHERE d.community_id = p_community AND d.device_id = p_device FOR NO KEY UPDATE;
    IF v_device.kind IS DISTINCT FROM 'enrolled' THEN
        RETURN redemption.said('device_refused');
    END IF;
    -- What could not be read at the end of the upload before is no gap: the phone has put it aside.
    v_skipped := v_skipped || encode(v_device.log_skipped, 'hex');
    INSERT INTO redemption.loss_month (community_id, began_on, lost_fen, allowed_fen)
    VALUES (p_community, (p_terms ->> 'month_on')::date, 0, (p_terms ->> 'fen')::bigint) ON CONFLICT DO NOTHING;
    -- This month's and the last one's: what is taken back may be of either.
    PERFORM FROM redemption.loss_month m
      WHERE m.community_id = p_community AND m.began_on >= (p_terms ->> 'month_on')::date - interval '1 month' ORDER BY m.began_on FOR NO KEY UPDATE;
    -- What the phone took back itself: told by this upload, or by one that came before its scan.
    v_undone := ARRAY(
        SELECT (r ->> 'undoes') || ' ' || (r ->> 'voucher') FROM jsonb_array_elements(p_records) r WHERE r ->> 'undoes' IS NOT NULL
         UNION ALL
        SELECT o.undoes || ' ' || o.voucher_id FROM redemption.offline_record o
         WHERE o.community_id = p_community AND o.device_id = p_device AND o.reason = 'undone'
           AND o.undoes = ANY (ARRAY(SELECT (r ->> 'nonce')::uuid FROM jsonb_array_elements(p_records) r)));
    v_plain := redemption.plain_records(v_device, p_records, v_undone, p_now, p_terms);
    WHILE v_place < cardinality(v_records) LOOP
        v_place := v_place + 1;
        v_record := v_records[v_place];
        v_said := NULL;
        SELECT * INTO v_before FROM redemption.offline_record o
         WHERE o.community_id = p_community AND o.device_id = p_device AND o.nonce = (v_record ->> 'nonce')::uuid FOR UPDATE;
        IF v_before.nonce IS NOT NULL THEN
            IF encode(v_before.hash, 'hex') <> v_record ->> 'hash' THEN
                PERFORM redemption.freeze_lease(p_community, p_device, 'fork', p_now);
            END IF;
            v_answers := v_answers || (redemption.concluded('already', v_before.reason, v_before.bearer) || jsonb_build_object('nonce', v_before.nonce));
            CONTINUE;
        ELSIF (v_record ->> 'is_unread')::boolean THEN
            v_skipped := v_skipped || (v_record ->> 'hash');
            CONTINUE;
        END IF;
        v_flags := ARRAY(SELECT jsonb_array_elements_text(v_record -> 'flags')) || CASE
            WHEN (v_record ->> 'seq')::bigint <= v_device.log_seq THEN '{fork}'
            WHEN v_record ->> 'prev' = ANY (v_skipped) THEN '{}'
            WHEN (v_record ->> 'seq')::bigint > v_device.log_seq + 1 THEN '{gap}'
            WHEN v_record ->> 'prev' <> coalesce(encode(v_device.log_hash, 'hex'), repeat('0', 64)) THEN '{fork}'
            ELSE '{}' END::text[];
        IF (v_record ->> 'nonce') || ' ' || (v_record ->> 'voucher') = ANY (v_undone) THEN
            v_record := v_record || '{"is_undone": true}';
        END IF;
        IF v_plain.ends[v_place] > greatest(v_place, v_until) AND NOT v_flags && '{gap,fork,clock_back}' AND v_plain.scanned[v_place]
               = redemption.scanned_at(redemption.believed_at(v_device, (v_record ->> 'seq')::bigint,
                                                              to_timestamp((v_record ->> 'trusted_at')::numeric / 1000)), v_device.log_at, p_now) THEN
            v_until := v_plain.ends[v_place];
            v_together := redemption.merge_plain(v_device, v_records[v_place:v_until], v_plain.scanned[v_place:v_until], p_now);
            IF v_together IS NOT NULL THEN
                v_answers := v_answers || v_together;
                v_place := v_until;
                v_device.log_seq := (v_records[v_place] ->> 'seq')::bigint;
                v_device.log_hash := decode(v_records[v_place] ->> 'hash', 'hex');
                v_device.log_at := greatest(v_device.log_at, v_plain.scanned[v_place]);
                CONTINUE;
            END IF;
        END IF;
        BEGIN
            v_said := redemption.merge_record(v_device, v_record, v_flags, p_now, p_terms);
        EXCEPTION WHEN OTHERS THEN
            -- Only what is wrong with the record itself may be told so; a cut connection or a deadlock is the whole upload's.
            IF left(SQLSTATE, 2) NOT IN ('22', '23', 'P0') THEN
                RAISE;
            END IF;
            v_skipped := v_skipped || (v_record ->> 'hash');
        END;
        IF v_said IS NOT NULL THEN
            v_answers := v_answers || v_said;
            IF v_flags && '{gap,fork,clock_back}' OR v_said ->> 'reason' = 'lease_unknown' THEN
                PERFORM redemption.freeze_lease(p_community, p_device, coalesce(v_flags[1], 'lease_unknown'), p_now);
            END IF;
            IF (v_record ->> 'seq')::bigint > v_device.log_seq THEN
                v_device.log_seq := (v_record ->> 'seq')::bigint;
                v_device.log_hash := decode(v_record ->> 'hash', 'hex');
            END IF;
            v_device.log_at := greatest(v_device.log_at, (v_said ->> 'scanned_at')::timestamptz);
        END IF;
    END LOOP;
    UPDATE redemption.device d
       SET log_seq = v_device.log_seq, log_hash = v_device.log_hash, log_at = v_device.log_at,
           -- What people bring for a dead phone does not say that the phone heard us.
           seen_at = CASE WHEN p_terms ->> 'is_brought' IS NULL THEN p_now ELSE d.seen_at END,
           log_skipped = decode(v_skipped[cardinality(v_skipped)], 'hex'),
           -- How far its log went when it sent this: what has a higher number was written later.
           said_seq = CASE WHEN v_written IS NULL THEN d.said_seq ELSE greatest(v_written, v_device.log_seq) END,
           said_at = CASE WHEN v_written IS NULL THEN d.said_at ELSE p_now END
     WHERE d.community_id = p_community AND d.device_id = p_device;
    RETURN redemption.said('done', jsonb_build_object('answers', to_jsonb(v_answers)));
END $$;

CREATE OR REPLACE FUNCTION redemption.believed_at(p_device redemption.device, p_seq bigint, p_claimed timestamptz) RETURNS timestamptz
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN p_seq > p_device.said_seq THEN p_claimed + greatest(interval '0', p_device.said_at - p_claimed) ELSE p_claimed END
$$;

CREATE OR REPLACE FUNCTION redemption.plain_records(
    p_device redemption.device, p_records jsonb, p_undone text[], p_now timestamptz, p_terms jsonb, OUT scanned timestamptz[], OUT ends int[]
)
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_hashjoin = off
    SET enable_mergejoin = off
    SET jit = off
AS $$
BEGIN
    WITH sent AS MATERIALIZED (
        SELECT r.place::int AS place, r.value AS record, (r.value ->> 'nonce')::uuid AS nonce, (r.value ->> 'voucher')::bigint AS voucher_id,
               (r.value ->> 'quantity')::int AS quantity,
               redemption.believed_at(p_device, (r.value ->> 'seq')::bigint, to_timestamp((r.value ->> 'trusted_at')::numeric / 1000)) AS claimed,
               r.value ->> 'undoes' IS NULL AND r.value ->> 'is_unread' IS NULL
               AND NOT coalesce((r.value ->> 'nonce') || ' ' || (r.value ->> 'voucher') = ANY (p_undone), true)
               AND NOT r.value -> 'flags' ?| '{gap,fork,clock_back}' AS is_scan
          FROM jsonb_array_elements(p_records) WITH ORDINALITY r (value, place)
    ), seen AS MATERIALIZED (
        SELECT s.*, EXISTS (SELECT FROM redemption.offline_record o WHERE o.community_id = p_device.community_id AND o.device_id = p_device.device_id
                                                                      AND o.nonce = s.nonce) AS is_known
          FROM sent s
    ), alone AS MATERIALIZED (
        SELECT s.*, count(*) OVER (PARTITION BY s.voucher_id) = 1 AND count(*) OVER (PARTITION BY s.nonce) = 1 AS is_once,
               redemption.scanned_at(max(s.claimed) FILTER (WHERE NOT s.is_known) OVER (ORDER BY s.place), p_device.log_at, p_now) AS scanned
          FROM seen s
    ), judged AS MATERIALIZED (
        SELECT a.place, a.record, a.scanned,
               a.is_scan AND a.is_once AND NOT a.is_known AND a.quantity > 0 AND a.claimed IS NOT NULL
               AND NOT EXISTS (SELECT FROM redemption.use u WHERE u.community_id = p_device.community_id AND u.device_id = p_device.device_id
                                                              AND u.nonce = a.nonce)
               AND coalesce((SELECT redemption.judge_record(p_device, a.record, v, a.scanned, redemption.heard_at(p_device, a.record ->> 'mono', a.scanned),
                                                            p_now, p_terms) ->> 'verdict' = 'accepted'
                               FROM redemption.voucher v
                              WHERE v.community_id = p_device.community_id AND v.voucher_id = a.voucher_id AND v.state IN ('ISSUED', 'PART_USED')
                              LIMIT 1), false) AS is_plain
          FROM alone a
    ), cut AS (
        SELECT j.place, j.scanned, j.is_plain,
               sum(CASE WHEN j.is_plain AND lag_plain AND linked THEN 0 ELSE 1 END) OVER (ORDER BY j.place) AS run
          FROM (SELECT d.*, lag(d.is_plain) OVER w AS lag_plain,
                       (d.record ->> 'seq')::bigint = (lag(d.record) OVER w ->> 'seq')::bigint + 1
                       AND d.record ->> 'prev' = lag(d.record) OVER w ->> 'hash' AS linked
                  FROM judged d WINDOW w AS (ORDER BY d.place)) j
    )
    SELECT array_agg(CASE WHEN c.is_plain THEN c.scanned END ORDER BY c.place), array_agg(CASE WHEN c.is_plain THEN c.until END ORDER BY c.place)
      INTO scanned, ends
      FROM (SELECT x.*, (max(x.place) OVER (PARTITION BY x.run))::int AS until FROM cut x) c;
EXCEPTION WHEN data_exception THEN
    -- One of them cannot be read so: each is then looked at for itself.
    scanned := NULL; ends := NULL;
END $$;

CREATE OR REPLACE FUNCTION redemption.merge_plain(p_device redemption.device, p_records jsonb[], p_scanned timestamptz[], p_now timestamptz) RETURNS jsonb[]
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_hashjoin = off
    SET enable_mergejoin = off
    SET jit = off
AS $$
DECLARE
    v_moving int[];
    v_counts int[];
    v_hold uuid[];
    v_unit text[];
    v_amount bigint[];
    v_credit text[];
    v_posted record;
    v_journals bigint[] := array_fill(NULL::bigint, ARRAY[cardinality(p_records)]);
    v_answers jsonb[];
BEGIN
    WITH paid AS MATERIALIZED (
        SELECT u.j::int AS j, redemption.capture_steps(v.voucher, (u.record ->> 'quantity')::int, p_device.merchant_id) AS steps
          FROM unnest(p_records) WITH ORDINALITY u (record, j)
         CROSS JOIN LATERAL (SELECT x AS voucher FROM redemption.voucher x
                              WHERE x.community_id = p_device.community_id AND x.voucher_id = (u.record ->> 'voucher')::bigint LIMIT 1) v
    ), step AS MATERIALIZED (
        SELECT p.j, s.credit, s.unit, s.amount, s.hold_id, s.place
          FROM paid p CROSS JOIN LATERAL unnest(p.steps) WITH ORDINALITY s (kind, debit, credit, unit, amount, hold_id, expires_at, place)
    )
    SELECT (SELECT array_agg(p.j ORDER BY p.j) FROM paid p WHERE cardinality(p.steps) > 0),
           (SELECT array_agg(cardinality(p.steps) ORDER BY p.j) FROM paid p WHERE cardinality(p.steps) > 0),
           array_agg(s.credit ORDER BY s.j, s.place), array_agg(s.unit ORDER BY s.j, s.place),
           array_agg(s.amount ORDER BY s.j, s.place), array_agg(s.hold_id ORDER BY s.j, s.place)
      INTO v_moving, v_counts, v_credit, v_unit, v_amount, v_hold
      FROM step s;

    IF v_moving IS NOT NULL THEN
        SELECT b.codes, b.journal_ids INTO v_posted
          FROM ledger.post_batch(
                   p_device.community_id, p_now,
                   ARRAY(SELECT 'redemption.use:' || p_device.device_id || ':' || (p_records[g.j] ->> 'nonce')::uuid
                           FROM unnest(v_moving) WITH ORDINALITY g (j, n) ORDER BY g.n),
                   array_fill('voucher_used'::text, ARRAY[cardinality(v_moving)]),
                   ARRAY(SELECT (p_records[g.j] ->> 'clerk')::uuid FROM unnest(v_moving) WITH ORDINALITY g (j, n) ORDER BY g.n),
                   array_fill(NULL::uuid, ARRAY[cardinality(v_moving)]), array_fill(p_now, ARRAY[cardinality(v_moving)]),
                   array_fill(NULL::text, ARRAY[cardinality(v_moving)]), v_counts,
                   array_fill('capture'::text, ARRAY[cardinality(v_hold)]), array_fill(NULL::text, ARRAY[cardinality(v_hold)]),
                   v_credit, v_unit, v_amount, v_hold, array_fill(NULL::timestamptz, ARRAY[cardinality(v_hold)])) b;
        IF v_posted.codes <> array_fill('posted'::text, ARRAY[cardinality(v_moving)]) THEN
            RAISE EXCEPTION 'the books refuse one of them';
        END IF;
        FOR i IN 1..cardinality(v_moving) LOOP
            v_journals[v_moving[i]] := v_posted.journal_ids[i];
        END LOOP;
    END IF;

    WITH asked AS MATERIALIZED (
        SELECT u.j::int AS j, u.record, u.scanned, (u.record ->> 'nonce')::uuid AS nonce, (u.record ->> 'voucher')::bigint AS voucher_id,
               (u.record ->> 'quantity')::int AS quantity, (u.record ->> 'clerk')::uuid AS clerk_id
          FROM unnest(p_records, p_scanned) WITH ORDINALITY u (record, scanned, j)
    ), changed AS (
        UPDATE redemption.voucher v
           SET quantity_used = v.quantity_used + was.quantity, use_seq = v.use_seq + 1, event_seq = v.event_seq + 1, changed_at = p_now,
               state = CASE WHEN redemption.open_quantity(v) = was.quantity THEN 'USED' ELSE 'PART_USED' END
          FROM (SELECT a.*, x.community_id, x.state AS from_state
                  FROM asked a
                 CROSS JOIN LATERAL (SELECT y.community_id, y.state FROM redemption.voucher y
                                      WHERE y.community_id = p_device.community_id AND y.voucher_id = a.voucher_id LIMIT 1) x) was
         WHERE v.community_id = was.community_id AND v.voucher_id = was.voucher_id
           AND v.state IN ('ISSUED', 'PART_USED') AND redemption.open_quantity(v) >= was.quantity
        RETURNING was.j, was.record, was.scanned, was.nonce, was.quantity, was.clerk_id, was.from_state, v AS voucher
    ), made AS (
        INSERT INTO redemption.use AS u (community_id, voucher_id, seq, device_id, nonce, merchant_id, clerk_id, quantity,
                                         points, subsidy_points, payable_fen, cash_fen, code_seq, state, scanned_at, received_at, journal_id)
        SELECT p_device.community_id, (c.voucher).voucher_id, (c.voucher).use_seq, p_device.device_id, c.nonce, p_device.merchant_id, c.clerk_id, c.quantity,
               c.quantity::bigint * (c.voucher).points_each, c.quantity::bigint * (c.voucher).subsidy_points_each,
               c.quantity * (c.voucher).payable_fen_each, c.quantity * (c.voucher).cash_fen_each,
               (c.record ->> 'code_seq')::int, 'ACCEPTED', c.scanned, p_now, v_journals[c.j]
          FROM changed c ORDER BY c.j
        RETURNING u.voucher_id, u AS use
    ), noted AS (
        INSERT INTO redemption.voucher_event (community_id, voucher_id, number, action, from_state, to_state, actor_id, reason, at)
        SELECT p_device.community_id, (c.voucher).voucher_id, (c.voucher).event_seq, 'merge', c.from_state, (c.voucher).state, c.clerk_id, 'scanned', p_now
          FROM changed c ORDER BY c.j
    ), kept AS (
        INSERT INTO redemption.offline_record (community_id, device_id, nonce, seq, hash, text, voucher_id, quantity, merchant_id, clerk_id, lease_id,
                                               offline_class, scanned_at, claimed_at, received_at, flags, verdict, reason, use_seq, value_fen, heard_at)
        SELECT p_device.community_id, p_device.device_id, c.nonce, (c.record ->> 'seq')::bigint, decode(c.record ->> 'hash', 'hex'), c.record ->> 'text',
               (c.voucher).voucher_id, c.quantity, p_device.merchant_id, c.clerk_id, (c.record ->> 'lease')::uuid, (c.voucher).offline_class,
               c.scanned, to_timestamp((c.record ->> 'trusted_at')::numeric / 1000), p_now,
               ARRAY(SELECT jsonb_array_elements_text(c.record -> 'flags')), 'accepted', 'accepted', (c.voucher).use_seq,
               redemption.value_fen(c.voucher) * c.quantity, redemption.heard_at(p_device, c.record ->> 'mono', c.scanned)
          FROM changed c ORDER BY c.j
    )
    SELECT array_agg(redemption.concluded('accepted', 'accepted') || d.detail
                     || jsonb_build_object('use_seq', d.detail -> 'seq', 'nonce', c.nonce, 'scanned_at', c.scanned) ORDER BY c.j)
      INTO v_answers
      FROM changed c
      JOIN made m ON m.voucher_id = (c.voucher).voucher_id
     CROSS JOIN LATERAL (SELECT redemption.use_detail(c.voucher, m.use) AS detail OFFSET 0) d;
    IF cardinality(v_answers) IS DISTINCT FROM cardinality(p_records) THEN
        RAISE EXCEPTION 'one of them is not as it was judged';
    END IF;
    RETURN v_answers;
EXCEPTION WHEN OTHERS THEN
    -- As for one record: only what is wrong with the records themselves; a cut connection or a deadlock is the whole upload's.
    IF left(SQLSTATE, 2) NOT IN ('22', '23', 'P0') THEN
        RAISE;
    END IF;
    RETURN NULL;
END $$;

REVOKE ALL ON FUNCTION redemption.return_overpaid, redemption.reverse_conflict, redemption.adjust_undone, redemption.return_lease, redemption.reversals_today, redemption.review_case, redemption.pay_review, redemption.undo_review, redemption.believed_at FROM PUBLIC;
GRANT EXECUTE ON FUNCTION redemption.return_lease TO linli_app;
