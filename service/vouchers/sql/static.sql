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
