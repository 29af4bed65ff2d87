-- The tree over a book and its seals. Frozen from ledger/tables.py and ledger/sql/seals.sql.

CREATE TABLE ledger.tree (
    community_id BIGINT NOT NULL,
    size BIGINT NOT NULL,
    edge BYTEA NOT NULL,
    patrolled BIGINT NOT NULL,
    patrolled_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_tree PRIMARY KEY (community_id),
    CONSTRAINT fk_tree_book FOREIGN KEY(community_id) REFERENCES ledger.book (community_id),
    CONSTRAINT ck_tree_size CHECK (size >= 0 AND patrolled BETWEEN 0 AND size),
    CONSTRAINT ck_tree_edge CHECK (octet_length(edge) % 32 = 0)
);

CREATE TABLE ledger.tile (
    community_id BIGINT NOT NULL,
    height SMALLINT NOT NULL,
    place BIGINT NOT NULL,
    hash BYTEA NOT NULL,
    CONSTRAINT pk_tile PRIMARY KEY (community_id, height, place),
    CONSTRAINT fk_tile_tree FOREIGN KEY(community_id) REFERENCES ledger.tree (community_id),
    CONSTRAINT ck_tile_place CHECK (height BETWEEN 8 AND 56 AND height % 8 = 0 AND place >= 0),
    CONSTRAINT ck_tile_hash CHECK (octet_length(hash) = 32)
);

CREATE TABLE ledger.seal (
    community_id BIGINT NOT NULL,
    number BIGINT NOT NULL,
    size BIGINT NOT NULL,
    root BYTEA NOT NULL,
    edge BYTEA NOT NULL,
    previous BYTEA NOT NULL,
    sealed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    key TEXT NOT NULL,
    public_key BYTEA NOT NULL,
    signature BYTEA NOT NULL,
    totals TEXT[] NOT NULL,
    CONSTRAINT pk_seal PRIMARY KEY (community_id, number),
    CONSTRAINT fk_seal_tree FOREIGN KEY(community_id) REFERENCES ledger.tree (community_id),
    CONSTRAINT ck_seal_number CHECK (number >= 1 AND size >= 1),
    CONSTRAINT ck_seal_hashes CHECK (octet_length(root) = 32 AND octet_length(previous) = 32 AND octet_length(edge) % 32 = 0),
    CONSTRAINT ck_seal_signature CHECK (octet_length(public_key) = 32 AND octet_length(signature) = 64)
);

-- ledger/sql/seals.sql
-- The tree over a book, and its seals. These functions are the only writers; what they are told was computed outside the
-- database, by code and keys that nobody can change from within it.

-- Lets one sealer at a time work on a book: whoever calls holds the row of the tree until the transaction ends. It is no
-- lock of the posters', who never wait for it. No row: there is no such book.
CREATE FUNCTION ledger.lock_tree(p_book bigint, OUT size bigint, OUT edge bytea, OUT patrolled bigint) RETURNS SETOF record
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = ledger, pg_temp
AS $$
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        -- What follows must see what this lock waited for.
        RAISE EXCEPTION 'the ledger needs READ COMMITTED' USING ERRCODE = 'LB003';
    END IF;
    INSERT INTO tree (community_id, size, edge, patrolled)
    SELECT b.community_id, 0, '', 0 FROM book b WHERE b.community_id = p_book
    ON CONFLICT ON CONSTRAINT pk_tree DO NOTHING;
    RETURN QUERY SELECT t.size, t.edge, t.patrolled FROM tree t WHERE t.community_id = p_book FOR UPDATE;
END
$$;

-- The tree has grown from p_from to p_to leaves, and these of its nodes are to be kept. False when it was not at p_from.
CREATE FUNCTION ledger.grow_tree(
    p_book bigint, p_from bigint, p_to bigint, p_edge bytea, p_height smallint[], p_place bigint[], p_hash bytea[]
) RETURNS boolean
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = ledger, pg_temp
AS $$
BEGIN
    UPDATE tree t SET size = p_to, edge = p_edge
    WHERE t.community_id = p_book AND t.size = p_from AND p_to > p_from
      AND p_to <= (SELECT b.seq FROM book b WHERE b.community_id = p_book);
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO tile (community_id, height, place, hash)
    SELECT p_book, n.height, n.place, n.hash FROM unnest(p_height, p_place, p_hash) n(height, place, hash);
    RETURN true;
END
$$;

-- How far the patrol has come, from 0 to the tree's size.
CREATE FUNCTION ledger.note_patrol(p_book bigint, p_to bigint, p_now timestamptz) RETURNS void
    LANGUAGE sql VOLATILE SECURITY DEFINER
    SET search_path = ledger, pg_temp
AS $$
    UPDATE tree t SET patrolled = least(p_to, t.size), patrolled_at = p_now WHERE t.community_id = p_book
$$;

-- Adds a seal behind the last one. False when it does not follow: another number, fewer transfers, not the whole tree.
CREATE FUNCTION ledger.add_seal(
    p_book bigint, p_number bigint, p_size bigint, p_root bytea, p_edge bytea, p_previous bytea, p_sealed_at timestamptz,
    p_key text, p_public_key bytea, p_signature bytea, p_totals text[]
) RETURNS boolean
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = ledger, pg_temp
AS $$
BEGIN
    PERFORM FROM tree t WHERE t.community_id = p_book AND t.size = p_size AND t.edge = p_edge FOR UPDATE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM FROM (SELECT coalesce(max(s.number), 0) AS number, coalesce(max(s.size), 0) AS size
                    FROM seal s WHERE s.community_id = p_book) last
    WHERE p_number = last.number + 1 AND p_size >= last.size;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO seal (community_id, number, size, root, edge, previous, sealed_at, key, public_key, signature, totals)
    VALUES (p_book, p_number, p_size, p_root, p_edge, p_previous, p_sealed_at, p_key, p_public_key, p_signature, p_totals);
    RETURN true;
END
$$;

REVOKE ALL ON FUNCTION ledger.lock_tree, ledger.grow_tree, ledger.note_patrol, ledger.add_seal FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.lock_tree, ledger.grow_tree, ledger.note_patrol, ledger.add_seal TO linli_app;
GRANT SELECT ON ledger.tree, ledger.tile, ledger.seal TO linli_app, linli_audit;
