-- Moves the money of a use back, and puts all that is open then into fresh escrow: old rest out, merchant to payer, new hold in.
CREATE OR REPLACE FUNCTION redemption.reversal_steps(p_old redemption.voucher, p_new redemption.voucher, p_use redemption.use) RETURNS ledger.step[]
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT redemption.release_steps(p_old)
        || (SELECT coalesce(array_agg(ROW('post', redemption.account('merchant', p_use.merchant_id), part.credit, part.unit, part.amount, NULL, NULL)::ledger.step
                                      ORDER BY part.n), '{}')
              FROM (VALUES
                (1, redemption.account('member', p_old.member_id), 'point', 100 * p_use.points),
                (2, redemption.account('budget', p_old.sponsor_id), 'point', 100 * p_use.subsidy_points),
                (3, redemption.account('budget', p_old.sponsor_id), 'fen', p_use.payable_fen)
              ) AS part (n, credit, unit, amount)
             WHERE part.amount > 0)
        || redemption.hold_steps(p_new, redemption.open_quantity(p_new))
$$;

-- Three independent sums over the same uses: what the uses say, what the vouchers' frozen prices say (the lines),
-- and what the ledger credited the merchant. Points in the ledger's hundredths.
CREATE OR REPLACE FUNCTION redemption.three_sums(p_community bigint, p_merchant uuid, p_uses redemption.use[]) RETURNS jsonb
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH taken AS (
        SELECT u.* FROM unnest(p_uses) u
    ), credited AS (
        SELECT t.unit, t.amount
          FROM taken u
          JOIN ledger.journal j ON j.community_id = p_community AND j.journal_id = u.journal_id
          JOIN ledger.transfer t ON t.community_id = p_community AND t.seq >= j.journal_id AND t.seq < j.journal_id + j.transfers
          JOIN ledger.account a ON a.community_id = p_community AND a.account_id = t.credit
           AND a.code = redemption.account('merchant', p_merchant)
    )
    SELECT jsonb_build_object(
        'uses', (SELECT jsonb_build_object('count', count(*), 'points', 100 * coalesce(sum(u.points + u.subsidy_points), 0),
                                           'fen', coalesce(sum(u.payable_fen), 0)) FROM taken u),
        'lines', (SELECT jsonb_build_object('count', count(*),
                                            'points', 100 * coalesce(sum(u.quantity * (v.points_each + v.subsidy_points_each)::bigint), 0),
                                            'fen', coalesce(sum(u.quantity * v.payable_fen_each), 0))
                    FROM taken u JOIN redemption.voucher v ON v.community_id = p_community AND v.voucher_id = u.voucher_id
                   WHERE NOT EXISTS (SELECT FROM redemption.settlement_line l
                                      WHERE l.community_id = p_community AND l.voucher_id = u.voucher_id AND l.use_seq = u.seq AND l.part = 0)),
        'ledger', jsonb_build_object(
            'points', (SELECT coalesce(sum(c.amount), 0) FROM credited c WHERE c.unit = 'point'),
            'fen', (SELECT coalesce(sum(c.amount), 0) FROM credited c WHERE c.unit = 'fen')))
$$;

-- Closes what the server received before p_until. The client's settlement id is the key.
CREATE OR REPLACE FUNCTION redemption.close_settlement(
    p_community bigint, p_settlement uuid, p_merchant uuid, p_until timestamptz, p_actor uuid, p_now timestamptz
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb := jsonb_build_object('merchant', p_merchant, 'until', redemption.micros(p_until));
    v_before redemption.verdict;
    v_merchant redemption.merchant;
    v_uses redemption.use[];
    v_sums jsonb;
    v redemption.settlement;
    v_detail jsonb;
BEGIN
    -- The merchant's row orders its batches; the uses are locked before they are summed, so no reversal slips between.
    SELECT * INTO v_merchant FROM redemption.merchant m
     WHERE m.community_id = p_community AND m.merchant_id = p_merchant FOR NO KEY UPDATE;
    v_before := redemption.remembered(p_community, p_settlement, 'close', v_request);
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    ELSIF v_merchant.merchant_id IS NULL THEN
        RETURN redemption.said('merchant_unknown');
    ELSIF p_actor IS NULL THEN
        RETURN redemption.said('actor_missing');
    ELSIF p_until > p_now OR p_until <= v_merchant.settled_until THEN
        RETURN redemption.said('period_wrong', jsonb_build_object('settled_until', v_merchant.settled_until));
    END IF;
    -- Exactly these uses: a scan that commits from here on belongs to the next batch, whatever its time says.
    v_uses := ARRAY(
        SELECT u FROM redemption.use u
         WHERE u.community_id = p_community AND u.merchant_id = p_merchant AND u.state = 'ACCEPTED' AND u.received_at < p_until
         ORDER BY u.voucher_id, u.seq FOR NO KEY UPDATE);
    IF cardinality(v_uses) = 0 THEN
        RETURN redemption.said('nothing_to_settle');
    END IF;
    v_sums := redemption.three_sums(p_community, p_merchant, v_uses);
    IF v_sums -> 'uses' IS DISTINCT FROM v_sums -> 'lines' OR (v_sums -> 'uses') - 'count' IS DISTINCT FROM v_sums -> 'ledger' THEN
        RETURN redemption.said('sums_differ', v_sums);
    END IF;

    SELECT p_community, p_settlement, p_merchant, v_merchant.settled_number + 1,
           least(v_merchant.settled_until, min(u.received_at)), p_until, 'CLOSED', count(*),
           sum(u.points), sum(u.subsidy_points), sum(u.payable_fen), sum(u.cash_fen)
      INTO v.community_id, v.settlement_id, v.merchant_id, v.number, v.received_from, v.received_until, v.state, v.line_count,
           v.points, v.subsidy_points, v.payable_fen, v.cash_fen
      FROM unnest(v_uses) u;
    v.previous_hash := coalesce(v_merchant.settled_hash, sha256(''));
    v.hash := ''::bytea;
    v.closed_by := p_actor;
    v.closed_at := p_now;
    INSERT INTO redemption.settlement SELECT v.*;
    PERFORM redemption.add_lines(v, v_uses);
    v.hash := redemption.settlement_hash(v);
    UPDATE redemption.settlement s SET hash = v.hash WHERE s.community_id = p_community AND s.settlement_id = p_settlement;
    UPDATE redemption.merchant m SET settled_number = v.number, settled_hash = v.hash, settled_until = p_until
     WHERE m.community_id = p_community AND m.merchant_id = p_merchant;
    v_detail := jsonb_build_object('settlement_id', p_settlement, 'number', v.number, 'sums', v_sums, 'line_count', v.line_count,
                                   'points', v.points + v.subsidy_points, 'payable_fen', v.payable_fen, 'hash', encode(v.hash, 'hex'));
    PERFORM redemption.remember(p_community, p_settlement, 'close', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;

DROP FUNCTION redemption.resolve_dispute;
DROP FUNCTION redemption.refund_use;
DROP FUNCTION redemption.carry_lines;
DROP FUNCTION redemption.counter_steps;

ALTER TABLE redemption.settlement_line
    DROP CONSTRAINT ck_settlement_line_kind,
    DROP CONSTRAINT ck_settlement_line_amounts,
    ADD CONSTRAINT ck_settlement_line_kind CHECK (kind IN ('use', 'adjustment')),
    ADD CONSTRAINT ck_settlement_line_amounts CHECK (
        kind <> 'use' OR (points >= 0 AND subsidy_points >= 0 AND payable_fen >= 0 AND cash_fen >= 0));
DROP INDEX redemption.ix_dispute_waiting;
ALTER TABLE redemption.dispute
    DROP CONSTRAINT ck_dispute_state,
    DROP CONSTRAINT ck_dispute_two_people,
    DROP CONSTRAINT ck_dispute_resolved,
    DROP CONSTRAINT ck_dispute_carried,
    DROP CONSTRAINT fk_dispute_carried,
    DROP CONSTRAINT uq_dispute_carried,
    DROP COLUMN carried_line_no,
    DROP COLUMN carried_settlement,
    DROP COLUMN resolution,
    ADD CONSTRAINT ck_dispute_state CHECK (state IN ('DISPUTED', 'UPHELD', 'REJECTED'));
