DROP INDEX ix_import_row_member;
ALTER TABLE member DROP CONSTRAINT uq_member_login;
