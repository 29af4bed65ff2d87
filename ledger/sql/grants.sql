-- The service may read everything and write by the functions alone; the auditor may read and recompute.
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA ledger FROM PUBLIC;
GRANT USAGE ON SCHEMA ledger TO linli_app, linli_audit;
GRANT SELECT ON ALL TABLES IN SCHEMA ledger TO linli_app, linli_audit;
GRANT EXECUTE ON FUNCTION
    ledger.open_book, ledger.open_accounts, ledger.close_account, ledger.post_batch, ledger.post, ledger.reverse,
    ledger.close_period, ledger.allow_debt, ledger.expire
    TO linli_app;
GRANT EXECUTE ON FUNCTION
    ledger.statement, ledger.microseconds, ledger.step_line, ledger.fingerprint
    TO linli_app, linli_audit;
