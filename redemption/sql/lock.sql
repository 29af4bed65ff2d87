-- A lock keeps a voucher for one counter or one job: its member cannot give it up, and no other shop can take it.

-- p_code_seq is NULL for a code that was typed, and for a job, where no code was shown. p_redeemer is who will scan at the end: never of
-- the owner's household. The token is the answer's, and only whoever has it redeems or changes what is locked.
-- While a phone has the lease only that one locks: any other lock would keep nobody from taking the voucher without a network. p_device is
-- missing for a job. A phone that gets a lease later is not given what others have locked by then (leased_vouchers).
CREATE FUNCTION redemption.take_lock(
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

-- Lets a locked voucher go. What ran out while it was locked expires at once. The caller holds offer and voucher and has checked.
CREATE FUNCTION redemption.let_go(p_voucher redemption.voucher, p_actor uuid, p_reason text, p_now timestamptz) RETURNS redemption.verdict
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_voucher redemption.voucher;
BEGIN
    PERFORM redemption.move_voucher(
        p_voucher, CASE WHEN p_voucher.quantity_used > 0 THEN 'PART_USED' ELSE 'ISSUED' END, NULL, 'unlock', p_actor, NULL, p_reason, p_now);
    IF p_now < p_voucher.due_at THEN
        RETURN NULL;
    END IF;
    SELECT * INTO v_voucher FROM redemption.voucher v
     WHERE v.community_id = p_voucher.community_id AND v.voucher_id = p_voucher.voucher_id;
    RETURN redemption.end_voucher(v_voucher, 'EXPIRED', 'expire', 'voucher_expired', NULL, NULL, 'expired', p_now);
END $$;

-- Without a token it is the leader who takes the lock away; whether the actor is one, the caller knows.
CREATE FUNCTION redemption.release_lock(
    p_community bigint, p_key uuid, p_voucher_id bigint, p_token uuid, p_reason text, p_actor uuid, p_now timestamptz
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb := jsonb_build_object('voucher', p_voucher_id, 'token', p_token);
    v_voucher redemption.voucher := redemption.lock_voucher(p_community, p_voucher_id);
    v_before redemption.verdict := redemption.remembered(p_community, p_key, 'unlock', v_request);
    v_detail jsonb := jsonb_build_object('voucher_id', p_voucher_id);
BEGIN
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    ELSIF v_voucher.voucher_id IS NULL THEN
        RETURN redemption.said('unknown');
    ELSIF coalesce(p_reason, '') = '' THEN
        RETURN redemption.said('reason_missing');
    ELSIF v_voucher.state <> 'LOCKED' THEN
        RETURN redemption.said(coalesce(redemption.state_refusal(v_voucher), 'not_locked'), v_detail);
    ELSIF p_token <> v_voucher.lock_token THEN
        RETURN redemption.said('locked', v_detail);
    END IF;
    v_before := redemption.let_go(v_voucher, p_actor, p_reason, p_now);
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    END IF;
    PERFORM redemption.remember(p_community, p_key, 'unlock', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;

-- The next p_limit locks whose time is over. Offers first and in order, as for what expires; a scan in progress wins.
CREATE FUNCTION redemption.release_locks_due(p_community bigint, p_now timestamptz, p_limit int) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_ids bigint[];
    v_offers uuid[];
    v_vouchers redemption.voucher[];
    v_voucher redemption.voucher;
    v_refusal redemption.verdict;
    v_done jsonb := '[]';
    v_refused jsonb := '[]';
BEGIN
    SELECT array_agg(d.voucher_id), array_agg(DISTINCT d.offer_id) INTO v_ids, v_offers
      FROM (SELECT v.voucher_id, v.offer_id FROM redemption.voucher v
             WHERE v.community_id = p_community AND v.lock_until <= p_now AND v.state = 'LOCKED'
             ORDER BY v.lock_until, v.voucher_id LIMIT p_limit) d;
    PERFORM FROM redemption.offer o
      WHERE o.community_id = p_community AND o.offer_id = ANY (v_offers) ORDER BY o.offer_id FOR NO KEY UPDATE;
    v_vouchers := ARRAY(
        SELECT v FROM redemption.voucher v
         WHERE v.community_id = p_community AND v.voucher_id = ANY (v_ids) AND v.lock_until <= p_now AND v.state = 'LOCKED'
         ORDER BY v.voucher_id FOR NO KEY UPDATE SKIP LOCKED);
    FOREACH v_voucher IN ARRAY v_vouchers LOOP
        v_refusal := redemption.let_go(v_voucher, NULL, 'lock over', p_now);
        IF v_refusal.code IS NULL THEN
            v_done := v_done || to_jsonb(v_voucher.voucher_id);
        ELSE
            v_refused := v_refused || to_jsonb(v_voucher.voucher_id);
        END IF;
    END LOOP;
    RETURN redemption.said('done', jsonb_build_object('released', v_done, 'refused', v_refused, 'found', coalesce(cardinality(v_ids), 0)));
END $$;

-- Redeems what is locked, by whoever has the lock's token. What was in time when it was locked is in time while the lock lasts.
-- A voucher that is not locked, or a scan that is asked again, is an ordinary scan, unless the caller shows no code and wants the lock alone.
CREATE FUNCTION redemption.redeem_locked(
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
