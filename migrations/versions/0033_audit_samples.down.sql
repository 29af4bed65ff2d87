DROP TABLE audit_finding;
DROP TABLE audit_sample_item;
DROP TABLE audit_sample;
