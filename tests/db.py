"""Real databases for tests: clones of the migrated template, cleaned or thrown away."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar
from urllib.parse import quote

import asyncpg
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker, create_async_engine
from sqlmodel.ext.asyncio.session import AsyncSession

Result = TypeVar("Result")
Sessions = async_sessionmaker[AsyncSession]


@dataclass(frozen=True, slots=True)
class Database:
    """One database's addresses, in libpq's form; `sqlalchemy_url` makes the engine's form of one."""

    name: str
    socket: str

    def url(self, role: str) -> str:
        """The address for a role."""
        return f"postgresql://{role}@/{self.name}?host={quote(self.socket)}"

    @property
    def owner_url(self) -> str:
        """Migrates and truncates."""
        return self.url("linli_owner")

    @property
    def app_url(self) -> str:
        """The serving role: what tests use unless they are about another role."""
        return self.url("linli_app")

    @property
    def audit_url(self) -> str:
        """The reading role."""
        return self.url("linli_audit")

    @property
    def superuser_url(self) -> str:
        """For checks that must see through every grant; never for the code under test."""
        return self.url("postgres")


def sqlalchemy_url(url: str) -> str:
    """The same address for SQLAlchemy with asyncpg."""
    return make_url(url).set(drivername="postgresql+asyncpg").render_as_string(hide_password=False)


@contextlib.asynccontextmanager
async def open_engine(url: str, **options: Any) -> AsyncIterator[AsyncEngine]:
    """An engine that is gone at the end of the block. `options` are SQLAlchemy's."""
    engine = create_async_engine(sqlalchemy_url(url), **options)
    try:
        yield engine
    finally:
        await engine.dispose()


def sessions_of(engine: AsyncEngine) -> Sessions:
    """Sessions as the service makes them."""
    return async_sessionmaker(engine, class_=AsyncSession, expire_on_commit=False)


def in_thread(work: Coroutine[Any, Any, Result]) -> Result:
    """Run async work from sync code, whether or not an event loop already runs in this thread."""
    results: list[Result] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(asyncio.run(work))
        except BaseException as error:  # noqa: BLE001  (raised again in the caller's thread)
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


@dataclass
class Steward:
    """Clones the template and cleans up between tests, on connections and a loop of its own."""

    socket: str
    template: str
    prefix: str
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _thread: threading.Thread | None = None
    _maintenance: asyncpg.Connection | None = None
    _clones: int = 0

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._maintenance = self.run(asyncpg.connect(Database("postgres", self.socket).superuser_url))
        return self

    def __exit__(self, *_: object) -> None:
        assert self._maintenance is not None
        assert self._thread is not None
        self.run(self._maintenance.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Wait for async work done on the steward's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    @contextlib.contextmanager
    def clone(self) -> Iterator[Database]:
        """A fresh copy of the migrated template."""
        with self._database(self.template) as database:
            yield database

    @contextlib.contextmanager
    def empty(self) -> Iterator[Database]:
        """A database in which no migration has run."""
        with self._database("template0") as database:
            yield database

    @contextlib.contextmanager
    def _database(self, template: str) -> Iterator[Database]:
        """A copy of a database, dropped at the end of the block whoever is still connected."""
        assert self._maintenance is not None
        self._clones += 1
        database = Database(f"{self.prefix}_{self._clones}", self.socket)
        # A copy of the files costs half of writing every page into the log first, which is what happens unless told.
        made = f"CREATE DATABASE {database.name} TEMPLATE {template} OWNER linli_owner STRATEGY file_copy"
        self.run(self._maintenance.execute(made))
        try:
            yield database
        finally:
            self.run(self._maintenance.execute(f"DROP DATABASE {database.name} WITH (FORCE)"))

    @contextlib.contextmanager
    def cleaner(self, database: Database) -> Iterator["Cleaner"]:
        """Whoever empties this database between tests."""
        connection = self.run(asyncpg.connect(database.owner_url))
        try:
            yield self.run(Cleaner.prepare(connection, self))
        finally:
            self.run(connection.close())


_TABLES = """
SELECT format('%I.%I', n.nspname, c.relname)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
   AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
 ORDER BY 1
"""


@dataclass(frozen=True, slots=True)
class Cleaner:
    """Empties the tables a test wrote to. Tables that migrations fill are kept, and must not be written to."""

    connection: asyncpg.Connection
    steward: Steward
    tables: list[str]
    kept: dict[str, int]
    query: str

    @classmethod
    async def prepare(cls, connection: asyncpg.Connection, steward: Steward) -> Self:
        """Look once at what a freshly migrated database holds."""
        # A test that left a transaction open would make us wait for ever; this says so instead.
        await connection.execute("SET lock_timeout = '5s'")
        tables = [row[0] for row in await connection.fetch(_TABLES)]
        counts = {table: await connection.fetchval(f"SELECT count(*) FROM {table}") for table in tables}
        kept = {table: count for table, count in counts.items() if count}
        written = [
            f"CASE WHEN EXISTS (SELECT FROM {table}) THEN '{table}' END" for table in tables if table not in kept
        ]
        grown = [f"CASE WHEN (SELECT count(*) FROM {t}) <> {count} THEN '{t}' END" for t, count in kept.items()]
        query = f"SELECT array_remove(ARRAY[{', '.join(written + grown)}]::text[], NULL)"
        return cls(connection, steward, tables, kept, query)

    def clean(self) -> None:
        """Empty what was written to; complain about a table that belongs to the migrations."""
        self.steward.run(self._clean())

    async def _clean(self) -> None:
        written = await self.connection.fetchval(self.query)
        broken = [table for table in written if table in self.kept]
        if broken:
            message = f"This test changed {broken}, which migrations fill. Use the fixture fresh_database for it."
            raise AssertionError(message)
        if written:
            await self.connection.execute(f"TRUNCATE {', '.join(written)} RESTART IDENTITY CASCADE")
