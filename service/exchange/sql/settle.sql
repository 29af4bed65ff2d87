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
