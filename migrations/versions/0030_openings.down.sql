ALTER TABLE service_record DROP CONSTRAINT ck_service_record_kind;
ALTER TABLE service_record ADD CONSTRAINT ck_service_record_kind
    CHECK (kind = ANY (ARRAY['credited'::text, 'honorary'::text, 'training'::text]));
DROP TABLE opening_row, opening_batch;
