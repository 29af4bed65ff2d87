-- One record, new to us. p_flags is what the chain of records says of it. The caller holds the voucher, the device and the month's losses.
CREATE OR REPLACE FUNCTION redemption.merge_record(p_device redemption.device, p_record jsonb, p_flags text[], p_now timestamptz, p_terms jsonb) RETURNS jsonb
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_nonce uuid := (p_record ->> 'nonce')::uuid;
    v_voucher redemption.voucher;
    v_claimed timestamptz := to_timestamp((p_record ->> 'trusted_at')::numeric / 1000);
    v_scanned timestamptz := least(p_now, greatest(v_claimed, p_device.log_at));
    v_heard timestamptz := coalesce(v_scanned - make_interval(secs => (p_record ->> 'mono')::double precision / 1000),
                                    least(p_device.seen_at, v_scanned), p_device.registered_at);
    v_use redemption.use;
    v_said jsonb;
BEGIN
    SELECT * INTO v_voucher FROM redemption.voucher v
     WHERE v.community_id = p_device.community_id AND v.voucher_id = (p_record ->> 'voucher')::bigint;
    SELECT * INTO v_use FROM redemption.use u
     WHERE u.community_id = p_device.community_id AND u.device_id = p_device.device_id AND u.nonce = v_nonce;
    IF (v_use.voucher_id, v_use.quantity) = ((p_record ->> 'voucher')::bigint, (p_record ->> 'quantity')::int) AND p_record ->> 'undoes' IS NULL THEN
        -- The phone had scanned it with us and never heard the answer.
        v_said := redemption.concluded('already', 'accepted');
    ELSIF v_use.seq IS NOT NULL THEN
        v_said := redemption.concluded('review', 'use_differs');
    ELSIF p_record ->> 'undoes' IS NOT NULL THEN
        v_said := redemption.undo_record(p_device, p_record, v_scanned, p_now);
    ELSIF p_record ->> 'is_undone' IS NOT NULL THEN
        -- The phone took it back itself, before or together with this: nothing was given out.
        v_said := redemption.concluded('accepted', 'undone');
    ELSE
        v_said := redemption.judge_record(p_device, p_record, v_voucher, v_scanned, v_heard, p_now, p_terms);
        v_said := redemption.apply_record(p_device, p_record, v_voucher, v_said, v_scanned, p_now, p_terms);
    END IF;
    INSERT INTO redemption.offline_record (community_id, device_id, nonce, seq, hash, text, voucher_id, quantity, merchant_id, clerk_id, lease_id,
                                           offline_class, scanned_at, claimed_at, received_at, flags, verdict, reason, bearer, use_seq, value_fen, undoes)
    VALUES (p_device.community_id, p_device.device_id, v_nonce, (p_record ->> 'seq')::bigint, decode(p_record ->> 'hash', 'hex'), p_record ->> 'text',
            (p_record ->> 'voucher')::bigint, (p_record ->> 'quantity')::int, p_device.merchant_id, (p_record ->> 'clerk')::uuid,
            (p_record ->> 'lease')::uuid, CASE WHEN p_record ->> 'undoes' IS NULL AND v_said ->> 'reason' <> 'undone' THEN v_voucher.offline_class END,
            v_scanned, v_claimed, p_now, p_flags,
            v_said ->> 'verdict', v_said ->> 'reason', v_said ->> 'bearer', (v_said ->> 'use_seq')::int,
            CASE WHEN v_said ->> 'reason' IN ('undone', 'undo_late') THEN 0
                 ELSE coalesce(redemption.value_fen(v_voucher), 0) * (p_record ->> 'quantity')::int END,
            (p_record ->> 'undoes')::uuid);
    IF v_said ->> 'verdict' = 'review' THEN
        INSERT INTO redemption.offline_review (community_id, device_id, nonce, merchant_id, state, opened_at, due_at)
        VALUES (p_device.community_id, p_device.device_id, v_nonce, p_device.merchant_id, 'open', p_now,
                p_now + make_interval(days => (p_terms ->> 'review_days')::int));
    ELSIF v_said ->> 'reason' IN ('used_elsewhere', 'used_online') THEN
        PERFORM redemption.add_strike(p_device.community_id, p_device.device_id, v_nonce, coalesce(v_voucher.payer_id, v_voucher.member_id), p_now);
    END IF;
    RETURN v_said || jsonb_build_object('nonce', v_nonce, 'scanned_at', v_scanned, 'voucher_id', v_voucher.voucher_id, 'member_id', v_voucher.member_id,
                                        'clerk_id', (p_record ->> 'clerk')::uuid,
                                        'title', (SELECT o.title FROM redemption.offer o
                                                   WHERE o.community_id = v_voucher.community_id AND o.offer_id = v_voucher.offer_id));
END $$;

-- Many records of one phone in the order of their numbers. Each is answered for itself: what breaks one (poison) breaks no other, and it gets no
-- answer, so that it stays on the phone. Vouchers in the order of their ids, then the phone, then the month's losses, then the books' head.
CREATE OR REPLACE FUNCTION redemption.sync_records(p_community bigint, p_device uuid, p_records jsonb, p_now timestamptz, p_terms jsonb) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_device redemption.device;
    v_record jsonb;
    v_before redemption.offline_record;
    v_flags text[];
    v_skipped text[] := '{}';
    v_undone text[];
    v_said jsonb;
    v_answers jsonb[] := '{}';
BEGIN
    PERFORM FROM redemption.voucher v
      WHERE v.community_id = p_community AND v.voucher_id = ANY (ARRAY(SELECT (r ->> 'voucher')::bigint FROM jsonb_array_elements(p_records) r))
      ORDER BY v.voucher_id FOR NO KEY UPDATE;
    SELECT * INTO v_device FROM redemption.device d WHERE d.community_id = p_community AND d.device_id = p_device FOR NO KEY UPDATE;
    IF v_device.kind IS DISTINCT FROM 'enrolled' THEN
        RETURN redemption.said('device_refused');
    END IF;
    -- What could not be read at the end of the upload before is no gap: the phone has put it aside.
    v_skipped := v_skipped || encode(v_device.log_skipped, 'hex');
    INSERT INTO redemption.loss_month (community_id, began_on, lost_fen, allowed_fen)
    VALUES (p_community, (p_terms ->> 'month_on')::date, 0, (p_terms ->> 'fen')::bigint) ON CONFLICT DO NOTHING;
    PERFORM FROM redemption.loss_month m WHERE m.community_id = p_community AND m.began_on = (p_terms ->> 'month_on')::date FOR NO KEY UPDATE;
    -- What the phone took back itself: told by this upload, or by one that came before its scan.
    v_undone := ARRAY(
        SELECT (r ->> 'undoes') || ' ' || (r ->> 'voucher') FROM jsonb_array_elements(p_records) r WHERE r ->> 'undoes' IS NOT NULL
         UNION ALL
        SELECT o.undoes || ' ' || o.voucher_id FROM redemption.offline_record o
         WHERE o.community_id = p_community AND o.device_id = p_device AND o.reason = 'undone'
           AND o.undoes = ANY (ARRAY(SELECT (r ->> 'nonce')::uuid FROM jsonb_array_elements(p_records) r)));
    FOR v_record IN SELECT r.value FROM jsonb_array_elements(p_records) WITH ORDINALITY r (value, place) ORDER BY r.place LOOP
        v_said := NULL;
        SELECT * INTO v_before FROM redemption.offline_record o
         WHERE o.community_id = p_community AND o.device_id = p_device AND o.nonce = (v_record ->> 'nonce')::uuid FOR UPDATE;
        IF v_before.nonce IS NOT NULL THEN
            IF encode(v_before.hash, 'hex') <> v_record ->> 'hash' THEN
                PERFORM redemption.freeze_lease(p_community, p_device, 'fork', p_now);
            END IF;
            v_answers := v_answers || (redemption.concluded('already', v_before.reason, v_before.bearer) || jsonb_build_object('nonce', v_before.nonce));
            CONTINUE;
        ELSIF (v_record ->> 'is_unread')::boolean THEN
            v_skipped := v_skipped || (v_record ->> 'hash');
            CONTINUE;
        END IF;
        v_flags := ARRAY(SELECT jsonb_array_elements_text(v_record -> 'flags')) || CASE
            WHEN (v_record ->> 'seq')::bigint <= v_device.log_seq THEN '{fork}'
            WHEN v_record ->> 'prev' = ANY (v_skipped) THEN '{}'
            WHEN (v_record ->> 'seq')::bigint > v_device.log_seq + 1 THEN '{gap}'
            WHEN v_record ->> 'prev' <> coalesce(encode(v_device.log_hash, 'hex'), repeat('0', 64)) THEN '{fork}'
            ELSE '{}' END::text[];
        IF (v_record ->> 'nonce') || ' ' || (v_record ->> 'voucher') = ANY (v_undone) THEN
            v_record := v_record || '{"is_undone": true}';
        END IF;
        BEGIN
            v_said := redemption.merge_record(v_device, v_record, v_flags, p_now, p_terms);
        EXCEPTION WHEN OTHERS THEN
            -- Only what is wrong with the record itself may be told so; a cut connection or a deadlock is the whole upload's.
            IF left(SQLSTATE, 2) NOT IN ('22', '23', 'P0') THEN
                RAISE;
            END IF;
            v_skipped := v_skipped || (v_record ->> 'hash');
        END;
        IF v_said IS NOT NULL THEN
            v_answers := v_answers || v_said;
            IF v_flags && '{gap,fork,clock_back}' OR v_said ->> 'reason' = 'lease_unknown' THEN
                PERFORM redemption.freeze_lease(p_community, p_device, coalesce(v_flags[1], 'lease_unknown'), p_now);
            END IF;
            IF (v_record ->> 'seq')::bigint > v_device.log_seq THEN
                v_device.log_seq := (v_record ->> 'seq')::bigint;
                v_device.log_hash := decode(v_record ->> 'hash', 'hex');
            END IF;
            v_device.log_at := greatest(v_device.log_at, (v_said ->> 'scanned_at')::timestamptz);
        END IF;
    END LOOP;
    UPDATE redemption.device d
       SET log_seq = v_device.log_seq, log_hash = v_device.log_hash, log_at = v_device.log_at,
           -- What people bring for a dead phone does not say that the phone heard us.
           seen_at = CASE WHEN p_terms ->> 'is_brought' IS NULL THEN p_now ELSE d.seen_at END,
           log_skipped = decode(v_skipped[cardinality(v_skipped)], 'hex')
     WHERE d.community_id = p_community AND d.device_id = p_device;
    RETURN redemption.said('done', jsonb_build_object('answers', to_jsonb(v_answers)));
END $$;

DROP FUNCTION redemption.merge_plain;
DROP FUNCTION redemption.plain_records;
DROP FUNCTION redemption.heard_at;
DROP FUNCTION redemption.scanned_at;
