CREATE TABLE audit (
    community_id BIGINT NOT NULL, 
    audit_id BIGINT GENERATED ALWAYS AS IDENTITY, 
    at TIMESTAMP WITH TIME ZONE NOT NULL, 
    action TEXT NOT NULL, 
    actor_id UUID, 
    on_behalf_of UUID, 
    object_kind TEXT NOT NULL, 
    object_id TEXT NOT NULL, 
    detail JSONB NOT NULL, 
    request_id TEXT, 
    CONSTRAINT pk_audit PRIMARY KEY (community_id, audit_id)
);
CREATE INDEX ix_audit_object ON audit (community_id, object_kind, object_id);

CREATE TABLE outbox (
    community_id BIGINT NOT NULL, 
    outbox_id BIGINT GENERATED ALWAYS AS IDENTITY, 
    fact TEXT NOT NULL, 
    payload JSONB NOT NULL, 
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    relayed_at TIMESTAMP WITH TIME ZONE, 
    CONSTRAINT pk_outbox PRIMARY KEY (community_id, outbox_id)
);
CREATE INDEX ix_outbox_waiting ON outbox (community_id, outbox_id) WHERE relayed_at IS NULL;

CREATE TABLE answered (
    community_id BIGINT NOT NULL, 
    member_id UUID NOT NULL, 
    key TEXT NOT NULL, 
    fingerprint BYTEA NOT NULL, 
    status SMALLINT, 
    body JSONB, 
    at TIMESTAMP WITH TIME ZONE NOT NULL, 
    CONSTRAINT pk_answered PRIMARY KEY (community_id, member_id, key)
);

GRANT SELECT, INSERT ON audit TO linli_app;
GRANT SELECT, INSERT, UPDATE (relayed_at) ON outbox TO linli_app;
GRANT SELECT, INSERT, UPDATE (status, body) ON answered TO linli_app;
GRANT SELECT ON audit, outbox TO linli_audit;
