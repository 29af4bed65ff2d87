"""Where this installation keeps its database and keys, as every command finds them."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncEngine

from service.kit.crypto import KEY_FILE, Keyring, KeysUnreadable, load_keyring, load_or_make_keyring
from service.kit.db import Sessions, make_engine, make_sessions, open_connection
from service.kit.embedded_pg import EmbeddedPgError, running, server
from service.kit.read_only import ReadOnly
from service.kit.settings import Settings

T = TypeVar("T")


class CommandRefused(Exception):
    """A sentence for the operator."""


@dataclass(frozen=True, slots=True)
class Place:
    """The database's addresses; `is_embedded` when we run the server ourselves.

    Requests go to `pool_url`, which may be a transaction pooler; `app_url` is the server itself.
    """

    pool_url: str
    app_url: str
    owner_url: str | None
    is_embedded: bool


def postgres_folder(settings: Settings) -> Path:
    """The embedded server's data."""
    return settings.data_dir / "postgres"


def is_running(settings: Settings) -> bool:
    """Whether there is a database to go to without starting one."""
    folder = postgres_folder(settings)
    return bool(settings.database_url) or (folder.exists() and running(folder) is not None)


@contextmanager
def database(settings: Settings, *, keep: bool = False) -> Iterator[Place]:
    """The database for as long as the block lasts: the one that is named, the one that runs here, or one of our own.

    With `keep` the private server is ours alone, and is started again when it ends by itself: whoever serves must not
    hang on a server that stops with somebody else's command.
    """
    if settings.database_url:
        if settings.pgbouncer and settings.direct_url is None:
            raise CommandRefused(
                "behind a pooler LINLI_DIRECT_URL is needed too: the queue listens, which a pooler cuts"
            )
        direct = settings.direct_url or settings.database_url
        yield Place(settings.database_url, direct, settings.owner_url, is_embedded=False)
        return
    folder = postgres_folder(settings)
    try:
        found = running(folder) if folder.exists() and not keep else None
        if found is not None:
            yield Place(found.app_url, found.app_url, found.owner_url, is_embedded=True)
            return
        with server(folder, keep=keep) as cluster:
            yield Place(cluster.app_url, cluster.app_url, cluster.owner_url, is_embedded=True)
    except EmbeddedPgError as reason:
        raise CommandRefused(str(reason)) from reason


def keys(settings: Settings, *, may_make: bool = False) -> Keyring:
    """The installation's keys. Only a first start may make them: a lost key must never be papered over with a new one."""
    if settings.keys_dir.resolve().is_relative_to(settings.data_dir.resolve()):
        raise CommandRefused(
            "LINLI_KEYS_DIR lies in LINLI_DATA_DIR; whoever copies one would have both. Move it elsewhere"
        )
    try:
        return load_or_make_keyring(settings.keys_dir) if may_make else load_keyring(settings.keys_dir)
    except KeysUnreadable as reason:
        raise CommandRefused(
            f"the key file {reason} is missing or damaged. Put the exported keys back with `linli keys import FILE`."
        ) from reason


def first_keys(settings: Settings, place: Place) -> Keyring:
    """The installation's keys, made where there are none and the database holds nobody whom other keys would be missed for."""
    may_make = not (settings.keys_dir / KEY_FILE).exists() and not run(_is_founded(place))
    return keys(settings, may_make=may_make)


async def _is_founded(place: Place) -> bool:
    connection = await open_connection(place.app_url)
    try:
        if await connection.fetchval("SELECT to_regclass('public.community')") is None:
            return False
        return bool(await connection.fetchval("SELECT EXISTS (SELECT FROM community)"))
    finally:
        await connection.close()


@asynccontextmanager
async def opened(
    place: Place, keyring: Keyring, *, read_only: ReadOnly | None = None
) -> AsyncIterator[tuple[AsyncEngine, Sessions]]:
    """A pool on the database for a command."""
    engine = make_engine(place.app_url, pool_size=4, read_only=read_only)
    try:
        yield engine, make_sessions(engine, keyring, seal_copies=Settings().seal_copies)
    finally:
        await engine.dispose()


def run(work: Coroutine[Any, Any, T]) -> T:
    """Do async work from a command."""
    return asyncio.run(work)


def say(text: str) -> None:
    """One line to the operator."""
    print(text, flush=True)
