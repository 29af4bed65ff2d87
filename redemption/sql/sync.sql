-- What becomes of scans that were made without a network. One call takes many records and answers each of them, once and for ever.

-- What a piece of this voucher is worth in fen, for limits that are in money: what the sponsor owes for it, else a yuan for each point.
CREATE FUNCTION redemption.value_fen(p_voucher redemption.voucher) RETURNS bigint
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(nullif(p_voucher.payable_fen_each + p_voucher.cash_fen_each, 0), 100::bigint * (p_voucher.points_each + p_voucher.subsidy_points_each))
$$;

CREATE FUNCTION redemption.concluded(p_verdict text, p_reason text, p_bearer text DEFAULT NULL) RETURNS jsonb
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT jsonb_build_object('verdict', p_verdict, 'reason', p_reason, 'bearer', p_bearer)
$$;

-- Whether the phone should have known: it happened a day before the scan, and the phone had heard from us since.
CREATE FUNCTION redemption.is_stale(p_happened timestamptz, p_scanned timestamptz, p_heard timestamptz) RETURNS boolean
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT p_happened + interval '24 hours' <= p_scanned AND p_heard >= p_happened
$$;

-- What the phone had been told that it may take when it scanned. An answer of ours may never have reached it: of what it was told within the
-- longest time that a phone may be without us, and of what held when that began, the highest counts. So no limit that was lowered makes an
-- honest scan the shop's risk. Two minutes are how wrong clocks may be. A phone that was told nothing yet is judged by the limits of today.
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

-- Whether this record still lies inside what a phone may accept without us: so many vouchers, so much money, so much for one. What counts is
-- what we had not got when this was scanned, by our clock: the phone's word for when it last heard of us cannot make the floor begin anew.
CREATE FUNCTION redemption.is_inside_floor(
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

-- What is wrong with the record itself, before anything is asked of the voucher's state; NULL when nothing is.
CREATE FUNCTION redemption.record_fault(
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
    ELSIF NOT redemption.is_in_scope(p_voucher.community_id, p_voucher.offer_id, p_device.merchant_id, p_scanned) THEN
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
        ELSIF v_lease.lease_id IS NULL OR NOT EXISTS (
            SELECT FROM redemption.lease_cover c
             WHERE c.community_id = p_device.community_id AND c.lease_id = v_lease.lease_id AND c.offer_id = p_voucher.offer_id
               AND c.covered_at <= p_scanned) THEN
            -- A lease of something else is none: another phone may have had this offer at that time.
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

-- A voucher that was used before: where decides who pays. What a device takes beyond all that the voucher ever had is its shop's own, and
-- only that: a shop that took some of the pieces did not take the others'. The floor bounds what the fund bears. Used twice it was at two
-- devices, whether the first had a network or not: the member owes the points either way. Where nobody else used it, pieces had been given back.
CREATE FUNCTION redemption.used_before(
    p_device redemption.device, p_record jsonb, p_voucher redemption.voucher, p_scanned timestamptz, p_terms jsonb
) RETURNS jsonb
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_earlier record;
    v_here bigint := (
        SELECT coalesce(sum(u.quantity), 0) FROM redemption.use u
         WHERE u.community_id = p_voucher.community_id AND u.voucher_id = p_voucher.voucher_id AND u.device_id = p_device.device_id
           AND u.state NOT IN ('REVERSED', 'ADJUSTED'));
BEGIN
    SELECT bool_or(u.device_id <> p_device.device_id) AS elsewhere,
           bool_or(o.verdict = 'accepted') FILTER (WHERE u.device_id <> p_device.device_id) AS offline INTO v_earlier
      FROM redemption.use u
      LEFT JOIN redemption.offline_record o ON o.community_id = u.community_id AND o.device_id = u.device_id AND o.nonce = u.nonce
     WHERE u.community_id = p_voucher.community_id AND u.voucher_id = p_voucher.voucher_id AND u.state NOT IN ('REVERSED', 'ADJUSTED')
       AND u.bearer IS NULL;
    IF v_here > 0 AND v_here + (p_record ->> 'quantity')::int > p_voucher.quantity_total THEN
        RETURN redemption.concluded('conflict', 'used_here', 'merchant');
    ELSIF (p_record ->> 'quantity')::int > p_voucher.quantity_total
          OR NOT redemption.is_inside_floor(p_device, p_record, p_voucher, p_scanned, p_terms) THEN
        RETURN redemption.concluded('conflict', 'above_floor', 'merchant');
    ELSIF v_earlier.elsewhere IS NOT TRUE THEN
        RETURN redemption.concluded('conflict', 'cancelled_before', 'member');
    END IF;
    RETURN redemption.concluded('conflict', CASE WHEN v_earlier.offline THEN 'used_elsewhere' ELSE 'used_online' END, 'fund');
END $$;

-- The table of who pays. Nothing that was accepted is undone.
CREATE FUNCTION redemption.judge_record(
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
    ELSIF p_voucher.state IN ('FROZEN', 'RESERVED')
          OR p_voucher.state = 'LOCKED' AND (p_voucher.offline_class <> 1 OR p_voucher.lock_device_id IS DISTINCT FROM p_device.device_id) THEN
        -- What this very phone keeps is its own to take, under the lease that was looked at above: nobody else could.
        RETURN redemption.concluded('review', lower(p_voucher.state));
    ELSIF p_voucher.state IN ('CANCELLED', 'EXPIRED') THEN
        RETURN redemption.concluded('conflict', lower(p_voucher.state) || '_before', 'member');
    ELSIF p_voucher.state = 'VOID' THEN
        RETURN CASE WHEN redemption.is_inside_floor(p_device, p_record, p_voucher, p_scanned, p_terms)
                    THEN redemption.concluded('conflict', 'void', 'fund') ELSE redemption.concluded('conflict', 'above_floor', 'merchant') END;
    ELSIF p_voucher.state = 'CANCEL_PENDING' AND p_voucher.offline_class <> 1 THEN
        RETURN redemption.concluded('review', 'cancel_pending');
    ELSIF redemption.open_quantity(p_voucher) < (p_record ->> 'quantity')::int THEN
        RETURN redemption.used_before(p_device, p_record, p_voucher, p_scanned, p_terms);
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

-- The sources that pay a shop for a conflict: the member's points and what they then owe, the fund's money, and the account of losses.
-- What a source has not got, the one after it bears; what a member has not got is owed, below zero.
CREATE FUNCTION redemption.conflict_steps(p_voucher redemption.voucher, p_quantity int, p_merchant uuid, p_by_member boolean) RETURNS ledger.step[]
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_member text := redemption.account('member', coalesce(p_voucher.payer_id, p_voucher.member_id));
    v_owed text := redemption.account('owed', coalesce(p_voucher.payer_id, p_voucher.member_id));
    v_shop text := redemption.account('merchant', p_merchant);
    v_points bigint := 100::bigint * p_quantity * p_voucher.points_each;
    v_subsidy bigint := 100::bigint * p_quantity * p_voucher.subsidy_points_each;
    v_fen bigint := p_quantity * p_voucher.payable_fen_each;
    v_has bigint := CASE WHEN p_by_member THEN least(v_points, greatest(0, redemption.available(p_voucher.community_id, v_member, 'point'))) ELSE 0 END;
    v_fund bigint := least(v_fen, greatest(0, redemption.available(p_voucher.community_id, 'fund:charity', 'fen')));
BEGIN
    RETURN (
        SELECT coalesce(array_agg(ROW('post', part.debit, v_shop, part.unit, part.amount, NULL, NULL)::ledger.step ORDER BY part.n), '{}')
          FROM (VALUES (1, v_member, 'point', v_has),
                       (2, CASE WHEN p_by_member THEN v_owed ELSE 'loss:offline' END, 'point', v_points - v_has),
                       (3, 'loss:offline', 'point', v_subsidy),
                       (4, 'fund:charity', 'fen', v_fund),
                       (5, 'loss:offline', 'fen', v_fen - v_fund)) AS part (n, debit, unit, amount)
         WHERE part.amount > 0);
END $$;

-- Pays the shop for a conflict and writes the use that says so: it takes nothing from the voucher. The caller holds the voucher.
-- NULL when the books do not take it.
CREATE FUNCTION redemption.pay_conflict(
    p_voucher redemption.voucher, p_device uuid, p_nonce uuid, p_merchant uuid, p_clerk uuid, p_quantity int, p_bearer text, p_by_member boolean,
    p_reason text, p_scanned timestamptz, p_now timestamptz, p_actor uuid DEFAULT NULL, p_second uuid DEFAULT NULL
) RETURNS int
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_owed text := redemption.account('owed', coalesce(p_voucher.payer_id, p_voucher.member_id));
    v_seq int;
    v_events int;
    v_posted ledger.verdict;
BEGIN
    PERFORM ledger.open_accounts(p_voucher.community_id, ARRAY['loss:offline', 'loss:offline', v_owed], ARRAY['point', 'fen', 'point'],
                                 ARRAY[NULL, NULL, NULL]::bigint[], ARRAY[NULL, NULL, NULL]::bigint[], p_now);
    v_posted := redemption.post(p_voucher.community_id, 'redemption.use:' || p_device || ':' || p_nonce, 'voucher_conflict',
                                redemption.conflict_steps(p_voucher, p_quantity, p_merchant, p_by_member), p_actor, NULL, p_now);
    IF v_posted.code <> 'posted' THEN
        RETURN NULL;
    END IF;
    UPDATE redemption.voucher v SET use_seq = v.use_seq + 1, event_seq = v.event_seq + 1
     WHERE v.community_id = p_voucher.community_id AND v.voucher_id = p_voucher.voucher_id
    RETURNING v.use_seq, v.event_seq INTO v_seq, v_events;
    INSERT INTO redemption.use (community_id, voucher_id, seq, device_id, nonce, merchant_id, clerk_id, quantity,
                                points, subsidy_points, payable_fen, cash_fen, state, bearer, scanned_at, received_at, journal_id)
    VALUES (p_voucher.community_id, p_voucher.voucher_id, v_seq, p_device, p_nonce, p_merchant, p_clerk, p_quantity,
            p_quantity::bigint * p_voucher.points_each, p_quantity::bigint * p_voucher.subsidy_points_each,
            p_quantity * p_voucher.payable_fen_each, p_quantity * p_voucher.cash_fen_each, 'CONFLICT', p_bearer, p_scanned, p_now, v_posted.journal_id);
    INSERT INTO redemption.voucher_event (community_id, voucher_id, number, action, from_state, to_state, actor_id, second_id, reason, at)
    VALUES (p_voucher.community_id, p_voucher.voucher_id, v_events, 'conflict', p_voucher.state, p_voucher.state, p_actor, p_second, p_reason, p_now);
    RETURN v_seq;
END $$;

-- Takes from the month's budget for losses, whose row the caller holds. False when it does not reach. The budget is so many millionths of
-- what was redeemed this month, and at least what one phone may accept without us.
CREATE FUNCTION redemption.take_loss(p_community bigint, p_fen bigint, p_now timestamptz, p_terms jsonb) RETURNS boolean
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_redeemed numeric := (
        SELECT coalesce(sum(coalesce(nullif(u.payable_fen + u.cash_fen, 0), 100 * (u.points + u.subsidy_points))), 0)
          FROM redemption.merchant m
          JOIN redemption.use u ON u.community_id = m.community_id AND u.merchant_id = m.merchant_id
           AND u.received_at >= (p_terms ->> 'month_began')::timestamptz
         WHERE m.community_id = p_community AND u.state NOT IN ('REVERSED', 'ADJUSTED') AND u.bearer IS NULL);
BEGIN
    UPDATE redemption.loss_month m SET allowed_fen = greatest(m.allowed_fen, (p_terms ->> 'fen')::bigint,
                                                              floor(v_redeemed * (p_terms ->> 'loss_millionths')::bigint / 1000000)::bigint)
     WHERE m.community_id = p_community AND m.began_on = (p_terms ->> 'month_on')::date;
    UPDATE redemption.loss_month m
       SET lost_fen = m.lost_fen + p_fen,
           alarmed_at = coalesce(m.alarmed_at, CASE WHEN (m.lost_fen + p_fen) * 2 >= m.allowed_fen THEN p_now END)
     WHERE m.community_id = p_community AND m.began_on = (p_terms ->> 'month_on')::date AND m.lost_fen + p_fen <= m.allowed_fen;
    RETURN FOUND;
END $$;

-- Does what was judged: a use, or a conflict that is paid, or a case for people. Answers with what was done, which may be less than was judged.
CREATE FUNCTION redemption.apply_record(
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
    IF p_judged ->> 'verdict' = 'accepted' AND p_voucher.state = 'LOCKED' THEN
        RETURN redemption.apply_kept(p_device, p_record, p_voucher, p_judged, p_scanned, p_now, p_terms);
    ELSIF p_judged ->> 'verdict' = 'accepted' THEN
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

-- The same of a voucher that the phone itself keeps: its lock ends with the use, and stays when the books do not take it.
CREATE FUNCTION redemption.apply_kept(
    p_device redemption.device, p_record jsonb, p_voucher redemption.voucher, p_judged jsonb, p_scanned timestamptz, p_now timestamptz, p_terms jsonb
) RETURNS jsonb
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_voucher redemption.voucher;
    v_said jsonb;
BEGIN
    PERFORM redemption.move_voucher(p_voucher, CASE WHEN p_voucher.quantity_used > 0 THEN 'PART_USED' ELSE 'ISSUED' END, NULL, 'unlock',
                                    (p_record ->> 'clerk')::uuid, NULL, 'scanned', p_now);
    SELECT * INTO v_voucher FROM redemption.voucher v WHERE v.community_id = p_voucher.community_id AND v.voucher_id = p_voucher.voucher_id;
    v_said := redemption.apply_record(p_device, p_record, v_voucher, p_judged, p_scanned, p_now, p_terms);
    IF v_said ->> 'verdict' <> 'accepted' THEN
        RAISE EXCEPTION USING ERRCODE = 'LR002', MESSAGE = 'not taken';
    END IF;
    RETURN v_said;
EXCEPTION WHEN SQLSTATE 'LR002' THEN
    RETURN v_said;
END $$;

-- A record that annuls an earlier one of the same phone, made at p_at. What we had not used yet is never used: neither what has not come
-- nor what people have not decided. What we had is taken back as a clerk would at the counter, by the same limits, and in time if it was
-- when the phone did it; so is what was paid for as a conflict. What then cannot be taken back any more, because it is settled or a lost
-- phone's, people look at. The caller holds the voucher, and the month's losses.
CREATE FUNCTION redemption.undo_record(p_device redemption.device, p_record jsonb, p_at timestamptz, p_now timestamptz) RETURNS jsonb
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_use redemption.use;
    v_earlier redemption.offline_record;
    v_minutes int := (p_record ->> 'minutes')::int;
    v_voucher redemption.voucher;
    v_back redemption.verdict;
BEGIN
    SELECT * INTO v_use FROM redemption.use u
     WHERE u.community_id = p_device.community_id AND u.device_id = p_device.device_id AND u.nonce = (p_record ->> 'undoes')::uuid;
    SELECT * INTO v_earlier FROM redemption.offline_record o
     WHERE o.community_id = p_device.community_id AND o.device_id = p_device.device_id AND o.nonce = (p_record ->> 'undoes')::uuid;
    IF v_use.seq IS NULL AND (v_earlier.nonce IS NULL OR v_earlier.reason = 'undone') THEN
        RETURN redemption.concluded('accepted', 'undone');
    ELSIF v_use.seq IS NULL THEN
        RETURN CASE WHEN v_earlier.voucher_id IS NOT DISTINCT FROM (p_record ->> 'voucher')::bigint AND redemption.undo_held(p_device, v_earlier, p_now)
                    THEN redemption.concluded('accepted', 'undone') ELSE redemption.concluded('conflict', 'undo_late', 'merchant') END;
    ELSIF v_use.voucher_id IS DISTINCT FROM (p_record ->> 'voucher')::bigint OR v_use.clerk_id IS DISTINCT FROM (p_record ->> 'clerk')::uuid THEN
        RETURN redemption.concluded('conflict', 'undo_late', 'merchant');
    ELSIF v_use.state IN ('REVERSED', 'ADJUSTED') THEN
        RETURN redemption.concluded('accepted', 'undone');
    ELSIF p_at >= v_use.received_at + make_interval(mins => v_minutes) THEN
        RETURN redemption.concluded('conflict', 'undo_late', 'merchant');
    ELSIF p_device.revoked_at IS NULL AND v_use.state = 'CONFLICT' THEN
        IF redemption.reversals_today(p_device.community_id, p_device.device_id, p_now) < (p_record ->> 'per_day')::int THEN
            SELECT * INTO v_voucher FROM redemption.voucher v WHERE v.community_id = v_use.community_id AND v.voucher_id = v_use.voucher_id;
            BEGIN
                v_back := redemption.reverse_conflict(v_voucher, v_use, 'REVERSED', 'undone on the phone', v_use.clerk_id, NULL, p_now);
                IF v_back.code IS NULL THEN
                    RETURN redemption.concluded('accepted', 'undone') || jsonb_build_object('reversed_seq', v_use.seq);
                END IF;
                RAISE EXCEPTION USING ERRCODE = 'LR001', MESSAGE = 'not reversed';
            EXCEPTION WHEN SQLSTATE 'LR001' THEN
                -- Nothing of it stays, and people look at it.
                NULL;
            END;
        END IF;
    ELSIF p_device.revoked_at IS NULL THEN
        -- As long as it took to reach us is not the clerk's delay.
        v_back := redemption.reverse_use(
            p_device.community_id, (p_record ->> 'nonce')::uuid, v_use.voucher_id, v_use.seq, false, 'undone on the phone', (p_record ->> 'clerk')::uuid,
            NULL, p_now, v_minutes + ceil(extract(epoch FROM p_now - p_at) / 60)::int, (p_record ->> 'per_day')::int, p_record ->> 'short_code');
        IF v_back.code IN ('done', 'replayed') THEN
            RETURN redemption.concluded('accepted', 'undone') || jsonb_build_object('reversed_seq', v_use.seq);
        END IF;
    END IF;
    RETURN redemption.concluded('review', 'undo_waits');
END $$;

-- Closes the case of a held record that its phone took back, as not paid; whether it is closed so, now or before. What a lost phone says
-- closes nothing: who decides sees it.
CREATE FUNCTION redemption.undo_held(p_device redemption.device, p_held redemption.offline_record, p_now timestamptz) RETURNS boolean
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF p_device.revoked_at IS NULL THEN
        UPDATE redemption.offline_review r
           SET state = 'decided', is_paid = false, note = 'undone on the phone', proposed_by = NULL, proposed_at = NULL, decided_at = p_now
         WHERE r.community_id = p_held.community_id AND r.device_id = p_held.device_id AND r.nonce = p_held.nonce AND r.state <> 'decided';
    END IF;
    RETURN EXISTS (SELECT FROM redemption.offline_review r
                    WHERE r.community_id = p_held.community_id AND r.device_id = p_held.device_id AND r.nonce = p_held.nonce
                      AND r.state = 'decided' AND NOT r.is_paid);
END $$;

-- One record, new to us. p_flags is what the chain of records says of it. The caller holds the voucher, the device and the month's losses.
CREATE FUNCTION redemption.merge_record(p_device redemption.device, p_record jsonb, p_flags text[], p_now timestamptz, p_terms jsonb) RETURNS jsonb
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_nonce uuid := (p_record ->> 'nonce')::uuid;
    v_voucher redemption.voucher;
    v_claimed timestamptz := to_timestamp((p_record ->> 'trusted_at')::numeric / 1000);
    v_scanned timestamptz := redemption.scanned_at(redemption.believed_at(p_device, (p_record ->> 'seq')::bigint, v_claimed), p_device.log_at, p_now);
    v_heard timestamptz := redemption.heard_at(p_device, p_record ->> 'mono', v_scanned);
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
                                           offline_class, scanned_at, claimed_at, received_at, flags, verdict, reason, bearer, use_seq, value_fen, undoes, heard_at)
    VALUES (p_device.community_id, p_device.device_id, v_nonce, (p_record ->> 'seq')::bigint, decode(p_record ->> 'hash', 'hex'), p_record ->> 'text',
            (p_record ->> 'voucher')::bigint, (p_record ->> 'quantity')::int, p_device.merchant_id, (p_record ->> 'clerk')::uuid,
            (p_record ->> 'lease')::uuid, CASE WHEN p_record ->> 'undoes' IS NULL AND v_said ->> 'reason' <> 'undone' THEN v_voucher.offline_class END,
            v_scanned, v_claimed, p_now, p_flags,
            v_said ->> 'verdict', v_said ->> 'reason', v_said ->> 'bearer', (v_said ->> 'use_seq')::int,
            CASE WHEN v_said ->> 'reason' IN ('undone', 'undo_late') THEN 0
                 ELSE coalesce(redemption.value_fen(v_voucher), 0) * (p_record ->> 'quantity')::int END,
            (p_record ->> 'undoes')::uuid, v_heard);
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

-- The second strike: the member's vouchers, those they hold and those to come, are good online only.
CREATE FUNCTION redemption.add_strike(p_community bigint, p_device uuid, p_nonce uuid, p_member uuid, p_now timestamptz) RETURNS void
    LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO redemption.strike (community_id, device_id, nonce, member_id, at) VALUES (p_community, p_device, p_nonce, p_member, p_now)
$$;

-- The class a voucher is issued with or told of now: the offer's, and online only for who has two strikes or owes points to the fund.
CREATE FUNCTION redemption.class_for(p_community bigint, p_member uuid, p_class int) RETURNS int
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN p_class > 0 AND (
                     (SELECT count(*) FROM redemption.strike s
                       WHERE s.community_id = p_community AND s.member_id = p_member AND s.withdrawn_at IS NULL) >= 2
                     OR redemption.available(p_community, redemption.account('owed', p_member), 'point') < 0)
                THEN 0 ELSE p_class END
$$;

-- Freezes the phone's lease: its vouchers stay its own until it ends or people break it, and it is not made longer.
CREATE FUNCTION redemption.freeze_lease(p_community bigint, p_device uuid, p_reason text, p_now timestamptz) RETURNS void
    LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    UPDATE redemption.lease l SET frozen_at = p_now, frozen_reason = p_reason
     WHERE l.community_id = p_community AND l.device_id = p_device AND l.state = 'out' AND l.frozen_at IS NULL
$$;

-- Many records of one phone in the order of their numbers. Each is answered for itself: what breaks one (poison) breaks no other, and it gets no
-- answer, so that it stays on the phone. Vouchers in the order of their ids, then the phone, then the month's losses, then the books' head.
-- What is plainly accepted goes together (sync_many.sql), as long as nothing else lies between.
CREATE FUNCTION redemption.sync_records(p_community bigint, p_device uuid, p_records jsonb, p_now timestamptz, p_terms jsonb) RETURNS redemption.verdict
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
    v_records jsonb[] := ARRAY(SELECT r.value FROM jsonb_array_elements(p_records) WITH ORDINALITY r (value, place) ORDER BY r.place);
    v_plain record;
    v_place int := 0;
    v_until int := 0;
    v_together jsonb[];
    v_written bigint := CASE WHEN p_terms ->> 'is_brought' IS NULL THEN (p_terms ->> 'written')::bigint END;
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
    -- This month's and the last one's: what is taken back may be of either.
    PERFORM FROM redemption.loss_month m
      WHERE m.community_id = p_community AND m.began_on >= (p_terms ->> 'month_on')::date - interval '1 month' ORDER BY m.began_on FOR NO KEY UPDATE;
    -- What the phone took back itself: told by this upload, or by one that came before its scan.
    v_undone := ARRAY(
        SELECT (r ->> 'undoes') || ' ' || (r ->> 'voucher') FROM jsonb_array_elements(p_records) r WHERE r ->> 'undoes' IS NOT NULL
         UNION ALL
        SELECT o.undoes || ' ' || o.voucher_id FROM redemption.offline_record o
         WHERE o.community_id = p_community AND o.device_id = p_device AND o.reason = 'undone'
           AND o.undoes = ANY (ARRAY(SELECT (r ->> 'nonce')::uuid FROM jsonb_array_elements(p_records) r)));
    v_plain := redemption.plain_records(v_device, p_records, v_undone, p_now, p_terms);
    WHILE v_place < cardinality(v_records) LOOP
        v_place := v_place + 1;
        v_record := v_records[v_place];
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
        IF v_plain.ends[v_place] > greatest(v_place, v_until) AND NOT v_flags && '{gap,fork,clock_back}' AND v_plain.scanned[v_place]
               = redemption.scanned_at(redemption.believed_at(v_device, (v_record ->> 'seq')::bigint,
                                                              to_timestamp((v_record ->> 'trusted_at')::numeric / 1000)), v_device.log_at, p_now) THEN
            v_until := v_plain.ends[v_place];
            v_together := redemption.merge_plain(v_device, v_records[v_place:v_until], v_plain.scanned[v_place:v_until], p_now);
            IF v_together IS NOT NULL THEN
                v_answers := v_answers || v_together;
                v_place := v_until;
                v_device.log_seq := (v_records[v_place] ->> 'seq')::bigint;
                v_device.log_hash := decode(v_records[v_place] ->> 'hash', 'hex');
                v_device.log_at := greatest(v_device.log_at, v_plain.scanned[v_place]);
                CONTINUE;
            END IF;
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
           log_skipped = decode(v_skipped[cardinality(v_skipped)], 'hex'),
           -- How far its log went when it sent this: what has a higher number was written later.
           said_seq = CASE WHEN v_written IS NULL THEN d.said_seq ELSE greatest(v_written, v_device.log_seq) END,
           said_at = CASE WHEN v_written IS NULL THEN d.said_at ELSE p_now END
     WHERE d.community_id = p_community AND d.device_id = p_device;
    RETURN redemption.said('done', jsonb_build_object('answers', to_jsonb(v_answers)));
END $$;
