DROP FUNCTION ledger.account_before;
DROP FUNCTION ledger.seq_before;
DROP FUNCTION ledger.mark_lines;
DROP TABLE ledger.mark;
DROP TABLE ledger.marked;
