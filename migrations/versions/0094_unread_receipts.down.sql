-- As before; what was flagged by this rule goes on to the next batch. A setting's history stays: nothing reads it.

DROP FUNCTION redemption.flag_unread;
DELETE FROM redemption.alarm WHERE rule = 'unread';
ALTER TABLE redemption.alarm DROP CONSTRAINT ck_alarm_rule;
ALTER TABLE redemption.alarm ADD CONSTRAINT ck_alarm_rule CHECK (rule IN ('outside_hours', 'too_fast', 'member_often', 'day_unusual', 'typed_much', 'denied')) NOT VALID;
ALTER TABLE redemption.alarm VALIDATE CONSTRAINT ck_alarm_rule;
