-- The release before knows no case that nobody decided, and none of an undo.
UPDATE redemption.offline_review SET state = 'open', is_paid = NULL, note = NULL, decided_at = NULL WHERE state = 'decided' AND decided_by IS NULL;
DELETE FROM redemption.offline_review r USING redemption.offline_record o
 WHERE o.community_id = r.community_id AND o.device_id = r.device_id AND o.nonce = r.nonce AND (o.undoes IS NOT NULL OR o.reason = 'use_differs');
UPDATE redemption.offline_record SET verdict = 'conflict', reason = 'undo_late', bearer = 'merchant' WHERE verdict = 'review' AND undoes IS NOT NULL;
UPDATE redemption.offline_record SET verdict = 'already', reason = 'accepted' WHERE verdict = 'review' AND reason = 'use_differs';
ALTER TABLE redemption.offline_review DROP CONSTRAINT ck_offline_review_proposed;
ALTER TABLE redemption.offline_review DROP CONSTRAINT ck_offline_review_decided;
ALTER TABLE redemption.offline_review ADD CONSTRAINT ck_offline_review_proposed
    CHECK ((state = 'open') = (proposed_by IS NULL) AND (state = 'open') = (is_paid IS NULL)) NOT VALID;
ALTER TABLE redemption.offline_review ADD CONSTRAINT ck_offline_review_decided
    CHECK ((state = 'decided') = (decided_by IS NOT NULL)) NOT VALID;
ALTER TABLE redemption.offline_review VALIDATE CONSTRAINT ck_offline_review_proposed;
ALTER TABLE redemption.offline_review VALIDATE CONSTRAINT ck_offline_review_decided;

DROP FUNCTION redemption.is_inside_floor(redemption.device, jsonb, redemption.voucher, timestamptz, jsonb);
DROP FUNCTION redemption.used_before(redemption.device, jsonb, redemption.voucher, timestamptz, jsonb);
DROP FUNCTION redemption.undo_record(redemption.device, jsonb, timestamptz, timestamptz);
DROP FUNCTION redemption.undo_held(redemption.device, redemption.offline_record, timestamptz);
DROP FUNCTION redemption.decide_review(bigint, uuid, uuid, boolean, uuid, timestamptz, date, text);

CREATE OR REPLACE FUNCTION redemption.is_inside_floor(
    p_device redemption.device, p_record jsonb, p_voucher redemption.voucher, p_heard timestamptz, p_terms jsonb
) RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT redemption.value_fen(p_voucher) * (p_record ->> 'quantity')::int <= (p_terms ->> 'voucher_fen')::bigint
       AND count(*) + 1 <= (p_terms ->> 'vouchers')::int
       AND coalesce(sum(o.value_fen), 0) + redemption.value_fen(p_voucher) * (p_record ->> 'quantity')::int <= (p_terms ->> 'fen')::bigint
      FROM redemption.offline_record o
     WHERE o.community_id = p_device.community_id AND o.device_id = p_device.device_id AND o.offline_class = 2
       AND o.seq < (p_record ->> 'seq')::bigint AND o.scanned_at >= p_heard
$$;

CREATE OR REPLACE FUNCTION redemption.used_before(
    p_device redemption.device, p_record jsonb, p_voucher redemption.voucher, p_heard timestamptz, p_terms jsonb
) RETURNS jsonb
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_earlier record;
BEGIN
    SELECT bool_or(u.device_id = p_device.device_id) AS here, bool_or(o.verdict = 'accepted') AS offline INTO v_earlier
      FROM redemption.use u
      LEFT JOIN redemption.offline_record o ON o.community_id = u.community_id AND o.device_id = u.device_id AND o.nonce = u.nonce
     WHERE u.community_id = p_voucher.community_id AND u.voucher_id = p_voucher.voucher_id AND u.state NOT IN ('REVERSED', 'ADJUSTED')
       AND u.bearer IS NULL;
    IF v_earlier.here THEN
        RETURN redemption.concluded('conflict', 'used_here', 'merchant');
    ELSIF (p_record ->> 'quantity')::int > p_voucher.quantity_total
          OR NOT redemption.is_inside_floor(p_device, p_record, p_voucher, p_heard, p_terms) THEN
        RETURN redemption.concluded('conflict', 'above_floor', 'merchant');
    ELSIF v_earlier.here IS NULL THEN
        RETURN redemption.concluded('conflict', 'cancelled_before', 'member');
    END IF;
    RETURN redemption.concluded('conflict', CASE WHEN v_earlier.offline THEN 'used_elsewhere' ELSE 'used_online' END, 'fund');
END $$;

CREATE OR REPLACE FUNCTION redemption.judge_record(
    p_device redemption.device, p_record jsonb, p_voucher redemption.voucher, p_scanned timestamptz, p_heard timestamptz, p_now timestamptz, p_terms jsonb
) RETURNS jsonb
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_fault jsonb := redemption.record_fault(p_device, p_record, p_voucher, p_scanned, p_now, p_terms);
    v_renewed timestamptz;
BEGIN
    IF v_fault IS NOT NULL THEN
        RETURN v_fault;
    ELSIF p_voucher.state IN ('FROZEN', 'VOID', 'CANCELLED') AND redemption.is_stale(p_voucher.changed_at, p_scanned, p_heard) THEN
        RETURN redemption.concluded('conflict', 'revoked', 'merchant');
    ELSIF p_voucher.state IN ('FROZEN', 'LOCKED', 'RESERVED') THEN
        RETURN redemption.concluded('review', lower(p_voucher.state));
    ELSIF p_voucher.state IN ('CANCELLED', 'EXPIRED') THEN
        RETURN redemption.concluded('conflict', lower(p_voucher.state) || '_before', 'member');
    ELSIF p_voucher.state = 'VOID' THEN
        RETURN CASE WHEN redemption.is_inside_floor(p_device, p_record, p_voucher, p_heard, p_terms)
                    THEN redemption.concluded('conflict', 'void', 'fund') ELSE redemption.concluded('conflict', 'above_floor', 'merchant') END;
    ELSIF p_voucher.state = 'CANCEL_PENDING' AND p_voucher.offline_class <> 1 THEN
        RETURN redemption.concluded('review', 'cancel_pending');
    ELSIF redemption.open_quantity(p_voucher) < (p_record ->> 'quantity')::int THEN
        RETURN redemption.used_before(p_device, p_record, p_voucher, p_heard, p_terms);
    END IF;
    IF (p_record ->> 'code_seq')::int <> p_voucher.code_seq THEN
        SELECT max(e.at) INTO v_renewed FROM redemption.voucher_event e
         WHERE e.community_id = p_voucher.community_id AND e.voucher_id = p_voucher.voucher_id AND e.action IN ('renew_code', 'reverse', 'give');
        IF redemption.is_stale(v_renewed, p_scanned, p_heard) THEN
            RETURN redemption.concluded('conflict', 'code_outdated', 'merchant');
        END IF;
    END IF;
    RETURN redemption.concluded('accepted', 'accepted');
END $$;

CREATE OR REPLACE FUNCTION redemption.undo_record(p_device redemption.device, p_record jsonb, p_now timestamptz) RETURNS jsonb
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_use redemption.use;
    v_earlier redemption.offline_record;
    v_back redemption.verdict;
BEGIN
    SELECT * INTO v_use FROM redemption.use u
     WHERE u.community_id = p_device.community_id AND u.device_id = p_device.device_id AND u.nonce = (p_record ->> 'undoes')::uuid;
    SELECT * INTO v_earlier FROM redemption.offline_record o
     WHERE o.community_id = p_device.community_id AND o.device_id = p_device.device_id AND o.nonce = (p_record ->> 'undoes')::uuid;
    IF p_device.revoked_at IS NULL AND v_use.bearer IS NULL AND v_use.voucher_id = (p_record ->> 'voucher')::bigint THEN
        v_back := redemption.reverse_use(
            p_device.community_id, (p_record ->> 'nonce')::uuid, v_use.voucher_id, v_use.seq, false, 'undone on the phone', (p_record ->> 'clerk')::uuid,
            NULL, p_now, (p_record ->> 'minutes')::int, (p_record ->> 'per_day')::int, p_record ->> 'short_code');
        IF v_back.code = 'done' THEN
            RETURN redemption.concluded('accepted', 'undone') || jsonb_build_object('reversed_seq', v_use.seq);
        ELSIF v_back.code IN ('replayed', 'already_reversed') THEN
            RETURN redemption.concluded('accepted', 'undone');
        END IF;
    ELSIF v_use.seq IS NULL AND (v_earlier.nonce IS NULL OR v_earlier.reason = 'undone') THEN
        RETURN redemption.concluded('accepted', 'undone');
    END IF;
    RETURN redemption.concluded('conflict', 'undo_late', 'merchant');
END $$;

CREATE OR REPLACE FUNCTION redemption.merge_record(p_device redemption.device, p_record jsonb, p_flags text[], p_now timestamptz, p_terms jsonb) RETURNS jsonb
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_nonce uuid := (p_record ->> 'nonce')::uuid;
    v_voucher redemption.voucher;
    v_claimed timestamptz := to_timestamp((p_record ->> 'trusted_at')::numeric / 1000);
    v_scanned timestamptz := least(p_now, greatest(v_claimed, p_device.log_at));
    v_heard timestamptz := coalesce(v_scanned - make_interval(secs => (p_record ->> 'mono')::double precision / 1000), p_device.seen_at, p_device.registered_at);
    v_said jsonb;
BEGIN
    SELECT * INTO v_voucher FROM redemption.voucher v
     WHERE v.community_id = p_device.community_id AND v.voucher_id = (p_record ->> 'voucher')::bigint;
    IF EXISTS (SELECT FROM redemption.use u WHERE u.community_id = p_device.community_id AND u.device_id = p_device.device_id AND u.nonce = v_nonce) THEN
        -- The phone had scanned it with us and never heard the answer.
        v_said := redemption.concluded('already', 'accepted');
    ELSIF p_record ->> 'undoes' IS NOT NULL THEN
        v_said := redemption.undo_record(p_device, p_record, p_now);
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
            (p_record ->> 'lease')::uuid, CASE WHEN v_said ->> 'reason' NOT IN ('undone', 'undo_late') THEN v_voucher.offline_class END, v_scanned, v_claimed, p_now, p_flags,
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
            v_device.log_seq := greatest(v_device.log_seq, (v_record ->> 'seq')::bigint);
            v_device.log_hash := decode(v_record ->> 'hash', 'hex');
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

CREATE OR REPLACE FUNCTION redemption.propose_review(
    p_community bigint, p_device uuid, p_nonce uuid, p_is_paid boolean, p_note text, p_actor uuid, p_now timestamptz
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_review redemption.offline_review;
    v_voucher bigint;
BEGIN
    SELECT * INTO v_review FROM redemption.offline_review r
     WHERE r.community_id = p_community AND r.device_id = p_device AND r.nonce = p_nonce FOR NO KEY UPDATE;
    SELECT v.voucher_id INTO v_voucher FROM redemption.offline_record o
      JOIN redemption.voucher v ON v.community_id = o.community_id AND v.voucher_id = o.voucher_id
     WHERE o.community_id = p_community AND o.device_id = p_device AND o.nonce = p_nonce;
    IF v_review.nonce IS NULL THEN
        RETURN redemption.said('review_unknown');
    ELSIF v_review.state = 'proposed' AND (v_review.is_paid, v_review.note, v_review.proposed_by) = (p_is_paid, p_note, p_actor) THEN
        RETURN redemption.said('replayed');
    ELSIF v_review.state <> 'open' THEN
        RETURN redemption.said('review_decided', jsonb_build_object('state', v_review.state));
    ELSIF coalesce(p_note, '') = '' THEN
        RETURN redemption.said('reason_missing');
    ELSIF p_actor IS NULL OR p_is_paid IS NULL THEN
        RETURN redemption.said('actor_missing');
    ELSIF p_is_paid AND v_voucher IS NULL THEN
        RETURN redemption.said('review_unpayable');
    END IF;
    UPDATE redemption.offline_review r SET state = 'proposed', is_paid = p_is_paid, note = p_note, proposed_by = p_actor, proposed_at = p_now
     WHERE r.community_id = p_community AND r.device_id = p_device AND r.nonce = p_nonce;
    RETURN redemption.said('done');
END $$;

CREATE OR REPLACE FUNCTION redemption.decide_review(
    p_community bigint, p_device uuid, p_nonce uuid, p_is_agreed boolean, p_actor uuid, p_now timestamptz, p_month_on date
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_record redemption.offline_record;
    v_review redemption.offline_review;
    v_voucher redemption.voucher;
    v_taken redemption.verdict;
    v_seq int;
BEGIN
    SELECT * INTO v_record FROM redemption.offline_record o WHERE o.community_id = p_community AND o.device_id = p_device AND o.nonce = p_nonce;
    SELECT * INTO v_voucher FROM redemption.voucher v
     WHERE v.community_id = p_community AND v.voucher_id = v_record.voucher_id FOR NO KEY UPDATE;
    SELECT * INTO v_review FROM redemption.offline_review r
     WHERE r.community_id = p_community AND r.device_id = p_device AND r.nonce = p_nonce FOR NO KEY UPDATE;
    IF v_review.nonce IS NULL THEN
        RETURN redemption.said('review_unknown');
    ELSIF v_review.state = 'decided' AND v_review.decided_by = p_actor AND p_is_agreed THEN
        RETURN redemption.said('replayed', jsonb_build_object('use_seq', v_review.use_seq));
    ELSIF v_review.state <> 'proposed' THEN
        RETURN redemption.said('review_decided', jsonb_build_object('state', v_review.state));
    ELSIF p_actor IS NULL THEN
        RETURN redemption.said('actor_missing');
    ELSIF NOT p_is_agreed THEN
        UPDATE redemption.offline_review r SET state = 'open', is_paid = NULL, note = NULL, proposed_by = NULL, proposed_at = NULL
         WHERE r.community_id = p_community AND r.device_id = p_device AND r.nonce = p_nonce;
        RETURN redemption.said('done');
    ELSIF p_actor = v_review.proposed_by THEN
        RETURN redemption.said('same_person');
    END IF;
    IF v_review.is_paid AND v_voucher.state IN ('ISSUED', 'PART_USED') AND redemption.open_quantity(v_voucher) >= v_record.quantity THEN
        v_taken := redemption.take_use(v_voucher, p_device, p_nonce, NULL, v_record.merchant_id, coalesce(v_record.clerk_id, p_actor), v_record.quantity,
                                       v_record.scanned_at, p_now, NULL, 'merge');
        v_seq := (v_taken.detail ->> 'seq')::int;
    ELSIF v_review.is_paid THEN
        INSERT INTO redemption.loss_month AS m (community_id, began_on, lost_fen, allowed_fen)
        VALUES (p_community, p_month_on, v_record.value_fen, v_record.value_fen)
            ON CONFLICT ON CONSTRAINT pk_loss_month DO UPDATE
           SET lost_fen = m.lost_fen + excluded.lost_fen, allowed_fen = greatest(m.allowed_fen, m.lost_fen + excluded.lost_fen);
        v_seq := redemption.pay_conflict(v_voucher, p_device, p_nonce, v_record.merchant_id, coalesce(v_record.clerk_id, p_actor), v_record.quantity,
                                         'fund', false, v_review.note, v_record.scanned_at, p_now, v_review.proposed_by, p_actor);
    END IF;
    IF v_review.is_paid AND v_seq IS NULL THEN
        -- Nothing of this may stay when the books do not take it.
        RAISE EXCEPTION 'the ledger refused %', v_taken USING ERRCODE = 'LR001';
    END IF;
    UPDATE redemption.offline_review r SET state = 'decided', decided_by = p_actor, decided_at = p_now, use_seq = v_seq
     WHERE r.community_id = p_community AND r.device_id = p_device AND r.nonce = p_nonce;
    RETURN redemption.said('done', jsonb_build_object('use_seq', v_seq));
END $$;

REVOKE ALL ON FUNCTION redemption.is_inside_floor, redemption.used_before, redemption.undo_record, redemption.decide_review FROM PUBLIC;
GRANT EXECUTE ON FUNCTION redemption.decide_review TO linli_app;
