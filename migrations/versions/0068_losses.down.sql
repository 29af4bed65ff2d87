DROP INDEX redemption.ix_use_borne;
