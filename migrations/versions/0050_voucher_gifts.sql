-- A member gives a voucher to another. Frozen from redemption/tables/ and redemption/sql/.

ALTER TABLE redemption.offer
    ADD COLUMN is_giftable BOOLEAN DEFAULT false NOT NULL,
    ADD CONSTRAINT ck_offer_is_giftable CHECK (NOT is_giftable OR offline_class = 0);
ALTER TABLE redemption.voucher
    ADD COLUMN payer_id UUID,
    ADD CONSTRAINT ck_voucher_payer CHECK (payer_id <> member_id);
CREATE INDEX ix_voucher_offer_payer ON redemption.voucher (community_id, offer_id, payer_id, issued_at) WHERE payer_id IS NOT NULL;

DROP FUNCTION redemption.draft_offer;

-- The steps that put p_quantity pieces of a voucher into escrow: the member's points, the sponsor's points, the sponsor's fen.
-- Points are whole here and hundredths in the ledger.
CREATE OR REPLACE FUNCTION redemption.hold_steps(p_voucher redemption.voucher, p_quantity int) RETURNS ledger.step[]
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(array_agg(ROW('hold', part.debit, NULL, part.unit, part.amount, part.hold_id, NULL)::ledger.step ORDER BY part.n), '{}')
      FROM (VALUES
        (1, redemption.account('member', coalesce(p_voucher.payer_id, p_voucher.member_id)), 'point', 100::bigint * p_quantity * p_voucher.points_each,
            p_voucher.points_hold),
        (2, redemption.account('budget', p_voucher.sponsor_id), 'point', 100::bigint * p_quantity * p_voucher.subsidy_points_each, p_voucher.subsidy_hold),
        (3, redemption.account('budget', p_voucher.sponsor_id), 'fen', p_quantity * p_voucher.payable_fen_each, p_voucher.payable_hold)
      ) AS part (n, debit, unit, amount, hold_id)
     WHERE part.amount > 0
$$;

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
       OR p_weekdays NOT BETWEEN 1 AND 127 OR (p_is_giftable AND p_offline_class > 0) OR p_valid_from >= p_valid_until
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

-- How many pieces the member has taken of this offer in the offer's current period, for themselves or to give away. What was given back
-- does not count, and neither does what others gave them.
CREATE OR REPLACE FUNCTION redemption.taken_by_member(p_offer redemption.offer, p_member uuid, p_now timestamptz) RETURNS bigint
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(sum(v.quantity_total - v.quantity_returned), 0)
      FROM redemption.voucher v
     WHERE v.community_id = p_offer.community_id AND v.offer_id = p_offer.offer_id
       AND (v.payer_id = p_member OR (v.member_id = p_member AND v.payer_id IS NULL))
       AND v.issued_at >= redemption.period_began(p_offer.cap_period, p_offer.time_zone, p_now)
$$;

-- The first reason, in the fixed order of rules.REDEEM_ORDER, why this voucher is not redeemed here and now; NULL when it can be.
-- Another shop's voucher says nothing but that.
CREATE OR REPLACE FUNCTION redemption.redeem_refusal(
    p_voucher redemption.voucher, p_code_seq int, p_merchant uuid, p_owner_group_of_clerk uuid, p_clerk uuid, p_quantity int, p_now timestamptz
) RETURNS redemption.verdict
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_code text;
    v_offer redemption.offer;
BEGIN
    IF p_voucher.voucher_id IS NULL THEN
        RETURN redemption.said('unknown');
    ELSIF NOT EXISTS (SELECT FROM redemption.offer_merchant om
                       WHERE om.community_id = p_voucher.community_id AND om.offer_id = p_voucher.offer_id
                         AND om.merchant_id = p_merchant) THEN
        RETURN redemption.said('wrong_merchant');
    ELSIF p_clerk IN (p_voucher.member_id, p_voucher.payer_id) OR p_voucher.owner_group = p_owner_group_of_clerk THEN
        RETURN redemption.said('own_voucher');
    END IF;
    v_code := redemption.state_refusal(p_voucher);
    IF v_code = 'used' THEN
        RETURN redemption.said('used', (
            SELECT redemption.use_detail(p_voucher, u) FROM redemption.use u
             WHERE u.community_id = p_voucher.community_id AND u.voucher_id = p_voucher.voucher_id AND u.state <> 'REVERSED'
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
    ELSIF p_quantity IS NULL OR p_quantity < 1 OR p_quantity > redemption.open_quantity(p_voucher) THEN
        RETURN redemption.said('quantity_wrong', jsonb_build_object('voucher_id', p_voucher.voucher_id, 'open', redemption.open_quantity(p_voucher)));
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION redemption.ended_detail(p_voucher redemption.voucher, p_state text, p_quantity int DEFAULT NULL) RETURNS jsonb
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT jsonb_build_object('voucher_id', p_voucher.voucher_id, 'offer_id', p_voucher.offer_id,
                              'member_id', coalesce(p_voucher.payer_id, p_voucher.member_id),
                              'voucher_state', p_state, 'quantity', coalesce(p_quantity, redemption.open_quantity(p_voucher)),
                              'points', coalesce(p_quantity, redemption.open_quantity(p_voucher))::bigint * p_voucher.points_each)
$$;

CREATE FUNCTION redemption.give_voucher(
    p_community bigint, p_key uuid, p_voucher_id bigint, p_to uuid, p_owner_group uuid, p_tags text[],
    p_actor uuid, p_on_behalf_of uuid, p_now timestamptz, p_short_code text
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb := jsonb_build_object('voucher', p_voucher_id, 'to', p_to);
    v_voucher redemption.voucher := redemption.lock_voucher(p_community, p_voucher_id);
    v_before redemption.verdict := redemption.remembered(p_community, p_key, 'give', v_request);
    v_detail jsonb := jsonb_build_object('voucher_id', p_voucher_id, 'member_id', p_to);
BEGIN
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    END IF;
    v_before := redemption.gift_refusal(v_voucher, p_to, p_tags, p_actor, p_now);
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    END IF;
    UPDATE redemption.voucher v
       SET member_id = p_to, payer_id = v.member_id, owner_group = p_owner_group, code_seq = v.code_seq + 1, short_code = p_short_code,
           event_seq = v.event_seq + 1, changed_at = p_now
     WHERE v.community_id = p_community AND v.voucher_id = p_voucher_id;
    INSERT INTO redemption.voucher_event (community_id, voucher_id, number, action, from_state, to_state, actor_id, on_behalf_of, reason, at)
    VALUES (p_community, p_voucher_id, v_voucher.event_seq + 1, 'give', v_voucher.state, v_voucher.state, p_actor, p_on_behalf_of, 'given', p_now);
    PERFORM redemption.remember(p_community, p_key, 'give', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;

-- The first reason why this voucher does not go to this member.
CREATE FUNCTION redemption.gift_refusal(p_voucher redemption.voucher, p_to uuid, p_tags text[], p_actor uuid, p_now timestamptz)
RETURNS redemption.verdict
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_code text := redemption.state_refusal(p_voucher);
    v_detail jsonb := jsonb_build_object('voucher_id', p_voucher.voucher_id, 'changed_at', p_voucher.changed_at, 'expires_at', p_voucher.expires_at);
    v_offer redemption.offer;
BEGIN
    IF p_voucher.voucher_id IS NULL THEN
        RETURN redemption.said('unknown');
    ELSIF v_code IS NOT NULL THEN
        RETURN redemption.said(v_code, v_detail);
    ELSIF p_now >= p_voucher.expires_at THEN
        RETURN redemption.said('expired', v_detail);
    ELSIF p_actor IS NULL THEN
        RETURN redemption.said('actor_missing');
    ELSIF p_to = p_voucher.member_id THEN
        RETURN redemption.said('gift_to_oneself', v_detail);
    ELSIF p_voucher.payer_id IS NOT NULL THEN
        RETURN redemption.said('given_before', v_detail);
    END IF;
    SELECT * INTO v_offer FROM redemption.offer o WHERE o.community_id = p_voucher.community_id AND o.offer_id = p_voucher.offer_id;
    IF NOT v_offer.is_giftable THEN
        RETURN redemption.said('not_giftable', v_detail);
    ELSIF cardinality(v_offer.requires) > 0 AND NOT v_offer.requires && p_tags THEN
        RETURN redemption.said('recipient_not_eligible');
    END IF;
    RETURN NULL;
END $$;

REVOKE ALL ON FUNCTION redemption.draft_offer, redemption.give_voucher, redemption.gift_refusal FROM PUBLIC;
GRANT EXECUTE ON FUNCTION redemption.draft_offer, redemption.give_voucher TO linli_app;
