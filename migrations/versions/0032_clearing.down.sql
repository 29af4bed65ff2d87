DROP TABLE clearing_transfer;
DROP TABLE clearing_netting;
DROP TABLE clearing_agreement;
DROP FUNCTION ledger.bound_account;
