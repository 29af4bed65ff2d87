-- A lock knows the phone that keeps it, so that what this phone scans without a network, under its own lease, is its own.
ALTER TABLE redemption.voucher ADD COLUMN lock_device_id uuid;
ALTER TABLE redemption.voucher ADD CONSTRAINT ck_voucher_lock_device CHECK (lock_device_id IS NULL OR lock_token IS NOT NULL);
DROP INDEX redemption.ix_voucher_leased;
CREATE INDEX ix_voucher_leased ON redemption.voucher (community_id, offer_id)
    WHERE offline_class = 1 AND state IN ('ISSUED', 'PART_USED', 'LOCKED');

CREATE OR REPLACE FUNCTION redemption.move_voucher(
    p_voucher redemption.voucher, p_state text, p_frozen_state text, p_action text, p_actor uuid, p_on_behalf_of uuid, p_reason text, p_now timestamptz,
    p_second uuid DEFAULT NULL
) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE redemption.voucher v
       SET state = p_state, frozen_state = p_frozen_state, event_seq = v.event_seq + 1, changed_at = p_now,
           lock_token = CASE WHEN 'LOCKED' IN (p_state, p_frozen_state) THEN v.lock_token END,
           lock_until = CASE WHEN 'LOCKED' IN (p_state, p_frozen_state) THEN v.lock_until END,
           lock_device_id = CASE WHEN 'LOCKED' IN (p_state, p_frozen_state) THEN v.lock_device_id END,
           quantity_returned = v.quantity_returned
               + CASE WHEN p_state IN ('CANCELLED', 'EXPIRED', 'VOID') THEN redemption.open_quantity(v) ELSE 0 END
     WHERE v.community_id = p_voucher.community_id AND v.voucher_id = p_voucher.voucher_id;
    INSERT INTO redemption.voucher_event (community_id, voucher_id, number, action, from_state, to_state, actor_id, second_id, on_behalf_of, reason, at)
    VALUES (p_voucher.community_id, p_voucher.voucher_id, p_voucher.event_seq + 1, p_action, p_voucher.state, p_state,
            p_actor, p_second, p_on_behalf_of, p_reason, p_now);
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
       SET state = 'LOCKED', lock_token = (v_detail ->> 'token')::uuid, lock_until = p_until, lock_device_id = p_device, event_seq = v.event_seq + 1, changed_at = p_now,
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
               SET state = CASE WHEN v.quantity_used > 0 THEN 'PART_USED' ELSE 'ISSUED' END, lock_token = NULL, lock_until = NULL, lock_device_id = NULL, event_seq = v.event_seq + 1, changed_at = p_now,
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

CREATE OR REPLACE FUNCTION redemption.leased_vouchers(p_community bigint, p_device uuid, p_now timestamptz) RETURNS TABLE (
    voucher_id bigint, offer_id uuid, title text, open int, points_each int, cash_fen_each bigint, value_fen bigint, code_seq int, offline_class int,
    expires_at timestamptz, usable_from timestamptz, weekdays smallint
)
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT v.voucher_id, v.offer_id, o.title, redemption.open_quantity(v), v.points_each + v.subsidy_points_each, v.cash_fen_each,
           redemption.value_fen(v), v.code_seq, redemption.class_for(p_community, coalesce(v.payer_id, v.member_id), v.offline_class),
           v.expires_at, o.usable_from, o.weekdays
      FROM redemption.voucher v
      JOIN redemption.offer o ON o.community_id = v.community_id AND o.offer_id = v.offer_id
     WHERE v.community_id = p_community AND v.state IN ('ISSUED', 'PART_USED', 'LOCKED') AND v.offline_class = 1 AND v.expires_at > p_now
       AND (v.state <> 'LOCKED' OR v.lock_device_id = p_device)
       AND v.offer_id IN (SELECT h.offer_id FROM redemption.lease_offer h
                            JOIN redemption.lease l ON l.community_id = h.community_id AND l.lease_id = h.lease_id
                           WHERE h.community_id = p_community AND l.device_id = p_device AND l.state = 'out' AND l.ends_at > p_now)
     ORDER BY v.voucher_id FOR SHARE OF v
$$;

CREATE OR REPLACE FUNCTION redemption.judge_record(
    p_device redemption.device, p_record jsonb, p_voucher redemption.voucher, p_scanned timestamptz, p_heard timestamptz, p_now timestamptz, p_terms jsonb
) RETURNS jsonb
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_fault jsonb := redemption.record_fault(p_device, p_record, p_voucher, p_scanned, p_now, p_terms);
    v_renewed timestamptz;
BEGIN
    IF v_fault IS NOT NULL THEN
        RETURN v_fault;
    ELSIF p_voucher.state IN ('FROZEN', 'VOID', 'CANCELLED') AND redemption.is_stale(p_voucher.changed_at, p_scanned, p_heard) THEN
        RETURN redemption.concluded('conflict', 'revoked', 'merchant');
    ELSIF p_voucher.state IN ('FROZEN', 'RESERVED')
          OR p_voucher.state = 'LOCKED' AND (p_voucher.offline_class <> 1 OR p_voucher.lock_device_id IS DISTINCT FROM p_device.device_id) THEN
        -- What this very phone keeps is its own to take, under the lease that was looked at above: nobody else could.
        RETURN redemption.concluded('review', lower(p_voucher.state));
    ELSIF p_voucher.state IN ('CANCELLED', 'EXPIRED') THEN
        RETURN redemption.concluded('conflict', lower(p_voucher.state) || '_before', 'member');
    ELSIF p_voucher.state = 'VOID' THEN
        RETURN CASE WHEN redemption.is_inside_floor(p_device, p_record, p_voucher, p_scanned, p_terms)
                    THEN redemption.concluded('conflict', 'void', 'fund') ELSE redemption.concluded('conflict', 'above_floor', 'merchant') END;
    ELSIF p_voucher.state = 'CANCEL_PENDING' AND p_voucher.offline_class <> 1 THEN
        RETURN redemption.concluded('review', 'cancel_pending');
    ELSIF redemption.open_quantity(p_voucher) < (p_record ->> 'quantity')::int THEN
        RETURN redemption.used_before(p_device, p_record, p_voucher, p_scanned, p_terms);
    END IF;
    IF (p_record ->> 'code_seq')::int <> p_voucher.code_seq THEN
        SELECT max(e.at) INTO v_renewed FROM redemption.voucher_event e
         WHERE e.community_id = p_voucher.community_id AND e.voucher_id = p_voucher.voucher_id AND e.action IN ('renew_code', 'reverse', 'give');
        IF redemption.is_stale(v_renewed, p_scanned, p_heard) THEN
            RETURN redemption.concluded('conflict', 'code_outdated', 'merchant');
        END IF;
    END IF;
    RETURN redemption.concluded('accepted', 'accepted');
END $$;

CREATE OR REPLACE FUNCTION redemption.apply_kept(
    p_device redemption.device, p_record jsonb, p_voucher redemption.voucher, p_judged jsonb, p_scanned timestamptz, p_now timestamptz, p_terms jsonb
) RETURNS jsonb
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_voucher redemption.voucher;
    v_said jsonb;
BEGIN
    PERFORM redemption.move_voucher(p_voucher, CASE WHEN p_voucher.quantity_used > 0 THEN 'PART_USED' ELSE 'ISSUED' END, NULL, 'unlock',
                                    (p_record ->> 'clerk')::uuid, NULL, 'scanned', p_now);
    SELECT * INTO v_voucher FROM redemption.voucher v WHERE v.community_id = p_voucher.community_id AND v.voucher_id = p_voucher.voucher_id;
    v_said := redemption.apply_record(p_device, p_record, v_voucher, p_judged, p_scanned, p_now, p_terms);
    IF v_said ->> 'verdict' <> 'accepted' THEN
        RAISE EXCEPTION USING ERRCODE = 'LR002', MESSAGE = 'not taken';
    END IF;
    RETURN v_said;
EXCEPTION WHEN SQLSTATE 'LR002' THEN
    RETURN v_said;
END $$;

CREATE OR REPLACE FUNCTION redemption.apply_record(
    p_device redemption.device, p_record jsonb, p_voucher redemption.voucher, p_judged jsonb, p_scanned timestamptz, p_now timestamptz, p_terms jsonb
) RETURNS jsonb
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_nonce uuid := (p_record ->> 'nonce')::uuid;
    v_clerk uuid := (p_record ->> 'clerk')::uuid;
    v_quantity int := (p_record ->> 'quantity')::int;
    v_taken redemption.verdict;
    v_seq int;
BEGIN
    IF p_judged ->> 'verdict' = 'accepted' AND p_voucher.state = 'LOCKED' THEN
        RETURN redemption.apply_kept(p_device, p_record, p_voucher, p_judged, p_scanned, p_now, p_terms);
    ELSIF p_judged ->> 'verdict' = 'accepted' THEN
        v_taken := redemption.take_use(p_voucher, p_device.device_id, v_nonce, (p_record ->> 'code_seq')::int, p_device.merchant_id, v_clerk,
                                       v_quantity, p_scanned, p_now, NULL, CASE p_voucher.state WHEN 'CANCEL_PENDING' THEN 'end_cancelling' ELSE 'merge' END);
        IF v_taken.code <> 'redeemed' THEN
            RETURN redemption.concluded('review', 'ledger_refused');
        END IF;
        RETURN p_judged || v_taken.detail || jsonb_build_object('use_seq', v_taken.detail -> 'seq');
    ELSIF p_judged ->> 'bearer' IN ('fund', 'member') THEN
        IF p_judged ->> 'bearer' = 'fund' AND NOT redemption.take_loss(p_device.community_id, redemption.value_fen(p_voucher) * v_quantity, p_now, p_terms) THEN
            RETURN redemption.concluded('review', 'fund_budget');
        END IF;
        v_seq := redemption.pay_conflict(
            p_voucher, p_device.device_id, v_nonce, p_device.merchant_id, v_clerk, v_quantity, p_judged ->> 'bearer',
            p_judged ->> 'bearer' = 'member' OR p_judged ->> 'reason' IN ('used_elsewhere', 'used_online'), p_judged ->> 'reason', p_scanned, p_now);
        IF v_seq IS NULL THEN
            -- What was taken from the month stays taken: a person decides, and may pay.
            RETURN redemption.concluded('review', 'ledger_refused');
        END IF;
        RETURN p_judged || jsonb_build_object('use_seq', v_seq);
    END IF;
    RETURN p_judged;
END $$;

REVOKE ALL ON FUNCTION redemption.apply_kept FROM PUBLIC;
