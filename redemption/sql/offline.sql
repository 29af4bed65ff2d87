-- Phones of shops that may scan without a network: how they are enrolled, and the lease that makes one of them the only one.

-- A ticket is told once to a phone beside its maker. Only its digest is kept.
CREATE FUNCTION redemption.make_ticket(
    p_community bigint, p_ticket bytea, p_merchant uuid, p_actor uuid, p_now timestamptz, p_minutes int
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF p_actor IS NULL THEN
        RETURN redemption.said('actor_missing');
    END IF;
    INSERT INTO redemption.merchant (community_id, merchant_id) VALUES (p_community, p_merchant) ON CONFLICT DO NOTHING;
    INSERT INTO redemption.device_ticket (community_id, ticket, merchant_id, made_by, made_at, ends_at)
    VALUES (p_community, p_ticket, p_merchant, p_actor, p_now, p_now + make_interval(mins => p_minutes));
    RETURN redemption.said('done', jsonb_build_object('ends_at', p_now + make_interval(mins => p_minutes)));
END $$;

-- The first phone with the ticket becomes a device of the shop. The ticket's lock makes it the only one; the same phone again gets the same answer.
CREATE FUNCTION redemption.enrol_device(
    p_community bigint, p_ticket bytea, p_device uuid, p_public_key bytea, p_label text, p_now timestamptz
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_ticket redemption.device_ticket;
    v_device redemption.device;
BEGIN
    SELECT * INTO v_ticket FROM redemption.device_ticket t
     WHERE t.community_id = p_community AND t.ticket = p_ticket FOR NO KEY UPDATE;
    IF v_ticket.ticket IS NULL THEN
        RETURN redemption.said('ticket_unknown');
    END IF;
    SELECT * INTO v_device FROM redemption.device d WHERE d.community_id = p_community AND d.device_id = v_ticket.device_id;
    IF v_ticket.device_id IS NOT NULL AND v_device.public_key = p_public_key THEN
        RETURN redemption.said('replayed', jsonb_build_object('device_id', v_device.device_id, 'merchant_id', v_device.merchant_id));
    ELSIF v_ticket.device_id IS NOT NULL THEN
        RETURN redemption.said('ticket_used');
    ELSIF p_now >= v_ticket.ends_at THEN
        RETURN redemption.said('ticket_over', jsonb_build_object('ends_at', v_ticket.ends_at));
    ELSIF length(p_public_key) <> 32 OR length(p_label) NOT BETWEEN 1 AND 60 THEN
        RETURN redemption.said('device_wrong');
    END IF;
    INSERT INTO redemption.device (community_id, device_id, kind, merchant_id, public_key, label, registered_by, registered_at)
    VALUES (p_community, p_device, 'enrolled', v_ticket.merchant_id, p_public_key, p_label, v_ticket.made_by, p_now);
    UPDATE redemption.device_ticket t SET device_id = p_device, used_at = p_now
     WHERE t.community_id = p_community AND t.ticket = p_ticket;
    RETURN redemption.said('done', jsonb_build_object('device_id', p_device, 'merchant_id', v_ticket.merchant_id));
END $$;

-- The lease that keeps other devices from a leased offer now; no row when nobody holds it.
CREATE FUNCTION redemption.lease_on(p_community bigint, p_offer uuid, p_now timestamptz) RETURNS redemption.lease
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT l FROM redemption.lease_offer o
      JOIN redemption.lease l ON l.community_id = o.community_id AND l.lease_id = o.lease_id
     WHERE o.community_id = p_community AND o.offer_id = p_offer AND l.state = 'out' AND l.ends_at > p_now
$$;

CREATE FUNCTION redemption.lease_detail(p_lease redemption.lease) RETURNS jsonb
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT jsonb_build_object('lease_id', p_lease.lease_id, 'ends_at', p_lease.ends_at, 'frozen', p_lease.frozen_at IS NOT NULL,
                              'label', (SELECT d.label FROM redemption.device d
                                         WHERE d.community_id = p_lease.community_id AND d.device_id = p_lease.device_id))
$$;

-- Gives a phone the lease of its shop's leased offers that no other phone holds, or makes its own longer. The offers' locks keep a member from
-- cancelling in between; a frozen lease is not made longer. p_lease is the id that a new lease gets.
CREATE FUNCTION redemption.take_lease(p_community bigint, p_device uuid, p_lease uuid, p_now timestamptz, p_hours int) RETURNS redemption.verdict
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
    -- What the phone may do is kept beyond the lease's end: its records come later.
    INSERT INTO redemption.lease_cover (community_id, lease_id, offer_id, covered_at)
    SELECT o.community_id, o.lease_id, o.offer_id, p_now FROM redemption.lease_offer o
     WHERE o.community_id = p_community AND o.lease_id = v_lease.lease_id
        ON CONFLICT DO NOTHING;
    RETURN redemption.said('done', redemption.lease_detail(v_lease));
END $$;

-- What a lease's holder may redeem without a network. Each voucher is locked for a moment: a scan elsewhere that began before the lease
-- was granted has then been decided, and one that begins later sees the lease. What the holder itself keeps for a moment is still its own.
CREATE FUNCTION redemption.leased_vouchers(p_community bigint, p_device uuid, p_now timestamptz) RETURNS TABLE (
    voucher_id bigint, offer_id uuid, title text, open int, points_each int, cash_fen_each bigint, value_fen bigint, code_seq int, offline_class int,
    expires_at timestamptz, usable_from timestamptz, weekdays smallint
)
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT v.voucher_id, v.offer_id, o.title, redemption.open_quantity(v), v.points_each + v.subsidy_points_each, v.cash_fen_each,
           redemption.value_fen(v), v.code_seq, redemption.class_for(p_community, coalesce(v.payer_id, v.member_id), v.offline_class),
           v.expires_at, o.usable_from, o.weekdays
      FROM redemption.voucher v
      JOIN redemption.offer o ON o.community_id = v.community_id AND o.offer_id = v.offer_id
     WHERE v.community_id = p_community AND v.state IN ('ISSUED', 'PART_USED', 'LOCKED') AND v.offline_class = 1 AND v.expires_at > p_now
       AND (v.state <> 'LOCKED' OR v.lock_device_id = p_device)
       AND v.offer_id IN (SELECT h.offer_id FROM redemption.lease_offer h
                            JOIN redemption.lease l ON l.community_id = h.community_id AND l.lease_id = h.lease_id
                           WHERE h.community_id = p_community AND l.device_id = p_device AND l.state = 'out' AND l.ends_at > p_now)
     ORDER BY v.voucher_id FOR SHARE OF v
$$;

-- Keeps what a phone is told that it may take without us, when it is something else than before. Of the class that roams only: a lease is a row.
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

-- The holder gives its lease back, or hands it to another phone of its shop, once every record it made has been uploaded. p_lease names it:
-- what was said of an earlier one and comes late ends no later one. Without it the one that is out is meant.
CREATE FUNCTION redemption.return_lease(
    p_community bigint, p_device uuid, p_seq bigint, p_now timestamptz, p_lease uuid DEFAULT NULL
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_device redemption.device;
    v_lease redemption.lease;
BEGIN
    SELECT * INTO v_device FROM redemption.device d WHERE d.community_id = p_community AND d.device_id = p_device FOR NO KEY UPDATE;
    IF v_device.kind IS DISTINCT FROM 'enrolled' OR v_device.revoked_at IS NOT NULL THEN
        RETURN redemption.said('device_refused');
    ELSIF p_seq > v_device.log_seq THEN
        RETURN redemption.said('records_waiting', jsonb_build_object('uploaded', v_device.log_seq));
    END IF;
    UPDATE redemption.lease l SET state = 'returned', ended_at = p_now
     WHERE l.community_id = p_community AND l.device_id = p_device AND l.state = 'out' AND l.lease_id = coalesce(p_lease, l.lease_id)
    RETURNING * INTO v_lease;
    DELETE FROM redemption.lease_offer o WHERE o.community_id = p_community AND o.lease_id = v_lease.lease_id;
    RETURN redemption.said('done', jsonb_build_object('lease_id', v_lease.lease_id));
END $$;

-- The phone is lost or dead: its vouchers work online at once, and whatever it uploads later of this lease is held for review.
CREATE FUNCTION redemption.break_lease(
    p_community bigint, p_key uuid, p_lease uuid, p_reason text, p_actor uuid, p_now timestamptz
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb := jsonb_build_object('lease', p_lease);
    v_lease redemption.lease;
    v_before redemption.verdict;
    v_detail jsonb;
BEGIN
    SELECT * INTO v_lease FROM redemption.lease l WHERE l.community_id = p_community AND l.lease_id = p_lease FOR NO KEY UPDATE;
    v_before := redemption.remembered(p_community, p_key, 'break_lease', v_request);
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    ELSIF v_lease.lease_id IS NULL OR v_lease.state <> 'out' THEN
        RETURN redemption.said('lease_over', jsonb_build_object('state', v_lease.state));
    ELSIF coalesce(p_reason, '') = '' THEN
        RETURN redemption.said('reason_missing');
    ELSIF p_actor IS NULL THEN
        RETURN redemption.said('actor_missing');
    END IF;
    UPDATE redemption.lease l SET state = 'broken', ended_at = p_now, ended_by = p_actor, reason = p_reason
     WHERE l.community_id = p_community AND l.lease_id = p_lease;
    DELETE FROM redemption.lease_offer o WHERE o.community_id = p_community AND o.lease_id = p_lease;
    v_detail := jsonb_build_object('device_id', v_lease.device_id, 'merchant_id', v_lease.merchant_id);
    PERFORM redemption.remember(p_community, p_key, 'break_lease', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;

-- Cancellations that waited for a phone: its lease is over, or it has heard since that the voucher is not to be accepted. The rest goes back.
CREATE FUNCTION redemption.end_cancelling(p_community bigint, p_now timestamptz, p_limit int) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_ids bigint[];
    v_offers uuid[];
    v_voucher redemption.voucher;
    v_refusal redemption.verdict;
    v_done jsonb := '[]';
BEGIN
    SELECT array_agg(d.voucher_id ORDER BY d.voucher_id), array_agg(DISTINCT d.offer_id) INTO v_ids, v_offers
      FROM (SELECT v.voucher_id, v.offer_id FROM redemption.voucher v
             WHERE v.community_id = p_community AND v.state = 'CANCEL_PENDING'
               AND coalesce((redemption.lease_on(p_community, v.offer_id, p_now)).renewed_at > v.changed_at, true)
             ORDER BY v.changed_at, v.voucher_id LIMIT p_limit) d;
    PERFORM FROM redemption.offer o WHERE o.community_id = p_community AND o.offer_id = ANY (v_offers) ORDER BY o.offer_id FOR NO KEY UPDATE;
    FOR v_voucher IN
        SELECT v.* FROM redemption.voucher v
         WHERE v.community_id = p_community AND v.voucher_id = ANY (v_ids) AND v.state = 'CANCEL_PENDING'
         ORDER BY v.voucher_id FOR NO KEY UPDATE SKIP LOCKED
    LOOP
        v_refusal := redemption.end_voucher(v_voucher, 'CANCELLED', 'end_cancelling', 'voucher_cancelled', NULL, NULL, 'lease over', p_now);
        IF v_refusal.code IS NULL THEN
            v_done := v_done || redemption.ended_detail(v_voucher, 'CANCELLED');
        END IF;
    END LOOP;
    RETURN redemption.said('done', jsonb_build_object('ended', v_done, 'found', coalesce(cardinality(v_ids), 0)));
END $$;
