-- Two clerks at the same moment could give two people one number to sign in with. Whoever had it first keeps it; the other
-- one signs in by card, as before the number was given.
UPDATE member SET login_id = NULL, revision = revision + 1
 WHERE EXISTS (
    SELECT FROM member AS first
     WHERE first.community_id = member.community_id
       AND first.login_id = member.login_id
       AND (first.enrolled_at, first.member_id) < (member.enrolled_at, member.member_id)
 );

ALTER TABLE member
    ADD CONSTRAINT uq_member_login UNIQUE (community_id, login_id);

CREATE INDEX ix_import_row_member ON import_row (community_id, member_id);
