-- A voucher has pieces, some of which can be given back. Frozen from redemption/tables/ and redemption/sql/.

ALTER TABLE redemption.offer
    ADD COLUMN pieces INTEGER DEFAULT 1 NOT NULL,
    ADD CONSTRAINT ck_offer_pieces CHECK (pieces BETWEEN 1 AND 100 AND pieces <= stock_total AND pieces <= per_member_cap);
ALTER TABLE redemption.voucher_event
    ADD COLUMN quantity INTEGER,
    ADD CONSTRAINT ck_voucher_event_quantity CHECK ((action = 'cancel_part') = (quantity IS NOT NULL) AND quantity > 0);

DROP FUNCTION redemption.release_steps;
DROP FUNCTION redemption.draft_offer;
DROP FUNCTION redemption.ended_detail;
DROP FUNCTION redemption.cancel_voucher;

-- The steps that give p_quantity pieces back to where they came from.
CREATE FUNCTION redemption.release_steps(p_voucher redemption.voucher, p_quantity int) RETURNS ledger.step[]
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(array_agg(ROW('release', NULL, NULL, part.unit, part.amount, part.hold_id, NULL)::ledger.step ORDER BY part.n), '{}')
      FROM (VALUES
        (1, 'point', 100::bigint * p_quantity * p_voucher.points_each, p_voucher.points_hold),
        (2, 'point', 100::bigint * p_quantity * p_voucher.subsidy_points_each, p_voucher.subsidy_hold),
        (3, 'fen', p_quantity * p_voucher.payable_fen_each, p_voucher.payable_hold)
      ) AS part (n, unit, amount, hold_id)
     WHERE part.amount > 0
$$;

-- Writes a draft, or writes it again. A published offer is never edited: vouchers were promised on it.
CREATE FUNCTION redemption.draft_offer(
    p_community bigint, p_offer uuid, p_sponsor uuid, p_merchants uuid[], p_title text, p_kind text,
    p_price_points int, p_subsidy_points int, p_payable_fen bigint, p_cash_fen bigint, p_price_list_version text,
    p_stock_total int, p_per_member_cap int, p_cap_period text, p_time_zone text,
    p_valid_from timestamptz, p_valid_until timestamptz, p_voucher_days int, p_offline_class int, p_rules text[],
    p_actor uuid, p_now timestamptz, p_pieces int DEFAULT 1
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_state text;
    v_merchants uuid[] := (SELECT array_agg(DISTINCT m ORDER BY m) FROM unnest(p_merchants) m);
BEGIN
    IF v_merchants IS NULL OR p_price_points < 0 OR p_subsidy_points NOT BETWEEN 0 AND p_price_points
       OR p_payable_fen < 0 OR p_cash_fen < 0 OR p_stock_total < 1 OR p_per_member_cap < 1 OR p_pieces NOT BETWEEN 1 AND 100
       OR p_pieces > p_stock_total OR p_pieces > p_per_member_cap OR p_valid_from >= p_valid_until
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
        pieces, state, drafted_by, drafted_at
    ) VALUES (
        p_community, p_offer, p_sponsor, p_title, p_kind, p_price_points, p_subsidy_points, p_payable_fen, p_cash_fen, p_price_list_version,
        p_stock_total, p_per_member_cap, p_cap_period, p_time_zone, p_valid_from, p_valid_until, p_voucher_days, p_offline_class, p_rules,
        p_pieces, 'draft', p_actor, p_now
    ) ON CONFLICT ON CONSTRAINT pk_offer DO UPDATE SET
        sponsor_id = excluded.sponsor_id, title = excluded.title, kind = excluded.kind, price_points = excluded.price_points,
        subsidy_points = excluded.subsidy_points, payable_fen = excluded.payable_fen, cash_fen = excluded.cash_fen,
        price_list_version = excluded.price_list_version, stock_total = excluded.stock_total, per_member_cap = excluded.per_member_cap,
        cap_period = excluded.cap_period, time_zone = excluded.time_zone, valid_from = excluded.valid_from, valid_until = excluded.valid_until,
        voucher_days = excluded.voucher_days, offline_class = excluded.offline_class, rules = excluded.rules,
        pieces = excluded.pieces,
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

-- Without a quantity the voucher has as many pieces as the offer says.
-- The grace for late uploads is the community's to say; who does not say it, as the release before did not, gets three days.
-- Offer first, ledger head last. The offer's lock also guards the stock and the member's cap.
CREATE OR REPLACE FUNCTION redemption.issue_voucher(
    p_community bigint, p_key uuid, p_voucher_id bigint, p_short_code text, p_offer uuid, p_member uuid, p_owner_group uuid,
    p_quantity int, p_subsidy_points int, p_discount_class text, p_actor uuid, p_on_behalf_of uuid, p_now timestamptz, p_grace_hours int DEFAULT 72
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
                                    'subsidy_points', p_subsidy_points, 'discount_class', p_discount_class);
    v_before := redemption.remembered(p_community, p_key, 'issue', v_request);
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    END IF;
    v_before := redemption.issue_refusal(v_offer, p_member, v_quantity, coalesce(p_subsidy_points, v_offer.subsidy_points), p_now);
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    END IF;
    IF EXISTS (SELECT FROM redemption.voucher v
                WHERE v.community_id = p_community AND (v.voucher_id = p_voucher_id OR v.short_code = p_short_code)) THEN
        RETURN redemption.said('code_taken');
    END IF;
    v_voucher := redemption.voucher_from_offer(v_offer, p_voucher_id, p_short_code, p_member, p_owner_group, v_quantity,
                                               coalesce(p_subsidy_points, v_offer.subsidy_points), p_discount_class, p_now, p_grace_hours);

    v_posted := redemption.post(p_community, 'redemption.issue:' || p_key, 'voucher_issued',
                                redemption.hold_steps(v_voucher, v_quantity), p_actor, p_on_behalf_of, p_now);
    IF v_posted.code = 'ledger.insufficient_balance' THEN
        RETURN redemption.said(CASE WHEN v_posted.detail ->> 'account' = redemption.account('member', p_member)
                                    THEN 'points_short' ELSE 'budget_short' END,
            v_posted.detail || jsonb_build_object(
                'missing_points', ceil(((v_posted.detail ->> 'asked')::numeric - (v_posted.detail ->> 'available')::numeric) / 100)));
    ELSIF v_posted.code <> 'posted' THEN
        RETURN redemption.said('ledger_refused', jsonb_build_object('ledger_code', v_posted.code, 'ledger', v_posted.detail));
    END IF;
    UPDATE redemption.offer o SET stock_taken = o.stock_taken + v_quantity
     WHERE o.community_id = p_community AND o.offer_id = p_offer;
    INSERT INTO redemption.voucher SELECT v_voucher.*;
    INSERT INTO redemption.voucher_event (community_id, voucher_id, number, action, from_state, to_state, actor_id, on_behalf_of, reason, at)
    VALUES (p_community, p_voucher_id, 1, 'issue', NULL, 'ISSUED', p_actor, p_on_behalf_of, 'issued', p_now);
    PERFORM redemption.remember(p_community, p_key, 'issue', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;

-- Moves the money of a use back, and puts all that is open then into fresh escrow: old rest out, merchant to payer, new hold in.
CREATE OR REPLACE FUNCTION redemption.reversal_steps(p_old redemption.voucher, p_new redemption.voucher, p_use redemption.use) RETURNS ledger.step[]
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT redemption.release_steps(p_old, redemption.open_quantity(p_old))
        || redemption.counter_steps(p_use)
        || redemption.hold_steps(p_new, redemption.open_quantity(p_new))
$$;

-- Gives the rest back and closes the voucher. The caller holds both locks and has checked. NULL, or why the ledger refused.
CREATE OR REPLACE FUNCTION redemption.end_voucher(
    p_voucher redemption.voucher, p_state text, p_action text, p_ledger_reason text,
    p_actor uuid, p_on_behalf_of uuid, p_reason text, p_now timestamptz, p_second uuid DEFAULT NULL
) RETURNS redemption.verdict
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_posted ledger.verdict;
BEGIN
    v_posted := redemption.post(p_voucher.community_id, 'redemption.voucher:' || p_voucher.voucher_id || ':ended', p_ledger_reason,
                                redemption.release_steps(p_voucher, redemption.open_quantity(p_voucher)), p_actor, p_on_behalf_of, p_now);
    IF v_posted.code <> 'posted' THEN
        RETURN redemption.said('ledger_refused', jsonb_build_object('ledger_code', v_posted.code, 'ledger', v_posted.detail));
    END IF;
    UPDATE redemption.offer o SET stock_taken = o.stock_taken - redemption.open_quantity(p_voucher)
     WHERE o.community_id = p_voucher.community_id AND o.offer_id = p_voucher.offer_id;
    PERFORM redemption.move_voucher(p_voucher, p_state, NULL, p_action, p_actor, p_on_behalf_of, p_reason, p_now, p_second);
    RETURN NULL;
END $$;

-- Gives p_quantity pieces back, fewer than are open, and leaves the voucher as it is. The caller holds both locks and has checked.
CREATE FUNCTION redemption.return_part(
    p_voucher redemption.voucher, p_quantity int, p_actor uuid, p_on_behalf_of uuid, p_reason text, p_now timestamptz
) RETURNS redemption.verdict
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_posted ledger.verdict;
BEGIN
    v_posted := redemption.post(p_voucher.community_id,
                                'redemption.voucher:' || p_voucher.voucher_id || ':returned:' || p_voucher.event_seq + 1, 'voucher_cancelled',
                                redemption.release_steps(p_voucher, p_quantity), p_actor, p_on_behalf_of, p_now);
    IF v_posted.code <> 'posted' THEN
        RETURN redemption.said('ledger_refused', jsonb_build_object('ledger_code', v_posted.code, 'ledger', v_posted.detail));
    END IF;
    UPDATE redemption.offer o SET stock_taken = o.stock_taken - p_quantity
     WHERE o.community_id = p_voucher.community_id AND o.offer_id = p_voucher.offer_id;
    UPDATE redemption.voucher v
       SET quantity_returned = v.quantity_returned + p_quantity, event_seq = v.event_seq + 1, changed_at = p_now
     WHERE v.community_id = p_voucher.community_id AND v.voucher_id = p_voucher.voucher_id;
    INSERT INTO redemption.voucher_event (community_id, voucher_id, number, action, from_state, to_state, actor_id, on_behalf_of, reason, quantity, at)
    VALUES (p_voucher.community_id, p_voucher.voucher_id, p_voucher.event_seq + 1, 'cancel_part', p_voucher.state, p_voucher.state,
            p_actor, p_on_behalf_of, p_reason, p_quantity, p_now);
    RETURN NULL;
END $$;

CREATE FUNCTION redemption.ended_detail(p_voucher redemption.voucher, p_state text, p_quantity int DEFAULT NULL) RETURNS jsonb
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT jsonb_build_object('voucher_id', p_voucher.voucher_id, 'offer_id', p_voucher.offer_id, 'member_id', p_voucher.member_id,
                              'voucher_state', p_state, 'quantity', coalesce(p_quantity, redemption.open_quantity(p_voucher)),
                              'points', coalesce(p_quantity, redemption.open_quantity(p_voucher))::bigint * p_voucher.points_each)
$$;

-- p_quantity is how many pieces go back; nothing, or all that are open, ends the voucher.
CREATE FUNCTION redemption.cancel_voucher(
    p_community bigint, p_key uuid, p_voucher_id bigint, p_reason text, p_actor uuid, p_on_behalf_of uuid, p_now timestamptz,
    p_quantity int DEFAULT NULL
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb := jsonb_strip_nulls(jsonb_build_object('voucher', p_voucher_id, 'quantity', p_quantity));
    v_voucher redemption.voucher := redemption.lock_voucher(p_community, p_voucher_id);
    v_before redemption.verdict := redemption.remembered(p_community, p_key, 'cancel', v_request);
    v_is_part boolean := p_quantity < redemption.open_quantity(v_voucher);
    v_code text;
    v_detail jsonb;
BEGIN
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    ELSIF v_voucher.voucher_id IS NULL THEN
        RETURN redemption.said('unknown');
    ELSIF coalesce(p_reason, '') = '' THEN
        RETURN redemption.said('reason_missing');
    END IF;
    v_code := redemption.state_refusal(v_voucher);
    IF v_voucher.state <> 'RESERVED' AND v_code IS NOT NULL THEN
        RETURN redemption.said(v_code, jsonb_build_object('voucher_id', p_voucher_id, 'changed_at', v_voucher.changed_at));
    ELSIF p_now >= v_voucher.expires_at THEN
        -- A shop may still upload what it scanned in time. The rest comes back by itself.
        RETURN redemption.said('expired', jsonb_build_object('voucher_id', p_voucher_id, 'expires_at', v_voucher.expires_at));
    ELSIF p_quantity NOT BETWEEN 1 AND redemption.open_quantity(v_voucher) THEN
        RETURN redemption.said('quantity_wrong', jsonb_build_object('voucher_id', p_voucher_id, 'open', redemption.open_quantity(v_voucher)));
    END IF;
    IF v_is_part THEN
        v_before := redemption.return_part(v_voucher, p_quantity, p_actor, p_on_behalf_of, p_reason, p_now);
    ELSE
        v_before := redemption.end_voucher(v_voucher, 'CANCELLED', 'cancel', 'voucher_cancelled', p_actor, p_on_behalf_of, p_reason, p_now);
    END IF;
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    END IF;
    v_detail := redemption.ended_detail(v_voucher, CASE WHEN v_is_part THEN v_voucher.state ELSE 'CANCELLED' END, p_quantity);
    PERFORM redemption.remember(p_community, p_key, 'cancel', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;

REVOKE ALL ON FUNCTION redemption.release_steps, redemption.draft_offer, redemption.ended_detail, redemption.cancel_voucher, redemption.return_part FROM PUBLIC;
GRANT EXECUTE ON FUNCTION redemption.draft_offer, redemption.cancel_voucher TO linli_app;
