"""Every way to change a sealed book that the tests know: one a line of the schema, and then the clever ones."""

from collections.abc import Sequence
from dataclasses import dataclass

ID = "'0195d000-0000-7000-8000-00000000a009'"


@dataclass(frozen=True)
class Plant:
    """What is changed, what the full check must call it and where, and what the patrol calls it if it can see it."""

    name: str
    sql: tuple[str, ...]
    kinds: Sequence[str]
    place: str
    patrolled: str | None


def plant(name: str, *sql: str, kinds: Sequence[str], place: str = "", patrolled: str | None = "sealed_rows") -> Plant:
    return Plant(name, sql, kinds, place, patrolled)


ROWS = ("sealed_rows",)
# The first seal closes 262 transfers: one tile, and six leaves of which the first four have a peak of their own.
MOVE = "UPDATE ledger.transfer SET {} WHERE seq = {}"
WHY = "UPDATE ledger.transfer SET {} WHERE seq = {} AND reference IS NOT NULL"
LOOSE = "ALTER TABLE ledger.transfer DROP CONSTRAINT IF EXISTS ck_transfer_journal"
FORGET = (
    "UPDATE ledger.transfer SET reference = NULL, reason = NULL, transfers = NULL, fingerprint = NULL, posted_at = NULL,"
    " actor_id = NULL, on_behalf_of = NULL, effective_at = NULL, reverses = NULL WHERE seq = {}"
)
"""A transfer stays and no longer says what its journal was."""
FIRST, REST = "transfers 1 to 256", "transfers 257 to 260"
PLANTS = [
    plant("amount", MOVE.format("amount = amount + 1", 20), kinds=ROWS, place=FIRST),
    plant("amount in the rest", MOVE.format("amount = amount + 1", 260), kinds=ROWS, place=REST),
    plant(
        "account",
        MOVE.format("credit = (SELECT account_id FROM ledger.account WHERE code = 'bakery')", 20),
        kinds=ROWS,
        place=FIRST,
    ),
    plant("unit", MOVE.format("unit = 'minute'", 20), kinds=ROWS, place=FIRST),
    plant("kind", "UPDATE ledger.transfer SET kind = 'release' WHERE seq = 4", kinds=ROWS, place=FIRST),
    plant("hold of a capture", f"UPDATE ledger.transfer SET hold_id = {ID} WHERE seq = 4", kinds=ROWS, place=FIRST),
    plant("account's name", "UPDATE ledger.account SET code = 'zoe' WHERE code = 'chen'", kinds=ROWS, place=FIRST),
    plant(
        "time of posting", WHY.format("posted_at = posted_at + interval '1 microsecond'", 260), kinds=ROWS, place=REST
    ),
    plant(
        "time of posting without end",
        WHY.format("posted_at = 'infinity'", 260),
        kinds=("leaf",),
        place="transfer 260",
        patrolled="leaf",
    ),
    plant(
        "time it took effect",
        WHY.format("effective_at = coalesce(effective_at, posted_at) - interval '1 day'", 260),
        kinds=ROWS,
        place=REST,
    ),
    plant("reason", WHY.format("reason = 'service'", 20), kinds=ROWS, place=FIRST),
    plant("reference", WHY.format("reference = 'mine'", 20), kinds=ROWS, place=FIRST),
    plant("actor", WHY.format(f"actor_id = {ID}", 20), kinds=ROWS, place=FIRST),
    plant("actor forgotten", WHY.format("actor_id = NULL", 20), kinds=ROWS, place=FIRST),
    plant("on behalf of", WHY.format(f"on_behalf_of = {ID}", 20), kinds=ROWS, place=FIRST),
    plant("a reversal unlinked", WHY.format("reverses = NULL", 8), kinds=ROWS, place=FIRST),
    plant("a journal cut short", WHY.format("transfers = 1", 6), kinds=ROWS, place=FIRST),
    plant(
        "a journal forgotten",
        FORGET.format(20),
        kinds=("leaf",),
        place="transfer 20",
        patrolled="leaf",
    ),
    plant("a transfer given to another journal", MOVE.format("journal_id = 19", 20), kinds=ROWS, place=FIRST),
    plant("expiry of a hold", "UPDATE ledger.hold SET expires_at = '2030-01-01Z'", kinds=ROWS, place=FIRST),
    plant(
        "a hold's row deleted", "DELETE FROM ledger.hold", kinds=("transfer_hold",), place="transfer 3", patrolled=None
    ),
    plant(
        "what a hold captured",
        "UPDATE ledger.hold SET captured = captured - 1, released = released + 1",
        kinds=("hold",),
        patrolled=None,
    ),
    plant(
        "a balance",
        "UPDATE ledger.account SET balance = balance + 5 WHERE code = 'chen' AND unit = 'point'",
        kinds=("account_balance", "unit_sum"),
        patrolled=None,
    ),
    plant(
        "the last row deleted",
        "DELETE FROM ledger.transfer WHERE seq = 264",
        kinds=("leaf",),
        place="transfer 264",
        patrolled="leaf",
    ),
    plant(
        "a row in the middle deleted",
        "DELETE FROM ledger.transfer WHERE seq = 20",
        kinds=("leaf",),
        place="transfer 20",
        patrolled="leaf",
    ),
    plant(
        "two rows swapped",
        MOVE.format("seq = 1000", 20),
        MOVE.format("seq = 20", 21),
        MOVE.format("seq = 21", 1000),
        kinds=ROWS,
        place=FIRST,
    ),
    plant(
        "a journal's name swapped with another's",
        WHY.format("reference = 'x'", 20),
        WHY.format("reference = 'gift:10'", 21),
        WHY.format("reference = 'gift:11'", 20),
        kinds=ROWS,
        place=FIRST,
    ),
    plant("a stored tile", "UPDATE ledger.tile SET hash = sha256(hash)", kinds=("tile",), place=FIRST),
    plant("a stored tile deleted", "DELETE FROM ledger.tile", kinds=("tile",), place=FIRST, patrolled="tree_damaged"),
    plant("a tile too many", "INSERT INTO ledger.tile VALUES (7, 8, 5, sha256(''))", kinds=("tile",), patrolled=None),
    plant(
        "the edge of the tree",
        "UPDATE ledger.tree SET edge = edge || substr(edge, 1, 32)",
        kinds=("tree_edge",),
        patrolled="tree_edge",
    ),
    plant(
        "a peak of the tree",
        "UPDATE ledger.tree SET edge = overlay(edge PLACING sha256('') FROM 33)",
        kinds=("tree_edge",),
        place="transfers 257 to 264",
    ),
    plant(
        "the size of the tree",
        "UPDATE ledger.tree SET size = 256, edge = substr(edge, 1, 32)",
        kinds=("seal_ahead",),
        place="seal 2",
        patrolled="seal_ahead",
    ),
    plant("the head of the book", "UPDATE ledger.book SET seq = 100", kinds=("tree_ahead", "head_seq"), patrolled=None),
    plant(
        "the root in a seal",
        "UPDATE ledger.seal SET root = sha256(root) WHERE number = 1",
        kinds=("seal_signature", "seal_edge", "seal_chain", "sealed_rows"),
        place="seal 1",
        patrolled="seal_signature",
    ),
    plant(
        "the size in a seal",
        "UPDATE ledger.seal SET size = size - 1 WHERE number = 1",
        kinds=("seal_signature",),
        place="seal 1",
        patrolled="seal_signature",
    ),
    plant(
        "the time of a seal",
        "UPDATE ledger.seal SET sealed_at = sealed_at - interval '1 day' WHERE number = 2",
        kinds=("seal_signature",),
        place="seal 2",
        patrolled="seal_signature",
    ),
    plant(
        "the balances in a seal",
        "UPDATE ledger.seal SET totals = totals[2:] WHERE number = 2",
        kinds=("seal_signature",),
        place="seal 2",
        patrolled="seal_signature",
    ),
    plant(
        "the signature of a seal",
        "UPDATE ledger.seal SET signature = sha256('') || sha256('') WHERE number = 2",
        kinds=("seal_signature",),
        place="seal 2",
        patrolled="seal_signature",
    ),
    plant(
        "the peaks of a seal",
        "UPDATE ledger.seal SET edge = overlay(edge PLACING sha256('') FROM 33) WHERE number = 1",
        kinds=("seal_edge",),
        place="seal 1",
        patrolled="seal_edge",
    ),
    plant(
        "what a seal carries of the one before",
        "UPDATE ledger.seal SET previous = sha256('') WHERE number = 2",
        kinds=("seal_chain", "seal_signature"),
        place="seal 2",
        patrolled="seal_signature",
    ),
    plant(
        "the first seal deleted",
        "DELETE FROM ledger.seal WHERE number = 1",
        kinds=("seal_number",),
        place="seal 2",
        patrolled="seal_number",
    ),
    plant(
        "the last seal deleted",
        "DELETE FROM ledger.seal WHERE number = 2",
        kinds=("seal_missing",),
        place="seal 2",
        patrolled="seal_missing",
    ),
    plant(
        "every seal deleted",
        "DELETE FROM ledger.seal",
        kinds=("seal_missing",),
        place="seal 1",
        patrolled="seal_missing",
    ),
]
