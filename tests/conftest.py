"""Fixtures for every test: real databases, as the serving role, really committing.

- `sessions` makes sessions as linli_app on this worker's database; `session` is one of them in a transaction that
  commits at the end of the test. Whatever was written is truncated afterwards.
- `database` has the addresses of that database, `engine` its pool.
- `fresh_database` and `fresh_sessions` are a clone for one test: for races, the ledger, migrations, other roles.
"""

import contextlib
import gc
import os
import shutil
import traceback
from collections.abc import AsyncIterator, Generator, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlmodel.ext.asyncio.session import AsyncSession

from tests.db import Cleaner, Database, Sessions, Steward, open_engine, sessions_of
from tests.order import dealt
from tests.server import TEMPLATE, shared_server

pytest_plugins = ["tests.cast"]
# A helper's assertion shows what it compared, as a test's does.
pytest.register_assert_rewrite("tests.browser", "tests.ledger", "tests.redemption")

# How long an example takes says something about the machine, not about us. What is drawn is the same in every run: whoever
# wants new examples lets the benchmarks draw them (model, vouchers).
settings.register_profile("linli", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("linli")

_running = pytest.StashKey[contextlib.ExitStack]()
_found = pytest.StashKey[dict[str, str]]()


BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without a program its tests are left out and counted, unless somebody insists on them.

    It comes last: what was left out by its mark needs no place in the order of parallel workers.
    """
    for marker, name, programs in (("browser", "Chromium", BROWSERS), ("hledger", "hledger", ("hledger",))):
        if os.environ.get(f"LINLI_REQUIRE_{marker.upper()}") or any(map(shutil.which, programs)):
            continue
        for item in items:
            if item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=f"there is no {name} here"))
    workers: dict[str, int] = getattr(config, "workerinput", {})
    items[:] = dealt(items, workers.get("workercount", 1))


def pytest_collection_finish() -> None:
    """Thousands of tests and all modules stay until the end."""
    settle()


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any]) -> Generator[None, Any, Any]:
    """So does what is made for the whole run, such as the app."""
    made = yield
    if fixturedef.scope == "session":
        settle()
    return made


def settle() -> None:
    """Whatever is there now is not looked through for garbage again, which took a fifth of Python's time."""
    gc.collect()
    gc.freeze()


def pytest_configure(config: pytest.Config) -> None:
    """Keep a place for the server of this run, which is started when the first test or worker needs it."""
    config.stash[_running] = contextlib.ExitStack()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the server."""
    config.stash[_running].close()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a parallel worker where the one server is. The worker is an object of a plugin without types."""
    node.workerinput["linli_server"] = _start_once(node.config)


def _start_once(config: pytest.Config) -> dict[str, str]:
    """The server's socket folder, or why there is none. A failure is told to the tests that need a database."""
    if _found not in config.stash:
        try:
            config.stash[_found] = {"socket": config.stash[_running].enter_context(shared_server())}
        except Exception:  # noqa: BLE001  (shown by every test that asks for the database)
            config.stash[_found] = {"error": traceback.format_exc()}
    return config.stash[_found]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """One event loop of the standard library for the whole run, so that pools outlive a test."""
    return "asyncio"


@pytest.fixture(scope="session")
def server_socket(request: pytest.FixtureRequest) -> str:
    """The socket folder of this run's server."""
    worker: dict[str, dict[str, str]] = getattr(request.config, "workerinput", {})
    found = worker.get("linli_server") or _start_once(request.config)
    if "error" in found:
        pytest.fail(f"There is no migrated test database:\n{found['error']}", pytrace=False)
    return found["socket"]


@pytest.fixture(scope="session")
def steward(server_socket: str) -> Iterator[Steward]:
    """Makes clones and cleans."""
    prefix = "linli_" + os.environ.get("PYTEST_XDIST_WORKER", "main")
    with Steward(server_socket, TEMPLATE, prefix) as steward:
        yield steward


@pytest.fixture(scope="session")
def worker_database(steward: Steward) -> Iterator[Database]:
    """This worker's database. Tests ask for `database`, which is the same and gets cleaned."""
    with steward.clone() as database:
        yield database


@pytest.fixture(scope="session")
def cleaner(steward: Steward, worker_database: Database) -> Iterator[Cleaner]:
    """Empties the worker's database."""
    with steward.cleaner(worker_database) as cleaner:
        yield cleaner


@pytest.fixture
def database(worker_database: Database, cleaner: Cleaner) -> Iterator[Database]:
    """A migrated database, empty but for what migrations put in; truncated after the test."""
    yield worker_database
    cleaner.clean()


@pytest.fixture
def fresh_database(steward: Steward) -> Iterator[Database]:
    """A migrated database for this test alone, thrown away after it."""
    with steward.clone() as database:
        yield database


@pytest.fixture(scope="session")
async def engine(worker_database: Database, anyio_backend: str) -> AsyncIterator[AsyncEngine]:
    """The pool of the worker's database, as linli_app."""
    async with open_engine(worker_database.app_url, pool_size=10) as engine:
        yield engine


@pytest.fixture
def sessions(database: Database, engine: AsyncEngine) -> Sessions:
    """Makes sessions as linli_app; each is its own connection and transaction."""
    return sessions_of(engine)


@pytest.fixture
async def session(sessions: Sessions) -> AsyncIterator[AsyncSession]:
    """One session in a transaction that commits at the end of the test."""
    async with sessions.begin() as session:
        yield session


@pytest.fixture
async def fresh_sessions(fresh_database: Database) -> AsyncIterator[Sessions]:
    """Makes sessions as linli_app on a clone of this test's own."""
    async with open_engine(fresh_database.app_url, pool_size=20) as engine:
        yield sessions_of(engine)
