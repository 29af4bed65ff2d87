CREATE TABLE import_batch (
    community_id BIGINT NOT NULL,
    import_id UUID NOT NULL,
    state TEXT NOT NULL,
    file_name TEXT NOT NULL,
    unused TEXT[] NOT NULL,
    new_places TEXT[] NOT NULL,
    new_rows INTEGER NOT NULL,
    changed_rows INTEGER NOT NULL,
    unchanged_rows INTEGER NOT NULL,
    conflict_rows INTEGER NOT NULL,
    error_rows INTEGER NOT NULL,
    kept_rows INTEGER NOT NULL,
    uploaded_by UUID NOT NULL,
    uploaded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    checked_at TIMESTAMP WITH TIME ZONE NOT NULL,
    applied_by UUID,
    applied_at TIMESTAMP WITH TIME ZONE,
    undone_by UUID,
    undone_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_import_batch PRIMARY KEY (community_id, import_id),
    CONSTRAINT ck_import_batch_state CHECK (state = ANY (ARRAY['checked'::text, 'applied'::text, 'undone'::text])),
    CONSTRAINT ck_import_batch_applied CHECK ((state = 'checked'::text) = (applied_at IS NULL)),
    CONSTRAINT ck_import_batch_undone CHECK ((state = 'undone'::text) = (undone_at IS NOT NULL)),
    CONSTRAINT fk_import_batch_uploaded_by FOREIGN KEY (community_id, uploaded_by) REFERENCES member (community_id, member_id),
    CONSTRAINT fk_import_batch_applied_by FOREIGN KEY (community_id, applied_by) REFERENCES member (community_id, member_id),
    CONSTRAINT fk_import_batch_undone_by FOREIGN KEY (community_id, undone_by) REFERENCES member (community_id, member_id)
);
CREATE INDEX ix_import_batch_old ON import_batch (uploaded_at);

CREATE TABLE import_row (
    community_id BIGINT NOT NULL,
    import_id UUID NOT NULL,
    row_no INTEGER NOT NULL,
    verdict TEXT NOT NULL,
    member_id UUID,
    seen_revision INTEGER,
    row_sealed BYTEA NOT NULL,
    before_sealed BYTEA,
    granted TEXT[] NOT NULL,
    kept TEXT,
    CONSTRAINT pk_import_row PRIMARY KEY (community_id, import_id, row_no),
    CONSTRAINT ck_import_row_verdict CHECK (verdict = ANY (ARRAY['new'::text, 'changed'::text, 'unchanged'::text, 'conflict'::text, 'error'::text])),
    CONSTRAINT ck_import_row_row_no CHECK (row_no >= 1),
    CONSTRAINT ck_import_row_kept CHECK (kept = ANY (ARRAY['active'::text, 'changed'::text])),
    CONSTRAINT fk_import_row_batch FOREIGN KEY (community_id, import_id) REFERENCES import_batch (community_id, import_id)
);
CREATE INDEX ix_import_row_verdict ON import_row (community_id, import_id, verdict, row_no);

GRANT SELECT, INSERT, UPDATE ON import_batch, import_row TO linli_app;
-- What a sheet said of people is forgotten after thirty days, and replaced when it is checked again.
GRANT DELETE ON import_row TO linli_app;
GRANT SELECT ON import_batch TO linli_audit;
