-- A row of uses whose receipts nobody read waits for somebody to look.

ALTER TABLE redemption.alarm DROP CONSTRAINT ck_alarm_rule;
ALTER TABLE redemption.alarm ADD CONSTRAINT ck_alarm_rule CHECK (rule IN ('outside_hours', 'too_fast', 'member_often', 'day_unusual', 'typed_much', 'unread', 'denied')) NOT VALID;
ALTER TABLE redemption.alarm VALIDATE CONSTRAINT ck_alarm_rule;

-- Uses that stand too far back in a row of receipts that nobody read. Whoever runs this library knows who read what and says which;
-- what a batch has, was flagged so before, or is another shop's is passed over.
CREATE FUNCTION redemption.flag_unread(
    p_community bigint, p_merchant uuid, p_vouchers bigint[], p_seqs int[], p_places bigint[], p_allowed bigint, p_now timestamptz
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_count bigint;
BEGIN
    PERFORM FROM redemption.merchant m WHERE m.community_id = p_community AND m.merchant_id = p_merchant FOR NO KEY UPDATE;
    INSERT INTO redemption.alarm (community_id, voucher_id, use_seq, rule, merchant_id, state, seen, allowed, raised_at)
    SELECT p_community, u.voucher_id, u.seq, 'unread', p_merchant, 'OPEN', f.place, p_allowed, p_now
      FROM unnest(p_vouchers, p_seqs, p_places) f (voucher_id, seq, place)
      JOIN redemption.use u ON u.community_id = p_community AND u.voucher_id = f.voucher_id AND u.seq = f.seq
       AND u.merchant_id = p_merchant AND u.state = 'ACCEPTED'
        ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS v_count = ROW_COUNT;
    RETURN redemption.said('done', jsonb_build_object('raised', v_count));
END $$;

REVOKE ALL ON FUNCTION redemption.flag_unread FROM PUBLIC;
GRANT EXECUTE ON FUNCTION redemption.flag_unread TO linli_app;

-- Off where a community is there already: no release begins to keep a shop's money back by itself.
INSERT INTO setting (community_id, name, effective_from, revision, value, set_at)
SELECT c.community_id, 'watch_unread_in_a_row', DATE '2000-01-01', 1, 0, c.founded_at FROM community c
    ON CONFLICT ON CONSTRAINT pk_setting DO NOTHING;
