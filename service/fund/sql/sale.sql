-- Before the head (ledger.post_with): locks the deliveries and rates that the sales will refer to, in sorted order, and refuses
-- a line whose rate does not hold on its day. What is read here nobody changes: a rate is agreed before its first day.
CREATE OR REPLACE FUNCTION fund_sale_lock(p_book bigint, p_now timestamptz, p_reference text[], p_effects jsonb) RETURNS text[]
    LANGUAGE plpgsql VOLATILE
    SET search_path = public, pg_temp
AS $$
BEGIN
    PERFORM FROM fund_delivery d
      WHERE d.community_id = p_book
        AND (d.organisation_id, d.delivery_id) IN (
            SELECT (e ->> 'shop')::uuid, (e ->> 'delivery')::uuid FROM jsonb_array_elements(p_effects) e)
      ORDER BY d.organisation_id, d.delivery_id FOR KEY SHARE;
    PERFORM FROM fund_rate r
      WHERE r.community_id = p_book
        AND (r.organisation_id, r.rate_id) IN (
            SELECT (e ->> 'shop')::uuid, (e ->> 'rate')::uuid FROM jsonb_array_elements(p_effects) e)
      ORDER BY r.organisation_id, r.rate_id FOR KEY SHARE;
    RETURN (
        SELECT array_agg(CASE WHEN r.rate_id IS NULL THEN 'fund.no_rate' END ORDER BY u.j)
          FROM jsonb_array_elements(p_effects) WITH ORDINALITY u(e, j)
          LEFT JOIN fund_rate r ON r.community_id = p_book AND r.organisation_id = (u.e ->> 'shop')::uuid
               AND r.rate_id = (u.e ->> 'rate')::uuid AND r.state = 'agreed' AND r.effective_from <= (u.e ->> 'day')::date);
END
$$;

-- Under the head: the lines. Nobody else writes them, and what they refer to is locked already.
CREATE OR REPLACE FUNCTION fund_sale_write(
    p_book bigint, p_now timestamptz, p_reference text[], p_journal bigint[], p_effects jsonb
) RETURNS void
    LANGUAGE sql VOLATILE
    SET search_path = public, pg_temp
AS $$
    INSERT INTO fund_sale (community_id, organisation_id, number, sold_on, sales, amount_fen, gift_fen, rate_id, delivery_id,
                           journal_id, received_at)
    SELECT p_book, (u.e ->> 'shop')::uuid, u.e ->> 'number', (u.e ->> 'day')::date, (u.e ->> 'sales')::integer,
           (u.e ->> 'amount')::bigint, (u.e ->> 'gift')::bigint, (u.e ->> 'rate')::uuid, (u.e ->> 'delivery')::uuid,
           p_journal[u.j], p_now
      FROM jsonb_array_elements(p_effects) WITH ORDINALITY u(e, j)
$$;
REVOKE ALL ON FUNCTION fund_sale_lock, fund_sale_write FROM PUBLIC;
GRANT EXECUTE ON FUNCTION fund_sale_lock, fund_sale_write TO linli_app;
