ALTER TABLE service_record
    DROP CONSTRAINT ck_service_record_minutes,
    ADD CONSTRAINT ck_service_record_minutes CHECK (
        (corrects IS NULL AND minutes > 0) OR (corrects IS NOT NULL AND minutes < 0));
DROP TABLE service_time;
