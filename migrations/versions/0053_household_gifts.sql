-- Gifts within a household.

CREATE TABLE exchange_gift (
    community_id BIGINT NOT NULL,
    gift_id UUID NOT NULL,
    giver_id UUID NOT NULL,
    receiver_id UUID NOT NULL,
    minutes INTEGER NOT NULL,
    note TEXT NOT NULL,
    given_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_exchange_gift PRIMARY KEY (community_id, gift_id),
    CONSTRAINT ck_exchange_gift_two CHECK (giver_id <> receiver_id),
    CONSTRAINT ck_exchange_gift_minutes CHECK (minutes BETWEEN 1 AND 10000),
    CONSTRAINT ck_exchange_gift_note CHECK (length(note) <= 200),
    CONSTRAINT fk_exchange_gift_giver FOREIGN KEY(community_id, giver_id) REFERENCES member (community_id, member_id),
    CONSTRAINT fk_exchange_gift_receiver FOREIGN KEY(community_id, receiver_id) REFERENCES member (community_id, member_id)
);
CREATE INDEX ix_exchange_gift_giver ON exchange_gift (community_id, giver_id, given_at, gift_id);
CREATE INDEX ix_exchange_gift_receiver ON exchange_gift (community_id, receiver_id, given_at, gift_id);

GRANT SELECT, INSERT ON exchange_gift TO linli_app;
GRANT SELECT ON exchange_gift TO linli_audit;

-- Communities that were founded before get the values that a new one starts with.
INSERT INTO setting (community_id, name, effective_from, revision, value, set_at)
SELECT c.community_id, s.name, DATE '2000-01-01', 1, s.value, c.founded_at
  FROM community c
 CROSS JOIN (VALUES ('exchange_gift_minutes_max', 300), ('exchange_gift_minutes_per_month_max', 600)) AS s (name, value)
    ON CONFLICT ON CONSTRAINT pk_setting DO NOTHING;

-- service/exchange/sql/give.sql
-- A gift within one household: minutes of one are another's. See ledger/sql/post_with.sql for what the two functions are.
--
-- Effect: gift, giver, receiver, minutes, note, month_from (the community's month), month_max (minutes that one may give away in
-- it), request_id. Months are counted under the giver's row.
CREATE FUNCTION exchange_give_lock(p_book bigint, p_now timestamptz, p_reference text[], p_effects jsonb) RETURNS text[]
    LANGUAGE plpgsql VOLATILE
    SET search_path = public, pg_temp
AS $$
BEGIN
    PERFORM FROM member m WHERE m.community_id = p_book AND m.member_id IN (
        SELECT (e ->> 'giver')::uuid FROM jsonb_array_elements(p_effects) e
         UNION ALL SELECT (e ->> 'receiver')::uuid FROM jsonb_array_elements(p_effects) e
    ) ORDER BY m.member_id FOR NO KEY UPDATE;
    RETURN (
        SELECT array_agg(CASE
            WHEN g.member_id IS NULL OR r.member_id IS NULL OR g.household_id IS DISTINCT FROM r.household_id
              OR g.household_id IS NULL THEN 'exchange.not_kin'
            WHEN g.closed_at IS NOT NULL OR r.closed_at IS NOT NULL THEN 'exchange.person_gone'
            WHEN EXISTS (SELECT FROM jsonb_array_elements(p_effects) WITH ORDINALITY v(e, j)
                          WHERE v.j < u.j AND v.e ->> 'giver' = u.e ->> 'giver') THEN 'exchange.again'
            WHEN (u.e ->> 'minutes')::bigint + (
                SELECT coalesce(sum(x.minutes), 0) FROM exchange_gift x
                 WHERE x.community_id = p_book AND x.giver_id = g.member_id
                   AND x.given_at >= (u.e ->> 'month_from')::timestamptz
            ) > (u.e ->> 'month_max')::bigint THEN 'exchange.over_gifts'
        END ORDER BY u.j)
          FROM jsonb_array_elements(p_effects) WITH ORDINALITY u(e, j)
          LEFT JOIN member g ON g.community_id = p_book AND g.member_id = (u.e ->> 'giver')::uuid
          LEFT JOIN member r ON r.community_id = p_book AND r.member_id = (u.e ->> 'receiver')::uuid
    );
END
$$;
REVOKE ALL ON FUNCTION exchange_give_lock FROM PUBLIC;
GRANT EXECUTE ON FUNCTION exchange_give_lock TO linli_app;

CREATE FUNCTION exchange_give_write(
    p_book bigint, p_now timestamptz, p_reference text[], p_journal_id bigint[], p_effects jsonb
) RETURNS void
    LANGUAGE sql VOLATILE
    SET search_path = public, pg_temp
AS $$
    WITH given AS (
        INSERT INTO exchange_gift (community_id, gift_id, giver_id, receiver_id, minutes, note, given_at)
        SELECT p_book, (e ->> 'gift')::uuid, (e ->> 'giver')::uuid, (e ->> 'receiver')::uuid, (e ->> 'minutes')::integer,
               e ->> 'note', p_now
          FROM jsonb_array_elements(p_effects) e
    ), audited AS (
        INSERT INTO audit (community_id, at, action, actor_id, object_kind, object_id, detail, request_id)
        SELECT p_book, p_now, 'exchange.given', (e ->> 'giver')::uuid, 'exchange_gift', e ->> 'gift',
               jsonb_build_object('minutes', (e ->> 'minutes')::integer), e ->> 'request_id'
          FROM jsonb_array_elements(p_effects) e
    )
    INSERT INTO outbox (community_id, fact, payload, recorded_at)
    SELECT p_book, 'GiftReceived',
           jsonb_build_object('community_id', p_book, 'member_id', e ->> 'receiver', 'minutes', (e ->> 'minutes')::integer), p_now
      FROM jsonb_array_elements(p_effects) e
$$;
REVOKE ALL ON FUNCTION exchange_give_write FROM PUBLIC;
GRANT EXECUTE ON FUNCTION exchange_give_write TO linli_app;
