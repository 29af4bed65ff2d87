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
