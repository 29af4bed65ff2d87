-- A voucher is reserved, locked for a job, and its price changed by proposals. Frozen from redemption/tables/ and redemption/sql/.

ALTER TABLE redemption.voucher
    ADD COLUMN lock_token UUID,
    ADD COLUMN lock_until TIMESTAMP WITH TIME ZONE,
    ADD CONSTRAINT ck_voucher_locked CHECK ((state = 'LOCKED' OR frozen_state IS NOT DISTINCT FROM 'LOCKED') = (lock_token IS NOT NULL) AND (lock_token IS NULL) = (lock_until IS NULL));
CREATE INDEX ix_voucher_lock ON redemption.voucher (community_id, lock_until) WHERE state = 'LOCKED';

CREATE TABLE redemption.change_order (
    community_id BIGINT NOT NULL,
    change_id UUID NOT NULL,
    voucher_id BIGINT NOT NULL,
    lock_token UUID NOT NULL,
    is_dearer BOOLEAN NOT NULL,
    old_points_each INTEGER NOT NULL,
    old_subsidy_points_each INTEGER NOT NULL,
    old_payable_fen_each BIGINT NOT NULL,
    old_cash_fen_each BIGINT NOT NULL,
    points_each INTEGER NOT NULL,
    subsidy_points_each INTEGER NOT NULL,
    payable_fen_each BIGINT NOT NULL,
    cash_fen_each BIGINT NOT NULL,
    price_list_version TEXT,
    reason TEXT NOT NULL,
    proposed_by UUID NOT NULL,
    on_behalf_of UUID,
    proposed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_change_order PRIMARY KEY (community_id, change_id),
    CONSTRAINT fk_change_order_voucher FOREIGN KEY(community_id, voucher_id) REFERENCES redemption.voucher (community_id, voucher_id),
    CONSTRAINT ck_change_order_reason CHECK (length(reason) > 0),
    CONSTRAINT ck_change_order_price CHECK (points_each >= 0 AND subsidy_points_each >= 0 AND payable_fen_each >= 0 AND cash_fen_each >= 0),
    CONSTRAINT ck_change_order_is_dearer CHECK (is_dearer = (points_each > old_points_each OR subsidy_points_each > old_subsidy_points_each OR payable_fen_each > old_payable_fen_each OR cash_fen_each > old_cash_fen_each))
);
CREATE INDEX ix_change_order_voucher ON redemption.change_order (community_id, voucher_id, proposed_at);

CREATE TABLE redemption.change_answer (
    community_id BIGINT NOT NULL,
    change_id UUID NOT NULL,
    is_agreed BOOLEAN NOT NULL,
    answered_by UUID NOT NULL,
    on_behalf_of UUID,
    answered_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_change_answer PRIMARY KEY (community_id, change_id),
    CONSTRAINT fk_change_answer_change_order FOREIGN KEY(community_id, change_id) REFERENCES redemption.change_order (community_id, change_id)
);

GRANT SELECT ON redemption.change_order, redemption.change_answer TO linli_app, linli_audit;

DROP FUNCTION redemption.issue_voucher;
DROP FUNCTION redemption.voucher_from_offer;

-- Writes the voucher's new state and the line of its history. The caller holds the voucher's lock.
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
           quantity_returned = v.quantity_returned
               + CASE WHEN p_state IN ('CANCELLED', 'EXPIRED', 'VOID') THEN redemption.open_quantity(v) ELSE 0 END
     WHERE v.community_id = p_voucher.community_id AND v.voucher_id = p_voucher.voucher_id;
    INSERT INTO redemption.voucher_event (community_id, voucher_id, number, action, from_state, to_state, actor_id, second_id, on_behalf_of, reason, at)
    VALUES (p_voucher.community_id, p_voucher.voucher_id, p_voucher.event_seq + 1, p_action, p_voucher.state, p_state,
            p_actor, p_second, p_on_behalf_of, p_reason, p_now);
END $$;

CREATE FUNCTION redemption.voucher_from_offer(
    p_offer redemption.offer, p_voucher_id bigint, p_short_code text, p_member uuid, p_owner_group uuid,
    p_quantity int, p_subsidy_points int, p_discount_class text, p_now timestamptz, p_grace_hours int, p_reserved_minutes int
) RETURNS redemption.voucher
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v redemption.voucher;
BEGIN
    v.community_id := p_offer.community_id;
    v.voucher_id := p_voucher_id;
    v.offer_id := p_offer.offer_id;
    v.sponsor_id := p_offer.sponsor_id;
    v.member_id := p_member;
    v.owner_group := p_owner_group;
    v.short_code := p_short_code;
    v.state := CASE WHEN p_reserved_minutes IS NULL THEN 'ISSUED' ELSE 'RESERVED' END;
    v.quantity_total := p_quantity;
    v.quantity_used := 0;
    v.quantity_returned := 0;
    v.points_each := p_offer.price_points - p_subsidy_points;
    v.subsidy_points_each := p_subsidy_points;
    v.payable_fen_each := p_offer.payable_fen;
    v.cash_fen_each := p_offer.cash_fen;
    v.price_list_version := p_offer.price_list_version;
    v.discount_class := p_discount_class;
    v.offline_class := p_offer.offline_class;
    v.code_seq := 1;
    v.use_seq := 0;
    v.event_seq := 1;
    v.points_hold := CASE WHEN v.points_each > 0 THEN redemption.uuid_at(p_now) END;
    v.subsidy_hold := CASE WHEN v.subsidy_points_each > 0 THEN redemption.uuid_at(p_now) END;
    v.payable_hold := CASE WHEN v.payable_fen_each > 0 THEN redemption.uuid_at(p_now) END;
    v.issued_at := p_now;
    v.expires_at := coalesce(p_now + make_interval(mins => p_reserved_minutes), redemption.lives_until(p_offer, p_now));
    v.due_at := v.expires_at + CASE WHEN p_reserved_minutes IS NULL THEN redemption.grace(p_offer, p_grace_hours) ELSE interval '0' END;
    v.changed_at := p_now;
    RETURN v;
END $$;

-- When a voucher expires that is issued now.
CREATE FUNCTION redemption.lives_until(p_offer redemption.offer, p_now timestamptz) RETURNS timestamptz
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT greatest(p_now, p_offer.usable_from) + make_interval(hours => 24 * p_offer.voucher_days)
$$;

-- How long a voucher that expired waits for late uploads.
CREATE FUNCTION redemption.grace(p_offer redemption.offer, p_grace_hours int) RETURNS interval
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN p_offer.offline_class > 0 THEN make_interval(hours => p_grace_hours) ELSE interval '0' END
$$;

-- Why the ledger did not put a member's and a sponsor's share into escrow: whose it was that did not suffice. NULL when it did.
CREATE FUNCTION redemption.escrow_refusal(p_posted ledger.verdict, p_member uuid) RETURNS redemption.verdict
    LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF p_posted.code = 'posted' THEN
        RETURN NULL;
    ELSIF p_posted.code <> 'ledger.insufficient_balance' THEN
        RETURN redemption.said('ledger_refused', jsonb_build_object('ledger_code', p_posted.code, 'ledger', p_posted.detail));
    END IF;
    RETURN redemption.said(CASE WHEN p_posted.detail ->> 'account' = redemption.account('member', p_member)
                                THEN 'points_short' ELSE 'budget_short' END,
        p_posted.detail || jsonb_build_object(
            'missing_points', ceil(((p_posted.detail ->> 'asked')::numeric - (p_posted.detail ->> 'available')::numeric) / 100)));
END $$;

-- p_tags is what the member is, in words that the caller chose and the offer may require; they are not kept.
-- Without a quantity the voucher has as many pieces as the offer says.
-- With minutes it is only reserved: all is frozen and in escrow, and goes back by itself unless it is confirmed in that time.
-- The grace for late uploads is the community's to say; who does not say it, as the release before did not, gets three days.
-- Offer first, ledger head last. The offer's lock also guards the stock and the member's cap.
CREATE FUNCTION redemption.issue_voucher(
    p_community bigint, p_key uuid, p_voucher_id bigint, p_short_code text, p_offer uuid, p_member uuid, p_owner_group uuid,
    p_quantity int, p_subsidy_points int, p_discount_class text, p_actor uuid, p_on_behalf_of uuid, p_now timestamptz, p_grace_hours int DEFAULT 72,
    p_tags text[] DEFAULT '{}', p_reserved_minutes int DEFAULT NULL
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb;
    v_quantity int;
    v_before redemption.verdict;
    v_offer redemption.offer;
    v_voucher redemption.voucher;
    v_posted ledger.verdict;
    v_detail jsonb := jsonb_build_object('voucher_id', p_voucher_id);
BEGIN
    SELECT * INTO v_offer FROM redemption.offer o
     WHERE o.community_id = p_community AND o.offer_id = p_offer FOR NO KEY UPDATE;
    v_quantity := coalesce(p_quantity, v_offer.pieces, 1);
    v_request := jsonb_build_object('offer', p_offer, 'member', p_member, 'quantity', v_quantity,
                                    'subsidy_points', p_subsidy_points, 'discount_class', p_discount_class)
                 || CASE WHEN p_reserved_minutes IS NULL THEN '{}' ELSE jsonb_build_object('reserved_minutes', p_reserved_minutes) END;
    v_before := redemption.remembered(p_community, p_key, 'issue', v_request);
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    END IF;
    v_before := redemption.issue_refusal(v_offer, p_member, v_quantity, coalesce(p_subsidy_points, v_offer.subsidy_points), p_now, p_tags);
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    END IF;
    IF EXISTS (SELECT FROM redemption.voucher v
                WHERE v.community_id = p_community AND (v.voucher_id = p_voucher_id OR v.short_code = p_short_code)) THEN
        RETURN redemption.said('code_taken');
    END IF;
    v_voucher := redemption.voucher_from_offer(v_offer, p_voucher_id, p_short_code, p_member, p_owner_group, v_quantity,
                                               coalesce(p_subsidy_points, v_offer.subsidy_points), p_discount_class, p_now, p_grace_hours, p_reserved_minutes);

    v_posted := redemption.post(p_community, 'redemption.issue:' || p_key, 'voucher_issued',
                                redemption.hold_steps(v_voucher, v_quantity), p_actor, p_on_behalf_of, p_now);
    v_before := redemption.escrow_refusal(v_posted, p_member);
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    END IF;
    UPDATE redemption.offer o SET stock_taken = o.stock_taken + v_quantity
     WHERE o.community_id = p_community AND o.offer_id = p_offer;
    IF v_offer.period_cap IS NOT NULL THEN
        INSERT INTO redemption.offer_period AS p (community_id, offer_id, began_at, cap, taken)
        VALUES (p_community, p_offer, redemption.period_began(v_offer.period_cap_per, v_offer.time_zone, p_now), v_offer.period_cap, v_quantity)
            ON CONFLICT ON CONSTRAINT pk_offer_period DO UPDATE SET taken = p.taken + excluded.taken;
    END IF;
    INSERT INTO redemption.voucher SELECT v_voucher.*;
    INSERT INTO redemption.voucher_event (community_id, voucher_id, number, action, from_state, to_state, actor_id, on_behalf_of, reason, at)
    VALUES (p_community, p_voucher_id, 1, CASE WHEN p_reserved_minutes IS NULL THEN 'issue' ELSE 'reserve' END, NULL, v_voucher.state,
            p_actor, p_on_behalf_of, lower(v_voucher.state), p_now);
    PERFORM redemption.remember(p_community, p_key, 'issue', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;

-- The member says yes to what was reserved. The price is what it was; the days of the voucher begin now.
CREATE FUNCTION redemption.confirm_voucher(
    p_community bigint, p_key uuid, p_voucher_id bigint, p_actor uuid, p_on_behalf_of uuid, p_now timestamptz, p_grace_hours int
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb := jsonb_build_object('voucher', p_voucher_id);
    v_voucher redemption.voucher := redemption.lock_voucher(p_community, p_voucher_id);
    v_before redemption.verdict := redemption.remembered(p_community, p_key, 'confirm', v_request);
    v_offer redemption.offer;
    v_detail jsonb := jsonb_build_object('voucher_id', p_voucher_id);
BEGIN
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    ELSIF v_voucher.voucher_id IS NULL THEN
        RETURN redemption.said('unknown');
    ELSIF v_voucher.state <> 'RESERVED' THEN
        RETURN redemption.said(coalesce(redemption.state_refusal(v_voucher), 'state_wrong'),
                               v_detail || jsonb_build_object('changed_at', v_voucher.changed_at));
    ELSIF p_now >= v_voucher.expires_at THEN
        RETURN redemption.said('expired', v_detail || jsonb_build_object('expires_at', v_voucher.expires_at));
    END IF;
    SELECT * INTO v_offer FROM redemption.offer o WHERE o.community_id = p_community AND o.offer_id = v_voucher.offer_id;
    UPDATE redemption.voucher v
       SET state = 'ISSUED', event_seq = v.event_seq + 1, changed_at = p_now, expires_at = redemption.lives_until(v_offer, p_now),
           due_at = redemption.lives_until(v_offer, p_now) + redemption.grace(v_offer, p_grace_hours)
     WHERE v.community_id = p_community AND v.voucher_id = p_voucher_id;
    INSERT INTO redemption.voucher_event (community_id, voucher_id, number, action, from_state, to_state, actor_id, on_behalf_of, reason, at)
    VALUES (p_community, p_voucher_id, v_voucher.event_seq + 1, 'confirm', 'RESERVED', 'ISSUED', p_actor, p_on_behalf_of, 'confirmed', p_now);
    PERFORM redemption.remember(p_community, p_key, 'confirm', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;

-- A lock keeps a voucher for one counter or one job: its member cannot give it up, and no other shop can take it.

-- p_code_seq is NULL for a code that was typed, and for a job, where no code was shown. p_redeemer is who will scan at the end: never of
-- the owner's household. The token is the answer's, and only whoever has it redeems or changes what is locked.
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
    ELSIF v_voucher.state <> 'ISSUED' THEN
        RETURN redemption.said('state_wrong', jsonb_build_object('voucher_id', p_voucher_id));
    ELSIF p_until IS NULL OR p_until <= p_now OR p_until > p_now + interval '90 days' THEN
        RETURN redemption.said('lock_wrong');
    END IF;
    UPDATE redemption.voucher v
       SET state = 'LOCKED', lock_token = (v_detail ->> 'token')::uuid, lock_until = p_until, event_seq = v.event_seq + 1, changed_at = p_now
     WHERE v.community_id = p_community AND v.voucher_id = p_voucher_id;
    INSERT INTO redemption.voucher_event (community_id, voucher_id, number, action, from_state, to_state, actor_id, on_behalf_of, reason, at)
    VALUES (p_community, p_voucher_id, v_voucher.event_seq + 1, 'lock', 'ISSUED', 'LOCKED', p_actor, p_on_behalf_of, p_reason, p_now);
    PERFORM redemption.remember(p_community, p_key, 'lock', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;

-- Lets a locked voucher go. What ran out while it was locked expires at once. The caller holds offer and voucher and has checked.
CREATE FUNCTION redemption.let_go(p_voucher redemption.voucher, p_actor uuid, p_reason text, p_now timestamptz) RETURNS redemption.verdict
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_voucher redemption.voucher;
BEGIN
    PERFORM redemption.move_voucher(p_voucher, 'ISSUED', NULL, 'unlock', p_actor, NULL, p_reason, p_now);
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
-- A voucher that is not locked, or a scan that is asked again, is an ordinary scan.
CREATE FUNCTION redemption.redeem_locked(
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
               SET state = 'ISSUED', lock_token = NULL, lock_until = NULL, event_seq = v.event_seq + 1, changed_at = p_now,
                   expires_at = greatest(v.expires_at, v.lock_until), due_at = greatest(v.due_at, v.lock_until)
             WHERE v.community_id = p_community AND v.voucher_id = p_voucher_id;
            INSERT INTO redemption.voucher_event (community_id, voucher_id, number, action, from_state, to_state, actor_id, on_behalf_of, reason, at)
            VALUES (p_community, p_voucher_id, v_voucher.event_seq + 1, 'unlock', 'LOCKED', 'ISSUED', p_clerk, p_on_behalf_of, 'scanned', p_now);
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

-- The price of a locked voucher changes: down at once, up when its member says yes. A proposal and its answer are rows of their own.

-- The proposal that waits for the member, of those made under the lock that holds.
CREATE FUNCTION redemption.change_waiting(p_voucher redemption.voucher) RETURNS uuid
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT c.change_id FROM redemption.change_order c
     WHERE c.community_id = p_voucher.community_id AND c.voucher_id = p_voucher.voucher_id AND c.lock_token = p_voucher.lock_token
       AND NOT EXISTS (SELECT FROM redemption.change_answer a WHERE a.community_id = c.community_id AND a.change_id = c.change_id)
     LIMIT 1
$$;

-- Moves escrow to the new price in one journal: all that was held back, all that is asked now in. The caller holds the voucher.
CREATE FUNCTION redemption.apply_change(
    p_voucher redemption.voucher, p_change redemption.change_order, p_actor uuid, p_on_behalf_of uuid, p_now timestamptz
) RETURNS redemption.verdict
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_new redemption.voucher := p_voucher;
    v_refusal redemption.verdict;
BEGIN
    v_new.points_each := p_change.points_each;
    v_new.subsidy_points_each := p_change.subsidy_points_each;
    v_new.payable_fen_each := p_change.payable_fen_each;
    v_new.cash_fen_each := p_change.cash_fen_each;
    v_new.price_list_version := p_change.price_list_version;
    v_new.points_hold := CASE WHEN v_new.points_each > 0 THEN redemption.uuid_at(p_now) END;
    v_new.subsidy_hold := CASE WHEN v_new.subsidy_points_each > 0 THEN redemption.uuid_at(p_now) END;
    v_new.payable_hold := CASE WHEN v_new.payable_fen_each > 0 THEN redemption.uuid_at(p_now) END;
    v_refusal := redemption.escrow_refusal(
        redemption.post(p_voucher.community_id, 'redemption.change:' || p_change.change_id, 'voucher_changed',
                        redemption.release_steps(p_voucher, redemption.open_quantity(p_voucher))
                        || redemption.hold_steps(v_new, redemption.open_quantity(p_voucher)), p_actor, p_on_behalf_of, p_now),
        coalesce(p_voucher.payer_id, p_voucher.member_id));
    IF v_refusal.code IS NOT NULL THEN
        RETURN v_refusal;
    END IF;
    UPDATE redemption.voucher v
       SET points_each = v_new.points_each, subsidy_points_each = v_new.subsidy_points_each, payable_fen_each = v_new.payable_fen_each,
           cash_fen_each = v_new.cash_fen_each, price_list_version = v_new.price_list_version, points_hold = v_new.points_hold,
           subsidy_hold = v_new.subsidy_hold, payable_hold = v_new.payable_hold, event_seq = v.event_seq + 1, changed_at = p_now
     WHERE v.community_id = p_voucher.community_id AND v.voucher_id = p_voucher.voucher_id;
    INSERT INTO redemption.voucher_event (community_id, voucher_id, number, action, from_state, to_state, actor_id, on_behalf_of, reason, at)
    VALUES (p_voucher.community_id, p_voucher.voucher_id, p_voucher.event_seq + 1, 'change', p_voucher.state, p_voucher.state,
            p_actor, p_on_behalf_of, p_change.reason, p_now);
    INSERT INTO redemption.change_answer (community_id, change_id, is_agreed, answered_by, on_behalf_of, answered_at)
    VALUES (p_voucher.community_id, p_change.change_id, true, p_actor, p_on_behalf_of, p_now);
    RETURN NULL;
END $$;

-- p_change is the client's key and names the proposal for ever. Where no part is dearer, it holds at once.
CREATE FUNCTION redemption.propose_change(
    p_community bigint, p_change uuid, p_voucher_id bigint, p_token uuid, p_points int, p_subsidy_points int, p_payable_fen bigint,
    p_cash_fen bigint, p_price_list_version text, p_reason text, p_actor uuid, p_on_behalf_of uuid, p_now timestamptz
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb := jsonb_build_object('voucher', p_voucher_id, 'points', p_points, 'subsidy_points', p_subsidy_points,
                                          'payable_fen', p_payable_fen, 'cash_fen', p_cash_fen);
    v_voucher redemption.voucher;
    v_before redemption.verdict;
    v_change redemption.change_order;
    v_detail jsonb;
BEGIN
    SELECT * INTO v_voucher FROM redemption.voucher v
     WHERE v.community_id = p_community AND v.voucher_id = p_voucher_id FOR NO KEY UPDATE;
    v_before := redemption.remembered(p_community, p_change, 'propose_change', v_request);
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    ELSIF v_voucher.voucher_id IS NULL THEN
        RETURN redemption.said('unknown');
    ELSIF coalesce(p_reason, '') = '' THEN
        RETURN redemption.said('reason_missing');
    ELSIF p_actor IS NULL THEN
        RETURN redemption.said('actor_missing');
    ELSIF v_voucher.state <> 'LOCKED' THEN
        RETURN redemption.said(coalesce(redemption.state_refusal(v_voucher), 'not_locked'), jsonb_build_object('voucher_id', p_voucher_id));
    ELSIF p_token IS DISTINCT FROM v_voucher.lock_token THEN
        RETURN redemption.said('locked', jsonb_build_object('voucher_id', p_voucher_id));
    ELSIF least(p_points, p_subsidy_points, p_payable_fen, p_cash_fen) < 0 OR v_voucher.use_seq > 0
          OR (p_points, p_subsidy_points, p_payable_fen, p_cash_fen) IS NOT DISTINCT FROM
             (v_voucher.points_each, v_voucher.subsidy_points_each, v_voucher.payable_fen_each, v_voucher.cash_fen_each) THEN
        RETURN redemption.said('change_wrong', jsonb_build_object('voucher_id', p_voucher_id));
    ELSIF redemption.change_waiting(v_voucher) IS NOT NULL THEN
        RETURN redemption.said('change_waits', jsonb_build_object('change_id', redemption.change_waiting(v_voucher)));
    END IF;
    INSERT INTO redemption.change_order (
        community_id, change_id, voucher_id, lock_token, is_dearer, old_points_each, old_subsidy_points_each, old_payable_fen_each, old_cash_fen_each,
        points_each, subsidy_points_each, payable_fen_each, cash_fen_each, price_list_version, reason, proposed_by, on_behalf_of, proposed_at
    ) VALUES (
        p_community, p_change, p_voucher_id, p_token,
        p_points > v_voucher.points_each OR p_subsidy_points > v_voucher.subsidy_points_each OR p_payable_fen > v_voucher.payable_fen_each
        OR p_cash_fen > v_voucher.cash_fen_each,
        v_voucher.points_each, v_voucher.subsidy_points_each, v_voucher.payable_fen_each, v_voucher.cash_fen_each,
        p_points, p_subsidy_points, p_payable_fen, p_cash_fen, coalesce(p_price_list_version, v_voucher.price_list_version), p_reason,
        p_actor, p_on_behalf_of, p_now
    ) RETURNING * INTO v_change;
    IF NOT v_change.is_dearer THEN
        v_before := redemption.apply_change(v_voucher, v_change, p_actor, p_on_behalf_of, p_now);
        IF v_before.code IS NOT NULL THEN
            RETURN v_before;
        END IF;
    END IF;
    v_detail := jsonb_build_object('change_id', p_change, 'voucher_id', p_voucher_id, 'waits', v_change.is_dearer);
    PERFORM redemption.remember(p_community, p_change, 'propose_change', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;

-- Yes is the member's alone, or of somebody who acts for them and did not propose it. No is anybody's who is asked or who proposed it.
CREATE FUNCTION redemption.answer_change(
    p_community bigint, p_key uuid, p_change uuid, p_is_agreed boolean, p_actor uuid, p_on_behalf_of uuid, p_now timestamptz
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb := jsonb_build_object('change', p_change, 'agreed', p_is_agreed);
    v_change redemption.change_order;
    v_voucher redemption.voucher;
    v_before redemption.verdict;
    v_detail jsonb;
BEGIN
    SELECT * INTO v_change FROM redemption.change_order c WHERE c.community_id = p_community AND c.change_id = p_change;
    -- The voucher's lock comes before every look at its answers: a scan may be on its way.
    SELECT * INTO v_voucher FROM redemption.voucher v
     WHERE v.community_id = p_community AND v.voucher_id = v_change.voucher_id FOR NO KEY UPDATE;
    v_before := redemption.remembered(p_community, p_key, 'answer_change', v_request);
    v_detail := jsonb_build_object('change_id', p_change, 'voucher_id', v_voucher.voucher_id);
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    ELSIF v_change.change_id IS NULL THEN
        RETURN redemption.said('change_unknown');
    ELSIF p_actor IS NULL OR p_is_agreed IS NULL THEN
        RETURN redemption.said('actor_missing');
    ELSIF EXISTS (SELECT FROM redemption.change_answer a WHERE a.community_id = p_community AND a.change_id = p_change) THEN
        RETURN redemption.said('change_answered', v_detail);
    ELSIF p_is_agreed AND p_actor = v_change.proposed_by THEN
        RETURN redemption.said('same_person');
    ELSIF p_is_agreed AND coalesce(p_on_behalf_of, p_actor) <> v_voucher.member_id THEN
        RETURN redemption.said('change_not_yours', v_detail);
    ELSIF NOT p_is_agreed THEN
        INSERT INTO redemption.change_answer (community_id, change_id, is_agreed, answered_by, on_behalf_of, answered_at)
        VALUES (p_community, p_change, false, p_actor, p_on_behalf_of, p_now);
    ELSIF v_voucher.state <> 'LOCKED' OR v_voucher.lock_token <> v_change.lock_token THEN
        RETURN redemption.said(coalesce(nullif(redemption.state_refusal(v_voucher), 'locked'), 'not_locked'), v_detail);
    ELSE
        v_before := redemption.apply_change(v_voucher, v_change, p_actor, p_on_behalf_of, p_now);
        IF v_before.code IS NOT NULL THEN
            RETURN v_before;
        END IF;
    END IF;
    PERFORM redemption.remember(p_community, p_key, 'answer_change', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;

REVOKE ALL ON FUNCTION
    redemption.voucher_from_offer,
    redemption.lives_until,
    redemption.grace,
    redemption.escrow_refusal,
    redemption.issue_voucher,
    redemption.confirm_voucher,
    redemption.take_lock,
    redemption.let_go,
    redemption.release_lock,
    redemption.release_locks_due,
    redemption.redeem_locked,
    redemption.change_waiting,
    redemption.apply_change,
    redemption.propose_change,
    redemption.answer_change
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    redemption.issue_voucher, redemption.confirm_voucher, redemption.take_lock, redemption.release_lock, redemption.release_locks_due,
    redemption.redeem_locked, redemption.propose_change, redemption.answer_change
    TO linli_app;
