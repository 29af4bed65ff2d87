-- The bank's lists and their lines; booking them. book_bank_lines is frozen from redemption/sql/reconciling.sql.

CREATE TABLE bank_columns (
    community_id bigint NOT NULL,
    headings jsonb NOT NULL,
    revision integer NOT NULL,
    chosen_by uuid NOT NULL,
    chosen_at timestamptz NOT NULL,
    CONSTRAINT pk_bank_columns PRIMARY KEY (community_id),
    CONSTRAINT ck_bank_columns_revision CHECK (revision > 0),
    CONSTRAINT fk_bank_columns_community FOREIGN KEY (community_id) REFERENCES community (community_id),
    CONSTRAINT fk_bank_columns_chosen_by FOREIGN KEY (community_id, chosen_by) REFERENCES member (community_id, member_id)
);

CREATE TABLE bank_list (
    community_id bigint NOT NULL,
    list_id uuid NOT NULL,
    state text NOT NULL,
    file_name text NOT NULL,
    line_count integer NOT NULL,
    uploaded_by uuid NOT NULL,
    uploaded_at timestamptz NOT NULL,
    booked_by uuid,
    booked_at timestamptz,
    CONSTRAINT pk_bank_list PRIMARY KEY (community_id, list_id),
    CONSTRAINT ck_bank_list_state CHECK (state IN ('checked', 'booked')),
    CONSTRAINT ck_bank_list_booked CHECK ((state = 'booked') = (booked_by IS NOT NULL) AND (booked_by IS NULL) = (booked_at IS NULL)),
    CONSTRAINT ck_bank_list_lines CHECK (line_count > 0),
    CONSTRAINT fk_bank_list_uploaded_by FOREIGN KEY (community_id, uploaded_by) REFERENCES member (community_id, member_id),
    CONSTRAINT fk_bank_list_booked_by FOREIGN KEY (community_id, booked_by) REFERENCES member (community_id, member_id)
);

CREATE TABLE bank_line (
    community_id bigint NOT NULL,
    list_id uuid NOT NULL,
    line_no integer NOT NULL,
    fingerprint bytea,
    direction text,
    fen bigint NOT NULL,
    reference text NOT NULL,
    tail text NOT NULL,
    paid_on date,
    verdict text NOT NULL,
    settlement_id uuid,
    payment_number integer,
    outcome text,
    refused_code text,
    reason text NOT NULL,
    decided_by uuid,
    decided_at timestamptz,
    sealed bytea NOT NULL,
    CONSTRAINT pk_bank_line PRIMARY KEY (community_id, list_id, line_no),
    CONSTRAINT ck_bank_line_verdict CHECK (verdict IN (
        'mark', 'account', 'returned', 'noted', 'doubled', 'differs', 'void', 'unclear', 'unknown', 'known', 'error')),
    CONSTRAINT ck_bank_line_outcome CHECK (outcome IN ('booked', 'open', 'aside', 'skipped')),
    CONSTRAINT ck_bank_line_direction CHECK (direction IN ('paid', 'returned')),
    CONSTRAINT ck_bank_line_read CHECK ((verdict = 'error') = (direction IS NULL) AND (verdict = 'error') = (fingerprint IS NULL)
        AND (verdict = 'error' AND fen = 0 OR verdict <> 'error' AND fen > 0)),
    CONSTRAINT ck_bank_line_booked CHECK ((outcome IS NOT DISTINCT FROM 'booked') = (payment_number IS NOT NULL)
        AND (payment_number IS NULL OR settlement_id IS NOT NULL)),
    CONSTRAINT ck_bank_line_decided CHECK ((decided_by IS NULL) = (decided_at IS NULL)
        AND (outcome IS NOT DISTINCT FROM 'aside') = (reason <> '')
        AND (outcome IS DISTINCT FROM 'aside' OR decided_by IS NOT NULL)),
    CONSTRAINT fk_bank_line_list FOREIGN KEY (community_id, list_id) REFERENCES bank_list (community_id, list_id),
    CONSTRAINT fk_bank_line_decided_by FOREIGN KEY (community_id, decided_by) REFERENCES member (community_id, member_id)
);
CREATE UNIQUE INDEX uq_bank_line_counts ON bank_line (community_id, fingerprint) WHERE outcome IN ('booked', 'open', 'aside');
CREATE UNIQUE INDEX uq_bank_line_payment ON bank_line (community_id, settlement_id, payment_number, direction) WHERE outcome = 'booked';
CREATE INDEX ix_bank_line_open ON bank_line (community_id, list_id, line_no) WHERE outcome = 'open';

GRANT SELECT ON bank_columns, bank_list, bank_line TO linli_app, linli_audit;
GRANT INSERT ON bank_columns, bank_list, bank_line TO linli_app;
GRANT UPDATE (headings, revision, chosen_by, chosen_at) ON bank_columns TO linli_app;
GRANT UPDATE (state, booked_by, booked_at) ON bank_list TO linli_app;
GRANT UPDATE (verdict, settlement_id, payment_number, outcome, refused_code, reason, decided_by, decided_at) ON bank_line TO linli_app;

CREATE FUNCTION redemption.book_bank_lines(
    p_community bigint, p_keys uuid[], p_settlements uuid[], p_fen bigint[], p_references text[], p_returns boolean[], p_payments int[],
    p_reasons text[], p_actor uuid, p_now timestamptz
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_lines jsonb := '[]';
    v_done redemption.verdict;
    v_answer jsonb;
    v_number int;
    v_is_sent boolean;
BEGIN
    IF p_actor IS NULL THEN
        RETURN redemption.said('actor_missing');
    END IF;
    PERFORM FROM redemption.merchant m
      WHERE m.community_id = p_community
        AND m.merchant_id IN (SELECT s.merchant_id FROM redemption.settlement s
                               WHERE s.community_id = p_community AND s.settlement_id = ANY (p_settlements))
      ORDER BY m.merchant_id FOR SHARE;
    PERFORM FROM redemption.settlement s
      WHERE s.community_id = p_community AND s.settlement_id = ANY (p_settlements) ORDER BY s.settlement_id FOR NO KEY UPDATE;
    FOR i IN 1 .. cardinality(p_keys) LOOP
        SELECT c.answer INTO v_answer FROM redemption.command c
         WHERE c.community_id = p_community AND c.key = p_keys[i] AND c.verb IN ('pay', 'return') FOR UPDATE;
        IF FOUND THEN
            v_done := redemption.said('replayed', v_answer);
        ELSIF p_returns[i] AND coalesce(p_reasons[i], '') = '' THEN
            v_done := redemption.said('reason_missing');
        ELSIF NOT p_returns[i] THEN
            v_done := redemption.pay_settlement(p_community, p_keys[i], p_settlements[i], p_references[i], p_actor, p_now, p_fen[i]);
        ELSE
            v_done := redemption.said('payment_unknown');
            v_number := p_payments[i];
            v_is_sent := false;
            IF v_number IS NULL AND EXISTS (SELECT FROM redemption.bank_file_line l
                                             WHERE l.community_id = p_community AND l.settlement_id = p_settlements[i] AND l.is_live) THEN
                v_done := redemption.pay_settlement(p_community, md5(p_keys[i]::text || ' sent')::uuid, p_settlements[i], p_references[i],
                                                    p_actor, p_now, p_fen[i]);
                v_is_sent := v_done.code = 'done';
                v_number := CASE WHEN v_is_sent THEN (v_done.detail ->> 'payment')::int END;
            ELSIF v_number IS NULL THEN
                SELECT max(p.number) INTO v_number FROM redemption.payment p
                 WHERE p.community_id = p_community AND p.settlement_id = p_settlements[i] AND p.returned_at IS NULL AND p.fen = p_fen[i];
            ELSIF NOT EXISTS (SELECT FROM redemption.payment p WHERE p.community_id = p_community AND p.settlement_id = p_settlements[i]
                                 AND p.number = v_number AND p.fen = p_fen[i]) THEN
                v_number := NULL;
            END IF;
            IF v_number IS NOT NULL THEN
                v_done := redemption.return_payment(p_community, p_keys[i], p_settlements[i], v_number, p_reasons[i], p_actor, p_now);
                IF v_is_sent AND v_done.code <> 'done' THEN
                    RAISE EXCEPTION 'what was just recorded as sent does not come back: %', v_done.code;
                END IF;
            END IF;
        END IF;
        v_lines := v_lines || jsonb_build_object('code', v_done.code, 'detail', v_done.detail);
    END LOOP;
    RETURN redemption.said('done', jsonb_build_object('lines', v_lines));
END $$;

REVOKE ALL ON FUNCTION redemption.book_bank_lines FROM PUBLIC;
GRANT EXECUTE ON FUNCTION redemption.book_bank_lines TO linli_app;
