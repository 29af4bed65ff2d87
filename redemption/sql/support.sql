-- Small parts that the functions of redemption share. None of them is granted to the service.

CREATE TYPE redemption.verdict AS (code text, detail jsonb);

-- An id that sorts by time, so that new holds land at the right edge of the ledger's index.
CREATE FUNCTION redemption.uuid_at(p_now timestamptz) RETURNS uuid
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
    SELECT encode(
        set_bit(set_bit(overlay(
            uuid_send(gen_random_uuid())
            PLACING substring(int8send((extract(epoch FROM p_now) * 1000)::bigint) FROM 3) FROM 1 FOR 6
        ), 52, 1), 53, 1), 'hex')::uuid
$$;

-- What can still be used.
CREATE FUNCTION redemption.open_quantity(p_voucher redemption.voucher) RETURNS int
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT p_voucher.quantity_total - p_voucher.quantity_used - p_voucher.quantity_returned
$$;

CREATE FUNCTION redemption.account(p_kind text, p_id uuid) RETURNS text
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT p_kind || ':' || replace(p_id::text, '-', '')
$$;

CREATE FUNCTION redemption.said(p_code text, p_detail jsonb DEFAULT '{}') RETURNS redemption.verdict
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT ROW(p_code, p_detail)::redemption.verdict
$$;

-- What this client key did before: 'replayed' with the first answer, 'key_differs', or NULL when it is new.
-- The row is locked: an answer may only leave once the commit that it repeats is as safe as the first was.
CREATE FUNCTION redemption.remembered(p_community bigint, p_key uuid, p_verb text, p_request jsonb) RETURNS redemption.verdict
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_command redemption.command;
BEGIN
    SELECT * INTO v_command FROM redemption.command c
     WHERE c.community_id = p_community AND c.key = p_key FOR UPDATE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    IF v_command.verb <> p_verb OR v_command.request <> p_request THEN
        RETURN redemption.said('key_differs');
    END IF;
    RETURN redemption.said('replayed', v_command.answer);
END $$;

CREATE FUNCTION redemption.remember(
    p_community bigint, p_key uuid, p_verb text, p_request jsonb, p_answer jsonb, p_actor uuid, p_now timestamptz
) RETURNS void
    LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO redemption.command (community_id, key, verb, request, answer, actor_id, at)
    VALUES (p_community, p_key, p_verb, p_request, p_answer, p_actor, p_now)
$$;

-- The one door to the ledger. Always the last lock of a function. Nothing to move is not an error.
CREATE FUNCTION redemption.post(
    p_community bigint, p_reference text, p_reason text, p_steps ledger.step[], p_actor uuid, p_on_behalf_of uuid, p_now timestamptz
) RETURNS ledger.verdict
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF cardinality(p_steps) = 0 THEN
        RETURN ROW('posted', NULL, '{}')::ledger.verdict;
    END IF;
    RETURN ledger.post(p_community, p_reference, p_reason, p_steps, p_actor, p_on_behalf_of, p_now, p_now);
END $$;

-- The steps that put p_quantity pieces of a voucher into escrow: the member's points, the sponsor's points, the sponsor's fen.
-- Points are whole here and hundredths in the ledger.
CREATE FUNCTION redemption.hold_steps(p_voucher redemption.voucher, p_quantity int) RETURNS ledger.step[]
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(array_agg(ROW('hold', part.debit, NULL, part.unit, part.amount, part.hold_id, NULL)::ledger.step ORDER BY part.n), '{}')
      FROM (VALUES
        (1, redemption.account('member', coalesce(p_voucher.payer_id, p_voucher.member_id)), 'point', 100::bigint * p_quantity * p_voucher.points_each,
            p_voucher.points_hold),
        (2, redemption.account('budget', p_voucher.sponsor_id), 'point', 100::bigint * p_quantity * p_voucher.subsidy_points_each, p_voucher.subsidy_hold),
        (3, redemption.account('budget', p_voucher.sponsor_id), 'fen', p_quantity * p_voucher.payable_fen_each, p_voucher.payable_hold)
      ) AS part (n, debit, unit, amount, hold_id)
     WHERE part.amount > 0
$$;

-- The steps that pay the merchant for p_quantity pieces out of escrow.
CREATE FUNCTION redemption.capture_steps(p_voucher redemption.voucher, p_quantity int, p_merchant uuid) RETURNS ledger.step[]
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(array_agg(ROW('capture', NULL, redemption.account('merchant', p_merchant), part.unit, part.amount, part.hold_id, NULL)::ledger.step
                              ORDER BY part.n), '{}')
      FROM (VALUES
        (1, 'point', 100::bigint * p_quantity * p_voucher.points_each, p_voucher.points_hold),
        (2, 'point', 100::bigint * p_quantity * p_voucher.subsidy_points_each, p_voucher.subsidy_hold),
        (3, 'fen', p_quantity * p_voucher.payable_fen_each, p_voucher.payable_hold)
      ) AS part (n, unit, amount, hold_id)
     WHERE part.amount > 0
$$;

-- The steps that give p_quantity pieces back to where they came from.
CREATE FUNCTION redemption.release_steps(p_voucher redemption.voucher, p_quantity int) RETURNS ledger.step[]
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(array_agg(ROW('release', NULL, NULL, part.unit, part.amount, part.hold_id, NULL)::ledger.step ORDER BY part.n), '{}')
      FROM (VALUES
        (1, 'point', 100::bigint * p_quantity * p_voucher.points_each, p_voucher.points_hold),
        (2, 'point', 100::bigint * p_quantity * p_voucher.subsidy_points_each, p_voucher.subsidy_hold),
        (3, 'fen', p_quantity * p_voucher.payable_fen_each, p_voucher.payable_hold)
      ) AS part (n, unit, amount, hold_id)
     WHERE part.amount > 0
$$;

-- Gives p_quantity pieces back to the offer: to its stock, and to the period in which the voucher was taken. The caller holds the offer.
CREATE FUNCTION redemption.restock(p_voucher redemption.voucher, p_quantity int) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_offer redemption.offer;
BEGIN
    UPDATE redemption.offer o SET stock_taken = o.stock_taken - p_quantity
     WHERE o.community_id = p_voucher.community_id AND o.offer_id = p_voucher.offer_id
    RETURNING o.* INTO STRICT v_offer;
    IF v_offer.period_cap IS NOT NULL THEN
        UPDATE redemption.offer_period p SET taken = p.taken - p_quantity
         WHERE p.community_id = v_offer.community_id AND p.offer_id = v_offer.offer_id
           AND p.began_at = redemption.period_began(v_offer.period_cap_per, v_offer.time_zone, p_voucher.issued_at);
    END IF;
END $$;

-- Writes the voucher's new state and the line of its history. The caller holds the voucher's lock.
CREATE FUNCTION redemption.move_voucher(
    p_voucher redemption.voucher, p_state text, p_frozen_state text, p_action text, p_actor uuid, p_on_behalf_of uuid, p_reason text, p_now timestamptz,
    p_second uuid DEFAULT NULL
) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE redemption.voucher v
       SET state = p_state, frozen_state = p_frozen_state, event_seq = v.event_seq + 1, changed_at = p_now,
           lock_token = CASE WHEN 'LOCKED' IN (p_state, p_frozen_state) THEN v.lock_token END,
           lock_until = CASE WHEN 'LOCKED' IN (p_state, p_frozen_state) THEN v.lock_until END,
           lock_device_id = CASE WHEN 'LOCKED' IN (p_state, p_frozen_state) THEN v.lock_device_id END,
           quantity_returned = v.quantity_returned
               + CASE WHEN p_state IN ('CANCELLED', 'EXPIRED', 'VOID') THEN redemption.open_quantity(v) ELSE 0 END
     WHERE v.community_id = p_voucher.community_id AND v.voucher_id = p_voucher.voucher_id;
    INSERT INTO redemption.voucher_event (community_id, voucher_id, number, action, from_state, to_state, actor_id, second_id, on_behalf_of, reason, at)
    VALUES (p_voucher.community_id, p_voucher.voucher_id, p_voucher.event_seq + 1, p_action, p_voucher.state, p_state,
            p_actor, p_second, p_on_behalf_of, p_reason, p_now);
END $$;

-- A state that is over, or not usable now, as a verdict code; NULL when the voucher can act.
CREATE FUNCTION redemption.state_refusal(p_voucher redemption.voucher) RETURNS text
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE p_voucher.state
        WHEN 'FROZEN' THEN 'frozen'
        WHEN 'VOID' THEN 'void'
        WHEN 'CANCELLED' THEN 'cancelled'
        WHEN 'CANCEL_PENDING' THEN 'cancel_pending'
        WHEN 'USED' THEN 'used'
        WHEN 'EXPIRED' THEN 'expired'
        WHEN 'RESERVED' THEN 'not_issued'
        WHEN 'LOCKED' THEN 'locked'
    END
$$;

-- When the period began in which p_at lies.
CREATE FUNCTION redemption.period_began(p_period text, p_time_zone text, p_at timestamptz) RETURNS timestamptz
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE p_period WHEN 'ever' THEN '-infinity' ELSE date_trunc(p_period, p_at, p_time_zone) END
$$;

-- What an account holds, in the ledger's smallest unit; nothing when it was never opened.
CREATE FUNCTION redemption.available(p_community bigint, p_account text, p_unit text) RETURNS bigint
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce((SELECT a.balance FROM ledger.account a
                      WHERE a.community_id = p_community AND a.code = p_account AND a.unit = p_unit), 0)
$$;

-- What a journal moved out of (debit) or into (credit) a merchant's account: the ledger's side of a use or a payment.
CREATE FUNCTION redemption.moved(p_community bigint, p_journal bigint, p_side text, p_merchant uuid, p_unit text) RETURNS numeric
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(sum(t.amount), 0)
      FROM ledger.journal j
      JOIN ledger.transfer t ON t.community_id = j.community_id AND t.seq >= j.journal_id AND t.seq < j.journal_id + j.transfers
      JOIN ledger.account a ON a.community_id = t.community_id
       AND a.account_id = CASE p_side WHEN 'debit' THEN t.debit ELSE t.credit END
     WHERE j.community_id = p_community AND j.journal_id = p_journal AND t.unit = p_unit
       AND a.code = 'merchant:' || replace(p_merchant::text, '-', '')
$$;
