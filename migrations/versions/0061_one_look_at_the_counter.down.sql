-- As it was.

-- Who holds this session now. Nobody when it ended, ran out, or the person left.
CREATE OR REPLACE FUNCTION desk_clerk(p_community bigint, p_token_hash bytea, p_now timestamptz, OUT member_id uuid, OUT household_id uuid)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT m.member_id, m.household_id
      FROM public.session s
      JOIN public.member m ON m.community_id = s.community_id AND m.member_id = s.member_id
     WHERE s.community_id = p_community AND s.token_hash = p_token_hash
       AND s.ended_at IS NULL AND s.expires_at > p_now AND m.closed_at IS NULL
$$;

-- The shops this person serves at today.
CREATE OR REPLACE FUNCTION desk_shops(p_community bigint, p_member uuid, p_day date) RETURNS uuid[]
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(array_agg(DISTINCT r.organisation_id), '{}')
      FROM public.member_role r
      JOIN public.organisation o ON o.community_id = r.community_id AND o.organisation_id = r.organisation_id AND o.closed_at IS NULL
     WHERE r.community_id = p_community AND r.member_id = p_member AND r.role IN ('clerk', 'merchant_owner')
       AND r.from_on <= p_day AND (r.until_on IS NULL OR r.until_on > p_day)
$$;

-- The audit line and the fact of an accepted scan, in its own transaction.
CREATE OR REPLACE FUNCTION desk_accept(p_community bigint, p_clerk uuid, p_shop uuid, p_use jsonb, p_request_id text, p_now timestamptz) RETURNS void
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO public.audit (community_id, at, action, actor_id, on_behalf_of, object_kind, object_id, detail, request_id)
    VALUES (p_community, p_now, 'vouchers.redeemed', p_clerk, NULL, 'voucher', p_use ->> 'voucher_id',
            jsonb_build_object('shop', replace(p_shop::text, '-', ''), 'seq', p_use -> 'seq', 'points', p_use -> 'points'), p_request_id);
    INSERT INTO public.outbox (community_id, fact, payload, recorded_at)
    VALUES (p_community, 'VoucherRedeemed', jsonb_build_object(
                'community_id', p_community, 'voucher_id', p_use -> 'voucher_id', 'member_id', p_use -> 'member_id', 'merchant_id', p_shop),
            p_now)
$$;

-- One scan. Python has looked at the code's seal already: p_fault is 'forged', 'stale', 'revoked' or 'malformed'. What is malformed
-- has told its guesser nothing and is not counted, nor is a paper whose key was withdrawn: its holder did no wrong.
-- A typed code comes as p_typed. p_asked is a digest of what was scanned, to tell a repeated scan from a reused number.
-- Answers with state ok, used, refused or question and a code; whoever may not redeem gets a code of the kit and no state.
CREATE OR REPLACE FUNCTION redeem_at_desk(
    p_community bigint, p_token_hash bytea, p_device uuid, p_nonce uuid, p_shop uuid, p_voucher_id bigint, p_code_seq integer,
    p_typed text, p_fault text, p_asked bytea, p_quantity integer, p_scanned_at timestamptz, p_day date, p_day_began timestamptz,
    p_request_id text, p_now timestamptz
) RETURNS jsonb
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_clerk record;
    v_shops uuid[];
    v_shop uuid;
    v_voucher_id bigint := p_voucher_id;
    v_first record;
    v_minutes bigint;
    v_voucher redemption.voucher;
    v_quantity integer := coalesce(p_quantity, 1);
    v redemption.verdict;
BEGIN
    SELECT c.* INTO v_clerk FROM public.desk_clerk(p_community, p_token_hash, p_now) c;
    IF v_clerk.member_id IS NULL THEN
        RETURN '{"code": "kit.not_signed_in"}';
    END IF;
    v_shops := public.desk_shops(p_community, v_clerk.member_id, p_day);
    v_shop := coalesce(p_shop, CASE cardinality(v_shops) WHEN 1 THEN v_shops[1] END);
    IF cardinality(v_shops) = 0 OR v_shop <> ALL (v_shops) THEN
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

    v_first := public.desk_first_answer(p_community, p_device, p_nonce, v_shops, p_asked, v_voucher_id, v_clerk.member_id, p_now);
    IF v_first.differs THEN
        RETURN public.desk_answer(p_community, 'refused', 'vouchers.scan_number_reused', NULL, v_shop, p_day_began);
    ELSIF v_first.refused IS NOT NULL THEN
        RETURN v_first.refused;
    ELSIF v_first.shop IS NOT NULL THEN
        RETURN public.desk_answer(p_community, 'ok', 'vouchers.redeemed', (v_first.accepted).detail, v_first.shop, p_day_began);
    END IF;
    v_minutes := public.desk_locked_for(p_community, v_clerk.member_id, p_device, p_day, p_now);
    IF v_minutes IS NOT NULL THEN
        RETURN jsonb_build_object('state', 'refused', 'code', 'vouchers.too_many_invalid_scans', 'minutes', v_minutes);
    ELSIF p_fault IS NOT NULL OR v_voucher_id IS NULL THEN
        RETURN public.desk_refuse(p_community, p_device, p_nonce, v_clerk.member_id, p_asked, coalesce(p_fault, 'unknown'),
                                  public.desk_answer(p_community, 'refused', 'vouchers.scan_' || coalesce(p_fault, 'unknown'), NULL, v_shop, p_day_began),
                                  coalesce(p_fault, 'unknown') NOT IN ('malformed', 'revoked'), p_now);
    END IF;

    IF p_quantity IS NULL THEN
        SELECT * INTO v_voucher FROM redemption.voucher x WHERE x.community_id = p_community AND x.voucher_id = v_voucher_id;
        v := redemption.redeem_refusal(v_voucher, p_code_seq, v_shop, v_clerk.household_id, v_clerk.member_id, 1, p_now);
        IF v.code IS NULL AND redemption.open_quantity(v_voucher) > 1 THEN
            RETURN jsonb_build_object('state', 'question', 'code', 'vouchers.scan_how_many', 'open', redemption.open_quantity(v_voucher));
        END IF;
    END IF;
    v := redemption.redeem(p_community, p_device, p_nonce, v_voucher_id, p_code_seq, v_shop, v_clerk.household_id, v_clerk.member_id,
                           v_quantity, p_scanned_at, p_now);
    IF v.code IN ('redeemed', 'replayed') THEN
        PERFORM public.desk_accept(p_community, v_clerk.member_id, v_shop, v.detail, p_request_id, p_now);
        RETURN public.desk_answer(p_community, 'ok', 'vouchers.redeemed', v.detail, v_shop, p_day_began);
    END IF;
    RETURN public.desk_refuse(p_community, p_device, p_nonce, v_clerk.member_id, p_asked, v.code,
                              public.desk_answer(p_community, CASE v.code WHEN 'used' THEN 'used' ELSE 'refused' END, 'vouchers.scan_' || v.code,
                                                 v.detail, v_shop, p_day_began),
                              v.code = 'unknown', p_now);
END $$;

REVOKE ALL ON FUNCTION desk_clerk, desk_shops FROM PUBLIC;
