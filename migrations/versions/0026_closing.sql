CREATE TABLE period_closing (
    community_id BIGINT NOT NULL,
    closing_id UUID NOT NULL,
    last_day DATE NOT NULL,
    year INTEGER,
    state TEXT NOT NULL,
    proposed_by UUID NOT NULL,
    proposed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    decided_by UUID,
    decided_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_period_closing PRIMARY KEY (community_id, closing_id),
    CONSTRAINT ck_period_closing_state CHECK (state = ANY (ARRAY['proposed'::text, 'closed'::text, 'withdrawn'::text])),
    CONSTRAINT ck_period_closing_year CHECK (year IS NULL OR last_day = make_date(year, 12, 31)),
    CONSTRAINT ck_period_closing_decided
        CHECK ((state = 'proposed'::text) = (decided_at IS NULL) AND (decided_at IS NULL) = (decided_by IS NULL)),
    CONSTRAINT ck_period_closing_two CHECK (state <> 'closed'::text OR decided_by <> proposed_by),
    CONSTRAINT fk_period_closing_community FOREIGN KEY (community_id) REFERENCES community (community_id),
    CONSTRAINT fk_period_closing_proposed_by FOREIGN KEY (community_id, proposed_by) REFERENCES member (community_id, member_id),
    CONSTRAINT fk_period_closing_decided_by FOREIGN KEY (community_id, decided_by) REFERENCES member (community_id, member_id)
);
CREATE UNIQUE INDEX uq_period_closing_waiting ON period_closing (community_id) WHERE state = 'proposed'::text;
CREATE UNIQUE INDEX uq_period_closing_year ON period_closing (community_id, year) WHERE state = 'closed'::text AND year IS NOT NULL;

CREATE TABLE year_close (
    community_id BIGINT NOT NULL,
    year INTEGER NOT NULL,
    closing_id UUID NOT NULL,
    proposed_by UUID NOT NULL,
    confirmed_by UUID NOT NULL,
    closed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    drawn_up_at TIMESTAMP WITH TIME ZONE NOT NULL,
    seq BIGINT NOT NULL,
    journals BIGINT NOT NULL,
    CONSTRAINT pk_year_close PRIMARY KEY (community_id, year),
    CONSTRAINT ck_year_close_counts CHECK (seq >= 0 AND journals >= 0),
    CONSTRAINT ck_year_close_two CHECK (confirmed_by <> proposed_by),
    CONSTRAINT fk_year_close_closing FOREIGN KEY (community_id, closing_id) REFERENCES period_closing (community_id, closing_id),
    CONSTRAINT fk_year_close_proposed_by FOREIGN KEY (community_id, proposed_by) REFERENCES member (community_id, member_id),
    CONSTRAINT fk_year_close_confirmed_by FOREIGN KEY (community_id, confirmed_by) REFERENCES member (community_id, member_id)
);

CREATE TABLE year_total (
    community_id BIGINT NOT NULL,
    year INTEGER NOT NULL,
    unit TEXT NOT NULL,
    kind TEXT NOT NULL,
    accounts BIGINT NOT NULL,
    opening BIGINT NOT NULL,
    received BIGINT NOT NULL,
    given BIGINT NOT NULL,
    closing BIGINT NOT NULL,
    CONSTRAINT pk_year_total PRIMARY KEY (community_id, year, unit, kind),
    CONSTRAINT ck_year_total_closing CHECK (closing = opening + received - given),
    CONSTRAINT ck_year_total_sizes CHECK (accounts >= 1 AND received >= 0 AND given >= 0),
    CONSTRAINT fk_year_total_year FOREIGN KEY (community_id, year) REFERENCES year_close (community_id, year)
);

CREATE TABLE year_movement (
    community_id BIGINT NOT NULL,
    year INTEGER NOT NULL,
    unit TEXT NOT NULL,
    kind TEXT NOT NULL,
    reason TEXT NOT NULL,
    journals BIGINT NOT NULL,
    received BIGINT NOT NULL,
    given BIGINT NOT NULL,
    CONSTRAINT pk_year_movement PRIMARY KEY (community_id, year, unit, kind, reason),
    CONSTRAINT ck_year_movement_sizes CHECK (journals >= 1 AND received >= 0 AND given >= 0 AND received + given > 0),
    CONSTRAINT fk_year_movement_year FOREIGN KEY (community_id, year) REFERENCES year_close (community_id, year)
);

CREATE TABLE year_line (
    community_id BIGINT NOT NULL,
    year INTEGER NOT NULL,
    unit TEXT NOT NULL,
    code TEXT NOT NULL,
    card_no TEXT NOT NULL,
    opening BIGINT NOT NULL,
    received BIGINT NOT NULL,
    given BIGINT NOT NULL,
    closing BIGINT NOT NULL,
    CONSTRAINT pk_year_line PRIMARY KEY (community_id, year, unit, code),
    CONSTRAINT ck_year_line_closing CHECK (closing = opening + received - given),
    CONSTRAINT ck_year_line_sizes CHECK (received >= 0 AND given >= 0),
    CONSTRAINT fk_year_line_year FOREIGN KEY (community_id, year) REFERENCES year_close (community_id, year)
);
CREATE INDEX ix_year_line_card ON year_line (community_id, year, unit, card_no COLLATE "C", code);

GRANT SELECT, INSERT, UPDATE (state, decided_by, decided_at) ON period_closing TO linli_app;
-- What a year was is said once.
GRANT SELECT, INSERT ON year_close, year_total, year_movement, year_line TO linli_app;
GRANT SELECT ON period_closing, year_close, year_total, year_movement, year_line TO linli_audit;
