DROP TABLE service_record;
