"""Races on purpose: everybody runs up to a lock that we hold, then we let go. Nobody sleeps and nothing depends on luck."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

import asyncpg

from tests.db import Database

SQL = Path(__file__).resolve().parents[2] / "redemption" / "sql"

_WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
HEAD = "SELECT FROM ledger.book FOR UPDATE"


async def all_at_once(
    database: Database, racers: Sequence[Coroutine[Any, Any, Any]], *, holding: str = HEAD
) -> list[Any]:
    """Start all racers, let each run until it waits or is done while we hold a lock, then let go. Results and exceptions."""
    return await _race(database, [racers], holding)


async def one_after_another(
    database: Database, racers: Sequence[Coroutine[Any, Any, Any]], *, holding: str = HEAD
) -> list[Any]:
    """The same, but each starts only when the one before waits or is done: who comes first is then no luck."""
    return await _race(database, [[racer] for racer in racers], holding)


async def _race(database: Database, heats: Sequence[Sequence[Coroutine[Any, Any, Any]]], holding: str) -> list[Any]:
    holder = await asyncpg.connect(database.superuser_url)
    watcher = await asyncpg.connect(database.superuser_url)
    tasks: list[asyncio.Task[Any]] = []
    try:
        transaction = holder.transaction()
        await transaction.start()
        await holder.execute(holding)
        for heat in heats:
            tasks += [asyncio.ensure_future(racer) for racer in heat]
            # The query is the pause: the racers share our event loop and go on while we wait for its answer.
            while sum(task.done() for task in tasks) + await watcher.fetchval(_WAITING) < len(tasks):
                pass
        await transaction.rollback()
        return await asyncio.gather(*tasks, return_exceptions=True)
    finally:
        await holder.close()
        await watcher.close()


async def without_lock(
    database: Database, file: str, function: str, lock: str = " FOR NO KEY UPDATE", instead: str = ""
) -> None:
    """Replace one function by itself without its locks, or without a condition: the control that shows the race is real."""
    script = (SQL / f"{file}.sql").read_text(encoding="utf-8")
    found = re.search(rf"CREATE FUNCTION redemption\.{function}\(.*?\nEND \$\$;", script, re.DOTALL)
    assert found is not None
    assert lock in found[0]
    weakened = found[0].replace(lock, instead).replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1)
    owner = await asyncpg.connect(database.owner_url)
    try:
        await owner.execute(weakened)
    finally:
        await owner.close()


async def as_superuser(database: Database, *statements: str) -> None:
    """Plant what no function of ours would write."""
    connection = await asyncpg.connect(database.superuser_url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()
