-- Offers, vouchers, uses and settlement. Frozen from redemption/tables.py and redemption/sql/.

CREATE SCHEMA redemption;

CREATE TABLE redemption.command (
    community_id BIGINT NOT NULL,
    key UUID NOT NULL,
    verb TEXT NOT NULL,
    request JSONB NOT NULL,
    answer JSONB NOT NULL,
    actor_id UUID,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_command PRIMARY KEY (community_id, key)
);

CREATE TABLE redemption.merchant (
    community_id BIGINT NOT NULL,
    merchant_id UUID NOT NULL,
    settled_number INTEGER DEFAULT 0 NOT NULL,
    settled_hash BYTEA,
    settled_until TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_merchant PRIMARY KEY (community_id, merchant_id),
    CONSTRAINT ck_merchant_settled_number CHECK (settled_number >= 0)
);

CREATE TABLE redemption.offer (
    community_id BIGINT NOT NULL,
    offer_id UUID NOT NULL,
    sponsor_id UUID NOT NULL,
    title TEXT NOT NULL,
    kind TEXT NOT NULL,
    price_points INTEGER NOT NULL,
    subsidy_points INTEGER DEFAULT 0 NOT NULL,
    payable_fen BIGINT NOT NULL,
    cash_fen BIGINT NOT NULL,
    price_list_version TEXT,
    stock_total INTEGER NOT NULL,
    stock_taken INTEGER DEFAULT 0 NOT NULL,
    per_member_cap INTEGER,
    cap_period TEXT NOT NULL,
    time_zone TEXT NOT NULL,
    valid_from TIMESTAMP WITH TIME ZONE NOT NULL,
    valid_until TIMESTAMP WITH TIME ZONE NOT NULL,
    voucher_days INTEGER DEFAULT 7 NOT NULL,
    offline_class SMALLINT DEFAULT 0 NOT NULL,
    rules TEXT[] NOT NULL,
    state TEXT NOT NULL,
    drafted_by UUID NOT NULL,
    drafted_at TIMESTAMP WITH TIME ZONE NOT NULL,
    published_by UUID,
    published_at TIMESTAMP WITH TIME ZONE,
    withdrawn_by UUID,
    withdrawn_at TIMESTAMP WITH TIME ZONE,
    withdrawn_reason TEXT,
    CONSTRAINT pk_offer PRIMARY KEY (community_id, offer_id),
    CONSTRAINT ck_offer_kind CHECK (kind IN ('goods', 'service', 'repair', 'entitlement')),
    CONSTRAINT ck_offer_state CHECK (state IN ('draft', 'published', 'withdrawn')),
    CONSTRAINT ck_offer_cap_period CHECK (cap_period IN ('day', 'week', 'month', 'quarter', 'year', 'ever')),
    CONSTRAINT ck_offer_price CHECK (price_points >= 0 AND subsidy_points BETWEEN 0 AND price_points),
    CONSTRAINT ck_offer_money CHECK (payable_fen >= 0 AND cash_fen >= 0),
    CONSTRAINT ck_offer_stock CHECK (stock_total > 0 AND stock_taken BETWEEN 0 AND stock_total),
    CONSTRAINT ck_offer_per_member_cap CHECK (per_member_cap > 0),
    CONSTRAINT ck_offer_valid CHECK (valid_from < valid_until),
    CONSTRAINT ck_offer_voucher_days CHECK (voucher_days BETWEEN 1 AND 3660),
    CONSTRAINT ck_offer_offline_class CHECK (offline_class BETWEEN 0 AND 2),
    CONSTRAINT ck_offer_title CHECK (length(title) BETWEEN 1 AND 200),
    CONSTRAINT ck_offer_published CHECK ((state = 'draft') = (published_at IS NULL)),
    CONSTRAINT ck_offer_withdrawn CHECK ((state = 'withdrawn') = (withdrawn_at IS NOT NULL))
);

CREATE INDEX ix_offer_sponsor ON redemption.offer (community_id, sponsor_id, state);

CREATE TABLE redemption.device (
    community_id BIGINT NOT NULL,
    device_id UUID NOT NULL,
    kind TEXT NOT NULL,
    merchant_id UUID,
    public_key BYTEA,
    registered_by UUID,
    registered_at TIMESTAMP WITH TIME ZONE NOT NULL,
    revoked_by UUID,
    revoked_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_device PRIMARY KEY (community_id, device_id),
    CONSTRAINT fk_device_merchant FOREIGN KEY(community_id, merchant_id) REFERENCES redemption.merchant (community_id, merchant_id),
    CONSTRAINT ck_device_kind CHECK (kind IN ('browser', 'enrolled')),
    CONSTRAINT ck_device_enrolled CHECK (kind <> 'enrolled' OR (merchant_id IS NOT NULL AND public_key IS NOT NULL))
);

CREATE TABLE redemption.offer_merchant (
    community_id BIGINT NOT NULL,
    offer_id UUID NOT NULL,
    merchant_id UUID NOT NULL,
    CONSTRAINT pk_offer_merchant PRIMARY KEY (community_id, offer_id, merchant_id),
    CONSTRAINT fk_offer_merchant_offer FOREIGN KEY(community_id, offer_id) REFERENCES redemption.offer (community_id, offer_id),
    CONSTRAINT fk_offer_merchant_merchant FOREIGN KEY(community_id, merchant_id) REFERENCES redemption.merchant (community_id, merchant_id)
);

CREATE INDEX ix_offer_merchant_merchant ON redemption.offer_merchant (community_id, merchant_id);

CREATE TABLE redemption.settlement (
    community_id BIGINT NOT NULL,
    settlement_id UUID NOT NULL,
    merchant_id UUID NOT NULL,
    number INTEGER NOT NULL,
    received_from TIMESTAMP WITH TIME ZONE NOT NULL,
    received_until TIMESTAMP WITH TIME ZONE NOT NULL,
    state TEXT NOT NULL,
    line_count INTEGER NOT NULL,
    points BIGINT NOT NULL,
    subsidy_points BIGINT NOT NULL,
    payable_fen BIGINT NOT NULL,
    cash_fen BIGINT NOT NULL,
    previous_hash BYTEA NOT NULL,
    hash BYTEA NOT NULL,
    closed_by UUID NOT NULL,
    closed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    confirmed_by UUID,
    confirmed_at TIMESTAMP WITH TIME ZONE,
    approved_by UUID,
    approved_at TIMESTAMP WITH TIME ZONE,
    paid_by UUID,
    paid_at TIMESTAMP WITH TIME ZONE,
    bank_reference TEXT,
    paid_points BIGINT,
    paid_fen BIGINT,
    journal_id BIGINT,
    CONSTRAINT pk_settlement PRIMARY KEY (community_id, settlement_id),
    CONSTRAINT uq_settlement_number UNIQUE (community_id, merchant_id, number),
    CONSTRAINT fk_settlement_merchant FOREIGN KEY(community_id, merchant_id) REFERENCES redemption.merchant (community_id, merchant_id),
    CONSTRAINT ck_settlement_state CHECK (state IN ('OPEN', 'CLOSED', 'CONFIRMED', 'APPROVED', 'PAID')),
    CONSTRAINT ck_settlement_number CHECK (number > 0),
    CONSTRAINT ck_settlement_line_count CHECK (line_count > 0),
    CONSTRAINT ck_settlement_two_people CHECK (approved_by <> closed_by),
    CONSTRAINT ck_settlement_paid CHECK ((state = 'PAID') = (paid_at IS NOT NULL)),
    CONSTRAINT ck_settlement_bank_reference CHECK ((state = 'PAID') = (bank_reference IS NOT NULL)),
    CONSTRAINT ck_settlement_approved CHECK ((state IN ('APPROVED', 'PAID')) = (approved_at IS NOT NULL)),
    CONSTRAINT ck_settlement_period CHECK (received_from < received_until)
);

CREATE INDEX ix_settlement_state ON redemption.settlement (community_id, state, closed_at);

CREATE TABLE redemption.voucher (
    community_id BIGINT NOT NULL,
    voucher_id BIGINT NOT NULL,
    offer_id UUID NOT NULL,
    sponsor_id UUID NOT NULL,
    member_id UUID NOT NULL,
    owner_group UUID,
    short_code TEXT NOT NULL,
    state TEXT NOT NULL,
    frozen_state TEXT,
    quantity_total INTEGER NOT NULL,
    quantity_used INTEGER DEFAULT 0 NOT NULL,
    quantity_returned INTEGER DEFAULT 0 NOT NULL,
    points_each INTEGER NOT NULL,
    subsidy_points_each INTEGER NOT NULL,
    payable_fen_each BIGINT NOT NULL,
    cash_fen_each BIGINT NOT NULL,
    price_list_version TEXT,
    discount_class TEXT,
    offline_class SMALLINT NOT NULL,
    code_seq INTEGER DEFAULT 1 NOT NULL,
    use_seq INTEGER DEFAULT 0 NOT NULL,
    event_seq INTEGER DEFAULT 0 NOT NULL,
    points_hold UUID,
    subsidy_hold UUID,
    payable_hold UUID,
    issued_at TIMESTAMP WITH TIME ZONE NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE NOT NULL,
    changed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_voucher PRIMARY KEY (community_id, voucher_id),
    CONSTRAINT uq_voucher_short_code UNIQUE (community_id, short_code),
    CONSTRAINT fk_voucher_offer FOREIGN KEY(community_id, offer_id) REFERENCES redemption.offer (community_id, offer_id),
    CONSTRAINT ck_voucher_state CHECK (state IN ('RESERVED', 'ISSUED', 'LOCKED', 'PART_USED', 'USED', 'CANCEL_PENDING', 'CANCELLED', 'EXPIRED', 'FROZEN', 'VOID')),
    CONSTRAINT ck_voucher_voucher_id CHECK (voucher_id > 0),
    CONSTRAINT ck_voucher_short_code CHECK (short_code ~ '^[2-9A-HJKMNP-Z]{9}$'),
    CONSTRAINT ck_voucher_quantity CHECK (quantity_total > 0 AND quantity_used >= 0 AND quantity_returned >= 0 AND quantity_used + quantity_returned <= quantity_total),
    CONSTRAINT ck_voucher_closed CHECK ((state IN ('USED', 'CANCELLED', 'EXPIRED', 'VOID')) = (quantity_used + quantity_returned = quantity_total)),
    CONSTRAINT ck_voucher_used CHECK (state <> 'USED' OR quantity_used > 0),
    CONSTRAINT ck_voucher_part_used CHECK (state <> 'PART_USED' OR quantity_used > 0),
    CONSTRAINT ck_voucher_frozen CHECK ((state = 'FROZEN') = (frozen_state IS NOT NULL)),
    CONSTRAINT ck_voucher_price CHECK (points_each >= 0 AND subsidy_points_each >= 0 AND payable_fen_each >= 0 AND cash_fen_each >= 0),
    CONSTRAINT ck_voucher_offline_class CHECK (offline_class BETWEEN 0 AND 2),
    CONSTRAINT ck_voucher_sequence CHECK (code_seq BETWEEN 1 AND 65535 AND use_seq >= 0 AND event_seq >= 0),
    CONSTRAINT ck_voucher_time CHECK (issued_at < expires_at AND expires_at <= due_at)
);

CREATE INDEX ix_voucher_due ON redemption.voucher (community_id, due_at) WHERE state IN ('RESERVED', 'ISSUED', 'LOCKED', 'PART_USED', 'CANCEL_PENDING');

CREATE INDEX ix_voucher_member ON redemption.voucher (community_id, member_id, issued_at, voucher_id);

CREATE INDEX ix_voucher_offer_member ON redemption.voucher (community_id, offer_id, member_id, issued_at);

CREATE TABLE redemption.use (
    community_id BIGINT NOT NULL,
    voucher_id BIGINT NOT NULL,
    seq INTEGER NOT NULL,
    device_id UUID NOT NULL,
    nonce UUID NOT NULL,
    merchant_id UUID NOT NULL,
    clerk_id UUID NOT NULL,
    on_behalf_of UUID,
    quantity INTEGER NOT NULL,
    points BIGINT NOT NULL,
    subsidy_points BIGINT NOT NULL,
    payable_fen BIGINT NOT NULL,
    cash_fen BIGINT NOT NULL,
    code_seq INTEGER,
    state TEXT NOT NULL,
    scanned_at TIMESTAMP WITH TIME ZONE NOT NULL,
    received_at TIMESTAMP WITH TIME ZONE NOT NULL,
    journal_id BIGINT,
    reversed_at TIMESTAMP WITH TIME ZONE,
    reversed_by UUID,
    reversal_reason TEXT,
    reversal_journal_id BIGINT,
    CONSTRAINT pk_use PRIMARY KEY (community_id, voucher_id, seq),
    CONSTRAINT uq_use_nonce UNIQUE (community_id, device_id, nonce),
    CONSTRAINT fk_use_voucher FOREIGN KEY(community_id, voucher_id) REFERENCES redemption.voucher (community_id, voucher_id),
    CONSTRAINT fk_use_device FOREIGN KEY(community_id, device_id) REFERENCES redemption.device (community_id, device_id),
    CONSTRAINT ck_use_state CHECK (state IN ('PENDING_DEVICE', 'ACCEPTED', 'CONFLICT', 'REVERSED', 'SETTLED', 'ADJUSTED')),
    CONSTRAINT ck_use_seq CHECK (seq > 0),
    CONSTRAINT ck_use_quantity CHECK (quantity > 0),
    CONSTRAINT ck_use_amounts CHECK (points >= 0 AND subsidy_points >= 0 AND payable_fen >= 0 AND cash_fen >= 0),
    CONSTRAINT ck_use_reversed CHECK ((state = 'REVERSED') = (reversed_at IS NOT NULL))
);

CREATE INDEX ix_use_reversed ON redemption.use (community_id, device_id, reversed_at) WHERE reversed_at IS NOT NULL;

CREATE INDEX ix_use_takings ON redemption.use (community_id, merchant_id, received_at, voucher_id, seq);

CREATE INDEX ix_use_unsettled ON redemption.use (community_id, merchant_id, received_at) WHERE state = 'ACCEPTED';

CREATE TABLE redemption.voucher_event (
    community_id BIGINT NOT NULL,
    voucher_id BIGINT NOT NULL,
    number INTEGER NOT NULL,
    action TEXT NOT NULL,
    from_state TEXT,
    to_state TEXT NOT NULL,
    actor_id UUID,
    second_id UUID,
    on_behalf_of UUID,
    reason TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_voucher_event PRIMARY KEY (community_id, voucher_id, number),
    CONSTRAINT fk_voucher_event_voucher FOREIGN KEY(community_id, voucher_id) REFERENCES redemption.voucher (community_id, voucher_id),
    CONSTRAINT ck_voucher_event_number CHECK (number > 0)
);

CREATE TABLE redemption.settlement_line (
    community_id BIGINT NOT NULL,
    settlement_id UUID NOT NULL,
    line_no INTEGER NOT NULL,
    kind TEXT NOT NULL,
    voucher_id BIGINT NOT NULL,
    use_seq INTEGER NOT NULL,
    part INTEGER DEFAULT 0 NOT NULL,
    quantity INTEGER NOT NULL,
    points BIGINT NOT NULL,
    subsidy_points BIGINT NOT NULL,
    payable_fen BIGINT NOT NULL,
    cash_fen BIGINT NOT NULL,
    received_at TIMESTAMP WITH TIME ZONE NOT NULL,
    journal_id BIGINT,
    CONSTRAINT pk_settlement_line PRIMARY KEY (community_id, settlement_id, line_no),
    CONSTRAINT uq_settlement_line_use UNIQUE (community_id, voucher_id, use_seq, part),
    CONSTRAINT fk_settlement_line_settlement FOREIGN KEY(community_id, settlement_id) REFERENCES redemption.settlement (community_id, settlement_id),
    CONSTRAINT fk_settlement_line_use FOREIGN KEY(community_id, voucher_id, use_seq) REFERENCES redemption.use (community_id, voucher_id, seq),
    CONSTRAINT ck_settlement_line_kind CHECK (kind IN ('use', 'adjustment')),
    CONSTRAINT ck_settlement_line_line_no CHECK (line_no > 0),
    CONSTRAINT ck_settlement_line_part CHECK (part >= 0 AND (part = 0) = (kind = 'use')),
    CONSTRAINT ck_settlement_line_amounts CHECK (kind <> 'use' OR (points >= 0 AND subsidy_points >= 0 AND payable_fen >= 0 AND cash_fen >= 0))
);

CREATE TABLE redemption.dispute (
    community_id BIGINT NOT NULL,
    settlement_id UUID NOT NULL,
    line_no INTEGER NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    raised_by UUID NOT NULL,
    on_behalf_of UUID,
    raised_at TIMESTAMP WITH TIME ZONE NOT NULL,
    resolved_by UUID,
    resolved_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_dispute PRIMARY KEY (community_id, settlement_id, line_no),
    CONSTRAINT fk_dispute_line FOREIGN KEY(community_id, settlement_id, line_no) REFERENCES redemption.settlement_line (community_id, settlement_id, line_no),
    CONSTRAINT ck_dispute_state CHECK (state IN ('DISPUTED', 'UPHELD', 'REJECTED')),
    CONSTRAINT ck_dispute_reason CHECK (length(reason) > 0)
);

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
        (1, redemption.account('member', p_voucher.member_id), 'point', 100::bigint * p_quantity * p_voucher.points_each, p_voucher.points_hold),
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

-- The steps that give everything still open back to where it came from.
CREATE FUNCTION redemption.release_steps(p_voucher redemption.voucher) RETURNS ledger.step[]
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(array_agg(ROW('release', NULL, NULL, part.unit, part.amount, part.hold_id, NULL)::ledger.step ORDER BY part.n), '{}')
      FROM (VALUES
        (1, 'point', 100::bigint * redemption.open_quantity(p_voucher) * p_voucher.points_each, p_voucher.points_hold),
        (2, 'point', 100::bigint * redemption.open_quantity(p_voucher) * p_voucher.subsidy_points_each, p_voucher.subsidy_hold),
        (3, 'fen', redemption.open_quantity(p_voucher) * p_voucher.payable_fen_each, p_voucher.payable_hold)
      ) AS part (n, unit, amount, hold_id)
     WHERE part.amount > 0
$$;

-- Writes the voucher's new state and the line of its history. The caller holds the voucher's lock.
CREATE FUNCTION redemption.move_voucher(
    p_voucher redemption.voucher, p_state text, p_frozen_state text, p_action text, p_actor uuid, p_on_behalf_of uuid, p_reason text, p_now timestamptz,
    p_second uuid DEFAULT NULL
) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE redemption.voucher v
       SET state = p_state, frozen_state = p_frozen_state, event_seq = v.event_seq + 1, changed_at = p_now,
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

-- Offers: written down, published within the sponsor's budget, withdrawn.

-- Writes a draft, or writes it again. A published offer is never edited: vouchers were promised on it.
CREATE FUNCTION redemption.draft_offer(
    p_community bigint, p_offer uuid, p_sponsor uuid, p_merchants uuid[], p_title text, p_kind text,
    p_price_points int, p_subsidy_points int, p_payable_fen bigint, p_cash_fen bigint, p_price_list_version text,
    p_stock_total int, p_per_member_cap int, p_cap_period text, p_time_zone text,
    p_valid_from timestamptz, p_valid_until timestamptz, p_voucher_days int, p_offline_class int, p_rules text[],
    p_actor uuid, p_now timestamptz
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_state text;
    v_merchants uuid[] := (SELECT array_agg(DISTINCT m ORDER BY m) FROM unnest(p_merchants) m);
BEGIN
    IF v_merchants IS NULL OR p_price_points < 0 OR p_subsidy_points NOT BETWEEN 0 AND p_price_points
       OR p_payable_fen < 0 OR p_cash_fen < 0 OR p_stock_total < 1 OR p_per_member_cap < 1 OR p_valid_from >= p_valid_until
       OR p_voucher_days NOT BETWEEN 1 AND 3660 OR p_offline_class NOT BETWEEN 0 AND 2 OR length(p_title) NOT BETWEEN 1 AND 200
       OR NOT EXISTS (SELECT FROM pg_timezone_names z WHERE z.name = p_time_zone) THEN
        RETURN redemption.said('offer_wrong');
    END IF;
    INSERT INTO redemption.merchant (community_id, merchant_id)
    SELECT p_community, m FROM unnest(v_merchants) m ORDER BY m
        ON CONFLICT DO NOTHING;

    SELECT o.state INTO v_state FROM redemption.offer o
     WHERE o.community_id = p_community AND o.offer_id = p_offer FOR NO KEY UPDATE;
    IF v_state <> 'draft' THEN
        RETURN redemption.said('offer_not_draft', jsonb_build_object('state', v_state));
    END IF;
    INSERT INTO redemption.offer AS o (
        community_id, offer_id, sponsor_id, title, kind, price_points, subsidy_points, payable_fen, cash_fen, price_list_version,
        stock_total, per_member_cap, cap_period, time_zone, valid_from, valid_until, voucher_days, offline_class, rules,
        state, drafted_by, drafted_at
    ) VALUES (
        p_community, p_offer, p_sponsor, p_title, p_kind, p_price_points, p_subsidy_points, p_payable_fen, p_cash_fen, p_price_list_version,
        p_stock_total, p_per_member_cap, p_cap_period, p_time_zone, p_valid_from, p_valid_until, p_voucher_days, p_offline_class, p_rules,
        'draft', p_actor, p_now
    ) ON CONFLICT ON CONSTRAINT pk_offer DO UPDATE SET
        sponsor_id = excluded.sponsor_id, title = excluded.title, kind = excluded.kind, price_points = excluded.price_points,
        subsidy_points = excluded.subsidy_points, payable_fen = excluded.payable_fen, cash_fen = excluded.cash_fen,
        price_list_version = excluded.price_list_version, stock_total = excluded.stock_total, per_member_cap = excluded.per_member_cap,
        cap_period = excluded.cap_period, time_zone = excluded.time_zone, valid_from = excluded.valid_from, valid_until = excluded.valid_until,
        voucher_days = excluded.voucher_days, offline_class = excluded.offline_class, rules = excluded.rules,
        drafted_by = excluded.drafted_by, drafted_at = excluded.drafted_at
      WHERE o.state = 'draft';
    IF NOT FOUND THEN
        RETURN redemption.said('offer_not_draft', '{"state": "published"}');
    END IF;
    DELETE FROM redemption.offer_merchant om
     WHERE om.community_id = p_community AND om.offer_id = p_offer AND om.merchant_id <> ALL (v_merchants);
    INSERT INTO redemption.offer_merchant (community_id, offer_id, merchant_id)
    SELECT p_community, p_offer, m FROM unnest(v_merchants) m
        ON CONFLICT DO NOTHING;
    RETURN redemption.said('done', jsonb_build_object('offer_id', p_offer));
END $$;

-- What the sponsor has promised but not yet put into escrow, over every published offer that can still be taken.
CREATE FUNCTION redemption.committed(p_community bigint, p_sponsor uuid, p_now timestamptz, OUT points bigint, OUT fen bigint)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(sum((o.stock_total - o.stock_taken)::bigint * o.subsidy_points), 0)::bigint,
           coalesce(sum((o.stock_total - o.stock_taken) * o.payable_fen), 0)::bigint
      FROM redemption.offer o
     WHERE o.community_id = p_community AND o.sponsor_id = p_sponsor AND o.state = 'published' AND o.valid_until > p_now
$$;

-- An offer may promise only what the sponsor's budget can still pay, all other promises counted.
CREATE FUNCTION redemption.publish_offer(p_community bigint, p_key uuid, p_offer uuid, p_actor uuid, p_now timestamptz)
RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb := jsonb_build_object('offer', p_offer);
    v_before redemption.verdict;
    v_sponsor uuid := (SELECT s.sponsor_id FROM redemption.offer s WHERE s.community_id = p_community AND s.offer_id = p_offer);
    v_offer redemption.offer;
    v_committed record;
    v_detail jsonb;
BEGIN
    -- Every offer of the sponsor, in order: two publishers of one budget must not both see it unpromised.
    PERFORM FROM redemption.offer o
      WHERE o.community_id = p_community AND o.sponsor_id = v_sponsor
      ORDER BY o.offer_id FOR NO KEY UPDATE;
    SELECT * INTO v_offer FROM redemption.offer o WHERE o.community_id = p_community AND o.offer_id = p_offer;
    v_before := redemption.remembered(p_community, p_key, 'publish', v_request);
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    ELSIF v_offer.offer_id IS NULL THEN
        RETURN redemption.said('offer_unknown');
    ELSIF v_offer.state <> 'draft' THEN
        RETURN redemption.said('offer_not_draft', jsonb_build_object('state', v_offer.state));
    ELSIF v_offer.sponsor_id <> v_sponsor THEN
        -- The draft was given to another sponsor while we waited; that sponsor's offers are not locked.
        RETURN redemption.said('offer_changed');
    ELSIF v_offer.valid_until <= p_now THEN
        RETURN redemption.said('offer_over', jsonb_build_object('valid_until', v_offer.valid_until));
    END IF;
    v_committed := redemption.committed(p_community, v_offer.sponsor_id, p_now);
    v_detail := jsonb_build_object(
        'sponsor_id', v_offer.sponsor_id,
        'needed_points', v_offer.stock_total::bigint * v_offer.subsidy_points,
        'needed_fen', v_offer.stock_total * v_offer.payable_fen,
        'free_points', redemption.available(p_community, redemption.account('budget', v_offer.sponsor_id), 'point') / 100 - v_committed.points,
        'free_fen', redemption.available(p_community, redemption.account('budget', v_offer.sponsor_id), 'fen') - v_committed.fen);
    -- An offer that asks nothing of a budget needs none, not even an account.
    IF ((v_detail ->> 'needed_points')::bigint > 0 AND (v_detail ->> 'needed_points')::bigint > (v_detail ->> 'free_points')::bigint)
       OR ((v_detail ->> 'needed_fen')::bigint > 0 AND (v_detail ->> 'needed_fen')::bigint > (v_detail ->> 'free_fen')::bigint) THEN
        RETURN redemption.said('budget_short', v_detail);
    END IF;
    UPDATE redemption.offer o SET state = 'published', published_by = p_actor, published_at = p_now
     WHERE o.community_id = p_community AND o.offer_id = p_offer;
    v_detail := jsonb_build_object('offer_id', p_offer);
    PERFORM redemption.remember(p_community, p_key, 'publish', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;

-- No new vouchers; those already issued keep their promise.
CREATE FUNCTION redemption.withdraw_offer(p_community bigint, p_key uuid, p_offer uuid, p_reason text, p_actor uuid, p_now timestamptz)
RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb := jsonb_build_object('offer', p_offer, 'reason', p_reason);
    v_before redemption.verdict;
    v_offer redemption.offer;
    v_detail jsonb := jsonb_build_object('offer_id', p_offer);
BEGIN
    SELECT * INTO v_offer FROM redemption.offer o
     WHERE o.community_id = p_community AND o.offer_id = p_offer FOR NO KEY UPDATE;
    v_before := redemption.remembered(p_community, p_key, 'withdraw', v_request);
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    ELSIF v_offer.offer_id IS NULL THEN
        RETURN redemption.said('offer_unknown');
    ELSIF coalesce(p_reason, '') = '' THEN
        RETURN redemption.said('reason_missing');
    ELSIF v_offer.state <> 'published' THEN
        RETURN redemption.said('offer_not_published', jsonb_build_object('state', v_offer.state));
    END IF;
    UPDATE redemption.offer o SET state = 'withdrawn', withdrawn_by = p_actor, withdrawn_at = p_now, withdrawn_reason = p_reason
     WHERE o.community_id = p_community AND o.offer_id = p_offer;
    PERFORM redemption.remember(p_community, p_key, 'withdraw', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;

-- Issue: the member's points and the sponsor's share go into escrow, one piece of stock is taken, the split of the price is frozen.

-- How many pieces the member holds or has used of this offer in the offer's current period. What was given back does not count.
CREATE FUNCTION redemption.taken_by_member(p_offer redemption.offer, p_member uuid, p_now timestamptz) RETURNS bigint
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(sum(v.quantity_total - v.quantity_returned), 0)
      FROM redemption.voucher v
     WHERE v.community_id = p_offer.community_id AND v.offer_id = p_offer.offer_id AND v.member_id = p_member
       AND v.issued_at >= CASE p_offer.cap_period WHEN 'ever' THEN '-infinity' ELSE date_trunc(p_offer.cap_period, p_now, p_offer.time_zone) END
$$;

-- The first reason why this member cannot have this offer now, in the order that is most useful to be told.
CREATE FUNCTION redemption.issue_refusal(
    p_offer redemption.offer, p_member uuid, p_quantity int, p_subsidy_points int, p_now timestamptz
) RETURNS redemption.verdict
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_taken bigint;
BEGIN
    IF p_offer.offer_id IS NULL THEN
        RETURN redemption.said('offer_unknown');
    ELSIF p_quantity < 1 OR p_subsidy_points NOT BETWEEN 0 AND p_offer.price_points THEN
        RETURN redemption.said('quantity_wrong');
    ELSIF p_offer.state <> 'published' THEN
        RETURN redemption.said('offer_not_published', jsonb_build_object('state', p_offer.state));
    ELSIF p_now < p_offer.valid_from THEN
        RETURN redemption.said('offer_not_started', jsonb_build_object('valid_from', p_offer.valid_from));
    ELSIF p_now >= p_offer.valid_until THEN
        RETURN redemption.said('offer_over', jsonb_build_object('valid_until', p_offer.valid_until));
    ELSIF p_offer.stock_taken + p_quantity > p_offer.stock_total THEN
        RETURN redemption.said('out_of_stock', jsonb_build_object('left', p_offer.stock_total - p_offer.stock_taken));
    ELSIF p_offer.per_member_cap IS NOT NULL THEN
        v_taken := redemption.taken_by_member(p_offer, p_member, p_now);
        IF v_taken + p_quantity > p_offer.per_member_cap THEN
            RETURN redemption.said('member_cap', jsonb_build_object(
                'cap', p_offer.per_member_cap, 'period', p_offer.cap_period, 'taken', v_taken));
        END IF;
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION redemption.voucher_from_offer(
    p_offer redemption.offer, p_voucher_id bigint, p_short_code text, p_member uuid, p_owner_group uuid,
    p_quantity int, p_subsidy_points int, p_discount_class text, p_now timestamptz
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
    v.state := 'ISSUED';
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
    v.expires_at := p_now + make_interval(hours => 24 * p_offer.voucher_days);
    v.due_at := v.expires_at + CASE WHEN p_offer.offline_class > 0 THEN interval '72 hours' ELSE interval '0' END;
    v.changed_at := p_now;
    RETURN v;
END $$;

-- Offer first, ledger head last. The offer's lock also guards the stock and the member's cap.
CREATE FUNCTION redemption.issue_voucher(
    p_community bigint, p_key uuid, p_voucher_id bigint, p_short_code text, p_offer uuid, p_member uuid, p_owner_group uuid,
    p_quantity int, p_subsidy_points int, p_discount_class text, p_actor uuid, p_on_behalf_of uuid, p_now timestamptz
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb := jsonb_build_object('offer', p_offer, 'member', p_member, 'quantity', p_quantity,
                                          'subsidy_points', p_subsidy_points, 'discount_class', p_discount_class);
    v_before redemption.verdict;
    v_offer redemption.offer;
    v_voucher redemption.voucher;
    v_posted ledger.verdict;
    v_detail jsonb := jsonb_build_object('voucher_id', p_voucher_id);
BEGIN
    SELECT * INTO v_offer FROM redemption.offer o
     WHERE o.community_id = p_community AND o.offer_id = p_offer FOR NO KEY UPDATE;
    v_before := redemption.remembered(p_community, p_key, 'issue', v_request);
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    END IF;
    v_before := redemption.issue_refusal(v_offer, p_member, p_quantity, coalesce(p_subsidy_points, v_offer.subsidy_points), p_now);
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    END IF;
    IF EXISTS (SELECT FROM redemption.voucher v
                WHERE v.community_id = p_community AND (v.voucher_id = p_voucher_id OR v.short_code = p_short_code)) THEN
        RETURN redemption.said('code_taken');
    END IF;
    v_voucher := redemption.voucher_from_offer(v_offer, p_voucher_id, p_short_code, p_member, p_owner_group, p_quantity,
                                               coalesce(p_subsidy_points, v_offer.subsidy_points), p_discount_class, p_now);

    v_posted := redemption.post(p_community, 'redemption.issue:' || p_key, 'voucher_issued',
                                redemption.hold_steps(v_voucher, p_quantity), p_actor, p_on_behalf_of, p_now);
    IF v_posted.code = 'ledger.insufficient_balance' THEN
        RETURN redemption.said(CASE WHEN v_posted.detail ->> 'account' = redemption.account('member', p_member)
                                    THEN 'points_short' ELSE 'budget_short' END,
            v_posted.detail || jsonb_build_object(
                'missing_points', ceil(((v_posted.detail ->> 'asked')::numeric - (v_posted.detail ->> 'available')::numeric) / 100)));
    ELSIF v_posted.code <> 'posted' THEN
        RETURN redemption.said('ledger_refused', jsonb_build_object('ledger_code', v_posted.code, 'ledger', v_posted.detail));
    END IF;
    UPDATE redemption.offer o SET stock_taken = o.stock_taken + p_quantity
     WHERE o.community_id = p_community AND o.offer_id = p_offer;
    INSERT INTO redemption.voucher SELECT v_voucher.*;
    INSERT INTO redemption.voucher_event (community_id, voucher_id, number, action, from_state, to_state, actor_id, on_behalf_of, reason, at)
    VALUES (p_community, p_voucher_id, 1, 'issue', NULL, 'ISSUED', p_actor, p_on_behalf_of, 'issued', p_now);
    PERFORM redemption.remember(p_community, p_key, 'issue', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;

-- Redeem: one call, one round trip, exactly once. And its one-hour reversal.

CREATE FUNCTION redemption.use_detail(p_voucher redemption.voucher, p_use redemption.use) RETURNS jsonb
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT jsonb_build_object(
        'voucher_id', p_voucher.voucher_id, 'seq', p_use.seq, 'offer_id', p_voucher.offer_id,
        'title', (SELECT o.title FROM redemption.offer o WHERE o.community_id = p_voucher.community_id AND o.offer_id = p_voucher.offer_id),
        'member_id', p_voucher.member_id, 'merchant_id', p_use.merchant_id, 'clerk_id', p_use.clerk_id,
        'quantity', p_use.quantity, 'points', p_use.points, 'subsidy_points', p_use.subsidy_points,
        'payable_fen', p_use.payable_fen, 'cash_fen', p_use.cash_fen, 'received_at', p_use.received_at,
        'open', redemption.open_quantity(p_voucher), 'voucher_state', p_voucher.state, 'use_state', p_use.state)
$$;

-- The first reason, in the fixed order of rules.REDEEM_ORDER, why this voucher is not redeemed here and now; NULL when it can be.
-- Another shop's voucher says nothing but that.
CREATE FUNCTION redemption.redeem_refusal(
    p_voucher redemption.voucher, p_code_seq int, p_merchant uuid, p_owner_group_of_clerk uuid, p_clerk uuid, p_quantity int, p_now timestamptz
) RETURNS redemption.verdict
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_code text;
BEGIN
    IF p_voucher.voucher_id IS NULL THEN
        RETURN redemption.said('unknown');
    ELSIF NOT EXISTS (SELECT FROM redemption.offer_merchant om
                       WHERE om.community_id = p_voucher.community_id AND om.offer_id = p_voucher.offer_id
                         AND om.merchant_id = p_merchant) THEN
        RETURN redemption.said('wrong_merchant');
    ELSIF p_voucher.member_id = p_clerk OR p_voucher.owner_group = p_owner_group_of_clerk THEN
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
    ELSIF p_code_seq <> p_voucher.code_seq THEN
        RETURN redemption.said('code_outdated', jsonb_build_object('voucher_id', p_voucher.voucher_id));
    ELSIF p_quantity IS NULL OR p_quantity < 1 OR p_quantity > redemption.open_quantity(p_voucher) THEN
        RETURN redemption.said('quantity_wrong', jsonb_build_object('voucher_id', p_voucher.voucher_id, 'open', redemption.open_quantity(p_voucher)));
    END IF;
    RETURN NULL;
END $$;

-- p_code_seq is NULL for a code that was typed. A browser becomes a device by its first scan.
CREATE FUNCTION redemption.redeem(
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

-- A typed code, in any case and with the blanks and dashes it is shown with. NULL when nobody holds it.
CREATE FUNCTION redemption.voucher_by_code(p_community bigint, p_code text) RETURNS bigint
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT v.voucher_id FROM redemption.voucher v
     WHERE v.community_id = p_community AND v.short_code = upper(regexp_replace(p_code, '[\s-]', '', 'g'))
$$;

CREATE FUNCTION redemption.reversal_refusal(
    p_voucher redemption.voucher, p_use redemption.use, p_as_owner boolean, p_reason text, p_actor uuid, p_now timestamptz,
    p_reversible_minutes int, p_reversals_per_day int
) RETURNS redemption.verdict
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_detail jsonb := jsonb_build_object('voucher_id', p_voucher.voucher_id, 'seq', p_use.seq, 'state', p_use.state);
BEGIN
    IF p_use.seq IS NULL THEN
        RETURN redemption.said('use_unknown');
    ELSIF NOT p_as_owner AND p_use.clerk_id <> p_actor THEN
        RETURN redemption.said('not_your_use', v_detail);
    ELSIF coalesce(p_reason, '') = '' THEN
        RETURN redemption.said('reason_missing', v_detail);
    ELSIF p_use.state = 'REVERSED' THEN
        RETURN redemption.said('already_reversed', v_detail);
    ELSIF p_use.state <> 'ACCEPTED' THEN
        RETURN redemption.said('use_settled', v_detail);
    ELSIF p_now >= p_use.received_at + make_interval(mins => p_reversible_minutes) THEN
        RETURN redemption.said('reversal_too_late', v_detail || jsonb_build_object('received_at', p_use.received_at));
    ELSIF p_voucher.state NOT IN ('USED', 'PART_USED') THEN
        RETURN redemption.said(coalesce(redemption.state_refusal(p_voucher), 'state_wrong'), v_detail);
    ELSIF (SELECT count(*) FROM redemption.use u
            WHERE u.community_id = p_use.community_id AND u.device_id = p_use.device_id
              AND u.reversed_at >= p_now - interval '24 hours') >= p_reversals_per_day THEN
        RETURN redemption.said('too_many_reversals', v_detail);
    END IF;
    RETURN NULL;
END $$;

-- Moves the money of a use back, and puts all that is open then into fresh escrow: old rest out, merchant to payer, new hold in.
CREATE FUNCTION redemption.reversal_steps(p_old redemption.voucher, p_new redemption.voucher, p_use redemption.use) RETURNS ledger.step[]
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT redemption.release_steps(p_old)
        || (SELECT coalesce(array_agg(ROW('post', redemption.account('merchant', p_use.merchant_id), part.credit, part.unit, part.amount, NULL, NULL)::ledger.step
                                      ORDER BY part.n), '{}')
              FROM (VALUES
                (1, redemption.account('member', p_old.member_id), 'point', 100 * p_use.points),
                (2, redemption.account('budget', p_old.sponsor_id), 'point', 100 * p_use.subsidy_points),
                (3, redemption.account('budget', p_old.sponsor_id), 'fen', p_use.payable_fen)
              ) AS part (n, credit, unit, amount)
             WHERE part.amount > 0)
        || redemption.hold_steps(p_new, redemption.open_quantity(p_new))
$$;

-- Undo a use within the time the community gives, while no batch has taken it. The code that was shown is dead afterwards.
CREATE FUNCTION redemption.reverse_use(
    p_community bigint, p_key uuid, p_voucher_id bigint, p_seq int, p_as_owner boolean, p_reason text,
    p_actor uuid, p_on_behalf_of uuid, p_now timestamptz, p_reversible_minutes int, p_reversals_per_day int
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb := jsonb_build_object('voucher', p_voucher_id, 'seq', p_seq);
    v_before redemption.verdict;
    v_old redemption.voucher;
    v_new redemption.voucher;
    v_use redemption.use;
    v_posted ledger.verdict;
    v_detail jsonb;
BEGIN
    SELECT * INTO v_old FROM redemption.voucher v
     WHERE v.community_id = p_community AND v.voucher_id = p_voucher_id FOR NO KEY UPDATE;
    SELECT * INTO v_use FROM redemption.use u
     WHERE u.community_id = p_community AND u.voucher_id = p_voucher_id AND u.seq = p_seq FOR NO KEY UPDATE;
    -- The device's lock makes its number of reversals a day a true limit.
    PERFORM FROM redemption.device d
      WHERE d.community_id = p_community AND d.device_id = v_use.device_id FOR NO KEY UPDATE;
    v_before := redemption.remembered(p_community, p_key, 'reverse', v_request);
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    END IF;
    v_before := redemption.reversal_refusal(
        v_old, v_use, p_as_owner, p_reason, p_actor, p_now, p_reversible_minutes, p_reversals_per_day);
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    END IF;
    v_new := v_old;
    v_new.quantity_used := v_old.quantity_used - v_use.quantity;
    v_new.points_hold := CASE WHEN v_old.points_hold IS NOT NULL THEN redemption.uuid_at(p_now) END;
    v_new.subsidy_hold := CASE WHEN v_old.subsidy_hold IS NOT NULL THEN redemption.uuid_at(p_now) END;
    v_new.payable_hold := CASE WHEN v_old.payable_hold IS NOT NULL THEN redemption.uuid_at(p_now) END;
    v_new.state := CASE WHEN v_new.quantity_used = 0 THEN 'ISSUED' ELSE 'PART_USED' END;

    v_posted := redemption.post(p_community, 'redemption.use:' || v_use.device_id || ':' || v_use.nonce || ':reversed', 'voucher_use_reversed',
                                redemption.reversal_steps(v_old, v_new, v_use), p_actor, p_on_behalf_of, p_now);
    IF v_posted.code <> 'posted' THEN
        RETURN redemption.said('ledger_refused', jsonb_build_object('ledger_code', v_posted.code, 'ledger', v_posted.detail));
    END IF;
    UPDATE redemption.use u
       SET state = 'REVERSED', reversed_at = p_now, reversed_by = p_actor, reversal_reason = p_reason, reversal_journal_id = v_posted.journal_id
     WHERE u.community_id = p_community AND u.voucher_id = p_voucher_id AND u.seq = p_seq;
    UPDATE redemption.voucher v
       SET state = v_new.state, quantity_used = v_new.quantity_used, code_seq = v.code_seq + 1, event_seq = v.event_seq + 1, changed_at = p_now,
           points_hold = v_new.points_hold, subsidy_hold = v_new.subsidy_hold, payable_hold = v_new.payable_hold
     WHERE v.community_id = p_community AND v.voucher_id = p_voucher_id;
    INSERT INTO redemption.voucher_event (community_id, voucher_id, number, action, from_state, to_state, actor_id, on_behalf_of, reason, at)
    VALUES (p_community, p_voucher_id, v_old.event_seq + 1, 'reverse', v_old.state, v_new.state, p_actor, p_on_behalf_of, p_reason, p_now);
    v_detail := jsonb_build_object('voucher_id', p_voucher_id, 'seq', p_seq, 'member_id', v_old.member_id, 'quantity', v_use.quantity,
                                   'points', v_use.points, 'voucher_state', v_new.state);
    PERFORM redemption.remember(p_community, p_key, 'reverse', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;

-- A device is enrolled with its key, or known as a browser. Asking again with the same facts changes nothing.
CREATE FUNCTION redemption.register_device(
    p_community bigint, p_device uuid, p_kind text, p_merchant uuid, p_public_key bytea, p_actor uuid, p_now timestamptz
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_device redemption.device;
BEGIN
    IF p_kind NOT IN ('browser', 'enrolled') OR (p_kind = 'enrolled' AND (p_merchant IS NULL OR p_public_key IS NULL)) THEN
        RETURN redemption.said('device_wrong');
    END IF;
    INSERT INTO redemption.merchant (community_id, merchant_id)
    SELECT p_community, p_merchant WHERE p_merchant IS NOT NULL
        ON CONFLICT DO NOTHING;
    INSERT INTO redemption.device (community_id, device_id, kind, merchant_id, public_key, registered_by, registered_at)
    VALUES (p_community, p_device, p_kind, p_merchant, p_public_key, p_actor, p_now)
        ON CONFLICT DO NOTHING;
    IF FOUND THEN
        RETURN redemption.said('done', jsonb_build_object('device_id', p_device));
    END IF;
    SELECT * INTO v_device FROM redemption.device d
     WHERE d.community_id = p_community AND d.device_id = p_device FOR NO KEY UPDATE;
    IF v_device.kind = p_kind AND v_device.merchant_id IS NOT DISTINCT FROM p_merchant
       AND v_device.public_key IS NOT DISTINCT FROM p_public_key AND v_device.revoked_at IS NULL THEN
        RETURN redemption.said('replayed', jsonb_build_object('device_id', p_device));
    END IF;
    RETURN redemption.said('device_differs');
END $$;

CREATE FUNCTION redemption.revoke_device(p_community bigint, p_device uuid, p_actor uuid, p_now timestamptz) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE redemption.device d SET revoked_at = coalesce(d.revoked_at, p_now), revoked_by = coalesce(d.revoked_by, p_actor)
     WHERE d.community_id = p_community AND d.device_id = p_device;
    RETURN redemption.said(CASE WHEN FOUND THEN 'done' ELSE 'device_unknown' END);
END $$;

-- What is left of a voucher goes back: cancelled, expired or void. And frozen, where nothing moves.

-- Offer before voucher, always: issuing locks the offer and then writes vouchers. Both may be missing.
CREATE FUNCTION redemption.lock_voucher(p_community bigint, p_voucher_id bigint) RETURNS redemption.voucher
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_voucher redemption.voucher;
BEGIN
    PERFORM FROM redemption.offer o
      WHERE o.community_id = p_community
        AND o.offer_id = (SELECT v.offer_id FROM redemption.voucher v WHERE v.community_id = p_community AND v.voucher_id = p_voucher_id)
      FOR NO KEY UPDATE;
    SELECT * INTO v_voucher FROM redemption.voucher v
     WHERE v.community_id = p_community AND v.voucher_id = p_voucher_id FOR NO KEY UPDATE;
    RETURN v_voucher;
END $$;

-- Gives the rest back and closes the voucher. The caller holds both locks and has checked. NULL, or why the ledger refused.
CREATE FUNCTION redemption.end_voucher(
    p_voucher redemption.voucher, p_state text, p_action text, p_ledger_reason text,
    p_actor uuid, p_on_behalf_of uuid, p_reason text, p_now timestamptz, p_second uuid DEFAULT NULL
) RETURNS redemption.verdict
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_posted ledger.verdict;
BEGIN
    v_posted := redemption.post(p_voucher.community_id, 'redemption.voucher:' || p_voucher.voucher_id || ':ended', p_ledger_reason,
                                redemption.release_steps(p_voucher), p_actor, p_on_behalf_of, p_now);
    IF v_posted.code <> 'posted' THEN
        RETURN redemption.said('ledger_refused', jsonb_build_object('ledger_code', v_posted.code, 'ledger', v_posted.detail));
    END IF;
    UPDATE redemption.offer o SET stock_taken = o.stock_taken - redemption.open_quantity(p_voucher)
     WHERE o.community_id = p_voucher.community_id AND o.offer_id = p_voucher.offer_id;
    PERFORM redemption.move_voucher(p_voucher, p_state, NULL, p_action, p_actor, p_on_behalf_of, p_reason, p_now, p_second);
    RETURN NULL;
END $$;

CREATE FUNCTION redemption.ended_detail(p_voucher redemption.voucher, p_state text) RETURNS jsonb
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT jsonb_build_object('voucher_id', p_voucher.voucher_id, 'offer_id', p_voucher.offer_id, 'member_id', p_voucher.member_id,
                              'voucher_state', p_state, 'quantity', redemption.open_quantity(p_voucher),
                              'points', redemption.open_quantity(p_voucher)::bigint * p_voucher.points_each)
$$;

CREATE FUNCTION redemption.cancel_voucher(
    p_community bigint, p_key uuid, p_voucher_id bigint, p_reason text, p_actor uuid, p_on_behalf_of uuid, p_now timestamptz
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb := jsonb_build_object('voucher', p_voucher_id);
    v_voucher redemption.voucher := redemption.lock_voucher(p_community, p_voucher_id);
    v_before redemption.verdict := redemption.remembered(p_community, p_key, 'cancel', v_request);
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
    END IF;
    v_before := redemption.end_voucher(v_voucher, 'CANCELLED', 'cancel', 'voucher_cancelled', p_actor, p_on_behalf_of, p_reason, p_now);
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    END IF;
    v_detail := redemption.ended_detail(v_voucher, 'CANCELLED');
    PERFORM redemption.remember(p_community, p_key, 'cancel', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;

-- The next p_limit vouchers whose time is over. Whoever another transaction holds is left for the next round.
-- Offers are locked first and in order, and waited for; vouchers are skipped, so that a scan in progress wins.
CREATE FUNCTION redemption.expire_due(p_community bigint, p_now timestamptz, p_limit int) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_ids bigint[];
    v_offers uuid[];
    v_vouchers redemption.voucher[];
    v_voucher redemption.voucher;
    v_refusal redemption.verdict;
    v_done jsonb := '[]';
    v_refused jsonb := '[]';
BEGIN
    SELECT array_agg(d.voucher_id), array_agg(DISTINCT d.offer_id) INTO v_ids, v_offers
      FROM (SELECT v.voucher_id, v.offer_id FROM redemption.voucher v
             WHERE v.community_id = p_community AND v.due_at <= p_now
               AND v.state IN ('RESERVED', 'ISSUED', 'PART_USED')
             ORDER BY v.due_at, v.voucher_id LIMIT p_limit) d;
    PERFORM FROM redemption.offer o
      WHERE o.community_id = p_community AND o.offer_id = ANY (v_offers) ORDER BY o.offer_id FOR NO KEY UPDATE;
    -- The state is asked again: while the offers were waited for, a voucher may have been used or cancelled.
    v_vouchers := ARRAY(
        SELECT v FROM redemption.voucher v
         WHERE v.community_id = p_community AND v.voucher_id = ANY (v_ids) AND v.state IN ('RESERVED', 'ISSUED', 'PART_USED')
         ORDER BY v.voucher_id FOR NO KEY UPDATE SKIP LOCKED);
    FOREACH v_voucher IN ARRAY v_vouchers LOOP
        v_refusal := redemption.end_voucher(v_voucher, 'EXPIRED', 'expire', 'voucher_expired', NULL, NULL, 'expired', p_now);
        IF v_refusal.code IS NULL THEN
            v_done := v_done || redemption.ended_detail(v_voucher, 'EXPIRED');
        ELSE
            v_refused := v_refused || jsonb_build_object('voucher_id', v_voucher.voucher_id, 'why', v_refusal.detail);
        END IF;
    END LOOP;
    RETURN redemption.said('done', jsonb_build_object(
        'expired', v_done, 'refused', v_refused, 'found', coalesce(cardinality(v_ids), 0)));
END $$;

CREATE FUNCTION redemption.freeze_voucher(p_community bigint, p_key uuid, p_voucher_id bigint, p_reason text, p_actor uuid, p_now timestamptz)
RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb := jsonb_build_object('voucher', p_voucher_id);
    v_voucher redemption.voucher := redemption.lock_voucher(p_community, p_voucher_id);
    v_before redemption.verdict := redemption.remembered(p_community, p_key, 'freeze', v_request);
    v_detail jsonb := jsonb_build_object('voucher_id', p_voucher_id, 'voucher_state', 'FROZEN');
BEGIN
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    ELSIF v_voucher.voucher_id IS NULL THEN
        RETURN redemption.said('unknown');
    ELSIF coalesce(p_reason, '') = '' THEN
        RETURN redemption.said('reason_missing');
    ELSIF v_voucher.state IN ('USED', 'CANCELLED', 'EXPIRED', 'VOID', 'FROZEN') THEN
        RETURN redemption.said(redemption.state_refusal(v_voucher), jsonb_build_object('voucher_id', p_voucher_id));
    END IF;
    PERFORM redemption.move_voucher(v_voucher, 'FROZEN', v_voucher.state, 'freeze', p_actor, NULL, p_reason, p_now);
    PERFORM redemption.remember(p_community, p_key, 'freeze', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;

CREATE FUNCTION redemption.unfreeze_voucher(p_community bigint, p_key uuid, p_voucher_id bigint, p_reason text, p_actor uuid, p_now timestamptz)
RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb := jsonb_build_object('voucher', p_voucher_id);
    v_voucher redemption.voucher := redemption.lock_voucher(p_community, p_voucher_id);
    v_before redemption.verdict := redemption.remembered(p_community, p_key, 'unfreeze', v_request);
    v_detail jsonb := jsonb_build_object('voucher_id', p_voucher_id, 'voucher_state', v_voucher.frozen_state);
BEGIN
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    ELSIF v_voucher.voucher_id IS NULL THEN
        RETURN redemption.said('unknown');
    ELSIF coalesce(p_reason, '') = '' THEN
        RETURN redemption.said('reason_missing');
    ELSIF v_voucher.state <> 'FROZEN' THEN
        RETURN redemption.said('not_frozen', jsonb_build_object('voucher_id', p_voucher_id, 'state', v_voucher.state));
    END IF;
    PERFORM redemption.move_voucher(v_voucher, v_voucher.frozen_state, NULL, 'unfreeze', p_actor, NULL, p_reason, p_now);
    PERFORM redemption.remember(p_community, p_key, 'unfreeze', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;

-- Issued in error, or the offer is gone. Two people, never one; the rest goes back to the member and the sponsor.
CREATE FUNCTION redemption.void_voucher(
    p_community bigint, p_key uuid, p_voucher_id bigint, p_reason text, p_actor uuid, p_second uuid, p_now timestamptz
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb := jsonb_build_object('voucher', p_voucher_id);
    v_voucher redemption.voucher := redemption.lock_voucher(p_community, p_voucher_id);
    v_before redemption.verdict := redemption.remembered(p_community, p_key, 'void', v_request);
    v_detail jsonb;
BEGIN
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    ELSIF v_voucher.voucher_id IS NULL THEN
        RETURN redemption.said('unknown');
    ELSIF coalesce(p_reason, '') = '' THEN
        RETURN redemption.said('reason_missing');
    ELSIF p_actor IS NULL OR p_second IS NULL OR p_actor = p_second THEN
        RETURN redemption.said('same_person');
    ELSIF v_voucher.state IN ('USED', 'CANCELLED', 'EXPIRED', 'VOID') THEN
        RETURN redemption.said(redemption.state_refusal(v_voucher), jsonb_build_object('voucher_id', p_voucher_id));
    END IF;
    v_before := redemption.end_voucher(v_voucher, 'VOID', 'void', 'voucher_voided', p_actor, NULL, p_reason, p_now, p_second);
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    END IF;
    v_detail := redemption.ended_detail(v_voucher, 'VOID') || jsonb_build_object('second_id', p_second);
    PERFORM redemption.remember(p_community, p_key, 'void', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;

-- A printed code was lost or printed again: every code shown before is dead. Never two live codes.
CREATE FUNCTION redemption.renew_code(p_community bigint, p_voucher_id bigint, p_reason text, p_actor uuid, p_on_behalf_of uuid, p_now timestamptz)
RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_voucher redemption.voucher := redemption.lock_voucher(p_community, p_voucher_id);
    v_code text;
BEGIN
    v_code := redemption.state_refusal(v_voucher);
    IF v_voucher.voucher_id IS NULL THEN
        RETURN redemption.said('unknown');
    ELSIF coalesce(p_reason, '') = '' THEN
        RETURN redemption.said('reason_missing');
    ELSIF v_code IS NOT NULL THEN
        RETURN redemption.said(v_code, jsonb_build_object('voucher_id', p_voucher_id));
    END IF;
    UPDATE redemption.voucher v SET code_seq = v.code_seq + 1, event_seq = v.event_seq + 1, changed_at = p_now
     WHERE v.community_id = p_community AND v.voucher_id = p_voucher_id;
    INSERT INTO redemption.voucher_event (community_id, voucher_id, number, action, from_state, to_state, actor_id, on_behalf_of, reason, at)
    VALUES (p_community, p_voucher_id, v_voucher.event_seq + 1, 'renew_code', v_voucher.state, v_voucher.state, p_actor, p_on_behalf_of, p_reason, p_now);
    RETURN redemption.said('done', jsonb_build_object('voucher_id', p_voucher_id, 'code_seq', v_voucher.code_seq + 1));
END $$;

-- Settlement: what each shop is owed, closed, confirmed, approved by a second person, paid.

-- Three independent sums over the same uses: what the uses say, what the vouchers' frozen prices say (the lines),
-- and what the ledger credited the merchant. Points in the ledger's hundredths.
CREATE FUNCTION redemption.three_sums(p_community bigint, p_merchant uuid, p_uses redemption.use[]) RETURNS jsonb
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH taken AS (
        SELECT u.* FROM unnest(p_uses) u
    ), credited AS (
        SELECT t.unit, t.amount
          FROM taken u
          JOIN ledger.journal j ON j.community_id = p_community AND j.journal_id = u.journal_id
          JOIN ledger.transfer t ON t.community_id = p_community AND t.seq >= j.journal_id AND t.seq < j.journal_id + j.transfers
          JOIN ledger.account a ON a.community_id = p_community AND a.account_id = t.credit
           AND a.code = redemption.account('merchant', p_merchant)
    )
    SELECT jsonb_build_object(
        'uses', (SELECT jsonb_build_object('count', count(*), 'points', 100 * coalesce(sum(u.points + u.subsidy_points), 0),
                                           'fen', coalesce(sum(u.payable_fen), 0)) FROM taken u),
        'lines', (SELECT jsonb_build_object('count', count(*),
                                            'points', 100 * coalesce(sum(u.quantity * (v.points_each + v.subsidy_points_each)::bigint), 0),
                                            'fen', coalesce(sum(u.quantity * v.payable_fen_each), 0))
                    FROM taken u JOIN redemption.voucher v ON v.community_id = p_community AND v.voucher_id = u.voucher_id
                   WHERE NOT EXISTS (SELECT FROM redemption.settlement_line l
                                      WHERE l.community_id = p_community AND l.voucher_id = u.voucher_id AND l.use_seq = u.seq AND l.part = 0)),
        'ledger', jsonb_build_object(
            'points', (SELECT coalesce(sum(c.amount), 0) FROM credited c WHERE c.unit = 'point'),
            'fen', (SELECT coalesce(sum(c.amount), 0) FROM credited c WHERE c.unit = 'fen')))
$$;

CREATE FUNCTION redemption.micros(p_at timestamptz) RETURNS bigint
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT (extract(epoch FROM p_at) * 1000000)::bigint
$$;

-- The hash of a closed batch: the previous hash, the head of the statement and each of its lines, in order.
CREATE FUNCTION redemption.settlement_hash(p_settlement redemption.settlement) RETURNS bytea
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT sha256(p_settlement.previous_hash || convert_to(
        concat_ws('|', 'linli-settlement-1', p_settlement.community_id, p_settlement.settlement_id, p_settlement.merchant_id, p_settlement.number,
                  redemption.micros(p_settlement.received_from), redemption.micros(p_settlement.received_until), p_settlement.line_count,
                  p_settlement.points, p_settlement.subsidy_points, p_settlement.payable_fen, p_settlement.cash_fen,
                  p_settlement.closed_by, redemption.micros(p_settlement.closed_at))
        || coalesce((
            SELECT string_agg(E'\n' || concat_ws('|', l.line_no, l.kind, l.voucher_id, l.use_seq, l.part, l.quantity, l.points, l.subsidy_points,
                                                  l.payable_fen, l.cash_fen, redemption.micros(l.received_at), coalesce(l.journal_id, 0)),
                              '' ORDER BY l.line_no)
              FROM redemption.settlement_line l
             WHERE l.community_id = p_settlement.community_id AND l.settlement_id = p_settlement.settlement_id), ''), 'UTF8'))
$$;

CREATE FUNCTION redemption.add_lines(p_settlement redemption.settlement, p_uses redemption.use[]) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO redemption.settlement_line (community_id, settlement_id, line_no, kind, voucher_id, use_seq, quantity,
                                            points, subsidy_points, payable_fen, cash_fen, received_at, journal_id)
    SELECT t.community_id, p_settlement.settlement_id, row_number() OVER (ORDER BY t.received_at, t.voucher_id, t.seq), 'use',
           t.voucher_id, t.seq, t.quantity, t.points, t.subsidy_points, t.payable_fen, t.cash_fen, t.received_at, t.journal_id
      FROM unnest(p_uses) t;
    UPDATE redemption.use u SET state = 'SETTLED'
      FROM unnest(p_uses) t
     WHERE u.community_id = p_settlement.community_id AND u.voucher_id = t.voucher_id AND u.seq = t.seq;
END $$;

-- Closes what the server received before p_until. The client's settlement id is the key.
CREATE FUNCTION redemption.close_settlement(
    p_community bigint, p_settlement uuid, p_merchant uuid, p_until timestamptz, p_actor uuid, p_now timestamptz
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb := jsonb_build_object('merchant', p_merchant, 'until', redemption.micros(p_until));
    v_before redemption.verdict;
    v_merchant redemption.merchant;
    v_uses redemption.use[];
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
    IF cardinality(v_uses) = 0 THEN
        RETURN redemption.said('nothing_to_settle');
    END IF;
    v_sums := redemption.three_sums(p_community, p_merchant, v_uses);
    IF v_sums -> 'uses' IS DISTINCT FROM v_sums -> 'lines' OR (v_sums -> 'uses') - 'count' IS DISTINCT FROM v_sums -> 'ledger' THEN
        RETURN redemption.said('sums_differ', v_sums);
    END IF;

    SELECT p_community, p_settlement, p_merchant, v_merchant.settled_number + 1,
           least(v_merchant.settled_until, min(u.received_at)), p_until, 'CLOSED', count(*),
           sum(u.points), sum(u.subsidy_points), sum(u.payable_fen), sum(u.cash_fen)
      INTO v.community_id, v.settlement_id, v.merchant_id, v.number, v.received_from, v.received_until, v.state, v.line_count,
           v.points, v.subsidy_points, v.payable_fen, v.cash_fen
      FROM unnest(v_uses) u;
    v.previous_hash := coalesce(v_merchant.settled_hash, sha256(''));
    v.hash := ''::bytea;
    v.closed_by := p_actor;
    v.closed_at := p_now;
    INSERT INTO redemption.settlement SELECT v.*;
    PERFORM redemption.add_lines(v, v_uses);
    v.hash := redemption.settlement_hash(v);
    UPDATE redemption.settlement s SET hash = v.hash WHERE s.community_id = p_community AND s.settlement_id = p_settlement;
    UPDATE redemption.merchant m SET settled_number = v.number, settled_hash = v.hash, settled_until = p_until
     WHERE m.community_id = p_community AND m.merchant_id = p_merchant;
    v_detail := jsonb_build_object('settlement_id', p_settlement, 'number', v.number, 'sums', v_sums, 'line_count', v.line_count,
                                   'points', v.points + v.subsidy_points, 'payable_fen', v.payable_fen, 'hash', encode(v.hash, 'hex'));
    PERFORM redemption.remember(p_community, p_settlement, 'close', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;

-- Locks a settlement and says why it is not in the state that the next step needs; NULL when it is.
CREATE FUNCTION redemption.settlement_refusal(p_settlement redemption.settlement, p_expected text[]) RETURNS redemption.verdict
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE
        WHEN p_settlement.settlement_id IS NULL THEN redemption.said('settlement_unknown')
        WHEN p_settlement.state <> ALL (p_expected) THEN redemption.said('settlement_state', jsonb_build_object('state', p_settlement.state))
    END
$$;

-- By the merchant, or by nobody (NULL) when the time to object has passed.
CREATE FUNCTION redemption.confirm_settlement(p_community bigint, p_key uuid, p_settlement uuid, p_actor uuid, p_on_behalf_of uuid, p_now timestamptz)
RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb := jsonb_build_object('settlement', p_settlement);
    v redemption.settlement;
    v_before redemption.verdict;
    v_detail jsonb := jsonb_build_object('settlement_id', p_settlement);
BEGIN
    SELECT * INTO v FROM redemption.settlement s WHERE s.community_id = p_community AND s.settlement_id = p_settlement FOR NO KEY UPDATE;
    v_before := redemption.remembered(p_community, p_key, 'confirm', v_request);
    IF v_before.code IS NULL THEN
        v_before := redemption.settlement_refusal(v, '{CLOSED}');
    END IF;
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    END IF;
    UPDATE redemption.settlement s SET state = 'CONFIRMED', confirmed_by = p_actor, confirmed_at = p_now
     WHERE s.community_id = p_community AND s.settlement_id = p_settlement;
    v_detail := v_detail || jsonb_build_object('on_behalf_of', p_on_behalf_of);
    PERFORM redemption.remember(p_community, p_key, 'confirm', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;

CREATE FUNCTION redemption.approve_settlement(p_community bigint, p_key uuid, p_settlement uuid, p_actor uuid, p_now timestamptz)
RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb := jsonb_build_object('settlement', p_settlement);
    v redemption.settlement;
    v_before redemption.verdict;
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
    UPDATE redemption.settlement s SET state = 'APPROVED', approved_by = p_actor, approved_at = p_now
     WHERE s.community_id = p_community AND s.settlement_id = p_settlement;
    PERFORM redemption.remember(p_community, p_key, 'approve', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;

-- What leaves with this batch: its sums without the lines in dispute.
CREATE FUNCTION redemption.settlement_due(p_community bigint, p_settlement uuid, OUT points bigint, OUT fen bigint)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(sum(l.points + l.subsidy_points), 0)::bigint, coalesce(sum(l.payable_fen), 0)::bigint
      FROM redemption.settlement_line l
     WHERE l.community_id = p_community AND l.settlement_id = p_settlement
       AND NOT EXISTS (SELECT FROM redemption.dispute d
                        WHERE d.community_id = p_community AND d.settlement_id = l.settlement_id AND d.line_no = l.line_no)
$$;

-- Records that the bank paid: the points are burnt, the debt in fen is gone.
CREATE FUNCTION redemption.pay_settlement(p_community bigint, p_key uuid, p_settlement uuid, p_bank_reference text, p_actor uuid, p_now timestamptz)
RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb := jsonb_build_object('settlement', p_settlement, 'bank_reference', p_bank_reference);
    v redemption.settlement;
    v_before redemption.verdict;
    v_due record;
    v_steps ledger.step[];
    v_posted ledger.verdict;
    v_detail jsonb;
BEGIN
    SELECT * INTO v FROM redemption.settlement s WHERE s.community_id = p_community AND s.settlement_id = p_settlement FOR NO KEY UPDATE;
    v_before := redemption.remembered(p_community, p_key, 'pay', v_request);
    IF v_before.code IS NULL THEN
        v_before := redemption.settlement_refusal(v, '{APPROVED}');
    END IF;
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    ELSIF coalesce(p_bank_reference, '') = '' THEN
        RETURN redemption.said('bank_reference_missing');
    ELSIF p_actor IS NULL THEN
        RETURN redemption.said('actor_missing');
    END IF;
    v_due := redemption.settlement_due(p_community, p_settlement);
    SELECT coalesce(array_agg(ROW('post', redemption.account('merchant', v.merchant_id), part.credit, part.unit, part.amount, NULL, NULL)::ledger.step
                              ORDER BY part.n), '{}') INTO v_steps
      FROM (VALUES (1, 'issued', 'point', 100 * v_due.points), (2, 'paid', 'fen', v_due.fen)) AS part (n, credit, unit, amount)
     WHERE part.amount > 0;
    v_posted := redemption.post(p_community, 'redemption.settlement:' || p_settlement || ':paid', 'settlement_paid', v_steps, p_actor, NULL, p_now);
    IF v_posted.code <> 'posted' THEN
        RETURN redemption.said('ledger_refused', jsonb_build_object('ledger_code', v_posted.code, 'ledger', v_posted.detail));
    END IF;
    UPDATE redemption.settlement s
       SET state = 'PAID', paid_by = p_actor, paid_at = p_now, bank_reference = p_bank_reference,
           paid_points = v_due.points, paid_fen = v_due.fen, journal_id = v_posted.journal_id
     WHERE s.community_id = p_community AND s.settlement_id = p_settlement;
    v_detail := jsonb_build_object('settlement_id', p_settlement, 'paid_points', v_due.points, 'paid_fen', v_due.fen);
    PERFORM redemption.remember(p_community, p_key, 'pay', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;

-- A line leaves its batch, the rest goes on. After approval it is too late: the next batch carries the correction.
CREATE FUNCTION redemption.dispute_line(
    p_community bigint, p_key uuid, p_settlement uuid, p_line_no int, p_reason text, p_actor uuid, p_on_behalf_of uuid, p_now timestamptz
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb := jsonb_build_object('settlement', p_settlement, 'line_no', p_line_no);
    v redemption.settlement;
    v_before redemption.verdict;
    v_detail jsonb := jsonb_build_object('settlement_id', p_settlement, 'line_no', p_line_no);
BEGIN
    SELECT * INTO v FROM redemption.settlement s WHERE s.community_id = p_community AND s.settlement_id = p_settlement FOR NO KEY UPDATE;
    v_before := redemption.remembered(p_community, p_key, 'dispute', v_request);
    IF v_before.code IS NULL THEN
        v_before := redemption.settlement_refusal(v, '{CLOSED,CONFIRMED}');
    END IF;
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    ELSIF coalesce(p_reason, '') = '' THEN
        RETURN redemption.said('reason_missing');
    ELSIF p_actor IS NULL THEN
        RETURN redemption.said('actor_missing');
    ELSIF NOT EXISTS (SELECT FROM redemption.settlement_line l
                       WHERE l.community_id = p_community AND l.settlement_id = p_settlement AND l.line_no = p_line_no) THEN
        RETURN redemption.said('line_unknown');
    ELSIF EXISTS (SELECT FROM redemption.dispute d
                   WHERE d.community_id = p_community AND d.settlement_id = p_settlement AND d.line_no = p_line_no) THEN
        RETURN redemption.said('already_disputed');
    END IF;
    INSERT INTO redemption.dispute (community_id, settlement_id, line_no, state, reason, raised_by, on_behalf_of, raised_at)
    VALUES (p_community, p_settlement, p_line_no, 'DISPUTED', p_reason, p_actor, p_on_behalf_of, p_now);
    PERFORM redemption.remember(p_community, p_key, 'dispute', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;

-- The service may read everything and write by these functions alone; the auditor may read.
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA redemption FROM PUBLIC;
GRANT USAGE ON SCHEMA redemption TO linli_app, linli_audit;
GRANT SELECT ON ALL TABLES IN SCHEMA redemption TO linli_app, linli_audit;
GRANT EXECUTE ON FUNCTION
    redemption.draft_offer, redemption.publish_offer, redemption.withdraw_offer, redemption.issue_voucher,
    redemption.redeem, redemption.voucher_by_code, redemption.reverse_use, redemption.register_device, redemption.revoke_device,
    redemption.cancel_voucher, redemption.expire_due, redemption.freeze_voucher, redemption.unfreeze_voucher, redemption.void_voucher,
    redemption.renew_code, redemption.close_settlement, redemption.confirm_settlement, redemption.approve_settlement,
    redemption.pay_settlement, redemption.dispute_line
    TO linli_app;
GRANT EXECUTE ON FUNCTION redemption.settlement_hash, redemption.micros, redemption.moved TO linli_app, linli_audit;
