-- Gives an account another floor and ceiling; what it holds must lie between them. 'bounded', 'exists', or a refusal.
-- Takes the head, as everything does that posting reads.
CREATE FUNCTION ledger.bound_account(
    p_book bigint, p_code text, p_unit text, p_floor bigint, p_ceiling bigint, p_now timestamptz
) RETURNS text
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = ledger, pg_temp
AS $$
DECLARE
    v_at timestamptz;
    a account;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'the ledger needs READ COMMITTED' USING ERRCODE = 'LB003';
    END IF;
    SELECT greatest(b.at, p_now) INTO v_at FROM book b WHERE b.community_id = p_book FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN 'ledger.book_not_found';
    END IF;
    SELECT x.* INTO a FROM account x WHERE x.community_id = p_book AND x.code = p_code AND x.unit = p_unit;
    IF NOT FOUND THEN
        RETURN 'ledger.account_not_found';
    ELSIF a.closed_at IS NOT NULL THEN
        RETURN 'ledger.account_closed';
    ELSIF p_code = 'escrow' OR p_floor > 0 OR p_ceiling < 0
          OR p_floor < -9000000000000000000 OR p_ceiling > 9000000000000000000 THEN
        RETURN 'ledger.account_malformed';
    ELSIF a.balance < p_floor OR a.balance > p_ceiling THEN
        RETURN 'ledger.bounds_passed';
    ELSIF a.floor IS NOT DISTINCT FROM p_floor AND a.ceiling IS NOT DISTINCT FROM p_ceiling THEN
        RETURN 'exists';
    END IF;
    UPDATE account x SET floor = p_floor, ceiling = p_ceiling
     WHERE x.community_id = p_book AND x.account_id = a.account_id;
    UPDATE book b SET at = v_at WHERE b.community_id = p_book;
    RETURN 'bounded';
END
$$;

REVOKE ALL ON FUNCTION ledger.bound_account FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.bound_account TO linli_app;
