DO $$
DECLARE
    w record;
    v_code text;
BEGIN
    FOR w IN SELECT * FROM wish WHERE reward_hold IS NOT NULL ORDER BY community_id, wish_id LOOP
        v_code := (ledger.post(w.community_id, 'wish:' || w.wish_id || ':reward:let go:' || w.reward_hold, 'wish_reward',
            ARRAY[ROW('release', NULL, NULL, NULL, NULL, w.reward_hold, NULL)::ledger.step], NULL, NULL, NULL, (SELECT b.at FROM ledger.book b WHERE b.community_id = w.community_id))).code;
        IF v_code <> 'posted' THEN
            RAISE EXCEPTION 'the reward of wish % cannot be let go: %', w.wish_id, v_code;
        END IF;
    END LOOP;
END $$;
ALTER TABLE wish
    DROP CONSTRAINT ck_wish_reward_hold,
    DROP CONSTRAINT uq_wish_reward_hold,
    DROP COLUMN reward_hold;
CREATE INDEX ix_wish_budget ON wish (community_id, reward_budget)
 WHERE state = ANY (ARRAY['posted'::text, 'approved'::text, 'returned'::text, 'claimed'::text, 'served'::text, 'disputed'::text]);
