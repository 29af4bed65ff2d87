CREATE TABLE opening_batch (
    community_id BIGINT NOT NULL,
    opening_id UUID NOT NULL,
    state TEXT NOT NULL,
    file_name TEXT NOT NULL,
    unused TEXT[] NOT NULL,
    effective_on DATE NOT NULL,
    new_rows INTEGER NOT NULL,
    brought_rows INTEGER NOT NULL,
    conflict_rows INTEGER NOT NULL,
    error_rows INTEGER NOT NULL,
    minutes BIGINT NOT NULL,
    points BIGINT NOT NULL,
    record_minutes BIGINT NOT NULL,
    posted_rows INTEGER NOT NULL,
    refused_rows INTEGER NOT NULL,
    returned_rows INTEGER NOT NULL,
    kept_rows INTEGER NOT NULL,
    uploaded_by UUID NOT NULL,
    uploaded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    proposed_by UUID,
    proposed_at TIMESTAMP WITH TIME ZONE,
    approved_by UUID,
    approved_at TIMESTAMP WITH TIME ZONE,
    finished_at TIMESTAMP WITH TIME ZONE,
    ended_by UUID,
    ended_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_opening_batch PRIMARY KEY (community_id, opening_id),
    CONSTRAINT ck_opening_batch_state CHECK (state = ANY (ARRAY['checked'::text, 'proposed'::text, 'posting'::text,
        'posted'::text, 'returning'::text, 'returned'::text, 'withdrawn'::text])),
    CONSTRAINT ck_opening_batch_proposed
        CHECK (state = ANY (ARRAY['checked'::text, 'withdrawn'::text]) OR proposed_by IS NOT NULL),
    CONSTRAINT ck_opening_batch_approved
        CHECK ((state = ANY (ARRAY['checked'::text, 'proposed'::text, 'withdrawn'::text])) = (approved_by IS NULL)),
    CONSTRAINT ck_opening_batch_two CHECK (approved_by <> uploaded_by AND approved_by <> proposed_by),
    CONSTRAINT ck_opening_batch_counts
        CHECK (posted_rows >= 0 AND refused_rows >= 0 AND posted_rows + refused_rows <= new_rows
               AND returned_rows >= 0 AND kept_rows >= 0 AND returned_rows + kept_rows <= posted_rows),
    CONSTRAINT fk_opening_batch_uploaded_by FOREIGN KEY (community_id, uploaded_by) REFERENCES member (community_id, member_id),
    CONSTRAINT fk_opening_batch_proposed_by FOREIGN KEY (community_id, proposed_by) REFERENCES member (community_id, member_id),
    CONSTRAINT fk_opening_batch_approved_by FOREIGN KEY (community_id, approved_by) REFERENCES member (community_id, member_id),
    CONSTRAINT fk_opening_batch_ended_by FOREIGN KEY (community_id, ended_by) REFERENCES member (community_id, member_id)
);
CREATE INDEX ix_opening_batch_work ON opening_batch (approved_at)
    WHERE state = ANY (ARRAY['posting'::text, 'returning'::text]);

CREATE TABLE opening_row (
    community_id BIGINT NOT NULL,
    opening_id UUID NOT NULL,
    row_no INTEGER NOT NULL,
    verdict TEXT NOT NULL,
    member_id UUID,
    minutes BIGINT NOT NULL,
    points BIGINT NOT NULL,
    record_minutes BIGINT NOT NULL,
    source TEXT NOT NULL,
    is_live BOOLEAN NOT NULL,
    outcome TEXT,
    refused_code TEXT,
    row_sealed BYTEA,
    CONSTRAINT pk_opening_row PRIMARY KEY (community_id, opening_id, row_no),
    CONSTRAINT ck_opening_row_verdict
        CHECK (verdict = ANY (ARRAY['new'::text, 'brought'::text, 'conflict'::text, 'error'::text])),
    CONSTRAINT ck_opening_row_outcome
        CHECK (outcome = ANY (ARRAY['posted'::text, 'refused'::text, 'returned'::text, 'kept'::text])),
    CONSTRAINT ck_opening_row_sizes CHECK (row_no >= 1 AND minutes >= 0 AND points >= 0 AND record_minutes >= 0),
    CONSTRAINT ck_opening_row_member CHECK (verdict = 'error'::text OR member_id IS NOT NULL),
    CONSTRAINT ck_opening_row_refused CHECK ((outcome IS NOT DISTINCT FROM 'refused'::text) = (refused_code IS NOT NULL)),
    CONSTRAINT ck_opening_row_live CHECK (NOT is_live OR verdict = 'new'::text),
    CONSTRAINT fk_opening_row_batch FOREIGN KEY (community_id, opening_id)
        REFERENCES opening_batch (community_id, opening_id),
    CONSTRAINT fk_opening_row_member FOREIGN KEY (community_id, member_id) REFERENCES member (community_id, member_id)
);
CREATE UNIQUE INDEX uq_opening_row_live ON opening_row (community_id, member_id) WHERE is_live;
CREATE INDEX ix_opening_row_verdict ON opening_row (community_id, opening_id, verdict, outcome, row_no);

GRANT SELECT, INSERT, UPDATE ON opening_batch TO linli_app;
-- Whose balance it is and how much was said once; what became of it is written beside it, and what was typed is forgotten.
GRANT SELECT, INSERT, UPDATE (is_live, outcome, refused_code, row_sealed) ON opening_row TO linli_app;
GRANT SELECT ON opening_batch TO linli_audit;
GRANT SELECT (community_id, opening_id, row_no, verdict, member_id, minutes, points, record_minutes, source, is_live,
              outcome, refused_code) ON opening_row TO linli_audit;

ALTER TABLE service_record DROP CONSTRAINT ck_service_record_kind;
ALTER TABLE service_record ADD CONSTRAINT ck_service_record_kind
    CHECK (kind = ANY (ARRAY['credited'::text, 'honorary'::text, 'training'::text, 'carried'::text])) NOT VALID;
ALTER TABLE service_record VALIDATE CONSTRAINT ck_service_record_kind;
