-- What a scan is answered says nothing of the day, and a batch waits for no voucher that somebody else holds.

DROP FUNCTION desk_answer, desk_answers, redeem_at_desk, redeem_many_at_desk, redeem_static_at_desk;

-- service/vouchers/sql/desk.sql
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

-- service/vouchers/sql/static.sql
-- Codes that do not change, printed or typed: whoever finds the paper can show it. So above a value the clerk compares the name, and a
-- member's vouchers are used by such codes only up to a value in a day.

-- What a community says of this on a day: 0 for the most of a day is no limit.
CREATE OR REPLACE FUNCTION static_terms(p_community bigint, p_day date, OUT compare_fen bigint, OUT day_fen bigint)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(max(d.value) FILTER (WHERE d.name = 'voucher_compare_fen'), 1000),
           coalesce(max(d.value) FILTER (WHERE d.name = 'voucher_static_fen_per_day'), 5000)
      FROM (SELECT DISTINCT ON (s.name) s.name, s.value
              FROM public.setting s
             WHERE s.community_id = p_community AND s.name IN ('voucher_compare_fen', 'voucher_static_fen_per_day') AND s.effective_from <= p_day
             ORDER BY s.name, s.effective_from DESC, s.revision DESC) d
$$;

-- What a member's vouchers were used for today by codes that do not change, those that came from phones without a network among them.
CREATE OR REPLACE FUNCTION static_fen_today(p_community bigint, p_member uuid, p_day_began timestamptz) RETURNS bigint
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce((SELECT sum(s.fen)
                       FROM public.static_use s
                       JOIN redemption.use u ON u.community_id = s.community_id AND u.device_id = s.device_id AND u.nonce = s.nonce
                      WHERE s.community_id = p_community AND s.member_id = p_member AND s.used_at >= p_day_began AND u.state <> 'REVERSED'), 0)::bigint
         + coalesce((SELECT sum(o.value_fen)
                       FROM redemption.voucher v
                       JOIN redemption.use u ON u.community_id = v.community_id AND u.voucher_id = v.voucher_id AND u.state <> 'REVERSED'
                       JOIN redemption.offline_record o ON o.community_id = u.community_id AND o.device_id = u.device_id AND o.nonce = u.nonce
                      WHERE v.community_id = p_community AND v.member_id = p_member AND v.changed_at >= p_day_began AND v.offline_class = 2
                        AND o.scanned_at >= p_day_began), 0)::bigint
$$;

-- One scan of a code that does not change. All rules of redeem_at_desk come first and by itself; what it took is undone when these two
-- say no, and a question leaves nothing behind, so that the same scan is asked again once the name was compared.
CREATE OR REPLACE FUNCTION redeem_static_at_desk(
    p_community bigint, p_token_hash bytea, p_device uuid, p_nonce uuid, p_shop uuid, p_voucher_id bigint, p_code_seq integer,
    p_typed text, p_fault text, p_asked bytea, p_quantity integer, p_scanned_at timestamptz, p_day date,
    p_request_id text, p_now timestamptz, p_is_compared boolean, p_day_began timestamptz
) RETURNS jsonb
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_voucher redemption.voucher;
    v_use redemption.use;
    v_terms record;
    v_fen bigint;
    v_answer jsonb;
    v_code text;
BEGIN
    SELECT * INTO v_voucher FROM redemption.voucher v
     WHERE v.community_id = p_community AND v.voucher_id = coalesce(p_voucher_id, redemption.voucher_by_code(p_community, p_typed));
    -- A member's papers go one after the other, so that two of them shown at two shops at once are both counted.
    IF v_voucher.voucher_id IS NOT NULL THEN
        PERFORM pg_advisory_xact_lock(hashtextextended('linli.static:' || p_community || ':' || v_voucher.member_id, 0));
    END IF;
    BEGIN
        v_answer := public.redeem_at_desk(p_community, p_token_hash, p_device, p_nonce, p_shop, p_voucher_id, p_code_seq, p_typed, p_fault,
                                          p_asked, p_quantity, p_scanned_at, p_day, p_request_id, p_now);
        IF v_answer ->> 'state' IS DISTINCT FROM 'ok'
           OR EXISTS (SELECT FROM public.static_use s WHERE s.community_id = p_community AND s.device_id = p_device AND s.nonce = p_nonce) THEN
            RETURN v_answer;
        END IF;
        SELECT * INTO STRICT v_use FROM redemption.use u
         WHERE u.community_id = p_community AND u.device_id = p_device AND u.nonce = p_nonce;
        -- An answer from before, to a code of the phone perhaps: it stands.
        IF v_use.received_at <> p_now THEN
            RETURN v_answer;
        END IF;
        v_terms := public.static_terms(p_community, p_day);
        v_fen := redemption.value_fen(v_voucher) * v_use.quantity;
        IF v_terms.day_fen > 0 AND public.static_fen_today(p_community, v_voucher.member_id, p_day_began) + v_fen > v_terms.day_fen THEN
            v_code := 'static_day';
            RAISE EXCEPTION 'too much of a day by codes that do not change' USING ERRCODE = 'LS001';
        ELSIF p_typed IS NULL AND v_fen > v_terms.compare_fen AND NOT p_is_compared THEN
            v_code := 'compare';
            RAISE EXCEPTION 'the name was not compared' USING ERRCODE = 'LS001';
        END IF;
        INSERT INTO public.static_use (community_id, device_id, nonce, member_id, used_at, fen, is_typed, is_compared)
        VALUES (p_community, p_device, p_nonce, v_voucher.member_id, p_now, v_fen, p_typed IS NOT NULL, p_is_compared);
        RETURN v_answer;
    EXCEPTION WHEN SQLSTATE 'LS001' THEN
        NULL; -- What was taken is back; v_answer and v_code say what it was.
    END;
    v_answer := jsonb_build_object('shop_id', v_answer -> 'shop_id', 'title', v_answer -> 'title', 'points', v_answer -> 'points',
                                   'subsidy_points', v_answer -> 'subsidy_points', 'cash_fen', v_answer -> 'cash_fen',
                                   'quantity', v_answer -> 'quantity', 'card_tail', v_answer -> 'card_tail', 'code', 'vouchers.scan_' || v_code);
    IF v_code = 'compare' THEN
        RETURN v_answer || '{"state": "question"}';
    END IF;
    RETURN public.desk_refuse(p_community, p_device, p_nonce, v_use.clerk_id, p_asked, v_code,
                              v_answer || jsonb_build_object('state', 'refused', 'day_fen', v_terms.day_fen), false, p_now);
END $$;

-- Many scans at once, of one piece each: what a counter may plainly use is paid and written by a few statements for all of them.
--
-- The same rules as redemption.redeem, by the same functions. About whatever is not plain, a repeated scan and every refusal
-- among it, this is silent: redemption.redeem then looks into that scan alone. Returns what was used, NULL for the others, in
-- the order asked. Of two scans of one voucher or of one device only the first is looked at.
CREATE OR REPLACE FUNCTION redemption.redeem_many(
    p_community bigint, p_device uuid[], p_nonce uuid[], p_voucher_id bigint[], p_code_seq int[], p_merchant uuid[],
    p_owner_group_of_clerk uuid[], p_clerk uuid[], p_scanned_at timestamptz[], p_now timestamptz
) RETURNS jsonb[]
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_hashjoin = off
    SET enable_mergejoin = off
    SET jit = off
AS $$
DECLARE
    v_held bigint[];
    v_plain int[];
    v_moving int[];
    v_counts int[];
    v_credit text[];
    v_unit text[];
    v_amount bigint[];
    v_hold uuid[];
    v_posted record;
    v_journals bigint[] := array_fill(NULL::bigint, ARRAY[cardinality(p_voucher_id)]);
    v_details jsonb[];
    v_written bigint;
BEGIN
    -- As everywhere: the vouchers first, in the order of their numbers, the head of the book last. One that somebody else holds is not
    -- waited for: its scan waits alone.
    v_held := ARRAY(SELECT v.voucher_id FROM redemption.voucher v
                     WHERE v.community_id = p_community AND v.voucher_id = ANY (p_voucher_id)
                     ORDER BY v.voucher_id FOR NO KEY UPDATE SKIP LOCKED);

    WITH asked AS MATERIALIZED (
        SELECT u.*, row_number() OVER (PARTITION BY u.voucher_id ORDER BY u.j) AS of_voucher, row_number() OVER (PARTITION BY u.device_id ORDER BY u.j) AS of_device
          FROM unnest(p_device, p_nonce, p_voucher_id, p_code_seq, p_merchant, p_owner_group_of_clerk, p_clerk)
               WITH ORDINALITY u (device_id, nonce, voucher_id, code_seq, merchant_id, owner_group, clerk_id, j)
    ), plain AS MATERIALIZED (
        SELECT a.j::int AS j, redemption.capture_steps(v.voucher, 1, a.merchant_id) AS steps
          FROM asked a
         CROSS JOIN LATERAL (SELECT x AS voucher FROM redemption.voucher x
                              WHERE x.community_id = p_community AND x.voucher_id = a.voucher_id LIMIT 1) v
         WHERE a.voucher_id = ANY (v_held) AND a.of_voucher = 1 AND a.of_device = 1 AND a.code_seq IS NOT NULL
           AND NOT EXISTS (SELECT FROM redemption.use u
                            WHERE u.community_id = p_community AND u.device_id = a.device_id AND u.nonce = a.nonce)
           AND NOT EXISTS (SELECT FROM redemption.offline_record o
                            WHERE o.community_id = p_community AND o.device_id = a.device_id AND o.nonce = a.nonce)
           AND NOT EXISTS (SELECT FROM redemption.device d
                            WHERE d.community_id = p_community AND d.device_id = a.device_id
                              AND (d.revoked_at IS NOT NULL OR d.merchant_id <> a.merchant_id))
           AND (redemption.redeem_refusal(v.voucher, a.code_seq, a.merchant_id, a.owner_group, a.clerk_id, 1, p_now, a.device_id)).code IS NULL
    ), step AS MATERIALIZED (
        SELECT p.j, s.credit, s.unit, s.amount, s.hold_id, s.place
          FROM plain p CROSS JOIN LATERAL unnest(p.steps) WITH ORDINALITY s (kind, debit, credit, unit, amount, hold_id, expires_at, place)
    )
    SELECT (SELECT array_agg(p.j ORDER BY p.j) FROM plain p),
           (SELECT array_agg(p.j ORDER BY p.j) FROM plain p WHERE cardinality(p.steps) > 0),
           (SELECT array_agg(cardinality(p.steps) ORDER BY p.j) FROM plain p WHERE cardinality(p.steps) > 0),
           array_agg(s.credit ORDER BY s.j, s.place), array_agg(s.unit ORDER BY s.j, s.place),
           array_agg(s.amount ORDER BY s.j, s.place), array_agg(s.hold_id ORDER BY s.j, s.place)
      INTO v_plain, v_moving, v_counts, v_credit, v_unit, v_amount, v_hold
      FROM step s;
    IF v_plain IS NULL THEN
        RETURN array_fill(NULL::jsonb, ARRAY[cardinality(p_voucher_id)]);
    END IF;

    -- A browser becomes a device by its first scan.
    INSERT INTO redemption.device (community_id, device_id, kind, registered_by, registered_at)
    SELECT p_community, p_device[g.j], 'browser', p_clerk[g.j], p_now FROM unnest(v_plain) g (j) ORDER BY p_device[g.j]
        ON CONFLICT DO NOTHING;

    IF v_moving IS NOT NULL THEN
        SELECT b.codes, b.journal_ids INTO v_posted
          FROM ledger.post_batch(
                   p_community, p_now,
                   ARRAY(SELECT 'redemption.use:' || p_device[g.j] || ':' || p_nonce[g.j] FROM unnest(v_moving) WITH ORDINALITY g (j, n) ORDER BY g.n),
                   array_fill('voucher_used'::text, ARRAY[cardinality(v_moving)]),
                   ARRAY(SELECT p_clerk[g.j] FROM unnest(v_moving) WITH ORDINALITY g (j, n) ORDER BY g.n),
                   array_fill(NULL::uuid, ARRAY[cardinality(v_moving)]), array_fill(p_now, ARRAY[cardinality(v_moving)]),
                   array_fill(NULL::text, ARRAY[cardinality(v_moving)]), v_counts,
                   array_fill('capture'::text, ARRAY[cardinality(v_hold)]), array_fill(NULL::text, ARRAY[cardinality(v_hold)]),
                   v_credit, v_unit, v_amount, v_hold, array_fill(NULL::timestamptz, ARRAY[cardinality(v_hold)])) b;
        FOR i IN 1..cardinality(v_moving) LOOP
            IF v_posted.codes[i] = 'posted' THEN
                v_journals[v_moving[i]] := v_posted.journal_ids[i];
            ELSE
                v_plain := array_remove(v_plain, v_moving[i]);
            END IF;
        END LOOP;
    END IF;

    WITH changed AS (
        UPDATE redemption.voucher v
           SET quantity_used = v.quantity_used + 1, use_seq = v.use_seq + 1, event_seq = v.event_seq + 1, changed_at = p_now,
               state = CASE WHEN redemption.open_quantity(v) = 1 THEN 'USED' ELSE 'PART_USED' END
          FROM unnest(v_plain) g (j)
         CROSS JOIN LATERAL (SELECT x.community_id, x.voucher_id, x.state FROM redemption.voucher x
                              WHERE x.community_id = p_community AND x.voucher_id = p_voucher_id[g.j] LIMIT 1) was
         WHERE v.community_id = was.community_id AND v.voucher_id = was.voucher_id
           AND v.state IN ('ISSUED', 'PART_USED') AND redemption.open_quantity(v) >= 1
        RETURNING g.j, v AS voucher, was.state AS from_state
    ), made AS (
        INSERT INTO redemption.use AS u (community_id, voucher_id, seq, device_id, nonce, merchant_id, clerk_id, quantity,
                                         points, subsidy_points, payable_fen, cash_fen, code_seq, state, scanned_at, received_at, journal_id)
        SELECT p_community, (c.voucher).voucher_id, (c.voucher).use_seq, p_device[c.j], p_nonce[c.j], p_merchant[c.j], p_clerk[c.j], 1,
               (c.voucher).points_each, (c.voucher).subsidy_points_each, (c.voucher).payable_fen_each, (c.voucher).cash_fen_each,
               p_code_seq[c.j], 'ACCEPTED', p_scanned_at[c.j], p_now, v_journals[c.j]
          FROM changed c ORDER BY c.j
        RETURNING u.voucher_id, u AS use
    ), noted AS (
        INSERT INTO redemption.voucher_event (community_id, voucher_id, number, action, from_state, to_state, actor_id, reason, at)
        SELECT p_community, (c.voucher).voucher_id, (c.voucher).event_seq, 'redeem', c.from_state, (c.voucher).state, p_clerk[c.j], 'scanned', p_now
          FROM changed c
    ), told AS (
        SELECT c.j, redemption.use_detail(c.voucher, m.use) AS detail
          FROM changed c JOIN made m ON m.voucher_id = (c.voucher).voucher_id
    )
    SELECT array_agg(t.detail ORDER BY g.j), count(t.detail) INTO v_details, v_written
      FROM generate_series(1, cardinality(p_voucher_id)) g (j) LEFT JOIN told t ON t.j = g.j;
    IF v_written <> cardinality(v_plain) THEN
        -- Paid, and not written: cannot be, the vouchers are held. The whole batch is undone, and each is asked alone.
        RAISE EXCEPTION 'a voucher that was held has changed' USING ERRCODE = 'LR001';
    END IF;
    RETURN v_details;
END $$;

REVOKE ALL ON FUNCTION desk_answer, desk_answers, redeem_at_desk, redeem_many_at_desk, redeem_static_at_desk FROM PUBLIC;
GRANT EXECUTE ON FUNCTION redeem_at_desk, redeem_many_at_desk, redeem_static_at_desk TO linli_app;
