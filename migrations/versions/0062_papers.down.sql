DROP FUNCTION redemption.print_batch;
DROP FUNCTION redemption.void_batch;
DROP FUNCTION redemption.renew_codes;
DROP TABLE redemption.paper;
DROP TABLE redemption.paper_batch;
