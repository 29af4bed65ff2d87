DROP FUNCTION exchange_settle_write;
DROP FUNCTION exchange_settle_lock;
DROP FUNCTION exchange_accept_write;
DROP FUNCTION exchange_accept_lock;
DROP TABLE exchange_event;
DROP TABLE exchange;
DROP TABLE exchange_listing;
