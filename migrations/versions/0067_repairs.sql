-- Repair orders; and what is used in part is locked too, for a warranty. Frozen from redemption/sql/.

-- p_code_seq is NULL for a code that was typed, and for a job, where no code was shown. p_redeemer is who will scan at the end: never of
-- the owner's household. The token is the answer's, and only whoever has it redeems or changes what is locked.
CREATE OR REPLACE FUNCTION redemption.take_lock(
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

-- Lets a locked voucher go. What ran out while it was locked expires at once. The caller holds offer and voucher and has checked.
CREATE OR REPLACE FUNCTION redemption.let_go(p_voucher redemption.voucher, p_actor uuid, p_reason text, p_now timestamptz) RETURNS redemption.verdict
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

-- Redeems what is locked, by whoever has the lock's token. What was in time when it was locked is in time while the lock lasts.
-- A voucher that is not locked, or a scan that is asked again, is an ordinary scan.
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

CREATE TABLE repair_order (
    community_id BIGINT NOT NULL,
    order_id UUID NOT NULL,
    state TEXT NOT NULL,
    revision INTEGER NOT NULL,
    text TEXT NOT NULL,
    is_urgent BOOLEAN NOT NULL,
    building TEXT,
    asked_by UUID NOT NULL,
    posted_by UUID NOT NULL,
    posted_at TIMESTAMP WITH TIME ZONE NOT NULL,
    changed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    team_id UUID,
    repairer_id UUID,
    assigned_by UUID,
    priced_on DATE,
    percent INTEGER NOT NULL,
    entitlement_id UUID,
    cash_fen BIGINT NOT NULL,
    payable_fen BIGINT NOT NULL,
    voucher_id BIGINT,
    lock_token UUID,
    arrived_at TIMESTAMP WITH TIME ZONE,
    done_at TIMESTAMP WITH TIME ZONE,
    minutes INTEGER NOT NULL,
    accepted_at TIMESTAMP WITH TIME ZONE,
    warranty TEXT NOT NULL,
    warranty_until TIMESTAMP WITH TIME ZONE,
    claimed_by UUID,
    decided_by UUID,
    CONSTRAINT pk_repair_order PRIMARY KEY (community_id, order_id),
    CONSTRAINT ck_repair_order_state CHECK (state = ANY (ARRAY['reported'::text, 'assigned'::text, 'taken'::text, 'quoted'::text, 'agreed'::text, 'on_way'::text, 'on_site'::text, 'done'::text, 'accepted'::text, 'cancelled'::text])),
    CONSTRAINT ck_repair_order_warranty CHECK (warranty = ANY (ARRAY['none'::text, 'held'::text, 'claimed'::text, 'released'::text, 'given_back'::text])),
    CONSTRAINT ck_repair_order_not_own CHECK (repairer_id <> asked_by),
    CONSTRAINT ck_repair_order_price CHECK (cash_fen >= 0 AND payable_fen >= 0 AND cash_fen % 5 = 0 AND payable_fen % 5 = 0),
    CONSTRAINT ck_repair_order_percent CHECK (percent >= 0 AND percent <= 100),
    CONSTRAINT ck_repair_order_agreed CHECK (NOT (state = ANY (ARRAY['agreed'::text, 'on_way'::text, 'on_site'::text, 'done'::text, 'accepted'::text])) OR voucher_id IS NOT NULL),
    CONSTRAINT ck_repair_order_minutes CHECK (minutes >= 0 AND minutes <= 480),
    CONSTRAINT ck_repair_order_accepted CHECK ((state = 'accepted'::text) = (accepted_at IS NOT NULL)),
    CONSTRAINT ck_repair_order_two CHECK (decided_by <> claimed_by AND (warranty <> 'given_back'::text OR decided_by IS NOT NULL)),
    CONSTRAINT fk_repair_order_asked_by FOREIGN KEY(community_id, asked_by) REFERENCES member (community_id, member_id),
    CONSTRAINT fk_repair_order_repairer FOREIGN KEY(community_id, repairer_id) REFERENCES member (community_id, member_id),
    CONSTRAINT fk_repair_order_team FOREIGN KEY(community_id, team_id) REFERENCES organisation (community_id, organisation_id)
);
CREATE INDEX ix_repair_order_asked_by ON repair_order (community_id, asked_by, posted_at, order_id);
CREATE INDEX ix_repair_order_repairer ON repair_order (community_id, repairer_id, posted_at, order_id);
CREATE INDEX ix_repair_order_state ON repair_order (community_id, state, posted_at, order_id);
CREATE INDEX ix_repair_order_warranty ON repair_order (community_id, warranty_until) WHERE warranty = 'held'::text;

CREATE TABLE repair_line (
    community_id BIGINT NOT NULL,
    order_id UUID NOT NULL,
    revision INTEGER NOT NULL,
    step TEXT NOT NULL,
    state_after TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    actor_id UUID,
    on_behalf_of UUID,
    note TEXT,
    CONSTRAINT pk_repair_line PRIMARY KEY (community_id, order_id, revision),
    CONSTRAINT ck_repair_line_step CHECK (step = ANY (ARRAY['report'::text, 'assign'::text, 'take'::text, 'decline'::text, 'quote'::text, 'agree'::text, 'go'::text, 'arrive'::text, 'finish'::text, 'change'::text, 'answer'::text, 'accept'::text, 'cancel'::text, 'claim'::text, 'give_back'::text, 'refuse_claim'::text, 'release'::text])),
    CONSTRAINT fk_repair_line_order FOREIGN KEY(community_id, order_id) REFERENCES repair_order (community_id, order_id)
);

GRANT SELECT, INSERT, UPDATE ON repair_order TO linli_app;
GRANT SELECT, INSERT ON repair_line TO linli_app;
GRANT SELECT ON repair_order, repair_line TO linli_audit;
