CREATE TABLE service_record (
    community_id BIGINT NOT NULL, 
    record_id UUID NOT NULL, 
    member_id UUID NOT NULL, 
    kind TEXT NOT NULL, 
    service_class TEXT NOT NULL, 
    minutes INTEGER NOT NULL, 
    points_hundredths BIGINT NOT NULL, 
    coins INTEGER NOT NULL, 
    title TEXT NOT NULL, 
    source TEXT NOT NULL, 
    reference TEXT NOT NULL, 
    served_on DATE NOT NULL, 
    confirmed_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    confirmed_by UUID, 
    corrects UUID, 
    CONSTRAINT pk_service_record PRIMARY KEY (community_id, record_id), 
    CONSTRAINT uq_service_record_reference UNIQUE (community_id, reference), 
    CONSTRAINT uq_service_record_corrects UNIQUE (community_id, corrects), 
    CONSTRAINT ck_service_record_kind CHECK (kind = ANY (ARRAY['credited'::text, 'honorary'::text, 'training'::text])), 
    CONSTRAINT ck_service_record_class CHECK (service_class = ANY (ARRAY['general'::text, 'company'::text, 'care'::text, 'skilled'::text, 'patrol'::text, 'training'::text])), 
    CONSTRAINT ck_service_record_minutes CHECK ((corrects IS NULL AND minutes > 0) OR (corrects IS NOT NULL AND minutes < 0)), 
    CONSTRAINT fk_service_record_member FOREIGN KEY(community_id, member_id) REFERENCES member (community_id, member_id), 
    CONSTRAINT fk_service_record_corrects FOREIGN KEY(community_id, corrects) REFERENCES service_record (community_id, record_id)
);
CREATE INDEX ix_service_record_day ON service_record (community_id, member_id, served_on);
CREATE INDEX ix_service_record_member ON service_record (community_id, member_id, record_id);

GRANT SELECT, INSERT ON service_record TO linli_app;
GRANT SELECT ON service_record TO linli_audit;
