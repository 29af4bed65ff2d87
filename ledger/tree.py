"""Reads the book into its tree, in order and without a gap.

The book's head is the last lock of every posting transaction and is kept to the commit, so numbers become visible in
their order: who sees transfer 9 sees transfer 8. A slow transaction makes the posters behind it wait; it is never passed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from ledger.auditor import audit
from ledger.check import leaf_hash
from ledger.driver import fetch
from ledger.leaves import BATCH, read
from ledger.merkle import Node, grow, nodes_of, peaks_by_node, perfect, range_hash, split, stored_below
from ledger.refusals import BookNotFound
from ledger.verify.kinds import Fault

BUSY_SECONDS, IDLE_SECONDS = 0.2, 0.5

_GROW = "SELECT ledger.grow_tree($1, $2, $3, $4, $5, $6, $7)"
_TILES = """
    SELECT t.height, t.place, t.hash
      FROM unnest($2::int[], $3::bigint[], $4::bigint[]) a(height, first, after)
      JOIN ledger.tile t ON t.community_id = $1 AND t.height = a.height AND t.place >= a.first AND t.place < a.after
"""
_BEHIND = """
    SELECT b.community_id, b.seq, coalesce(t.size, 0)
      FROM ledger.book b LEFT JOIN ledger.tree t USING (community_id)
     WHERE b.seq <> coalesce(t.size, 0) AND b.community_id <> ALL($1::bigint[])
     ORDER BY b.seq - coalesce(t.size, 0) DESC LIMIT $2
"""


@dataclass(frozen=True, slots=True)
class Growth:
    """What one reading did: the tree's size now, how many transfers were new, and what stopped it."""

    size: int
    read: int
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class Lag:
    """How far a book's tree is behind its head."""

    book: int
    posted: int
    size: int

    @property
    def behind(self) -> int:
        """Transfers that are posted and not yet read."""
        return self.posted - self.size


class TreeDamaged(Exception):
    """A part of the stored tree is missing, so that nothing can be computed from it."""


def seconds_to_next_look(read: int) -> float:
    """How long a sealer rests that has just read so many transfers: not at all while it may be behind.

    What is posted lies unread for as long as this and the reading take. A book at work is looked at five times a second, so
    that a look has little to read; an idle one twice. A posting wakes nobody: a notification would cost every one of them a
    lock that all databases of the server share, held at its commit.
    """
    if read >= BATCH:
        return 0.0
    return BUSY_SECONDS if read else IDLE_SECONDS


async def most_behind(session: AsyncSession, *, but: Sequence[int] = (), limit: int = 100) -> list[Lag]:
    """The books whose trees lag, the worst first, of all books but these."""
    return [Lag(*row) for row in await fetch(session, _BEHIND, list(but), limit)]


async def lag(session: AsyncSession, book: int) -> Lag:
    """How far the tree of one book is behind."""
    query = (
        "SELECT b.community_id, b.seq, coalesce(t.size, 0) FROM ledger.book b"
        " LEFT JOIN ledger.tree t USING (community_id) WHERE b.community_id = $1"
    )
    for row in await fetch(session, query, book):
        return Lag(*row)
    raise BookNotFound(book=book)


async def lock(session: AsyncSession, book: int) -> tuple[int, bytes, int]:
    """Be the only sealer of this book until the transaction ends; answers the tree's size and edge, and the patrol's place.

    The lock is the row in `ledger.tree`. Posters never take it.
    """
    for size, edge, patrolled in await fetch(session, "SELECT * FROM ledger.lock_tree($1)", book):
        return size, edge, patrolled
    raise BookNotFound(book=book)


async def extend(session: AsyncSession, book: int, *, until: int | None = None, limit: int = BATCH) -> Growth:
    """Read the next transfers into the tree, at most `limit` and none beyond `until`, auditing each.

    At the first that is wrong nothing is written and the fault is returned; the tree stays in front of it.
    """
    size, edge, _ = await lock(session, book)
    ((head,),) = await fetch(session, "SELECT seq FROM ledger.book WHERE community_id = $1", book)
    if head < size:
        return Growth(size, 0, Fault("tree_ahead", book, "book", f"is at {head}, {size} transfers were read before"))
    after = min(head, size + limit, head if until is None else until)
    if after <= size:
        return Growth(size, 0)
    peaks = split(edge)
    if len(peaks) != size.bit_count():
        return Growth(size, 0, Fault("tree_edge", book, "tree", f"{len(peaks)} peaks cannot be of {size} leaves"))
    packed, _, broken = await read(session, book, size, after)
    fault = Fault("leaf", book, f"transfer {broken.seq}", broken.why) if broken else None
    fault = fault or await audit(session, book, size, after)
    if fault is not None:
        return Growth(size, 0, fault)
    nodes = grow(peaks, size, [leaf_hash(leaf) for leaf in packed])
    heights, places = [node.height for node, _ in nodes], [node.place for node, _ in nodes]
    values = (book, size, after, b"".join(peaks), heights, places, [value for _, value in nodes])
    ((grown,),) = await fetch(session, _GROW, *values)
    assert grown, "the tree's row was locked, and the head never goes back"
    return Growth(after, after - size)


async def hashes(
    session: AsyncSession, book: int, ranges: Sequence[tuple[int, int]], known: dict[Node, bytes]
) -> list[bytes]:
    """The hashes over ranges of leaves, from stored nodes and from leaves that are read and hashed again.

    What stands in `known` (the peaks of seals) is taken from there. Raises TreeDamaged when a row is missing.
    """
    wanted = {node for first, after in ranges for node in nodes_of(first, after)} - known.keys()
    stored = [node for node in wanted if stored_below(node)[0]]
    low = [node for node in wanted if not stored_below(node)[0]]
    tiles = await _tiles(session, book, stored)
    first, after = min((node.first for node in low), default=0), max((node.after for node in low), default=0)
    packed, _, broken = await read(session, book, first, after) if low else ([], [], None)
    if broken is not None:
        raise TreeDamaged(f"transfer {broken.seq} {broken.why}")
    leaves = [leaf_hash(leaf) for leaf in packed]
    found = dict(known)
    for node in low:
        found[node] = perfect(leaves[node.first - first : node.after - first])
    for node in stored:
        height, start, end = stored_below(node)
        parts = [tiles.get(Node(height, place)) for place in range(start, end)]
        if not all(parts):
            raise TreeDamaged(f"a tile of leaves {node.first + 1} to {node.after} is missing")
        found[node] = perfect([part for part in parts if part])
    return [range_hash(start, end, found.__getitem__) for start, end in ranges]


async def _tiles(session: AsyncSession, book: int, nodes: Sequence[Node]) -> dict[Node, bytes]:
    if not nodes:
        return {}
    asked = [stored_below(node) for node in nodes]
    heights, firsts, afters = zip(*asked, strict=True)
    rows = await fetch(session, _TILES, book, list(heights), list(firsts), list(afters))
    return {Node(height, place): value for height, place, value in rows}


def peaks_known(*trees: tuple[int, bytes]) -> dict[Node, bytes]:
    """The peaks of trees, given by size and edge, by where they stand."""
    return {node: value for size, edge in trees for node, value in peaks_by_node(size, edge)}
