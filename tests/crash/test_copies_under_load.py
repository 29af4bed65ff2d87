"""A copy that is taken while everybody posts is a whole book of some moment, with the seals it had then."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

import ledger
from migrations import runner
from service.kit.db import make_engine, make_sessions
from service.kit.embedded_pg import dump, restore, server
from tests.cast import KEYRING
from tests.crash import ledger_load
from tests.crash.ledger_load import BOOK, lines
from tests.crash.siege import ROOT
from tests.db import in_thread
from tests.ledger.sealing import KEYS

pytestmark = pytest.mark.slow


async def state(url: str) -> tuple[dict[int, str], int, int]:
    """The seals, how much is posted and what the tally says, of a book that was proved."""
    engine = make_engine(url)
    try:
        async with make_sessions(engine, KEYRING).begin() as session:
            assert await ledger.verify(session) == []
            assert await ledger.verify_seals(session, BOOK, KEYS) == []
            seals = {seal.number: seal.root.hex() for seal in await ledger.seals(session, BOOK)}
            return (
                seals,
                (await ledger.lag(session, BOOK)).posted,
                await ledger.balance(session, BOOK, "tally", "point"),
            )
    finally:
        await engine.dispose()


def test_three_copies_under_load(tmp_path: Path) -> None:
    notes, copies = tmp_path / "notes", [tmp_path / f"copy {number}" for number in range(3)]
    told_before: list[int] = []
    with server(tmp_path / "data") as cluster:
        in_thread(runner.upgrade(cluster.owner_url))
        in_thread(ledger_load.found(cluster.app_url))
        command = [sys.executable, "-m", "tests.crash.ledger_load", cluster.app_url, str(notes), "8"]
        poster = subprocess.Popen(command, cwd=ROOT)
        try:
            for copy in copies:
                seals_before = sum(words[0] == "seal" for words in lines(notes))
                deadline = time.monotonic() + 30
                while sum(words[0] == "seal" for words in lines(notes)) < seals_before + 3:
                    assert time.monotonic() < deadline
                    time.sleep(0.05)
                told_before.append(sum(words[0] == "told" for words in lines(notes)))
                dump(tmp_path / "data", copy)
            assert poster.poll() is None
        finally:
            poster.kill()
            poster.wait()
    promised = {int(words[1]): words[2] for words in lines(notes) if words[0] == "seal"}

    for number, copy in enumerate(copies):
        restore(tmp_path / f"restored {number}", copy)
        with server(tmp_path / f"restored {number}") as cluster:
            seals, posted, tally = in_thread(state(cluster.app_url))
        assert seals
        assert {each: promised[each] for each in seals if each in promised} == {
            each: root for each, root in seals.items() if each in promised
        }
        assert tally >= told_before[number]  # what was told before the copy began is in it
        assert posted == 2 * tally + ledger_load.ACCOUNTS
