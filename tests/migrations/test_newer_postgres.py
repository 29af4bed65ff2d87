"""A book moves to a newer PostgreSQL by dump and restore: the same seals, the same roots, proofs that are still valid."""

import asyncio
import subprocess
from pathlib import Path

import pytest

import ledger
from ledger.proofs import Inclusion
from migrations import runner
from service.kit.embedded_pg import Cluster, find_binaries, restore, server
from service.kit.embedded_pg.binaries import SYSTEM_FOLDER
from tests.db import open_engine, sessions_of
from tests.ledger import cast
from tests.ledger.cast import BOOK, NOW
from tests.ledger.sealing import KEYS, fill, gift, grow, sealed

OLD = SYSTEM_FOLDER / "15" / "bin"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (OLD / "postgres").exists(), reason="PostgreSQL 15 is not installed"),
]


async def kept_in(cluster: Cluster) -> tuple[list[ledger.Seal], list[Inclusion], dict[tuple[str, str], int]]:
    """The seals, a proof of an old and of a late entry, and the balances, from a book that was proved."""
    async with open_engine(cluster.app_url) as engine, sessions_of(engine).begin() as session:
        assert await ledger.verify(session) == []
        assert await ledger.verify_seals(session, BOOK, KEYS) == []
        accounts = [(spec.code, spec.unit) for spec in cast.ACCOUNTS]
        proofs = [await ledger.prove(session, BOOK, seq) for seq in (1, 300)]
        return list(await ledger.seals(session, BOOK)), proofs, await ledger.balances(session, BOOK, accounts)


async def season(cluster: Cluster) -> None:
    """A book with two seals and something after the last."""
    async with open_engine(cluster.app_url) as engine:
        sessions = sessions_of(engine)
        async with sessions.begin() as session:
            await cast.found(session)
        await fill(sessions, gifts=300)
        await sealed(sessions)
        async with sessions.begin() as session:
            await ledger.post_many(session, BOOK, [gift(number) for number in range(300, 600)], now=NOW)
        await sealed(sessions)
        async with sessions.begin() as session:
            await ledger.post_many(session, BOOK, [gift(number) for number in range(600, 640)], now=NOW)
        await grow(sessions)


async def goes_on(cluster: Cluster) -> None:
    """The book is posted to and sealed on, and the new seal continues the old."""
    async with open_engine(cluster.app_url) as engine:
        sessions = sessions_of(engine)
        async with sessions.begin() as session:
            again, new = await ledger.post_many(session, BOOK, [gift(7), gift(640)], now=NOW)
            assert isinstance(again, ledger.Posted)
            assert isinstance(new, ledger.Posted)
            assert (again.replayed, new.replayed) == (True, False)
        assert (await sealed(sessions)).number == 3
        async with sessions.begin() as session:
            assert (await ledger.prove_continues(session, BOOK, 1, 3)).second.number == 3
            assert await ledger.verify_seals(session, BOOK, KEYS) == []


def test_dump_and_restore_to_a_newer_major_version(tmp_path: Path) -> None:
    with server(tmp_path / "old", durable=False, binaries=OLD) as old:
        assert old.binaries.major == 15
        asyncio.run(runner.upgrade(old.owner_url))
        asyncio.run(season(old))
        before = asyncio.run(kept_in(old))
        target = ["--host", str(old.socket), "--username", "postgres", "--file", str(tmp_path / "book"), "linli"]
        subprocess.run([OLD / "pg_dump", "--format=custom", *target], check=True)

    assert find_binaries().major > 15
    restore(tmp_path / "new", tmp_path / "book")

    with server(tmp_path / "new", durable=False) as new:
        assert asyncio.run(kept_in(new)) == before
        asyncio.run(goes_on(new))
