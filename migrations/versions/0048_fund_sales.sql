-- Caring merchants: their rates, their sales, and the functions that write a sale in the statement that posts it.

CREATE TABLE fund_rate (
    community_id BIGINT NOT NULL,
    organisation_id UUID NOT NULL,
    rate_id UUID NOT NULL,
    effective_from DATE NOT NULL,
    basis TEXT NOT NULL,
    value INTEGER NOT NULL,
    state TEXT NOT NULL,
    proposed_by UUID NOT NULL,
    proposed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    decided_by UUID,
    decided_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_fund_rate PRIMARY KEY (community_id, organisation_id, rate_id),
    CONSTRAINT ck_fund_rate_basis CHECK (basis = ANY (ARRAY['per_sale'::text, 'per_mille'::text])),
    CONSTRAINT ck_fund_rate_state CHECK (state = ANY (ARRAY['proposed'::text, 'agreed'::text, 'refused'::text, 'withdrawn'::text])),
    CONSTRAINT ck_fund_rate_value CHECK (value >= 0 AND value <= 1000),
    CONSTRAINT ck_fund_rate_decided CHECK ((state = 'proposed'::text) = (decided_by IS NULL)),
    CONSTRAINT ck_fund_rate_two CHECK (state <> 'agreed'::text OR decided_by <> proposed_by),
    CONSTRAINT fk_fund_rate_organisation FOREIGN KEY(community_id, organisation_id) REFERENCES organisation (community_id, organisation_id),
    CONSTRAINT fk_fund_rate_proposed_by FOREIGN KEY(community_id, proposed_by) REFERENCES member (community_id, member_id),
    CONSTRAINT fk_fund_rate_decided_by FOREIGN KEY(community_id, decided_by) REFERENCES member (community_id, member_id)
);
CREATE UNIQUE INDEX uq_fund_rate_agreed ON fund_rate (community_id, organisation_id, effective_from) WHERE state = 'agreed'::text;
CREATE UNIQUE INDEX uq_fund_rate_waiting ON fund_rate (community_id, organisation_id) WHERE state = 'proposed'::text;

CREATE TABLE fund_delivery (
    community_id BIGINT NOT NULL,
    organisation_id UUID NOT NULL,
    delivery_id UUID NOT NULL,
    way TEXT NOT NULL,
    lines INTEGER NOT NULL,
    file_name TEXT NOT NULL,
    entered_by UUID NOT NULL,
    entered_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_fund_delivery PRIMARY KEY (community_id, organisation_id, delivery_id),
    CONSTRAINT ck_fund_delivery_way CHECK (way = ANY (ARRAY['page'::text, 'till'::text, 'file'::text, 'desk'::text])),
    CONSTRAINT ck_fund_delivery_lines CHECK (lines >= 1),
    CONSTRAINT fk_fund_delivery_organisation FOREIGN KEY(community_id, organisation_id) REFERENCES organisation (community_id, organisation_id),
    CONSTRAINT fk_fund_delivery_entered_by FOREIGN KEY(community_id, entered_by) REFERENCES member (community_id, member_id)
);

CREATE TABLE fund_sale (
    community_id BIGINT NOT NULL,
    organisation_id UUID NOT NULL,
    number TEXT NOT NULL,
    sold_on DATE NOT NULL,
    sales INTEGER NOT NULL,
    amount_fen BIGINT NOT NULL,
    gift_fen BIGINT NOT NULL,
    rate_id UUID NOT NULL,
    delivery_id UUID NOT NULL,
    journal_id BIGINT NOT NULL,
    received_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_fund_sale PRIMARY KEY (community_id, organisation_id, number),
    CONSTRAINT ck_fund_sale_number CHECK (number <> ''::text AND char_length(number) <= 60),
    CONSTRAINT ck_fund_sale_sizes CHECK (sales >= 1 AND amount_fen >= 1 AND gift_fen >= 1),
    CONSTRAINT fk_fund_sale_rate FOREIGN KEY(community_id, organisation_id, rate_id) REFERENCES fund_rate (community_id, organisation_id, rate_id),
    CONSTRAINT fk_fund_sale_delivery FOREIGN KEY(community_id, organisation_id, delivery_id) REFERENCES fund_delivery (community_id, organisation_id, delivery_id)
);
CREATE INDEX ix_fund_sale_day ON fund_sale (community_id, organisation_id, sold_on, number);

CREATE TABLE fund_correction (
    community_id BIGINT NOT NULL,
    organisation_id UUID NOT NULL,
    number TEXT NOT NULL,
    reason TEXT NOT NULL,
    corrected_by UUID NOT NULL,
    corrected_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_fund_correction PRIMARY KEY (community_id, organisation_id, number),
    CONSTRAINT ck_fund_correction_reason CHECK (reason <> ''::text),
    CONSTRAINT fk_fund_correction_sale FOREIGN KEY(community_id, organisation_id, number) REFERENCES fund_sale (community_id, organisation_id, number),
    CONSTRAINT fk_fund_correction_corrected_by FOREIGN KEY(community_id, corrected_by) REFERENCES member (community_id, member_id)
);

GRANT SELECT, INSERT, UPDATE (state, decided_by, decided_at) ON fund_rate TO linli_app;
-- UPDATE of nothing that matters: what a statement locks, it must be allowed to change somewhere.
GRANT SELECT, INSERT, UPDATE (file_name) ON fund_delivery TO linli_app;
GRANT SELECT, INSERT ON fund_sale, fund_correction TO linli_app;
GRANT SELECT ON fund_rate, fund_delivery, fund_sale, fund_correction TO linli_audit;

-- Communities that were founded before get the values that a new one starts with.
INSERT INTO setting (community_id, name, effective_from, revision, value, set_at)
SELECT c.community_id, s.name, DATE '2000-01-01', 1, s.value, c.founded_at
  FROM community c
 CROSS JOIN (VALUES ('fund_sale_days_back_max', 31), ('fund_correction_days_max', 7)) AS s (name, value)
    ON CONFLICT ON CONSTRAINT pk_setting DO NOTHING;

-- Before the head (ledger.post_with): locks the deliveries and rates that the sales will refer to, in sorted order, and refuses
-- a line whose rate does not hold on its day. What is read here nobody changes: a rate is agreed before its first day.
CREATE FUNCTION fund_sale_lock(p_book bigint, p_now timestamptz, p_reference text[], p_effects jsonb) RETURNS text[]
    LANGUAGE plpgsql VOLATILE
    SET search_path = public, pg_temp
AS $$
BEGIN
    PERFORM FROM fund_delivery d
      WHERE d.community_id = p_book
        AND (d.organisation_id, d.delivery_id) IN (
            SELECT (e ->> 'shop')::uuid, (e ->> 'delivery')::uuid FROM jsonb_array_elements(p_effects) e)
      ORDER BY d.organisation_id, d.delivery_id FOR KEY SHARE;
    PERFORM FROM fund_rate r
      WHERE r.community_id = p_book
        AND (r.organisation_id, r.rate_id) IN (
            SELECT (e ->> 'shop')::uuid, (e ->> 'rate')::uuid FROM jsonb_array_elements(p_effects) e)
      ORDER BY r.organisation_id, r.rate_id FOR KEY SHARE;
    RETURN (
        SELECT array_agg(CASE WHEN r.rate_id IS NULL THEN 'fund.no_rate' END ORDER BY u.j)
          FROM jsonb_array_elements(p_effects) WITH ORDINALITY u(e, j)
          LEFT JOIN fund_rate r ON r.community_id = p_book AND r.organisation_id = (u.e ->> 'shop')::uuid
               AND r.rate_id = (u.e ->> 'rate')::uuid AND r.state = 'agreed' AND r.effective_from <= (u.e ->> 'day')::date);
END
$$;

-- Under the head: the lines. Nobody else writes them, and what they refer to is locked already.
CREATE FUNCTION fund_sale_write(
    p_book bigint, p_now timestamptz, p_reference text[], p_journal bigint[], p_effects jsonb
) RETURNS void
    LANGUAGE sql VOLATILE
    SET search_path = public, pg_temp
AS $$
    INSERT INTO fund_sale (community_id, organisation_id, number, sold_on, sales, amount_fen, gift_fen, rate_id, delivery_id,
                           journal_id, received_at)
    SELECT p_book, (u.e ->> 'shop')::uuid, u.e ->> 'number', (u.e ->> 'day')::date, (u.e ->> 'sales')::integer,
           (u.e ->> 'amount')::bigint, (u.e ->> 'gift')::bigint, (u.e ->> 'rate')::uuid, (u.e ->> 'delivery')::uuid,
           p_journal[u.j], p_now
      FROM jsonb_array_elements(p_effects) WITH ORDINALITY u(e, j)
$$;
REVOKE ALL ON FUNCTION fund_sale_lock, fund_sale_write FROM PUBLIC;
GRANT EXECUTE ON FUNCTION fund_sale_lock, fund_sale_write TO linli_app;
