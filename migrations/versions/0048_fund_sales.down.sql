DROP FUNCTION fund_sale_write(bigint, timestamptz, text[], bigint[], jsonb);
DROP FUNCTION fund_sale_lock(bigint, timestamptz, text[], jsonb);
DROP TABLE fund_correction;
DROP TABLE fund_sale;
DROP TABLE fund_delivery;
DROP TABLE fund_rate;
