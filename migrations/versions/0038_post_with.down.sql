DROP FUNCTION ledger.post_with;
