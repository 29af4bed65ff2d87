-- Clearing between communities: agreements, transfers, nettings; an account can be given other bounds.

CREATE TABLE clearing_agreement (
    community_id BIGINT NOT NULL,
    partner_id BIGINT NOT NULL,
    agreement_id UUID NOT NULL,
    round BIGINT NOT NULL,
    state TEXT NOT NULL,
    minutes_max BIGINT NOT NULL,
    points_hundredths_max BIGINT NOT NULL,
    proposed_by UUID,
    proposed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    accepted_by UUID,
    accepted_at TIMESTAMP WITH TIME ZONE,
    ended_by UUID,
    ended_at TIMESTAMP WITH TIME ZONE,
    due_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_clearing_agreement PRIMARY KEY (community_id, partner_id),
    CONSTRAINT ck_clearing_agreement_state CHECK (state = ANY (ARRAY['proposed'::text, 'offered'::text, 'accepted'::text, 'ended'::text])),
    CONSTRAINT ck_clearing_agreement_partner CHECK (partner_id <> community_id),
    CONSTRAINT ck_clearing_agreement_round CHECK (round >= 1),
    CONSTRAINT ck_clearing_agreement_max CHECK (minutes_max BETWEEN 0 AND 1000000000000 AND points_hundredths_max BETWEEN 0 AND 1000000000000),
    CONSTRAINT ck_clearing_agreement_accepted CHECK (state <> 'accepted' OR accepted_at IS NOT NULL),
    CONSTRAINT ck_clearing_agreement_ended CHECK ((state = 'ended') = (ended_at IS NOT NULL)),
    CONSTRAINT fk_clearing_agreement_community FOREIGN KEY(community_id) REFERENCES community (community_id),
    CONSTRAINT fk_clearing_agreement_proposed_by FOREIGN KEY(community_id, proposed_by) REFERENCES member (community_id, member_id),
    CONSTRAINT fk_clearing_agreement_accepted_by FOREIGN KEY(community_id, accepted_by) REFERENCES member (community_id, member_id),
    CONSTRAINT fk_clearing_agreement_ended_by FOREIGN KEY(community_id, ended_by) REFERENCES member (community_id, member_id)
);
CREATE INDEX ix_clearing_agreement_due ON clearing_agreement (due_at) WHERE due_at IS NOT NULL;
CREATE TABLE clearing_netting (
    community_id BIGINT NOT NULL,
    netting_id UUID NOT NULL,
    partner_id BIGINT NOT NULL,
    round BIGINT NOT NULL,
    is_ours BOOLEAN NOT NULL,
    state TEXT NOT NULL,
    until TIMESTAMP WITH TIME ZONE NOT NULL,
    transfers BIGINT NOT NULL,
    minutes BIGINT NOT NULL,
    points_hundredths BIGINT NOT NULL,
    proposed_by UUID,
    proposed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    decided_by UUID,
    settled_at TIMESTAMP WITH TIME ZONE,
    due_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_clearing_netting PRIMARY KEY (community_id, netting_id),
    CONSTRAINT ck_clearing_netting_state CHECK (state = ANY (ARRAY['proposed'::text, 'done'::text, 'refused'::text])),
    CONSTRAINT ck_clearing_netting_transfers CHECK (transfers >= 1 AND round >= 1),
    CONSTRAINT ck_clearing_netting_settled CHECK ((state = 'proposed') = (settled_at IS NULL)),
    CONSTRAINT ck_clearing_netting_due CHECK ((is_ours AND state = 'proposed') = (due_at IS NOT NULL)),
    CONSTRAINT fk_clearing_netting_agreement FOREIGN KEY(community_id, partner_id) REFERENCES clearing_agreement (community_id, partner_id),
    CONSTRAINT fk_clearing_netting_proposed_by FOREIGN KEY(community_id, proposed_by) REFERENCES member (community_id, member_id),
    CONSTRAINT fk_clearing_netting_decided_by FOREIGN KEY(community_id, decided_by) REFERENCES member (community_id, member_id)
);
CREATE INDEX ix_clearing_netting_due ON clearing_netting (due_at) WHERE due_at IS NOT NULL;
CREATE UNIQUE INDEX uq_clearing_netting_open ON clearing_netting (community_id, partner_id) WHERE state = 'proposed';
CREATE TABLE clearing_transfer (
    community_id BIGINT NOT NULL,
    transfer_id UUID NOT NULL,
    partner_id BIGINT NOT NULL,
    agreement_id UUID NOT NULL,
    direction TEXT NOT NULL,
    unit TEXT NOT NULL,
    amount BIGINT NOT NULL,
    member_id UUID,
    actor_id UUID,
    their_card TEXT NOT NULL,
    their_member_id UUID,
    code TEXT NOT NULL,
    state TEXT NOT NULL,
    refused TEXT,
    sent_at TIMESTAMP WITH TIME ZONE NOT NULL,
    settled_at TIMESTAMP WITH TIME ZONE,
    due_at TIMESTAMP WITH TIME ZONE,
    netting_id UUID,
    CONSTRAINT pk_clearing_transfer PRIMARY KEY (community_id, transfer_id),
    CONSTRAINT ck_clearing_transfer_direction CHECK (direction = ANY (ARRAY['out'::text, 'in'::text])),
    CONSTRAINT ck_clearing_transfer_unit CHECK (unit = ANY (ARRAY['minute'::text, 'point'::text])),
    CONSTRAINT ck_clearing_transfer_state CHECK (state = ANY (ARRAY['sent'::text, 'recalled'::text, 'arrived'::text, 'returned'::text, 'refused'::text])),
    CONSTRAINT ck_clearing_transfer_refused CHECK (refused = ANY (ARRAY['unknown'::text, 'left'::text, 'account_closed'::text, 'over_ceiling'::text, 'no_agreement'::text, 'recalled'::text])),
    CONSTRAINT ck_clearing_transfer_amount CHECK (amount BETWEEN 1 AND 1000000000000),
    CONSTRAINT ck_clearing_transfer_side CHECK (CASE direction WHEN 'out' THEN state <> 'refused' AND member_id IS NOT NULL AND their_member_id IS NOT NULL AND actor_id IS NOT NULL ELSE state IN ('arrived', 'refused') AND their_member_id IS NULL AND actor_id IS NULL AND (member_id IS NOT NULL OR state = 'refused') END),
    CONSTRAINT ck_clearing_transfer_reason CHECK ((state IN ('returned', 'refused')) = (refused IS NOT NULL)),
    CONSTRAINT ck_clearing_transfer_due CHECK ((state IN ('sent', 'recalled')) = (due_at IS NOT NULL) AND (due_at IS NULL) = (settled_at IS NOT NULL)),
    CONSTRAINT ck_clearing_transfer_netting CHECK (netting_id IS NULL OR state = 'arrived'),
    CONSTRAINT fk_clearing_transfer_netting FOREIGN KEY(community_id, netting_id) REFERENCES clearing_netting (community_id, netting_id),
    CONSTRAINT fk_clearing_transfer_community FOREIGN KEY(community_id) REFERENCES community (community_id),
    CONSTRAINT fk_clearing_transfer_member FOREIGN KEY(community_id, member_id) REFERENCES member (community_id, member_id),
    CONSTRAINT fk_clearing_transfer_actor FOREIGN KEY(community_id, actor_id) REFERENCES member (community_id, member_id)
);
CREATE INDEX ix_clearing_transfer_code ON clearing_transfer (community_id, code);
CREATE INDEX ix_clearing_transfer_due ON clearing_transfer (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX ix_clearing_transfer_member ON clearing_transfer (community_id, member_id, sent_at, transfer_id);
CREATE INDEX ix_clearing_transfer_partner ON clearing_transfer (community_id, partner_id, sent_at, transfer_id);

-- What stands in a row of value never changes; how far it has come does.
GRANT SELECT, INSERT, UPDATE ON clearing_agreement TO linli_app;
GRANT SELECT, INSERT, UPDATE (state, decided_by, settled_at, due_at) ON clearing_netting TO linli_app;
GRANT SELECT, INSERT, UPDATE (state, refused, settled_at, due_at, netting_id) ON clearing_transfer TO linli_app;
GRANT SELECT ON clearing_agreement, clearing_netting, clearing_transfer TO linli_audit;

-- Communities that were founded before get the values that a new one starts with.
INSERT INTO setting (community_id, name, effective_from, revision, value, set_at)
SELECT c.community_id, s.name, DATE '2000-01-01', 1, s.value, c.founded_at
  FROM community c
 CROSS JOIN (VALUES ('clearing_open_minutes_max', 60000), ('clearing_open_points_max', 1000),
                    ('clearing_member_minutes_per_month_max', 1200), ('clearing_member_points_per_month_max', 100))
       AS s (name, value)
    ON CONFLICT ON CONSTRAINT pk_setting DO NOTHING;

-- ledger/sql/bounds.sql
-- Gives an account another floor and ceiling; what it holds must lie between them. 'bounded', 'exists', or a refusal.
-- Takes the head, as everything does that posting reads.
CREATE FUNCTION ledger.bound_account(
    p_book bigint, p_code text, p_unit text, p_floor bigint, p_ceiling bigint, p_now timestamptz
) RETURNS text
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = ledger, pg_temp
AS $$
DECLARE
    v_at timestamptz;
    a account;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'the ledger needs READ COMMITTED' USING ERRCODE = 'LB003';
    END IF;
    SELECT greatest(b.at, p_now) INTO v_at FROM book b WHERE b.community_id = p_book FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN 'ledger.book_not_found';
    END IF;
    SELECT x.* INTO a FROM account x WHERE x.community_id = p_book AND x.code = p_code AND x.unit = p_unit;
    IF NOT FOUND THEN
        RETURN 'ledger.account_not_found';
    ELSIF a.closed_at IS NOT NULL THEN
        RETURN 'ledger.account_closed';
    ELSIF p_code = 'escrow' OR p_floor > 0 OR p_ceiling < 0
          OR p_floor < -9000000000000000000 OR p_ceiling > 9000000000000000000 THEN
        RETURN 'ledger.account_malformed';
    ELSIF a.balance < p_floor OR a.balance > p_ceiling THEN
        RETURN 'ledger.bounds_passed';
    ELSIF a.floor IS NOT DISTINCT FROM p_floor AND a.ceiling IS NOT DISTINCT FROM p_ceiling THEN
        RETURN 'exists';
    END IF;
    UPDATE account x SET floor = p_floor, ceiling = p_ceiling
     WHERE x.community_id = p_book AND x.account_id = a.account_id;
    UPDATE book b SET at = v_at WHERE b.community_id = p_book;
    RETURN 'bounded';
END
$$;

REVOKE ALL ON FUNCTION ledger.bound_account FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.bound_account TO linli_app;
