-- What every account of a book had when a number was given. An account at rest since then has it still; of the others the nearest
-- mark is found, and at most the lines between two marks are walked: the cost grows with the accounts, never with the lines.
CREATE FUNCTION ledger.balances_at(p_book bigint, p_seq bigint, OUT account_id bigint, OUT balance bigint) RETURNS SETOF record
    LANGUAGE plpgsql STABLE
    SET search_path = ledger, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
AS $$
DECLARE
    v_account account;
    v_transfer transfer;
    v_line bigint;
BEGIN
    FOR v_account IN SELECT a.* FROM account a WHERE a.community_id = p_book LOOP
        account_id := v_account.account_id;
        balance := v_account.balance;
        IF v_account.last_seq > p_seq THEN
            balance := 0;
            SELECT m.seq INTO v_line FROM mark m
             WHERE m.community_id = p_book AND m.account_id = v_account.account_id AND m.seq > p_seq
             ORDER BY m.seq LIMIT 1;
            v_line := coalesce(v_line, v_account.last_seq);
            WHILE v_line > 0 LOOP
                SELECT t.* INTO v_transfer FROM transfer t WHERE t.community_id = p_book AND t.seq = v_line;
                IF v_line <= p_seq THEN
                    balance := CASE v_transfer.debit WHEN v_account.account_id
                               THEN v_transfer.debit_balance ELSE v_transfer.credit_balance END;
                    EXIT;
                END IF;
                v_line := CASE v_transfer.debit WHEN v_account.account_id
                          THEN v_transfer.debit_prev ELSE v_transfer.credit_prev END;
            END LOOP;
        END IF;
        RETURN NEXT;
    END LOOP;
END
$$;

REVOKE ALL ON FUNCTION ledger.balances_at FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.balances_at TO linli_app, linli_audit;
