DROP TABLE desk_use;
DROP FUNCTION redemption.take_lock;

CREATE FUNCTION redemption.take_lock(
    p_community bigint, p_key uuid, p_voucher_id bigint, p_code_seq int, p_merchant uuid, p_redeemer uuid, p_owner_group_of_redeemer uuid,
    p_until timestamptz, p_reason text, p_actor uuid, p_on_behalf_of uuid, p_now timestamptz
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
    v_before := redemption.redeem_refusal(v_voucher, p_code_seq, p_merchant, p_owner_group_of_redeemer, p_redeemer, 1, p_now);
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

CREATE OR REPLACE FUNCTION redemption.redeem_locked(
    p_community bigint, p_device uuid, p_nonce uuid, p_voucher_id bigint, p_code_seq int, p_merchant uuid, p_owner_group_of_clerk uuid,
    p_clerk uuid, p_quantity int, p_scanned_at timestamptz, p_now timestamptz, p_on_behalf_of uuid, p_token uuid
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_voucher redemption.voucher;
    v_scan redemption.verdict;
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
            IF v_scan.code <> 'redeemed' THEN
                RAISE EXCEPTION USING ERRCODE = 'LL001', MESSAGE = 'not redeemed';
            END IF;
        EXCEPTION WHEN SQLSTATE 'LL001' THEN
            -- The voucher stays locked; the answer says why.
            NULL;
        END;
        RETURN v_scan;
    END IF;
    RETURN redemption.redeem(p_community, p_device, p_nonce, p_voucher_id, p_code_seq, p_merchant, p_owner_group_of_clerk,
                             p_clerk, p_quantity, p_scanned_at, p_now, p_on_behalf_of);
END $$;

REVOKE ALL ON FUNCTION redemption.take_lock FROM PUBLIC;
GRANT EXECUTE ON FUNCTION redemption.take_lock TO linli_app;
