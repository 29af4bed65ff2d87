-- Whoever uses a voucher twice owes its points, whether the first use had a network or not. Frozen from redemption/sql/.

-- A voucher that was used before: where decides who pays. The floor bounds what the fund bears. Used twice it was at two devices, whether
-- the first had a network or not: the member owes the points either way. Where nothing of it was used, the pieces had been given back.
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
     WHERE u.community_id = p_voucher.community_id AND u.voucher_id = p_voucher.voucher_id AND u.state <> 'REVERSED' AND u.bearer IS NULL;
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

-- Does what was judged: a use, or a conflict that is paid, or a case for people. Answers with what was done, which may be less than was judged.
CREATE OR REPLACE FUNCTION redemption.apply_record(
    p_device redemption.device, p_record jsonb, p_voucher redemption.voucher, p_judged jsonb, p_scanned timestamptz, p_now timestamptz, p_terms jsonb
) RETURNS jsonb
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_nonce uuid := (p_record ->> 'nonce')::uuid;
    v_clerk uuid := (p_record ->> 'clerk')::uuid;
    v_quantity int := (p_record ->> 'quantity')::int;
    v_taken redemption.verdict;
    v_seq int;
BEGIN
    IF p_judged ->> 'verdict' = 'accepted' THEN
        v_taken := redemption.take_use(p_voucher, p_device.device_id, v_nonce, (p_record ->> 'code_seq')::int, p_device.merchant_id, v_clerk,
                                       v_quantity, p_scanned, p_now, NULL, CASE p_voucher.state WHEN 'CANCEL_PENDING' THEN 'end_cancelling' ELSE 'merge' END);
        IF v_taken.code <> 'redeemed' THEN
            RETURN redemption.concluded('review', 'ledger_refused');
        END IF;
        RETURN p_judged || v_taken.detail || jsonb_build_object('use_seq', v_taken.detail -> 'seq');
    ELSIF p_judged ->> 'bearer' IN ('fund', 'member') THEN
        IF p_judged ->> 'bearer' = 'fund' AND NOT redemption.take_loss(p_device.community_id, redemption.value_fen(p_voucher) * v_quantity, p_now, p_terms) THEN
            RETURN redemption.concluded('review', 'fund_budget');
        END IF;
        v_seq := redemption.pay_conflict(
            p_voucher, p_device.device_id, v_nonce, p_device.merchant_id, v_clerk, v_quantity, p_judged ->> 'bearer',
            p_judged ->> 'bearer' = 'member' OR p_judged ->> 'reason' IN ('used_elsewhere', 'used_online'), p_judged ->> 'reason', p_scanned, p_now);
        IF v_seq IS NULL THEN
            -- What was taken from the month stays taken: a person decides, and may pay.
            RETURN redemption.concluded('review', 'ledger_refused');
        END IF;
        RETURN p_judged || jsonb_build_object('use_seq', v_seq);
    END IF;
    RETURN p_judged;
END $$;

-- One record, new to us. p_flags is what the chain of records says of it. The caller holds the voucher, the device and the month's losses.
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
