DROP FUNCTION redemption.draft_offer;
DROP FUNCTION redemption.issue_refusal;
DROP FUNCTION redemption.issue_voucher;
DROP FUNCTION redemption.restock;
DROP FUNCTION redemption.period_began;
DROP FUNCTION redemption.taken_in_period;

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

-- How many pieces the member holds or has used of this offer in the offer's current period. What was given back does not count.
CREATE OR REPLACE FUNCTION redemption.taken_by_member(p_offer redemption.offer, p_member uuid, p_now timestamptz) RETURNS bigint
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(sum(v.quantity_total - v.quantity_returned), 0)
      FROM redemption.voucher v
     WHERE v.community_id = p_offer.community_id AND v.offer_id = p_offer.offer_id AND v.member_id = p_member
       AND v.issued_at >= CASE p_offer.cap_period WHEN 'ever' THEN '-infinity' ELSE date_trunc(p_offer.cap_period, p_now, p_offer.time_zone) END
$$;

-- The first reason why this member cannot have this offer now, in the order that is most useful to be told.
CREATE FUNCTION redemption.issue_refusal(
    p_offer redemption.offer, p_member uuid, p_quantity int, p_subsidy_points int, p_now timestamptz
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
    ELSIF p_offer.stock_taken + p_quantity > p_offer.stock_total THEN
        RETURN redemption.said('out_of_stock', jsonb_build_object('left', p_offer.stock_total - p_offer.stock_taken));
    ELSIF p_offer.per_member_cap IS NOT NULL THEN
        v_taken := redemption.taken_by_member(p_offer, p_member, p_now);
        IF v_taken + p_quantity > p_offer.per_member_cap THEN
            RETURN redemption.said('member_cap', jsonb_build_object(
                'cap', p_offer.per_member_cap, 'period', p_offer.cap_period, 'taken', v_taken));
        END IF;
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION redemption.voucher_from_offer(
    p_offer redemption.offer, p_voucher_id bigint, p_short_code text, p_member uuid, p_owner_group uuid,
    p_quantity int, p_subsidy_points int, p_discount_class text, p_now timestamptz, p_grace_hours int
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
    v.state := 'ISSUED';
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
    v.expires_at := p_now + make_interval(hours => 24 * p_offer.voucher_days);
    v.due_at := v.expires_at + CASE WHEN p_offer.offline_class > 0 THEN make_interval(hours => p_grace_hours) ELSE interval '0' END;
    v.changed_at := p_now;
    RETURN v;
END $$;

-- Without a quantity the voucher has as many pieces as the offer says.
-- The grace for late uploads is the community's to say; who does not say it, as the release before did not, gets three days.
-- Offer first, ledger head last. The offer's lock also guards the stock and the member's cap.
CREATE FUNCTION redemption.issue_voucher(
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

-- The first reason, in the fixed order of rules.REDEEM_ORDER, why this voucher is not redeemed here and now; NULL when it can be.
-- Another shop's voucher says nothing but that.
CREATE OR REPLACE FUNCTION redemption.redeem_refusal(
    p_voucher redemption.voucher, p_code_seq int, p_merchant uuid, p_owner_group_of_clerk uuid, p_clerk uuid, p_quantity int, p_now timestamptz
) RETURNS redemption.verdict
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_code text;
BEGIN
    IF p_voucher.voucher_id IS NULL THEN
        RETURN redemption.said('unknown');
    ELSIF NOT EXISTS (SELECT FROM redemption.offer_merchant om
                       WHERE om.community_id = p_voucher.community_id AND om.offer_id = p_voucher.offer_id
                         AND om.merchant_id = p_merchant) THEN
        RETURN redemption.said('wrong_merchant');
    ELSIF p_voucher.member_id = p_clerk OR p_voucher.owner_group = p_owner_group_of_clerk THEN
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
    ELSIF p_code_seq <> p_voucher.code_seq THEN
        RETURN redemption.said('code_outdated', jsonb_build_object('voucher_id', p_voucher.voucher_id));
    ELSIF p_quantity IS NULL OR p_quantity < 1 OR p_quantity > redemption.open_quantity(p_voucher) THEN
        RETURN redemption.said('quantity_wrong', jsonb_build_object('voucher_id', p_voucher.voucher_id, 'open', redemption.open_quantity(p_voucher)));
    END IF;
    RETURN NULL;
END $$;

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
CREATE OR REPLACE FUNCTION redemption.return_part(
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

-- Takes a settled use back: the money by its exact opposite, the pieces out of the voucher as returned, never into use again.
-- The caller holds the dispute. NULL, or why not.
CREATE OR REPLACE FUNCTION redemption.refund_use(p_line redemption.settlement_line, p_reason text, p_actor uuid, p_second uuid, p_now timestamptz)
RETURNS redemption.verdict
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_voucher redemption.voucher := redemption.lock_voucher(p_line.community_id, p_line.voucher_id);
    v_use redemption.use;
    v_posted ledger.verdict;
    v_state text;
BEGIN
    SELECT * INTO v_use FROM redemption.use u
     WHERE u.community_id = p_line.community_id AND u.voucher_id = p_line.voucher_id AND u.seq = p_line.use_seq FOR NO KEY UPDATE;
    IF v_use.state <> 'SETTLED' THEN
        RETURN redemption.said('already_reversed', jsonb_build_object('voucher_id', p_line.voucher_id, 'seq', p_line.use_seq, 'state', v_use.state));
    ELSIF v_voucher.state IN ('FROZEN', 'LOCKED', 'CANCEL_PENDING', 'RESERVED') THEN
        RETURN redemption.said(redemption.state_refusal(v_voucher), jsonb_build_object('voucher_id', p_line.voucher_id));
    END IF;
    v_state := CASE
        WHEN v_voucher.state IN ('CANCELLED', 'EXPIRED', 'VOID') THEN v_voucher.state
        WHEN v_voucher.quantity_used > v_use.quantity THEN v_voucher.state
        WHEN redemption.open_quantity(v_voucher) > 0 THEN 'ISSUED'
        ELSE 'CANCELLED'
    END;
    v_posted := redemption.post(p_line.community_id, 'redemption.use:' || v_use.device_id || ':' || v_use.nonce || ':reversed', 'voucher_use_reversed',
                                redemption.counter_steps(v_use), p_actor, NULL, p_now);
    IF v_posted.code <> 'posted' THEN
        RETURN redemption.said('ledger_refused', jsonb_build_object('ledger_code', v_posted.code, 'ledger', v_posted.detail));
    END IF;
    UPDATE redemption.use u
       SET state = 'REVERSED', reversed_at = p_now, reversed_by = p_actor, reversal_reason = p_reason, reversal_journal_id = v_posted.journal_id
     WHERE u.community_id = p_line.community_id AND u.voucher_id = p_line.voucher_id AND u.seq = p_line.use_seq;
    UPDATE redemption.voucher v
       SET state = v_state, quantity_used = v.quantity_used - v_use.quantity, quantity_returned = v.quantity_returned + v_use.quantity,
           event_seq = v.event_seq + 1, changed_at = p_now
     WHERE v.community_id = p_line.community_id AND v.voucher_id = p_line.voucher_id;
    UPDATE redemption.offer o SET stock_taken = o.stock_taken - v_use.quantity
     WHERE o.community_id = p_line.community_id AND o.offer_id = v_voucher.offer_id;
    INSERT INTO redemption.voucher_event (community_id, voucher_id, number, action, from_state, to_state, actor_id, second_id, reason, at)
    VALUES (p_line.community_id, p_line.voucher_id, v_voucher.event_seq + 1, 'refund', v_voucher.state, v_state, p_actor, p_second, p_reason, p_now);
    RETURN NULL;
END $$;

REVOKE ALL ON FUNCTION redemption.draft_offer, redemption.issue_refusal, redemption.issue_voucher FROM PUBLIC;
GRANT EXECUTE ON FUNCTION redemption.draft_offer, redemption.issue_voucher TO linli_app;

DROP TABLE redemption.offer_period;
ALTER TABLE redemption.offer
    DROP COLUMN period_cap,
    DROP COLUMN period_cap_per,
    DROP COLUMN weekdays,
    DROP COLUMN usable_from,
    DROP COLUMN requires;
