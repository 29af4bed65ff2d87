-- Zones of a book for the auditor's search. Frozen from ledger/tables.py and ledger/sql/zones.sql.

CREATE TABLE ledger.zone (
    community_id BIGINT NOT NULL,
    zone BIGINT NOT NULL,
    effective_from TIMESTAMP WITH TIME ZONE NOT NULL,
    effective_until TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_zone PRIMARY KEY (community_id, zone)
);

CREATE TABLE ledger.zone_word (
    community_id BIGINT NOT NULL,
    word TEXT NOT NULL,
    zone BIGINT NOT NULL,
    least BIGINT,
    most BIGINT,
    CONSTRAINT pk_zone_word PRIMARY KEY (community_id, word, zone)
);

CREATE TABLE ledger.zoned (
    community_id BIGINT NOT NULL,
    zones BIGINT NOT NULL,
    CONSTRAINT pk_zoned PRIMARY KEY (community_id),
    CONSTRAINT fk_zoned_book FOREIGN KEY(community_id) REFERENCES ledger.book (community_id),
    CONSTRAINT ck_zoned_zones CHECK (zones >= 0)
);

-- ledger/sql/zones.sql
-- Zones: what occurs in each run of 256 numbers of a book, so that a search reads the runs that can hold an answer and no
-- others. They say nothing that the journals do not say; they are written behind the posters' backs, and what is not mapped
-- yet is read.

-- Maps the next whole zones of a book and says how many transfers they hold. A journal belongs to the zone of its first
-- transfer. Two callers take turns at the row of the book's progress.
CREATE FUNCTION ledger.map_zones(p_book bigint, p_zones integer) RETURNS integer
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = ledger, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
AS $$
DECLARE
    c_size CONSTANT bigint := 256;
    v_from bigint;
    v_to bigint;
    v_end bigint;
BEGIN
    INSERT INTO zoned (community_id, zones)
    SELECT b.community_id, 0 FROM book b WHERE b.community_id = p_book
    ON CONFLICT ON CONSTRAINT pk_zoned DO NOTHING;
    SELECT z.zones INTO v_from FROM zoned z WHERE z.community_id = p_book FOR UPDATE;
    -- Read after the lock was given: the numbers below the head are committed, all of them.
    SELECT least(b.seq / c_size, v_from + p_zones) INTO v_to FROM book b WHERE b.community_id = p_book;
    IF v_to IS NULL OR v_to <= v_from THEN
        RETURN 0;
    END IF;
    INSERT INTO zone (community_id, zone, effective_from, effective_until)
    SELECT p_book, (j.journal_id - 1) / c_size, min(j.effective_at), max(j.effective_at)
    FROM journal j
    WHERE j.community_id = p_book AND j.journal_id > v_from * c_size AND j.journal_id <= v_to * c_size
    GROUP BY 2;
    INSERT INTO zone_word (community_id, word, zone)
    SELECT DISTINCT p_book, w.word, (j.journal_id - 1) / c_size
    FROM journal j
    CROSS JOIN LATERAL (VALUES ('reason ' || j.reason), ('actor ' || j.actor_id), (CASE WHEN j.reverses IS NOT NULL THEN 'reversal' END)) w(word)
    WHERE j.community_id = p_book AND j.journal_id > v_from * c_size AND j.journal_id <= v_to * c_size
      AND w.word IS NOT NULL;
    -- The transfers of a journal follow each other: those of the last one may stand in zones after its own.
    SELECT j.journal_id + j.transfers - 1 INTO v_end FROM journal j
     WHERE j.community_id = p_book AND j.journal_id <= v_to * c_size ORDER BY j.journal_id DESC LIMIT 1;
    INSERT INTO zone_word (community_id, word, zone, least, most)
    SELECT p_book, 'unit ' || t.unit, (t.journal_id - 1) / c_size, min(t.amount), max(t.amount)
    FROM transfer t
    WHERE t.community_id = p_book AND t.seq > v_from * c_size AND t.seq <= v_end AND t.journal_id > v_from * c_size
    GROUP BY 2, 3;
    UPDATE zoned z SET zones = v_to WHERE z.community_id = p_book;
    RETURN ((v_to - v_from) * c_size)::integer;
END
$$;

REVOKE ALL ON FUNCTION ledger.map_zones FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.map_zones TO linli_app;
GRANT SELECT ON ledger.zone, ledger.zone_word, ledger.zoned TO linli_app, linli_audit;
