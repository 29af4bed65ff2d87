-- A journal is what its first transfer says of it; its transfers are the next `transfers` numbers. A view, so that a journal costs
-- no row and no index of its own: its number is the number of that transfer, its reference the unique key among them.
CREATE OR REPLACE VIEW ledger.journal AS
SELECT t.community_id, t.seq AS journal_id, t.reference, t.reason, t.transfers, t.fingerprint, t.actor_id, t.on_behalf_of,
       coalesce(t.effective_at, t.posted_at) AS effective_at, t.posted_at, t.reverses
  FROM ledger.transfer t
 WHERE t.reference IS NOT NULL;

GRANT SELECT ON ledger.journal TO linli_app, linli_audit;
