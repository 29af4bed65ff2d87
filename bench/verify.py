"""How long a book takes to prove, to prove on from its last seal, and to write out, and in how much memory.

    ./dev bench verify [--transfers N] [--keep FOLDER] [--json FILE]

A book of 10,000 accounts is filled with gifts, journals of three steps, holds that are captured and released, and
reversals; it is read into its tree and sealed, and a little more is posted. Everything after that only reads:

    verify       the ledger's proof of the whole book
    since_seal   the same for what was posted after the last seal
    seals        every leaf, the tree and every seal once more
    beancount, hledger, csv    the whole book as text, written nowhere

`mb` is by how much this process, and the server's process that answers it, outgrew what they began with; pages that the
server shares among all its processes are not counted. A durable server is started in a temporary folder and thrown away.
With --keep the folder is named and stays, and a book that is there already is measured as it is.
"""

import argparse
import asyncio
import contextlib
import gc
import json
import os
import random
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel.ext.asyncio.session import AsyncSession

import ledger
from ledger import AccountSpec, Capture, ExportForm, Hold, Journal, Leg, Release, Signer, Step
from migrations import runner
from service.kit.embedded_pg import server

BOOK, ACCOUNTS, AT_ONCE, AFTER_SEAL = 1, 10_000, 5_000, 20_000
ACTOR = UUID("0195d000-0000-7000-8000-00000000a001")
START = datetime(2026, 1, 1, tzinfo=UTC)
PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SIGNER = Signer(PRIVATE.public_key().public_bytes_raw(), PRIVATE.sign)
KEYS = {SIGNER.key: SIGNER.public_key}
POINT = "point"


def member(number: int) -> str:
    """The account of one of many."""
    return f"member:{number:032x}"


def journals(seed: int = 1) -> Iterator[Journal]:
    """A community's book for ever: each third journal is more than a gift."""
    chance, number = random.Random(seed), 0
    while True:
        number += 1
        one, other, third = (member(chance.randrange(ACCOUNTS)) for _ in range(3))
        kind = number % 12
        steps: tuple[Step, ...] = (Leg("issued", one, POINT, 50),)
        if kind in {3, 6} and one != other != third:
            steps = (Leg(one, other, POINT, 3), Leg(other, third, POINT, 2), Leg("issued", third, POINT, 1))
        elif kind == 9:
            hold = UUID(int=0x0195D000_0000_7000_8000_000000000000 + number)
            steps = (Hold(hold, one, POINT, 20, START + timedelta(days=900)), Capture(hold, other, 15), Release(hold))
        elif kind % 2 and one != other:
            steps = (Leg(one, other, POINT, 1),)
        yield Journal(f"bench:{number:012}", "service" if len(steps) == 1 else "voucher", steps, ACTOR)


async def fill(url: str, transfers: int) -> None:
    """Post until the book has so many transfers and then seal; and a little more."""
    engine = create_async_engine(url)
    async with AsyncSession(engine) as session:
        await ledger.open_book(session, BOOK, now=START)
        specs = [AccountSpec("issued", POINT, floor=None), AccountSpec("escrow", POINT)]
        specs += [AccountSpec(member(number), POINT) for number in range(ACCOUNTS)]
        await ledger.open_accounts(session, BOOK, specs, now=START)
        await session.commit()
    opening = (
        Journal(f"open:{number}", "opening", (Leg("issued", member(number), POINT, 1_000_000),), ACTOR)
        for number in range(ACCOUNTS)
    )
    more = journals()
    for goal in (transfers - AFTER_SEAL, transfers):
        done = 0
        while done < goal:
            asked = [each for _, each in zip(range(AT_ONCE), opening, strict=False)]
            asked = asked or [next(more) for _ in range(AT_ONCE)]
            async with AsyncSession(engine) as session:
                now = START + timedelta(seconds=done)
                verdicts = await ledger.post_many(session, BOOK, asked, now=now)
                assert all(isinstance(verdict, ledger.Posted) for verdict in verdicts)
                await session.commit()
                done = (await ledger.lag(session, BOOK)).posted
                undone = asked[0]
                if isinstance(undone.legs[0], Leg) and undone.reason == "service":
                    await ledger.reverse(
                        session, BOOK, reference=f"{undone.reference}:undo", original=undone.reference, reason="typo",
                        actor_id=ACTOR, now=now,
                    )  # fmt: skip
                    await session.commit()
        if goal < transfers:
            await seal(engine_url=url)
    await engine.dispose()


async def seal(*, engine_url: str) -> None:
    """Read everything into the tree and sign it."""
    engine = create_async_engine(engine_url)
    while True:
        async with AsyncSession(engine) as session:
            growth = await ledger.extend(session, BOOK)
            await session.commit()
        assert growth.fault is None, growth.fault
        if not growth.read:
            break
    async with AsyncSession(engine) as session:
        await ledger.seal(session, BOOK, SIGNER, KEYS, now=datetime.now(UTC))
        await session.commit()
    await engine.dispose()


def private_mb(pid: int) -> float:
    """What a process has for itself alone."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    lines = (line.split() for line in text.splitlines() if line.startswith(("Anonymous:", "Swap:")))
    return sum(int(words[1]) for words in lines) / 1024


@contextlib.asynccontextmanager
async def watched(*pids: int) -> AsyncIterator[list[float]]:
    """The most by which each process grew during the block."""
    gc.collect()
    before = [private_mb(pid) for pid in pids]
    most = [0.0 for _ in pids]

    def look() -> None:
        for place, pid in enumerate(pids):
            most[place] = max(most[place], private_mb(pid) - before[place])

    async def watch() -> None:
        while True:
            await asyncio.sleep(0.1)
            look()

    task = asyncio.create_task(watch())
    try:
        yield most
    finally:
        task.cancel()
        look()


async def measure(url: str) -> dict[str, object]:
    """Everything that only reads, one after the other."""
    engine = create_async_engine(url)
    found: dict[str, object] = {}

    async def proved(work: Awaitable[object]) -> None:
        assert await work == []

    async def since_seal(session: AsyncSession) -> None:
        last = await ledger.last_seal(session, BOOK)
        assert last is not None
        await proved(ledger.verify(session, BOOK, since=last.size))

    async def written(form: ExportForm, session: AsyncSession) -> None:
        async for _ in ledger.export(session, BOOK, form, zone=UTC):
            pass

    works: dict[str, Callable[[AsyncSession], Awaitable[None]]] = {
        "verify": lambda session: proved(ledger.verify(session, BOOK)),
        "since_seal": since_seal,
        "seals": lambda session: proved(ledger.verify_seals(session, BOOK, KEYS)),
        **{form.name.lower(): partial(written, form) for form in ExportForm},
    }
    for name, work in works.items():
        async with AsyncSession(engine) as session:
            connection = await session.connection()
            pid = (await connection.exec_driver_sql("SELECT pg_backend_pid()")).scalar_one()
            started = time.perf_counter()
            async with watched(os.getpid(), pid) as most:
                await work(session)
            seconds = time.perf_counter() - started
            found[name] = {"seconds": round(seconds, 2), "mb": {"client": round(most[0]), "server": round(most[1])}}
        await engine.dispose()
        print(name, found[name], flush=True)
    async with AsyncSession(engine) as session:
        found["transfers"] = (await ledger.lag(session, BOOK)).posted
    await engine.dispose()
    return found


async def run(owner_url: str, app_url: str, transfers: int) -> dict[str, object]:
    """On a server that is there."""
    await runner.upgrade(owner_url)
    url = app_url.replace("postgresql://", "postgresql+asyncpg://")
    engine = create_async_engine(url)
    async with AsyncSession(engine) as session:
        try:
            has = (await ledger.lag(session, BOOK)).posted
        except ledger.BookNotFound:
            has = 0
    await engine.dispose()
    if not has:
        started = time.perf_counter()
        await fill(url, transfers)
        print(f"filled in {time.perf_counter() - started:.0f} s", flush=True)
    return await measure(url)


def main() -> None:
    words = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    words.add_argument("--transfers", type=int, default=1_000_000)
    words.add_argument("--keep", type=Path, help="a folder for the server that is kept")
    words.add_argument("--json", type=Path)
    chosen = words.parse_args()
    load = [round(value, 1) for value in os.getloadavg()]
    with contextlib.ExitStack() as stack:
        folder = chosen.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="linli-bench-")))
        cluster = stack.enter_context(server(folder / "postgres"))
        found = asyncio.run(run(cluster.owner_url, cluster.app_url, chosen.transfers))
    text = json.dumps({**found, "load_before": load})
    print(text)
    if chosen.json:
        chosen.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
