-- What somebody owes for vouchers used twice is paid from their points, or forgiven, by two people.

ALTER TABLE debt_request DROP CONSTRAINT ck_debt_request_step;
ALTER TABLE debt_request ADD CONSTRAINT ck_debt_request_step
    CHECK (step IN ('allow', 'write_off', 'collect', 'forgive')) NOT VALID;
ALTER TABLE debt_request VALIDATE CONSTRAINT ck_debt_request_step;
