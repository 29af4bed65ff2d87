-- What comes into the fund: merchants' payments and donations.

CREATE TABLE fund_income (
    community_id BIGINT NOT NULL,
    income_id UUID NOT NULL,
    kind TEXT NOT NULL,
    organisation_id UUID,
    donor_sealed BYTEA,
    is_named BOOLEAN NOT NULL,
    amount_fen BIGINT NOT NULL,
    document TEXT NOT NULL,
    received_on DATE NOT NULL,
    needs_second BOOLEAN NOT NULL,
    state TEXT NOT NULL,
    recorded_by UUID NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    decided_by UUID,
    decided_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_fund_income PRIMARY KEY (community_id, income_id),
    CONSTRAINT ck_fund_income_kind CHECK (kind = ANY (ARRAY['shop'::text, 'donation'::text])),
    CONSTRAINT ck_fund_income_state CHECK (state = ANY (ARRAY['proposed'::text, 'posted'::text, 'refused'::text])),
    CONSTRAINT ck_fund_income_source CHECK ((kind = 'shop'::text) = (organisation_id IS NOT NULL)),
    CONSTRAINT ck_fund_income_named CHECK (NOT is_named OR donor_sealed IS NOT NULL),
    CONSTRAINT ck_fund_income_amount CHECK (amount_fen >= 1),
    CONSTRAINT ck_fund_income_document CHECK (document <> ''::text),
    CONSTRAINT ck_fund_income_decided CHECK ((state = 'proposed'::text) = (decided_by IS NULL)),
    CONSTRAINT ck_fund_income_two CHECK (state <> 'posted'::text OR NOT needs_second OR decided_by <> recorded_by),
    CONSTRAINT ck_fund_income_shop CHECK (kind <> 'shop'::text OR needs_second),
    CONSTRAINT fk_fund_income_community FOREIGN KEY(community_id) REFERENCES community (community_id),
    CONSTRAINT fk_fund_income_organisation FOREIGN KEY(community_id, organisation_id) REFERENCES organisation (community_id, organisation_id),
    CONSTRAINT fk_fund_income_recorded_by FOREIGN KEY(community_id, recorded_by) REFERENCES member (community_id, member_id),
    CONSTRAINT fk_fund_income_decided_by FOREIGN KEY(community_id, decided_by) REFERENCES member (community_id, member_id)
);
CREATE UNIQUE INDEX uq_fund_income_document ON fund_income (community_id, kind, document) WHERE state <> 'refused'::text;
CREATE INDEX ix_fund_income_posted ON fund_income (community_id, decided_at) WHERE state = 'posted'::text;
CREATE INDEX ix_fund_income_day ON fund_income (community_id, received_on, income_id);

GRANT SELECT, INSERT, UPDATE (state, decided_by, decided_at) ON fund_income TO linli_app;
GRANT SELECT ON fund_income TO linli_audit;

-- Communities that were founded before get the value that a new one starts with.
INSERT INTO setting (community_id, name, effective_from, revision, value, set_at)
SELECT c.community_id, 'fund_donation_one_person_fen_max', DATE '2000-01-01', 1, 100000, c.founded_at
  FROM community c
    ON CONFLICT ON CONSTRAINT pk_setting DO NOTHING;

-- As they were; from here on they stand with their slice.

-- service/fund/sql/sale.sql
-- Before the head (ledger.post_with): locks the deliveries and rates that the sales will refer to, in sorted order, and refuses
-- a line whose rate does not hold on its day. What is read here nobody changes: a rate is agreed before its first day.
CREATE OR REPLACE FUNCTION fund_sale_lock(p_book bigint, p_now timestamptz, p_reference text[], p_effects jsonb) RETURNS text[]
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
CREATE OR REPLACE FUNCTION fund_sale_write(
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
