-- Closes the book up to an instant: nothing takes effect before it any more. 'closed', 'exists', or a refusal.
-- Takes the head, so that what was posted before has been decided by the old rule and is committed, and the rest by the new.
CREATE FUNCTION ledger.close_period(p_book bigint, p_until timestamptz, p_actor uuid, p_now timestamptz) RETURNS text
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = ledger, pg_temp
AS $$
DECLARE
    b book;
    v_at timestamptz;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'the ledger needs READ COMMITTED' USING ERRCODE = 'LB003';
    END IF;
    SELECT x.* INTO b FROM book x WHERE x.community_id = p_book FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN 'ledger.book_not_found';
    END IF;
    v_at := greatest(b.at, p_now);
    IF p_until = b.closed_until THEN
        RETURN 'exists';
    ELSIF p_until < b.closed_until THEN
        RETURN 'ledger.period_goes_back';
    ELSIF p_until > v_at THEN
        RETURN 'ledger.period_not_over';
    END IF;
    INSERT INTO period (community_id, closed_until, seq, actor_id, closed_at) VALUES (p_book, p_until, b.seq, p_actor, v_at);
    UPDATE book x SET closed_until = p_until, at = v_at WHERE x.community_id = p_book;
    RETURN 'closed';
END
$$;
