"""The database as the service meets it: one pool, one request, one transaction."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Protocol, cast
from uuid import uuid4

import asyncpg
from litestar.datastructures import State
from sqlalchemy import event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, DisconnectionError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker, create_async_engine
from sqlmodel.ext.asyncio.session import AsyncSession

import ledger
from service.kit.crypto import Keyring
from service.kit.read_only import ReadOnly

Sessions = async_sessionmaker[AsyncSession]

IDLE_IN_TRANSACTION = "60s"
"""How long the server waits for the next word in a transaction before it gives up and lets go of what is locked."""


class DatabaseAway(Exception):
    """The database cannot be reached, or it cut the connection: the same request may simply come again."""


class _HasConstraint(Protocol):
    constraint_name: str | None


def make_engine(
    url: str, *, pool_size: int = 12, pgbouncer: bool = False, read_only: ReadOnly | None = None
) -> AsyncEngine:
    """An engine for any PostgreSQL URL; behind a transaction pooler no statement is prepared by name.

    `read_only` learns from every connection that is used whether anything may be written.
    """
    known = read_only or ReadOnly()
    target = make_url(url)
    named: dict[str, object] = {}
    if pgbouncer:
        target = target.update_query_dict({"prepared_statement_cache_size": "0"})
        named = {"prepared_statement_name_func": lambda: f"__asyncpg_{uuid4()}__"}

    async def connect(*_: object, **__: object) -> asyncpg.Connection:
        # A pooler may not know the setting; there the transaction itself is begun for reading.
        return await open_connection(url, pgbouncer=pgbouncer, read_only=known.always and not pgbouncer)

    def look(connection: Any, _record: object, _proxy: object) -> None:
        if connection.driver_connection.is_closed():
            # Closed by the server while it lay in the pool: replaced before anybody uses it. Costs no round trip.
            raise DisconnectionError
        known.look(connection.driver_connection)

    engine = create_async_engine(
        target.set(drivername="postgresql+asyncpg"),
        async_creator=connect,
        # A connection beyond the pool's size would be closed again at once, and the next one plans every function anew:
        # that took more of the database's processors than the work. The one used last is the warmest, so it goes first.
        pool_size=pool_size,
        max_overflow=0,
        pool_use_lifo=True,
        pool_timeout=10,
        connect_args=named,
        execution_options={"postgresql_readonly": True} if known.always else {},
        hide_parameters=True,  # they would stand in every trace, names and numbers of people among them
    )
    event.listen(engine.sync_engine, "checkout", look)
    return engine


async def open_connection(url: str, *, pgbouncer: bool = False, read_only: bool = False) -> asyncpg.Connection:
    """A connection of one's own, outside any pool; raises DatabaseAway for whatever keeps it from opening."""
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    held = {"default_transaction_read_only": "on"} if read_only else {}
    cached: dict[str, int] = {}
    if pgbouncer:
        cached = {"statement_cache_size": 0}
    else:
        # A machine that dies in the middle of a transaction tells nobody. Whoever posted there holds the head of a book.
        # A pooler takes no such setting from clients: see docs/deploy.md.
        held["idle_in_transaction_session_timeout"] = IDLE_IN_TRANSACTION
    try:
        return await asyncpg.connect(plain, timeout=5, command_timeout=30, server_settings=held, **cached)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as problem:
        # A missing socket is a FileNotFoundError like any missing file; from here on it says what it means.
        raise DatabaseAway(type(problem).__name__) from problem


def make_sessions(engine: AsyncEngine, keyring: Keyring, *, seal_copies: Path | None = None) -> Sessions:
    """Sessions whose rows stay readable after the commit, and that carry the keys for sealed fields.

    `seal_copies` is where published seals of the books are kept (kit.sealing); without it none are.
    """
    known = {"keyring": keyring, "seal_copies": seal_copies}
    return async_sessionmaker(engine, class_=AsyncSession, expire_on_commit=False, info=known)


def keyring(session: AsyncSession) -> Keyring:
    """The keys that travel with every session of the service."""
    return cast("Keyring", session.info["keyring"])


def sessions_of_app(state: State) -> Sessions:
    """The app's pool, for the few routes that need more than one transaction."""
    return cast("Sessions", state.sessions)


async def session_per_request(state: State) -> AsyncIterator[AsyncSession]:
    """One request, one transaction: committed before the first byte of the answer, rolled back on any exception."""
    async with transaction(sessions_of_app(state)) as session:
        yield session


@asynccontextmanager
async def transaction(sessions: Sessions) -> AsyncIterator[AsyncSession]:
    """A transaction for workers and commands, the same way a request gets one."""
    async with sessions.begin() as session:
        yield session


@asynccontextmanager
async def autocommit(sessions: Sessions) -> AsyncIterator[AsyncSession]:
    """A session whose one statement commits by itself, without a round trip for BEGIN and one for COMMIT."""
    async with sessions.begin() as session:
        await session.connection(execution_options={"isolation_level": "AUTOCOMMIT"})
        yield session


def make_poster(sessions: Sessions) -> ledger.GroupPoster:
    """The process's door to the ledger for single journals that come from many people at once."""
    return ledger.GroupPoster(partial(autocommit, sessions), is_connection_trouble)


def poster_of_app(state: State) -> ledger.GroupPoster:
    """The app's door. Whoever waits there has given the connection back: no session of the request may be open."""
    return cast("ledger.GroupPoster", state.poster)


async def raw(session: AsyncSession) -> asyncpg.Connection:
    """The asyncpg connection inside the session's transaction.

    The driver sends BEGIN with the first statement only; without one, raw statements would run outside the transaction.
    """
    connection = await session.connection()
    await connection.exec_driver_sql("select 1")
    return cast("asyncpg.Connection", (await connection.get_raw_connection()).driver_connection)


@asynccontextmanager
async def autocommit_connection(engine: AsyncEngine) -> AsyncIterator[asyncpg.Connection]:
    """A pooled asyncpg connection in autocommit, for the one-round-trip routes: nothing is sent but what the caller sends."""
    async with engine.connect() as connection:
        driver = cast("asyncpg.Connection", (await connection.get_raw_connection()).driver_connection)
        try:
            yield driver
        except Exception as problem:
            if driver.is_closed():
                raise DatabaseAway(type(problem).__name__) from problem
            raise


def broken_constraint(error: IntegrityError) -> str | None:
    """The name of the constraint a statement broke: an action that expects one turns it into a refusal by this name."""
    cause = getattr(error.orig, "__cause__", None)
    return cast("_HasConstraint", cause).constraint_name if cause is not None else None


_AWAY = (
    DatabaseAway,
    ConnectionError,
    TimeoutError,
    PoolTimeout,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    # No room on the disk, no memory, no connection: nothing was done, and the same may come again when there is room.
    asyncpg.InsufficientResourcesError,
    asyncpg.PostgresIOError,
    asyncpg.InternalClientError,
)


def is_connection_trouble(error: BaseException) -> bool:
    """True when the database is away, was cut or has no room, so that the same request may simply come again."""
    if isinstance(error, _AWAY):
        return True
    if isinstance(error, BaseExceptionGroup):
        return any(is_connection_trouble(part) for part in error.exceptions)
    if isinstance(error, asyncpg.InterfaceError):
        # One class for wrong use and for a lost connection; the driver tells them apart by its words only.
        return "closed" in str(error)
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    cause = error.orig if isinstance(error, DBAPIError) else error.__cause__
    return cause is not None and is_connection_trouble(cause)


_UNSTORABLE = (
    asyncpg.CharacterNotInRepertoireError,
    asyncpg.UntranslatableCharacterError,
    asyncpg.NumericValueOutOfRangeError,
)


def is_unstorable(error: BaseException | None) -> bool:
    """True when a value is nothing a database can hold: a NUL in a text, a number beyond 64 bits. Only people send those."""
    while error is not None:
        if isinstance(error, _UNSTORABLE):
            return True
        if isinstance(error, asyncpg.DataError) and isinstance(error.__cause__, OverflowError):
            return True  # found by the driver before it asked
        error = error.__cause__
    return False


async def pieces_of(sessions: Sessions, written: Callable[[AsyncSession], AsyncIterator[str]]) -> AsyncIterator[bytes]:
    """A long text that is read from the database while it is sent, when the request's transaction is over.

    The connection is given back before each piece is sent: a slow reader keeps none from the others. So what is written
    must not need one transaction.
    """
    async with sessions() as session:
        async for piece in written(session):
            await session.rollback()
            yield piece.encode()
