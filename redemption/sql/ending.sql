-- What is left of a voucher goes back: cancelled, expired or void. And frozen, where nothing moves.

-- Offer before voucher, always: issuing locks the offer and then writes vouchers. Both may be missing.
CREATE FUNCTION redemption.lock_voucher(p_community bigint, p_voucher_id bigint) RETURNS redemption.voucher
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_voucher redemption.voucher;
BEGIN
    PERFORM FROM redemption.offer o
      WHERE o.community_id = p_community
        AND o.offer_id = (SELECT v.offer_id FROM redemption.voucher v WHERE v.community_id = p_community AND v.voucher_id = p_voucher_id)
      FOR NO KEY UPDATE;
    SELECT * INTO v_voucher FROM redemption.voucher v
     WHERE v.community_id = p_community AND v.voucher_id = p_voucher_id FOR NO KEY UPDATE;
    RETURN v_voucher;
END $$;

-- Gives the rest back and closes the voucher. The caller holds both locks and has checked. NULL, or why the ledger refused.
CREATE FUNCTION redemption.end_voucher(
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
    PERFORM redemption.restock(p_voucher, redemption.open_quantity(p_voucher));
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
    PERFORM redemption.restock(p_voucher, p_quantity);
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
    SELECT jsonb_build_object('voucher_id', p_voucher.voucher_id, 'offer_id', p_voucher.offer_id,
                              'member_id', coalesce(p_voucher.payer_id, p_voucher.member_id),
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
    v_lease redemption.lease;
    v_state text := 'CANCELLED';
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
    IF v_voucher.offline_class = 1 AND v_voucher.state <> 'RESERVED' THEN
        v_lease := redemption.lease_on(p_community, v_voucher.offer_id, p_now);
    END IF;
    IF v_is_part AND v_lease.lease_id IS NOT NULL THEN
        RETURN redemption.said('leased', redemption.lease_detail(v_lease));
    ELSIF v_is_part THEN
        v_state := v_voucher.state;
        v_before := redemption.return_part(v_voucher, p_quantity, p_actor, p_on_behalf_of, p_reason, p_now);
    ELSIF v_lease.lease_id IS NOT NULL THEN
        -- A phone may have accepted it without a network: nothing goes back until it has said that it has not.
        v_state := 'CANCEL_PENDING';
        PERFORM redemption.move_voucher(v_voucher, v_state, NULL, 'ask_to_cancel', p_actor, p_on_behalf_of, p_reason, p_now);
    ELSE
        v_before := redemption.end_voucher(v_voucher, 'CANCELLED', 'cancel', 'voucher_cancelled', p_actor, p_on_behalf_of, p_reason, p_now);
    END IF;
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    END IF;
    v_detail := redemption.ended_detail(v_voucher, v_state, CASE v_state WHEN 'CANCEL_PENDING' THEN 0 ELSE p_quantity END);
    PERFORM redemption.remember(p_community, p_key, 'cancel', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;

-- The next p_limit vouchers whose time is over. Whoever another transaction holds is left for the next round.
-- Offers are locked first and in order, and waited for; vouchers are skipped, so that a scan in progress wins.
CREATE FUNCTION redemption.expire_due(p_community bigint, p_now timestamptz, p_limit int) RETURNS redemption.verdict
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
             WHERE v.community_id = p_community AND v.due_at <= p_now
               AND v.state IN ('RESERVED', 'ISSUED', 'PART_USED')
             ORDER BY v.due_at, v.voucher_id LIMIT p_limit) d;
    PERFORM FROM redemption.offer o
      WHERE o.community_id = p_community AND o.offer_id = ANY (v_offers) ORDER BY o.offer_id FOR NO KEY UPDATE;
    -- State and time are asked again: while the offers were waited for, a voucher may have been used, cancelled or extended.
    v_vouchers := ARRAY(
        SELECT v FROM redemption.voucher v
         WHERE v.community_id = p_community AND v.voucher_id = ANY (v_ids) AND v.due_at <= p_now AND v.state IN ('RESERVED', 'ISSUED', 'PART_USED')
         ORDER BY v.voucher_id FOR NO KEY UPDATE SKIP LOCKED);
    FOREACH v_voucher IN ARRAY v_vouchers LOOP
        v_refusal := redemption.end_voucher(v_voucher, 'EXPIRED', 'expire', 'voucher_expired', NULL, NULL, 'expired', p_now);
        IF v_refusal.code IS NULL THEN
            v_done := v_done || redemption.ended_detail(v_voucher, 'EXPIRED');
        ELSE
            v_refused := v_refused || jsonb_build_object('voucher_id', v_voucher.voucher_id, 'why', v_refusal.detail);
        END IF;
    END LOOP;
    RETURN redemption.said('done', jsonb_build_object(
        'expired', v_done, 'refused', v_refused, 'found', coalesce(cardinality(v_ids), 0)));
END $$;

CREATE FUNCTION redemption.freeze_voucher(p_community bigint, p_key uuid, p_voucher_id bigint, p_reason text, p_actor uuid, p_now timestamptz)
RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb := jsonb_build_object('voucher', p_voucher_id);
    v_voucher redemption.voucher := redemption.lock_voucher(p_community, p_voucher_id);
    v_before redemption.verdict := redemption.remembered(p_community, p_key, 'freeze', v_request);
    v_detail jsonb := jsonb_build_object('voucher_id', p_voucher_id, 'voucher_state', 'FROZEN');
BEGIN
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    ELSIF v_voucher.voucher_id IS NULL THEN
        RETURN redemption.said('unknown');
    ELSIF coalesce(p_reason, '') = '' THEN
        RETURN redemption.said('reason_missing');
    ELSIF v_voucher.state IN ('USED', 'CANCELLED', 'EXPIRED', 'VOID', 'FROZEN') THEN
        RETURN redemption.said(redemption.state_refusal(v_voucher), jsonb_build_object('voucher_id', p_voucher_id));
    END IF;
    PERFORM redemption.move_voucher(v_voucher, 'FROZEN', v_voucher.state, 'freeze', p_actor, NULL, p_reason, p_now);
    PERFORM redemption.remember(p_community, p_key, 'freeze', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;

CREATE FUNCTION redemption.unfreeze_voucher(p_community bigint, p_key uuid, p_voucher_id bigint, p_reason text, p_actor uuid, p_now timestamptz)
RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb := jsonb_build_object('voucher', p_voucher_id);
    v_voucher redemption.voucher := redemption.lock_voucher(p_community, p_voucher_id);
    v_before redemption.verdict := redemption.remembered(p_community, p_key, 'unfreeze', v_request);
    v_detail jsonb := jsonb_build_object('voucher_id', p_voucher_id, 'voucher_state', v_voucher.frozen_state);
BEGIN
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    ELSIF v_voucher.voucher_id IS NULL THEN
        RETURN redemption.said('unknown');
    ELSIF coalesce(p_reason, '') = '' THEN
        RETURN redemption.said('reason_missing');
    ELSIF v_voucher.state <> 'FROZEN' THEN
        RETURN redemption.said('not_frozen', jsonb_build_object('voucher_id', p_voucher_id, 'state', v_voucher.state));
    END IF;
    PERFORM redemption.move_voucher(v_voucher, v_voucher.frozen_state, NULL, 'unfreeze', p_actor, NULL, p_reason, p_now);
    PERFORM redemption.remember(p_community, p_key, 'unfreeze', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;

-- Issued in error, or the offer is gone. Two people, never one; the rest goes back to the member and the sponsor.
CREATE FUNCTION redemption.void_voucher(
    p_community bigint, p_key uuid, p_voucher_id bigint, p_reason text, p_actor uuid, p_second uuid, p_now timestamptz
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb := jsonb_build_object('voucher', p_voucher_id);
    v_voucher redemption.voucher := redemption.lock_voucher(p_community, p_voucher_id);
    v_before redemption.verdict := redemption.remembered(p_community, p_key, 'void', v_request);
    v_detail jsonb;
BEGIN
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    ELSIF v_voucher.voucher_id IS NULL THEN
        RETURN redemption.said('unknown');
    ELSIF coalesce(p_reason, '') = '' THEN
        RETURN redemption.said('reason_missing');
    ELSIF p_actor IS NULL OR p_second IS NULL OR p_actor = p_second THEN
        RETURN redemption.said('same_person');
    ELSIF v_voucher.state IN ('USED', 'CANCELLED', 'EXPIRED', 'VOID') THEN
        RETURN redemption.said(redemption.state_refusal(v_voucher), jsonb_build_object('voucher_id', p_voucher_id));
    END IF;
    v_before := redemption.end_voucher(v_voucher, 'VOID', 'void', 'voucher_voided', p_actor, NULL, p_reason, p_now, p_second);
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    END IF;
    v_detail := redemption.ended_detail(v_voucher, 'VOID') || jsonb_build_object('second_id', p_second);
    PERFORM redemption.remember(p_community, p_key, 'void', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;

-- A printed code was lost or printed again: every code shown before is dead. Never two live codes.
CREATE FUNCTION redemption.renew_code(p_community bigint, p_voucher_id bigint, p_reason text, p_actor uuid, p_on_behalf_of uuid, p_now timestamptz, p_short_code text)
RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_voucher redemption.voucher := redemption.lock_voucher(p_community, p_voucher_id);
    v_code text;
BEGIN
    v_code := redemption.state_refusal(v_voucher);
    IF v_voucher.voucher_id IS NULL THEN
        RETURN redemption.said('unknown');
    ELSIF coalesce(p_reason, '') = '' THEN
        RETURN redemption.said('reason_missing');
    ELSIF v_code IS NOT NULL THEN
        RETURN redemption.said(v_code, jsonb_build_object('voucher_id', p_voucher_id));
    END IF;
    UPDATE redemption.voucher v SET code_seq = v.code_seq + 1, short_code = p_short_code, event_seq = v.event_seq + 1, changed_at = p_now
     WHERE v.community_id = p_community AND v.voucher_id = p_voucher_id;
    INSERT INTO redemption.voucher_event (community_id, voucher_id, number, action, from_state, to_state, actor_id, on_behalf_of, reason, at)
    VALUES (p_community, p_voucher_id, v_voucher.event_seq + 1, 'renew_code', v_voucher.state, v_voucher.state, p_actor, p_on_behalf_of, p_reason, p_now);
    RETURN redemption.said('done', jsonb_build_object('voucher_id', p_voucher_id, 'code_seq', v_voucher.code_seq + 1));
END $$;
