-- Vouchers on paper: printed in batches, and a batch voided as a whole.

-- Prints these vouchers, in this order, each under a new code: whatever was shown or printed of them before is dead.
-- Those that cannot be used now are left out. p_short_codes has one for each voucher.
-- Vouchers are locked in the order of their ids, as everywhere.
CREATE FUNCTION redemption.print_batch(
    p_community bigint, p_batch uuid, p_vouchers bigint[], p_short_codes text[], p_key_number int, p_reason text, p_actor uuid, p_now timestamptz
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb := jsonb_build_object('vouchers', to_jsonb(p_vouchers));
    v_before redemption.verdict;
    v_usable bigint[];
    v_detail jsonb;
BEGIN
    PERFORM FROM redemption.voucher v
      WHERE v.community_id = p_community AND v.voucher_id = ANY (p_vouchers) ORDER BY v.voucher_id FOR NO KEY UPDATE;
    v_before := redemption.remembered(p_community, p_batch, 'print', v_request);
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    END IF;
    v_usable := ARRAY(
        SELECT w.voucher_id FROM unnest(p_vouchers) WITH ORDINALITY AS w (voucher_id, place)
          JOIN redemption.voucher v ON v.community_id = p_community AND v.voucher_id = w.voucher_id
         WHERE v.state IN ('ISSUED', 'PART_USED') AND v.expires_at > p_now
         GROUP BY w.voucher_id ORDER BY min(w.place));
    IF cardinality(v_usable) = 0 THEN
        RETURN redemption.said('nothing_to_print');
    ELSIF EXISTS (SELECT FROM redemption.voucher v WHERE v.community_id = p_community AND v.short_code = ANY (p_short_codes)) THEN
        RETURN redemption.said('code_taken');
    END IF;
    INSERT INTO redemption.paper_batch (community_id, batch_id, papers, key_number, printed_by, printed_at)
    VALUES (p_community, p_batch, cardinality(v_usable), p_key_number, p_actor, p_now);
    PERFORM redemption.renew_codes(p_community, v_usable, p_short_codes, p_reason, p_actor, p_now);
    INSERT INTO redemption.paper (community_id, batch_id, number, voucher_id, code_seq)
    SELECT p_community, p_batch, w.place, v.voucher_id, v.code_seq
      FROM unnest(v_usable) WITH ORDINALITY AS w (voucher_id, place)
      JOIN redemption.voucher v ON v.community_id = p_community AND v.voucher_id = w.voucher_id;
    v_detail := jsonb_build_object('batch_id', p_batch, 'papers', cardinality(v_usable));
    PERFORM redemption.remember(p_community, p_batch, 'print', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;

-- New codes for many vouchers at once. The caller holds their locks.
CREATE FUNCTION redemption.renew_codes(
    p_community bigint, p_vouchers bigint[], p_short_codes text[], p_reason text, p_actor uuid, p_now timestamptz
) RETURNS void
    LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    WITH renewed AS (
        UPDATE redemption.voucher v
           SET code_seq = v.code_seq + 1, short_code = w.short_code, event_seq = v.event_seq + 1, changed_at = p_now
          FROM unnest(p_vouchers, p_short_codes[1:cardinality(p_vouchers)]) AS w (voucher_id, short_code)
         WHERE v.community_id = p_community AND v.voucher_id = w.voucher_id
        RETURNING v.voucher_id, v.event_seq, v.state
    )
    INSERT INTO redemption.voucher_event (community_id, voucher_id, number, action, from_state, to_state, actor_id, reason, at)
    SELECT p_community, r.voucher_id, r.event_seq, 'renew_code', r.state, r.state, p_actor, p_reason, p_now FROM renewed r
$$;

-- Every paper of a batch is dead at once; the vouchers themselves stay as they are. p_short_codes has one for each paper.
-- A batch comes before its vouchers, and nothing else locks a batch.
CREATE FUNCTION redemption.void_batch(
    p_community bigint, p_key uuid, p_batch uuid, p_short_codes text[], p_reason text, p_actor uuid, p_now timestamptz
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb := jsonb_build_object('batch', p_batch);
    v_batch redemption.paper_batch;
    v_before redemption.verdict;
    v_live bigint[];
    v_detail jsonb;
BEGIN
    SELECT * INTO v_batch FROM redemption.paper_batch b
     WHERE b.community_id = p_community AND b.batch_id = p_batch FOR NO KEY UPDATE;
    v_before := redemption.remembered(p_community, p_key, 'void_batch', v_request);
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    ELSIF v_batch.batch_id IS NULL THEN
        RETURN redemption.said('batch_unknown');
    ELSIF v_batch.voided_at IS NOT NULL THEN
        RETURN redemption.said('batch_voided', jsonb_build_object('voided_at', v_batch.voided_at));
    ELSIF coalesce(p_reason, '') = '' THEN
        RETURN redemption.said('reason_missing');
    END IF;
    PERFORM FROM redemption.voucher v
      WHERE v.community_id = p_community
        AND v.voucher_id IN (SELECT p.voucher_id FROM redemption.paper p WHERE p.community_id = p_community AND p.batch_id = p_batch)
      ORDER BY v.voucher_id FOR NO KEY UPDATE;
    -- What is over has no live paper; what was printed again since has one that this batch does not know.
    v_live := ARRAY(
        SELECT v.voucher_id FROM redemption.paper p
          JOIN redemption.voucher v ON v.community_id = p.community_id AND v.voucher_id = p.voucher_id AND v.code_seq = p.code_seq
         WHERE p.community_id = p_community AND p.batch_id = p_batch
           AND v.state NOT IN ('USED', 'CANCELLED', 'EXPIRED', 'VOID')
         ORDER BY p.number);
    IF EXISTS (SELECT FROM redemption.voucher v WHERE v.community_id = p_community AND v.short_code = ANY (p_short_codes)) THEN
        RETURN redemption.said('code_taken');
    END IF;
    PERFORM redemption.renew_codes(p_community, v_live, p_short_codes, p_reason, p_actor, p_now);
    UPDATE redemption.paper_batch b SET voided_by = p_actor, voided_at = p_now, void_reason = p_reason
     WHERE b.community_id = p_community AND b.batch_id = p_batch;
    v_detail := jsonb_build_object('batch_id', p_batch, 'papers', cardinality(v_live));
    PERFORM redemption.remember(p_community, p_key, 'void_batch', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;

REVOKE ALL ON FUNCTION redemption.print_batch, redemption.renew_codes, redemption.void_batch FROM PUBLIC;
GRANT EXECUTE ON FUNCTION redemption.print_batch, redemption.void_batch TO linli_app;
