-- Marks: every 64th line of an account, so that a day long ago is found without walking back from today. They say nothing that
-- the transfers do not say; they are written behind the posters' backs, and whatever is not marked yet is walked.

-- Marks the next transfers of a book and says how many were read. Two callers take turns at the row of the book's progress.
CREATE OR REPLACE FUNCTION ledger.mark_lines(p_book bigint, p_limit integer) RETURNS integer
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = ledger, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
AS $$
DECLARE
    v_from bigint;
    v_to bigint;
BEGIN
    INSERT INTO marked (community_id, seq)
    SELECT b.community_id, 0 FROM book b WHERE b.community_id = p_book
    ON CONFLICT ON CONSTRAINT pk_marked DO NOTHING;
    SELECT m.seq INTO v_from FROM marked m WHERE m.community_id = p_book FOR UPDATE;
    -- Read after the lock was given: the numbers below the head are committed, all of them.
    SELECT least(b.seq, v_from + p_limit) INTO v_to FROM book b WHERE b.community_id = p_book;
    IF v_to IS NULL OR v_to <= v_from THEN
        RETURN 0;
    END IF;
    INSERT INTO mark (community_id, account_id, seq)
    SELECT p_book, l.account_id, l.seq
    FROM (SELECT t.debit, t.seq, t.debit_version FROM transfer t
           WHERE t.community_id = p_book AND t.seq > v_from AND t.seq <= v_to
           UNION ALL
          SELECT t.credit, t.seq, t.credit_version FROM transfer t
           WHERE t.community_id = p_book AND t.seq > v_from AND t.seq <= v_to) l(account_id, seq, version)
    WHERE l.version % 64 = 0;
    UPDATE marked m SET seq = v_to WHERE m.community_id = p_book;
    RETURN v_to - v_from;
END
$$;

-- The last number of a book that was given before a moment. Times never run backwards within a book, so it is found by
-- halving: as many look-ups as the number has binary digits, and no index to keep.
CREATE OR REPLACE FUNCTION ledger.seq_before(p_book bigint, p_at timestamptz) RETURNS bigint
    LANGUAGE plpgsql STABLE
    SET search_path = ledger, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
AS $$
DECLARE
    v_low bigint := 0;
    v_high bigint;
    v_middle bigint;
    v_first bigint;
    v_transfers integer;
    v_at timestamptz;
BEGIN
    SELECT b.seq INTO v_high FROM book b WHERE b.community_id = p_book;
    WHILE v_low < v_high LOOP
        v_middle := (v_low + v_high + 1) / 2;
        SELECT j.seq, j.transfers, j.posted_at INTO v_first, v_transfers, v_at
        FROM transfer t CROSS JOIN LATERAL (SELECT x.* FROM transfer x WHERE x.community_id = p_book AND x.seq = t.journal_id LIMIT 1) j
        WHERE t.community_id = p_book AND t.seq = v_middle;
        IF v_at < p_at THEN
            v_low := greatest(least(v_first + v_transfers - 1, v_high), v_middle);
        ELSE
            v_high := v_first - 1;
        END IF;
    END LOOP;
    RETURN v_low;
END
$$;

-- An account just before a moment: the book's number then, its balance, and the first line after it. No row: no such account.
CREATE OR REPLACE FUNCTION ledger.account_before(
    p_book bigint, p_code text, p_unit text, p_at timestamptz, OUT seq bigint, OUT balance bigint, OUT newer bigint
) RETURNS SETOF record
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
    SELECT a.* INTO v_account FROM account a WHERE a.community_id = p_book AND a.code = p_code AND a.unit = p_unit;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    seq := seq_before(p_book, p_at);
    balance := 0;
    SELECT m.seq INTO v_line FROM mark m
     WHERE m.community_id = p_book AND m.account_id = v_account.account_id AND m.seq > account_before.seq
     ORDER BY m.seq LIMIT 1;
    v_line := coalesce(v_line, v_account.last_seq);
    WHILE v_line > 0 LOOP
        SELECT t.* INTO v_transfer FROM transfer t WHERE t.community_id = p_book AND t.seq = v_line;
        IF v_line <= seq THEN
            balance := CASE v_transfer.debit WHEN v_account.account_id
                       THEN v_transfer.debit_balance ELSE v_transfer.credit_balance END;
            EXIT;
        END IF;
        newer := v_line;
        v_line := CASE v_transfer.debit WHEN v_account.account_id
                  THEN v_transfer.debit_prev ELSE v_transfer.credit_prev END;
    END LOOP;
    RETURN NEXT;
END
$$;

REVOKE ALL ON FUNCTION ledger.mark_lines, ledger.seq_before, ledger.account_before FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.mark_lines TO linli_app;
GRANT EXECUTE ON FUNCTION ledger.seq_before, ledger.account_before TO linli_app, linli_audit;
GRANT SELECT ON ledger.mark, ledger.marked TO linli_app, linli_audit;
