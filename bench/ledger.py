"""Posting against what others do on the same server, in one run. Ends with one line of JSON.

    ./dev bench ledger [--rounds N] [--seconds S] [--grow TRANSFERS] [--json FILE]

Rates depend on the machine and ratios much less, so every round measures every candidate in turn and the medians of the
ratios are what counts. A durable server of its own is started in a temporary folder and thrown away.

    insert    pgbench, 32 clients, one row of four columns per transaction
    tpcb      pgbench's bank, 32 clients
    pgledger  its design (references.sql): 256 callers on 16 connections, between random accounts and on one hot account;
              and one caller alone
    orm       a mapper's unit of work, 256 callers on 16 connections
    door      256 callers with one journal each at the group poster: uniform, hot, and with a business row for each
    call      one caller alone, one journal per transaction: the function as SQL calls it
    one       the same by the library in a session of its own: begin, post, commit
    batch     two connections, batches of 128
    import    one connection, batches of 1,000

With --grow the door and the newest page of an account are measured again when so many transfers stand in the book.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker, create_async_engine
from sqlmodel.ext.asyncio.session import AsyncSession

import ledger
from bench import references
from bench.filling import ACCOUNTS, ACTOR, BOOK, IMPORT, Filler
from bench.seal import hashing
from ledger import Effect, Journal, Leg
from migrations import runner
from service.kit.db import make_poster
from service.kit.embedded_pg import server
from service.kit.embedded_pg.roles import SUPERUSER

CLIENTS, POSTERS, BATCH, CALLERS, POOL = 32, 2, 128, 256, 16
PAGE = 50
Work = Callable[[float], Awaitable[int]]
"""Works until the given moment of the monotonic clock and says how many rows it made."""


class Bench(Filler):
    """A filled book, and the candidates."""

    def __init__(self, engine: AsyncEngine, pool: asyncpg.Pool, url: str, theirs: Sequence[str]) -> None:
        super().__init__(engine)
        self.pool, self.url, self.theirs = pool, url, theirs
        self.mapping = create_async_engine(engine.url, pool_size=POOL, pool_timeout=300)
        self.waits: list[float] = []
        self.p99s: list[float] = []

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

    async def call(self, until: float) -> int:
        """A function of ours, called as any SQL client calls it, in a transaction of its own."""

        async def turn() -> int:
            (journal,) = self.uniform(1)
            (leg,) = (step for step in journal.legs if isinstance(step, Leg))
            code = await self.pool.fetchval(
                "SELECT (ledger.post($1, $2, $3, ARRAY[ROW('post', $4, $5, $6, $7, NULL, NULL)::ledger.step], $8, NULL, NULL,"
                " now())).code",
                BOOK, journal.reference, journal.reason, leg.debit, leg.credit, leg.unit, leg.amount, ACTOR,
            )  # fmt: skip
            assert code == "posted", code
            return 1

        return await self.together(1, turn, until)

    def pgledger(self, clients: int, *, hot: bool) -> Work:
        async def turn() -> int:
            debit, credit = self.random.sample(self.theirs, 2)
            debit, credit = (self.theirs[0], debit if debit != self.theirs[0] else credit) if hot else (debit, credit)
            await self.pool.execute("SELECT reference.transfer_amount($1, $2, 1)", debit, credit)
            return 1

        return lambda until: self.together(clients, turn, until)

    async def orm(self, until: float) -> int:
        async def turn() -> int:
            debit, credit = self.random.sample(range(ACCOUNTS), 2)
            await references.mapped(self.mapping, debit, credit, f"orm:{next(self.numbers)}")
            return 1

        return await self.together(CALLERS, turn, until)

    def door(self, make: Callable[[int], list[Journal]], *, kind: str | None = None) -> Work:
        """Callers at the group poster, each with one journal at a time; notes how long each waited."""

        async def work(until: float) -> int:
            sessions = async_sessionmaker(self.engine, class_=AsyncSession, expire_on_commit=False)
            poster = make_poster(sessions)

            async def turn() -> int:
                (journal,) = make(1)
                start = time.monotonic()
                effect = Effect(kind, journal.reference) if kind else None
                await poster.post(BOOK, journal, now=datetime.now(UTC), effect=effect)
                self.waits.append(time.monotonic() - start)
                return 1

            made = await self.together(CALLERS, turn, until)
            await poster.close()
            return made

        return work

    def candidates(self) -> dict[str, Work]:
        return {
            "insert": self.insert,
            "door": self.door(self.uniform),
            "pgledger_uniform": self.pgledger(CALLERS, hot=False),
            "door_hot": self.door(self.hot),
            "pgledger_hot": self.pgledger(CALLERS, hot=True),
            "door_effects": self.door(self.uniform, kind="reference.effect"),
            "tpcb": self.tpcb,
            "call": self.call,
            "pgledger_single": self.pgledger(1, hot=False),
            "one": self.posting(1, 1, self.uniform),
            "batch": self.posting(POSTERS, BATCH, self.uniform),
            "import": self.posting(1, IMPORT, self.uniform),
            "orm": self.orm,
        }

    async def insert(self, until: float) -> int:
        seconds = until - time.monotonic()
        return round(seconds * await references.pgbench(self.url, seconds, clients=CLIENTS))

    async def tpcb(self, until: float) -> int:
        seconds = until - time.monotonic()
        return round(seconds * await references.pgbench(self.url, seconds, clients=CLIENTS, builtin=True))


async def measure(bench: Bench, owner: asyncpg.Connection, rounds: int, seconds: float) -> dict[str, list[float]]:
    """Rows a second of each candidate, round by round, after one round that warms everything and gives plans a table to see."""
    rates: dict[str, list[float]] = {name: [] for name in bench.candidates()}
    for number in range(rounds + 1):
        if number == 1:
            await owner.execute("ANALYZE")
        for name, work in bench.candidates().items():
            bench.waits.clear()
            start = time.monotonic()
            made = await work(start + (seconds if number else seconds / 3))
            if number:
                rates[name].append(made / (time.monotonic() - start))
                if name == "door":
                    bench.p99s.append(statistics.quantiles(bench.waits, n=100)[98] * 1000)
    return rates


async def footprint(bench: Bench, steward: asyncpg.Connection) -> dict[str, float]:
    """Bytes of log and of disk that a transfer costs with everything that belongs to it, and how long its reference was."""
    await steward.execute("CHECKPOINT")
    for _ in range(20):
        await bench.post(bench.uniform(IMPORT))
    size = await steward.fetchval("SELECT pg_total_relation_size('ledger.transfer')")
    place = await steward.fetchval("SELECT pg_current_wal_insert_lsn()")
    for _ in range(40):
        await bench.post(bench.uniform(IMPORT))
    log = await steward.fetchval("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), $1)", place)
    disk = await steward.fetchval("SELECT pg_total_relation_size('ledger.transfer')") - size
    reference = len(bench.uniform(1)[0].reference)
    made = 40 * IMPORT
    return {"wal_bytes": float(log) / made, "stored_bytes": float(disk) / made, "reference_characters": reference}


async def verification(engine: AsyncEngine) -> dict[str, float]:
    """How long it takes to prove the whole book again."""
    async with AsyncSession(engine) as session:
        start = time.monotonic()
        faults = await ledger.verify(session)
        seconds = time.monotonic() - start
        page = await ledger.statement(session, BOOK, "hot", "point", limit=1)
    assert faults == [], faults
    return {"seconds": seconds, "transfers_per_second": page.lines[0].seq / seconds}


async def pages(bench: Bench, times: int = 300) -> float:
    """The slowest of a hundred newest pages of somebody's account, in milliseconds."""
    took = []
    async with AsyncSession(bench.engine) as session:
        for _ in range(times):
            account = bench.member(bench.random.randrange(ACCOUNTS))
            start = time.monotonic()
            await ledger.statement(session, BOOK, account, "point", limit=PAGE)
            took.append(time.monotonic() - start)
    return statistics.quantiles(took, n=100)[98] * 1000


async def growth(bench: Bench, steward: asyncpg.Connection, transfers: int, seconds: float) -> dict[str, float]:
    """The door and a page, now and when so many stand in the book; each state is measured three times."""

    async def state() -> tuple[float, float]:
        rates = []
        for _ in range(3):
            start = time.monotonic()
            rates.append(await bench.door(bench.uniform)(start + seconds) / (time.monotonic() - start))
        return statistics.median(rates), await pages(bench)

    before = await state()
    while (stand := await steward.fetchval("SELECT seq FROM ledger.book WHERE community_id = $1", BOOK)) < transfers:
        for _ in range(50):
            await bench.post(bench.uniform(IMPORT))
        print(f"{stand:,} transfers", file=sys.stderr)
    await steward.execute("VACUUM ANALYZE ledger.transfer, ledger.account")
    await steward.execute("CHECKPOINT")
    after = await state()
    return {
        "transfers": stand,
        "door_before": before[0],
        "door_after": after[0],
        "growth_ratio": after[0] / before[0],
        "page_p99_ms_before": before[1],
        "page_p99_ms_after": after[1],
    }


async def run(address: Callable[[str], str], rounds: int, seconds: float, grow: int) -> dict[str, Any]:
    """Everything, on a server that is there."""
    owner = await asyncpg.connect(address("linli_owner"))
    steward = await asyncpg.connect(address(SUPERUSER))
    await runner.upgrade(address("linli_owner"))
    theirs = await references.found(owner, ACCOUNTS)
    await references.prepare_pgbench(address("linli_owner"))
    url = address("linli_app").replace("postgresql://", "postgresql+asyncpg://")
    engine = create_async_engine(url, pool_size=POSTERS)
    async with asyncpg.create_pool(address("linli_app"), min_size=POOL, max_size=POOL) as pool:
        bench = Bench(engine, pool, address("linli_owner"), theirs)
        await bench.fill()
        await owner.execute("ANALYZE")
        rates = await measure(bench, owner, rounds, seconds)
        print(json.dumps(rates), file=sys.stderr)
        costs = await footprint(bench, steward)
        grown = await growth(bench, steward, grow, seconds) if grow else {}
        print(json.dumps(grown), file=sys.stderr)
        result = {
            "server": await owner.fetchval("SHOW server_version"),
            "fsync": await owner.fetchval(
                "SELECT current_setting('fsync') || ', ' || current_setting('synchronous_commit')"
            ),
            "rates": rates,
            "per_second": {name: round(statistics.median(found)) for name, found in rates.items()},
            "p99_ms": statistics.median(bench.p99s),
            "per_transfer": costs,
            "verify": await verification(engine),
            "page_p99_ms": await pages(bench),
            "growth": grown,
        }
        await bench.mapping.dispose()
    await engine.dispose()
    await owner.close()
    await steward.close()
    return result


def summary(result: dict[str, Any], seal_per_s: float) -> dict[str, object]:
    """The last line: the figures to compare from one release to the next."""
    rates, costs = result["rates"], result["per_transfer"]

    def ratio(ours: str, theirs: str) -> float:
        return round(float(statistics.median(a / b for a, b in zip(rates[ours], rates[theirs], strict=True))), 2)

    insert = statistics.median(rates["insert"])
    reach = {
        name: round(statistics.median(rates[name]) / (rate * insert / references.PUBLISHED_INSERT), 2)
        for name, rate in references.PUBLISHED.items()
    }
    return {
        "ratio_uniform": ratio("door", "pgledger_uniform"),
        "ratio_hot": ratio("door_hot", "pgledger_hot"),
        "ratio_insert": ratio("door", "insert"),
        "ratio_tpcb": ratio("door", "tpcb"),
        "ratio_orm": ratio("door", "orm"),
        "ratio_single": ratio("call", "pgledger_single"),
        "ratio_effects": ratio("door_effects", "door"),
        "p99_ms": round(result["p99_ms"], 1),
        "wal_bytes": round(costs["wal_bytes"]),
        "stored_bytes": round(costs["stored_bytes"]),
        "growth_ratio": round(result["growth"]["growth_ratio"], 2) if result["growth"] else None,
        "page_p99_ms": round(result["page_p99_ms"], 2),
        "seal_per_s": round(seal_per_s),
        "verify_s_per_million": round(1_000_000 / result["verify"]["transfers_per_second"], 2),
        "references_reach": reach,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--grow", type=int, default=0, metavar="TRANSFERS")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    hashed, encoded = hashing()
    with (
        tempfile.TemporaryDirectory() as folder,
        server(Path(folder) / "data", settings={"max_connections": "200"}) as cluster,
    ):
        result = asyncio.run(run(cluster.url, options.rounds, options.seconds, options.grow))
    text = json.dumps(result, indent=2)
    print(text)
    # One core both encodes and hashes.
    print(json.dumps(summary(result, 1 / (1 / hashed + 1 / encoded))))
    if options.json:
        options.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
