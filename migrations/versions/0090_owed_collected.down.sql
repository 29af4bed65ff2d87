-- Nothing is collected by itself any more. A setting's history stays: nothing reads it. What was collected stands in the ledger.
DROP FUNCTION debt_collect(bigint, uuid, uuid, bigint, uuid, text, timestamptz);
DROP FUNCTION debt_standing(bigint, text, timestamptz);
DROP TABLE debt_collection;
DROP TABLE debt_notice;
