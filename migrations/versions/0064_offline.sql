-- Scanning without a network. Frozen from redemption/tables/ and redemption/sql/.

ALTER TABLE redemption.device
    ADD COLUMN label TEXT,
    ADD COLUMN seen_at TIMESTAMP WITH TIME ZONE,
    ADD COLUMN log_seq BIGINT DEFAULT 0 NOT NULL,
    ADD COLUMN log_hash BYTEA,
    ADD COLUMN log_at TIMESTAMP WITH TIME ZONE,
    ADD COLUMN log_skipped BYTEA,
    ADD CONSTRAINT ck_device_log_seq CHECK (log_seq >= 0);
ALTER TABLE redemption.use
    ADD COLUMN bearer TEXT,
    ADD CONSTRAINT ck_use_bearer CHECK (bearer IN ('fund', 'merchant', 'member')),
    ADD CONSTRAINT ck_use_conflict CHECK (state <> 'CONFLICT' OR bearer IS NOT NULL);

CREATE INDEX ix_use_conflict ON redemption.use (community_id, merchant_id, received_at) WHERE state = 'CONFLICT';
CREATE INDEX ix_voucher_revoked ON redemption.voucher (community_id, changed_at) WHERE offline_class = 2 AND (state NOT IN ('ISSUED', 'PART_USED') OR code_seq > 1);
CREATE INDEX ix_voucher_cancelling ON redemption.voucher (community_id, changed_at) WHERE state = 'CANCEL_PENDING';
CREATE INDEX ix_voucher_leased ON redemption.voucher (community_id, offer_id) WHERE offline_class = 1 AND state IN ('ISSUED', 'PART_USED');

CREATE TABLE redemption.device_ticket (
    community_id BIGINT NOT NULL,
    ticket BYTEA NOT NULL,
    merchant_id UUID NOT NULL,
    made_by UUID NOT NULL,
    made_at TIMESTAMP WITH TIME ZONE NOT NULL,
    ends_at TIMESTAMP WITH TIME ZONE NOT NULL,
    device_id UUID,
    used_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_device_ticket PRIMARY KEY (community_id, ticket),
    CONSTRAINT fk_device_ticket_merchant FOREIGN KEY(community_id, merchant_id) REFERENCES redemption.merchant (community_id, merchant_id),
    CONSTRAINT fk_device_ticket_device FOREIGN KEY(community_id, device_id) REFERENCES redemption.device (community_id, device_id),
    CONSTRAINT ck_device_ticket_ticket CHECK (length(ticket) = 32),
    CONSTRAINT ck_device_ticket_time CHECK (ends_at > made_at AND ends_at <= made_at + interval '1 hour'),
    CONSTRAINT ck_device_ticket_used CHECK ((device_id IS NULL) = (used_at IS NULL))
);

CREATE TABLE redemption.lease (
    community_id BIGINT NOT NULL,
    lease_id UUID NOT NULL,
    merchant_id UUID NOT NULL,
    device_id UUID NOT NULL,
    state TEXT NOT NULL,
    granted_at TIMESTAMP WITH TIME ZONE NOT NULL,
    renewed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    ends_at TIMESTAMP WITH TIME ZONE NOT NULL,
    frozen_at TIMESTAMP WITH TIME ZONE,
    frozen_reason TEXT,
    ended_at TIMESTAMP WITH TIME ZONE,
    ended_by UUID,
    reason TEXT,
    CONSTRAINT pk_lease PRIMARY KEY (community_id, lease_id),
    CONSTRAINT fk_lease_device FOREIGN KEY(community_id, device_id) REFERENCES redemption.device (community_id, device_id),
    CONSTRAINT ck_lease_state CHECK (state IN ('out', 'returned', 'broken', 'over')),
    CONSTRAINT ck_lease_time CHECK (ends_at > renewed_at AND ends_at <= renewed_at + interval '72 hours'),
    CONSTRAINT ck_lease_ended CHECK ((state = 'out') = (ended_at IS NULL)),
    CONSTRAINT ck_lease_broken CHECK (state <> 'broken' OR (ended_by IS NOT NULL AND length(reason) > 0)),
    CONSTRAINT ck_lease_frozen CHECK ((frozen_at IS NULL) = (frozen_reason IS NULL))
);
CREATE INDEX ix_lease_merchant ON redemption.lease (community_id, merchant_id, granted_at);
CREATE UNIQUE INDEX uq_lease_out ON redemption.lease (community_id, device_id) WHERE state = 'out';

CREATE TABLE redemption.lease_offer (
    community_id BIGINT NOT NULL,
    offer_id UUID NOT NULL,
    lease_id UUID NOT NULL,
    CONSTRAINT pk_lease_offer PRIMARY KEY (community_id, offer_id),
    CONSTRAINT fk_lease_offer_offer FOREIGN KEY(community_id, offer_id) REFERENCES redemption.offer (community_id, offer_id),
    CONSTRAINT fk_lease_offer_lease FOREIGN KEY(community_id, lease_id) REFERENCES redemption.lease (community_id, lease_id)
);
CREATE INDEX ix_lease_offer_lease ON redemption.lease_offer (community_id, lease_id);

CREATE TABLE redemption.offline_record (
    community_id BIGINT NOT NULL,
    device_id UUID NOT NULL,
    nonce UUID NOT NULL,
    seq BIGINT NOT NULL,
    hash BYTEA NOT NULL,
    text TEXT NOT NULL,
    voucher_id BIGINT,
    quantity INTEGER NOT NULL,
    merchant_id UUID NOT NULL,
    clerk_id UUID,
    lease_id UUID,
    offline_class SMALLINT,
    scanned_at TIMESTAMP WITH TIME ZONE NOT NULL,
    claimed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    received_at TIMESTAMP WITH TIME ZONE NOT NULL,
    flags TEXT[] NOT NULL,
    verdict TEXT NOT NULL,
    reason TEXT NOT NULL,
    bearer TEXT,
    use_seq INTEGER,
    value_fen BIGINT NOT NULL,
    CONSTRAINT pk_offline_record PRIMARY KEY (community_id, device_id, nonce),
    CONSTRAINT fk_offline_record_device FOREIGN KEY(community_id, device_id) REFERENCES redemption.device (community_id, device_id),
    CONSTRAINT ck_offline_record_verdict CHECK (verdict IN ('accepted', 'conflict', 'already', 'review')),
    CONSTRAINT ck_offline_record_bearer CHECK (bearer IN ('fund', 'merchant', 'member')),
    CONSTRAINT ck_offline_record_bearer_known CHECK ((verdict = 'conflict') = (bearer IS NOT NULL)),
    CONSTRAINT ck_offline_record_quantity CHECK (quantity > 0),
    CONSTRAINT ck_offline_record_value_fen CHECK (value_fen >= 0),
    CONSTRAINT ck_offline_record_scanned_at CHECK (scanned_at <= received_at)
);
CREATE INDEX ix_offline_record_merchant ON redemption.offline_record (community_id, merchant_id, received_at);
CREATE INDEX ix_offline_record_seq ON redemption.offline_record (community_id, device_id, seq);

CREATE TABLE redemption.offline_review (
    community_id BIGINT NOT NULL,
    device_id UUID NOT NULL,
    nonce UUID NOT NULL,
    merchant_id UUID NOT NULL,
    state TEXT NOT NULL,
    opened_at TIMESTAMP WITH TIME ZONE NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE NOT NULL,
    is_paid BOOLEAN,
    note TEXT,
    proposed_by UUID,
    proposed_at TIMESTAMP WITH TIME ZONE,
    decided_by UUID,
    decided_at TIMESTAMP WITH TIME ZONE,
    use_seq INTEGER,
    CONSTRAINT pk_offline_review PRIMARY KEY (community_id, device_id, nonce),
    CONSTRAINT fk_offline_review_record FOREIGN KEY(community_id, device_id, nonce) REFERENCES redemption.offline_record (community_id, device_id, nonce),
    CONSTRAINT ck_offline_review_state CHECK (state IN ('open', 'proposed', 'decided')),
    CONSTRAINT ck_offline_review_proposed CHECK ((state = 'open') = (proposed_by IS NULL) AND (state = 'open') = (is_paid IS NULL)),
    CONSTRAINT ck_offline_review_decided CHECK ((state = 'decided') = (decided_by IS NOT NULL)),
    CONSTRAINT ck_offline_review_two_people CHECK (decided_by <> proposed_by),
    CONSTRAINT ck_offline_review_note CHECK (state = 'open' OR length(note) > 0)
);
CREATE INDEX ix_offline_review_open ON redemption.offline_review (community_id, due_at) WHERE state <> 'decided';

CREATE TABLE redemption.strike (
    community_id BIGINT NOT NULL,
    device_id UUID NOT NULL,
    nonce UUID NOT NULL,
    member_id UUID NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_strike PRIMARY KEY (community_id, device_id, nonce),
    CONSTRAINT fk_strike_record FOREIGN KEY(community_id, device_id, nonce) REFERENCES redemption.offline_record (community_id, device_id, nonce)
);
CREATE INDEX ix_strike_member ON redemption.strike (community_id, member_id);

CREATE TABLE redemption.loss_month (
    community_id BIGINT NOT NULL,
    began_on DATE NOT NULL,
    lost_fen BIGINT NOT NULL,
    allowed_fen BIGINT NOT NULL,
    alarmed_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_loss_month PRIMARY KEY (community_id, began_on),
    CONSTRAINT ck_loss_month_budget CHECK (lost_fen BETWEEN 0 AND allowed_fen)
);

DROP FUNCTION redemption.redeem_refusal;

-- Pays the shop out of escrow and writes the use. The caller holds the voucher and has checked; p_action is how the history calls it.
CREATE FUNCTION redemption.take_use(
    p_voucher redemption.voucher, p_device uuid, p_nonce uuid, p_code_seq int, p_merchant uuid, p_clerk uuid, p_quantity int,
    p_scanned_at timestamptz, p_now timestamptz, p_on_behalf_of uuid, p_action text
) RETURNS redemption.verdict
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_voucher redemption.voucher;
    v_use redemption.use;
    v_posted ledger.verdict;
BEGIN
    v_posted := redemption.post(p_voucher.community_id, 'redemption.use:' || p_device || ':' || p_nonce, 'voucher_used',
                                redemption.capture_steps(p_voucher, p_quantity, p_merchant), p_clerk, p_on_behalf_of, p_now);
    IF v_posted.code <> 'posted' THEN
        RETURN redemption.said('ledger_refused', jsonb_build_object('ledger_code', v_posted.code, 'ledger', v_posted.detail));
    END IF;
    UPDATE redemption.voucher v
       SET quantity_used = v.quantity_used + p_quantity, use_seq = v.use_seq + 1, event_seq = v.event_seq + 1, changed_at = p_now,
           state = CASE WHEN redemption.open_quantity(v) = p_quantity THEN 'USED' WHEN v.state = 'CANCEL_PENDING' THEN v.state ELSE 'PART_USED' END
     WHERE v.community_id = p_voucher.community_id AND v.voucher_id = p_voucher.voucher_id
       AND v.state IN ('ISSUED', 'PART_USED', 'CANCEL_PENDING') AND redemption.open_quantity(v) >= p_quantity
    RETURNING v.* INTO STRICT v_voucher;
    INSERT INTO redemption.use (community_id, voucher_id, seq, device_id, nonce, merchant_id, clerk_id, on_behalf_of, quantity,
                                points, subsidy_points, payable_fen, cash_fen, code_seq, state, scanned_at, received_at, journal_id)
    VALUES (v_voucher.community_id, v_voucher.voucher_id, v_voucher.use_seq, p_device, p_nonce, p_merchant, p_clerk, p_on_behalf_of, p_quantity,
            p_quantity::bigint * v_voucher.points_each, p_quantity::bigint * v_voucher.subsidy_points_each,
            p_quantity * v_voucher.payable_fen_each, p_quantity * v_voucher.cash_fen_each,
            p_code_seq, 'ACCEPTED', p_scanned_at, p_now, v_posted.journal_id)
    RETURNING * INTO v_use;
    INSERT INTO redemption.voucher_event (community_id, voucher_id, number, action, from_state, to_state, actor_id, on_behalf_of, reason, at)
    VALUES (v_voucher.community_id, v_voucher.voucher_id, v_voucher.event_seq, p_action, p_voucher.state, v_voucher.state, p_clerk, p_on_behalf_of,
            'scanned', p_now);
    RETURN redemption.said('redeemed', redemption.use_detail(v_voucher, v_use));
END $$;

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

-- Whether this record still lies inside what a phone may accept without us: so many vouchers, so much money, so much for one.
CREATE FUNCTION redemption.is_inside_floor(
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
    ELSIF NOT EXISTS (SELECT FROM redemption.offer_merchant om
                       WHERE om.community_id = p_voucher.community_id AND om.offer_id = p_voucher.offer_id
                         AND om.merchant_id = p_device.merchant_id) THEN
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
        ELSIF v_lease.lease_id IS NULL THEN
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

-- A voucher that was used before: by whom decides who pays. The floor bounds what the fund bears.
CREATE FUNCTION redemption.used_before(
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
    ELSIF NOT redemption.is_inside_floor(p_device, p_record, p_voucher, p_heard, p_terms) THEN
        RETURN redemption.concluded('conflict', 'above_floor', 'merchant');
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
         WHERE m.community_id = p_community AND u.state <> 'REVERSED' AND u.bearer IS NULL);
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
            p_judged ->> 'bearer' = 'member' OR p_judged ->> 'reason' = 'used_elsewhere', p_judged ->> 'reason', p_scanned, p_now);
        IF v_seq IS NULL THEN
            -- What was taken from the month stays taken: a person decides, and may pay.
            RETURN redemption.concluded('review', 'ledger_refused');
        END IF;
        RETURN p_judged || jsonb_build_object('use_seq', v_seq);
    END IF;
    RETURN p_judged;
END $$;

-- One record, new to us. p_flags is what the chain of records says of it. The caller holds the voucher, the device and the month's losses.
CREATE FUNCTION redemption.merge_record(p_device redemption.device, p_record jsonb, p_flags text[], p_now timestamptz, p_terms jsonb) RETURNS jsonb
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
    ELSE
        v_said := redemption.judge_record(p_device, p_record, v_voucher, v_scanned, v_heard, p_now, p_terms);
        v_said := redemption.apply_record(p_device, p_record, v_voucher, v_said, v_scanned, p_now, p_terms);
    END IF;
    INSERT INTO redemption.offline_record (community_id, device_id, nonce, seq, hash, text, voucher_id, quantity, merchant_id, clerk_id, lease_id,
                                           offline_class, scanned_at, claimed_at, received_at, flags, verdict, reason, bearer, use_seq, value_fen)
    VALUES (p_device.community_id, p_device.device_id, v_nonce, (p_record ->> 'seq')::bigint, decode(p_record ->> 'hash', 'hex'), p_record ->> 'text',
            (p_record ->> 'voucher')::bigint, (p_record ->> 'quantity')::int, p_device.merchant_id, (p_record ->> 'clerk')::uuid,
            (p_record ->> 'lease')::uuid, v_voucher.offline_class, v_scanned, v_claimed, p_now, p_flags,
            v_said ->> 'verdict', v_said ->> 'reason', v_said ->> 'bearer', (v_said ->> 'use_seq')::int,
            coalesce(redemption.value_fen(v_voucher), 0) * (p_record ->> 'quantity')::int);
    IF v_said ->> 'verdict' = 'review' THEN
        INSERT INTO redemption.offline_review (community_id, device_id, nonce, merchant_id, state, opened_at, due_at)
        VALUES (p_device.community_id, p_device.device_id, v_nonce, p_device.merchant_id, 'open', p_now,
                p_now + make_interval(days => (p_terms ->> 'review_days')::int));
    ELSIF v_said ->> 'reason' = 'used_elsewhere' THEN
        PERFORM redemption.add_strike(p_device.community_id, p_device.device_id, v_nonce, coalesce(v_voucher.payer_id, v_voucher.member_id), p_now);
    END IF;
    RETURN v_said || jsonb_build_object('nonce', v_nonce, 'scanned_at', v_scanned, 'voucher_id', v_voucher.voucher_id, 'member_id', v_voucher.member_id,
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
                     (SELECT count(*) FROM redemption.strike s WHERE s.community_id = p_community AND s.member_id = p_member) >= 2
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
CREATE FUNCTION redemption.sync_records(p_community bigint, p_device uuid, p_records jsonb, p_now timestamptz, p_terms jsonb) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_device redemption.device;
    v_record jsonb;
    v_before redemption.offline_record;
    v_flags text[];
    v_skipped text[] := '{}';
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
       SET log_seq = v_device.log_seq, log_hash = v_device.log_hash, log_at = v_device.log_at, seen_at = p_now,
           log_skipped = decode(v_skipped[cardinality(v_skipped)], 'hex')
     WHERE d.community_id = p_community AND d.device_id = p_device;
    RETURN redemption.said('done', jsonb_build_object('answers', to_jsonb(v_answers)));
END $$;

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
    ELSIF NOT EXISTS (SELECT FROM unnest(v_offers) o (offer_id)
                       WHERE coalesce((redemption.lease_on(p_community, o.offer_id, p_now)).device_id, p_device) = p_device) THEN
        RETURN redemption.said('leased', coalesce((SELECT redemption.lease_detail(redemption.lease_on(p_community, o.offer_id, p_now))
                                                     FROM unnest(v_offers) o (offer_id) LIMIT 1), '{}'));
    END IF;
    IF v_lease.lease_id IS NULL THEN
        INSERT INTO redemption.lease (community_id, lease_id, merchant_id, device_id, state, granted_at, renewed_at, ends_at)
        VALUES (p_community, p_lease, v_device.merchant_id, p_device, 'out', p_now, p_now, p_now + make_interval(hours => p_hours))
        RETURNING * INTO v_lease;
    ELSE
        UPDATE redemption.lease l SET renewed_at = p_now, ends_at = p_now + make_interval(hours => p_hours)
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

-- What a lease's holder may redeem without a network. Each voucher is locked for a moment: a scan elsewhere that began before the lease
-- was granted has then been decided, and one that begins later sees the lease.
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
     WHERE v.community_id = p_community AND v.state IN ('ISSUED', 'PART_USED') AND v.offline_class = 1 AND v.expires_at > p_now
       AND v.offer_id IN (SELECT h.offer_id FROM redemption.lease_offer h
                            JOIN redemption.lease l ON l.community_id = h.community_id AND l.lease_id = h.lease_id
                           WHERE h.community_id = p_community AND l.device_id = p_device AND l.state = 'out' AND l.ends_at > p_now)
     ORDER BY v.voucher_id FOR SHARE OF v
$$;

-- The holder gives its lease back, or hands it to another phone of its shop, once every record it made has been uploaded.
CREATE FUNCTION redemption.return_lease(p_community bigint, p_device uuid, p_seq bigint, p_now timestamptz) RETURNS redemption.verdict
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
     WHERE l.community_id = p_community AND l.device_id = p_device AND l.state = 'out' RETURNING * INTO v_lease;
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

CREATE FUNCTION redemption.propose_review(
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

-- Agreeing does what was proposed: out of the voucher's escrow while it is open, else at the fund's cost, which two people may let rise above
-- the month's budget. Not agreeing puts it back. The same person may take their own proposal back, never agree to it.
CREATE FUNCTION redemption.decide_review(
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

-- The first reason, in the fixed order of rules.REDEEM_ORDER, why this voucher is not redeemed here and now; NULL when it can be.
-- Another shop's voucher says nothing but that.
CREATE FUNCTION redemption.redeem_refusal(
    p_voucher redemption.voucher, p_code_seq int, p_merchant uuid, p_owner_group_of_clerk uuid, p_clerk uuid, p_quantity int, p_now timestamptz,
    p_device uuid DEFAULT NULL
) RETURNS redemption.verdict
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_code text;
    v_offer redemption.offer;
    v_lease redemption.lease;
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
             WHERE u.community_id = p_voucher.community_id AND u.voucher_id = p_voucher.voucher_id AND u.state <> 'REVERSED' AND u.bearer IS NULL
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
    END IF;
    IF p_voucher.offline_class = 1 AND p_device IS NOT NULL THEN
        -- A phone may have accepted it without a network: nobody else may until it says that it has not.
        v_lease := redemption.lease_on(p_voucher.community_id, p_voucher.offer_id, p_now);
        IF v_lease.device_id <> p_device THEN
            RETURN redemption.said('leased', redemption.lease_detail(v_lease) || jsonb_build_object('voucher_id', p_voucher.voucher_id));
        END IF;
    END IF;
    IF p_quantity IS NULL OR p_quantity < 1 OR p_quantity > redemption.open_quantity(p_voucher) THEN
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
    ELSIF EXISTS (SELECT FROM redemption.offline_record o WHERE o.community_id = p_community AND o.device_id = p_device AND o.nonce = p_nonce) THEN
        -- This scan was uploaded as one without a network, and something else was made of it.
        RETURN redemption.said('nonce_differs');
    END IF;
    v_refusal := redemption.redeem_refusal(v_voucher, p_code_seq, p_merchant, p_owner_group_of_clerk, p_clerk, p_quantity, p_now, p_device);
    IF v_refusal.code IS NOT NULL THEN
        RETURN v_refusal;
    END IF;
    INSERT INTO redemption.device (community_id, device_id, kind, registered_by, registered_at)
    VALUES (p_community, p_device, 'browser', p_clerk, p_now)
        ON CONFLICT DO NOTHING;
    RETURN redemption.take_use(v_voucher, p_device, p_nonce, p_code_seq, p_merchant, p_clerk, p_quantity, p_scanned_at, p_now, p_on_behalf_of, 'redeem');
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
    v_lease redemption.lease;
    v_state text := 'CANCELLED';
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
    IF v_voucher.offline_class = 1 AND v_voucher.state <> 'RESERVED' THEN
        v_lease := redemption.lease_on(p_community, v_voucher.offer_id, p_now);
    END IF;
    IF v_is_part AND v_lease.lease_id IS NOT NULL THEN
        RETURN redemption.said('leased', redemption.lease_detail(v_lease));
    ELSIF v_is_part THEN
        v_state := v_voucher.state;
        v_before := redemption.return_part(v_voucher, p_quantity, p_actor, p_on_behalf_of, p_reason, p_now);
    ELSIF v_lease.lease_id IS NOT NULL THEN
        -- A phone may have accepted it without a network: nothing goes back until it has said that it has not.
        v_state := 'CANCEL_PENDING';
        PERFORM redemption.move_voucher(v_voucher, v_state, NULL, 'ask_to_cancel', p_actor, p_on_behalf_of, p_reason, p_now);
    ELSE
        v_before := redemption.end_voucher(v_voucher, 'CANCELLED', 'cancel', 'voucher_cancelled', p_actor, p_on_behalf_of, p_reason, p_now);
    END IF;
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    END IF;
    v_detail := redemption.ended_detail(v_voucher, v_state, CASE v_state WHEN 'CANCEL_PENDING' THEN 0 ELSE p_quantity END);
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
    IF v_use.state <> 'SETTLED' OR v_use.bearer IS NOT NULL THEN
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
         WHERE u.community_id = p_settlement.community_id AND u.merchant_id = p_settlement.merchant_id
           AND (u.state = 'ACCEPTED' OR u.state = 'CONFLICT')
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
    v.offline_class := redemption.class_for(p_offer.community_id, p_member, p_offer.offline_class);
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

REVOKE ALL ON FUNCTION
    redemption.take_use, redemption.value_fen, redemption.concluded, redemption.is_stale, redemption.is_inside_floor,
    redemption.record_fault, redemption.used_before, redemption.judge_record, redemption.conflict_steps,
    redemption.pay_conflict, redemption.take_loss, redemption.apply_record, redemption.merge_record, redemption.add_strike,
    redemption.class_for, redemption.freeze_lease, redemption.sync_records, redemption.make_ticket, redemption.enrol_device,
    redemption.lease_on, redemption.lease_detail, redemption.take_lease, redemption.leased_vouchers,
    redemption.return_lease, redemption.break_lease, redemption.end_cancelling, redemption.propose_review,
    redemption.decide_review, redemption.redeem_refusal
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    redemption.make_ticket, redemption.enrol_device, redemption.take_lease, redemption.leased_vouchers,
    redemption.return_lease, redemption.break_lease, redemption.end_cancelling, redemption.sync_records,
    redemption.propose_review, redemption.decide_review
    TO linli_app;
GRANT SELECT ON redemption.device_ticket, redemption.lease, redemption.lease_offer, redemption.offline_record, redemption.offline_review, redemption.strike, redemption.loss_month TO linli_app, linli_audit;
