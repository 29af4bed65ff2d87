DROP FUNCTION ledger.map_zones;
DROP TABLE ledger.zone_word;
DROP TABLE ledger.zone;
DROP TABLE ledger.zoned;
