DROP FUNCTION ledger.balances_at;
