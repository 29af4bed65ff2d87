DROP FUNCTION ledger.add_seal;
DROP FUNCTION ledger.note_patrol;
DROP FUNCTION ledger.grow_tree;
DROP FUNCTION ledger.lock_tree;
DROP TABLE ledger.seal;
DROP TABLE ledger.tile;
DROP TABLE ledger.tree;
