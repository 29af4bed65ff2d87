"""Seals: that they are ours, follow from each other, and that the book still is what they closed.

Every leaf is made again from its row, the whole tree from the leaves, and compared with what was stored and signed.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from sqlalchemy.ext.asyncio import AsyncSession

from ledger.check import NO_HASH, Leaf, Unreadable, add_to, leaf_hash, read_seal, root_of, totals_of
from ledger.driver import fetch
from ledger.leaves import batches
from ledger.merkle import STEP, Node, grow, nodes_of, split
from ledger.seals import Keys, Seal, seals
from ledger.verify.kinds import Fault

Copies = Mapping[int, str]
"""Texts of seals that were published outside the database, by number."""

_TREE = """
    SELECT b.seq, coalesce(t.size, 0), coalesce(t.edge, '')
      FROM ledger.book b LEFT JOIN ledger.tree t USING (community_id) WHERE b.community_id = $1
"""
_TILES = """
    SELECT t.height, t.place, t.hash
      FROM generate_series(8, 56, 8) h(height)
      JOIN ledger.tile t ON t.community_id = $1 AND t.height = h.height
       AND t.place >= $2::bigint >> h.height AND t.place < $3::bigint >> h.height
"""


async def verify_seals(
    session: AsyncSession, book: int, keys: Keys, *, copies: Copies | None = None, since_last: bool = False
) -> list[Fault]:
    """The first fault of each kind in the seals of a book and in what they closed; an empty list means none.

    `keys` are the public keys that are trusted; `copies` what was published and therefore must still be there. With
    `since_last` the leaves up to the last seal are not made again: the tree must go on from the peaks that it signed.
    """
    for head, size, edge in await fetch(session, _TREE, book):
        chain = list(reversed(await seals(session, book)))
        faults = [*chain_faults(book, chain, keys), *copy_faults(book, chain, copies or {})]
        if size > head:
            faults.append(Fault("tree_ahead", book, "book", f"is at {head}, {size} transfers were read before"))
        if chain and chain[-1].size > size:
            place = f"seal {chain[-1].number}"
            faults.append(Fault("seal_ahead", book, place, f"closed {chain[-1].size} transfers, the tree has {size}"))
        walk = _Walk(book, chain, size, edge)
        if since_last and chain and not faults:
            walk.begin_at(chain[-1])
        faults += await walk.through(session)
        return list({fault.kind: fault for fault in reversed(faults)}.values())[::-1]
    return []


def chain_faults(book: int, chain: Sequence[Seal], keys: Keys) -> Iterator[Fault]:
    """What is wrong with the seals themselves, the oldest first."""
    for number, seal in enumerate(chain, 1):
        place = f"seal {seal.number}"
        if seal.number != number:
            yield Fault("seal_number", book, place, f"stands where seal {number} should")
            return
        if not seal.is_signed_by(keys):
            yield Fault("seal_signature", book, place, "is not signed by a key of this place")
        if len(split(seal.edge)) != seal.size.bit_count() or root_of(split(seal.edge)) != seal.root:
            yield Fault("seal_edge", book, place, "its peaks do not give its root")
    if chain and chain[0].previous != NO_HASH:
        yield Fault("seal_chain", book, "seal 1", "says that there was one before it")
    for one, other in pairwise(chain):
        if other.previous != one.hash:
            yield Fault("seal_chain", book, f"seal {other.number}", f"does not carry the hash of seal {one.number}")
        if other.size < one.size or other.sealed_at < one.sealed_at:
            yield Fault("seal_order", book, f"seal {other.number}", f"closed less than seal {one.number}, or earlier")


def copy_faults(book: int, chain: Sequence[Seal], copies: Copies) -> Iterator[Fault]:
    """Published seals that the book does not have, or has otherwise."""
    texts = {seal.number: seal.text for seal in chain}
    for number, text in sorted(copies.items()):
        try:
            read_seal(text)
        except Unreadable:
            yield Fault("seal_copy", book, f"seal {number}", "its published copy is damaged")
            continue
        if number not in texts:
            yield Fault("seal_missing", book, f"seal {number}", "was published and is not in the book")
        elif texts[number] != text:
            yield Fault("seal_copy", book, f"seal {number}", "is not what was published")


class _Walk:
    """The whole book, from its first leaf, against stored nodes, seals and the edge of the tree."""

    def __init__(self, book: int, chain: Sequence[Seal], size: int, edge: bytes) -> None:
        self.book, self.size, self.edge = book, size, edge
        self.chain = [seal for seal in chain if seal.size <= size]
        self.done, self.peaks, self.totals = 0, list[bytes](), Counter[tuple[str, str]]()
        self.odd: list[Node] = []
        """Stored nodes that do not follow from the leaves: either they were changed, or the rows below them."""

    def begin_at(self, seal: Seal) -> None:
        """Take what a seal closed as read. The balances after it are no seal's yet."""
        self.done, self.peaks = seal.size, split(seal.edge)

    async def through(self, session: AsyncSession) -> list[Fault]:
        """Every fault up to the first rows that are not what was sealed."""
        async for packed, leaves, broken in batches(session, self.book, self.done, self.size):
            start, made = self.done, dict[Node, bytes]()
            marks = list(self._read([leaf_hash(leaf) for leaf in packed], leaves, made))
            rows = await fetch(session, _TILES, self.book, start, self.done)
            stored = {Node(height, place): value for height, place, value in rows}
            self.odd += sorted(node for node in made.keys() | stored.keys() if made.get(node) != stored.get(node))
            for seal, peaks, totals in marks:
                if root_of(peaks) != seal.root:
                    return [self._changed(seal, peaks)]
                if totals != seal.totals:
                    return [Fault("seal_totals", self.book, f"seal {seal.number}", "its balances do not follow")]
            if broken is not None:
                return [Fault("leaf", self.book, f"transfer {broken.seq}", broken.why)]
        return await self._end(session)

    def _read(
        self, hashes: Sequence[bytes], leaves: Sequence[Leaf], made: dict[Node, bytes]
    ) -> Iterator[tuple[Seal, list[bytes], tuple[str, ...]]]:
        """Add leaves to the tree and the balances, stopping at every seal to say how both stood."""
        start, after = self.done, self.done + len(hashes)
        due = [seal for seal in self.chain if start < seal.size <= after]
        for until in [*(seal.size for seal in due), after]:
            part = slice(self.done - start, until - start)
            made.update(grow(self.peaks, self.done, hashes[part]))
            for leaf in leaves[part]:
                add_to(self.totals, leaf.unit, leaf.debit, leaf.credit, leaf.amount)
            self.done = until
            if due:
                yield due.pop(0), list(self.peaks), totals_of(self.totals)

    def _changed(self, seal: Seal, peaks: Sequence[bytes]) -> Fault:
        """Name the smallest range of rows that is known to hold the change."""
        now = zip(nodes_of(0, seal.size), peaks, split(seal.edge), strict=False)
        differing = [node for node, is_now, was in now if is_now != was] + self.odd
        node = min(differing, key=lambda node: (node.first, node.height), default=Node(0, 0))
        place = f"transfers {node.first + 1} to {min(node.after, seal.size)}"
        return Fault("sealed_rows", self.book, place, f"are not what seal {seal.number} closed")

    async def _end(self, session: AsyncSession) -> list[Fault]:
        """What is wrong with the tree although all that was sealed is as it was."""
        faults = []
        for node in self.odd[:1]:
            place = f"transfers {node.first + 1} to {node.after}"
            faults.append(Fault("tile", self.book, place, f"the stored node {node.height} {node.place} is not theirs"))
        now = zip(nodes_of(0, self.size), self.peaks, split(self.edge) or [b""], strict=False)
        differing = [node for node, is_now, was in now if is_now != was]
        for node in differing[:1] if len(split(self.edge)) == len(self.peaks) else [Node(0, 0)]:
            place = f"transfers {node.first + 1} to {node.after}"
            faults.append(Fault("tree_edge", self.book, place, "are not what was read, or the tree's edge was changed"))
        ((stored,),) = await fetch(session, "SELECT count(*) FROM ledger.tile WHERE community_id = $1", self.book)
        due = sum(self.size >> height for height in range(STEP, 63, STEP))
        if not faults and stored != due:
            detail = f"{stored} nodes are stored, {due} should be"
            faults.append(Fault("tile", self.book, "tree", detail))
        return faults
