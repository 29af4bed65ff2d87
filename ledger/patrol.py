"""Walks the sealed book again and again, a piece at a time, so that a change is noticed without anybody asking."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from ledger.check import leaf_hash
from ledger.driver import fetch
from ledger.leaves import BATCH, read
from ledger.merkle import TILE, Node, nodes_of, peaks_by_node, perfect
from ledger.seals import Keys, last_fault, seals
from ledger.tree import TreeDamaged, hashes, lock
from ledger.verify.kinds import Fault
from ledger.verify.seals import Copies, chain_faults, copy_faults


@dataclass(frozen=True, slots=True)
class Patrol:
    """What one round looked at: leaves from `first` to `after`, the rest of the tree with its seals when it `came_round`."""

    first: int
    after: int
    came_round: bool
    fault: Fault | None = None


async def least_patrolled(session: AsyncSession, *, but: list[int]) -> int | None:
    """The book that was looked at longest ago."""
    query = (
        "SELECT community_id FROM ledger.tree WHERE size > 0 AND community_id <> ALL($1::bigint[])"
        " ORDER BY patrolled_at NULLS FIRST, community_id LIMIT 1"
    )
    for (book,) in await fetch(session, query, but):
        return int(book)
    return None


async def patrol(
    session: AsyncSession, book: int, keys: Keys, *, copies: Copies | None = None, now: datetime, limit: int = BATCH
) -> Patrol:
    """Make the next leaves again from their rows and compare them with the tree; at its end, look at the seals.

    At most `limit` leaves, a multiple of 256. `copies` are seals that were published outside the database. The first
    difference is returned, and the patrol stays where it is.
    """
    size, edge, first = await lock(session, book)
    after = min(size, first + limit)
    came_round = after == size
    packed, _, broken = await read(session, book, first, after)
    fault = Fault("leaf", book, f"transfer {broken.seq}", broken.why) if broken is not None else None
    if fault is None:
        try:
            peaks = dict(peaks_by_node(size, edge))
        except ValueError:
            fault = Fault("tree_edge", book, "tree", f"its peaks cannot be of {size} leaves")
        else:
            fault = await _tree_fault(session, book, first, [leaf_hash(leaf) for leaf in packed], peaks)
    if fault is None and came_round:
        fault = await _seal_fault(session, book, keys, copies or {}, size, edge)
    if fault is None:
        await fetch(session, "SELECT ledger.note_patrol($1, $2, $3)", book, 0 if came_round else after, now)
    return Patrol(first, after, came_round, fault)


async def _tree_fault(
    session: AsyncSession, book: int, first: int, leaves: list[bytes], peaks: dict[Node, bytes]
) -> Fault | None:
    """Compare leaves, which begin at a tile's first, with stored nodes, and what is left over with the tree's edge."""
    after = first + len(leaves)
    whole = after - after % TILE
    due = [Node(8, place) for place in range(first // TILE, whole // TILE)] + nodes_of(whole, after)
    made = [perfect(leaves[node.first - first : node.after - first]) for node in due]
    try:
        tiles = [(node.first, node.after) for node in due if node.first < whole]
        kept = await hashes(session, book, tiles, {})
    except TreeDamaged as damage:
        return Fault("tree_damaged", book, "tree", str(damage))
    kept += [peaks.get(node, b"") for node in due if node.first >= whole]
    for node, is_now, was in zip(due, made, kept, strict=True):
        if is_now != was:
            return Fault("sealed_rows", book, f"transfers {node.first + 1} to {node.after}", "are not what was read")
    return None


async def _seal_fault(
    session: AsyncSession, book: int, keys: Keys, copies: Copies, size: int, edge: bytes
) -> Fault | None:
    chain = list(reversed(await seals(session, book)))
    for fault in (*chain_faults(book, chain, keys), *copy_faults(book, chain, copies)):
        return fault
    return await last_fault(session, chain[-1], keys, size, edge) if chain else None
