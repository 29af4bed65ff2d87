-- A member gives a voucher to another. The promise changes hands, the points do not: what is not used goes back to who paid.

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
