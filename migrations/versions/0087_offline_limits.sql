-- What phones may take without a network, and the days of repairs, as settings of each community; and what each phone was told of it.

CREATE TABLE redemption.device_floor (
    community_id bigint NOT NULL,
    device_id uuid NOT NULL,
    given_at timestamptz NOT NULL,
    vouchers integer NOT NULL,
    fen bigint NOT NULL,
    voucher_fen bigint NOT NULL,
    CONSTRAINT pk_device_floor PRIMARY KEY (community_id, device_id, given_at),
    CONSTRAINT fk_device_floor_device FOREIGN KEY (community_id, device_id) REFERENCES redemption.device (community_id, device_id),
    CONSTRAINT ck_device_floor_limits CHECK (vouchers >= 0 AND fen >= 0 AND voucher_fen >= 0)
);

-- Every phone was told the same until now.
INSERT INTO redemption.device_floor (community_id, device_id, given_at, vouchers, fen, voucher_fen)
SELECT d.community_id, d.device_id, d.registered_at, 20, 30000, 3000 FROM redemption.device d WHERE d.kind = 'enrolled';

INSERT INTO setting (community_id, name, effective_from, revision, value, set_at)
SELECT c.community_id, s.name, DATE '2000-01-01', 1, s.value, c.founded_at
  FROM community c
 CROSS JOIN (VALUES ('offline_vouchers_max', 20), ('offline_fen_max', 30000), ('offline_voucher_fen_max', 3000),
                    ('offline_soft_hours', 24), ('offline_hard_hours', 72), ('offline_lease_hours', 72),
                    ('offline_loss_millionths', 1000), ('repair_warranty_days', 7),
                    ('repair_warranty_fifths', 1), ('repair_job_days', 14)) AS s (name, value)
    ON CONFLICT ON CONSTRAINT pk_setting DO NOTHING;

CREATE FUNCTION redemption.floor_told(p_device redemption.device, p_scanned timestamptz, p_terms jsonb)
    RETURNS TABLE (vouchers int, fen bigint, voucher_fen bigint)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(max(f.vouchers), (p_terms ->> 'vouchers')::int), coalesce(max(f.fen), (p_terms ->> 'fen')::bigint),
           coalesce(max(f.voucher_fen), (p_terms ->> 'voucher_fen')::bigint)
      FROM redemption.device_floor f
     WHERE f.community_id = p_device.community_id AND f.device_id = p_device.device_id AND f.given_at <= p_scanned + interval '2 minutes'
       AND f.given_at >= coalesce((SELECT max(b.given_at) FROM redemption.device_floor b
                                    WHERE b.community_id = p_device.community_id AND b.device_id = p_device.device_id
                                      AND b.given_at <= p_scanned - interval '72 hours'), '-infinity')
$$;

CREATE OR REPLACE FUNCTION redemption.is_inside_floor(
    p_device redemption.device, p_record jsonb, p_voucher redemption.voucher, p_scanned timestamptz, p_terms jsonb
) RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT redemption.value_fen(p_voucher) * (p_record ->> 'quantity')::int <= told.voucher_fen
       AND (SELECT count(*) + 1 <= told.vouchers
                   AND coalesce(sum(o.value_fen), 0) + redemption.value_fen(p_voucher) * (p_record ->> 'quantity')::int <= told.fen
              FROM redemption.offline_record o
             WHERE o.community_id = p_device.community_id AND o.device_id = p_device.device_id AND o.offline_class = 2
               AND o.seq < (p_record ->> 'seq')::bigint AND o.received_at >= p_scanned)
      FROM redemption.floor_told(p_device, p_scanned, p_terms) told
$$;

CREATE FUNCTION redemption.tell_floor(
    p_community bigint, p_device uuid, p_vouchers int, p_fen bigint, p_voucher_fen bigint, p_now timestamptz
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_last redemption.device_floor;
BEGIN
    SELECT * INTO v_last FROM redemption.device_floor f
     WHERE f.community_id = p_community AND f.device_id = p_device ORDER BY f.given_at DESC LIMIT 1;
    IF (v_last.vouchers, v_last.fen, v_last.voucher_fen) IS DISTINCT FROM (p_vouchers, p_fen, p_voucher_fen) THEN
        INSERT INTO redemption.device_floor (community_id, device_id, given_at, vouchers, fen, voucher_fen)
        VALUES (p_community, p_device, p_now, p_vouchers, p_fen, p_voucher_fen) ON CONFLICT DO NOTHING;
    END IF;
    RETURN redemption.said('done');
END $$;

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
    -- A lease is not made shorter by a limit that was lowered: the phone may not hear of it. Only a shop that leaves ends it earlier.
    v_until := redemption.lease_until(p_community, v_device.merchant_id, greatest(p_now + make_interval(hours => p_hours), v_lease.ends_at), p_now);
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

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA redemption FROM PUBLIC;
GRANT SELECT ON redemption.device_floor TO linli_app, linli_audit;
GRANT EXECUTE ON FUNCTION redemption.tell_floor TO linli_app;
