"""Kills the ledger's database and the process that posts, at random and under load, and counts what became of every promise."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncSession

import ledger
from migrations import runner
from service.kit.db import make_engine, make_sessions
from service.kit.embedded_pg import server
from service.kit.embedded_pg.orphans import processes_of
from tests.cast import KEYRING
from tests.crash import ledger_load
from tests.crash.ledger_load import BOOK, lines
from tests.db import in_thread
from tests.ledger.sealing import KEYS

ROOT = Path(__file__).resolve().parents[2]
CALLERS = 12
PATIENCE_SECONDS = 60.0
VICTIMS = ("poster", "backend", "postmaster", "server", "both")


@dataclass(slots=True)
class Outcome:
    """What the notes promise against what the book says."""

    kills: dict[str, int] = field(default_factory=dict)
    acknowledged: int = 0
    lost: int = 0
    doubled: int = 0
    unknown_resolved: int = 0
    """Asked for again after a kill: was posted after all, or is posted now."""
    never_answered: int = 0
    """Asked for last of all, when nobody was left to be told."""
    refused: int = 0
    seals: int = 0
    seals_lost: int = 0
    faults: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def is_sound(self) -> bool:
        """Nothing promised is missing, nothing stands twice, and the book is proved."""
        return not (self.lost or self.doubled or self.refused or self.seals_lost or self.faults)

    def as_json(self) -> dict[str, object]:
        """For the last line of a benchmark."""
        return {**asdict(self), "seconds": round(self.seconds, 1)}


class Siege:
    """One data folder and one set of notes, whatever is killed."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.notes = folder, folder / "notes"
        self.data = (folder / "postgres").absolute()
        self.chance, self.outcome = random.Random(seed), Outcome()

    def run(self, kills: int, *, seconds_between: tuple[float, float] = (0.2, 0.9)) -> Outcome:
        """Kill so many times, and then prove everything."""
        started = time.monotonic()
        with server(self.data) as cluster:
            in_thread(runner.upgrade(cluster.owner_url))
            in_thread(ledger_load.found(cluster.app_url))
        left = kills
        while left:
            with server(self.data) as cluster:
                left = self._storm(cluster.app_url, left, seconds_between)
        with server(self.data) as cluster:
            with self._posting(cluster.app_url):
                self._until_heard(CALLERS)  # everybody who was cut off has asked again
            in_thread(self._settle(cluster.app_url))
        self.outcome.seconds = time.monotonic() - started
        return self.outcome

    def _storm(self, url: str, left: int, between: tuple[float, float]) -> int:
        """Kill until the server is dead, or it has been enough."""
        while left:
            with self._posting(url) as poster:
                self._until_heard(1)
                while left and poster.poll() is None:
                    time.sleep(self.chance.uniform(*between))
                    victim = self.chance.choice(VICTIMS)
                    self._kill(victim, poster)
                    left -= 1
                    self.outcome.kills[victim] = self.outcome.kills.get(victim, 0) + 1
                    if victim in {"postmaster", "server", "both"}:
                        return left
                    if victim == "backend":
                        time.sleep(0.1)  # answers that were on their way
                        if not self._until_heard(CALLERS):
                            return left
        return left

    def _kill(self, victim: str, poster: subprocess.Popen[bytes]) -> None:
        if victim in {"poster", "both"}:
            poster.kill()
            poster.wait()
        if victim == "poster":
            return
        master = int((self.data / "postmaster.pid").read_text().split()[0])
        processes = [pid for pid in processes_of(self.data) if pid != master]
        if victim == "backend":
            chosen = [self.chance.choice(processes)]
        else:
            chosen = [master] if victim == "postmaster" else [*processes, master]
        for pid in chosen:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue  # it left by itself meanwhile

    @contextmanager
    def _posting(self, url: str) -> Iterator[subprocess.Popen[bytes]]:
        command = [sys.executable, "-m", "tests.crash.ledger_load", url, str(self.notes), str(CALLERS)]
        with (self.folder / "poster.log").open("ab") as log:
            poster = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            yield poster
            if poster.poll() not in {None, -signal.SIGKILL}:
                raise AssertionError((self.folder / "poster.log").read_text()[-4000:])
        finally:
            poster.kill()
            poster.wait()

    def _until_heard(self, callers: int) -> bool:
        """Until so many callers were told something more; False when the server died of what was done to it.

        One process of a server that recovers already may be the one that recovers it: then all of it ends.
        """
        begun, deadline = self.notes.stat().st_size if self.notes.exists() else 0, time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            if self.notes.exists():
                with self.notes.open() as file:
                    file.seek(begun)
                    told = {line.split()[1].split(":")[0] for line in file if line.startswith("told ") and "\n" in line}
                if len(told) >= callers:
                    return True
            if not processes_of(self.data):
                return False
            time.sleep(0.02)
        said = [(self.folder / name).read_text()[-3000:] for name in ("poster.log", "postgres.log")]
        raise AssertionError("\n".join(["nobody was told anything:", *said]))

    async def _settle(self, url: str) -> None:
        """Compare the notes with the book."""
        asked, told, again, seals = set[str](), dict[str, int](), 0, dict[int, str]()
        for words in lines(self.notes):
            match words:
                case ["ask", name]:
                    asked.add(name)
                case ["told", name, number, how]:
                    if told.setdefault(name, int(number)) != int(number):
                        self.outcome.doubled += 1
                    again += how == "again"
                case ["no", *_]:
                    self.outcome.refused += 1
                case ["seal", number, root]:
                    if seals.setdefault(int(number), root) != root:
                        self.outcome.seals_lost += 1
        engine = make_engine(url)
        try:
            async with make_sessions(engine, KEYRING)() as session:
                await _alone(session)
                stands = await _standing(session)
                tally = await ledger.balance(session, BOOK, "tally", "point")
                faults = [*await ledger.verify(session, BOOK), *await ledger.verify_seals(session, BOOK, KEYS)]
                kept = {seal.number: seal.root.hex() for seal in await ledger.seals(session, BOOK)}
        finally:
            await engine.dispose()
        outcome = self.outcome
        outcome.acknowledged = len(told)
        outcome.lost = sum(stands.get(name) != number for name, number in told.items())
        # A reference cannot stand twice; were something posted twice all the same, the tally would have counted it.
        outcome.doubled += abs(tally - len(stands)) + len(stands.keys() - asked)
        outcome.unknown_resolved, outcome.never_answered = again, len(asked - told.keys())
        outcome.seals = len(seals)
        outcome.seals_lost += sum(kept.get(number) != root for number, root in seals.items())
        outcome.faults = [str(fault) for fault in faults]


async def _standing(session: AsyncSession) -> dict[str, int]:
    """Every journal of the load by its reference."""
    rows = await (await session.connection()).exec_driver_sql(
        "SELECT reference, journal_id FROM ledger.journal WHERE community_id = $1 AND reference <> 'start'", (BOOK,)
    )
    return {str(reference): int(number) for reference, number in [tuple(row) for row in rows]}


async def _alone(session: AsyncSession) -> None:
    """Until the server is done with what callers asked who are dead now: it notices only when it wants to answer."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE usename = current_user AND pid <> pg_backend_pid()"
    while (await (await session.connection()).exec_driver_sql(query)).scalar_one():
        await session.rollback()  # within a transaction the view stands still
        await asyncio.sleep(0.02)
