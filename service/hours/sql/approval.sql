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
