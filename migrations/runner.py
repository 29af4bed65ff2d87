"""Moves a database along its history: one migrator at a time, never blocking people at work for long.

A change of a table in use waits for every transaction on it, and everyone who comes later waits behind the change. So a
migration gives up after 200 milliseconds of waiting, lets the others pass and tries again.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

FOLDER = Path(__file__).parent
ADVISORY_LOCK = 0x6C696E6C69
"""Any number will do as long as nobody else uses it; these are the letters of Linli."""

LOCK_TRIES = 60
SECONDS_FOR_THE_OTHER_MIGRATOR = 120.0


class MigrationBusyError(RuntimeError):
    """The tables were in use during every try, or another migrator did not finish. Nothing is half done."""


def expected_head() -> str:
    """The revision this code needs, as the file HEAD names it."""
    return (FOLDER / "HEAD").read_text(encoding="utf-8").strip()


async def upgrade(owner_url: str, revision: str = "head", *, versions: tuple[Path, ...] = ()) -> None:
    """Bring the database to a revision. `versions` adds folders of migrations; only tests have any."""
    await _migrate(owner_url, versions, lambda config: command.upgrade(config, revision))


async def downgrade(owner_url: str, revision: str, *, versions: tuple[Path, ...] = ()) -> None:
    """Take the database back to an earlier revision; "base" is an empty one."""
    await _migrate(owner_url, versions, lambda config: command.downgrade(config, revision))


async def current(url: str) -> str | None:
    """The revision a database is at; None for one without tables. Any role may ask."""
    async with _connection(url) as connection:
        return await connection.run_sync(lambda sync: MigrationContext.configure(sync).get_current_revision())


def head() -> str | None:
    """The last of the migrations that are here."""
    return ScriptDirectory.from_config(_config(())).get_current_head()


async def _migrate(owner_url: str, versions: tuple[Path, ...], step: Callable[[Config], None]) -> None:
    async with _connection(owner_url) as connection, _alone(connection):
        for attempt in range(1, LOCK_TRIES + 1):
            try:
                await connection.run_sync(_run, _config(versions), step)
            except (DBAPIError, asyncpg.PostgresError) as error:
                if not _waited_for_a_lock(error):
                    raise
                await connection.rollback()
                # Each migration commits by itself, so the next try starts with the one that had to wait.
                await asyncio.sleep(min(0.05 * attempt, 1.0))
            else:
                return
        message = f"The tables were in use in each of {LOCK_TRIES} tries. Nothing is half done; try again later."
        raise MigrationBusyError(message)


def _run(connection: Connection, config: Config, step: Callable[[Config], None]) -> None:
    connection.execute(text("SET lock_timeout = '200ms'"))
    connection.execute(text("SET statement_timeout = '5s'"))
    connection.commit()
    config.attributes["connection"] = connection
    step(config)
    connection.commit()
    if connection.dialect.has_table(connection, "alembic_version"):
        # The table is alembic's, so no migration can grant on it. `linli doctor` reads it as the app.
        connection.execute(text("GRANT SELECT ON alembic_version TO linli_app, linli_audit"))
        connection.commit()


@contextlib.asynccontextmanager
async def _connection(url: str) -> AsyncIterator[AsyncConnection]:
    address = make_url(url).set(drivername="postgresql+asyncpg")
    engine = create_async_engine(address, poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            yield connection
    finally:
        await engine.dispose()


@contextlib.asynccontextmanager
async def _alone(connection: AsyncConnection) -> AsyncIterator[None]:
    """Hold the migrators' lock for as long as the connection lives."""
    key = {"key": ADVISORY_LOCK}
    deadline = asyncio.get_running_loop().time() + SECONDS_FOR_THE_OTHER_MIGRATOR
    while not await connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), key):
        await connection.rollback()
        if asyncio.get_running_loop().time() > deadline:
            message = "Another process is migrating this database and did not finish."
            raise MigrationBusyError(message)
        await asyncio.sleep(0.2)
    await connection.commit()
    yield  # The session ends with the connection, and its lock with it, also after an error.


def _config(versions: tuple[Path, ...]) -> Config:
    config = Config()
    config.set_main_option("path_separator", "os")
    folders = os.pathsep.join(str(folder) for folder in (FOLDER / "versions", *versions))
    # The options are read with interpolation, so a per cent sign in a path has to be doubled.
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.set_main_option("version_locations", folders.replace("%", "%%"))
    return config


def _waited_for_a_lock(error: BaseException) -> bool:
    cause = error.orig.__cause__ if isinstance(error, DBAPIError) and error.orig is not None else error
    return isinstance(cause, asyncpg.LockNotAvailableError)
