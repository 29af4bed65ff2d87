-- Redeem: one call, one round trip, exactly once. And its one-hour reversal.

CREATE FUNCTION redemption.use_detail(p_voucher redemption.voucher, p_use redemption.use) RETURNS jsonb
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT jsonb_build_object(
        'voucher_id', p_voucher.voucher_id, 'seq', p_use.seq, 'offer_id', p_voucher.offer_id,
        'title', (SELECT o.title FROM redemption.offer o WHERE o.community_id = p_voucher.community_id AND o.offer_id = p_voucher.offer_id),
        'member_id', p_voucher.member_id, 'merchant_id', p_use.merchant_id, 'clerk_id', p_use.clerk_id,
        'quantity', p_use.quantity, 'points', p_use.points, 'subsidy_points', p_use.subsidy_points,
        'payable_fen', p_use.payable_fen, 'cash_fen', p_use.cash_fen, 'received_at', p_use.received_at,
        'open', redemption.open_quantity(p_voucher), 'voucher_state', p_voucher.state, 'use_state', p_use.state)
$$;

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
             WHERE u.community_id = p_voucher.community_id AND u.voucher_id = p_voucher.voucher_id AND u.bearer IS NULL
               AND u.state NOT IN ('REVERSED', 'ADJUSTED')
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

-- Pays the shop out of escrow and writes the use. The caller holds the voucher and has checked; p_action is how the history calls it.
CREATE FUNCTION redemption.take_use(
    p_voucher redemption.voucher, p_device uuid, p_nonce uuid, p_code_seq int, p_merchant uuid, p_clerk uuid, p_quantity int,
    p_scanned_at timestamptz, p_now timestamptz, p_on_behalf_of uuid, p_action text
) RETURNS redemption.verdict
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_voucher redemption.voucher;
    v_use redemption.use;
    v_posted ledger.verdict;
BEGIN
    v_posted := redemption.post(p_voucher.community_id, 'redemption.use:' || p_device || ':' || p_nonce, 'voucher_used',
                                redemption.capture_steps(p_voucher, p_quantity, p_merchant), p_clerk, p_on_behalf_of, p_now);
    IF v_posted.code <> 'posted' THEN
        RETURN redemption.said('ledger_refused', jsonb_build_object('ledger_code', v_posted.code, 'ledger', v_posted.detail));
    END IF;
    UPDATE redemption.voucher v
       SET quantity_used = v.quantity_used + p_quantity, use_seq = v.use_seq + 1, event_seq = v.event_seq + 1, changed_at = p_now,
           state = CASE WHEN redemption.open_quantity(v) = p_quantity THEN 'USED' WHEN v.state = 'CANCEL_PENDING' THEN v.state ELSE 'PART_USED' END
     WHERE v.community_id = p_voucher.community_id AND v.voucher_id = p_voucher.voucher_id
       AND v.state IN ('ISSUED', 'PART_USED', 'CANCEL_PENDING') AND redemption.open_quantity(v) >= p_quantity
    RETURNING v.* INTO STRICT v_voucher;
    INSERT INTO redemption.use (community_id, voucher_id, seq, device_id, nonce, merchant_id, clerk_id, on_behalf_of, quantity,
                                points, subsidy_points, payable_fen, cash_fen, code_seq, state, scanned_at, received_at, journal_id)
    VALUES (v_voucher.community_id, v_voucher.voucher_id, v_voucher.use_seq, p_device, p_nonce, p_merchant, p_clerk, p_on_behalf_of, p_quantity,
            p_quantity::bigint * v_voucher.points_each, p_quantity::bigint * v_voucher.subsidy_points_each,
            p_quantity * v_voucher.payable_fen_each, p_quantity * v_voucher.cash_fen_each,
            p_code_seq, 'ACCEPTED', p_scanned_at, p_now, v_posted.journal_id)
    RETURNING * INTO v_use;
    INSERT INTO redemption.voucher_event (community_id, voucher_id, number, action, from_state, to_state, actor_id, on_behalf_of, reason, at)
    VALUES (v_voucher.community_id, v_voucher.voucher_id, v_voucher.event_seq, p_action, p_voucher.state, v_voucher.state, p_clerk, p_on_behalf_of,
            'scanned', p_now);
    RETURN redemption.said('redeemed', redemption.use_detail(v_voucher, v_use));
END $$;

-- p_code_seq is NULL for a code that was typed. A browser becomes a device by its first scan.
CREATE FUNCTION redemption.redeem(
    p_community bigint, p_device uuid, p_nonce uuid, p_voucher_id bigint, p_code_seq int, p_merchant uuid, p_owner_group_of_clerk uuid,
    p_clerk uuid, p_quantity int, p_scanned_at timestamptz, p_now timestamptz, p_on_behalf_of uuid DEFAULT NULL
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_voucher redemption.voucher;
    v_use redemption.use;
    v_refusal redemption.verdict;
BEGIN
    -- The voucher's lock comes first: whoever waits here sees, one statement later, what the winner wrote.
    SELECT * INTO v_voucher FROM redemption.voucher v
     WHERE v.community_id = p_community AND v.voucher_id = p_voucher_id FOR NO KEY UPDATE;
    SELECT * INTO v_use FROM redemption.use u
     WHERE u.community_id = p_community AND u.device_id = p_device AND u.nonce = p_nonce FOR UPDATE;
    IF FOUND THEN
        IF v_use.voucher_id IS DISTINCT FROM p_voucher_id OR v_use.merchant_id <> p_merchant OR v_use.quantity <> p_quantity THEN
            RETURN redemption.said('nonce_differs');
        END IF;
        RETURN redemption.said('replayed', redemption.use_detail(v_voucher, v_use));
    END IF;
    IF EXISTS (SELECT FROM redemption.device d
                WHERE d.community_id = p_community AND d.device_id = p_device
                  AND (d.revoked_at IS NOT NULL OR d.merchant_id <> p_merchant)) THEN
        RETURN redemption.said('device_refused');
    ELSIF EXISTS (SELECT FROM redemption.offline_record o WHERE o.community_id = p_community AND o.device_id = p_device AND o.nonce = p_nonce) THEN
        -- This scan was uploaded as one without a network, and something else was made of it.
        RETURN redemption.said('nonce_differs');
    END IF;
    v_refusal := redemption.redeem_refusal(v_voucher, p_code_seq, p_merchant, p_owner_group_of_clerk, p_clerk, p_quantity, p_now, p_device);
    IF v_refusal.code IS NOT NULL THEN
        RETURN v_refusal;
    END IF;
    INSERT INTO redemption.device (community_id, device_id, kind, registered_by, registered_at)
    VALUES (p_community, p_device, 'browser', p_clerk, p_now)
        ON CONFLICT DO NOTHING;
    RETURN redemption.take_use(v_voucher, p_device, p_nonce, p_code_seq, p_merchant, p_clerk, p_quantity, p_scanned_at, p_now, p_on_behalf_of, 'redeem');
END $$;

-- A typed code, in any case and with the blanks and dashes it is shown with. NULL when nobody holds it.
CREATE FUNCTION redemption.voucher_by_code(p_community bigint, p_code text) RETURNS bigint
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT v.voucher_id FROM redemption.voucher v
     WHERE v.community_id = p_community AND v.short_code = upper(regexp_replace(p_code, '[\s-]', '', 'g'))
$$;

-- How many uses of a device were taken back in the last day.
CREATE FUNCTION redemption.reversals_today(p_community bigint, p_device uuid, p_now timestamptz) RETURNS bigint
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT count(*) FROM redemption.use u
     WHERE u.community_id = p_community AND u.device_id = p_device AND u.reversed_at >= p_now - interval '24 hours'
$$;

CREATE FUNCTION redemption.reversal_refusal(
    p_voucher redemption.voucher, p_use redemption.use, p_as_owner boolean, p_reason text, p_actor uuid, p_now timestamptz,
    p_reversible_minutes int, p_reversals_per_day int
) RETURNS redemption.verdict
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_detail jsonb := jsonb_build_object('voucher_id', p_voucher.voucher_id, 'seq', p_use.seq, 'state', p_use.state);
BEGIN
    IF p_use.seq IS NULL THEN
        RETURN redemption.said('use_unknown');
    ELSIF NOT p_as_owner AND p_use.clerk_id <> p_actor THEN
        RETURN redemption.said('not_your_use', v_detail);
    ELSIF coalesce(p_reason, '') = '' THEN
        RETURN redemption.said('reason_missing', v_detail);
    ELSIF p_use.state = 'REVERSED' THEN
        RETURN redemption.said('already_reversed', v_detail);
    ELSIF p_use.state <> 'ACCEPTED' THEN
        RETURN redemption.said('use_settled', v_detail);
    ELSIF p_now >= p_use.received_at + make_interval(mins => p_reversible_minutes) THEN
        RETURN redemption.said('reversal_too_late', v_detail || jsonb_build_object('received_at', p_use.received_at));
    ELSIF p_voucher.state NOT IN ('USED', 'PART_USED') THEN
        RETURN redemption.said(coalesce(redemption.state_refusal(p_voucher), 'state_wrong'), v_detail);
    ELSIF redemption.reversals_today(p_use.community_id, p_use.device_id, p_now) >= p_reversals_per_day THEN
        RETURN redemption.said('too_many_reversals', v_detail);
    END IF;
    RETURN NULL;
END $$;

-- The exact opposite of what a use paid, as refunds of the holds it was paid from: what comes back goes to the lot it came from.
CREATE FUNCTION redemption.counter_steps(p_use redemption.use) RETURNS ledger.step[]
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(array_agg(ROW('refund', redemption.account('merchant', p_use.merchant_id), NULL, t.unit, t.amount, t.hold_id, NULL)::ledger.step
                              ORDER BY t.seq), '{}')
      FROM ledger.journal j
      JOIN ledger.transfer t ON t.community_id = j.community_id AND t.seq >= j.journal_id AND t.seq < j.journal_id + j.transfers
     WHERE j.community_id = p_use.community_id AND j.journal_id = p_use.journal_id AND t.kind = 'capture'
$$;

-- Moves the money of a use back, and puts all that is open then into fresh escrow: old rest out, merchant to payer, new hold in.
CREATE FUNCTION redemption.reversal_steps(p_old redemption.voucher, p_new redemption.voucher, p_use redemption.use) RETURNS ledger.step[]
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT redemption.release_steps(p_old, redemption.open_quantity(p_old))
        || redemption.counter_steps(p_use)
        || redemption.hold_steps(p_new, redemption.open_quantity(p_new))
$$;

-- Undo a use within the time the community gives, while no batch has taken it. The code that was shown is dead afterwards.
CREATE FUNCTION redemption.reverse_use(
    p_community bigint, p_key uuid, p_voucher_id bigint, p_seq int, p_as_owner boolean, p_reason text,
    p_actor uuid, p_on_behalf_of uuid, p_now timestamptz, p_reversible_minutes int, p_reversals_per_day int, p_short_code text
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb := jsonb_build_object('voucher', p_voucher_id, 'seq', p_seq);
    v_before redemption.verdict;
    v_old redemption.voucher;
    v_new redemption.voucher;
    v_use redemption.use;
    v_posted ledger.verdict;
    v_detail jsonb;
BEGIN
    SELECT * INTO v_old FROM redemption.voucher v
     WHERE v.community_id = p_community AND v.voucher_id = p_voucher_id FOR NO KEY UPDATE;
    SELECT * INTO v_use FROM redemption.use u
     WHERE u.community_id = p_community AND u.voucher_id = p_voucher_id AND u.seq = p_seq FOR NO KEY UPDATE;
    -- The device's lock makes its number of reversals a day a true limit.
    PERFORM FROM redemption.device d
      WHERE d.community_id = p_community AND d.device_id = v_use.device_id FOR NO KEY UPDATE;
    v_before := redemption.remembered(p_community, p_key, 'reverse', v_request);
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    END IF;
    v_before := redemption.reversal_refusal(
        v_old, v_use, p_as_owner, p_reason, p_actor, p_now, p_reversible_minutes, p_reversals_per_day);
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    END IF;
    v_new := v_old;
    v_new.quantity_used := v_old.quantity_used - v_use.quantity;
    v_new.points_hold := CASE WHEN v_old.points_hold IS NOT NULL THEN redemption.uuid_at(p_now) END;
    v_new.subsidy_hold := CASE WHEN v_old.subsidy_hold IS NOT NULL THEN redemption.uuid_at(p_now) END;
    v_new.payable_hold := CASE WHEN v_old.payable_hold IS NOT NULL THEN redemption.uuid_at(p_now) END;
    v_new.state := CASE WHEN v_new.quantity_used = 0 THEN 'ISSUED' ELSE 'PART_USED' END;

    v_posted := redemption.post(p_community, 'redemption.use:' || v_use.device_id || ':' || v_use.nonce || ':reversed', 'voucher_use_reversed',
                                redemption.reversal_steps(v_old, v_new, v_use), p_actor, p_on_behalf_of, p_now);
    IF v_posted.code <> 'posted' THEN
        RETURN redemption.said('ledger_refused', jsonb_build_object('ledger_code', v_posted.code, 'ledger', v_posted.detail));
    END IF;
    UPDATE redemption.use u
       SET state = 'REVERSED', reversed_at = p_now, reversed_by = p_actor, reversal_reason = p_reason, reversal_journal_id = v_posted.journal_id
     WHERE u.community_id = p_community AND u.voucher_id = p_voucher_id AND u.seq = p_seq;
    UPDATE redemption.voucher v
       SET state = v_new.state, quantity_used = v_new.quantity_used, code_seq = v.code_seq + 1, short_code = p_short_code, event_seq = v.event_seq + 1, changed_at = p_now,
           points_hold = v_new.points_hold, subsidy_hold = v_new.subsidy_hold, payable_hold = v_new.payable_hold
     WHERE v.community_id = p_community AND v.voucher_id = p_voucher_id;
    INSERT INTO redemption.voucher_event (community_id, voucher_id, number, action, from_state, to_state, actor_id, on_behalf_of, reason, at)
    VALUES (p_community, p_voucher_id, v_old.event_seq + 1, 'reverse', v_old.state, v_new.state, p_actor, p_on_behalf_of, p_reason, p_now);
    v_detail := jsonb_build_object('voucher_id', p_voucher_id, 'seq', p_seq, 'member_id', v_old.member_id, 'quantity', v_use.quantity,
                                   'points', v_use.points, 'voucher_state', v_new.state);
    PERFORM redemption.remember(p_community, p_key, 'reverse', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;

-- A device is enrolled with its key, or known as a browser. Asking again with the same facts changes nothing.
CREATE FUNCTION redemption.register_device(
    p_community bigint, p_device uuid, p_kind text, p_merchant uuid, p_public_key bytea, p_actor uuid, p_now timestamptz
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_device redemption.device;
BEGIN
    IF p_kind NOT IN ('browser', 'enrolled') OR (p_kind = 'enrolled' AND (p_merchant IS NULL OR p_public_key IS NULL)) THEN
        RETURN redemption.said('device_wrong');
    END IF;
    INSERT INTO redemption.merchant (community_id, merchant_id)
    SELECT p_community, p_merchant WHERE p_merchant IS NOT NULL
        ON CONFLICT DO NOTHING;
    INSERT INTO redemption.device (community_id, device_id, kind, merchant_id, public_key, registered_by, registered_at)
    VALUES (p_community, p_device, p_kind, p_merchant, p_public_key, p_actor, p_now)
        ON CONFLICT DO NOTHING;
    IF FOUND THEN
        RETURN redemption.said('done', jsonb_build_object('device_id', p_device));
    END IF;
    SELECT * INTO v_device FROM redemption.device d
     WHERE d.community_id = p_community AND d.device_id = p_device FOR NO KEY UPDATE;
    IF v_device.kind = p_kind AND v_device.merchant_id IS NOT DISTINCT FROM p_merchant
       AND v_device.public_key IS NOT DISTINCT FROM p_public_key AND v_device.revoked_at IS NULL THEN
        RETURN redemption.said('replayed', jsonb_build_object('device_id', p_device));
    END IF;
    RETURN redemption.said('device_differs');
END $$;

CREATE FUNCTION redemption.revoke_device(p_community bigint, p_device uuid, p_actor uuid, p_now timestamptz) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE redemption.device d SET revoked_at = coalesce(d.revoked_at, p_now), revoked_by = coalesce(d.revoked_by, p_actor)
     WHERE d.community_id = p_community AND d.device_id = p_device;
    RETURN redemption.said(CASE WHEN FOUND THEN 'done' ELSE 'device_unknown' END);
END $$;
