-- How often a shop is settled, and where its money goes. A new account takes two people and then waits.

-- From the day after today at the earliest, so that a period that runs keeps its length. The same day again is decided anew.
CREATE FUNCTION redemption.choose_rhythm(
    p_community bigint, p_merchant uuid, p_rhythm text, p_from date, p_today date, p_actor uuid, p_now timestamptz
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF p_actor IS NULL THEN
        RETURN redemption.said('actor_missing');
    ELSIF p_from <= p_today OR p_from > p_today + 366 THEN
        RETURN redemption.said('rhythm_day_wrong');
    END IF;
    INSERT INTO redemption.merchant (community_id, merchant_id) VALUES (p_community, p_merchant) ON CONFLICT DO NOTHING;
    INSERT INTO redemption.rhythm AS r (community_id, merchant_id, effective_from, rhythm, chosen_by, chosen_at)
    VALUES (p_community, p_merchant, p_from, p_rhythm, p_actor, p_now)
        ON CONFLICT (community_id, merchant_id, effective_from)
        DO UPDATE SET rhythm = excluded.rhythm, chosen_by = excluded.chosen_by, chosen_at = excluded.chosen_at;
    RETURN redemption.said('done');
END $$;

-- The account in force: the last that two people agreed on. All NULL when there is none.
CREATE FUNCTION redemption.payee_of(p_community bigint, p_merchant uuid) RETURNS redemption.payee
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT p FROM redemption.payee p
     WHERE p.community_id = p_community AND p.merchant_id = p_merchant AND p.state = 'APPROVED'
     ORDER BY p.number DESC LIMIT 1
$$;

-- The account's number comes sealed; only its tail can be read here. One proposal of a shop at a time.
CREATE FUNCTION redemption.propose_payee(
    p_community bigint, p_payee uuid, p_merchant uuid, p_holder text, p_bank text, p_tail text, p_sealed bytea, p_reason text,
    p_actor uuid, p_now timestamptz
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb := jsonb_build_object('merchant', p_merchant, 'holder', p_holder, 'bank', p_bank, 'tail', p_tail);
    v_before redemption.verdict;
    v_detail jsonb := jsonb_build_object('payee_id', p_payee);
BEGIN
    INSERT INTO redemption.merchant (community_id, merchant_id) VALUES (p_community, p_merchant) ON CONFLICT DO NOTHING;
    PERFORM FROM redemption.merchant m WHERE m.community_id = p_community AND m.merchant_id = p_merchant FOR NO KEY UPDATE;
    v_before := redemption.remembered(p_community, p_payee, 'propose_payee', v_request);
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    ELSIF p_actor IS NULL THEN
        RETURN redemption.said('actor_missing');
    ELSIF coalesce(p_reason, '') = '' THEN
        RETURN redemption.said('reason_missing');
    ELSIF EXISTS (SELECT FROM redemption.payee p
                   WHERE p.community_id = p_community AND p.merchant_id = p_merchant AND p.state = 'PROPOSED') THEN
        RETURN redemption.said('payee_waits');
    END IF;
    INSERT INTO redemption.payee (community_id, payee_id, merchant_id, state, holder, bank, tail, sealed, reason, proposed_by, proposed_at)
    VALUES (p_community, p_payee, p_merchant, 'PROPOSED', p_holder, p_bank, p_tail, p_sealed, p_reason, p_actor, p_now);
    PERFORM redemption.remember(p_community, p_payee, 'propose_payee', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;

-- By a second person. A change of account stops the shop's payments for p_freeze_days; the first account of a shop does not.
-- The merchant's row orders this and every payment: a payment goes to the account before, or waits out the days.
CREATE FUNCTION redemption.decide_payee(
    p_community bigint, p_key uuid, p_payee uuid, p_agreed boolean, p_reason text, p_freeze_days int, p_actor uuid, p_now timestamptz
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb := jsonb_build_object('payee', p_payee, 'agreed', p_agreed);
    v redemption.payee;
    v_last redemption.payee;
    v_before redemption.verdict;
    v_until timestamptz;
    v_detail jsonb;
BEGIN
    PERFORM FROM redemption.merchant m
      WHERE m.community_id = p_community
        AND m.merchant_id = (SELECT p.merchant_id FROM redemption.payee p WHERE p.community_id = p_community AND p.payee_id = p_payee)
      FOR NO KEY UPDATE;
    SELECT * INTO v FROM redemption.payee p WHERE p.community_id = p_community AND p.payee_id = p_payee FOR NO KEY UPDATE;
    v_before := redemption.remembered(p_community, p_key, 'decide_payee', v_request);
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    ELSIF v.payee_id IS NULL THEN
        RETURN redemption.said('payee_unknown');
    ELSIF v.state <> 'PROPOSED' THEN
        RETURN redemption.said('payee_decided', jsonb_build_object('state', v.state));
    ELSIF p_actor IS NULL OR p_actor = v.proposed_by THEN
        RETURN redemption.said('same_person');
    ELSIF NOT p_agreed AND coalesce(p_reason, '') = '' THEN
        RETURN redemption.said('reason_missing');
    END IF;
    v_last := redemption.payee_of(p_community, v.merchant_id);
    v_until := CASE WHEN v_last.payee_id IS NULL THEN p_now ELSE p_now + make_interval(days => p_freeze_days) END;
    UPDATE redemption.payee p
       SET state = CASE WHEN p_agreed THEN 'APPROVED' ELSE 'REFUSED' END, decided_by = p_actor, decided_at = p_now, refusal = nullif(p_reason, ''),
           number = CASE WHEN p_agreed THEN coalesce(v_last.number, 0) + 1 END, frozen_until = CASE WHEN p_agreed THEN v_until END
     WHERE p.community_id = p_community AND p.payee_id = p_payee;
    v_detail := jsonb_build_object('payee_id', p_payee, 'frozen_until', CASE WHEN p_agreed THEN v_until END);
    PERFORM redemption.remember(p_community, p_key, 'decide_payee', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;
