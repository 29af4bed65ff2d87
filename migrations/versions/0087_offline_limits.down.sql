-- As constants again. A setting's history stays: nothing reads it.
CREATE OR REPLACE FUNCTION redemption.is_inside_floor(
    p_device redemption.device, p_record jsonb, p_voucher redemption.voucher, p_scanned timestamptz, p_terms jsonb
) RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT redemption.value_fen(p_voucher) * (p_record ->> 'quantity')::int <= (p_terms ->> 'voucher_fen')::bigint
       AND count(*) + 1 <= (p_terms ->> 'vouchers')::int
       AND coalesce(sum(o.value_fen), 0) + redemption.value_fen(p_voucher) * (p_record ->> 'quantity')::int <= (p_terms ->> 'fen')::bigint
      FROM redemption.offline_record o
     WHERE o.community_id = p_device.community_id AND o.device_id = p_device.device_id AND o.offline_class = 2
       AND o.seq < (p_record ->> 'seq')::bigint AND o.received_at >= p_scanned
$$;

CREATE OR REPLACE FUNCTION redemption.take_lease(p_community bigint, p_device uuid, p_lease uuid, p_now timestamptz, p_hours int) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_device redemption.device;
    v_lease redemption.lease;
    v_offers uuid[];
    v_until timestamptz;
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
    END IF;
    -- Asked with the offers in hand: whoever locks the shop out holds them too.
    v_until := redemption.lease_until(p_community, v_device.merchant_id, p_now + make_interval(hours => p_hours), p_now);
    IF v_until IS NULL THEN
        RETURN redemption.said('leased');
    ELSIF NOT EXISTS (SELECT FROM unnest(v_offers) o (offer_id)
                       WHERE coalesce((redemption.lease_on(p_community, o.offer_id, p_now)).device_id, p_device) = p_device) THEN
        RETURN redemption.said('leased', coalesce((SELECT redemption.lease_detail(redemption.lease_on(p_community, o.offer_id, p_now))
                                                     FROM unnest(v_offers) o (offer_id) LIMIT 1), '{}'));
    END IF;
    IF v_lease.lease_id IS NULL THEN
        INSERT INTO redemption.lease (community_id, lease_id, merchant_id, device_id, state, granted_at, renewed_at, ends_at)
        VALUES (p_community, p_lease, v_device.merchant_id, p_device, 'out', p_now, p_now, v_until)
        RETURNING * INTO v_lease;
    ELSE
        UPDATE redemption.lease l SET renewed_at = p_now, ends_at = v_until
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

DROP FUNCTION redemption.tell_floor(bigint, uuid, int, bigint, bigint, timestamptz);
DROP FUNCTION redemption.floor_told(redemption.device, timestamptz, jsonb);
DROP TABLE redemption.device_floor;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA redemption FROM PUBLIC;
