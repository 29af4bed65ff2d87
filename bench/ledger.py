"""Posting against the barest thing the same server does, in one run: a single-row insert.

    ./dev bench ledger [--rounds N] [--seconds S] [--json FILE]

Rates depend on the machine and ratios much less, so every round measures every candidate in turn and the medians of the
ratios are what counts. A durable server of its own is started in a temporary folder and thrown away.

    insert    32 connections, each inserting one row of four columns per transaction
    one       one connection, one journal per transaction
    uniform   two connections, batches of 128 journals between random accounts out of 10,000
    hot       the same, every journal from one account
    import    one connection, batches of 1,000
    door      256 callers with one journal each at the group poster
"""

import argparse
import asyncio
import json
import random
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker, create_async_engine
from sqlmodel.ext.asyncio.session import AsyncSession

import ledger
from ledger import AccountSpec, Journal, Leg, Posted
from migrations import runner
from service.kit.db import make_poster
from service.kit.embedded_pg import server

BOOK, ACCOUNTS = 1, 10_000
CLIENTS, POSTERS, BATCH, IMPORT, CALLERS = 32, 2, 128, 1000, 256
ACTOR = UUID("0195d000-0000-7000-8000-00000000a001")
Work = Callable[[float], Awaitable[int]]
"""Works until the given moment of the monotonic clock and says how many rows it made."""


class Bench:
    """A filled book, and the candidates."""

    def __init__(self, engine: AsyncEngine, pool: asyncpg.Pool) -> None:
        self.engine, self.pool = engine, pool
        self.random, self.numbers = random.Random(1), count()
        self.waits: list[float] = []

    async def fill(self) -> None:
        """Open the accounts and give each something to spend."""
        now = datetime.now(UTC)
        async with AsyncSession(self.engine) as session:
            await ledger.open_book(session, BOOK, now=now)
            specs = [AccountSpec("issued", "point", floor=None), AccountSpec("hot", "point", floor=None)]
            specs += [AccountSpec(f"member:{n:032x}", "point") for n in range(ACCOUNTS)]
            await ledger.open_accounts(session, BOOK, specs, now=now)
            await session.commit()
        for start in range(0, ACCOUNTS, IMPORT):
            await self.post(
                [self.journal("issued", self.member(n), 1_000_000_000) for n in range(start, start + IMPORT)]
            )

    def member(self, number: int) -> str:
        return f"member:{number:032x}"

    def journal(self, debit: str, credit: str, amount: int) -> Journal:
        return Journal(f"bench:{next(self.numbers):012}", "bench", (Leg(debit, credit, "point", amount),), ACTOR)

    async def post(self, journals: list[Journal]) -> None:
        async with AsyncSession(self.engine) as session:
            verdicts = await ledger.post_many(session, BOOK, journals, now=datetime.now(UTC))
            await session.commit()
        assert all(isinstance(verdict, Posted) for verdict in verdicts)

    def uniform(self, size: int) -> list[Journal]:
        pairs = [self.random.sample(range(ACCOUNTS), 2) for _ in range(size)]
        return [self.journal(self.member(debit), self.member(credit), 1) for debit, credit in pairs]

    def hot(self, size: int) -> list[Journal]:
        return [self.journal("hot", self.member(self.random.randrange(ACCOUNTS)), 1) for _ in range(size)]

    async def together(self, clients: int, turn: Callable[[], Awaitable[int]], until: float) -> int:
        async def client() -> int:
            made = 0
            while time.monotonic() < until:
                made += await turn()
            return made

        return sum(await asyncio.gather(*(client() for _ in range(clients))))

    def posting(self, clients: int, size: int, make: Callable[[int], list[Journal]]) -> Work:
        async def turn() -> int:
            await self.post(make(size))
            return size

        return lambda until: self.together(clients, turn, until)

    async def insert(self, until: float) -> int:
        async def turn() -> int:
            await self.pool.execute("INSERT INTO bare (debit, credit, amount) VALUES ($1, $2, $3)", 1, 2, 3)
            return 1

        return await self.together(CLIENTS, turn, until)

    async def door(self, until: float) -> int:
        """Callers at the group poster, each with one journal at a time; notes how long each waited."""
        poster = make_poster(async_sessionmaker(self.engine, class_=AsyncSession, expire_on_commit=False))

        async def turn() -> int:
            (journal,) = self.uniform(1)
            start = time.monotonic()
            await poster.post(BOOK, journal, now=datetime.now(UTC))
            self.waits.append(time.monotonic() - start)
            return 1

        made = await self.together(CALLERS, turn, until)
        await poster.close()
        return made

    def candidates(self) -> dict[str, Work]:
        return {
            "insert": self.insert,
            "one": self.posting(1, 1, self.uniform),
            "uniform": self.posting(POSTERS, BATCH, self.uniform),
            "hot": self.posting(POSTERS, BATCH, self.hot),
            "import": self.posting(1, IMPORT, self.uniform),
            "door": self.door,
        }


async def measure(bench: Bench, rounds: int, seconds: float) -> dict[str, list[float]]:
    """Rows a second of each candidate, round by round, after one round that warms everything."""
    rates: dict[str, list[float]] = {name: [] for name in bench.candidates()}
    for number in range(rounds + 1):
        for name, work in bench.candidates().items():
            start = time.monotonic()
            made = await work(start + (seconds if number else seconds / 3))
            if number:
                rates[name].append(made / (time.monotonic() - start))
    return rates


async def footprint(bench: Bench, owner: asyncpg.Connection) -> dict[str, float]:
    """Bytes of log and of disk that a transfer costs with everything that belongs to it."""
    tables = "SELECT sum(pg_total_relation_size(c)) FROM unnest('{ledger.journal,ledger.transfer}'::regclass[]) c"
    size, place = await owner.fetchval(tables), await owner.fetchval("SELECT pg_current_wal_insert_lsn()")
    for _ in range(20):
        await bench.post(bench.uniform(IMPORT))
    log = await owner.fetchval("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), $1)", place)
    disk = await owner.fetchval(tables) - size
    return {"wal_bytes": float(log) / (20 * IMPORT), "stored_bytes": float(disk) / (20 * IMPORT)}


async def verification(engine: AsyncEngine) -> dict[str, float]:
    """How long it takes to prove the whole book again."""
    async with AsyncSession(engine) as session:
        start = time.monotonic()
        faults = await ledger.verify(session)
        seconds = time.monotonic() - start
        page = await ledger.statement(session, BOOK, "hot", "point", limit=1)
    assert faults == [], faults
    return {"seconds": seconds, "transfers_per_second": page.lines[0].seq / seconds}


async def run(address: Callable[[str], str], rounds: int, seconds: float) -> dict[str, object]:
    """Everything, on a server that is there."""
    owner = await asyncpg.connect(address("linli_owner"))
    await runner.upgrade(address("linli_owner"))
    await owner.execute(
        "CREATE TABLE bare (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, debit bigint, credit bigint,"
        " amount bigint); GRANT INSERT ON bare TO linli_app"
    )
    url = address("linli_app").replace("postgresql://", "postgresql+asyncpg://")
    engine = create_async_engine(url, pool_size=POSTERS)
    async with asyncpg.create_pool(address("linli_app"), min_size=CLIENTS, max_size=CLIENTS) as pool:
        bench = Bench(engine, pool)
        await bench.fill()
        rates = await measure(bench, rounds, seconds)
        result = {
            "server": await owner.fetchval("SHOW server_version"),
            "per_second": {name: round(statistics.median(found)) for name, found in rates.items()},
            "ratio_to_insert": {
                name: round(statistics.median(a / b for a, b in zip(found, rates["insert"], strict=True)), 2)
                for name, found in rates.items()
            },
            "door_p99_ms": round(statistics.quantiles(bench.waits, n=100)[98] * 1000, 1),
            "hot_to_uniform": round(
                statistics.median(a / b for a, b in zip(rates["hot"], rates["uniform"], strict=True)), 2
            ),
            "per_transfer": {name: round(value) for name, value in (await footprint(bench, owner)).items()},
            "verify": {name: round(value, 2) for name, value in (await verification(engine)).items()},
        }
    await engine.dispose()
    await owner.close()
    return result


def summary(result: dict[str, Any]) -> dict[str, object]:
    """The last line: the figures to compare from one release to the next. Ratios are to 32 connections that insert a row."""
    ratios, costs = result["ratio_to_insert"], result["per_transfer"]
    return {
        "ratio_uniform": ratios["uniform"],
        "ratio_hot": ratios["hot"],
        "ratio_single": ratios["one"],
        "ratio_door": ratios["door"],
        "wal_bytes": costs["wal_bytes"],
        "stored_bytes": costs["stored_bytes"],
        "verify_s_per_million": round(1_000_000 / result["verify"]["transfers_per_second"], 2),
        "p99_ms": result["door_p99_ms"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, server(Path(folder) / "data") as cluster:
        result = asyncio.run(run(cluster.url, options.rounds, options.seconds))
    text = json.dumps(result, indent=2)
    print(text)
    print(json.dumps(summary(result)))
    if options.json:
        options.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
