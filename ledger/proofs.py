"""Proofs for strangers: that an entry stands in a sealed book, and that one sealed book continues another."""

import base64
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from struct import Struct

from sqlalchemy.ext.asyncio import AsyncSession

from ledger import check
from ledger.check import LEAVES_MAGIC, RECEIPT_MAGIC, Leaf, continues, decode, includes, leaf_hash
from ledger.driver import fetch
from ledger.leaves import batches, read
from ledger.merkle import consistency_ranges, inclusion_ranges
from ledger.refusals import LedgerRefusal
from ledger.seals import Seal, last_seal, seal_by_number
from ledger.tree import TreeDamaged, hashes, peaks_known

_LENGTH = Struct(">H")


@dataclass(eq=False, kw_only=True)
class NotSealedYet(LedgerRefusal):
    """The entry was posted after the last seal."""

    code = "ledger.not_sealed_yet"


@dataclass(eq=False, kw_only=True)
class EntryNotFound(LedgerRefusal):
    """The book has no transfer of this number."""

    code = "ledger.entry_not_found"


@dataclass(eq=False, kw_only=True)
class SealDoesNotFit(LedgerRefusal):
    """What stands in the book is not what was sealed: no proof can be given, and somebody has to look at it."""

    code = "ledger.seal_does_not_fit"
    number: int


@dataclass(frozen=True, slots=True)
class Inclusion:
    """An entry and the way from it to the root of a seal."""

    seal: Seal
    leaf: bytes
    path: tuple[bytes, ...]

    @property
    def entry(self) -> Leaf:
        """What the leaf says."""
        return decode(self.leaf)

    @property
    def receipt(self) -> str:
        """The proof as capital letters and digits; it is checked together with the seal."""
        return write_receipt(self.leaf, self.path)

    def as_file(self) -> dict[str, object]:
        """What linli-check reads."""
        path = [step.hex() for step in self.path]
        return {"linli": "inclusion", "seal": self.seal.as_file(), "leaf": self.leaf.hex(), "path": path}


@dataclass(frozen=True, slots=True)
class Consistency:
    """Two seals and the hashes that lead from the one to the other."""

    first: Seal
    second: Seal
    path: tuple[bytes, ...]

    def as_file(self) -> dict[str, object]:
        """What linli-check reads."""
        path = [step.hex() for step in self.path]
        return {"linli": "consistency", "first": self.first.as_file(), "second": self.second.as_file(), "path": path}


async def entry(session: AsyncSession, book: int, seq: int) -> Leaf:
    """A transfer with its journal as it would be sealed; EntryNotFound when there is none."""
    if seq >= 1:
        for leaf in (await read(session, book, seq - 1, seq))[1]:
            return leaf
    raise EntryNotFound


async def prove(session: AsyncSession, book: int, seq: int, *, number: int | None = None) -> Inclusion:
    """Prove that a transfer stands in the book of a seal: the one named, or the first that covers it.

    The proof is checked before it is given away; one that fails is SealDoesNotFit.
    """
    if seq < 1 or not await fetch(
        session, "SELECT seq FROM ledger.transfer WHERE community_id = $1 AND seq = $2", book, seq
    ):
        raise EntryNotFound
    seal = await seal_by_number(session, book, number) if number is not None else await _covering(session, book, seq)
    if seal is None or seal.size < seq:
        raise NotSealedYet
    packed, _, broken = await read(session, book, seq - 1, seq)
    try:
        ranges = inclusion_ranges(seq - 1, seal.size)
        path = await hashes(session, book, ranges, peaks_known((seal.size, seal.edge)))
    except (TreeDamaged, ValueError) as damage:
        raise SealDoesNotFit(number=seal.number) from damage
    if broken is not None or not includes(seal.root, seal.size, seq - 1, leaf_hash(packed[0]), path):
        raise SealDoesNotFit(number=seal.number)
    return Inclusion(seal, packed[0], tuple(path))


async def _covering(session: AsyncSession, book: int, seq: int) -> Seal | None:
    query = "SELECT min(number) FROM ledger.seal WHERE community_id = $1 AND size >= $2"
    ((number,),) = await fetch(session, query, book, seq)
    return await seal_by_number(session, book, number) if number is not None else None


async def prove_continues(session: AsyncSession, book: int, first: int, second: int | None = None) -> Consistency:
    """Prove that one seal's book begins with everything in an older one's; without a number, the newest."""
    one = await seal_by_number(session, book, first)
    newest = await last_seal(session, book) if second is None else await seal_by_number(session, book, second)
    other = newest or one
    if one.number > other.number:
        one, other = other, one
    try:
        known = peaks_known((one.size, one.edge), (other.size, other.edge))
        path = await hashes(session, book, consistency_ranges(one.size, other.size), known)
    except (TreeDamaged, ValueError) as damage:
        raise SealDoesNotFit(number=other.number) from damage
    if not continues(one.root, one.size, other.root, other.size, path):
        raise SealDoesNotFit(number=other.number)
    return Consistency(one, other, tuple(path))


async def leaves_file(session: AsyncSession, seal: Seal) -> AsyncIterator[bytes]:
    """The parts of a file with every leaf that a seal closed, for linli-check; SealDoesNotFit when one is missing."""
    yield LEAVES_MAGIC
    async for packed, _, broken in batches(session, seal.book, 0, seal.size):
        if broken is not None:
            raise SealDoesNotFit(number=seal.number)
        yield framed(packed)


def framed(leaves: Sequence[bytes]) -> bytes:
    """Leaves as an exported book holds them, each behind its length."""
    return b"".join([_LENGTH.pack(len(leaf)) + leaf for leaf in leaves])


def write_receipt(leaf: bytes, path: Sequence[bytes]) -> str:
    """A receipt's text: capital letters and digits, which a QR code packs tightest."""
    return RECEIPT_MAGIC + base64.b32encode(framed([leaf]) + b"".join(path)).decode().rstrip("=")


def checking_tool() -> bytes:
    """linli-check, the file that is given to strangers."""
    return Path(check.__file__).read_bytes()
