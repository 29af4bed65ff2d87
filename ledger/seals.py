"""Seals: signed statements of everything that was posted up to a moment, each carrying the hash of the one before."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from ledger.check import NO_HASH, SealText, continues, is_signed, key_of, root_of
from ledger.driver import fetch
from ledger.leaves import BATCH
from ledger.merkle import consistency_ranges, split
from ledger.refusals import LedgerRefusal
from ledger.tree import TreeDamaged, extend, hashes, lock, peaks_known
from ledger.verify.kinds import Fault

READ_AT_ONCE = 16 * BATCH
"""How many transfers sealing itself reads into the tree; a tree further behind must be extended first."""

Keys = Mapping[str, bytes]
"""Public keys that are trusted, by their short names."""


@dataclass(frozen=True, slots=True)
class Signer:
    """A key that seals. The private half stays with whoever made `sign`, outside the database."""

    public_key: bytes
    sign: Callable[[bytes], bytes]

    @property
    def key(self) -> str:
        """The key's short name, as it is printed."""
        return key_of(self.public_key)


@dataclass(frozen=True, slots=True)
class Seal:
    """One seal as it stands in the book."""

    book: int
    number: int
    size: int
    root: bytes
    edge: bytes
    previous: bytes
    sealed_at: datetime
    key: str
    public_key: bytes
    signature: bytes
    totals: tuple[str, ...]

    @property
    def text(self) -> str:
        """What was signed."""
        at = self.sealed_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        named = (self.book, self.number, self.size, self.root, self.previous, at, self.key, self.totals)
        return SealText(*named).write()

    @property
    def hash(self) -> bytes:
        """What the next seal carries."""
        return sha256(self.text.encode()).digest()

    def as_file(self) -> dict[str, str]:
        """What linli-check reads."""
        signed = {"public_key": self.public_key.hex(), "signature": self.signature.hex()}
        return {"linli": "seal", "text": self.text, **signed}

    def is_signed_by(self, keys: Keys) -> bool:
        """Whether one of these keys signed exactly this."""
        return keys.get(self.key) == self.public_key and is_signed(self.text, self.public_key, self.signature)


@dataclass(frozen=True, slots=True)
class Sealing:
    """A new seal, or the last one when nothing was posted since; or the fault for which none was made."""

    seal: Seal | None
    is_new: bool = False
    fault: Fault | None = None


@dataclass(eq=False, kw_only=True)
class SealNotFound(LedgerRefusal):
    """There is no seal of this number."""

    code = "ledger.seal_not_found"
    number: int


@dataclass(eq=False, kw_only=True)
class NothingToSeal(LedgerRefusal):
    """Nothing was ever posted in this book."""

    code = "ledger.nothing_to_seal"


@dataclass(eq=False, kw_only=True)
class TreeBehind(LedgerRefusal):
    """The tree is too far behind the book to be sealed at once."""

    code = "ledger.tree_behind"
    behind: int


_SEALS = (
    "SELECT community_id, number, size, root, edge, previous, sealed_at, key, public_key, signature, totals"
    "  FROM ledger.seal WHERE community_id = $1"
)
# One statement, one moment: the balances are those after exactly so many transfers.
_TOTALS = """
    SELECT b.seq, a.kind, a.unit, a.balance
      FROM ledger.book b
      LEFT JOIN (SELECT split_part(x.code, ':', 1) AS kind, x.unit, sum(x.balance)::bigint AS balance
                   FROM ledger.account x WHERE x.community_id = $1
                  GROUP BY 1, 2 HAVING sum(x.balance) <> 0) a ON true
     WHERE b.community_id = $1
"""
_ADD = "SELECT ledger.add_seal($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"


async def seals(
    session: AsyncSession, book: int, *, before: int | None = None, limit: int | None = None
) -> Sequence[Seal]:
    """The seals of a book, newest first; `before` a number, at most `limit`."""
    query = f"{_SEALS} AND number < $2 ORDER BY number DESC LIMIT $3"
    rows = await fetch(session, query, book, before or 2**62, limit)
    return [_seal(row) for row in rows]


async def seal_by_number(session: AsyncSession, book: int, number: int) -> Seal:
    """One seal, or SealNotFound."""
    for row in await fetch(session, f"{_SEALS} AND number = $2", book, number):
        return _seal(row)
    raise SealNotFound(number=number)


async def last_seal(session: AsyncSession, book: int) -> Seal | None:
    """The newest seal, if there is any."""
    return next(iter(await seals(session, book, limit=1)), None)


def _seal(row: tuple[Any, ...]) -> Seal:
    columns: list[Any] = [*row[:-1], tuple(row[-1])]
    return Seal(*columns)


async def seal(
    session: AsyncSession, book: int, signer: Signer, keys: Keys, *, now: datetime, read_max: int = READ_AT_ONCE
) -> Sealing:
    """Seal everything that is posted. Without anything new the last seal is returned.

    Reads at most `read_max` transfers into the tree; one that is further behind is TreeBehind.

    Before it signs, it looks at its own last seal: the signature must be ours and the tree must still begin with what
    was sealed then. Otherwise, as at any fault among the new transfers, no seal is made and the fault is returned.
    """
    size, edge, _ = await lock(session, book)
    last = await last_seal(session, book)
    rows = await fetch(session, _TOTALS, book)
    posted = rows[0][0]
    if posted == 0 and last is None:
        raise NothingToSeal
    if posted - size > read_max:
        raise TreeBehind(behind=posted - size)
    while size != posted:
        growth = await extend(session, book, until=posted)
        if growth.fault is not None:
            return Sealing(None, fault=growth.fault)
        size, edge, _ = await lock(session, book)
    fault = await last_fault(session, last, keys, size, edge) if last is not None else None
    if fault is not None:
        return Sealing(None, fault=fault)
    if last is not None and last.size == size:
        return Sealing(last)
    totals = tuple(f"{kind} {unit} {balance}" for _, kind, unit, balance in sorted(rows) if kind is not None)
    made = _signed(book, last, size, edge, totals, signer, now)
    values = (made.root, made.edge, made.previous, made.sealed_at, made.key, made.public_key, made.signature)
    ((added,),) = await fetch(session, _ADD, book, made.number, size, *values, list(totals))
    assert added, "the tree's row is locked, and the seal follows from it"
    return Sealing(made, is_new=True)


def _signed(
    book: int, last: Seal | None, size: int, edge: bytes, totals: tuple[str, ...], signer: Signer, now: datetime
) -> Seal:
    number, previous = (last.number + 1, last.hash) if last is not None else (1, NO_HASH)
    now = max(now, last.sealed_at) if last is not None else now  # a clock may be set back, the chain may not
    draft = Seal(
        book, number, size, root_of(split(edge)), edge, previous, now, signer.key, signer.public_key, b"", totals
    )
    return Seal(
        book,
        number,
        size,
        draft.root,
        edge,
        previous,
        now,
        signer.key,
        signer.public_key,
        signer.sign(draft.text.encode()),
        totals,
    )


async def last_fault(session: AsyncSession, last: Seal, keys: Keys, size: int, edge: bytes) -> Fault | None:
    """What is wrong with a seal, seen from the tree as it is now; None when the one follows from the other."""
    place = f"seal {last.number}"
    if not last.is_signed_by(keys):
        return Fault("seal_signature", last.book, place, "is not signed by a key of this place")
    if root_of(split(last.edge)) != last.root:
        return Fault("seal_edge", last.book, place, "its peaks do not give its root")
    if last.size > size:
        return Fault("seal_ahead", last.book, place, f"closed {last.size} transfers, the tree has {size}")
    # The peaks of the tree are what is looked at; they must not vouch for themselves below what the seal closed.
    try:
        known = {node: value for node, value in peaks_known((size, edge)).items() if node.first >= last.size}
        path = await hashes(session, last.book, consistency_ranges(last.size, size), known)
    except (TreeDamaged, ValueError) as damage:
        return Fault("tree_damaged", last.book, place, str(damage))
    if not continues(last.root, last.size, root_of(split(edge)), size, path):
        detail = "the tree does not begin with what was sealed"
        return Fault("seal_continues", last.book, place, detail)
    return None
