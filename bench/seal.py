"""How fast the books are sealed: transfers a second on one core. Ends with one line of JSON.

    ./dev bench seal [--transfers N]

    hash      leaf hashes and the tree over prepared leaves (seal_per_s)
    encode    rows as the driver delivers them, to leaves
    extend    reading a book into its tree as the worker does: query, encode, audit, hash, store
    verify    the proof of the books without the seals, and what the seals add to it

A durable server of its own is started in a temporary folder and thrown away.
"""

import argparse
import asyncio
import json
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel.ext.asyncio.session import AsyncSession

import ledger
from bench.filling import BOOK, Filler
from ledger.check import Leaf, leaf_hash
from ledger.merkle import grow
from migrations import runner
from service.kit.embedded_pg import server

POSTED_AT_ONCE = 1000


def hashing(seconds: float = 3.0) -> tuple[float, float]:
    """Transfers a second: hashed from prepared leaves, and encoded from rows."""
    actor = bytes(range(16))
    rows = [
        (1, seq, seq, 1, "post", 100, 10**15, 10**15, None, actor, None, None, None, "point", f"member:{seq:032x}",
         f"member:{seq + 1:032x}", f"hours.shift:{seq:032x}:approved", "service")
        for seq in range(1, 4097)
    ]  # fmt: skip
    leaves: list[bytes] = []
    started, encoded = time.process_time(), 0
    while time.process_time() - started < seconds:
        leaves = [Leaf._make(row).encode() for row in rows]
        encoded += len(rows)
    encode = encoded / (time.process_time() - started)
    peaks: list[bytes] = []
    started, size = time.process_time(), 0
    while time.process_time() - started < seconds:
        grow(peaks, size, [leaf_hash(leaf) for leaf in leaves])
        size += len(leaves)
    return size / (time.process_time() - started), encode


async def books(url: str, transfers: int) -> dict[str, float]:
    """Fill a book, read it into its tree, seal it, prove it."""
    engine = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://"))
    filler = Filler(engine)
    await filler.fill()
    for _ in range(0, transfers - 10_000, POSTED_AT_ONCE):
        await filler.post(filler.uniform(POSTED_AT_ONCE))
    private = Ed25519PrivateKey.generate()
    signer = ledger.Signer(private.public_key().public_bytes_raw(), private.sign)
    keys = {signer.key: signer.public_key}
    started, read = time.perf_counter(), 0
    while True:
        async with AsyncSession(engine) as session:
            growth = await ledger.extend(session, BOOK)
            await session.commit()
        assert growth.fault is None
        if growth.read == 0:
            break
        read += growth.read
    took = {"extend_per_s": read / (time.perf_counter() - started)}
    async with AsyncSession(engine) as session:
        await ledger.seal(session, BOOK, signer, keys, now=datetime.now(UTC))
        await session.commit()
        for name, work in (
            ("verify_s", ledger.verify(session, BOOK)),
            ("seals_s", ledger.verify_seals(session, BOOK, keys)),
        ):
            started = time.perf_counter()
            assert await work == []
            took[name] = time.perf_counter() - started
        started = time.perf_counter()
        await ledger.prove(session, BOOK, read // 3)
        took["prove_ms"] = (time.perf_counter() - started) * 1000
    await engine.dispose()
    return {**took, "transfers": read}


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--transfers", type=int, default=60_000)
    chosen = words.parse_args()
    hashed, encoded = hashing()
    with tempfile.TemporaryDirectory(prefix="linli-bench-") as folder, server(Path(folder) / "postgres") as cluster:
        asyncio.run(runner.upgrade(cluster.owner_url))
        found = asyncio.run(books(cluster.app_url, chosen.transfers))
    whole = {name: round(value, 1) for name, value in found.items()}
    print(json.dumps({"seal_per_s": round(hashed), "encode_per_s": round(encoded), **whole}))


if __name__ == "__main__":
    main()
