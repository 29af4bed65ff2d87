-- The counter: one call from a clerk's phone authenticates, authorises, redeems and answers. The parts are used by it alone.

-- Who holds these sessions now, and the shops they serve at today. Nobody when it ended, ran out, or the person left.
CREATE OR REPLACE FUNCTION desk_clerks(
    p_community bigint, p_token_hash bytea[], p_day date, p_now timestamptz, OUT place bigint, OUT member_id uuid, OUT household_id uuid, OUT shops uuid[]
) RETURNS SETOF record
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
BEGIN
    RETURN QUERY
    SELECT u.place, m.member_id, m.household_id,
           ARRAY(SELECT DISTINCT r.organisation_id
                   FROM public.member_role r
                   JOIN public.organisation o ON o.community_id = r.community_id AND o.organisation_id = r.organisation_id AND o.closed_at IS NULL
                  WHERE r.community_id = p_community AND r.member_id = m.member_id AND r.role IN ('clerk', 'merchant_owner')
                    AND r.from_on <= p_day AND (r.until_on IS NULL OR r.until_on > p_day))
      FROM unnest(p_token_hash) WITH ORDINALITY u (token_hash, place)
     CROSS JOIN LATERAL (SELECT x.member_id, x.household_id
                           FROM public.session s
                           JOIN public.member x ON x.community_id = s.community_id AND x.member_id = s.member_id
                          WHERE s.community_id = p_community AND s.token_hash = u.token_hash
                            AND s.ended_at IS NULL AND s.expires_at > p_now AND x.closed_at IS NULL LIMIT 1) m;
END $$;

-- For how many minutes the counter looks back, when this person or this phone has shown too many invalid codes; NULL when not.
CREATE OR REPLACE FUNCTION desk_locked_for(p_community bigint, p_member uuid, p_device uuid, p_day date, p_now timestamptz) RETURNS bigint
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH dated AS (
        SELECT DISTINCT ON (s.name) s.name, s.value
          FROM public.setting s
         WHERE s.community_id = p_community AND s.name IN ('invalid_scans_max', 'invalid_scans_minutes') AND s.effective_from <= p_day
         ORDER BY s.name, s.effective_from DESC, s.revision DESC
    ), bounds AS (
        SELECT (SELECT d.value FROM dated d WHERE d.name = 'invalid_scans_max') AS most,
               (SELECT d.value FROM dated d WHERE d.name = 'invalid_scans_minutes') AS minutes
    )
    SELECT b.minutes FROM bounds b
     WHERE greatest(
        (SELECT count(*) FROM public.scan_refusal f
          WHERE f.community_id = p_community AND f.member_id = p_member AND f.is_invalid
            AND f.refused_at > p_now - make_interval(mins => b.minutes::int)),
        (SELECT count(*) FROM public.scan_refusal f
          WHERE f.community_id = p_community AND f.device_id = p_device AND f.is_invalid
            AND f.refused_at > p_now - make_interval(mins => b.minutes::int))) >= b.most
$$;

-- What the result screen shows of some scans. A voucher's owner is known there by the tail of the card number only.
CREATE OR REPLACE FUNCTION desk_answers(p_community bigint, p_state text, p_code text, p_details jsonb[], p_shops uuid[]) RETURNS jsonb[]
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
BEGIN
    RETURN (
        SELECT array_agg(
                   CASE WHEN a.shop IS NOT NULL THEN
                       jsonb_build_object('state', p_state, 'code', p_code, 'shop_id', a.shop)
                       || CASE WHEN a.detail IS NULL THEN '{}'::jsonb ELSE jsonb_build_object(
                              'voucher_id', a.detail -> 'voucher_id', 'seq', a.detail -> 'seq', 'title', a.detail -> 'title',
                              'points', a.detail -> 'points', 'subsidy_points', a.detail -> 'subsidy_points', 'cash_fen', a.detail -> 'cash_fen',
                              'quantity', a.detail -> 'quantity', 'open', a.detail -> 'open', 'received_at', a.detail -> 'received_at',
                              'expires_at', a.detail -> 'expires_at', 'used_at_shop', o.name, 'card_tail', right(m.card_no, 4)) END
                   END ORDER BY a.place)
          FROM unnest(p_details, p_shops) WITH ORDINALITY a (detail, shop, place)
          LEFT JOIN LATERAL (SELECT x.name FROM public.organisation x
                              WHERE x.community_id = p_community AND x.organisation_id = (a.detail ->> 'merchant_id')::uuid LIMIT 1) o ON true
          LEFT JOIN LATERAL (SELECT x.card_no FROM public.member x
                              WHERE x.community_id = p_community AND x.member_id = (a.detail ->> 'member_id')::uuid LIMIT 1) m ON true);
END $$;

CREATE OR REPLACE FUNCTION desk_answer(p_community bigint, p_state text, p_code text, p_detail jsonb, p_shop uuid) RETURNS jsonb
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (public.desk_answers(p_community, p_state, p_code, ARRAY[p_detail], ARRAY[p_shop]))[1];
END $$;

-- The first answer to this scan, if it had one: an accepted use stands in redemption, a refusal in scan_refusal.
-- Both are locked: a repeated answer may leave only when the first one's commit is as safe as a commit of ours.
CREATE OR REPLACE FUNCTION desk_first_answer(
    p_community bigint, p_device uuid, p_nonce uuid, p_shops uuid[], p_asked bytea, p_voucher_id bigint, p_clerk uuid, p_now timestamptz,
    OUT refused jsonb, OUT accepted redemption.verdict, OUT shop uuid, OUT differs boolean
)
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_use record;
    v_asked bytea;
BEGIN
    differs := false;
    SELECT f.answer, f.asked INTO refused, v_asked FROM public.scan_refusal f
     WHERE f.community_id = p_community AND f.device_id = p_device AND f.nonce = p_nonce FOR UPDATE;
    IF FOUND THEN
        differs := v_asked <> p_asked;
        RETURN;
    END IF;
    SELECT u.voucher_id, u.merchant_id, u.quantity INTO v_use FROM redemption.use u
     WHERE u.community_id = p_community AND u.device_id = p_device AND u.nonce = p_nonce;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    shop := v_use.merchant_id;
    -- A rotating code may be too old by now, so that nothing of it can be read: the scan's number alone finds its answer.
    differs := shop <> ALL (p_shops) OR v_use.voucher_id <> coalesce(p_voucher_id, v_use.voucher_id);
    IF NOT differs THEN
        accepted := redemption.redeem(p_community, p_device, p_nonce, v_use.voucher_id, NULL, shop, NULL, p_clerk, v_use.quantity, p_now, p_now);
    END IF;
END $$;

CREATE OR REPLACE FUNCTION desk_refuse(
    p_community bigint, p_device uuid, p_nonce uuid, p_member uuid, p_asked bytea, p_code text, p_answer jsonb, p_is_invalid boolean,
    p_now timestamptz
) RETURNS jsonb
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO public.scan_refusal (community_id, device_id, nonce, member_id, asked, code, answer, is_invalid, refused_at)
    VALUES (p_community, p_device, p_nonce, p_member, p_asked, p_code, p_answer, p_is_invalid, p_now)
    RETURNING answer
$$;

-- The audit lines and the facts of accepted scans, in their own transaction.
CREATE OR REPLACE FUNCTION desk_accept(
    p_community bigint, p_clerk uuid[], p_shop uuid[], p_use jsonb[], p_request_id text[], p_now timestamptz
) RETURNS void
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    WITH fact AS (
        INSERT INTO public.outbox (community_id, fact, payload, recorded_at)
        SELECT p_community, 'VoucherRedeemed', jsonb_build_object(
                   'community_id', p_community, 'voucher_id', a.use -> 'voucher_id', 'member_id', a.use -> 'member_id', 'merchant_id', a.shop,
                   'seq', a.use -> 'seq'),
               p_now
          FROM unnest(p_shop, p_use) WITH ORDINALITY a (shop, use, place)
         WHERE a.use IS NOT NULL ORDER BY a.place
    )
    INSERT INTO public.audit (community_id, at, action, actor_id, on_behalf_of, object_kind, object_id, detail, request_id)
    SELECT p_community, p_now, 'vouchers.redeemed', a.clerk, NULL, 'voucher', a.use ->> 'voucher_id',
           jsonb_build_object('shop', replace(a.shop::text, '-', ''), 'seq', a.use -> 'seq', 'points', a.use -> 'points'), a.request_id
      FROM unnest(p_clerk, p_shop, p_use, p_request_id) WITH ORDINALITY a (clerk, shop, use, request_id, place)
     WHERE a.use IS NOT NULL ORDER BY a.place;
END $$;

-- One scan. Python has looked at the code's seal already: p_fault is 'forged', 'stale', 'revoked' or 'malformed'. What is malformed
-- has told its guesser nothing and is not counted, nor is a paper whose key was withdrawn: its holder did no wrong.
-- A typed code comes as p_typed. p_asked is a digest of what was scanned, to tell a repeated scan from a reused number.
-- Answers with state ok, used, refused or question and a code; whoever may not redeem gets a code of the kit and no state.
CREATE OR REPLACE FUNCTION redeem_at_desk(
    p_community bigint, p_token_hash bytea, p_device uuid, p_nonce uuid, p_shop uuid, p_voucher_id bigint, p_code_seq integer,
    p_typed text, p_fault text, p_asked bytea, p_quantity integer, p_scanned_at timestamptz, p_day date,
    p_request_id text, p_now timestamptz
) RETURNS jsonb
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_clerk record;
    v_shop uuid;
    v_seen record;
    v_voucher_id bigint := p_voucher_id;
    v_first record;
    v_minutes bigint;
    v_voucher redemption.voucher;
    v_quantity integer := coalesce(p_quantity, 1);
    v redemption.verdict;
BEGIN
    SELECT c.* INTO v_clerk FROM public.desk_clerks(p_community, ARRAY[p_token_hash], p_day, p_now) c;
    IF v_clerk.member_id IS NULL THEN
        RETURN '{"code": "kit.not_signed_in"}';
    END IF;
    v_shop := coalesce(p_shop, CASE cardinality(v_clerk.shops) WHEN 1 THEN v_clerk.shops[1] END);
    IF cardinality(v_clerk.shops) = 0 OR v_shop <> ALL (v_clerk.shops) THEN
        RETURN '{"code": "kit.not_allowed"}';
    ELSIF v_shop IS NULL THEN
        RETURN '{"code": "vouchers.choose_shop"}';
    END IF;
    -- One scan of a person and of a phone at a time: a repeated request waits for the first, and guesses are counted one by one.
    PERFORM pg_advisory_xact_lock(hashtextextended('linli.scan.member:' || p_community || ':' || v_clerk.member_id, 0));
    PERFORM pg_advisory_xact_lock(hashtextextended('linli.scan.device:' || p_community || ':' || p_device, 0));
    IF p_typed IS NOT NULL THEN
        v_voucher_id := redemption.voucher_by_code(p_community, p_typed);
    END IF;

    -- Nearly always this scan is new and nobody has erred lately: one look says so. invalid_scans_minutes is a day at most.
    SELECT EXISTS (SELECT FROM public.scan_refusal f WHERE f.community_id = p_community AND f.device_id = p_device AND f.nonce = p_nonce)
        OR EXISTS (SELECT FROM redemption.use u WHERE u.community_id = p_community AND u.device_id = p_device AND u.nonce = p_nonce) AS it,
           EXISTS (SELECT FROM public.scan_refusal f
                    WHERE f.community_id = p_community AND f.member_id = v_clerk.member_id AND f.is_invalid AND f.refused_at > p_now - interval '1 day')
        OR EXISTS (SELECT FROM public.scan_refusal f
                    WHERE f.community_id = p_community AND f.device_id = p_device AND f.is_invalid AND f.refused_at > p_now - interval '1 day') AS errors
      INTO v_seen;
    IF v_seen.it THEN
        v_first := public.desk_first_answer(p_community, p_device, p_nonce, v_clerk.shops, p_asked, v_voucher_id, v_clerk.member_id, p_now);
        IF v_first.differs THEN
            RETURN public.desk_answer(p_community, 'refused', 'vouchers.scan_number_reused', NULL, v_shop);
        ELSIF v_first.refused IS NOT NULL THEN
            RETURN v_first.refused;
        END IF;
        RETURN public.desk_answer(p_community, 'ok', 'vouchers.redeemed', (v_first.accepted).detail, v_first.shop);
    END IF;
    IF v_seen.errors THEN
        v_minutes := public.desk_locked_for(p_community, v_clerk.member_id, p_device, p_day, p_now);
    END IF;
    IF v_minutes IS NOT NULL THEN
        RETURN jsonb_build_object('state', 'refused', 'code', 'vouchers.too_many_invalid_scans', 'minutes', v_minutes);
    ELSIF p_fault IS NOT NULL OR v_voucher_id IS NULL THEN
        RETURN public.desk_refuse(p_community, p_device, p_nonce, v_clerk.member_id, p_asked, coalesce(p_fault, 'unknown'),
                                  public.desk_answer(p_community, 'refused', 'vouchers.scan_' || coalesce(p_fault, 'unknown'), NULL, v_shop),
                                  coalesce(p_fault, 'unknown') NOT IN ('malformed', 'revoked'), p_now);
    END IF;

    IF p_quantity IS NULL THEN
        SELECT * INTO v_voucher FROM redemption.voucher x WHERE x.community_id = p_community AND x.voucher_id = v_voucher_id;
        IF v_voucher.quantity_total > 1 AND redemption.open_quantity(v_voucher) > 1 THEN
            v := redemption.redeem_refusal(v_voucher, p_code_seq, v_shop, v_clerk.household_id, v_clerk.member_id, 1, p_now);
            IF v.code IS NULL THEN
                RETURN jsonb_build_object('state', 'question', 'code', 'vouchers.scan_how_many', 'open', redemption.open_quantity(v_voucher));
            END IF;
        END IF;
    END IF;
    v := redemption.redeem(p_community, p_device, p_nonce, v_voucher_id, p_code_seq, v_shop, v_clerk.household_id, v_clerk.member_id,
                           v_quantity, p_scanned_at, p_now);
    IF v.code IN ('redeemed', 'replayed') THEN
        PERFORM public.desk_accept(p_community, ARRAY[v_clerk.member_id], ARRAY[v_shop], ARRAY[v.detail], ARRAY[p_request_id], p_now);
        RETURN public.desk_answer(p_community, 'ok', 'vouchers.redeemed', v.detail, v_shop);
    END IF;
    RETURN public.desk_refuse(p_community, p_device, p_nonce, v_clerk.member_id, p_asked, v.code,
                              public.desk_answer(p_community, CASE v.code WHEN 'used' THEN 'used' ELSE 'refused' END, 'vouchers.scan_' || v.code,
                                                 v.detail, v_shop),
                              v.code = 'unknown', p_now);
END $$;

-- Many scans of one piece each, of phones that waited for each other anyway. Answers, in the order asked, what was redeemed; about
-- whatever else there is to say of a scan it is silent (NULL), and redeem_at_desk is asked about it. Code, seal and minute were
-- looked at, and nobody typed. No phone and no voucher comes twice.
CREATE OR REPLACE FUNCTION redeem_many_at_desk(
    p_community bigint, p_token_hash bytea[], p_device uuid[], p_nonce uuid[], p_shop uuid[], p_voucher_id bigint[], p_code_seq integer[],
    p_quantity integer[], p_scanned_at timestamptz[], p_day date, p_request_id text[], p_now timestamptz
) RETURNS jsonb[]
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off AS $$
DECLARE
    v_clerk uuid[] := array_fill(NULL::uuid, ARRAY[cardinality(p_nonce)]);
    v_household uuid[] := v_clerk;
    v_shop uuid[] := v_clerk;
    v_voucher_id bigint[] := p_voucher_id;
    v_use jsonb[];
    v_one record;
    v_chosen uuid;
BEGIN
    FOR v_one IN SELECT * FROM public.desk_clerks(p_community, p_token_hash, p_day, p_now) LOOP
        v_chosen := coalesce(p_shop[v_one.place], CASE cardinality(v_one.shops) WHEN 1 THEN v_one.shops[1] END);
        IF v_chosen = ANY (v_one.shops) THEN
            v_clerk[v_one.place] := v_one.member_id;
            v_household[v_one.place] := v_one.household_id;
            v_shop[v_one.place] := v_chosen;
        END IF;
    END LOOP;
    -- The locks of redeem_at_desk in its order: people before phones. Each kind sorted, for there are several of it.
    PERFORM pg_advisory_xact_lock(x.key)
       FROM (SELECT DISTINCT hashtextextended('linli.scan.member:' || p_community || ':' || u.clerk, 0) AS key
               FROM unnest(v_clerk) u (clerk) WHERE u.clerk IS NOT NULL ORDER BY 1 OFFSET 0) x;
    PERFORM pg_advisory_xact_lock(x.key)
       FROM (SELECT DISTINCT hashtextextended('linli.scan.device:' || p_community || ':' || u.device, 0) AS key
               FROM unnest(p_device, v_clerk) u (device, clerk) WHERE u.clerk IS NOT NULL ORDER BY 1 OFFSET 0) x;
    -- What was asked before, whoever has erred lately, and how many are meant of several: these are looked at alone.
    SELECT array_agg(CASE WHEN u.clerk IS NOT NULL
                           AND NOT EXISTS (SELECT FROM public.scan_refusal f
                                            WHERE f.community_id = p_community AND f.device_id = u.device AND f.nonce = u.nonce)
                           AND NOT EXISTS (SELECT FROM public.scan_refusal f
                                            WHERE f.community_id = p_community AND f.member_id = u.clerk AND f.is_invalid
                                              AND f.refused_at > p_now - interval '1 day')
                           AND NOT EXISTS (SELECT FROM public.scan_refusal f
                                            WHERE f.community_id = p_community AND f.device_id = u.device AND f.is_invalid
                                              AND f.refused_at > p_now - interval '1 day')
                           AND (u.quantity = 1 OR (u.quantity IS NULL AND EXISTS (
                                   SELECT FROM redemption.voucher x
                                    WHERE x.community_id = p_community AND x.voucher_id = u.voucher_id
                                      AND (x.quantity_total = 1 OR redemption.open_quantity(x) = 1))))
                          THEN u.voucher_id END ORDER BY u.place)
      INTO v_voucher_id
      FROM unnest(p_device, p_nonce, p_voucher_id, p_quantity, v_clerk) WITH ORDINALITY u (device, nonce, voucher_id, quantity, clerk, place);
    v_use := redemption.redeem_many(p_community, p_device, p_nonce, v_voucher_id, p_code_seq, v_shop, v_household, v_clerk, p_scanned_at, p_now);
    PERFORM public.desk_accept(p_community, v_clerk, v_shop, v_use, p_request_id, p_now);
    RETURN (
        SELECT array_agg(CASE WHEN u.use IS NOT NULL THEN u.answer END ORDER BY u.place)
          FROM unnest(v_use, public.desk_answers(p_community, 'ok', 'vouchers.redeemed', v_use, v_shop)) WITH ORDINALITY u (use, answer, place));
END $$;
