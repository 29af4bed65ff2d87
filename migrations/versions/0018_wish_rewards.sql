ALTER TABLE wish ADD COLUMN reward_hold UUID;

-- What was promised is set aside now, the oldest promise first. A promise that its budget no longer covers could not have
-- been kept; it is taken out of the wish, and the wish's history says so.
DO $$
DECLARE
    w record;
    v_hold uuid;
    v_code text;
BEGIN
    FOR w IN SELECT * FROM wish
              WHERE reward_points > 0 AND state IN ('approved', 'claimed', 'served', 'disputed')
              ORDER BY community_id, approved_at, wish_id LOOP
        v_hold := gen_random_uuid();
        v_code := (ledger.post(w.community_id, 'wish:' || w.wish_id || ':reward:kept:' || v_hold, 'wish_reward',
            ARRAY[ROW('hold', 'budget:' || replace(w.reward_budget::text, '-', ''), NULL, 'point', 100 * w.reward_points, v_hold,
                      NULL)::ledger.step], NULL, NULL, NULL, (SELECT b.at FROM ledger.book b WHERE b.community_id = w.community_id))).code;
        IF v_code = 'posted' THEN
            UPDATE wish SET reward_hold = v_hold WHERE community_id = w.community_id AND wish_id = w.wish_id;
        ELSIF v_code = 'ledger.insufficient_balance' THEN
            UPDATE wish SET reward_points = 0, reward_budget = NULL, revision = revision + 1
             WHERE community_id = w.community_id AND wish_id = w.wish_id;
            INSERT INTO wish_event (community_id, wish_id, revision, verb, state_before, state_after, at, volunteer_id, note)
            VALUES (w.community_id, w.wish_id, w.revision + 1, 'appraise', w.state, w.state, w.changed_at, w.volunteer_id,
                    '预算不够，原来说好的奖励没有了');
        ELSE
            RAISE EXCEPTION 'the reward of wish % cannot be set aside: %', w.wish_id, v_code;
        END IF;
    END LOOP;
END $$;

ALTER TABLE wish
    ADD CONSTRAINT uq_wish_reward_hold UNIQUE (community_id, reward_hold),
    ADD CONSTRAINT ck_wish_reward_hold CHECK (
        (reward_hold IS NOT NULL)
        = (reward_points > 0 AND state = ANY (ARRAY['approved'::text, 'claimed'::text, 'served'::text, 'disputed'::text])));
DROP INDEX ix_wish_budget;
