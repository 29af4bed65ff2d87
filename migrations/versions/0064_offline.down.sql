DROP FUNCTION redemption.redeem_refusal;
DROP FUNCTION redemption.decide_review;
DROP FUNCTION redemption.propose_review;
DROP FUNCTION redemption.end_cancelling;
DROP FUNCTION redemption.break_lease;
DROP FUNCTION redemption.return_lease;
DROP FUNCTION redemption.leased_vouchers;
DROP FUNCTION redemption.take_lease;
DROP FUNCTION redemption.lease_detail;
DROP FUNCTION redemption.lease_on;
DROP FUNCTION redemption.enrol_device;
DROP FUNCTION redemption.make_ticket;
DROP FUNCTION redemption.sync_records;
DROP FUNCTION redemption.freeze_lease;
DROP FUNCTION redemption.class_for;
DROP FUNCTION redemption.add_strike;
DROP FUNCTION redemption.merge_record;
DROP FUNCTION redemption.apply_record;
DROP FUNCTION redemption.take_loss;
DROP FUNCTION redemption.pay_conflict;
DROP FUNCTION redemption.conflict_steps;
DROP FUNCTION redemption.judge_record;
DROP FUNCTION redemption.used_before;
DROP FUNCTION redemption.record_fault;
DROP FUNCTION redemption.is_inside_floor;
DROP FUNCTION redemption.is_stale;
DROP FUNCTION redemption.concluded;
DROP FUNCTION redemption.value_fen;
DROP FUNCTION redemption.take_use;

DROP TABLE redemption.offline_review;
DROP TABLE redemption.strike;
DROP TABLE redemption.loss_month;
DROP TABLE redemption.offline_record;
DROP TABLE redemption.lease_offer;
DROP TABLE redemption.lease;
DROP TABLE redemption.device_ticket;

DROP INDEX redemption.ix_use_conflict;
DROP INDEX redemption.ix_voucher_revoked;
DROP INDEX redemption.ix_voucher_cancelling;
DROP INDEX redemption.ix_voucher_leased;
ALTER TABLE redemption.use DROP COLUMN bearer;
ALTER TABLE redemption.device
    DROP COLUMN label, DROP COLUMN seen_at, DROP COLUMN log_seq, DROP COLUMN log_hash, DROP COLUMN log_at,
    DROP COLUMN log_skipped;

-- The first reason, in the fixed order of rules.REDEEM_ORDER, why this voucher is not redeemed here and now; NULL when it can be.
-- Another shop's voucher says nothing but that.
CREATE FUNCTION redemption.redeem_refusal(
    p_voucher redemption.voucher, p_code_seq int, p_merchant uuid, p_owner_group_of_clerk uuid, p_clerk uuid, p_quantity int, p_now timestamptz
) RETURNS redemption.verdict
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_code text;
    v_offer redemption.offer;
BEGIN
    IF p_voucher.voucher_id IS NULL THEN
        RETURN redemption.said('unknown');
    ELSIF NOT EXISTS (SELECT FROM redemption.offer_merchant om
                       WHERE om.community_id = p_voucher.community_id AND om.offer_id = p_voucher.offer_id
                         AND om.merchant_id = p_merchant) THEN
        RETURN redemption.said('wrong_merchant');
    ELSIF p_clerk IN (p_voucher.member_id, p_voucher.payer_id) OR p_voucher.owner_group = p_owner_group_of_clerk THEN
        RETURN redemption.said('own_voucher');
    END IF;
    v_code := redemption.state_refusal(p_voucher);
    IF v_code = 'used' THEN
        RETURN redemption.said('used', (
            SELECT redemption.use_detail(p_voucher, u) FROM redemption.use u
             WHERE u.community_id = p_voucher.community_id AND u.voucher_id = p_voucher.voucher_id AND u.state <> 'REVERSED'
             ORDER BY u.seq DESC LIMIT 1));
    ELSIF v_code IS NOT NULL THEN
        RETURN redemption.said(v_code, jsonb_build_object('voucher_id', p_voucher.voucher_id, 'changed_at', p_voucher.changed_at));
    ELSIF p_now >= p_voucher.expires_at THEN
        RETURN redemption.said('expired', jsonb_build_object('voucher_id', p_voucher.voucher_id, 'expires_at', p_voucher.expires_at));
    END IF;
    -- What a published offer says is never edited: its days are as frozen as the price.
    SELECT * INTO v_offer FROM redemption.offer o WHERE o.community_id = p_voucher.community_id AND o.offer_id = p_voucher.offer_id;
    IF p_now < v_offer.usable_from THEN
        RETURN redemption.said('not_yet', jsonb_build_object('voucher_id', p_voucher.voucher_id, 'usable_from', v_offer.usable_from));
    ELSIF v_offer.weekdays & (1 << (extract(isodow FROM p_now AT TIME ZONE v_offer.time_zone)::int - 1)) = 0 THEN
        RETURN redemption.said('not_today', jsonb_build_object('voucher_id', p_voucher.voucher_id, 'weekdays', v_offer.weekdays));
    ELSIF p_code_seq <> p_voucher.code_seq THEN
        RETURN redemption.said('code_outdated', jsonb_build_object('voucher_id', p_voucher.voucher_id));
    ELSIF p_quantity IS NULL OR p_quantity < 1 OR p_quantity > redemption.open_quantity(p_voucher) THEN
        RETURN redemption.said('quantity_wrong', jsonb_build_object('voucher_id', p_voucher.voucher_id, 'open', redemption.open_quantity(p_voucher)));
    END IF;
    RETURN NULL;
END $$;

-- p_code_seq is NULL for a code that was typed. A browser becomes a device by its first scan.
CREATE OR REPLACE FUNCTION redemption.redeem(
    p_community bigint, p_device uuid, p_nonce uuid, p_voucher_id bigint, p_code_seq int, p_merchant uuid, p_owner_group_of_clerk uuid,
    p_clerk uuid, p_quantity int, p_scanned_at timestamptz, p_now timestamptz, p_on_behalf_of uuid DEFAULT NULL
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_voucher redemption.voucher;
    v_use redemption.use;
    v_refusal redemption.verdict;
    v_posted ledger.verdict;
    v_from text;
BEGIN
    -- The voucher's lock comes first: whoever waits here sees, one statement later, what the winner wrote.
    SELECT * INTO v_voucher FROM redemption.voucher v
     WHERE v.community_id = p_community AND v.voucher_id = p_voucher_id FOR NO KEY UPDATE;
    SELECT * INTO v_use FROM redemption.use u
     WHERE u.community_id = p_community AND u.device_id = p_device AND u.nonce = p_nonce FOR UPDATE;
    IF FOUND THEN
        IF v_use.voucher_id IS DISTINCT FROM p_voucher_id OR v_use.merchant_id <> p_merchant OR v_use.quantity <> p_quantity THEN
            RETURN redemption.said('nonce_differs');
        END IF;
        RETURN redemption.said('replayed', redemption.use_detail(v_voucher, v_use));
    END IF;
    IF EXISTS (SELECT FROM redemption.device d
                WHERE d.community_id = p_community AND d.device_id = p_device
                  AND (d.revoked_at IS NOT NULL OR d.merchant_id <> p_merchant)) THEN
        RETURN redemption.said('device_refused');
    END IF;
    v_refusal := redemption.redeem_refusal(v_voucher, p_code_seq, p_merchant, p_owner_group_of_clerk, p_clerk, p_quantity, p_now);
    IF v_refusal.code IS NOT NULL THEN
        RETURN v_refusal;
    END IF;
    INSERT INTO redemption.device (community_id, device_id, kind, registered_by, registered_at)
    VALUES (p_community, p_device, 'browser', p_clerk, p_now)
        ON CONFLICT DO NOTHING;

    v_posted := redemption.post(p_community, 'redemption.use:' || p_device || ':' || p_nonce, 'voucher_used',
                                redemption.capture_steps(v_voucher, p_quantity, p_merchant), p_clerk, p_on_behalf_of, p_now);
    IF v_posted.code <> 'posted' THEN
        RETURN redemption.said('ledger_refused', jsonb_build_object('ledger_code', v_posted.code, 'ledger', v_posted.detail));
    END IF;
    v_from := v_voucher.state;
    UPDATE redemption.voucher v
       SET quantity_used = v.quantity_used + p_quantity, use_seq = v.use_seq + 1, event_seq = v.event_seq + 1, changed_at = p_now,
           state = CASE WHEN redemption.open_quantity(v) = p_quantity THEN 'USED' ELSE 'PART_USED' END
     WHERE v.community_id = p_community AND v.voucher_id = p_voucher_id
       AND v.state IN ('ISSUED', 'PART_USED') AND redemption.open_quantity(v) >= p_quantity
    RETURNING v.* INTO STRICT v_voucher;
    INSERT INTO redemption.use (community_id, voucher_id, seq, device_id, nonce, merchant_id, clerk_id, on_behalf_of, quantity,
                                points, subsidy_points, payable_fen, cash_fen, code_seq, state, scanned_at, received_at, journal_id)
    VALUES (p_community, p_voucher_id, v_voucher.use_seq, p_device, p_nonce, p_merchant, p_clerk, p_on_behalf_of, p_quantity,
            p_quantity::bigint * v_voucher.points_each, p_quantity::bigint * v_voucher.subsidy_points_each,
            p_quantity * v_voucher.payable_fen_each, p_quantity * v_voucher.cash_fen_each,
            p_code_seq, 'ACCEPTED', p_scanned_at, p_now, v_posted.journal_id)
    RETURNING * INTO v_use;
    INSERT INTO redemption.voucher_event (community_id, voucher_id, number, action, from_state, to_state, actor_id, on_behalf_of, reason, at)
    VALUES (p_community, p_voucher_id, v_voucher.event_seq, 'redeem', v_from, v_voucher.state, p_clerk, p_on_behalf_of, 'scanned', p_now);
    RETURN redemption.said('redeemed', redemption.use_detail(v_voucher, v_use));
END $$;

-- p_quantity is how many pieces go back; nothing, or all that are open, ends the voucher.
CREATE OR REPLACE FUNCTION redemption.cancel_voucher(
    p_community bigint, p_key uuid, p_voucher_id bigint, p_reason text, p_actor uuid, p_on_behalf_of uuid, p_now timestamptz,
    p_quantity int DEFAULT NULL
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb := jsonb_strip_nulls(jsonb_build_object('voucher', p_voucher_id, 'quantity', p_quantity));
    v_voucher redemption.voucher := redemption.lock_voucher(p_community, p_voucher_id);
    v_before redemption.verdict := redemption.remembered(p_community, p_key, 'cancel', v_request);
    v_is_part boolean := p_quantity < redemption.open_quantity(v_voucher);
    v_code text;
    v_detail jsonb;
BEGIN
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    ELSIF v_voucher.voucher_id IS NULL THEN
        RETURN redemption.said('unknown');
    ELSIF coalesce(p_reason, '') = '' THEN
        RETURN redemption.said('reason_missing');
    END IF;
    v_code := redemption.state_refusal(v_voucher);
    IF v_voucher.state <> 'RESERVED' AND v_code IS NOT NULL THEN
        RETURN redemption.said(v_code, jsonb_build_object('voucher_id', p_voucher_id, 'changed_at', v_voucher.changed_at));
    ELSIF p_now >= v_voucher.expires_at THEN
        -- A shop may still upload what it scanned in time. The rest comes back by itself.
        RETURN redemption.said('expired', jsonb_build_object('voucher_id', p_voucher_id, 'expires_at', v_voucher.expires_at));
    ELSIF p_quantity NOT BETWEEN 1 AND redemption.open_quantity(v_voucher) THEN
        RETURN redemption.said('quantity_wrong', jsonb_build_object('voucher_id', p_voucher_id, 'open', redemption.open_quantity(v_voucher)));
    END IF;
    IF v_is_part THEN
        v_before := redemption.return_part(v_voucher, p_quantity, p_actor, p_on_behalf_of, p_reason, p_now);
    ELSE
        v_before := redemption.end_voucher(v_voucher, 'CANCELLED', 'cancel', 'voucher_cancelled', p_actor, p_on_behalf_of, p_reason, p_now);
    END IF;
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    END IF;
    v_detail := redemption.ended_detail(v_voucher, CASE WHEN v_is_part THEN v_voucher.state ELSE 'CANCELLED' END, p_quantity);
    PERFORM redemption.remember(p_community, p_key, 'cancel', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;

-- Takes a settled use back: the money by its exact opposite, the pieces out of the voucher as returned, never into use again.
-- The caller holds the dispute. NULL, or why not.
CREATE OR REPLACE FUNCTION redemption.refund_use(p_line redemption.settlement_line, p_reason text, p_actor uuid, p_second uuid, p_now timestamptz)
RETURNS redemption.verdict
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_voucher redemption.voucher := redemption.lock_voucher(p_line.community_id, p_line.voucher_id);
    v_use redemption.use;
    v_posted ledger.verdict;
    v_state text;
BEGIN
    SELECT * INTO v_use FROM redemption.use u
     WHERE u.community_id = p_line.community_id AND u.voucher_id = p_line.voucher_id AND u.seq = p_line.use_seq FOR NO KEY UPDATE;
    IF v_use.state <> 'SETTLED' THEN
        RETURN redemption.said('already_reversed', jsonb_build_object('voucher_id', p_line.voucher_id, 'seq', p_line.use_seq, 'state', v_use.state));
    ELSIF v_voucher.state IN ('FROZEN', 'LOCKED', 'CANCEL_PENDING', 'RESERVED') THEN
        RETURN redemption.said(redemption.state_refusal(v_voucher), jsonb_build_object('voucher_id', p_line.voucher_id));
    END IF;
    v_state := CASE
        WHEN v_voucher.state IN ('CANCELLED', 'EXPIRED', 'VOID') THEN v_voucher.state
        WHEN v_voucher.quantity_used > v_use.quantity THEN v_voucher.state
        WHEN redemption.open_quantity(v_voucher) > 0 THEN 'ISSUED'
        ELSE 'CANCELLED'
    END;
    v_posted := redemption.post(p_line.community_id, 'redemption.use:' || v_use.device_id || ':' || v_use.nonce || ':reversed', 'voucher_use_reversed',
                                redemption.counter_steps(v_use), p_actor, NULL, p_now);
    IF v_posted.code <> 'posted' THEN
        RETURN redemption.said('ledger_refused', jsonb_build_object('ledger_code', v_posted.code, 'ledger', v_posted.detail));
    END IF;
    UPDATE redemption.use u
       SET state = 'REVERSED', reversed_at = p_now, reversed_by = p_actor, reversal_reason = p_reason, reversal_journal_id = v_posted.journal_id
     WHERE u.community_id = p_line.community_id AND u.voucher_id = p_line.voucher_id AND u.seq = p_line.use_seq;
    UPDATE redemption.voucher v
       SET state = v_state, quantity_used = v.quantity_used - v_use.quantity, quantity_returned = v.quantity_returned + v_use.quantity,
           event_seq = v.event_seq + 1, changed_at = p_now
     WHERE v.community_id = p_line.community_id AND v.voucher_id = p_line.voucher_id;
    PERFORM redemption.restock(v_voucher, v_use.quantity);
    INSERT INTO redemption.voucher_event (community_id, voucher_id, number, action, from_state, to_state, actor_id, second_id, reason, at)
    VALUES (p_line.community_id, p_line.voucher_id, v_voucher.event_seq + 1, 'refund', v_voucher.state, v_state, p_actor, p_second, p_reason, p_now);
    RETURN NULL;
END $$;

-- The uses that the batch takes: what the server received before its end and nobody has to look at. One statement, so that
-- exactly what the rules of the watch have seen is taken: a scan that commits from here on belongs to the next batch, whatever its
-- time says. The update locks each use and asks again whether a reversal was faster.
CREATE OR REPLACE FUNCTION redemption.take_uses(p_settlement redemption.settlement, p_watch jsonb, p_now timestamptz) RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_count bigint;
BEGIN
    WITH found AS MATERIALIZED (
        SELECT s.* FROM redemption.suspicions(p_settlement.community_id, p_settlement.merchant_id, p_settlement.received_until, p_watch) s
    ), raised AS (
        INSERT INTO redemption.alarm (community_id, voucher_id, use_seq, rule, merchant_id, state, seen, allowed, raised_at)
        SELECT p_settlement.community_id, f.voucher_id, f.use_seq, f.rule, p_settlement.merchant_id, 'OPEN', f.seen, f.allowed, p_now FROM found f
            ON CONFLICT DO NOTHING
        RETURNING voucher_id, use_seq
    ), taken AS (
        UPDATE redemption.use u SET state = 'SETTLED'
         WHERE u.community_id = p_settlement.community_id AND u.merchant_id = p_settlement.merchant_id AND u.state = 'ACCEPTED'
           AND u.received_at < p_settlement.received_until
           AND (u.voucher_id, u.seq) NOT IN (
               SELECT r.voucher_id, r.use_seq FROM raised r
                UNION ALL
               SELECT a.voucher_id, a.use_seq FROM redemption.alarm a
                WHERE a.community_id = p_settlement.community_id AND a.merchant_id = p_settlement.merchant_id AND a.state = 'OPEN')
        RETURNING u.*
    )
    INSERT INTO redemption.settlement_line (community_id, settlement_id, line_no, kind, voucher_id, use_seq, quantity,
                                            points, subsidy_points, payable_fen, cash_fen, received_at, journal_id)
    SELECT t.community_id, p_settlement.settlement_id, row_number() OVER (ORDER BY t.received_at, t.voucher_id, t.seq), 'use',
           t.voucher_id, t.seq, t.quantity, t.points, t.subsidy_points, t.payable_fen, t.cash_fen, t.received_at, t.journal_id
      FROM taken t;
    GET DIAGNOSTICS v_count = ROW_COUNT;
    -- What a person did not let through is in the statement for all to see, in dispute from the first moment, and not paid with it.
    INSERT INTO redemption.dispute (community_id, settlement_id, line_no, state, reason, raised_by, raised_at)
    SELECT DISTINCT ON (l.line_no) l.community_id, l.settlement_id, l.line_no, 'DISPUTED', a.reason, a.decided_by, p_now
      FROM redemption.alarm a
      JOIN redemption.settlement_line l ON l.community_id = a.community_id AND l.settlement_id = p_settlement.settlement_id
       AND l.voucher_id = a.voucher_id AND l.use_seq = a.use_seq AND l.part = 0
     WHERE a.community_id = p_settlement.community_id AND a.merchant_id = p_settlement.merchant_id AND a.state = 'DISPUTED'
     ORDER BY l.line_no, a.rule;
    RETURN v_count;
END $$;

CREATE OR REPLACE FUNCTION redemption.voucher_from_offer(
    p_offer redemption.offer, p_voucher_id bigint, p_short_code text, p_member uuid, p_owner_group uuid,
    p_quantity int, p_subsidy_points int, p_discount_class text, p_now timestamptz, p_grace_hours int, p_reserved_minutes int
) RETURNS redemption.voucher
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v redemption.voucher;
BEGIN
    v.community_id := p_offer.community_id;
    v.voucher_id := p_voucher_id;
    v.offer_id := p_offer.offer_id;
    v.sponsor_id := p_offer.sponsor_id;
    v.member_id := p_member;
    v.owner_group := p_owner_group;
    v.short_code := p_short_code;
    v.state := CASE WHEN p_reserved_minutes IS NULL THEN 'ISSUED' ELSE 'RESERVED' END;
    v.quantity_total := p_quantity;
    v.quantity_used := 0;
    v.quantity_returned := 0;
    v.points_each := p_offer.price_points - p_subsidy_points;
    v.subsidy_points_each := p_subsidy_points;
    v.payable_fen_each := p_offer.payable_fen;
    v.cash_fen_each := p_offer.cash_fen;
    v.price_list_version := p_offer.price_list_version;
    v.discount_class := p_discount_class;
    v.offline_class := p_offer.offline_class;
    v.code_seq := 1;
    v.use_seq := 0;
    v.event_seq := 1;
    v.points_hold := CASE WHEN v.points_each > 0 THEN redemption.uuid_at(p_now) END;
    v.subsidy_hold := CASE WHEN v.subsidy_points_each > 0 THEN redemption.uuid_at(p_now) END;
    v.payable_hold := CASE WHEN v.payable_fen_each > 0 THEN redemption.uuid_at(p_now) END;
    v.issued_at := p_now;
    v.expires_at := coalesce(p_now + make_interval(mins => p_reserved_minutes), redemption.lives_until(p_offer, p_now));
    v.due_at := v.expires_at + CASE WHEN p_reserved_minutes IS NULL THEN redemption.grace(p_offer, p_grace_hours) ELSE interval '0' END;
    v.changed_at := p_now;
    RETURN v;
END $$;

REVOKE ALL ON FUNCTION redemption.redeem_refusal FROM PUBLIC;
