-- A shop that is on its way out would be forgotten half way: take it back or finish it first.
DO $$
BEGIN
    IF EXISTS (SELECT FROM redemption.departure WHERE state IN ('LEAVING', 'LOCKED')) THEN
        RAISE EXCEPTION 'shops are leaving';
    END IF;
END $$;
-- An offer may promise only what the sponsor's budget can still pay, all other promises counted.
CREATE OR REPLACE FUNCTION redemption.publish_offer(p_community bigint, p_key uuid, p_offer uuid, p_actor uuid, p_now timestamptz)
RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb := jsonb_build_object('offer', p_offer);
    v_before redemption.verdict;
    v_sponsor uuid := (SELECT s.sponsor_id FROM redemption.offer s WHERE s.community_id = p_community AND s.offer_id = p_offer);
    v_offer redemption.offer;
    v_committed record;
    v_detail jsonb;
BEGIN
    -- Every offer of the sponsor, in order: two publishers of one budget must not both see it unpromised.
    PERFORM FROM redemption.offer o
      WHERE o.community_id = p_community AND o.sponsor_id = v_sponsor
      ORDER BY o.offer_id FOR NO KEY UPDATE;
    SELECT * INTO v_offer FROM redemption.offer o WHERE o.community_id = p_community AND o.offer_id = p_offer;
    v_before := redemption.remembered(p_community, p_key, 'publish', v_request);
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    ELSIF v_offer.offer_id IS NULL THEN
        RETURN redemption.said('offer_unknown');
    ELSIF v_offer.state <> 'draft' THEN
        RETURN redemption.said('offer_not_draft', jsonb_build_object('state', v_offer.state));
    ELSIF v_offer.sponsor_id <> v_sponsor THEN
        -- The draft was given to another sponsor while we waited; that sponsor's offers are not locked.
        RETURN redemption.said('offer_changed');
    ELSIF v_offer.valid_until <= p_now THEN
        RETURN redemption.said('offer_over', jsonb_build_object('valid_until', v_offer.valid_until));
    END IF;
    v_committed := redemption.committed(p_community, v_offer.sponsor_id, p_now);
    v_detail := jsonb_build_object(
        'sponsor_id', v_offer.sponsor_id,
        'needed_points', v_offer.stock_total::bigint * v_offer.subsidy_points,
        'needed_fen', v_offer.stock_total * v_offer.payable_fen,
        'free_points', redemption.available(p_community, redemption.account('budget', v_offer.sponsor_id), 'point') / 100 - v_committed.points,
        'free_fen', redemption.available(p_community, redemption.account('budget', v_offer.sponsor_id), 'fen') - v_committed.fen);
    -- An offer that asks nothing of a budget needs none, not even an account.
    IF ((v_detail ->> 'needed_points')::bigint > 0 AND (v_detail ->> 'needed_points')::bigint > (v_detail ->> 'free_points')::bigint)
       OR ((v_detail ->> 'needed_fen')::bigint > 0 AND (v_detail ->> 'needed_fen')::bigint > (v_detail ->> 'free_fen')::bigint) THEN
        RETURN redemption.said('budget_short', v_detail);
    END IF;
    UPDATE redemption.offer o SET state = 'published', published_by = p_actor, published_at = p_now
     WHERE o.community_id = p_community AND o.offer_id = p_offer;
    v_detail := jsonb_build_object('offer_id', p_offer);
    PERFORM redemption.remember(p_community, p_key, 'publish', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;

-- Gives a phone the lease of its shop's leased offers that no other phone holds, or makes its own longer. The offers' locks keep a member from
-- cancelling in between; a frozen lease is not made longer. p_lease is the id that a new lease gets.
CREATE OR REPLACE FUNCTION redemption.take_lease(p_community bigint, p_device uuid, p_lease uuid, p_now timestamptz, p_hours int) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_device redemption.device;
    v_lease redemption.lease;
    v_offers uuid[];
BEGIN
    v_offers := ARRAY(
        SELECT o.offer_id FROM redemption.offer o
         WHERE o.community_id = p_community AND o.offline_class = 1 AND o.state <> 'draft'
           AND o.offer_id IN (SELECT m.offer_id FROM redemption.offer_merchant m
                                JOIN redemption.device d ON d.community_id = m.community_id AND d.merchant_id = m.merchant_id
                               WHERE m.community_id = p_community AND d.device_id = p_device)
         ORDER BY o.offer_id FOR NO KEY UPDATE);
    SELECT * INTO v_device FROM redemption.device d WHERE d.community_id = p_community AND d.device_id = p_device FOR NO KEY UPDATE;
    IF v_device.kind IS DISTINCT FROM 'enrolled' OR v_device.revoked_at IS NOT NULL THEN
        RETURN redemption.said('device_refused');
    END IF;
    UPDATE redemption.lease l SET state = 'over', ended_at = l.ends_at
     WHERE l.community_id = p_community AND l.merchant_id = v_device.merchant_id AND l.state = 'out' AND l.ends_at <= p_now;
    SELECT * INTO v_lease FROM redemption.lease l
     WHERE l.community_id = p_community AND l.device_id = p_device AND l.state = 'out' FOR NO KEY UPDATE;
    IF v_lease.frozen_at IS NOT NULL THEN
        RETURN redemption.said('done', redemption.lease_detail(v_lease));
    ELSIF NOT EXISTS (SELECT FROM unnest(v_offers) o (offer_id)
                       WHERE coalesce((redemption.lease_on(p_community, o.offer_id, p_now)).device_id, p_device) = p_device) THEN
        RETURN redemption.said('leased', coalesce((SELECT redemption.lease_detail(redemption.lease_on(p_community, o.offer_id, p_now))
                                                     FROM unnest(v_offers) o (offer_id) LIMIT 1), '{}'));
    END IF;
    IF v_lease.lease_id IS NULL THEN
        INSERT INTO redemption.lease (community_id, lease_id, merchant_id, device_id, state, granted_at, renewed_at, ends_at)
        VALUES (p_community, p_lease, v_device.merchant_id, p_device, 'out', p_now, p_now, p_now + make_interval(hours => p_hours))
        RETURNING * INTO v_lease;
    ELSE
        UPDATE redemption.lease l SET renewed_at = p_now, ends_at = p_now + make_interval(hours => p_hours)
         WHERE l.community_id = p_community AND l.lease_id = v_lease.lease_id
        RETURNING * INTO v_lease;
    END IF;
    INSERT INTO redemption.lease_offer AS held (community_id, offer_id, lease_id)
    SELECT p_community, o.offer_id, v_lease.lease_id FROM unnest(v_offers) o (offer_id)
        ON CONFLICT ON CONSTRAINT pk_lease_offer DO UPDATE SET lease_id = excluded.lease_id
     WHERE NOT EXISTS (SELECT FROM redemption.lease l
                        WHERE l.community_id = p_community AND l.lease_id = held.lease_id AND l.state = 'out' AND l.ends_at > p_now);
    RETURN redemption.said('done', redemption.lease_detail(v_lease));
END $$;

-- What is wrong with the record itself, before anything is asked of the voucher's state; NULL when nothing is.
CREATE OR REPLACE FUNCTION redemption.record_fault(
    p_device redemption.device, p_record jsonb, p_voucher redemption.voucher, p_scanned timestamptz, p_now timestamptz, p_terms jsonb
) RETURNS jsonb
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_lease redemption.lease;
    v_offer redemption.offer;
    v_clerk uuid := (p_record ->> 'clerk')::uuid;
BEGIN
    IF p_device.revoked_at IS NOT NULL THEN
        RETURN redemption.concluded('review', 'device_revoked');
    ELSIF p_record ->> 'fault' IS NOT NULL THEN
        RETURN redemption.concluded('review', p_record ->> 'fault');
    ELSIF p_voucher.voucher_id IS NULL THEN
        RETURN redemption.concluded('review', 'unknown');
    ELSIF v_clerk IS NULL OR NOT (p_record ->> 'is_clerk')::boolean THEN
        RETURN redemption.concluded('review', 'clerk_unknown');
    ELSIF p_now > p_scanned + make_interval(days => (p_terms ->> 'late_days')::int) THEN
        RETURN redemption.concluded('review', 'too_late');
    ELSIF NOT EXISTS (SELECT FROM redemption.offer_merchant om
                       WHERE om.community_id = p_voucher.community_id AND om.offer_id = p_voucher.offer_id
                         AND om.merchant_id = p_device.merchant_id) THEN
        RETURN redemption.concluded('conflict', 'wrong_merchant', 'merchant');
    ELSIF v_clerk IN (p_voucher.member_id, p_voucher.payer_id) OR p_voucher.owner_group = (p_record ->> 'group')::uuid THEN
        RETURN redemption.concluded('conflict', 'own_voucher', 'merchant');
    ELSIF p_voucher.offline_class = 0 THEN
        RETURN redemption.concluded('conflict', 'online_only', 'merchant');
    ELSIF p_voucher.offline_class = 1 THEN
        SELECT * INTO v_lease FROM redemption.lease l
         WHERE l.community_id = p_device.community_id AND l.lease_id = (p_record ->> 'lease')::uuid AND l.device_id = p_device.device_id;
        IF v_lease.state = 'broken' THEN
            RETURN redemption.concluded('review', 'lease_broken');
        ELSIF v_lease.lease_id IS NULL THEN
            RETURN redemption.concluded('conflict', 'lease_unknown', 'merchant');
        ELSIF p_scanned < v_lease.granted_at OR p_scanned >= least(v_lease.ends_at, v_lease.ended_at) THEN
            RETURN redemption.concluded('conflict', 'lease_over', 'merchant');
        END IF;
    END IF;
    SELECT * INTO v_offer FROM redemption.offer o WHERE o.community_id = p_voucher.community_id AND o.offer_id = p_voucher.offer_id;
    IF p_scanned >= p_voucher.expires_at THEN
        RETURN redemption.concluded('conflict', 'expired', 'merchant');
    ELSIF p_scanned < v_offer.usable_from THEN
        RETURN redemption.concluded('conflict', 'not_yet', 'merchant');
    ELSIF v_offer.weekdays & (1 << (extract(isodow FROM p_scanned AT TIME ZONE v_offer.time_zone)::int - 1)) = 0 THEN
        RETURN redemption.concluded('conflict', 'not_today', 'merchant');
    END IF;
    RETURN NULL;
END $$;

DROP FUNCTION redemption.finish_departure;
DROP FUNCTION redemption.departure_open;
DROP FUNCTION redemption.carry_departure;
DROP FUNCTION redemption.movable;
DROP FUNCTION redemption.decide_departure;
DROP FUNCTION redemption.lock_out;
DROP FUNCTION redemption.stop_offers;
DROP FUNCTION redemption.lock_departure;
DROP FUNCTION redemption.propose_departure;
DROP FUNCTION redemption.lease_until;
DROP FUNCTION redemption.is_in_scope;
DROP FUNCTION redemption.is_leaving;
DROP TABLE redemption.departure_voucher;
DROP TABLE redemption.departure_offer;
DROP TABLE redemption.departure;
