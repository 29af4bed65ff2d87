-- What conflicts cost is summed by month for the public account.

CREATE INDEX ix_use_borne ON redemption.use (community_id, received_at) WHERE bearer IS NOT NULL;
