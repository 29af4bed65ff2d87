DROP FUNCTION static_keep, redeem_kept;
DROP TABLE static_lock;
