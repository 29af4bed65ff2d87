-- A fifth that cannot be released waits alone, one that went back with its voucher is called so, and a named price knows its change order.
-- A team that left is still paid for what it holds. redeem_refusal, take_lock and redeem_locked are frozen from redemption/sql/.

ALTER TABLE repair_order ADD COLUMN release_after timestamptz;
ALTER TABLE repair_order DROP CONSTRAINT ck_repair_order_warranty;
ALTER TABLE repair_order ADD CONSTRAINT ck_repair_order_warranty CHECK (warranty = ANY (ARRAY['none'::text, 'held'::text, 'claimed'::text, 'released'::text, 'given_back'::text, 'returned'::text])) NOT VALID;
ALTER TABLE repair_order VALIDATE CONSTRAINT ck_repair_order_warranty;

ALTER TABLE repair_line ADD COLUMN change_id uuid;
UPDATE repair_line l SET change_id = c.change_id
  FROM repair_order o
  JOIN redemption.change_order c ON c.community_id = o.community_id AND c.voucher_id = o.voucher_id
 WHERE o.community_id = l.community_id AND o.order_id = l.order_id AND l.step = 'change' AND c.proposed_at = l.at AND c.reason = l.note;

DROP FUNCTION redemption.redeem_refusal;

-- The first reason, in the fixed order of rules.REDEEM_ORDER, why this voucher is not redeemed here and now; NULL when it can be.
-- Another shop's voucher says nothing but that. p_scope_at is of a lock that a shop took before it left: then its scope is as of that moment.
CREATE FUNCTION redemption.redeem_refusal(
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
             WHERE u.community_id = p_voucher.community_id AND u.voucher_id = p_voucher.voucher_id AND u.state <> 'REVERSED' AND u.bearer IS NULL
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

-- p_code_seq is NULL for a code that was typed, and for a job, where no code was shown. p_redeemer is who will scan at the end: never of
-- the owner's household. The token is the answer's, and only whoever has it redeems or changes what is locked.
-- While a phone has the lease only that one locks: any other lock would keep nobody from taking the voucher without a network. p_device is
-- missing for a job. A phone that gets a lease later is not given what is locked by then (leased_vouchers).
CREATE OR REPLACE FUNCTION redemption.take_lock(
    p_community bigint, p_key uuid, p_voucher_id bigint, p_code_seq int, p_merchant uuid, p_redeemer uuid, p_owner_group_of_redeemer uuid,
    p_until timestamptz, p_reason text, p_actor uuid, p_on_behalf_of uuid, p_now timestamptz, p_device uuid DEFAULT NULL
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb := jsonb_build_object('voucher', p_voucher_id, 'merchant', p_merchant);
    v_voucher redemption.voucher;
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
    v_before := redemption.redeem_refusal(v_voucher, p_code_seq, p_merchant, p_owner_group_of_redeemer, p_redeemer, 1, p_now,
                                          coalesce(p_device, '00000000-0000-0000-0000-000000000000'),
                                          -- Whoever was paid a part in this moment may keep the rest, also a shop that has left since.
                                          (SELECT v_voucher.issued_at FROM redemption.use u
                                            WHERE u.community_id = p_community AND u.voucher_id = p_voucher_id AND u.merchant_id = p_merchant
                                              AND u.state = 'ACCEPTED' AND u.received_at = p_now LIMIT 1));
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
       SET state = 'LOCKED', lock_token = (v_detail ->> 'token')::uuid, lock_until = p_until, event_seq = v.event_seq + 1, changed_at = p_now
     WHERE v.community_id = p_community AND v.voucher_id = p_voucher_id;
    INSERT INTO redemption.voucher_event (community_id, voucher_id, number, action, from_state, to_state, actor_id, on_behalf_of, reason, at)
    VALUES (p_community, p_voucher_id, v_voucher.event_seq + 1, 'lock', v_voucher.state, 'LOCKED', p_actor, p_on_behalf_of, p_reason, p_now);
    PERFORM redemption.remember(p_community, p_key, 'lock', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;

-- Redeems what is locked, by whoever has the lock's token. What was in time when it was locked is in time while the lock lasts.
-- A voucher that is not locked, or a scan that is asked again, is an ordinary scan, unless the caller shows no code and wants the lock alone.
CREATE OR REPLACE FUNCTION redemption.redeem_locked(
    p_community bigint, p_device uuid, p_nonce uuid, p_voucher_id bigint, p_code_seq int, p_merchant uuid, p_owner_group_of_clerk uuid,
    p_clerk uuid, p_quantity int, p_scanned_at timestamptz, p_now timestamptz, p_on_behalf_of uuid, p_token uuid, p_only_locked boolean DEFAULT false
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_voucher redemption.voucher;
    v_scan redemption.verdict;
    v_again redemption.verdict;
BEGIN
    SELECT * INTO v_voucher FROM redemption.voucher v
     WHERE v.community_id = p_community AND v.voucher_id = p_voucher_id FOR NO KEY UPDATE;
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

REVOKE ALL ON FUNCTION redemption.redeem_refusal FROM PUBLIC;
