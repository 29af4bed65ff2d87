-- Without it: everybody's PIN is enough again. A setting's history stays: nothing reads it.
ALTER TABLE session DROP COLUMN network_index;
DROP TABLE factor_removal, session_proof, recovery_code, second_factor;
