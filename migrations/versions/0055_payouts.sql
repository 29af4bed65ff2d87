-- Payments in parts and back, accounts that two people change, invoices, how often a shop is settled.
-- Frozen from redemption/tables/ and redemption/sql/.

CREATE TABLE redemption.rhythm (
    community_id BIGINT NOT NULL,
    merchant_id UUID NOT NULL,
    effective_from DATE NOT NULL,
    rhythm TEXT NOT NULL,
    chosen_by UUID NOT NULL,
    chosen_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_rhythm PRIMARY KEY (community_id, merchant_id, effective_from),
    CONSTRAINT fk_rhythm_merchant FOREIGN KEY(community_id, merchant_id) REFERENCES redemption.merchant (community_id, merchant_id),
    CONSTRAINT ck_rhythm_rhythm CHECK (rhythm IN ('weekly', 'daily'))
);

CREATE TABLE redemption.payee (
    community_id BIGINT NOT NULL,
    payee_id UUID NOT NULL,
    merchant_id UUID NOT NULL,
    number INTEGER,
    state TEXT NOT NULL,
    holder TEXT NOT NULL,
    bank TEXT NOT NULL,
    tail TEXT NOT NULL,
    sealed BYTEA NOT NULL,
    reason TEXT NOT NULL,
    proposed_by UUID NOT NULL,
    proposed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    decided_by UUID,
    decided_at TIMESTAMP WITH TIME ZONE,
    refusal TEXT,
    frozen_until TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_payee PRIMARY KEY (community_id, payee_id),
    CONSTRAINT uq_payee_number UNIQUE (community_id, merchant_id, number),
    CONSTRAINT fk_payee_merchant FOREIGN KEY(community_id, merchant_id) REFERENCES redemption.merchant (community_id, merchant_id),
    CONSTRAINT ck_payee_state CHECK (state IN ('PROPOSED', 'APPROVED', 'REFUSED')),
    CONSTRAINT ck_payee_texts CHECK (length(holder) > 0 AND length(bank) > 0 AND length(tail) = 4 AND length(reason) > 0),
    CONSTRAINT ck_payee_two_people CHECK (decided_by <> proposed_by),
    CONSTRAINT ck_payee_decided CHECK ((state = 'PROPOSED') = (decided_at IS NULL) AND (decided_at IS NULL) = (decided_by IS NULL)),
    CONSTRAINT ck_payee_number CHECK ((state = 'APPROVED') = (number IS NOT NULL) AND number > 0),
    CONSTRAINT ck_payee_frozen CHECK ((state = 'APPROVED') = (frozen_until IS NOT NULL) AND frozen_until >= decided_at)
);
CREATE UNIQUE INDEX uq_payee_proposed ON redemption.payee (community_id, merchant_id) WHERE state = 'PROPOSED';

CREATE TABLE redemption.payment (
    community_id BIGINT NOT NULL,
    settlement_id UUID NOT NULL,
    number INTEGER NOT NULL,
    points BIGINT NOT NULL,
    fen BIGINT NOT NULL,
    bank_reference TEXT NOT NULL,
    payee_id UUID,
    repeats INTEGER,
    approved_by UUID,
    paid_by UUID NOT NULL,
    paid_at TIMESTAMP WITH TIME ZONE NOT NULL,
    journal_id BIGINT,
    returned_at TIMESTAMP WITH TIME ZONE,
    returned_by UUID,
    return_reason TEXT,
    return_journal_id BIGINT,
    CONSTRAINT pk_payment PRIMARY KEY (community_id, settlement_id, number),
    CONSTRAINT uq_payment_reference UNIQUE (community_id, settlement_id, bank_reference),
    CONSTRAINT uq_payment_repeats UNIQUE (community_id, settlement_id, repeats),
    CONSTRAINT fk_payment_settlement FOREIGN KEY(community_id, settlement_id) REFERENCES redemption.settlement (community_id, settlement_id),
    CONSTRAINT fk_payment_payee FOREIGN KEY(community_id, payee_id) REFERENCES redemption.payee (community_id, payee_id),
    CONSTRAINT fk_payment_repeats FOREIGN KEY(community_id, settlement_id, repeats) REFERENCES redemption.payment (community_id, settlement_id, number),
    CONSTRAINT ck_payment_number CHECK (number > 0 AND repeats < number),
    CONSTRAINT ck_payment_amounts CHECK (points >= 0 AND fen >= 0),
    CONSTRAINT ck_payment_bank_reference CHECK (length(bank_reference) > 0),
    CONSTRAINT ck_payment_two_people CHECK (paid_by <> approved_by),
    CONSTRAINT ck_payment_returned CHECK ((returned_at IS NULL) = (returned_by IS NULL) AND (returned_at IS NULL) = (coalesce(return_reason, '') = ''))
);

CREATE TABLE redemption.invoice (
    community_id BIGINT NOT NULL,
    invoice_id UUID NOT NULL,
    settlement_id UUID NOT NULL,
    invoice_no TEXT NOT NULL,
    fen BIGINT NOT NULL,
    noted_by UUID NOT NULL,
    noted_at TIMESTAMP WITH TIME ZONE NOT NULL,
    withdrawn_by UUID,
    withdrawn_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_invoice PRIMARY KEY (community_id, invoice_id),
    CONSTRAINT fk_invoice_settlement FOREIGN KEY(community_id, settlement_id) REFERENCES redemption.settlement (community_id, settlement_id),
    CONSTRAINT ck_invoice_invoice_no CHECK (invoice_no ~ '^[0-9]{8,20}$'),
    CONSTRAINT ck_invoice_fen CHECK (fen > 0),
    CONSTRAINT ck_invoice_withdrawn CHECK ((withdrawn_at IS NULL) = (withdrawn_by IS NULL))
);
CREATE INDEX ix_invoice_settlement ON redemption.invoice (community_id, settlement_id);
CREATE UNIQUE INDEX uq_invoice_no ON redemption.invoice (community_id, invoice_no) WHERE withdrawn_at IS NULL;

-- Who approved stands beside who paid only where these were two: nothing asked for it before.
INSERT INTO redemption.payment (community_id, settlement_id, number, points, fen, bank_reference, approved_by, paid_by, paid_at, journal_id)
SELECT s.community_id, s.settlement_id, 1, coalesce(s.paid_points, 0), coalesce(s.paid_fen, 0), s.bank_reference, nullif(s.approved_by, s.paid_by),
       s.paid_by, s.paid_at, s.journal_id
  FROM redemption.settlement s WHERE s.state = 'PAID';

ALTER TABLE redemption.settlement
    DROP CONSTRAINT ck_settlement_state,
    DROP CONSTRAINT ck_settlement_approved,
    ADD COLUMN approved_points BIGINT,
    ADD COLUMN approved_fen BIGINT;
UPDATE redemption.settlement s
   SET approved_points = CASE WHEN s.state = 'PAID' THEN coalesce(s.paid_points, 0) ELSE d.points END,
       approved_fen = CASE WHEN s.state = 'PAID' THEN coalesce(s.paid_fen, 0) ELSE d.fen END
  FROM redemption.settlement x
 CROSS JOIN LATERAL redemption.settlement_due(x.community_id, x.settlement_id) d
 WHERE x.community_id = s.community_id AND x.settlement_id = s.settlement_id AND s.approved_at IS NOT NULL;
UPDATE redemption.settlement SET paid_points = coalesce(paid_points, 0), paid_fen = coalesce(paid_fen, 0)
 WHERE paid_points IS NULL OR paid_fen IS NULL;
ALTER TABLE redemption.settlement
    ALTER COLUMN paid_points SET DEFAULT 0,
    ALTER COLUMN paid_points SET NOT NULL,
    ALTER COLUMN paid_fen SET DEFAULT 0,
    ALTER COLUMN paid_fen SET NOT NULL,
    ADD CONSTRAINT ck_settlement_state CHECK (state IN ('OPEN', 'CLOSED', 'CONFIRMED', 'APPROVED', 'PART_PAID', 'PAID')),
    ADD CONSTRAINT ck_settlement_approved CHECK ((state IN ('APPROVED', 'PART_PAID', 'PAID')) = (approved_at IS NOT NULL)),
    ADD CONSTRAINT ck_settlement_due CHECK (approved_at IS NULL OR (approved_points IS NOT NULL AND approved_fen IS NOT NULL)),
    ADD CONSTRAINT ck_settlement_paid_once CHECK (paid_points >= 0 AND paid_fen >= 0 AND paid_points <= coalesce(approved_points, 0) AND paid_fen <= coalesce(approved_fen, 0)),
    ADD CONSTRAINT ck_settlement_paid_whole CHECK (state <> 'PAID' OR (paid_points = approved_points AND paid_fen = approved_fen));

DROP FUNCTION redemption.pay_settlement;

-- Closes what the server received before p_until, and what was decided for the shop before then. The client's settlement id is the key.
CREATE OR REPLACE FUNCTION redemption.close_settlement(
    p_community bigint, p_settlement uuid, p_merchant uuid, p_until timestamptz, p_actor uuid, p_now timestamptz
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb := jsonb_build_object('merchant', p_merchant, 'until', redemption.micros(p_until));
    v_before redemption.verdict;
    v_merchant redemption.merchant;
    v_uses redemption.use[];
    v_upheld redemption.dispute[];
    v_all redemption.use[];
    v_sums jsonb;
    v redemption.settlement;
    v_detail jsonb;
BEGIN
    -- The merchant's row orders its batches; the uses are locked before they are summed, so no reversal slips between.
    SELECT * INTO v_merchant FROM redemption.merchant m
     WHERE m.community_id = p_community AND m.merchant_id = p_merchant FOR NO KEY UPDATE;
    v_before := redemption.remembered(p_community, p_settlement, 'close', v_request);
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    ELSIF v_merchant.merchant_id IS NULL THEN
        RETURN redemption.said('merchant_unknown');
    ELSIF p_actor IS NULL THEN
        RETURN redemption.said('actor_missing');
    ELSIF p_until > p_now OR p_until <= v_merchant.settled_until THEN
        RETURN redemption.said('period_wrong', jsonb_build_object('settled_until', v_merchant.settled_until));
    END IF;
    -- Exactly these uses: a scan that commits from here on belongs to the next batch, whatever its time says.
    v_uses := ARRAY(
        SELECT u FROM redemption.use u
         WHERE u.community_id = p_community AND u.merchant_id = p_merchant AND u.state = 'ACCEPTED' AND u.received_at < p_until
         ORDER BY u.voucher_id, u.seq FOR NO KEY UPDATE);
    v_upheld := ARRAY(
        SELECT d FROM redemption.dispute d
         WHERE d.community_id = p_community AND d.state = 'UPHELD' AND d.carried_settlement IS NULL AND d.resolved_at < p_until
           AND EXISTS (SELECT FROM redemption.settlement s
                        WHERE s.community_id = d.community_id AND s.settlement_id = d.settlement_id AND s.merchant_id = p_merchant)
         ORDER BY d.settlement_id, d.line_no FOR NO KEY UPDATE);
    v_all := v_uses || ARRAY(
        SELECT u FROM unnest(v_upheld) d
          JOIN redemption.settlement_line l ON l.community_id = p_community AND l.settlement_id = d.settlement_id AND l.line_no = d.line_no
          JOIN redemption.use u ON u.community_id = p_community AND u.voucher_id = l.voucher_id AND u.seq = l.use_seq);
    IF cardinality(v_all) = 0 THEN
        RETURN redemption.said('nothing_to_settle');
    END IF;
    v_sums := redemption.three_sums(p_community, p_merchant, v_all);
    IF v_sums -> 'uses' IS DISTINCT FROM v_sums -> 'lines' OR (v_sums -> 'uses') - 'count' IS DISTINCT FROM v_sums -> 'ledger' THEN
        RETURN redemption.said('sums_differ', v_sums);
    END IF;

    SELECT p_community, p_settlement, p_merchant, v_merchant.settled_number + 1,
           least(v_merchant.settled_until, (SELECT min(t.received_at) FROM unnest(v_uses) t)), p_until, 'CLOSED', count(*),
           sum(u.points), sum(u.subsidy_points), sum(u.payable_fen), sum(u.cash_fen)
      INTO v.community_id, v.settlement_id, v.merchant_id, v.number, v.received_from, v.received_until, v.state, v.line_count,
           v.points, v.subsidy_points, v.payable_fen, v.cash_fen
      FROM unnest(v_all) u;
    v.previous_hash := coalesce(v_merchant.settled_hash, sha256(''));
    v.hash := ''::bytea;
    v.paid_points := 0;
    v.paid_fen := 0;
    v.closed_by := p_actor;
    v.closed_at := p_now;
    INSERT INTO redemption.settlement SELECT v.*;
    PERFORM redemption.add_lines(v, v_uses);
    PERFORM redemption.carry_lines(v, v_upheld, cardinality(v_uses));
    v.hash := redemption.settlement_hash(v);
    UPDATE redemption.settlement s SET hash = v.hash WHERE s.community_id = p_community AND s.settlement_id = p_settlement;
    UPDATE redemption.merchant m SET settled_number = v.number, settled_hash = v.hash, settled_until = p_until
     WHERE m.community_id = p_community AND m.merchant_id = p_merchant;
    v_detail := jsonb_build_object('settlement_id', p_settlement, 'number', v.number, 'sums', v_sums, 'line_count', v.line_count,
                                   'points', v.points + v.subsidy_points, 'payable_fen', v.payable_fen, 'hash', encode(v.hash, 'hex'));
    PERFORM redemption.remember(p_community, p_settlement, 'close', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;

CREATE OR REPLACE FUNCTION redemption.approve_settlement(p_community bigint, p_key uuid, p_settlement uuid, p_actor uuid, p_now timestamptz)
RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb := jsonb_build_object('settlement', p_settlement);
    v redemption.settlement;
    v_before redemption.verdict;
    v_due record;
    v_detail jsonb := jsonb_build_object('settlement_id', p_settlement);
BEGIN
    SELECT * INTO v FROM redemption.settlement s WHERE s.community_id = p_community AND s.settlement_id = p_settlement FOR NO KEY UPDATE;
    v_before := redemption.remembered(p_community, p_key, 'approve', v_request);
    IF v_before.code IS NULL THEN
        v_before := redemption.settlement_refusal(v, '{CONFIRMED}');
    END IF;
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    ELSIF p_actor IS NULL OR p_actor = v.closed_by THEN
        RETURN redemption.said('same_person');
    END IF;
    -- What is due no longer changes: lines are disputed before the shop agrees. After a returned payment a part may be paid already.
    v_due := redemption.settlement_due(p_community, p_settlement);
    UPDATE redemption.settlement s
       SET state = CASE WHEN v.paid_fen > 0 THEN 'PART_PAID' ELSE 'APPROVED' END, approved_by = p_actor, approved_at = p_now,
           approved_points = v_due.points, approved_fen = v_due.fen
     WHERE s.community_id = p_community AND s.settlement_id = p_settlement;
    PERFORM redemption.remember(p_community, p_key, 'approve', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;

-- How often a shop is settled, and where its money goes. A new account takes two people and then waits.

-- From the day after today at the earliest, so that a period that runs keeps its length. The same day again is decided anew.
CREATE FUNCTION redemption.choose_rhythm(
    p_community bigint, p_merchant uuid, p_rhythm text, p_from date, p_today date, p_actor uuid, p_now timestamptz
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF p_actor IS NULL THEN
        RETURN redemption.said('actor_missing');
    ELSIF p_from <= p_today OR p_from > p_today + 366 THEN
        RETURN redemption.said('rhythm_day_wrong');
    END IF;
    INSERT INTO redemption.merchant (community_id, merchant_id) VALUES (p_community, p_merchant) ON CONFLICT DO NOTHING;
    INSERT INTO redemption.rhythm AS r (community_id, merchant_id, effective_from, rhythm, chosen_by, chosen_at)
    VALUES (p_community, p_merchant, p_from, p_rhythm, p_actor, p_now)
        ON CONFLICT (community_id, merchant_id, effective_from)
        DO UPDATE SET rhythm = excluded.rhythm, chosen_by = excluded.chosen_by, chosen_at = excluded.chosen_at;
    RETURN redemption.said('done');
END $$;

-- The account in force: the last that two people agreed on. All NULL when there is none.
CREATE FUNCTION redemption.payee_of(p_community bigint, p_merchant uuid) RETURNS redemption.payee
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT p FROM redemption.payee p
     WHERE p.community_id = p_community AND p.merchant_id = p_merchant AND p.state = 'APPROVED'
     ORDER BY p.number DESC LIMIT 1
$$;

-- The account's number comes sealed; only its tail can be read here. One proposal of a shop at a time.
CREATE FUNCTION redemption.propose_payee(
    p_community bigint, p_payee uuid, p_merchant uuid, p_holder text, p_bank text, p_tail text, p_sealed bytea, p_reason text,
    p_actor uuid, p_now timestamptz
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb := jsonb_build_object('merchant', p_merchant, 'holder', p_holder, 'bank', p_bank, 'tail', p_tail);
    v_before redemption.verdict;
    v_detail jsonb := jsonb_build_object('payee_id', p_payee);
BEGIN
    INSERT INTO redemption.merchant (community_id, merchant_id) VALUES (p_community, p_merchant) ON CONFLICT DO NOTHING;
    PERFORM FROM redemption.merchant m WHERE m.community_id = p_community AND m.merchant_id = p_merchant FOR NO KEY UPDATE;
    v_before := redemption.remembered(p_community, p_payee, 'propose_payee', v_request);
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    ELSIF p_actor IS NULL THEN
        RETURN redemption.said('actor_missing');
    ELSIF coalesce(p_reason, '') = '' THEN
        RETURN redemption.said('reason_missing');
    ELSIF EXISTS (SELECT FROM redemption.payee p
                   WHERE p.community_id = p_community AND p.merchant_id = p_merchant AND p.state = 'PROPOSED') THEN
        RETURN redemption.said('payee_waits');
    END IF;
    INSERT INTO redemption.payee (community_id, payee_id, merchant_id, state, holder, bank, tail, sealed, reason, proposed_by, proposed_at)
    VALUES (p_community, p_payee, p_merchant, 'PROPOSED', p_holder, p_bank, p_tail, p_sealed, p_reason, p_actor, p_now);
    PERFORM redemption.remember(p_community, p_payee, 'propose_payee', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;

-- By a second person. A change of account stops the shop's payments for p_freeze_days; the first account of a shop does not.
-- The merchant's row orders this and every payment: a payment goes to the account before, or waits out the days.
CREATE FUNCTION redemption.decide_payee(
    p_community bigint, p_key uuid, p_payee uuid, p_agreed boolean, p_reason text, p_freeze_days int, p_actor uuid, p_now timestamptz
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb := jsonb_build_object('payee', p_payee, 'agreed', p_agreed);
    v redemption.payee;
    v_last redemption.payee;
    v_before redemption.verdict;
    v_until timestamptz;
    v_detail jsonb;
BEGIN
    PERFORM FROM redemption.merchant m
      WHERE m.community_id = p_community
        AND m.merchant_id = (SELECT p.merchant_id FROM redemption.payee p WHERE p.community_id = p_community AND p.payee_id = p_payee)
      FOR NO KEY UPDATE;
    SELECT * INTO v FROM redemption.payee p WHERE p.community_id = p_community AND p.payee_id = p_payee FOR NO KEY UPDATE;
    v_before := redemption.remembered(p_community, p_key, 'decide_payee', v_request);
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    ELSIF v.payee_id IS NULL THEN
        RETURN redemption.said('payee_unknown');
    ELSIF v.state <> 'PROPOSED' THEN
        RETURN redemption.said('payee_decided', jsonb_build_object('state', v.state));
    ELSIF p_actor IS NULL OR p_actor = v.proposed_by THEN
        RETURN redemption.said('same_person');
    ELSIF NOT p_agreed AND coalesce(p_reason, '') = '' THEN
        RETURN redemption.said('reason_missing');
    END IF;
    v_last := redemption.payee_of(p_community, v.merchant_id);
    v_until := CASE WHEN v_last.payee_id IS NULL THEN p_now ELSE p_now + make_interval(days => p_freeze_days) END;
    UPDATE redemption.payee p
       SET state = CASE WHEN p_agreed THEN 'APPROVED' ELSE 'REFUSED' END, decided_by = p_actor, decided_at = p_now, refusal = nullif(p_reason, ''),
           number = CASE WHEN p_agreed THEN coalesce(v_last.number, 0) + 1 END, frozen_until = CASE WHEN p_agreed THEN v_until END
     WHERE p.community_id = p_community AND p.payee_id = p_payee;
    v_detail := jsonb_build_object('payee_id', p_payee, 'frozen_until', CASE WHEN p_agreed THEN v_until END);
    PERFORM redemption.remember(p_community, p_key, 'decide_payee', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;

-- Payments of a statement: in one or several parts, each recorded once, each of which the bank may send back.

-- The steps of a payment, or of its way back.
CREATE FUNCTION redemption.payment_steps(p_merchant uuid, p_points bigint, p_fen bigint, p_is_return boolean) RETURNS ledger.step[]
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(array_agg(CASE WHEN p_is_return
               THEN ROW('post', part.other, redemption.account('merchant', p_merchant), part.unit, part.amount, NULL, NULL)::ledger.step
               ELSE ROW('post', redemption.account('merchant', p_merchant), part.other, part.unit, part.amount, NULL, NULL)::ledger.step
           END ORDER BY part.n), '{}')
      FROM (VALUES (1, 'issued', 'point', 100 * p_points), (2, 'paid', 'fen', p_fen)) AS part (n, other, unit, amount)
     WHERE part.amount > 0
$$;

-- Records that the bank paid p_fen, or all that is open. The points are burnt with the part that completes it.
-- The merchant's row comes first: of a payment and a new account one waits for the other. The statement's row orders payments,
-- and its CHECK of paid against approved is the wall behind.
CREATE FUNCTION redemption.pay_settlement(
    p_community bigint, p_key uuid, p_settlement uuid, p_bank_reference text, p_actor uuid, p_now timestamptz, p_fen bigint DEFAULT NULL
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb := jsonb_strip_nulls(jsonb_build_object('settlement', p_settlement, 'bank_reference', p_bank_reference, 'fen', p_fen));
    v redemption.settlement;
    v_payee redemption.payee;
    v_before redemption.verdict;
    v_open bigint;
    v_fen bigint;
    v_points bigint;
    v_number int;
    v_repeats int;
    v_posted ledger.verdict;
    v_detail jsonb;
BEGIN
    PERFORM FROM redemption.merchant m
      WHERE m.community_id = p_community
        AND m.merchant_id = (SELECT s.merchant_id FROM redemption.settlement s WHERE s.community_id = p_community AND s.settlement_id = p_settlement)
      FOR SHARE;
    SELECT * INTO v FROM redemption.settlement s WHERE s.community_id = p_community AND s.settlement_id = p_settlement FOR NO KEY UPDATE;
    v_before := redemption.remembered(p_community, p_key, 'pay', v_request);
    IF v_before.code IS NULL THEN
        v_before := redemption.settlement_refusal(v, '{APPROVED,PART_PAID}');
    END IF;
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    ELSIF coalesce(p_bank_reference, '') = '' THEN
        RETURN redemption.said('bank_reference_missing');
    ELSIF p_actor IS NULL THEN
        RETURN redemption.said('actor_missing');
    ELSIF p_actor = v.approved_by THEN
        RETURN redemption.said('same_person');
    END IF;
    v_open := v.approved_fen - v.paid_fen;
    v_fen := coalesce(p_fen, v_open);
    v_payee := redemption.payee_of(p_community, v.merchant_id);
    IF v_fen NOT BETWEEN least(1, v_open) AND v_open THEN
        RETURN redemption.said('amount_wrong', jsonb_build_object('open', v_open));
    ELSIF v_fen > 0 AND v_payee.frozen_until > p_now THEN
        RETURN redemption.said('payout_frozen', jsonb_build_object('frozen_until', v_payee.frozen_until));
    ELSIF EXISTS (SELECT FROM redemption.payment p
                   WHERE p.community_id = p_community AND p.settlement_id = p_settlement AND p.bank_reference = p_bank_reference) THEN
        RETURN redemption.said('reference_used');
    END IF;
    v_points := CASE WHEN v_fen = v_open THEN v.approved_points - v.paid_points ELSE 0 END;
    SELECT count(*) + 1, min(p.number) FILTER (WHERE p.returned_at IS NOT NULL AND NOT EXISTS (
               SELECT FROM redemption.payment r
                WHERE r.community_id = p.community_id AND r.settlement_id = p.settlement_id AND r.repeats = p.number))
      INTO v_number, v_repeats
      FROM redemption.payment p WHERE p.community_id = p_community AND p.settlement_id = p_settlement;
    v_posted := redemption.post(p_community, 'redemption.settlement:' || p_settlement || ':paid' || CASE WHEN v_number > 1 THEN ':' || v_number ELSE '' END,
                                'settlement_paid', redemption.payment_steps(v.merchant_id, v_points, v_fen, false), p_actor, NULL, p_now);
    IF v_posted.code <> 'posted' THEN
        RETURN redemption.said('ledger_refused', jsonb_build_object('ledger_code', v_posted.code, 'ledger', v_posted.detail));
    END IF;
    INSERT INTO redemption.payment (community_id, settlement_id, number, points, fen, bank_reference, payee_id, repeats, approved_by,
                                    paid_by, paid_at, journal_id)
    VALUES (p_community, p_settlement, v_number, v_points, v_fen, p_bank_reference, v_payee.payee_id, v_repeats, v.approved_by,
            p_actor, p_now, v_posted.journal_id);
    UPDATE redemption.settlement s
       SET paid_fen = s.paid_fen + v_fen, paid_points = s.paid_points + v_points,
           state = CASE WHEN v_fen = v_open THEN 'PAID' ELSE 'PART_PAID' END,
           paid_by = CASE WHEN v_fen = v_open THEN p_actor END, paid_at = CASE WHEN v_fen = v_open THEN p_now END,
           bank_reference = CASE WHEN v_fen = v_open THEN p_bank_reference END,
           journal_id = CASE WHEN v_fen = v_open THEN v_posted.journal_id END
     WHERE s.community_id = p_community AND s.settlement_id = p_settlement;
    v_detail := jsonb_build_object('settlement_id', p_settlement, 'payment', v_number, 'paid_points', v_points, 'paid_fen', v_fen,
                                   'open_fen', v_open - v_fen);
    PERFORM redemption.remember(p_community, p_key, 'pay', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;

-- The bank sent a payment back: its exact opposite is posted, and what it paid is open again. Somebody other than who then pays
-- approves it anew, or one person could pay twice with a made-up return in between.
CREATE FUNCTION redemption.return_payment(
    p_community bigint, p_key uuid, p_settlement uuid, p_number int, p_reason text, p_actor uuid, p_now timestamptz
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb := jsonb_build_object('settlement', p_settlement, 'payment', p_number);
    v redemption.settlement;
    v_payment redemption.payment;
    v_before redemption.verdict;
    v_posted ledger.verdict;
    v_detail jsonb := jsonb_build_object('settlement_id', p_settlement, 'payment', p_number);
BEGIN
    SELECT * INTO v FROM redemption.settlement s WHERE s.community_id = p_community AND s.settlement_id = p_settlement FOR NO KEY UPDATE;
    v_before := redemption.remembered(p_community, p_key, 'return', v_request);
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    END IF;
    SELECT * INTO v_payment FROM redemption.payment p
     WHERE p.community_id = p_community AND p.settlement_id = p_settlement AND p.number = p_number FOR NO KEY UPDATE;
    IF v_payment.number IS NULL THEN
        RETURN redemption.said('payment_unknown');
    ELSIF v_payment.returned_at IS NOT NULL THEN
        RETURN redemption.said('payment_returned', jsonb_build_object('returned_at', v_payment.returned_at));
    ELSIF coalesce(p_reason, '') = '' THEN
        RETURN redemption.said('reason_missing');
    ELSIF p_actor IS NULL THEN
        RETURN redemption.said('actor_missing');
    END IF;
    v_posted := redemption.post(p_community, 'redemption.settlement:' || p_settlement || ':paid:' || p_number || ':returned', 'settlement_returned',
                                redemption.payment_steps(v.merchant_id, v_payment.points, v_payment.fen, true), p_actor, NULL, p_now);
    IF v_posted.code <> 'posted' THEN
        RETURN redemption.said('ledger_refused', jsonb_build_object('ledger_code', v_posted.code, 'ledger', v_posted.detail));
    END IF;
    UPDATE redemption.payment p
       SET returned_at = p_now, returned_by = p_actor, return_reason = p_reason, return_journal_id = v_posted.journal_id
     WHERE p.community_id = p_community AND p.settlement_id = p_settlement AND p.number = p_number;
    UPDATE redemption.settlement s
       SET state = 'CONFIRMED', paid_fen = s.paid_fen - v_payment.fen, paid_points = s.paid_points - v_payment.points,
           approved_by = NULL, approved_at = NULL, paid_by = NULL, paid_at = NULL, bank_reference = NULL, journal_id = NULL
     WHERE s.community_id = p_community AND s.settlement_id = p_settlement;
    PERFORM redemption.remember(p_community, p_key, 'return', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;

-- The shop's invoice of a statement. A number stands once in a community; a slip of the pen is taken back, and stays to be seen.
CREATE FUNCTION redemption.note_invoice(
    p_community bigint, p_key uuid, p_settlement uuid, p_invoice_no text, p_fen bigint, p_actor uuid, p_now timestamptz
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb := jsonb_build_object('settlement', p_settlement, 'invoice_no', p_invoice_no, 'fen', p_fen);
    v redemption.settlement;
    v_before redemption.verdict;
BEGIN
    SELECT * INTO v FROM redemption.settlement s WHERE s.community_id = p_community AND s.settlement_id = p_settlement FOR NO KEY UPDATE;
    v_before := redemption.remembered(p_community, p_key, 'invoice', v_request);
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    ELSIF v.settlement_id IS NULL THEN
        RETURN redemption.said('settlement_unknown');
    ELSIF p_actor IS NULL THEN
        RETURN redemption.said('actor_missing');
    ELSIF p_invoice_no !~ '^[0-9]{8,20}$' OR p_fen < 1 THEN
        RETURN redemption.said('invoice_wrong');
    END IF;
    INSERT INTO redemption.invoice (community_id, invoice_id, settlement_id, invoice_no, fen, noted_by, noted_at)
    VALUES (p_community, p_key, p_settlement, p_invoice_no, p_fen, p_actor, p_now)
        ON CONFLICT (community_id, invoice_no) WHERE withdrawn_at IS NULL DO NOTHING;
    IF NOT FOUND THEN
        RETURN redemption.said('invoice_taken');
    END IF;
    PERFORM redemption.remember(p_community, p_key, 'invoice', v_request, '{}', p_actor, p_now);
    RETURN redemption.said('done');
END $$;

CREATE FUNCTION redemption.withdraw_invoice(p_community bigint, p_settlement uuid, p_invoice_no text, p_actor uuid, p_now timestamptz)
RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF p_actor IS NULL THEN
        RETURN redemption.said('actor_missing');
    END IF;
    UPDATE redemption.invoice i SET withdrawn_at = p_now, withdrawn_by = p_actor
     WHERE i.community_id = p_community AND i.settlement_id = p_settlement AND i.invoice_no = p_invoice_no AND i.withdrawn_at IS NULL;
    RETURN redemption.said(CASE WHEN FOUND THEN 'done' ELSE 'invoice_unknown' END);
END $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA redemption FROM PUBLIC;
GRANT SELECT ON redemption.rhythm, redemption.payee, redemption.payment, redemption.invoice TO linli_app, linli_audit;
GRANT EXECUTE ON FUNCTION
    redemption.pay_settlement, redemption.return_payment, redemption.note_invoice, redemption.withdraw_invoice,
    redemption.choose_rhythm, redemption.propose_payee, redemption.decide_payee
    TO linli_app;
