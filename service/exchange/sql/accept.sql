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
