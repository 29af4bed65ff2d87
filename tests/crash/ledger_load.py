"""A process that posts as fast as it can and writes down what it asked and what it was told; it is made to be killed.

    python -m tests.crash.ledger_load URL NOTES CALLERS

Every caller moves value round a circle of accounts, one journal after the other, half of them at the group poster's door and
half in transactions of their own, and asks again with the same reference until it is told. A line of the notes is written
before asking and another after the answer, each by one call to the kernel, which keeps it whatever becomes of us. Whoever is
started again with the same notes asks first for everything of which it never heard. One more task seals all the time.
"""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

import ledger
from ledger import AccountSpec, Journal, LedgerRefusal, Leg, OutcomeUnknown, Posted
from service.kit.db import Sessions, is_connection_trouble, make_engine, make_poster, make_sessions
from tests.cast import KEYRING
from tests.ledger.sealing import KEYS, SIGNER

BOOK, ACCOUNTS, START = 1, 8, 1_000_000
PAUSE_SECONDS = 0.1
"""Between two tries. A server that recovers makes a process for everyone who knocks."""


def member(number: int) -> str:
    """One of the circle."""
    return f"member:{number % ACCOUNTS}"


def journal(caller: int, number: int) -> Journal:
    """What this caller asks under this number, always the same."""
    giver, amount = caller + number, 1 + (caller * 7 + number) % 5
    legs = (Leg(member(giver), member(giver + 1), "point", amount), Leg("issued", "tally", "point", 1))
    return Journal(f"{caller}:{number}", "load", legs, None)


async def found(url: str) -> None:
    """Open the book: a circle of members with points, and a tally of everything that was posted."""
    engine = make_engine(url)
    now = datetime.now(UTC)
    async with make_sessions(engine, KEYRING).begin() as session:
        await ledger.open_book(session, BOOK, now=now)
        specs = [AccountSpec("issued", "point", floor=None), AccountSpec("tally", "point")]
        await ledger.open_accounts(
            session, BOOK, [*specs, *(AccountSpec(member(n), "point") for n in range(ACCOUNTS))], now=now
        )
        legs = tuple(Leg("issued", member(n), "point", START) for n in range(ACCOUNTS))
        await ledger.post(session, BOOK, Journal("start", "load", legs, None), now=now)
    await engine.dispose()


class Notes:
    """What was asked and told, a line each: `ask 3:17`, `told 3:17 512`, `no 3:17 ledger.x`, `seal 4 <root>`."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.place = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def write(self, *words: object) -> None:
        """One line, which the kernel has when this returns."""
        os.write(self.place, (" ".join(map(str, words)) + "\n").encode())


def lines(file: Path) -> Iterable[list[str]]:
    """The notes; the last line may have been cut off."""
    if file.exists():
        yield from (line.split() for line in file.read_text().split("\n")[:-1])


class Load:
    """The callers of one process."""

    def __init__(self, sessions: Sessions, notes: Notes) -> None:
        self.sessions, self.notes = sessions, notes
        self.poster = make_poster(sessions)
        asked = {words[1] for words in lines(notes.file) if words[0] == "ask"}
        told = {words[1] for words in lines(notes.file) if words[0] in {"told", "no"}}
        self.open = sorted(asked - told, key=lambda name: [int(part) for part in name.split(":")])
        self.next = {int(name.split(":")[0]): 0 for name in asked}
        for name in asked:
            caller, number = map(int, name.split(":"))
            self.next[caller] = max(self.next[caller], number + 1)

    async def call(self, caller: int) -> None:
        """First what was never answered, then on and on."""
        for name in self.open:
            if name.startswith(f"{caller}:"):
                await self.insist(caller, int(name.split(":")[1]))
        number = self.next.get(caller, 0)
        while True:
            self.notes.write("ask", f"{caller}:{number}")
            await self.insist(caller, number)
            number += 1

    async def insist(self, caller: int, number: int) -> None:
        """Ask until somebody answers."""
        asked = journal(caller, number)
        post = self.at_the_door if caller % 2 else self.alone
        while True:
            try:
                posted = await post(asked)
            except LedgerRefusal as refusal:
                if isinstance(refusal, ledger.TooBusy):
                    await asyncio.sleep(PAUSE_SECONDS)
                    continue
                self.notes.write("no", asked.reference, refusal.code)
            except Exception as problem:
                if not (isinstance(problem, OutcomeUnknown) or is_connection_trouble(problem)):
                    raise
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            else:
                self.notes.write("told", asked.reference, posted.journal_id, "again" if posted.replayed else "new")
            return

    async def at_the_door(self, asked: Journal) -> Posted:
        return await self.poster.post(BOOK, asked, now=datetime.now(UTC))

    async def alone(self, asked: Journal) -> Posted:
        async with self.sessions.begin() as session:
            return await ledger.post(session, BOOK, asked, now=datetime.now(UTC))

    async def seal(self) -> None:
        """Read on and seal, again and again; whatever is cut off is tried anew."""
        while True:
            try:
                async with self.sessions.begin() as session:
                    made = await ledger.seal(session, BOOK, SIGNER, KEYS, now=datetime.now(UTC))
            except Exception as problem:
                if not is_connection_trouble(problem):
                    raise
            else:
                assert made.fault is None, made.fault
                assert made.seal is not None
                self.notes.write("seal", made.seal.number, made.seal.root.hex())
            await asyncio.sleep(0.1)


async def work(url: str, notes: Notes, callers: int) -> None:
    """Until we are killed."""
    engine = make_engine(url, pool_size=8)
    load = Load(make_sessions(engine, KEYRING), notes)
    works: list[Callable[[], Awaitable[None]]] = [lambda n=n: load.call(n) for n in range(callers)]  # type: ignore[misc]
    await asyncio.gather(load.seal(), *(each() for each in works))


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1], Notes(Path(sys.argv[2])), int(sys.argv[3])))
