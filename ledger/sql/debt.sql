-- Lets reversals with one reason take one account below its floor, by so much; 0 takes it back. Each act leaves a row.
-- 'allowed', 'exists', or a refusal with its detail. Takes the head, as everything does that posting reads.
CREATE FUNCTION ledger.allow_debt(
    p_book bigint, p_code text, p_unit text, p_reason text, p_limit bigint, p_actor uuid, p_now timestamptz,
    OUT code text, OUT owed bigint
)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = ledger, pg_temp
AS $$
DECLARE
    v_seq bigint;
    v_at timestamptz;
    a account;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'the ledger needs READ COMMITTED' USING ERRCODE = 'LB003';
    END IF;
    SELECT b.seq, greatest(b.at, p_now) INTO v_seq, v_at FROM book b WHERE b.community_id = p_book FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        code := 'ledger.book_not_found';
        RETURN;
    END IF;
    SELECT x.* INTO a FROM account x WHERE x.community_id = p_book AND x.code = p_code AND x.unit = p_unit;
    owed := greatest(a.floor - a.balance, 0);
    IF a.account_id IS NULL THEN
        code := 'ledger.account_not_found';
    ELSIF a.closed_at IS NOT NULL THEN
        code := 'ledger.account_closed';
    ELSIF a.floor IS NULL OR p_code = 'escrow' OR p_limit IS NULL OR p_limit NOT BETWEEN 0 AND 1000000000000000
          OR p_reason IS NULL OR p_reason = '' OR char_length(p_reason) > 200 OR p_reason ~ '[\x01-\x1f\x7f]' THEN
        code := 'ledger.debt_malformed';
    ELSIF p_limit < owed THEN
        code := 'ledger.debt_open';
    ELSIF p_limit = coalesce(a.debt_limit, 0) AND (p_limit = 0 OR p_reason = a.debt_reason) THEN
        code := 'exists';
    ELSE
        INSERT INTO debt_allowance (community_id, account_id, number, reason, debt_limit, seq, actor_id, allowed_at)
        SELECT p_book, a.account_id, count(*) + 1, p_reason, p_limit, v_seq, p_actor, v_at
        FROM debt_allowance d WHERE d.community_id = p_book AND d.account_id = a.account_id;
        UPDATE account x SET debt_limit = nullif(p_limit, 0), debt_reason = CASE WHEN p_limit > 0 THEN p_reason END
        WHERE x.community_id = p_book AND x.account_id = a.account_id;
        UPDATE book b SET at = v_at WHERE b.community_id = p_book;
        code := 'allowed';
    END IF;
END
$$;
