CREATE TABLE message (
    community_id BIGINT NOT NULL, 
    message_id UUID NOT NULL, 
    member_id UUID NOT NULL, 
    fact TEXT NOT NULL, 
    fact_key BYTEA NOT NULL, 
    numbers JSONB NOT NULL, 
    url TEXT NOT NULL, 
    sent_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    read_at TIMESTAMP WITH TIME ZONE, 
    CONSTRAINT pk_message PRIMARY KEY (community_id, message_id), 
    CONSTRAINT uq_message_fact UNIQUE (community_id, member_id, fact_key), 
    CONSTRAINT fk_message_member FOREIGN KEY(community_id, member_id) REFERENCES member (community_id, member_id)
);
CREATE INDEX ix_message_member ON message (community_id, member_id, message_id);

GRANT SELECT, INSERT, UPDATE (read_at) ON message TO linli_app;
