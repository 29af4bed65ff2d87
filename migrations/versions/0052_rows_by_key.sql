-- service/records/sql/service.sql
-- The one writer of the service record: rows that come along with a journal, as ledger/sql/post_with.sql asks for them. The kind is
-- 'public.service'. What earns nothing has no journal and is written by the second function alone.
--
-- An element is one service as records.plan_services planned it: record, member, kind, class, asked (its minutes), cap and store
-- (the settings of its day; null where it does not earn), minutes, points and coins (what it brings), account (the person's in the
-- ledger), title, source, served_on, starts_at and ends_at (or null), actor, on_behalf_of, request. One without a record brings no
-- row; one without a member stands for a journal that needs none.

-- A batch is at most some hundred rows and the tables only grow: each row is looked up by its key, whatever the planner thinks of a
-- table that was empty when it planned.

-- Locks the people as identity.lock_people does, and asks of what is true now whether the plan still holds: somebody else may have
-- recorded a service since it was made. Minutes and coins are counted again and not what they were counted from, so that two who
-- approve on one day disturb each other only where the cap or the store bites.
CREATE OR REPLACE FUNCTION public.service_lock(p_book bigint, p_now timestamptz, p_reference text[], p_effects jsonb) RETURNS text[]
    LANGUAGE plpgsql VOLATILE
    SET search_path = public, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
    PERFORM FROM member m
      WHERE m.community_id = p_book
        AND m.member_id = ANY (ARRAY(SELECT (e ->> 'member')::uuid FROM jsonb_array_elements(p_effects) e))
      ORDER BY m.member_id
        FOR NO KEY UPDATE;
    -- A statement of its own: it sees what was committed while we waited for the people.
    RETURN (
        SELECT array_agg(
            CASE
                WHEN s.starts_at IS NOT NULL AND EXISTS (
                    SELECT FROM service_time t
                    WHERE t.community_id = p_book AND t.member_id = s.member
                      AND tstzrange(t.starts_at, t.ends_at) && tstzrange(s.starts_at, s.ends_at)) THEN 'records.time_taken'
                WHEN s.cap IS NOT NULL AND s.minutes <> greatest(0, least(s.asked, s.cap - s.day_before - (
                    SELECT coalesce(sum(r.minutes), 0) FROM service_record r
                    WHERE r.community_id = p_book AND r.member_id = s.member AND r.served_on = s.served_on
                      AND r.kind = 'credited'))) THEN 'records.plan_changed'
                WHEN s.cap IS NOT NULL AND s.coins <> greatest(0, least(s.minutes, s.store - s.coins_before - coalesce((
                    SELECT a.balance FROM ledger.account a
                    WHERE a.community_id = p_book AND a.code = s.account AND a.unit = 'minute'), 0))) THEN 'records.plan_changed'
            END ORDER BY s.place)
        FROM (
            SELECT p.*,
                   coalesce(sum(p.minutes) FILTER (WHERE p.cap IS NOT NULL) OVER (PARTITION BY p.member, p.served_on ORDER BY p.place
                            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS day_before,
                   coalesce(sum(p.coins) OVER (PARTITION BY p.member ORDER BY p.place
                            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS coins_before
            FROM ROWS FROM (jsonb_to_recordset(p_effects) AS (
                member uuid, asked integer, cap integer, store integer, minutes integer, coins integer, account text,
                served_on date, starts_at timestamptz, ends_at timestamptz)) WITH ORDINALITY
                AS p(member, asked, cap, store, minutes, coins, account, served_on, starts_at, ends_at, place)
        ) s
    );
END
$$;

-- Writes the record, the time that it counts and the audit line. Waits for nobody: the people are locked, and the rest is new.
CREATE OR REPLACE FUNCTION public.service_write(
    p_book bigint, p_now timestamptz, p_reference text[], p_journal_id bigint[], p_effects jsonb) RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = public, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
    INSERT INTO service_record (
        community_id, record_id, member_id, kind, service_class, minutes, points_hundredths, coins, title, source, reference,
        served_on, confirmed_at, confirmed_by)
    SELECT p_book, s.record, s.member, s.kind, s.class, s.minutes, s.points, s.coins, s.title, s.source, p_reference[s.place],
           s.served_on, p_now, s.actor
    FROM ROWS FROM (jsonb_to_recordset(p_effects) AS (
        record uuid, member uuid, kind text, class text, minutes integer, points bigint, coins integer, title text, source text,
        served_on date, actor uuid)) WITH ORDINALITY
        AS s(record, member, kind, class, minutes, points, coins, title, source, served_on, actor, place)
    WHERE s.record IS NOT NULL;

    -- What counts no minutes takes no time: the cap has given that time to others already.
    INSERT INTO service_time (community_id, record_id, member_id, starts_at, ends_at)
    SELECT p_book, s.record, s.member, s.starts_at, s.ends_at
    FROM jsonb_to_recordset(p_effects) AS s(record uuid, member uuid, minutes integer, starts_at timestamptz, ends_at timestamptz)
    WHERE s.record IS NOT NULL AND s.minutes > 0 AND s.starts_at IS NOT NULL;

    INSERT INTO audit (community_id, at, action, actor_id, on_behalf_of, object_kind, object_id, detail, request_id)
    SELECT p_book, p_now, 'records.service_recorded', s.actor, s.on_behalf_of, 'service_record', s.record::text,
           jsonb_build_object('member', replace(s.member::text, '-', ''), 'minutes', s.minutes, 'points', s.points), s.request
    FROM jsonb_to_recordset(p_effects) AS s(
        record uuid, member uuid, minutes integer, points bigint, actor uuid, on_behalf_of uuid, request text)
    WHERE s.record IS NOT NULL;
END
$$;

REVOKE ALL ON FUNCTION public.service_lock, public.service_write FROM PUBLIC;
GRANT EXECUTE ON FUNCTION public.service_lock, public.service_write TO linli_app;

-- service/hours/sql/approval.sql
-- An attendance is approved: the rows that come along with its journal, as ledger/sql/post_with.sql asks for them. The kind is
-- 'public.approval'. What earns nothing has no journal and is decided by the same two functions alone.
--
-- An element is a service (service/records/sql/service.sql) and attendance, revision (as the reviewer saw it) and review.
--
-- Locked in the slice's order: attendances, the review, people. Two reviewers who decide about the same row meet at its lock, and
-- the second finds it decided. Everything else that the plan was made from is part of the revision, but is looked at all the same.
CREATE OR REPLACE FUNCTION public.approval_lock(p_book bigint, p_now timestamptz, p_reference text[], p_effects jsonb) RETURNS text[]
    LANGUAGE plpgsql VOLATILE
    SET search_path = public, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    v_ids uuid[] := ARRAY(SELECT (e ->> 'attendance')::uuid FROM jsonb_array_elements(p_effects) e);
    v_reviews uuid[] := ARRAY(SELECT (e ->> 'review')::uuid FROM jsonb_array_elements(p_effects) e);
    v_codes text[];
BEGIN
    PERFORM FROM attendance a WHERE a.community_id = p_book AND a.attendance_id = ANY (v_ids)
      ORDER BY a.attendance_id FOR NO KEY UPDATE;
    -- Shared by the batches of one review, and kept from whoever undoes it: a review that was undone approves nothing more.
    PERFORM FROM hours_review v WHERE v.community_id = p_book AND v.review_id = ANY (v_reviews)
      ORDER BY v.review_id FOR SHARE;
    v_codes := service_lock(p_book, p_now, p_reference, p_effects);
    RETURN (
        SELECT array_agg(CASE
                   WHEN a.state = 'done' AND a.revision = s.revision AND a.member_id = s.member AND a.member_id <> s.actor
                    AND a.minutes = s.asked AND NOT a.awaits_confirmation AND v.undone_at IS NULL
                   THEN v_codes[s.place]
                   ELSE 'hours.stale'
               END ORDER BY s.place)
        FROM ROWS FROM (jsonb_to_recordset(p_effects) AS (
            attendance uuid, revision integer, review uuid, member uuid, actor uuid, asked integer)) WITH ORDINALITY
            AS s(attendance, revision, review, member, actor, asked, place)
        LEFT JOIN attendance a ON a.community_id = p_book AND a.attendance_id = s.attendance
        LEFT JOIN hours_review v ON v.community_id = p_book AND v.review_id = s.review
    );
END
$$;

-- Writes the record, the decision, the audit line and the fact that others are told.
CREATE OR REPLACE FUNCTION public.approval_write(
    p_book bigint, p_now timestamptz, p_reference text[], p_journal_id bigint[], p_effects jsonb) RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = public, pg_temp
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
    PERFORM service_write(p_book, p_now, p_reference, p_journal_id, p_effects);

    UPDATE attendance a
       SET state = 'approved', revision = a.revision + 1, review_id = s.review, reviewed_by = s.actor, reviewed_at = p_now,
           return_reason = NULL, correction_asked_at = NULL, credited_minutes = s.minutes, points_hundredths = s.points,
           record_id = s.record
      FROM jsonb_to_recordset(p_effects) AS s(
          attendance uuid, review uuid, actor uuid, minutes integer, points bigint, record uuid)
     WHERE a.community_id = p_book AND a.attendance_id = s.attendance;

    INSERT INTO audit (community_id, at, action, actor_id, object_kind, object_id, detail, request_id)
    SELECT p_book, p_now, 'hours.approved', s.actor, 'attendance', s.attendance::text,
           jsonb_build_object('minutes', s.minutes, 'points', s.points, 'review', replace(s.review::text, '-', '')), s.request
    FROM jsonb_to_recordset(p_effects) AS s(
        attendance uuid, review uuid, actor uuid, minutes integer, points bigint, request text);

    INSERT INTO outbox (community_id, fact, payload, recorded_at)
    SELECT p_book, 'AttendanceApproved', jsonb_build_object(
               'community_id', p_book, 'attendance_id', s.attendance, 'member_id', s.member,
               'minutes', s.minutes, 'points_hundredths', s.points), p_now
    FROM jsonb_to_recordset(p_effects) AS s(attendance uuid, member uuid, minutes integer, points bigint);
END
$$;

REVOKE ALL ON FUNCTION public.approval_lock, public.approval_write FROM PUBLIC;
GRANT EXECUTE ON FUNCTION public.approval_lock, public.approval_write TO linli_app;
