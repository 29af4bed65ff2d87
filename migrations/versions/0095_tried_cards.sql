-- When a PIN was last counted against a card. Of cards that are locked already nobody wrote it down.
ALTER TABLE member_card ADD COLUMN tried_at timestamptz;
GRANT UPDATE (tried_at) ON member_card TO linli_app;
