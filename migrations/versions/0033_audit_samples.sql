CREATE TABLE audit_sample (
    community_id BIGINT NOT NULL,
    sample_id UUID NOT NULL,
    seed TEXT NOT NULL,
    since DATE NOT NULL,
    until DATE NOT NULL,
    first_seq BIGINT NOT NULL,
    last_seq BIGINT NOT NULL,
    wanted INTEGER NOT NULL,
    strata TEXT NOT NULL,
    looked_up INTEGER NOT NULL,
    drawn_by UUID NOT NULL,
    drawn_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_audit_sample PRIMARY KEY (community_id, sample_id),
    CONSTRAINT ck_audit_sample_strata CHECK (strata = ANY (ARRAY['none'::text, 'reason'::text, 'amount'::text])),
    CONSTRAINT ck_audit_sample_seed CHECK (seed ~ '^[0-9a-f]{32}$'::text),
    CONSTRAINT ck_audit_sample_bounds
        CHECK (since <= until AND first_seq >= 1 AND first_seq <= last_seq AND wanted >= 1 AND wanted <= 200),
    CONSTRAINT fk_audit_sample_community FOREIGN KEY (community_id) REFERENCES community (community_id),
    CONSTRAINT fk_audit_sample_drawn_by
        FOREIGN KEY (community_id, drawn_by) REFERENCES member (community_id, member_id)
);

CREATE TABLE audit_sample_item (
    community_id BIGINT NOT NULL,
    sample_id UUID NOT NULL,
    place INTEGER NOT NULL,
    journal_id BIGINT NOT NULL,
    stratum TEXT NOT NULL,
    CONSTRAINT pk_audit_sample_item PRIMARY KEY (community_id, sample_id, place),
    CONSTRAINT uq_audit_sample_item_journal UNIQUE (community_id, sample_id, journal_id),
    CONSTRAINT ck_audit_sample_item_place CHECK (place >= 1),
    CONSTRAINT fk_audit_sample_item_sample
        FOREIGN KEY (community_id, sample_id) REFERENCES audit_sample (community_id, sample_id)
);

CREATE TABLE audit_finding (
    community_id BIGINT NOT NULL,
    finding_id UUID NOT NULL,
    sample_id UUID NOT NULL,
    journal_id BIGINT NOT NULL,
    verdict TEXT NOT NULL,
    note TEXT NOT NULL,
    found_by UUID NOT NULL,
    found_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_audit_finding PRIMARY KEY (community_id, finding_id),
    CONSTRAINT ck_audit_finding_verdict CHECK (verdict = ANY (ARRAY['ok'::text, 'question'::text, 'fault'::text])),
    CONSTRAINT ck_audit_finding_note CHECK (char_length(note) <= 1000 AND (verdict = 'ok'::text OR note <> '')),
    CONSTRAINT fk_audit_finding_item FOREIGN KEY (community_id, sample_id, journal_id)
        REFERENCES audit_sample_item (community_id, sample_id, journal_id),
    CONSTRAINT fk_audit_finding_found_by
        FOREIGN KEY (community_id, found_by) REFERENCES member (community_id, member_id)
);
CREATE INDEX ix_audit_finding_item ON audit_finding (community_id, sample_id, journal_id);

-- What was drawn and found is never rewritten and never gone.
GRANT SELECT, INSERT ON audit_sample, audit_sample_item, audit_finding TO linli_app;
GRANT SELECT ON audit_sample, audit_sample_item, audit_finding TO linli_audit;
