"""The database is away, goes away, comes back: people are told so, nothing is half done, nobody has to restart anything."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import anyio
import asyncpg
import pytest
import sqlalchemy as sa
from litestar import Litestar
from structlog.testing import capture_logs

from migrations import runner
from service import facts
from service.app import create_app
from service.kit import outbox
from service.kit.db import is_connection_trouble, make_engine
from service.kit.embedded_pg import Cluster, server
from service.kit.ids import new_id
from service.kit.settings import Settings
from service.notifications.tables import Message
from tests.cast import HERE, KEYRING, START, Client, Town, _founded_town, client_of
from tests.db import Database, in_thread
from tests.kit.conftest import SLICES
from tests.kit.probe import PROBE, Gate

pytestmark = pytest.mark.anyio
HTML = {"accept": "text/html"}


def _assert_is_503(answer: Any) -> None:
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    for word in ("Traceback", "asyncpg", "Error", "sqlalchemy", "postgres"):
        assert word not in answer.text
    if answer.headers["content-type"].startswith("application/problem+json"):
        assert answer.json()["code"] == "kit.unavailable"
        assert answer.json()["status"] == 503
    else:
        assert "<html lang=" in answer.text
        assert 'class="phone' in answer.text


def _app(url: str, *, worker: bool = False) -> Litestar:
    offered = [import_module(f"service.{name}.manifest").MANIFEST for name in SLICES]
    app = create_app(Settings(worker=worker), KEYRING, database_url=url, slices=[*offered, PROBE])
    app.state.gate = Gate()
    return app


@pytest.mark.parametrize(
    "url", ["postgresql://linli_app@/linli?host=/nowhere/at/all", "postgresql://linli_app@127.0.0.1:1/linli"]
)
async def test_the_app_starts_without_a_database_and_says_so(url: str) -> None:
    app = _app(url)
    async with app.lifespan(), client_of(app, f"{HERE}.token") as browser:
        assert (await browser.get("/health/live")).text == "ok"
        for path in ("/me", "/", "/api/me", "/api/probe/cut", "/health/ready"):
            _assert_is_503(await browser.get(path, headers=HTML))
        # What needs no database and nobody in particular works on.
        browser.cookies.delete("linli_session")
        assert (await browser.get("/sign-in", headers=HTML)).status_code == 200
        _assert_is_503(await browser.post("/api/session", json={"number": "0012-0001", "secret": "135791"}))


async def test_a_wrong_password_or_database_is_away_as_well(town_database: Database) -> None:
    app = _app(town_database.app_url.replace(town_database.name, "there_is_no_such_database"))
    async with app.lifespan(), client_of(app, f"{HERE}.token") as browser:
        _assert_is_503(await browser.get("/api/me"))


@pytest.fixture
async def cutter(town_database: Database) -> AsyncIterator[Callable[[int], Awaitable[None]]]:
    """Ends a connection as an administrator would."""
    connection = await asyncpg.connect(town_database.superuser_url)

    async def cut(pid: int) -> None:
        assert await connection.fetchval("SELECT pg_terminate_backend($1, 5000)", pid)

    yield cut
    await connection.close()


@pytest.mark.parametrize("path", ["/probe/cut", "/api/probe/cut"])
async def test_a_connection_cut_in_the_middle_of_a_request(
    anon: Client, gate: Gate, cutter: Callable[[int], Awaitable[None]], path: str
) -> None:
    gate.meanwhile = cutter
    with capture_logs() as lines:
        _assert_is_503(await anon.get(path, headers=HTML))
    assert [line["event"] for line in lines] == ["database.unavailable", "request"]

    async def nothing(_: int) -> None:
        return

    gate.meanwhile = nothing
    assert (await anon.get(path, headers=HTML)).status_code == 200


async def test_a_commit_that_failed_is_never_called_a_success(
    li: Client, gate: Gate, cutter: Callable[[int], Awaitable[None]], deeds: Callable[..., Awaitable[int]]
) -> None:
    gate.meanwhile = cutter

    _assert_is_503(await li.post("/api/probe/cut-at-commit"))

    assert await deeds("probe.lost") == 0


async def test_the_server_lets_go_of_what_a_dead_machine_had_locked(town_database: Database) -> None:
    engine = make_engine(town_database.app_url)
    async with engine.connect() as connection:
        found = await connection.execute(sa.text("SHOW idle_in_transaction_session_timeout"))
        assert found.scalar_one() == "1min"
        await connection.execute(sa.text("SET idle_in_transaction_session_timeout = '20ms'"))
        await asyncio.sleep(0.2)
        with pytest.raises(Exception) as gone:  # noqa: PT011  (its class is the driver's; what counts is how we take it)
            await connection.execute(sa.text("SELECT 1"))
    assert is_connection_trouble(gone.value)
    await engine.dispose()


async def test_connections_that_died_in_the_pool_are_noticed_before_anybody_suffers(
    app: Litestar, li: Client, town_database: Database
) -> None:
    async with app.state.engine.connect() as one, app.state.engine.connect() as other:
        await one.execute(sa.text("SELECT 1"))
        await other.execute(sa.text("SELECT 1"))
    connection = await asyncpg.connect(town_database.superuser_url)
    try:
        await connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND usename = 'linli_app'"
        )
    finally:
        await connection.close()

    for _ in range(3):
        assert (await li.get("/api/me")).status_code == 200
    assert (await li.get("/messages", headers=HTML)).status_code == 200


@dataclass
class OwnServer:
    """A PostgreSQL of this module's own, which can be stopped and started."""

    data: Path
    town: Town | None = None
    cluster: Cluster | None = None
    _running: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def start(self) -> None:
        self.cluster = self._running.enter_context(server(self.data, durable=False))

    def stop(self) -> None:
        self._running.close()


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnServer]:
    made = OwnServer(tmp_path_factory.mktemp("own") / "postgres")
    made.start()
    try:
        assert made.cluster is not None
        in_thread(runner.upgrade(made.cluster.owner_url))
        made.town = in_thread(_founded_town(Database("linli", str(made.cluster.socket))))
        yield made
    finally:
        made.stop()


async def _until(condition: Callable[[], Awaitable[bool]]) -> None:
    with anyio.fail_after(60):
        while not await condition():  # noqa: ASYNC110 (the worker tells nobody when it has delivered)
            await asyncio.sleep(0.05)


async def test_the_same_app_and_its_worker_live_through_a_restart(own_server: OwnServer) -> None:
    assert own_server.town is not None
    assert own_server.cluster is not None
    reader = own_server.town.actors["wu"]
    own_server.stop()
    app = _app(own_server.cluster.app_url, worker=True)

    async def messages() -> int:
        async with app.state.sessions() as session:
            return int((await session.execute(sa.select(sa.func.count()).select_from(Message))).scalar_one())

    async def tell() -> None:
        async with app.state.sessions.begin() as session:
            fact = facts.WishPosted(community_id=HERE, wish_id=new_id(), asked_by=reader.member_id)
            outbox.record(session, fact, now=START)

    app.state.clock = lambda: START
    app.state.worker.clock = app.state.clock
    async with app.lifespan(), client_of(app, own_server.town.cookies["wu"]) as wu:
        _assert_is_503(await wu.get("/api/me"))

        own_server.start()
        assert (await wu.get("/api/me")).status_code == 200
        await tell()
        await _until(lambda: _is(messages, at_least=1))
        before = await messages()

        own_server.stop()
        for path in ("/me", "/api/me", "/health/ready"):
            _assert_is_503(await wu.get(path, headers=HTML))

        own_server.start()
        assert (await wu.get("/me", headers=HTML)).status_code == 200
        assert (await wu.get("/health/ready")).text == "ok"
        await tell()
        await _until(lambda: _is(messages, at_least=before + 1))


async def _is(count: Callable[[], Awaitable[int]], *, at_least: int) -> bool:
    return await count() >= at_least
