DROP FUNCTION redeem_at_desk(
    bigint, bytea, uuid, uuid, uuid, bigint, integer, text, text, bytea, integer, timestamptz, date, timestamptz, text, timestamptz
);
DROP FUNCTION desk_refuse(bigint, uuid, uuid, uuid, bytea, text, jsonb, boolean, timestamptz);
DROP FUNCTION desk_accept(bigint, uuid, uuid, jsonb, text, timestamptz);
DROP FUNCTION desk_answer(bigint, text, text, jsonb, uuid, timestamptz);
DROP FUNCTION desk_first_answer(bigint, uuid, uuid, uuid[], bytea, bigint, uuid, timestamptz);
DROP FUNCTION desk_locked_for(bigint, uuid, uuid, date, timestamptz);
DROP FUNCTION desk_shops(bigint, uuid, date);
DROP FUNCTION desk_clerk(bigint, bytea, timestamptz);
DROP TABLE voucher_reminder;
DROP TABLE scan_refusal;
