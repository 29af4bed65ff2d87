-- Offers: written down, published within the sponsor's budget, withdrawn.

-- Writes a draft, or writes it again. A published offer is never edited: vouchers were promised on it.
CREATE FUNCTION redemption.draft_offer(
    p_community bigint, p_offer uuid, p_sponsor uuid, p_merchants uuid[], p_title text, p_kind text,
    p_price_points int, p_subsidy_points int, p_payable_fen bigint, p_cash_fen bigint, p_price_list_version text,
    p_stock_total int, p_per_member_cap int, p_cap_period text, p_time_zone text,
    p_valid_from timestamptz, p_valid_until timestamptz, p_voucher_days int, p_offline_class int, p_rules text[],
    p_actor uuid, p_now timestamptz, p_pieces int DEFAULT 1,
    p_period_cap int DEFAULT NULL, p_period_cap_per text DEFAULT NULL, p_weekdays int DEFAULT 127, p_usable_from timestamptz DEFAULT NULL,
    p_requires text[] DEFAULT '{}', p_is_giftable boolean DEFAULT false
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_state text;
    v_merchants uuid[] := (SELECT array_agg(DISTINCT m ORDER BY m) FROM unnest(p_merchants) m);
BEGIN
    IF v_merchants IS NULL OR p_price_points < 0 OR p_subsidy_points NOT BETWEEN 0 AND p_price_points
       OR p_payable_fen < 0 OR p_cash_fen < 0 OR p_stock_total < 1 OR p_per_member_cap < 1 OR p_pieces NOT BETWEEN 1 AND 100
       OR p_pieces > p_stock_total OR p_pieces > p_per_member_cap OR p_pieces > p_period_cap OR (p_period_cap IS NULL) <> (p_period_cap_per IS NULL)
       OR p_weekdays NOT BETWEEN 1 AND 127 OR (p_is_giftable AND p_offline_class > 0)
       OR (p_kind = 'entitlement' AND (p_price_points > 0 OR p_cash_fen > 0 OR cardinality(p_requires) = 0 OR p_is_giftable)) OR p_valid_from >= p_valid_until
       OR p_voucher_days NOT BETWEEN 1 AND 3660 OR p_offline_class NOT BETWEEN 0 AND 2 OR length(p_title) NOT BETWEEN 1 AND 200
       OR NOT EXISTS (SELECT FROM pg_timezone_names z WHERE z.name = p_time_zone) THEN
        RETURN redemption.said('offer_wrong');
    END IF;
    INSERT INTO redemption.merchant (community_id, merchant_id)
    SELECT p_community, m FROM unnest(v_merchants) m ORDER BY m
        ON CONFLICT DO NOTHING;

    SELECT o.state INTO v_state FROM redemption.offer o
     WHERE o.community_id = p_community AND o.offer_id = p_offer FOR NO KEY UPDATE;
    IF v_state <> 'draft' THEN
        RETURN redemption.said('offer_not_draft', jsonb_build_object('state', v_state));
    END IF;
    INSERT INTO redemption.offer AS o (
        community_id, offer_id, sponsor_id, title, kind, price_points, subsidy_points, payable_fen, cash_fen, price_list_version,
        stock_total, per_member_cap, cap_period, time_zone, valid_from, valid_until, voucher_days, offline_class, rules,
        pieces, period_cap, period_cap_per, weekdays, usable_from, requires, is_giftable, state, drafted_by, drafted_at
    ) VALUES (
        p_community, p_offer, p_sponsor, p_title, p_kind, p_price_points, p_subsidy_points, p_payable_fen, p_cash_fen, p_price_list_version,
        p_stock_total, p_per_member_cap, p_cap_period, p_time_zone, p_valid_from, p_valid_until, p_voucher_days, p_offline_class, p_rules,
        p_pieces, p_period_cap, p_period_cap_per, p_weekdays, p_usable_from, p_requires, p_is_giftable, 'draft', p_actor, p_now
    ) ON CONFLICT ON CONSTRAINT pk_offer DO UPDATE SET
        sponsor_id = excluded.sponsor_id, title = excluded.title, kind = excluded.kind, price_points = excluded.price_points,
        subsidy_points = excluded.subsidy_points, payable_fen = excluded.payable_fen, cash_fen = excluded.cash_fen,
        price_list_version = excluded.price_list_version, stock_total = excluded.stock_total, per_member_cap = excluded.per_member_cap,
        cap_period = excluded.cap_period, time_zone = excluded.time_zone, valid_from = excluded.valid_from, valid_until = excluded.valid_until,
        voucher_days = excluded.voucher_days, offline_class = excluded.offline_class, rules = excluded.rules,
        pieces = excluded.pieces, period_cap = excluded.period_cap, period_cap_per = excluded.period_cap_per,
        weekdays = excluded.weekdays, usable_from = excluded.usable_from, requires = excluded.requires, is_giftable = excluded.is_giftable,
        drafted_by = excluded.drafted_by, drafted_at = excluded.drafted_at
      WHERE o.state = 'draft';
    IF NOT FOUND THEN
        RETURN redemption.said('offer_not_draft', '{"state": "published"}');
    END IF;
    DELETE FROM redemption.offer_merchant om
     WHERE om.community_id = p_community AND om.offer_id = p_offer AND om.merchant_id <> ALL (v_merchants);
    INSERT INTO redemption.offer_merchant (community_id, offer_id, merchant_id)
    SELECT p_community, p_offer, m FROM unnest(v_merchants) m
        ON CONFLICT DO NOTHING;
    RETURN redemption.said('done', jsonb_build_object('offer_id', p_offer));
END $$;

-- What the sponsor has promised but not yet put into escrow, over every published offer that can still be taken.
CREATE FUNCTION redemption.committed(p_community bigint, p_sponsor uuid, p_now timestamptz, OUT points bigint, OUT fen bigint)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(sum((o.stock_total - o.stock_taken)::bigint * o.subsidy_points), 0)::bigint,
           coalesce(sum((o.stock_total - o.stock_taken) * o.payable_fen), 0)::bigint
      FROM redemption.offer o
     WHERE o.community_id = p_community AND o.sponsor_id = p_sponsor AND o.state = 'published' AND o.valid_until > p_now
$$;

-- An offer may promise only what the sponsor's budget can still pay, all other promises counted.
CREATE FUNCTION redemption.publish_offer(p_community bigint, p_key uuid, p_offer uuid, p_actor uuid, p_now timestamptz)
RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb := jsonb_build_object('offer', p_offer);
    v_before redemption.verdict;
    v_sponsor uuid := (SELECT s.sponsor_id FROM redemption.offer s WHERE s.community_id = p_community AND s.offer_id = p_offer);
    v_merchants uuid[] := ARRAY(SELECT m.merchant_id FROM redemption.offer_merchant m WHERE m.community_id = p_community AND m.offer_id = p_offer);
    v_offer redemption.offer;
    v_committed record;
    v_detail jsonb;
BEGIN
    -- Its shops come first: of publishing and a shop's leaving one waits for the other.
    PERFORM FROM redemption.merchant m
      WHERE m.community_id = p_community AND m.merchant_id = ANY (v_merchants) ORDER BY m.merchant_id FOR SHARE;
    -- Every offer of the sponsor, in order: two publishers of one budget must not both see it unpromised.
    PERFORM FROM redemption.offer o
      WHERE o.community_id = p_community AND o.sponsor_id = v_sponsor
      ORDER BY o.offer_id FOR NO KEY UPDATE;
    SELECT * INTO v_offer FROM redemption.offer o WHERE o.community_id = p_community AND o.offer_id = p_offer;
    v_before := redemption.remembered(p_community, p_key, 'publish', v_request);
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    ELSIF v_offer.offer_id IS NULL THEN
        RETURN redemption.said('offer_unknown');
    ELSIF v_offer.state <> 'draft' THEN
        RETURN redemption.said('offer_not_draft', jsonb_build_object('state', v_offer.state));
    ELSIF v_offer.sponsor_id <> v_sponsor OR EXISTS (
            SELECT FROM redemption.offer_merchant m
             WHERE m.community_id = p_community AND m.offer_id = p_offer AND m.merchant_id <> ALL (v_merchants)) THEN
        -- The draft was given to another sponsor or shop while we waited; that sponsor's offers, or that shop, are not locked.
        RETURN redemption.said('offer_changed');
    ELSIF EXISTS (SELECT FROM redemption.offer_merchant m
                   WHERE m.community_id = p_community AND m.offer_id = p_offer AND redemption.is_leaving(p_community, m.merchant_id)) THEN
        RETURN redemption.said('merchant_leaving');
    ELSIF v_offer.valid_until <= p_now THEN
        RETURN redemption.said('offer_over', jsonb_build_object('valid_until', v_offer.valid_until));
    END IF;
    v_committed := redemption.committed(p_community, v_offer.sponsor_id, p_now);
    v_detail := jsonb_build_object(
        'sponsor_id', v_offer.sponsor_id,
        'needed_points', v_offer.stock_total::bigint * v_offer.subsidy_points,
        'needed_fen', v_offer.stock_total * v_offer.payable_fen,
        'free_points', redemption.available(p_community, redemption.account('budget', v_offer.sponsor_id), 'point') / 100 - v_committed.points,
        'free_fen', redemption.available(p_community, redemption.account('budget', v_offer.sponsor_id), 'fen') - v_committed.fen);
    -- An offer that asks nothing of a budget needs none, not even an account.
    IF ((v_detail ->> 'needed_points')::bigint > 0 AND (v_detail ->> 'needed_points')::bigint > (v_detail ->> 'free_points')::bigint)
       OR ((v_detail ->> 'needed_fen')::bigint > 0 AND (v_detail ->> 'needed_fen')::bigint > (v_detail ->> 'free_fen')::bigint) THEN
        RETURN redemption.said('budget_short', v_detail);
    END IF;
    UPDATE redemption.offer o SET state = 'published', published_by = p_actor, published_at = p_now
     WHERE o.community_id = p_community AND o.offer_id = p_offer;
    v_detail := jsonb_build_object('offer_id', p_offer);
    PERFORM redemption.remember(p_community, p_key, 'publish', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;

-- No new vouchers; those already issued keep their promise.
CREATE FUNCTION redemption.withdraw_offer(p_community bigint, p_key uuid, p_offer uuid, p_reason text, p_actor uuid, p_now timestamptz)
RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb := jsonb_build_object('offer', p_offer, 'reason', p_reason);
    v_before redemption.verdict;
    v_offer redemption.offer;
    v_detail jsonb := jsonb_build_object('offer_id', p_offer);
BEGIN
    SELECT * INTO v_offer FROM redemption.offer o
     WHERE o.community_id = p_community AND o.offer_id = p_offer FOR NO KEY UPDATE;
    v_before := redemption.remembered(p_community, p_key, 'withdraw', v_request);
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    ELSIF v_offer.offer_id IS NULL THEN
        RETURN redemption.said('offer_unknown');
    ELSIF coalesce(p_reason, '') = '' THEN
        RETURN redemption.said('reason_missing');
    ELSIF v_offer.state <> 'published' THEN
        RETURN redemption.said('offer_not_published', jsonb_build_object('state', v_offer.state));
    END IF;
    UPDATE redemption.offer o SET state = 'withdrawn', withdrawn_by = p_actor, withdrawn_at = p_now, withdrawn_reason = p_reason
     WHERE o.community_id = p_community AND o.offer_id = p_offer;
    PERFORM redemption.remember(p_community, p_key, 'withdraw', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;
