"""The append-only tree over a book, kept as tiles. Pure.

Stored is every node that covers 256, 256² … leaves. Whatever lies between is computed: at most 256 leaves are hashed
again for a proof, and at most 128 stored nodes are read for each of its steps.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from ledger.check import node_hash, root_of

STEP = 8
"""Levels between stored nodes."""
TILE = 1 << STEP
"""Leaves below the lowest stored node."""


class Node(NamedTuple):
    """A perfect subtree: 2**height leaves, the `place`-th such from the left."""

    height: int
    place: int

    @property
    def first(self) -> int:
        """Its first leaf, from 0."""
        return self.place << self.height

    @property
    def after(self) -> int:
        """The leaf behind its last."""
        return (self.place + 1) << self.height


Range = tuple[int, int]
"""Leaves from the first, counted from 0, up to but without the second."""


def grow(peaks: list[bytes], size: int, hashes: Sequence[bytes]) -> list[tuple[Node, bytes]]:
    """Add leaf hashes to the peaks of a tree of `size` leaves, and return the nodes to store."""
    stored: list[tuple[Node, bytes]] = []
    done = 0
    while done < len(hashes):
        if size % TILE == 0 and len(hashes) - done >= TILE:
            height, node, count = STEP, perfect(hashes[done : done + TILE]), TILE
        else:
            height, node, count = 0, hashes[done], 1
        place = size >> height
        if height:
            stored.append((Node(height, place), node))
        while place & 1:
            node = node_hash(peaks.pop(), node)
            height, place = height + 1, place >> 1
            if height % STEP == 0:
                stored.append((Node(height, place), node))
        peaks.append(node)
        size, done = size + count, done + count
    return stored


def perfect(hashes: Sequence[bytes]) -> bytes:
    """The node over a power of two of nodes."""
    level = list(hashes)
    while len(level) > 1:
        pairs = iter(level)
        level = [node_hash(left, right) for left, right in zip(pairs, pairs, strict=True)]
    return level[0]


def nodes_of(first: int, after: int) -> list[Node]:
    """The perfect subtrees that make up a range of leaves, from the left."""
    found = []
    while first < after:
        height = (after - first).bit_length() - 1
        if first:
            height = min(height, (first & -first).bit_length() - 1)
        found.append(Node(height, first >> height))
        first += 1 << height
    return found


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """The subtrees whose hashes prove that a leaf stands in a tree, from the leaf upwards (RFC 6962, 2.1.1)."""
    found: list[Range] = []
    first, after = 0, size
    while after - first > 1:
        middle = first + _half(after - first)
        if index < middle:
            found.append((middle, after))
            after = middle
        else:
            found.append((first, middle))
            first = middle
    return found[::-1]


def consistency_ranges(old: int, size: int) -> list[Range]:
    """The subtrees whose hashes prove that a tree of `old` leaves became one of `size` (RFC 6962, 2.1.2)."""
    found: list[Range] = []
    first, after, is_old = 0, size, True
    while old != after:
        middle = first + _half(after - first)
        if old <= middle:
            found.append((middle, after))
            after = middle
        else:
            found.append((first, middle))
            first, is_old = middle, False
    if not is_old:
        found.append((first, after))
    return found[::-1]


def _half(leaves: int) -> int:
    """The largest power of two below a number of leaves."""
    return 1 << ((leaves - 1).bit_length() - 1)


def range_hash(first: int, after: int, hash_of: Callable[[Node], bytes]) -> bytes:
    """The hash over a range of leaves."""
    return root_of([hash_of(node) for node in nodes_of(first, after)])


def stored_below(node: Node) -> tuple[int, int, int]:
    """The height of the stored nodes from which a node follows, and the places of the first and behind the last."""
    height = node.height - node.height % STEP
    return height, node.first >> height, node.after >> height


def split(edge: bytes) -> list[bytes]:
    """Peaks from the bytes in which they are kept."""
    return [edge[start : start + 32] for start in range(0, len(edge), 32)]


def peaks_by_node(size: int, edge: bytes) -> Iterator[tuple[Node, bytes]]:
    """The peaks of a tree of this size with the places where they stand."""
    yield from zip(nodes_of(0, size), split(edge), strict=True)
