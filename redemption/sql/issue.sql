-- Issue: the member's points and the sponsor's share go into escrow, one piece of stock is taken, the split of the price is frozen.

-- How many pieces the member has taken of this offer in the offer's current period, for themselves or to give away. What was given back
-- does not count, and neither does what others gave them.
CREATE FUNCTION redemption.taken_by_member(p_offer redemption.offer, p_member uuid, p_now timestamptz) RETURNS bigint
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(sum(v.quantity_total - v.quantity_returned), 0)
      FROM redemption.voucher v
     WHERE v.community_id = p_offer.community_id AND v.offer_id = p_offer.offer_id
       AND (v.payer_id = p_member OR (v.member_id = p_member AND v.payer_id IS NULL))
       AND v.issued_at >= redemption.period_began(p_offer.cap_period, p_offer.time_zone, p_now)
$$;

-- How many pieces everybody together holds or has used of an offer with a cap for each period, in the current one.
CREATE FUNCTION redemption.taken_in_period(p_offer redemption.offer, p_now timestamptz) RETURNS int
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce((SELECT p.taken FROM redemption.offer_period p
                      WHERE p.community_id = p_offer.community_id AND p.offer_id = p_offer.offer_id
                        AND p.began_at = redemption.period_began(p_offer.period_cap_per, p_offer.time_zone, p_now)), 0)
$$;

-- The first reason why this member cannot have this offer now, in the order that is most useful to be told.
CREATE FUNCTION redemption.issue_refusal(
    p_offer redemption.offer, p_member uuid, p_quantity int, p_subsidy_points int, p_now timestamptz, p_tags text[]
) RETURNS redemption.verdict
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_taken bigint;
BEGIN
    IF p_offer.offer_id IS NULL THEN
        RETURN redemption.said('offer_unknown');
    ELSIF p_quantity < 1 OR p_subsidy_points NOT BETWEEN 0 AND p_offer.price_points THEN
        RETURN redemption.said('quantity_wrong');
    ELSIF p_offer.state <> 'published' THEN
        RETURN redemption.said('offer_not_published', jsonb_build_object('state', p_offer.state));
    ELSIF p_now < p_offer.valid_from THEN
        RETURN redemption.said('offer_not_started', jsonb_build_object('valid_from', p_offer.valid_from));
    ELSIF p_now >= p_offer.valid_until THEN
        RETURN redemption.said('offer_over', jsonb_build_object('valid_until', p_offer.valid_until));
    ELSIF cardinality(p_offer.requires) > 0 AND NOT p_offer.requires && p_tags THEN
        RETURN redemption.said('not_eligible');
    ELSIF p_offer.stock_taken + p_quantity > p_offer.stock_total THEN
        RETURN redemption.said('out_of_stock', jsonb_build_object('left', p_offer.stock_total - p_offer.stock_taken));
    ELSIF redemption.taken_in_period(p_offer, p_now) + p_quantity > p_offer.period_cap THEN
        RETURN redemption.said('offer_cap', jsonb_build_object(
            'cap', p_offer.period_cap, 'period', p_offer.period_cap_per, 'taken', redemption.taken_in_period(p_offer, p_now)));
    ELSIF p_offer.per_member_cap IS NOT NULL THEN
        v_taken := redemption.taken_by_member(p_offer, p_member, p_now);
        IF v_taken + p_quantity > p_offer.per_member_cap THEN
            RETURN redemption.said('member_cap', jsonb_build_object(
                'cap', p_offer.per_member_cap, 'period', p_offer.cap_period, 'taken', v_taken));
        END IF;
    END IF;
    RETURN NULL;
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
    v.offline_class := redemption.class_for(p_offer.community_id, p_member, p_offer.offline_class);
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
