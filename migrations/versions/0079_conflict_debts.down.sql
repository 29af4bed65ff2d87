-- What was decided stays in the ledger and in the audit; the release before does not know the words.
DELETE FROM debt_request WHERE step IN ('collect', 'forgive');
ALTER TABLE debt_request DROP CONSTRAINT ck_debt_request_step;
ALTER TABLE debt_request ADD CONSTRAINT ck_debt_request_step CHECK (step IN ('allow', 'write_off')) NOT VALID;
ALTER TABLE debt_request VALIDATE CONSTRAINT ck_debt_request_step;
