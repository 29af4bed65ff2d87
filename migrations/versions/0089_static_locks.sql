-- How a counter got a lock is kept with it: what it kept by a printed code is asked about and counted when it is used.
CREATE TABLE static_lock (
    community_id bigint NOT NULL,
    lock_token uuid NOT NULL,
    voucher_id bigint NOT NULL,
    member_id uuid NOT NULL,
    is_compared boolean NOT NULL,
    locked_at timestamptz NOT NULL,
    CONSTRAINT pk_static_lock PRIMARY KEY (community_id, lock_token),
    CONSTRAINT fk_static_lock_member FOREIGN KEY (community_id, member_id) REFERENCES member (community_id, member_id)
);
GRANT SELECT ON static_lock TO linli_app, linli_audit;

-- service/vouchers/sql/kept.sql
-- What a counter keeps for two minutes: how its lock was got is kept with it, so that a code that does not change is asked about and counted.

-- A lock that was got by a code that does not change is told so, and whoever uses it is asked and counted then. Called in the
-- transaction that took the lock. What one piece of it would be refused or asked for is said now, while the paper is at hand, and nothing is
-- counted: a lock that is let go was no use.
CREATE OR REPLACE FUNCTION static_keep(
    p_community bigint, p_voucher_id bigint, p_token uuid, p_is_compared boolean, p_day date, p_day_began timestamptz, p_now timestamptz,
    OUT code text, OUT day_fen bigint
)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_voucher redemption.voucher;
    v_terms record;
BEGIN
    SELECT * INTO STRICT v_voucher FROM redemption.voucher v
     WHERE v.community_id = p_community AND v.voucher_id = p_voucher_id AND v.lock_token = p_token;
    v_terms := public.static_terms(p_community, p_day);
    day_fen := v_terms.day_fen;
    code := CASE
        WHEN v_terms.day_fen > 0
             AND public.static_fen_today(p_community, v_voucher.member_id, p_day_began) + redemption.value_fen(v_voucher) > v_terms.day_fen THEN 'static_day'
        WHEN redemption.value_fen(v_voucher) > v_terms.compare_fen AND NOT p_is_compared THEN 'compare'
        ELSE 'kept' END;
    INSERT INTO public.static_lock (community_id, lock_token, voucher_id, member_id, is_compared, locked_at)
    SELECT p_community, p_token, p_voucher_id, v_voucher.member_id, p_is_compared, p_now WHERE code = 'kept';
END $$;

-- Uses what a counter keeps. How the lock was got decides: by a code that does not change, it is asked about and counted as a scan of that code
-- would be, in the use's own transaction, and a no leaves the voucher kept.
CREATE OR REPLACE FUNCTION redeem_kept(
    p_community bigint, p_device uuid, p_nonce uuid, p_voucher_id bigint, p_merchant uuid, p_owner_group_of_clerk uuid, p_clerk uuid,
    p_quantity integer, p_token uuid, p_is_compared boolean, p_day date, p_day_began timestamptz, p_now timestamptz
) RETURNS redemption.verdict
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_lock public.static_lock;
    v_voucher redemption.voucher;
    v_terms record;
    v_fen bigint;
    v redemption.verdict;
    v_code text;
BEGIN
    SELECT * INTO v_lock FROM public.static_lock l WHERE l.community_id = p_community AND l.lock_token = p_token;
    -- A member's papers go one after the other, kept or not, and this lock comes before the voucher's everywhere.
    IF FOUND THEN
        PERFORM pg_advisory_xact_lock(hashtextextended('linli.static:' || p_community || ':' || v_lock.member_id, 0));
    END IF;
    BEGIN
        v := redemption.redeem_locked(p_community, p_device, p_nonce, p_voucher_id, NULL, p_merchant, p_owner_group_of_clerk, p_clerk,
                                      p_quantity, p_now, p_now, NULL, p_token, true);
        -- An answer from before stands, and was counted then.
        IF v_lock.lock_token IS NULL OR v.code <> 'redeemed' THEN
            RETURN v;
        END IF;
        SELECT * INTO STRICT v_voucher FROM redemption.voucher x WHERE x.community_id = p_community AND x.voucher_id = p_voucher_id;
        v_terms := public.static_terms(p_community, p_day);
        v_fen := redemption.value_fen(v_voucher) * p_quantity;
        IF v_terms.day_fen > 0 AND public.static_fen_today(p_community, v_lock.member_id, p_day_began) + v_fen > v_terms.day_fen THEN
            v_code := 'static_day';
            RAISE EXCEPTION 'too much of a day by codes that do not change' USING ERRCODE = 'LS001';
        ELSIF v_fen > v_terms.compare_fen AND NOT (p_is_compared OR v_lock.is_compared) THEN
            v_code := 'compare';
            RAISE EXCEPTION 'the name was not compared' USING ERRCODE = 'LS001';
        END IF;
        INSERT INTO public.static_use (community_id, device_id, nonce, member_id, used_at, fen, is_typed, is_compared)
        VALUES (p_community, p_device, p_nonce, v_lock.member_id, p_now, v_fen, false, p_is_compared OR v_lock.is_compared);
        RETURN v;
    EXCEPTION WHEN SQLSTATE 'LS001' THEN
        NULL; -- It is kept as before; v and v_code say what it would have been.
    END;
    SELECT * INTO STRICT v_voucher FROM redemption.voucher x WHERE x.community_id = p_community AND x.voucher_id = p_voucher_id;
    RETURN ROW(v_code, v.detail || jsonb_build_object('day_fen', v_terms.day_fen, 'until', v_voucher.lock_until))::redemption.verdict;
END $$;

REVOKE ALL ON FUNCTION static_keep, redeem_kept FROM PUBLIC;
GRANT EXECUTE ON FUNCTION static_keep, redeem_kept TO linli_app;
