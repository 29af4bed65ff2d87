-- A shop that leaves: two people agree, its offers stop, from its day on it is out of scope, and what members still hold of it goes to
-- another shop or back to them. Locks: merchants, departure, offers, vouchers, the books' head.

-- Whether a shop is on its way out, or gone: nothing new is offered at it.
CREATE FUNCTION redemption.is_leaving(p_community bigint, p_merchant uuid) RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM redemption.departure d
                    WHERE d.community_id = p_community AND d.merchant_id = p_merchant AND d.state IN ('LEAVING', 'LOCKED', 'DONE'))
$$;

-- Whether a shop is gone: it has no further statement.
CREATE FUNCTION redemption.has_left(p_community bigint, p_merchant uuid) RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM redemption.departure d WHERE d.community_id = p_community AND d.merchant_id = p_merchant AND d.state = 'DONE')
$$;

-- Whether an offer's vouchers were good at a shop then: one that left is judged by the day it was locked out.
CREATE FUNCTION redemption.is_in_scope(p_community bigint, p_offer uuid, p_merchant uuid, p_at timestamptz) RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM redemption.offer_merchant m
                    WHERE m.community_id = p_community AND m.offer_id = p_offer AND m.merchant_id = p_merchant)
        OR EXISTS (SELECT FROM redemption.departure_offer o
                     JOIN redemption.departure d ON d.community_id = o.community_id AND d.departure_id = o.departure_id
                    WHERE o.community_id = p_community AND o.offer_id = p_offer AND d.merchant_id = p_merchant AND d.locked_at > p_at)
$$;

-- Until when a phone of this shop may be the only one: the day the shop is locked out ends it. NULL when it may not any more.
CREATE FUNCTION redemption.lease_until(p_community bigint, p_merchant uuid, p_until timestamptz, p_now timestamptz) RETURNS timestamptz
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE
        WHEN EXISTS (SELECT FROM redemption.departure d
                      WHERE d.community_id = p_community AND d.merchant_id = p_merchant
                        AND (d.state IN ('LOCKED', 'DONE') OR (d.state = 'LEAVING' AND d.leaves_at <= p_now))) THEN NULL
        ELSE least(p_until, (SELECT min(d.leaves_at) FROM redemption.departure d
                              WHERE d.community_id = p_community AND d.merchant_id = p_merchant AND d.state = 'LEAVING'))
    END
$$;

-- p_departure is the client's key: asked again, the same proposal answers. One of a shop waits or goes on at a time.
CREATE FUNCTION redemption.propose_departure(
    p_community bigint, p_departure uuid, p_merchant uuid, p_successor uuid, p_leaves_at timestamptz, p_reason text, p_actor uuid, p_now timestamptz
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb := jsonb_build_object('merchant', p_merchant, 'successor', p_successor, 'reason', p_reason);
    v_before redemption.verdict;
    v_detail jsonb := jsonb_build_object('departure_id', p_departure);
BEGIN
    INSERT INTO redemption.merchant (community_id, merchant_id)
    SELECT p_community, m FROM unnest(ARRAY[p_merchant, p_successor]) m WHERE m IS NOT NULL ORDER BY m
        ON CONFLICT DO NOTHING;
    PERFORM FROM redemption.merchant m WHERE m.community_id = p_community AND m.merchant_id = p_merchant FOR NO KEY UPDATE;
    v_before := redemption.remembered(p_community, p_departure, 'leave', v_request);
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    ELSIF coalesce(p_reason, '') = '' THEN
        RETURN redemption.said('reason_missing');
    ELSIF p_actor IS NULL THEN
        RETURN redemption.said('actor_missing');
    ELSIF p_leaves_at < p_now OR p_leaves_at > p_now + interval '400 days' THEN
        RETURN redemption.said('departure_day_wrong');
    ELSIF p_successor = p_merchant OR redemption.is_leaving(p_community, p_successor) THEN
        RETURN redemption.said('successor_wrong');
    ELSIF EXISTS (SELECT FROM redemption.departure d
                   WHERE d.community_id = p_community AND d.merchant_id = p_merchant AND d.state <> 'WITHDRAWN') THEN
        RETURN redemption.said('departure_waits');
    END IF;
    INSERT INTO redemption.departure (community_id, departure_id, merchant_id, successor_id, leaves_at, state, reason, proposed_by, proposed_at)
    VALUES (p_community, p_departure, p_merchant, p_successor, p_leaves_at, 'PROPOSED', p_reason, p_actor, p_now);
    PERFORM redemption.remember(p_community, p_departure, 'leave', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;

-- The departure with its merchants and, if asked for, every offer of the shop locked, in the order that everybody keeps.
CREATE FUNCTION redemption.lock_departure(p_community bigint, p_departure uuid, p_with_offers boolean) RETURNS redemption.departure
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v redemption.departure;
BEGIN
    PERFORM FROM redemption.merchant m
      WHERE m.community_id = p_community AND m.merchant_id IN (
            SELECT unnest(ARRAY[d.merchant_id, d.successor_id]) FROM redemption.departure d
             WHERE d.community_id = p_community AND d.departure_id = p_departure)
      ORDER BY m.merchant_id FOR NO KEY UPDATE;
    SELECT * INTO v FROM redemption.departure d WHERE d.community_id = p_community AND d.departure_id = p_departure FOR NO KEY UPDATE;
    IF p_with_offers THEN
        PERFORM FROM redemption.offer o
          WHERE o.community_id = p_community
            AND o.offer_id IN (SELECT m.offer_id FROM redemption.offer_merchant m WHERE m.community_id = p_community AND m.merchant_id = v.merchant_id)
          ORDER BY o.offer_id FOR NO KEY UPDATE;
    END IF;
    RETURN v;
END $$;

-- No new vouchers of what can be had at this shop alone. The caller holds the shop and its offers.
CREATE FUNCTION redemption.stop_offers(p_departure redemption.departure, p_now timestamptz) RETURNS int
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_count int;
BEGIN
    UPDATE redemption.offer o
       SET state = 'withdrawn', withdrawn_by = p_departure.agreed_by, withdrawn_at = p_now, withdrawn_reason = p_departure.reason
     WHERE o.community_id = p_departure.community_id AND o.state = 'published'
       AND EXISTS (SELECT FROM redemption.offer_merchant m
                    WHERE m.community_id = o.community_id AND m.offer_id = o.offer_id AND m.merchant_id = p_departure.merchant_id)
       AND NOT EXISTS (SELECT FROM redemption.offer_merchant m
                        WHERE m.community_id = o.community_id AND m.offer_id = o.offer_id AND NOT redemption.is_leaving(o.community_id, m.merchant_id));
    GET DIAGNOSTICS v_count = ROW_COUNT;
    RETURN v_count;
END $$;

-- From now on the shop is out of the scope of every offer: its devices are told so at each scan, its leases are not made longer.
-- What was offered at it alone is written down, to be taken over or refunded. The caller holds the shop, the departure and the offers.
CREATE FUNCTION redemption.lock_out(p_departure redemption.departure, p_now timestamptz) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v redemption.departure;
BEGIN
    PERFORM redemption.stop_offers(p_departure, p_now);
    UPDATE redemption.departure d SET state = 'LOCKED', locked_at = p_now
     WHERE d.community_id = p_departure.community_id AND d.departure_id = p_departure.departure_id
    RETURNING * INTO STRICT v;
    INSERT INTO redemption.departure_offer (community_id, departure_id, offer_id, is_alone)
    SELECT m.community_id, v.departure_id, m.offer_id,
           NOT EXISTS (SELECT FROM redemption.offer_merchant other
                        WHERE other.community_id = m.community_id AND other.offer_id = m.offer_id AND other.merchant_id <> m.merchant_id)
      FROM redemption.offer_merchant m
     WHERE m.community_id = v.community_id AND m.merchant_id = v.merchant_id;
    DELETE FROM redemption.offer_merchant m WHERE m.community_id = v.community_id AND m.merchant_id = v.merchant_id;
    INSERT INTO redemption.offer_merchant (community_id, offer_id, merchant_id)
    SELECT o.community_id, o.offer_id, v.successor_id FROM redemption.departure_offer o
     WHERE o.community_id = v.community_id AND o.departure_id = v.departure_id AND o.is_alone AND v.successor_id IS NOT NULL
        ON CONFLICT DO NOTHING;
    UPDATE redemption.lease l SET frozen_at = p_now, frozen_reason = 'shop_left'
     WHERE l.community_id = v.community_id AND l.merchant_id = v.merchant_id AND l.state = 'out' AND l.ends_at > p_now AND l.frozen_at IS NULL;
END $$;

-- Yes takes somebody else than who proposed it, and stops the shop's offers. No, by anybody of the office, takes it back: as long as the shop
-- has not been locked out nothing has happened but that offers stopped, and those are offered anew.
CREATE FUNCTION redemption.decide_departure(
    p_community bigint, p_key uuid, p_departure uuid, p_is_agreed boolean, p_actor uuid, p_now timestamptz
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb := jsonb_build_object('departure', p_departure, 'agreed', p_is_agreed);
    v redemption.departure := redemption.lock_departure(p_community, p_departure, p_is_agreed);
    v_before redemption.verdict := redemption.remembered(p_community, p_key, 'decide_leave', v_request);
    v_detail jsonb;
BEGIN
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    ELSIF v.departure_id IS NULL THEN
        RETURN redemption.said('departure_unknown');
    ELSIF p_actor IS NULL OR p_is_agreed IS NULL THEN
        RETURN redemption.said('actor_missing');
    ELSIF v.state NOT IN ('PROPOSED', 'LEAVING') OR (p_is_agreed AND v.state <> 'PROPOSED') THEN
        RETURN redemption.said('departure_decided', jsonb_build_object('state', v.state));
    ELSIF p_is_agreed AND p_actor = v.proposed_by THEN
        RETURN redemption.said('same_person');
    ELSIF p_is_agreed AND (redemption.is_leaving(p_community, v.successor_id) OR EXISTS (
            -- Who is to take over what another shop leaves behind cannot leave before it has it.
            SELECT FROM redemption.departure d
             WHERE d.community_id = p_community AND d.successor_id = v.merchant_id AND d.state = 'LEAVING')) THEN
        RETURN redemption.said('successor_wrong');
    END IF;
    v_detail := jsonb_build_object('departure_id', p_departure, 'merchant_id', v.merchant_id, 'stopped', 0);
    IF p_is_agreed THEN
        UPDATE redemption.departure d SET state = 'LEAVING', agreed_by = p_actor, agreed_at = p_now
         WHERE d.community_id = p_community AND d.departure_id = p_departure
        RETURNING * INTO STRICT v;
        v_detail := v_detail || jsonb_build_object('stopped', redemption.stop_offers(v, p_now));
        IF v.leaves_at <= p_now THEN
            PERFORM redemption.lock_out(v, p_now);
        END IF;
    ELSE
        UPDATE redemption.departure d SET state = 'WITHDRAWN', ended_by = p_actor, ended_at = p_now
         WHERE d.community_id = p_community AND d.departure_id = p_departure;
    END IF;
    PERFORM redemption.remember(p_community, p_key, 'decide_leave', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;

-- Vouchers of a departure that can be moved now: nobody has them in hand, and for a refund no phone may have accepted one without us.
CREATE FUNCTION redemption.movable(p_departure redemption.departure, p_now timestamptz) RETURNS TABLE (voucher_id bigint, offer_id uuid)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT v.voucher_id, v.offer_id
      FROM redemption.departure_offer o
      JOIN redemption.voucher v ON v.community_id = o.community_id AND v.offer_id = o.offer_id AND v.state IN ('RESERVED', 'ISSUED', 'PART_USED')
     WHERE o.community_id = p_departure.community_id AND o.departure_id = p_departure.departure_id AND o.is_alone
       AND (p_departure.successor_id IS NOT NULL OR v.offline_class <> 1
            OR (redemption.lease_on(v.community_id, v.offer_id, p_now)).lease_id IS NULL)
       AND NOT EXISTS (SELECT FROM redemption.departure_voucher m
                        WHERE m.community_id = v.community_id AND m.departure_id = o.departure_id AND m.voucher_id = v.voucher_id)
$$;

-- Locks the shop out when its day has come, then moves the next p_limit vouchers. Whoever finds it broken off goes on with it: what was moved is
-- written down beside the move. Vouchers that somebody holds are left for the next round, so that a scan in progress wins.
CREATE FUNCTION redemption.carry_departure(p_community bigint, p_departure uuid, p_now timestamptz, p_limit int) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v redemption.departure := redemption.lock_departure(p_community, p_departure, true);
    v_ids bigint[];
    v_offers uuid[];
    v_voucher redemption.voucher;
    v_refusal redemption.verdict;
    v_moved jsonb := '[]';
    v_locked boolean := false;
BEGIN
    IF v.departure_id IS NULL THEN
        RETURN redemption.said('departure_unknown');
    ELSIF v.state = 'LEAVING' AND v.leaves_at <= p_now THEN
        PERFORM redemption.lock_out(v, p_now);
        v_locked := true;
        SELECT * INTO v FROM redemption.departure d WHERE d.community_id = p_community AND d.departure_id = p_departure;
    END IF;
    IF v.state <> 'LOCKED' THEN
        RETURN redemption.said('done', jsonb_build_object('moved', v_moved, 'locked', v_locked));
    END IF;
    SELECT array_agg(m.voucher_id), array_agg(DISTINCT m.offer_id) INTO v_ids, v_offers
      FROM (SELECT * FROM redemption.movable(v, p_now) ORDER BY voucher_id LIMIT p_limit) m;
    PERFORM FROM redemption.offer o WHERE o.community_id = p_community AND o.offer_id = ANY (v_offers) ORDER BY o.offer_id FOR NO KEY UPDATE;
    FOR v_voucher IN
        SELECT w.* FROM redemption.voucher w
         WHERE w.community_id = p_community AND w.voucher_id = ANY (v_ids) AND w.state IN ('RESERVED', 'ISSUED', 'PART_USED')
         ORDER BY w.voucher_id FOR NO KEY UPDATE SKIP LOCKED
    LOOP
        IF v.successor_id IS NULL THEN
            v_refusal := redemption.end_voucher(v_voucher, 'VOID', 'void', 'voucher_voided', v.proposed_by, NULL, v.reason, p_now, v.agreed_by);
            CONTINUE WHEN v_refusal.code IS NOT NULL;
        END IF;
        INSERT INTO redemption.departure_voucher (community_id, departure_id, voucher_id, quantity, points, at)
        VALUES (p_community, p_departure, v_voucher.voucher_id, redemption.open_quantity(v_voucher),
                CASE WHEN v.successor_id IS NULL THEN redemption.open_quantity(v_voucher)::bigint * v_voucher.points_each ELSE 0 END, p_now);
        v_moved := v_moved || jsonb_build_object('voucher_id', v_voucher.voucher_id, 'member_id', v_voucher.member_id,
                                                 'payer_id', coalesce(v_voucher.payer_id, v_voucher.member_id));
    END LOOP;
    RETURN redemption.said('done', jsonb_build_object('moved', v_moved, 'locked', v_locked, 'successor_id', v.successor_id));
END $$;

-- What is still open of a shop that leaves, kind by kind.
CREATE FUNCTION redemption.departure_open(p_community bigint, p_departure uuid, p_now timestamptz) RETURNS jsonb
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH d AS (
        SELECT x AS whole, x.merchant_id FROM redemption.departure x WHERE x.community_id = p_community AND x.departure_id = p_departure
    ), held AS (
        SELECT count(*) AS n
          FROM redemption.voucher v
         WHERE v.community_id = p_community AND v.state IN ('RESERVED', 'ISSUED', 'PART_USED', 'LOCKED', 'CANCEL_PENDING', 'FROZEN')
           AND v.offer_id IN (
               SELECT o.offer_id FROM redemption.departure_offer o
                WHERE o.community_id = p_community AND o.departure_id = p_departure AND o.is_alone
                UNION ALL
               SELECT m.offer_id FROM redemption.offer_merchant m JOIN d ON m.merchant_id = d.merchant_id
                WHERE m.community_id = p_community
                  AND NOT EXISTS (SELECT FROM redemption.offer_merchant other
                                   WHERE other.community_id = m.community_id AND other.offer_id = m.offer_id AND other.merchant_id <> m.merchant_id))
           AND NOT EXISTS (SELECT FROM redemption.departure_voucher m
                            WHERE m.community_id = v.community_id AND m.departure_id = p_departure AND m.voucher_id = v.voucher_id)
    )
    SELECT jsonb_build_object(
        'vouchers', (SELECT n FROM held),
        'movable', (SELECT count(*) FROM d CROSS JOIN LATERAL redemption.movable(d.whole, p_now)),
        'leases', (SELECT count(*) FROM redemption.lease l JOIN d ON d.merchant_id = l.merchant_id
                    WHERE l.community_id = p_community AND l.state = 'out' AND l.ends_at > p_now),
        'reviews', (SELECT count(*) FROM redemption.offline_review r JOIN d ON d.merchant_id = r.merchant_id
                     WHERE r.community_id = p_community AND r.state <> 'decided'),
        'uses', (SELECT count(*) FROM redemption.use u JOIN d ON d.merchant_id = u.merchant_id
                  WHERE u.community_id = p_community AND u.state IN ('ACCEPTED', 'CONFLICT')),
        'disputes', (SELECT count(*) FROM redemption.dispute x
                       JOIN redemption.settlement s ON s.community_id = x.community_id AND s.settlement_id = x.settlement_id
                       JOIN d ON d.merchant_id = s.merchant_id
                      WHERE x.community_id = p_community AND (x.state = 'DISPUTED' OR (x.state = 'UPHELD' AND x.carried_settlement IS NULL))),
        'adjustments', (SELECT count(*) FROM redemption.adjustment a JOIN d ON d.merchant_id = a.merchant_id
                         WHERE a.community_id = p_community AND a.state <> 'refused' AND a.carried_settlement IS NULL),
        'settlements', (SELECT count(*) FROM redemption.settlement s JOIN d ON d.merchant_id = s.merchant_id
                         WHERE s.community_id = p_community AND s.state <> 'PAID'))
$$;

-- The shop is gone: nothing is open, its phones are revoked.
CREATE FUNCTION redemption.finish_departure(p_community bigint, p_key uuid, p_departure uuid, p_actor uuid, p_now timestamptz)
RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb := jsonb_build_object('departure', p_departure);
    v redemption.departure := redemption.lock_departure(p_community, p_departure, false);
    v_before redemption.verdict := redemption.remembered(p_community, p_key, 'finish_leave', v_request);
    v_open jsonb;
    v_detail jsonb := jsonb_build_object('departure_id', p_departure);
BEGIN
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    ELSIF v.departure_id IS NULL THEN
        RETURN redemption.said('departure_unknown');
    ELSIF p_actor IS NULL THEN
        RETURN redemption.said('actor_missing');
    ELSIF v.state <> 'LOCKED' THEN
        RETURN redemption.said('departure_decided', jsonb_build_object('state', v.state));
    END IF;
    v_open := redemption.departure_open(p_community, p_departure, p_now);
    IF EXISTS (SELECT FROM jsonb_each_text(v_open) e WHERE e.value::bigint > 0) THEN
        RETURN redemption.said('departure_unfinished', jsonb_build_object('open', v_open));
    END IF;
    UPDATE redemption.device w SET revoked_at = p_now, revoked_by = p_actor
     WHERE w.community_id = p_community AND w.merchant_id = v.merchant_id AND w.revoked_at IS NULL;
    UPDATE redemption.departure d SET state = 'DONE', ended_by = p_actor, ended_at = p_now
     WHERE d.community_id = p_community AND d.departure_id = p_departure;
    PERFORM redemption.remember(p_community, p_key, 'finish_leave', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;
