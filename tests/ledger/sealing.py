"""Keys and a filled book for the tests of seals, and the naive tree that ours is compared with."""

from collections.abc import Sequence
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import ledger
from ledger import Capture, Hold, Journal, Leg, Release, Signer
from tests.db import Sessions
from tests.ledger.cast import BOOK, LI, NOW, ZHAO, hold_id, issue, journal, post

PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SIGNER = Signer(PRIVATE.public_key().public_bytes_raw(), PRIVATE.sign)
KEYS = {SIGNER.key: SIGNER.public_key}


def gift(number: int, amount: int = 1) -> Journal:
    return journal(f"gift:{number}", Leg("li", "chen", "point", amount), reason="gift")


async def fill(sessions: Sessions, gifts: int = 3) -> None:
    """Two issues, a hold that is captured and released, a reversal, and gifts: nine transfers and the gifts."""
    await post(
        sessions,
        issue("a", "li", 100_000),
        issue("b", "chen", 50, "minute"),
        journal("hold", Hold(hold_id(1), "li", "point", 300)),
        journal("capture", Capture(hold_id(1), "bakery", 200)),
        journal("release", Release(hold_id(1))),
        journal("oops", Leg("li", "chen", "point", 7), Leg("li", "jar", "point", 5)),
    )
    async with sessions.begin() as session:
        await ledger.reverse(
            session, BOOK, reference="undo", original="oops", reason="typo", actor_id=ZHAO, on_behalf_of=LI, now=NOW
        )
    async with sessions.begin() as session:
        await ledger.post_many(session, BOOK, [gift(number) for number in range(gifts)], now=NOW)


async def grow(sessions: Sessions, *, limit: int = 4096) -> None:
    """Read everything that is posted into the tree."""
    while True:
        async with sessions.begin() as session:
            growth = await ledger.extend(session, BOOK, limit=limit)
        assert growth.fault is None
        if growth.read == 0:
            return


async def sealed(sessions: Sessions) -> ledger.Seal:
    """Seal what is posted."""
    async with sessions.begin() as session:
        made = await ledger.seal(session, BOOK, SIGNER, KEYS, now=NOW)
    assert made.seal is not None, made.fault
    return made.seal


# The tree as RFC 6962 defines it, word for word.


def naive_root(leaves: Sequence[bytes]) -> bytes:
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0]).digest()
    k = naive_split(len(leaves))
    return sha256(b"\x01" + naive_root(leaves[:k]) + naive_root(leaves[k:])).digest()


def naive_path(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    if len(leaves) == 1:
        return []
    k = naive_split(len(leaves))
    if index < k:
        return [*naive_path(index, leaves[:k]), naive_root(leaves[k:])]
    return [*naive_path(index - k, leaves[k:]), naive_root(leaves[:k])]


def naive_proof(old: int, leaves: Sequence[bytes], *, is_old: bool = True) -> list[bytes]:
    if old == len(leaves):
        return [] if is_old else [naive_root(leaves)]
    k = naive_split(len(leaves))
    if old <= k:
        return [*naive_proof(old, leaves[:k], is_old=is_old), naive_root(leaves[k:])]
    return [*naive_proof(old - k, leaves[k:], is_old=False), naive_root(leaves[:k])]


def naive_split(count: int) -> int:
    k = 1
    while k * 2 < count:
        k *= 2
    return k
