DROP TABLE repair_skill;
DROP TABLE repair_photo;
DROP TABLE repair_part;
ALTER TABLE repair_order DROP COLUMN trade;
