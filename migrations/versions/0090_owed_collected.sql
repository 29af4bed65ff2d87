-- What is owed for vouchers used twice is collected by itself: who was told of how much, and what was taken.

CREATE TABLE debt_notice (
    community_id bigint NOT NULL,
    notice_id uuid NOT NULL,
    member_id uuid NOT NULL,
    told_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    hundredths bigint NOT NULL,
    collected bigint NOT NULL,
    tried_at timestamptz,
    ended_at timestamptz,
    objected_at timestamptz,
    objection text,
    CONSTRAINT pk_debt_notice PRIMARY KEY (community_id, notice_id),
    CONSTRAINT fk_debt_notice_member FOREIGN KEY (community_id, member_id) REFERENCES member (community_id, member_id),
    CONSTRAINT ck_debt_notice_collected CHECK (hundredths > 0 AND collected >= 0 AND collected <= hundredths),
    CONSTRAINT ck_debt_notice_due CHECK (due_at > told_at),
    CONSTRAINT ck_debt_notice_objection CHECK ((objected_at IS NULL) = (objection IS NULL))
);
CREATE UNIQUE INDEX uq_debt_notice_open ON debt_notice (community_id, member_id) WHERE ended_at IS NULL;
CREATE INDEX ix_debt_notice_member ON debt_notice (community_id, member_id, told_at);
GRANT SELECT, INSERT ON debt_notice TO linli_app;
GRANT UPDATE (collected, tried_at, ended_at, objected_at, objection) ON debt_notice TO linli_app;
GRANT SELECT ON debt_notice TO linli_audit;

CREATE TABLE debt_collection (
    community_id bigint NOT NULL,
    collection_id uuid NOT NULL,
    notice_id uuid NOT NULL,
    hundredths bigint NOT NULL,
    journal_id bigint NOT NULL,
    collected_at timestamptz NOT NULL,
    CONSTRAINT pk_debt_collection PRIMARY KEY (community_id, collection_id),
    CONSTRAINT fk_debt_collection_notice FOREIGN KEY (community_id, notice_id) REFERENCES debt_notice (community_id, notice_id),
    CONSTRAINT ck_debt_collection_hundredths CHECK (hundredths > 0)
);
CREATE INDEX ix_debt_collection_notice ON debt_collection (community_id, notice_id);
GRANT SELECT, INSERT ON debt_collection TO linli_app;
GRANT SELECT ON debt_collection TO linli_audit;

-- No release begins to take points by itself: where a community is founded already, two people turn it on.
INSERT INTO setting (community_id, name, effective_from, revision, value, set_at)
SELECT c.community_id, s.name, DATE '2000-01-01', 1, s.value, c.founded_at
  FROM community c CROSS JOIN (VALUES ('voucher_owed_days', 0), ('voucher_owed_keep_points', 5)) AS s (name, value)
    ON CONFLICT ON CONSTRAINT pk_setting DO NOTHING;

-- service/debts/sql/collect.sql
-- What a member owes for vouchers used twice is paid from their points by itself, once they were told and some days have passed.

-- What of it has been owed ever since: the least between then and now, in hundredths. What was added later is not in it.
CREATE OR REPLACE FUNCTION debt_standing(p_community bigint, p_code text, p_since timestamptz) RETURNS bigint
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE line AS (
        SELECT a.account_id, a.last_seq AS seq, a.balance
          FROM ledger.account a WHERE a.community_id = p_community AND a.code = p_code AND a.unit = 'point'
         UNION ALL
        SELECT l.account_id, CASE t.debit WHEN l.account_id THEN t.debit_prev ELSE t.credit_prev END,
               l.balance + CASE t.debit WHEN l.account_id THEN t.amount ELSE -t.amount END
          FROM line l
          JOIN ledger.transfer t ON t.community_id = p_community AND t.seq = l.seq
          JOIN ledger.journal j ON j.community_id = p_community AND j.journal_id = t.journal_id
         WHERE j.posted_at > p_since
    )
    SELECT greatest(0, -coalesce(max(l.balance), 0)) FROM line l
$$;

-- Pays what is due of one notice, as far as the points reach beyond p_keep, and answers how much: in one transaction, once, whoever asks.
-- The notice is locked first: an objection, a proposal of the desk and another worker wait, or are waited for. Then the book's head, so that
-- what is read as owed and as had is what is paid; asking for no allowance at all changes nothing and takes it. Nothing is locked after it.
CREATE OR REPLACE FUNCTION debt_collect(
    p_community bigint, p_notice uuid, p_collection uuid, p_keep bigint, p_actor uuid, p_request_id text, p_now timestamptz
) RETURNS bigint
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_notice public.debt_notice;
    v_member text;
    v_owed text;
    v_standing bigint;
    v_amount bigint;
    v_posted ledger.verdict;
BEGIN
    SELECT * INTO v_notice FROM public.debt_notice n
     WHERE n.community_id = p_community AND n.notice_id = p_notice FOR NO KEY UPDATE;
    IF v_notice.notice_id IS NULL OR v_notice.ended_at IS NOT NULL OR v_notice.objected_at IS NOT NULL OR v_notice.due_at > p_now
       OR EXISTS (SELECT FROM public.debt_request r
                   WHERE r.community_id = p_community AND r.member_id = v_notice.member_id AND r.state = 'proposed'
                     AND r.step IN ('collect', 'forgive')) THEN
        RETURN 0;
    END IF;
    v_member := 'member:' || replace(v_notice.member_id::text, '-', '');
    v_owed := 'owed:' || replace(v_notice.member_id::text, '-', '');
    PERFORM ledger.allow_debt(p_community, v_member, 'point', NULL, NULL, NULL, p_now);
    v_standing := public.debt_standing(p_community, v_owed, v_notice.told_at);
    v_amount := least(v_standing, v_notice.hundredths - v_notice.collected,
                      (SELECT a.balance - greatest(p_keep, 0) FROM ledger.account a
                        WHERE a.community_id = p_community AND a.code = v_member AND a.unit = 'point'));
    IF v_standing > 0 AND v_amount > 0 THEN
        v_posted := ledger.post(p_community, 'debt:' || p_collection || ':collected', 'conflict_debt_collected',
                                ARRAY[ROW('post', v_member, v_owed, 'point', v_amount, NULL, NULL)::ledger.step], p_actor, NULL, p_now, p_now);
    END IF;
    v_amount := CASE WHEN v_posted.code = 'posted' THEN v_amount ELSE 0 END;
    UPDATE public.debt_notice n
       SET collected = n.collected + v_amount, tried_at = p_now,
           ended_at = CASE WHEN v_amount >= least(v_standing, v_notice.hundredths - v_notice.collected) THEN p_now END
     WHERE n.community_id = p_community AND n.notice_id = p_notice;
    IF v_amount = 0 THEN
        RETURN 0;
    END IF;
    INSERT INTO public.debt_collection (community_id, collection_id, notice_id, hundredths, journal_id, collected_at)
    VALUES (p_community, p_collection, p_notice, v_amount, v_posted.journal_id, p_now);
    INSERT INTO public.audit (community_id, at, action, actor_id, on_behalf_of, object_kind, object_id, detail, request_id)
    VALUES (p_community, p_now, 'debts.collected', p_actor, v_notice.member_id, 'debt_notice', p_notice::text,
            jsonb_build_object('hundredths', v_amount), p_request_id);
    INSERT INTO public.outbox (community_id, fact, payload, recorded_at)
    VALUES (p_community, 'OwedCollected',
            jsonb_build_object('community_id', p_community, 'collection_id', p_collection, 'member_id', v_notice.member_id,
                               'points_hundredths', v_amount), p_now);
    RETURN v_amount;
END $$;

REVOKE ALL ON FUNCTION debt_standing, debt_collect FROM PUBLIC;
GRANT EXECUTE ON FUNCTION debt_standing, debt_collect TO linli_app;
