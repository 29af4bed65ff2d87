-- Without locks nobody could let go of what is locked now.
SELECT redemption.move_voucher(v, 'ISSUED', NULL, 'unlock', NULL, NULL, 'lock_dropped', v.changed_at) FROM redemption.voucher v WHERE v.state = 'LOCKED';
UPDATE redemption.voucher SET frozen_state = 'ISSUED', lock_token = NULL, lock_until = NULL WHERE frozen_state = 'LOCKED';

DROP FUNCTION redemption.voucher_from_offer;
DROP FUNCTION redemption.lives_until;
DROP FUNCTION redemption.grace;
DROP FUNCTION redemption.escrow_refusal;
DROP FUNCTION redemption.issue_voucher;
DROP FUNCTION redemption.confirm_voucher;
DROP FUNCTION redemption.take_lock;
DROP FUNCTION redemption.let_go;
DROP FUNCTION redemption.release_lock;
DROP FUNCTION redemption.release_locks_due;
DROP FUNCTION redemption.redeem_locked;
DROP FUNCTION redemption.change_waiting;
DROP FUNCTION redemption.apply_change;
DROP FUNCTION redemption.propose_change;
DROP FUNCTION redemption.answer_change;
DROP TABLE redemption.change_answer;
DROP TABLE redemption.change_order;

-- Writes the voucher's new state and the line of its history. The caller holds the voucher's lock.
CREATE OR REPLACE FUNCTION redemption.move_voucher(
    p_voucher redemption.voucher, p_state text, p_frozen_state text, p_action text, p_actor uuid, p_on_behalf_of uuid, p_reason text, p_now timestamptz,
    p_second uuid DEFAULT NULL
) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE redemption.voucher v
       SET state = p_state, frozen_state = p_frozen_state, event_seq = v.event_seq + 1, changed_at = p_now,
           quantity_returned = v.quantity_returned
               + CASE WHEN p_state IN ('CANCELLED', 'EXPIRED', 'VOID') THEN redemption.open_quantity(v) ELSE 0 END
     WHERE v.community_id = p_voucher.community_id AND v.voucher_id = p_voucher.voucher_id;
    INSERT INTO redemption.voucher_event (community_id, voucher_id, number, action, from_state, to_state, actor_id, second_id, on_behalf_of, reason, at)
    VALUES (p_voucher.community_id, p_voucher.voucher_id, p_voucher.event_seq + 1, p_action, p_voucher.state, p_state,
            p_actor, p_second, p_on_behalf_of, p_reason, p_now);
END $$;

ALTER TABLE redemption.voucher DROP COLUMN lock_token, DROP COLUMN lock_until;

CREATE FUNCTION redemption.voucher_from_offer(
    p_offer redemption.offer, p_voucher_id bigint, p_short_code text, p_member uuid, p_owner_group uuid,
    p_quantity int, p_subsidy_points int, p_discount_class text, p_now timestamptz, p_grace_hours int
) RETURNS redemption.voucher
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v redemption.voucher;
BEGIN
    v.community_id := p_offer.community_id;
    v.voucher_id := p_voucher_id;
    v.offer_id := p_offer.offer_id;
    v.sponsor_id := p_offer.sponsor_id;
    v.member_id := p_member;
    v.owner_group := p_owner_group;
    v.short_code := p_short_code;
    v.state := 'ISSUED';
    v.quantity_total := p_quantity;
    v.quantity_used := 0;
    v.quantity_returned := 0;
    v.points_each := p_offer.price_points - p_subsidy_points;
    v.subsidy_points_each := p_subsidy_points;
    v.payable_fen_each := p_offer.payable_fen;
    v.cash_fen_each := p_offer.cash_fen;
    v.price_list_version := p_offer.price_list_version;
    v.discount_class := p_discount_class;
    v.offline_class := p_offer.offline_class;
    v.code_seq := 1;
    v.use_seq := 0;
    v.event_seq := 1;
    v.points_hold := CASE WHEN v.points_each > 0 THEN redemption.uuid_at(p_now) END;
    v.subsidy_hold := CASE WHEN v.subsidy_points_each > 0 THEN redemption.uuid_at(p_now) END;
    v.payable_hold := CASE WHEN v.payable_fen_each > 0 THEN redemption.uuid_at(p_now) END;
    v.issued_at := p_now;
    v.expires_at := greatest(p_now, p_offer.usable_from) + make_interval(hours => 24 * p_offer.voucher_days);
    v.due_at := v.expires_at + CASE WHEN p_offer.offline_class > 0 THEN make_interval(hours => p_grace_hours) ELSE interval '0' END;
    v.changed_at := p_now;
    RETURN v;
END $$;

-- p_tags is what the member is, in words that the caller chose and the offer may require; they are not kept.
-- Without a quantity the voucher has as many pieces as the offer says.
-- The grace for late uploads is the community's to say; who does not say it, as the release before did not, gets three days.
-- Offer first, ledger head last. The offer's lock also guards the stock and the member's cap.
CREATE FUNCTION redemption.issue_voucher(
    p_community bigint, p_key uuid, p_voucher_id bigint, p_short_code text, p_offer uuid, p_member uuid, p_owner_group uuid,
    p_quantity int, p_subsidy_points int, p_discount_class text, p_actor uuid, p_on_behalf_of uuid, p_now timestamptz, p_grace_hours int DEFAULT 72,
    p_tags text[] DEFAULT '{}'
) RETURNS redemption.verdict
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_request jsonb;
    v_quantity int;
    v_before redemption.verdict;
    v_offer redemption.offer;
    v_voucher redemption.voucher;
    v_posted ledger.verdict;
    v_detail jsonb := jsonb_build_object('voucher_id', p_voucher_id);
BEGIN
    SELECT * INTO v_offer FROM redemption.offer o
     WHERE o.community_id = p_community AND o.offer_id = p_offer FOR NO KEY UPDATE;
    v_quantity := coalesce(p_quantity, v_offer.pieces, 1);
    v_request := jsonb_build_object('offer', p_offer, 'member', p_member, 'quantity', v_quantity,
                                    'subsidy_points', p_subsidy_points, 'discount_class', p_discount_class);
    v_before := redemption.remembered(p_community, p_key, 'issue', v_request);
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    END IF;
    v_before := redemption.issue_refusal(v_offer, p_member, v_quantity, coalesce(p_subsidy_points, v_offer.subsidy_points), p_now, p_tags);
    IF v_before.code IS NOT NULL THEN
        RETURN v_before;
    END IF;
    IF EXISTS (SELECT FROM redemption.voucher v
                WHERE v.community_id = p_community AND (v.voucher_id = p_voucher_id OR v.short_code = p_short_code)) THEN
        RETURN redemption.said('code_taken');
    END IF;
    v_voucher := redemption.voucher_from_offer(v_offer, p_voucher_id, p_short_code, p_member, p_owner_group, v_quantity,
                                               coalesce(p_subsidy_points, v_offer.subsidy_points), p_discount_class, p_now, p_grace_hours);

    v_posted := redemption.post(p_community, 'redemption.issue:' || p_key, 'voucher_issued',
                                redemption.hold_steps(v_voucher, v_quantity), p_actor, p_on_behalf_of, p_now);
    IF v_posted.code = 'ledger.insufficient_balance' THEN
        RETURN redemption.said(CASE WHEN v_posted.detail ->> 'account' = redemption.account('member', p_member)
                                    THEN 'points_short' ELSE 'budget_short' END,
            v_posted.detail || jsonb_build_object(
                'missing_points', ceil(((v_posted.detail ->> 'asked')::numeric - (v_posted.detail ->> 'available')::numeric) / 100)));
    ELSIF v_posted.code <> 'posted' THEN
        RETURN redemption.said('ledger_refused', jsonb_build_object('ledger_code', v_posted.code, 'ledger', v_posted.detail));
    END IF;
    UPDATE redemption.offer o SET stock_taken = o.stock_taken + v_quantity
     WHERE o.community_id = p_community AND o.offer_id = p_offer;
    IF v_offer.period_cap IS NOT NULL THEN
        INSERT INTO redemption.offer_period AS p (community_id, offer_id, began_at, cap, taken)
        VALUES (p_community, p_offer, redemption.period_began(v_offer.period_cap_per, v_offer.time_zone, p_now), v_offer.period_cap, v_quantity)
            ON CONFLICT ON CONSTRAINT pk_offer_period DO UPDATE SET taken = p.taken + excluded.taken;
    END IF;
    INSERT INTO redemption.voucher SELECT v_voucher.*;
    INSERT INTO redemption.voucher_event (community_id, voucher_id, number, action, from_state, to_state, actor_id, on_behalf_of, reason, at)
    VALUES (p_community, p_voucher_id, 1, 'issue', NULL, 'ISSUED', p_actor, p_on_behalf_of, 'issued', p_now);
    PERFORM redemption.remember(p_community, p_key, 'issue', v_request, v_detail, p_actor, p_now);
    RETURN redemption.said('done', v_detail);
END $$;

REVOKE ALL ON FUNCTION redemption.voucher_from_offer, redemption.issue_voucher FROM PUBLIC;
GRANT EXECUTE ON FUNCTION redemption.issue_voucher TO linli_app;
