"""How fast the books are sealed: transfers a second on one core. Ends with one line of JSON.

    ./dev bench seal [--transfers N] [--rounds N] [--seconds S]

    hash      leaf hashes and the tree over prepared leaves (seal_per_s)
    encode    rows as the driver delivers them, to leaves
    extend    reading a book into its tree as the worker does: query, encode, audit, hash, store
    verify    the proof of the books without the seals, and what the seals add to it
    beside    two posters alone and with a sealer in a process of its own that reads on as the worker does, in turns: what is
              left of the posters' rate, how far the tree was behind at the posters' own rate (lag_s the most, lag_median_s),
              and the rates at which the sealer keeps up. Once as fast as the posters can, once at a tenth of that.

A durable server of its own is started in a temporary folder and thrown away.
"""

import argparse
import asyncio
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
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


async def keep_sealing(url: str) -> None:
    """What the worker does: read on until nothing is left, and look again after as long as it rests."""
    engine = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://"))
    while True:
        async with AsyncSession(engine) as session:
            growth = await ledger.extend(session, BOOK)
            await session.commit()
        assert growth.fault is None
        await asyncio.sleep(ledger.seconds_to_next_look(growth.read))


@contextlib.contextmanager
def sealer(url: str, *, is_there: bool) -> Iterator[None]:
    """A process that seals for as long as the block lasts, if there is one."""
    if not is_there:
        yield
        return
    process = subprocess.Popen([sys.executable, "-m", "bench.seal", "--sealer", url])
    try:
        time.sleep(2)
        yield
    finally:
        process.kill()
        process.wait()


async def turn(bench: Filler, engine: AsyncEngine, seconds: float, pause: float) -> tuple[float, list[float]]:
    """Two posters for some seconds: how many transfers a second, and again and again how many seconds the tree was behind."""
    behind: list[int] = []

    async def watch() -> None:
        while True:
            await asyncio.sleep(0.1)
            async with AsyncSession(engine) as session:
                behind.append((await ledger.lag(session, BOOK)).behind)

    async def post() -> int:
        made = 0
        while time.monotonic() < started + seconds:
            await bench.post(bench.uniform(128))
            await asyncio.sleep(pause)
            made += 128
        return made

    task, started = asyncio.create_task(watch()), time.monotonic()
    made = sum(await asyncio.gather(post(), post()))
    rate = made / (time.monotonic() - started)
    task.cancel()
    return rate, [each / rate for each in behind]


async def beside(url: str, rounds: int, seconds: float) -> dict[str, object]:
    """Posters without and with a sealer, in turns."""
    engine = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://"))
    bench = Filler(engine)
    bench.numbers = count(10**9)
    found: dict[str, object] = {}
    for name, pause in (("full", 0.0), ("tenth", 0.15)):
        kept: list[float] = []
        lags: list[float] = []
        rates: list[float] = []
        for _ in range(rounds):
            alone, _ = await turn(bench, engine, seconds, pause)
            with sealer(url, is_there=True):
                for _ in range(120):  # what the posters alone left behind is read first
                    async with AsyncSession(engine) as session:
                        if (await ledger.lag(session, BOOK)).behind == 0:
                            break
                    await asyncio.sleep(0.25)
                with_sealer, lag = await turn(bench, engine, seconds, pause)
            kept.append(with_sealer / alone)
            lags += lag
            rates.append(with_sealer)
        found[name] = {
            "posted_per_s": round(statistics.median(rates)),
            "kept": round(statistics.median(kept), 3),
            "lag_s": round(max(lags), 2),
            "lag_median_s": round(statistics.median(lags), 2),
        }
    await engine.dispose()
    return found


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--transfers", type=int, default=60_000)
    words.add_argument("--rounds", type=int, default=3)
    words.add_argument("--seconds", type=float, default=4)
    words.add_argument("--sealer", help=argparse.SUPPRESS)
    chosen = words.parse_args()
    if chosen.sealer:
        asyncio.run(keep_sealing(chosen.sealer))
    hashed, encoded = hashing()
    with tempfile.TemporaryDirectory(prefix="linli-bench-") as folder, server(Path(folder) / "postgres") as cluster:
        asyncio.run(runner.upgrade(cluster.owner_url))
        found = asyncio.run(books(cluster.app_url, chosen.transfers))
        together = asyncio.run(beside(cluster.app_url, chosen.rounds, chosen.seconds))
    whole = {name: round(value, 1) for name, value in found.items()}
    print(json.dumps({"seal_per_s": round(hashed), "encode_per_s": round(encoded), **whole, "beside": together}))


if __name__ == "__main__":
    main()
