"""Fills the disk under a ledger at work and makes room again. Runs where `python -m tests.crash.full_disk FOLDER NOTES` is told.

The folder is small and nobody else's (test_full_disk.py mounts it). Callers post all the time, at the door and alone; a
ballast file takes what room is left; then it is removed. One line of JSON tells what the callers heard and what the book holds.
"""

import asyncio
import json
import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import ledger
from ledger import Journal, OutcomeUnknown, Posted, TooBusy
from migrations import runner
from service.kit.db import is_connection_trouble, make_engine, make_poster, make_sessions
from service.kit.embedded_pg import server
from tests.cast import KEYRING
from tests.crash.ledger_load import BOOK, found, journal
from tests.ledger.sealing import KEYS, SIGNER

CALLERS, PATIENCE_SECONDS = 8, 60.0
# Little log is kept, so that it is the tables and the log together that fill the folder.
SETTINGS = {"max_wal_size": "48MB", "min_wal_size": "32MB", "max_connections": "20", "shared_buffers": "16MB"}


class Crowd:
    """Callers who never give up. `heard` are the errors on the way, `wrong` those that nobody should hear."""

    def __init__(self) -> None:
        self.going, self.told = True, dict[str, int]()
        self.heard, self.wrong = Counter[str](), Counter[str]()

    async def call(self, caller: int, post: Callable[[Journal], Awaitable[Posted]]) -> None:
        """One journal after the other; the last is insisted on as well."""
        number = 0
        while self.going:
            asked = journal(caller, number)
            while True:
                try:
                    self.told[asked.reference] = (await post(asked)).journal_id
                    break
                except Exception as problem:  # noqa: BLE001  (counted, each by its kind)
                    known = isinstance(problem, OutcomeUnknown | TooBusy) or is_connection_trouble(problem)
                    (self.heard if known else self.wrong)[type(getattr(problem, "orig", problem)).__name__] += 1
                    await asyncio.sleep(0.05)
            number += 1


def fill(folder: Path) -> Path:
    """Take all the room there is."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1 << 20))
        except OSError:
            pass
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return ballast


async def besiege(url: str, folder: Path) -> dict[str, object]:
    """Post, fill, make room, and look."""
    await found(url)
    engine = make_engine(url, pool_size=8)
    sessions = make_sessions(engine, KEYRING)
    poster, crowd = make_poster(sessions), Crowd()

    async def alone(asked: Journal) -> Posted:
        async with sessions.begin() as session:
            return await ledger.post(session, BOOK, asked, now=datetime.now(UTC))

    async def at_the_door(asked: Journal) -> Posted:
        return await poster.post(BOOK, asked, now=datetime.now(UTC))

    tasks = [asyncio.create_task(crowd.call(n, at_the_door if n % 2 else alone)) for n in range(CALLERS)]
    await until(lambda: len(crowd.told) > 100, "nothing is posted")
    ballast = await asyncio.to_thread(fill, folder)
    before = len(crowd.told)
    await until(lambda: sum(crowd.heard.values()) + sum(crowd.wrong.values()) > 20, "the disk does not fill")
    room = shutil.disk_usage(folder).free
    ballast.unlink()
    freed, after = time.monotonic(), len(crowd.told)
    await until(lambda: len(crowd.told) > after + 50, "nothing is posted any more")
    back = time.monotonic() - freed
    crowd.going = False
    await asyncio.wait_for(asyncio.gather(*tasks), PATIENCE_SECONDS)
    await poster.close()
    async with sessions.begin() as session:
        sealed = await ledger.seal(session, BOOK, SIGNER, KEYS, now=datetime.now(UTC))
    async with sessions.begin() as session:
        stands = {n: await ledger.journal(session, BOOK, n) for n in crowd.told}
        result = {
            "told": len(crowd.told),
            "told_when_full": after - before,
            "room_when_full": room,
            "back_seconds": round(back, 1),
            "heard": dict(crowd.heard),
            "wrong": dict(crowd.wrong),
            "lost": sum(each is None or each.journal_id != crowd.told[n] for n, each in stands.items()),
            "doubled": await ledger.balance(session, BOOK, "tally", "point") - len(crowd.told),
            "faults": [str(fault) for fault in await ledger.verify(session, BOOK)],
            "sealed": sealed.fault is None,
        }
    await engine.dispose()
    return result


async def until(reached: Callable[[], bool], otherwise: str) -> None:
    """Wait for it, not for ever."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not reached():
        if time.monotonic() > deadline:
            raise TimeoutError(otherwise)
        await asyncio.sleep(0.05)


def main() -> None:
    folder = Path(sys.argv[1])
    with server(folder / "postgres", keep=True, settings=SETTINGS) as cluster:
        asyncio.run(runner.upgrade(cluster.owner_url))
        result = asyncio.run(besiege(cluster.app_url, folder))
    sys.stdout.write(json.dumps(result) + "\n")
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
