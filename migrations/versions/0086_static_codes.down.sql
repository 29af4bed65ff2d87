DROP FUNCTION redeem_static_at_desk, static_fen_today, static_terms;
DROP TABLE static_use;
