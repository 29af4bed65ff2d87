ALTER TABLE member_card DROP COLUMN tried_at;
