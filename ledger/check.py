"""linli-check: proves, without Linli, that a book of Linli is what was sealed.

One file; it needs Python 3.11 and the package `cryptography`, and nothing of Linli. Run it as

    python -I linli_check.py seal.json                  the seal's signature, and what it says
    python -I linli_check.py proof.json                 one entry stands in a sealed book, or one seal continues another
    python -I linli_check.py receipt.txt seal.json      the same from the text of a printed receipt
    python -I linli_check.py book.leaves seal.json      every entry of an exported book, against a seal

With `--key KEY` the seal must also be signed by the key whose sixteen letters are printed on the notice board.
Exit code 0: everything is right. 1: something is not. 2: a file cannot be read.

A leaf, version 1. Numbers are big-endian, times are microseconds since 1970-01-01T00:00Z.

    at  bytes
     0      1   version, 1
     1      8   community
     9      8   number of the transfer in the book, from 1 without a gap, in the order of the commits
    17      8   number of its journal, which is the number of the journal's first transfer
    25      4   how many transfers the journal has
    29      1   kind: 1 post, 2 hold, 3 capture, 4 release, 5 refund
    30      1   what is there, by bits: 1 actor, 2 on behalf of, 4 hold, 8 expiry of the hold
    31      8   amount, in the smallest part of the unit
    39      8   time of posting
    47      8   time it took effect
    55      8   number of the journal that this one reverses, or 0
    63     16   actor, or zeros
    79     16   on behalf of whom, or zeros
    95     16   hold, or zeros
   111      8   when the hold expires (on a transfer of kind 2), or 0
   119          five texts, each as its length in two bytes and its UTF-8: unit, account that gave, account that
                received, reference, reason

Balances are not in a leaf: they follow from the leaves before it, and a neighbour's receipt must not tell yours.

The tree is that of RFC 6962 and RFC 9162: SHA-256, 0x00 before a leaf, 0x01 before two nodes. A seal is a text of
lines `name value`; its hash is the SHA-256 of the text, and the signature is Ed25519 over the text.
"""

import argparse
import base64
import json
import struct
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

KINDS = {"post": 1, "hold": 2, "capture": 3, "release": 4, "refund": 5}
LEAF_VERSION = 1
LEAVES_MAGIC = b"linli leaves 1\n"
RECEIPT_MAGIC = "LINLI1:"
NO_HASH = bytes(32)
EMPTY = sha256(b"").digest()
_FIXED = struct.Struct(">BQQQIBBQqqQ16s16s16sq")
_LENGTH = struct.Struct(">H")
_NONE = bytes(16)


class Unreadable(ValueError):
    """A file is not what it should be."""


class Leaf(NamedTuple):
    """One transfer with its journal, as a leaf holds it. Ids are raw, times are microseconds since 1970."""

    community: int
    seq: int
    journal_id: int
    transfers: int
    kind: str
    amount: int
    posted_at: int
    effective_at: int
    reverses: int | None
    actor_id: bytes | None
    on_behalf_of: bytes | None
    hold_id: bytes | None
    expires_at: int | None
    unit: str
    debit: str
    credit: str
    reference: str
    reason: str

    def encode(self) -> bytes:
        """The bytes that are hashed."""
        actor, behalf, hold, due = self.actor_id, self.on_behalf_of, self.hold_id, self.expires_at
        flags = (actor is not None) | (behalf is not None) << 1 | (hold is not None) << 2 | (due is not None) << 3
        ids = (actor or _NONE, behalf or _NONE, hold or _NONE)
        numbers = (*self[:4], KINDS[self.kind], flags, *self[5:8], self.reverses or 0)
        fixed = _FIXED.pack(LEAF_VERSION, *numbers, *ids, due or 0)
        words = [word.encode() for word in self[13:]]
        return fixed + b"".join([_LENGTH.pack(len(word)) + word for word in words])


def decode(leaf: bytes) -> Leaf:
    """The transfer that a leaf speaks of; whatever does not give the same bytes back is refused."""
    try:
        version, *numbers = _FIXED.unpack_from(leaf)
        words, place = list[str](), _FIXED.size
        for _ in range(5):
            (length,) = _LENGTH.unpack_from(leaf, place)
            words.append(leaf[place + 2 : place + 2 + length].decode())
            place += 2 + length
        community, seq, journal, transfers, kind, flags, amount, posted, effective, reverses, *ids, expires = numbers
        named: list[Any] = [one if flags & 1 << bit else None for bit, one in enumerate(ids)]
        name = next(word for word, number in KINDS.items() if number == kind)
    except (struct.error, UnicodeDecodeError, StopIteration) as problem:
        raise Unreadable("a leaf is damaged") from problem
    due = expires if flags & 8 else None
    fixed = (community, seq, journal, transfers, name, amount, posted, effective, reverses or None)
    found = Leaf._make([*fixed, *named, due, *words])
    if version != LEAF_VERSION or found.encode() != leaf:
        raise Unreadable("a leaf is of another version, or is damaged")
    return found


# The tree


def leaf_hash(leaf: bytes) -> bytes:
    """The hash of a leaf."""
    return sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash over two nodes."""
    return sha256(b"\x01" + left + right).digest()


def append(peaks: list[bytes], size: int, node: bytes) -> None:
    """Add one leaf's hash to the peaks of a tree of that size: its perfect subtrees, the largest first."""
    while size & 1:
        node = node_hash(peaks.pop(), node)
        size >>= 1
    peaks.append(node)


def root_of(peaks: Sequence[bytes]) -> bytes:
    """The root over the peaks."""
    if not peaks:
        return EMPTY
    root = peaks[-1]
    for peak in reversed(peaks[:-1]):
        root = node_hash(peak, root)
    return root


def includes(root: bytes, size: int, index: int, leaf: bytes, path: Sequence[bytes]) -> bool:
    """Whether the leaf with this hash stands at `index`, from 0, of the tree with this root (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    place, last, node = index, size - 1, leaf
    for step in path:
        if last == 0:
            return False
        if place & 1 or place == last:
            node = node_hash(step, node)
            place, last = _climb(place, last)
        else:
            node = node_hash(node, step)
        place, last = place >> 1, last >> 1
    return last == 0 and node == root


def continues(first: bytes, first_size: int, second: bytes, second_size: int, path: Sequence[bytes]) -> bool:
    """Whether the second tree begins with everything that is in the first (RFC 9162, 2.1.4.2)."""
    if not 0 < first_size <= second_size:
        return False
    if first_size == second_size:
        return not path and first == second
    steps = list(path)
    if first_size & (first_size - 1) == 0:
        steps.insert(0, first)
    if not steps:
        return False
    place, last = first_size - 1, second_size - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    old = new = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            old, new = node_hash(step, old), node_hash(step, new)
            place, last = _climb(place, last)
        else:
            new = node_hash(new, step)
        place, last = place >> 1, last >> 1
    return last == 0 and old == first and new == second


def _climb(place: int, last: int) -> tuple[int, int]:
    """Skip the levels at which the last node has no brother."""
    while place and not place & 1:
        place, last = place >> 1, last >> 1
    return place, last


# Seals


class SealText(NamedTuple):
    """What a seal says. `totals` are the balances of each kind of account and unit, as `kind unit amount`."""

    community: int
    number: int
    size: int
    root: bytes
    previous: bytes
    sealed_at: str
    key: str
    totals: tuple[str, ...]

    def write(self) -> str:
        """The text that is signed."""
        return (
            f"linli seal 1\ncommunity {self.community}\nnumber {self.number}\ntransfers {self.size}\n"
            f"root {self.root.hex()}\nprevious {self.previous.hex()}\nsealed_at {self.sealed_at}\nkey {self.key}\n"
        ) + "".join(f"total {total}\n" for total in self.totals)


def read_seal(text: str) -> SealText:
    """A seal from its text; a text that would be written otherwise is refused."""
    try:
        title, *lines = text.splitlines()
        values = [line.split(" ", 1)[1] for line in lines]
        numbers, hashes = [int(value) for value in values[:3]], [bytes.fromhex(value) for value in values[3:5]]
        seal = SealText._make([*numbers, *hashes, *values[5:7], tuple(values[7:])])
    except (ValueError, IndexError, TypeError) as problem:
        raise Unreadable("this is no seal") from problem
    if title != "linli seal 1" or seal.write() != text:
        raise Unreadable("this is no seal of version 1")
    return seal


def key_of(public_key: bytes) -> str:
    """A public key's short name, as printed: sixteen letters and digits."""
    return sha256(public_key).hexdigest()[:16].upper()


def is_signed(text: str, public_key: bytes, signature: bytes) -> bool:
    """Whether the key signed exactly this text."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, text.encode())
    except (InvalidSignature, ValueError):
        return False
    return True


class Failed(Exception):
    """Something is not as it was sealed."""


def _seal_of(data: Any, key: str | None) -> SealText:
    text, public_key = str(data["text"]), bytes.fromhex(data["public_key"])
    seal = read_seal(text)
    if not is_signed(text, public_key, bytes.fromhex(data["signature"])):
        raise Failed(f"the signature of seal {seal.number} is wrong")
    if key_of(public_key) != seal.key:
        raise Failed(f"seal {seal.number} names the key {seal.key} and is signed by {key_of(public_key)}")
    if key is not None and seal.key != key.replace(" ", "").upper():
        raise Failed(f"seal {seal.number} is signed by {seal.key} and not by {key}")
    return seal


def _hashes(path: Iterable[str]) -> list[bytes]:
    return [bytes.fromhex(step) for step in path]


def _check_entry(seal: SealText, leaf: bytes, path: Sequence[bytes]) -> str:
    entry = decode(leaf)
    if entry.community != seal.community:
        raise Failed("the entry is of another community")
    if not includes(seal.root, seal.size, entry.seq - 1, leaf_hash(leaf), path):
        raise Failed(f"transfer {entry.seq} does not stand so in the book that seal {seal.number} closed")
    return (
        f"transfer {entry.seq} ({entry.amount} {entry.unit} from {entry.debit} to {entry.credit}, {entry.reason}, "
        f"{entry.reference}) stands in the book of seal {seal.number}"
    )


def _check_json(data: Any, key: str | None) -> str:
    kind = data["linli"]
    if kind == "seal":
        seal = _seal_of(data, key)
        return f"seal {seal.number} is signed\n{data['text']}".rstrip()
    if kind == "inclusion":
        return _check_entry(_seal_of(data["seal"], key), bytes.fromhex(data["leaf"]), _hashes(data["path"]))
    if kind == "consistency":
        first, second = _seal_of(data["first"], key), _seal_of(data["second"], key)
        if first.community != second.community:
            raise Failed("the two seals are of two communities")
        if not continues(first.root, first.size, second.root, second.size, _hashes(data["path"])):
            raise Failed(f"the book of seal {second.number} does not continue the book of seal {first.number}")
        return f"the book of seal {second.number} begins with everything in the book of seal {first.number}"
    raise Unreadable("this file is of no kind that I know")


def read_receipt(text: str) -> tuple[bytes, list[bytes]]:
    """The leaf and the path in a receipt's text; blanks and line ends do not matter."""
    packed = "".join(text.split()).upper()
    if not packed.startswith(RECEIPT_MAGIC):
        raise Unreadable("this is no receipt")
    letters = packed[len(RECEIPT_MAGIC) :]
    data = base64.b32decode(letters + "=" * (-len(letters) % 8))
    (length,) = _LENGTH.unpack_from(data)
    leaf, path = data[2 : 2 + length], data[2 + length :]
    if len(leaf) != length or len(path) % 32:
        raise Unreadable("a part of the receipt is missing")
    return leaf, [path[start : start + 32] for start in range(0, len(path), 32)]


def _leaves(file: BinaryIO) -> Iterator[bytes]:
    while prefix := file.read(2):
        (length,) = _LENGTH.unpack(prefix)
        leaf = file.read(length)
        if len(leaf) != length:
            raise Unreadable("the exported book ends in the middle of an entry")
        yield leaf


def _check_leaves(file: BinaryIO, seal: SealText) -> str:
    peaks: list[bytes] = []
    count, totals = 0, Counter[tuple[str, str]]()
    for leaf in _leaves(file):
        if count == seal.size:
            break
        entry = decode(leaf)
        if (entry.community, entry.seq) != (seal.community, count + 1):
            raise Failed(f"where transfer {count + 1} should stand is transfer {entry.seq} of {entry.community}")
        append(peaks, count, leaf_hash(leaf))
        add_to(totals, entry.unit, entry.debit, entry.credit, entry.amount)
        count += 1
    if count < seal.size:
        raise Failed(f"seal {seal.number} closed {seal.size} transfers, the file has {count}")
    if root_of(peaks) != seal.root:
        raise Failed(f"the {count} transfers do not give the root of seal {seal.number}")
    if totals_of(totals) != seal.totals:
        raise Failed(f"the balances of seal {seal.number} do not follow from its transfers")
    return f"all {count} transfers give the root and the balances of seal {seal.number}"


def add_to(totals: Counter[tuple[str, str]], unit: str, debit: str, credit: str, amount: int) -> None:
    """Add a transfer to the balances of the kinds of account; the kind is what stands before the first colon."""
    totals[debit.partition(":")[0], unit] -= amount
    totals[credit.partition(":")[0], unit] += amount


def totals_of(totals: Counter[tuple[str, str]]) -> tuple[str, ...]:
    """The balances as a seal writes them, in order, without zeros."""
    return tuple(f"{kind} {unit} {amount}" for (kind, unit), amount in sorted(totals.items()) if amount)


def check(files: Sequence[Path], key: str | None) -> str:
    """Check one file, or one against a seal; says what is proved, or raises Failed or Unreadable."""
    with files[0].open("rb") as file:
        start = file.read(len(LEAVES_MAGIC))
        if start != LEAVES_MAGIC:
            whole = (start + file.read()).decode()
            if len(files) == 1:
                return _check_json(json.loads(whole), key)
            return _check_entry(_seal_in(files[1], key), *read_receipt(whole))
        if len(files) == 1:
            raise Unreadable("an exported book is checked against a seal: name its file, too")
        return _check_leaves(file, _seal_in(files[1], key))


def _seal_in(file: Path, key: str | None) -> SealText:
    return _seal_of(json.loads(file.read_text("utf-8")), key)


def main() -> int:
    """The command."""
    words = argparse.ArgumentParser(description="Check seals, proofs and exported books of Linli.")
    words.add_argument(
        "files", nargs="+", type=Path, help="a seal, a proof; or a receipt or an exported book, and a seal"
    )
    words.add_argument("--key", help="the key as it is printed on the notice board")
    chosen = words.parse_args()
    try:
        sys.stdout.write(f"正确 OK: {check(chosen.files[:2], chosen.key)}\n")
    except Failed as failure:
        sys.stdout.write(f"不对 WRONG: {failure}\n")
        return 1
    except (OSError, ValueError, KeyError, TypeError, struct.error) as problem:
        sys.stdout.write(f"看不懂 UNREADABLE: {type(problem).__name__} {problem}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
