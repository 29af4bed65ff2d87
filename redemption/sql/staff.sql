-- What takes two of staff: calling a voucher back and giving it more days. One proposes, another decides.

-- p_key is the client's and names the request for ever: asked again, the same request answers.
CREATE FUNCTION redemption.propose_step(
    p_community bigint, p_key uuid, p_voucher_id bigint, p_step text, p_until timestamptz, p_reason text, p_actor uuid, p_now timestamptz
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb := jsonb_build_object('voucher', p_voucher_id, 'step', p_step, 'until', p_until, 'reason', p_reason);
    v_voucher redemption.voucher := redemption.lock_voucher(p_community, p_voucher_id);
    v_before redemption.verdict := redemption.remembered(p_community, p_key, 'propose', v_request);
    v_detail jsonb := jsonb_build_object('request_id', p_key, 'voucher_id', p_voucher_id);
BEGIN
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    END IF;
    v_before := redemption.step_refusal(v_voucher, p_step, p_until, p_reason, p_actor);
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    ELSIF EXISTS (SELECT FROM redemption.voucher_request r
                   WHERE r.community_id = p_community AND r.voucher_id = p_voucher_id AND r.step = p_step AND r.state = 'proposed') THEN
        RETURN redemption.said('request_waits', v_detail);
    END IF;
    INSERT INTO redemption.voucher_request (community_id, request_id, voucher_id, step, state, extend_until, reason, proposed_by, proposed_at)
    VALUES (p_community, p_key, p_voucher_id, p_step, 'proposed', p_until, p_reason, p_actor, p_now);
    PERFORM redemption.remember(p_community, p_key, 'propose', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;

-- The first reason why this cannot be asked for, or done: looked at twice, for a voucher goes on living while a request waits.
CREATE FUNCTION redemption.step_refusal(p_voucher redemption.voucher, p_step text, p_until timestamptz, p_reason text, p_actor uuid)
RETURNS redemption.verdict
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_detail jsonb := jsonb_build_object('voucher_id', p_voucher.voucher_id, 'expires_at', p_voucher.expires_at, 'changed_at', p_voucher.changed_at);
BEGIN
    IF p_voucher.voucher_id IS NULL THEN
        RETURN redemption.said('unknown');
    ELSIF coalesce(p_reason, '') = '' THEN
        RETURN redemption.said('reason_missing');
    ELSIF p_actor IS NULL THEN
        RETURN redemption.said('actor_missing');
    ELSIF p_actor IN (p_voucher.member_id) THEN
        RETURN redemption.said('own_voucher');
    ELSIF p_voucher.state IN ('USED', 'CANCELLED', 'EXPIRED', 'VOID') THEN
        RETURN redemption.said(redemption.state_refusal(p_voucher), v_detail);
    ELSIF p_step = 'extend' AND (p_until IS NULL OR p_until <= p_voucher.expires_at OR p_until > p_voucher.issued_at + interval '3660 days') THEN
        RETURN redemption.said('extension_wrong', v_detail);
    END IF;
    RETURN NULL;
END $$;

-- Whoever proposed it may say no, and so take it back; yes takes somebody else.
CREATE FUNCTION redemption.decide_step(
    p_community bigint, p_key uuid, p_request uuid, p_is_agreed boolean, p_actor uuid, p_now timestamptz
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_asked jsonb := jsonb_build_object('request', p_request, 'agreed', p_is_agreed);
    v_voucher redemption.voucher := redemption.lock_voucher(p_community, (
        SELECT r.voucher_id FROM redemption.voucher_request r WHERE r.community_id = p_community AND r.request_id = p_request));
    v_request redemption.voucher_request;
    v_before redemption.verdict;
    v_detail jsonb;
BEGIN
    SELECT * INTO v_request FROM redemption.voucher_request r
     WHERE r.community_id = p_community AND r.request_id = p_request FOR NO KEY UPDATE;
    v_before := redemption.remembered(p_community, p_key, 'decide', v_asked);
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    ELSIF v_request.request_id IS NULL THEN
        RETURN redemption.said('request_unknown');
    ELSIF v_request.state <> 'proposed' THEN
        RETURN redemption.said('request_decided', jsonb_build_object('state', v_request.state, 'decided_at', v_request.decided_at));
    ELSIF p_actor IS NULL OR p_is_agreed IS NULL THEN
        RETURN redemption.said('actor_missing');
    ELSIF p_is_agreed AND p_actor = v_request.proposed_by THEN
        RETURN redemption.said('same_person');
    END IF;
    v_detail := jsonb_build_object('request_id', p_request, 'step', v_request.step, 'offer_id', v_voucher.offer_id, 'member_id', v_voucher.member_id,
                                   'voucher_id', v_voucher.voucher_id, 'voucher_state', v_voucher.state, 'quantity', 0, 'points', 0);
    IF p_is_agreed THEN
        v_before := redemption.step_refusal(v_voucher, v_request.step, v_request.extend_until, v_request.reason, p_actor);
        IF v_before.code IS NULL AND v_request.step = 'void' THEN
            v_detail := v_detail || redemption.ended_detail(v_voucher, 'VOID');
            v_before := redemption.end_voucher(v_voucher, 'VOID', 'void', 'voucher_voided', v_request.proposed_by, NULL, v_request.reason, p_now, p_actor);
        ELSIF v_before.code IS NULL THEN
            PERFORM redemption.extend(v_voucher, v_request, p_actor, p_now);
        END IF;
        IF v_before.code IS NOT NULL THEN
            RETURN v_before;
        END IF;
    END IF;
    UPDATE redemption.voucher_request r
       SET state = CASE WHEN p_is_agreed THEN 'done' ELSE 'refused' END, decided_by = p_actor, decided_at = p_now
     WHERE r.community_id = p_community AND r.request_id = p_request;
    PERFORM redemption.remember(p_community, p_key, 'decide', v_asked, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;

-- More days, and the grace for late uploads after them as long as it was. Nothing moves. The caller holds the voucher.
CREATE FUNCTION redemption.extend(p_voucher redemption.voucher, p_request redemption.voucher_request, p_second uuid, p_now timestamptz) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE redemption.voucher v
       SET expires_at = p_request.extend_until, due_at = p_request.extend_until + (v.due_at - v.expires_at), event_seq = v.event_seq + 1,
           changed_at = p_now
     WHERE v.community_id = p_voucher.community_id AND v.voucher_id = p_voucher.voucher_id;
    INSERT INTO redemption.voucher_event (community_id, voucher_id, number, action, from_state, to_state, actor_id, second_id, reason, at)
    VALUES (p_voucher.community_id, p_voucher.voucher_id, p_voucher.event_seq + 1, 'extend', p_voucher.state, p_voucher.state,
            p_request.proposed_by, p_second, p_request.reason, p_now);
END $$;
