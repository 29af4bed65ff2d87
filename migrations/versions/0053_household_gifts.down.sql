DROP FUNCTION exchange_give_write;
DROP FUNCTION exchange_give_lock;
DROP TABLE exchange_gift;
