-- What Linli's ledger is measured against, written from the published designs. In a schema of its own, owned by the bench.
CREATE SCHEMA reference;
GRANT USAGE ON SCHEMA reference TO linli_app;

-- The barest thing: one row of four columns.
CREATE TABLE reference.bare (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, debit bigint, credit bigint, amount bigint);

-- pgledger's design: an account row locked in the order of ids, a transfer and two entries with the balance before and after, a
-- version, text ids that sort by time, numeric amounts, foreign keys, and an index for every way to look an entry up.
CREATE FUNCTION reference.sortable_id(p_kind text) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    digits CONSTANT text := '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
    bits bit(130);
    found text := '';
BEGIN
    bits := ((extract(epoch FROM clock_timestamp()) * 1000)::bigint)::bit(48) || ('x' || replace(gen_random_uuid()::text, '-', ''))::bit(82);
    FOR place IN 0..25 LOOP
        found := found || substr(digits, substring(bits FROM place * 5 + 1 FOR 5)::integer + 1, 1);
    END LOOP;
    RETURN p_kind || '_' || found;
END
$$;
CREATE TABLE reference.account (
    id text PRIMARY KEY DEFAULT reference.sortable_id('account'), name text NOT NULL, currency text NOT NULL,
    balance numeric NOT NULL DEFAULT 0, version bigint NOT NULL DEFAULT 0, may_be_negative boolean NOT NULL, may_be_positive boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE reference.transfer (
    id text PRIMARY KEY DEFAULT reference.sortable_id('transfer'), from_id text NOT NULL REFERENCES reference.account,
    to_id text NOT NULL REFERENCES reference.account, amount numeric NOT NULL CHECK (amount > 0), event_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now(), CHECK (from_id <> to_id)
);
CREATE INDEX ON reference.transfer (from_id);
CREATE INDEX ON reference.transfer (to_id);
CREATE TABLE reference.entry (
    id text PRIMARY KEY DEFAULT reference.sortable_id('entry'), account_id text NOT NULL REFERENCES reference.account,
    transfer_id text NOT NULL REFERENCES reference.transfer, amount numeric NOT NULL, balance_before numeric NOT NULL,
    balance_after numeric NOT NULL, account_version bigint NOT NULL, created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON reference.entry (account_id);
CREATE INDEX ON reference.entry (transfer_id);
CREATE FUNCTION reference.add_entry(p_account text, p_transfer text, p_amount numeric) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    a reference.account;
BEGIN
    UPDATE reference.account x SET balance = x.balance + p_amount, version = x.version + 1, updated_at = now()
    WHERE x.id = p_account RETURNING * INTO a;
    IF a.balance < 0 AND NOT a.may_be_negative OR a.balance > 0 AND NOT a.may_be_positive THEN
        RAISE EXCEPTION 'account % may not have %', p_account, a.balance;
    END IF;
    INSERT INTO reference.entry (account_id, transfer_id, amount, balance_before, balance_after, account_version)
    VALUES (p_account, p_transfer, p_amount, a.balance - p_amount, a.balance, a.version);
END
$$;
CREATE FUNCTION reference.transfer_amount(p_from text, p_to text, p_amount numeric) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_id text;
BEGIN
    PERFORM FROM reference.account a WHERE a.id IN (p_from, p_to) ORDER BY a.id FOR UPDATE;
    IF (SELECT count(DISTINCT a.currency) FROM reference.account a WHERE a.id IN (p_from, p_to)) <> 1 THEN
        RAISE EXCEPTION 'two currencies';
    END IF;
    INSERT INTO reference.transfer (from_id, to_id, amount) VALUES (p_from, p_to, p_amount) RETURNING id INTO v_id;
    PERFORM reference.add_entry(p_from, v_id, -p_amount);
    PERFORM reference.add_entry(p_to, v_id, p_amount);
    RETURN v_id;
END
$$;

-- An application's own ledger by an object-relational mapper: a balance with a version, two entries for each transfer.
CREATE TABLE reference.orm_account (id bigint PRIMARY KEY, balance bigint NOT NULL, version bigint NOT NULL);
CREATE TABLE reference.orm_transfer (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, reference text NOT NULL UNIQUE, at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE reference.orm_entry (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, transfer_id bigint NOT NULL REFERENCES reference.orm_transfer,
    account_id bigint NOT NULL REFERENCES reference.orm_account, amount bigint NOT NULL, balance bigint NOT NULL
);
CREATE INDEX ON reference.orm_entry (account_id, id);

-- A business row that comes with each posting.
CREATE TABLE reference.effect (community_id bigint NOT NULL, reference text NOT NULL, journal_id bigint NOT NULL, PRIMARY KEY (community_id, reference));
CREATE FUNCTION reference.effect_lock(book bigint, now timestamptz, reference text[], effects jsonb) RETURNS text[]
    LANGUAGE sql AS $$ SELECT NULL::text[] $$;
CREATE FUNCTION reference.effect_write(book bigint, now timestamptz, reference text[], journal_id bigint[], effects jsonb) RETURNS void
    LANGUAGE sql AS $$
        INSERT INTO reference.effect SELECT book, u.reference, u.journal_id FROM unnest(reference, journal_id) u(reference, journal_id)
    $$;

GRANT ALL ON ALL TABLES IN SCHEMA reference TO linli_app;
GRANT ALL ON ALL SEQUENCES IN SCHEMA reference TO linli_app;
