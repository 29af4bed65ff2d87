-- The neighbour exchange: the board, exchanges between two people, their history, and how value moves with them.

CREATE TABLE exchange_listing (
    community_id BIGINT NOT NULL,
    listing_id UUID NOT NULL,
    kind TEXT NOT NULL,
    category TEXT NOT NULL,
    title TEXT NOT NULL,
    text TEXT NOT NULL,
    minutes INTEGER NOT NULL,
    owner_id UUID NOT NULL,
    state TEXT NOT NULL,
    posted_at TIMESTAMP WITH TIME ZONE NOT NULL,
    changed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_exchange_listing PRIMARY KEY (community_id, listing_id),
    CONSTRAINT ck_exchange_listing_kind CHECK (kind = ANY (ARRAY['offer'::text, 'request'::text])),
    CONSTRAINT ck_exchange_listing_category CHECK (category = ANY (ARRAY['repairs'::text, 'chores'::text, 'errands'::text, 'company'::text, 'lessons'::text, 'digital'::text, 'pets'::text, 'other'::text])),
    CONSTRAINT ck_exchange_listing_state CHECK (state = ANY (ARRAY['open'::text, 'taken'::text, 'closed'::text, 'expired'::text])),
    CONSTRAINT ck_exchange_listing_minutes CHECK (minutes BETWEEN 1 AND 10000),
    CONSTRAINT ck_exchange_listing_lengths CHECK (length(title) BETWEEN 1 AND 40 AND length(text) <= 300),
    CONSTRAINT ck_exchange_listing_taken CHECK (state <> 'taken' OR kind = 'request'),
    CONSTRAINT fk_exchange_listing_owner FOREIGN KEY(community_id, owner_id) REFERENCES member (community_id, member_id)
);
CREATE INDEX ix_exchange_listing_due ON exchange_listing (expires_at) WHERE state = 'open';
CREATE INDEX ix_exchange_listing_owner ON exchange_listing (community_id, owner_id, posted_at);
CREATE INDEX ix_exchange_listing_state ON exchange_listing (community_id, state, posted_at, listing_id);
CREATE TABLE exchange (
    community_id BIGINT NOT NULL,
    exchange_id UUID NOT NULL,
    listing_id UUID NOT NULL,
    payer_id UUID NOT NULL,
    helper_id UUID NOT NULL,
    minutes INTEGER NOT NULL,
    note TEXT NOT NULL,
    state TEXT NOT NULL,
    revision INTEGER NOT NULL,
    asked_at TIMESTAMP WITH TIME ZONE NOT NULL,
    changed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE,
    accepted_at TIMESTAMP WITH TIME ZONE,
    done_at TIMESTAMP WITH TIME ZONE,
    disputed_by UUID,
    decided_by UUID,
    paid_minutes INTEGER,
    thanks TEXT,
    hidden_by UUID,
    hidden_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_exchange PRIMARY KEY (community_id, exchange_id),
    CONSTRAINT ck_exchange_state CHECK (state = ANY (ARRAY['asked'::text, 'accepted'::text, 'done'::text, 'disputed'::text, 'confirmed'::text, 'returned'::text, 'declined'::text, 'withdrawn'::text, 'expired'::text])),
    CONSTRAINT ck_exchange_two CHECK (payer_id <> helper_id),
    CONSTRAINT ck_exchange_revision CHECK (revision >= 1),
    CONSTRAINT ck_exchange_minutes CHECK (minutes BETWEEN 1 AND 10000),
    CONSTRAINT ck_exchange_paid_minutes CHECK (paid_minutes BETWEEN 1 AND minutes),
    CONSTRAINT ck_exchange_paid CHECK ((state = 'confirmed') = (paid_minutes IS NOT NULL)),
    CONSTRAINT ck_exchange_due CHECK ((state IN ('asked', 'accepted', 'done')) = (due_at IS NOT NULL)),
    CONSTRAINT ck_exchange_held CHECK (state NOT IN ('accepted', 'done', 'disputed', 'confirmed') OR accepted_at IS NOT NULL),
    CONSTRAINT ck_exchange_done CHECK (state <> 'done' OR done_at IS NOT NULL),
    CONSTRAINT ck_exchange_disputed CHECK (state <> 'disputed' OR disputed_by IS NOT NULL),
    CONSTRAINT ck_exchange_decided CHECK (decided_by NOT IN (payer_id, helper_id)),
    CONSTRAINT ck_exchange_thanks CHECK (thanks IS NULL OR (state = 'confirmed' AND length(thanks) BETWEEN 1 AND 200)),
    CONSTRAINT ck_exchange_hidden CHECK ((hidden_by IS NULL) = (hidden_at IS NULL)),
    CONSTRAINT fk_exchange_listing FOREIGN KEY(community_id, listing_id) REFERENCES exchange_listing (community_id, listing_id),
    CONSTRAINT fk_exchange_payer FOREIGN KEY(community_id, payer_id) REFERENCES member (community_id, member_id),
    CONSTRAINT fk_exchange_helper FOREIGN KEY(community_id, helper_id) REFERENCES member (community_id, member_id),
    CONSTRAINT fk_exchange_disputed_by FOREIGN KEY(community_id, disputed_by) REFERENCES member (community_id, member_id),
    CONSTRAINT fk_exchange_decided_by FOREIGN KEY(community_id, decided_by) REFERENCES member (community_id, member_id),
    CONSTRAINT fk_exchange_hidden_by FOREIGN KEY(community_id, hidden_by) REFERENCES member (community_id, member_id)
);
CREATE INDEX ix_exchange_due ON exchange (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX ix_exchange_helper ON exchange (community_id, helper_id, changed_at, exchange_id);
CREATE INDEX ix_exchange_listing ON exchange (community_id, listing_id, state);
CREATE INDEX ix_exchange_pair ON exchange (community_id, payer_id, helper_id, accepted_at);
CREATE INDEX ix_exchange_payer ON exchange (community_id, payer_id, changed_at, exchange_id);
CREATE INDEX ix_exchange_state ON exchange (community_id, state, changed_at, exchange_id);
CREATE UNIQUE INDEX uq_exchange_open ON exchange (community_id, listing_id, payer_id, helper_id) WHERE state IN ('asked', 'accepted', 'done', 'disputed');
CREATE TABLE exchange_event (
    community_id BIGINT NOT NULL,
    exchange_id UUID NOT NULL,
    revision INTEGER NOT NULL,
    verb TEXT NOT NULL,
    state TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    actor_id UUID,
    note TEXT,
    CONSTRAINT pk_exchange_event PRIMARY KEY (community_id, exchange_id, revision),
    CONSTRAINT ck_exchange_event_verb CHECK (verb = ANY (ARRAY['ask'::text, 'accept'::text, 'decline'::text, 'withdraw'::text, 'finish'::text, 'confirm'::text, 'dispute'::text, 'decide'::text, 'expire'::text, 'lapse'::text, 'thank'::text])),
    CONSTRAINT ck_exchange_event_state CHECK (state = ANY (ARRAY['asked'::text, 'accepted'::text, 'done'::text, 'disputed'::text, 'confirmed'::text, 'returned'::text, 'declined'::text, 'withdrawn'::text, 'expired'::text])),
    CONSTRAINT fk_exchange_event_exchange FOREIGN KEY(community_id, exchange_id) REFERENCES exchange (community_id, exchange_id),
    CONSTRAINT fk_exchange_event_actor FOREIGN KEY(community_id, actor_id) REFERENCES member (community_id, member_id)
);

-- What was agreed on never changes; how far it has come does. The history is only added to.
GRANT SELECT, INSERT, UPDATE (state, changed_at) ON exchange_listing TO linli_app;
GRANT SELECT, INSERT, UPDATE (state, revision, changed_at, due_at, accepted_at, done_at, disputed_by, decided_by, paid_minutes,
                              thanks, hidden_by, hidden_at) ON exchange TO linli_app;
GRANT SELECT, INSERT ON exchange_event TO linli_app;
GRANT SELECT ON exchange_listing, exchange, exchange_event TO linli_audit;

-- Communities that were founded before get the values that a new one starts with.
INSERT INTO setting (community_id, name, effective_from, revision, value, set_at)
SELECT c.community_id, s.name, DATE '2000-01-01', 1, s.value, c.founded_at
  FROM community c
 CROSS JOIN (VALUES ('exchange_minutes_max', 480), ('exchange_pair_minutes_per_month_max', 600), ('exchange_listing_days', 60),
                    ('exchange_answer_days', 7), ('exchange_done_days', 30), ('exchange_confirm_days', 7)) AS s (name, value)
    ON CONFLICT ON CONSTRAINT pk_setting DO NOTHING;

-- service/exchange/sql/accept.sql
-- An answer is accepted: the payer's minutes are set aside. See ledger/sql/post_with.sql for what the two functions are.
--
-- Effect: exchange, actor (the listing's owner), minutes, month_from (the community's month), pair_max (minutes that two
-- people may exchange in it), due_at (when it lapses undone), request_id.
--
-- Locked in this order, as everywhere in the slice: people, listings, exchanges. Two people's exchanges of a month are counted
-- under the rows of both, so whoever would pass their limit together with somebody else waits for them.
CREATE FUNCTION exchange_accept_lock(p_book bigint, p_now timestamptz, p_reference text[], p_effects jsonb) RETURNS text[]
    LANGUAGE plpgsql VOLATILE
    SET search_path = public, pg_temp
AS $$
DECLARE
    v_exchanges uuid[] := (SELECT array_agg((e ->> 'exchange')::uuid) FROM jsonb_array_elements(p_effects) e);
    v_listings uuid[] := (SELECT array_agg(x.listing_id) FROM exchange x
                           WHERE x.community_id = p_book AND x.exchange_id = ANY(v_exchanges));
BEGIN
    PERFORM FROM member m WHERE m.community_id = p_book AND m.member_id IN (
        SELECT unnest(ARRAY[x.payer_id, x.helper_id]) FROM exchange x
         WHERE x.community_id = p_book AND x.exchange_id = ANY(v_exchanges)
    ) ORDER BY m.member_id FOR NO KEY UPDATE;
    PERFORM FROM exchange_listing l WHERE l.community_id = p_book AND l.listing_id = ANY(v_listings)
      ORDER BY l.listing_id FOR NO KEY UPDATE;
    -- With the other answers to a request, which are declined by this.
    PERFORM FROM exchange x WHERE x.community_id = p_book
       AND (x.exchange_id = ANY(v_exchanges) OR x.listing_id = ANY(v_listings) AND x.state = 'asked')
     ORDER BY x.exchange_id FOR NO KEY UPDATE;
    RETURN (
        WITH asked AS (
            SELECT u.j, u.e, x.*, l.kind, l.owner_id, l.state AS listing_state,
                   p.household_id = h.household_id AS is_one_household,
                   p.closed_at IS NOT NULL OR h.closed_at IS NOT NULL AS is_gone
              FROM jsonb_array_elements(p_effects) WITH ORDINALITY u(e, j)
              LEFT JOIN exchange x ON x.community_id = p_book AND x.exchange_id = (u.e ->> 'exchange')::uuid
              LEFT JOIN exchange_listing l ON l.community_id = p_book AND l.listing_id = x.listing_id
              LEFT JOIN member p ON p.community_id = p_book AND p.member_id = x.payer_id
              LEFT JOIN member h ON h.community_id = p_book AND h.member_id = x.helper_id
        )
        SELECT array_agg(CASE
            WHEN a.exchange_id IS NULL OR a.minutes <> (a.e ->> 'minutes')::bigint THEN 'exchange.not_found'
            WHEN a.owner_id <> (a.e ->> 'actor')::uuid THEN 'exchange.not_yours'
            WHEN a.state <> 'asked' THEN 'exchange.moved_on'
            WHEN a.listing_state <> 'open' THEN 'exchange.listing_closed'
            WHEN a.is_gone THEN 'exchange.person_gone'
            WHEN a.is_one_household THEN 'exchange.own_household'
            -- What is judged here must be true for the whole batch: the second about one request or one pair comes again.
            WHEN EXISTS (SELECT FROM asked b WHERE b.j < a.j AND (
                b.exchange_id = a.exchange_id
                OR b.listing_id = a.listing_id AND a.kind = 'request'
                OR (least(b.payer_id, b.helper_id), greatest(b.payer_id, b.helper_id))
                 = (least(a.payer_id, a.helper_id), greatest(a.payer_id, a.helper_id))
            )) THEN 'exchange.again'
            WHEN a.minutes + (
                SELECT coalesce(sum(coalesce(y.paid_minutes, y.minutes)), 0) FROM exchange y
                 WHERE y.community_id = p_book AND y.accepted_at >= (a.e ->> 'month_from')::timestamptz
                   AND y.state IN ('accepted', 'done', 'disputed', 'confirmed')
                   AND (y.payer_id = a.payer_id AND y.helper_id = a.helper_id
                     OR y.payer_id = a.helper_id AND y.helper_id = a.payer_id)
            ) > (a.e ->> 'pair_max')::bigint THEN 'exchange.over_pair'
        END ORDER BY a.j) FROM asked a
    );
END
$$;
REVOKE ALL ON FUNCTION exchange_accept_lock FROM PUBLIC;
GRANT EXECUTE ON FUNCTION exchange_accept_lock TO linli_app;

CREATE FUNCTION exchange_accept_write(
    p_book bigint, p_now timestamptz, p_reference text[], p_journal_id bigint[], p_effects jsonb
) RETURNS void
    LANGUAGE sql VOLATILE
    SET search_path = public, pg_temp
AS $$
    WITH asked AS (
        SELECT x.exchange_id, x.listing_id, x.minutes, l.kind, (e ->> 'actor')::uuid AS actor_id,
               (e ->> 'due_at')::timestamptz AS due_at, e ->> 'request_id' AS request_id,
               CASE l.kind WHEN 'offer' THEN x.payer_id ELSE x.helper_id END AS asker_id
          FROM jsonb_array_elements(p_effects) e
          JOIN exchange x ON x.community_id = p_book AND x.exchange_id = (e ->> 'exchange')::uuid
          JOIN exchange_listing l ON l.community_id = p_book AND l.listing_id = x.listing_id
    ), taken AS (
        UPDATE exchange_listing l SET state = 'taken', changed_at = p_now FROM asked a
         WHERE l.community_id = p_book AND l.listing_id = a.listing_id AND a.kind = 'request'
        RETURNING l.listing_id
    ), accepted AS (
        UPDATE exchange x
           SET state = 'accepted', accepted_at = p_now, changed_at = p_now, due_at = a.due_at, revision = x.revision + 1
          FROM asked a WHERE x.community_id = p_book AND x.exchange_id = a.exchange_id
        RETURNING x.exchange_id, x.revision, a.asker_id, a.actor_id, a.minutes, a.request_id
    ), others AS (
        UPDATE exchange x SET state = 'declined', changed_at = p_now, due_at = NULL, revision = x.revision + 1
          FROM asked a WHERE x.community_id = p_book AND a.kind = 'request' AND x.listing_id = a.listing_id
           AND x.exchange_id <> a.exchange_id AND x.state = 'asked'
        RETURNING x.exchange_id, x.revision, x.helper_id AS asker_id, a.actor_id, a.request_id
    ), events AS (
        INSERT INTO exchange_event (community_id, exchange_id, revision, verb, state, at, actor_id)
        SELECT p_book, exchange_id, revision, 'accept', 'accepted', p_now, actor_id FROM accepted
         UNION ALL
        SELECT p_book, exchange_id, revision, 'decline', 'declined', p_now, actor_id FROM others
    ), audited AS (
        INSERT INTO audit (community_id, at, action, actor_id, object_kind, object_id, detail, request_id)
        SELECT p_book, p_now, 'exchange.accepted', actor_id, 'exchange', exchange_id::text,
               jsonb_build_object('minutes', minutes), request_id FROM accepted
         UNION ALL
        SELECT p_book, p_now, 'exchange.declined', actor_id, 'exchange', exchange_id::text, '{}', request_id FROM others
    )
    INSERT INTO outbox (community_id, fact, payload, recorded_at)
    SELECT p_book, 'ExchangeAccepted',
           jsonb_build_object('community_id', p_book, 'exchange_id', exchange_id, 'member_id', asker_id), p_now FROM accepted
     UNION ALL
    SELECT p_book, 'ExchangeDeclined',
           jsonb_build_object('community_id', p_book, 'exchange_id', exchange_id, 'member_id', asker_id), p_now FROM others
$$;
REVOKE ALL ON FUNCTION exchange_accept_write FROM PUBLIC;
GRANT EXECUTE ON FUNCTION exchange_accept_write TO linli_app;

-- service/exchange/sql/settle.sql
-- What was set aside is paid to the helper, or returns. See ledger/sql/post_with.sql for what the two functions are.
--
-- Effect: exchange, verb, actor (null where time moves it), request_id. Verbs: confirm (the payer: all is the helper's), lapse
-- (the same by time), withdraw (either side before it is done: all returns), expire (the same by time).
CREATE FUNCTION exchange_settle_lock(p_book bigint, p_now timestamptz, p_reference text[], p_effects jsonb) RETURNS text[]
    LANGUAGE plpgsql VOLATILE
    SET search_path = public, pg_temp
AS $$
DECLARE
    v_exchanges uuid[] := (SELECT array_agg((e ->> 'exchange')::uuid) FROM jsonb_array_elements(p_effects) e);
BEGIN
    -- For the keys that the history refers to; nobody who only changes a person waits for this.
    PERFORM FROM member m WHERE m.community_id = p_book AND m.member_id IN (
        SELECT unnest(ARRAY[x.payer_id, x.helper_id]) FROM exchange x
         WHERE x.community_id = p_book AND x.exchange_id = ANY(v_exchanges)
    ) ORDER BY m.member_id FOR KEY SHARE;
    PERFORM FROM exchange x WHERE x.community_id = p_book AND x.exchange_id = ANY(v_exchanges)
      ORDER BY x.exchange_id FOR NO KEY UPDATE;
    RETURN (
        SELECT array_agg(CASE
            WHEN x.exchange_id IS NULL THEN 'exchange.not_found'
            WHEN u.e ->> 'verb' = 'confirm' AND (u.e ->> 'actor')::uuid IS DISTINCT FROM x.payer_id
              OR u.e ->> 'verb' = 'withdraw' AND NOT coalesce((u.e ->> 'actor')::uuid IN (x.payer_id, x.helper_id), false)
                THEN 'exchange.not_yours'
            WHEN NOT CASE u.e ->> 'verb'
                WHEN 'confirm' THEN x.state IN ('accepted', 'done', 'disputed')
                WHEN 'lapse' THEN x.state = 'done' AND x.due_at <= p_now
                WHEN 'withdraw' THEN x.state = 'accepted'
                WHEN 'expire' THEN x.state = 'accepted' AND x.due_at <= p_now
                ELSE false
            END THEN 'exchange.moved_on'
        END ORDER BY u.j)
          FROM jsonb_array_elements(p_effects) WITH ORDINALITY u(e, j)
          LEFT JOIN exchange x ON x.community_id = p_book AND x.exchange_id = (u.e ->> 'exchange')::uuid
    );
END
$$;
REVOKE ALL ON FUNCTION exchange_settle_lock FROM PUBLIC;
GRANT EXECUTE ON FUNCTION exchange_settle_lock TO linli_app;

CREATE FUNCTION exchange_settle_write(
    p_book bigint, p_now timestamptz, p_reference text[], p_journal_id bigint[], p_effects jsonb
) RETURNS void
    LANGUAGE sql VOLATILE
    SET search_path = public, pg_temp
AS $$
    WITH asked AS (
        SELECT (e ->> 'exchange')::uuid AS exchange_id, e ->> 'verb' AS verb, (e ->> 'actor')::uuid AS actor_id,
               e ->> 'request_id' AS request_id,
               CASE e ->> 'verb' WHEN 'withdraw' THEN 'withdrawn' WHEN 'expire' THEN 'expired' ELSE 'confirmed' END AS state
          FROM jsonb_array_elements(p_effects) e
    ), settled AS (
        UPDATE exchange x
           SET state = a.state, changed_at = p_now, due_at = NULL, revision = x.revision + 1,
               paid_minutes = CASE a.state WHEN 'confirmed' THEN x.minutes END
          FROM asked a WHERE x.community_id = p_book AND x.exchange_id = a.exchange_id
        RETURNING x.exchange_id, x.revision, x.payer_id, x.helper_id, x.minutes, a.verb, a.state, a.actor_id, a.request_id
    ), events AS (
        INSERT INTO exchange_event (community_id, exchange_id, revision, verb, state, at, actor_id)
        SELECT p_book, exchange_id, revision, verb, state, p_now, actor_id FROM settled
    ), audited AS (
        INSERT INTO audit (community_id, at, action, actor_id, object_kind, object_id, detail, request_id)
        SELECT p_book, p_now, 'exchange.' || state, actor_id, 'exchange', exchange_id::text,
               jsonb_build_object('minutes', minutes), request_id FROM settled
    )
    -- Everybody hears of it but whoever did it.
    INSERT INTO outbox (community_id, fact, payload, recorded_at)
    SELECT p_book, CASE s.state WHEN 'confirmed' THEN 'ExchangeConfirmed' ELSE 'ExchangeReturned' END,
           jsonb_build_object('community_id', p_book, 'exchange_id', s.exchange_id, 'member_id', r.member_id, 'minutes', s.minutes),
           p_now
      FROM settled s CROSS JOIN LATERAL (VALUES (s.payer_id), (s.helper_id)) r(member_id)
     WHERE r.member_id IS DISTINCT FROM s.actor_id
$$;
REVOKE ALL ON FUNCTION exchange_settle_write FROM PUBLIC;
GRANT EXECUTE ON FUNCTION exchange_settle_write TO linli_app;
