"""The switch: everything reads on, nothing is written by any path, and what was asked meanwhile may come again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
import sqlalchemy as sa
from litestar import Litestar
from sqlalchemy.exc import DBAPIError

from service import facts
from service.app import create_app
from service.kit import outbox
from service.kit.db import autocommit, open_connection, transaction
from service.kit.ids import new_id
from service.kit.read_only import ReadOnly, is_about_writing, is_switched_on, throw_switch
from service.kit.settings import Settings
from service.notifications.manifest import MANIFEST
from service.worker import Worker
from tests.access.test_routes import ONE_OF_EACH, filled, table
from tests.cast import HERE, KEYRING, Client, Town, client_of
from tests.db import Database
from tests.vouchers.conftest import code_of, give, haircut, offer_of, phone, scan_of

__all__ = ["give", "haircut", "offer_of", "phone"]
pytestmark = pytest.mark.anyio
HTML = {"accept": "text/html"}

GIVEN_OUT_WITH_A_LINE = ("/export/", "/file/", ".csv", ".xlsx", "/print", "/classes", "-classes/", "/desk/households/")
"""Files, sheets of people and journals, and households' classes are given out only with a line in the log of who took them."""


async def switch(database: Database, *, on: bool, settled_within: float = 5.0) -> int:
    connection = await open_connection(database.app_url)
    try:
        ended = await throw_switch(connection, on=on, settled_within=settled_within)
        assert await is_switched_on(connection) is on
        return ended
    finally:
        await connection.close()


@asynccontextmanager
async def held(database: Database) -> AsyncIterator[None]:
    """Read-only for the length of the block."""
    await switch(database, on=True)
    try:
        yield
    finally:
        await switch(database, on=False)


async def test_pages_read_on_and_acts_are_refused_in_words(
    app: Litestar, li: Client, he: Client, town_database: Database
) -> None:
    assert (await li.get("/home")).status_code == 200
    async with held(town_database):
        for client, path in ((li, "/home"), (li, "/passbook"), (he, "/desk"), (he, "/desk/books")):
            page = await client.get(path)
            assert page.status_code == 200, path
            assert "现在只能看" in page.text
        refused = await li.post("/messages/read", headers=HTML)
        by_api = await li.post("/api/messages/read")
        english = await li.post("/api/messages/read", headers={"accept-language": "en"})
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "30")
    assert "请过几分钟照原样再试一次" in refused.text
    assert (by_api.status_code, by_api.json()["code"]) == (503, "kit.read_only")
    assert "Nothing was done" in english.json()["title"]
    assert (await li.post("/api/messages/read")).status_code < 300
    assert "现在只能看" not in (await li.get("/home")).text


async def test_a_path_that_was_forgotten_cannot_write(app: Litestar, town_database: Database) -> None:
    statement = sa.text("UPDATE session SET seen_at = seen_at")
    async with held(town_database):
        with pytest.raises(DBAPIError) as refused:
            async with transaction(app.state.sessions) as session:
                await session.execute(statement)
        with pytest.raises(DBAPIError):
            async with autocommit(app.state.sessions) as session:
                await session.execute(statement)
        assert is_about_writing(refused.value)
    async with transaction(app.state.sessions) as session:
        await session.execute(statement)


@pytest.mark.slow
async def test_every_page_reads_on(app: Litestar, town: Town, town_database: Database) -> None:
    paths = [(path, who) for (method, path), who in table().items() if method == "GET"]
    refused, broken = set(), []
    async with held(town_database):
        for name in ONE_OF_EACH:
            async with client_of(app, town.cookies[name]) as client:
                for path, _who in paths:
                    answer = await client.get(
                        filled(path).replace("/export/x", "/export/csv").replace("/file/x", "/file/csv")
                    )
                    if answer.status_code == 503:
                        refused.add(path)
                    elif answer.status_code >= 500:
                        broken.append((name, path, answer.status_code))
    assert broken == []
    assert "/desk/books/export/{form:str}" in refused
    assert [path for path in sorted(refused) if not any(part in path for part in GIVEN_OUT_WITH_A_LINE)] == []


async def test_a_scan_waits_and_then_counts_once_with_the_same_number(
    app: Litestar, phone: Client, haircut: Any, clock: Any, town_database: Database
) -> None:
    asked = scan_of(code_of(haircut, clock.now))
    async with held(town_database):
        for _ in range(2):
            answer = await phone.post("/api/scans", json=asked)
            assert (answer.status_code, answer.json()["code"]) == (503, "kit.read_only")

    used = await phone.post("/api/scans", json=asked)
    again = await phone.post("/api/scans", json=asked)

    assert used.status_code == again.status_code == 200, used.text
    assert (used.json()["state"], again.json()["state"]) == ("ok", "ok")
    async with app.state.engine.connect() as connection:
        assert (await connection.exec_driver_sql("SELECT count(*) FROM redemption.use")).scalar_one() == 1


async def test_nobody_signs_in_and_whoever_is_signed_in_stays(
    anon: Client, li: Client, town_database: Database
) -> None:
    async with held(town_database):
        assert (await anon.get("/sign-in")).status_code == 200
        assert (await li.get("/api/me")).status_code == 200  # from now on this process knows
        entered = await anon.post("/api/session", json={"number": "0012-0001", "secret": "123456"})
        assert (entered.status_code, entered.json()["code"]) == (503, "kit.read_only")
        page = await anon.post("/sign-in/secret", data={"number": "0012-0001", "secret": "123456"}, headers=HTML)
        assert page.status_code == 503
        assert "现在只能看" in page.text
        assert (await li.get("/api/me")).status_code == 200
        shown = await li.post("/display", data={"mode": "elder", "next": "/home"})
        assert shown.status_code == 303


async def test_readiness_says_so(anon: Client, town_database: Database) -> None:
    async with held(town_database):
        answer = await anon.get("/health/ready")
        assert (answer.status_code, answer.text) == (200, "ok, read only")
    assert (await anon.get("/health/ready")).text == "ok"


async def test_work_under_way_is_waited_for_and_then_cut(town_database: Database) -> None:
    for statement, patience in (("COMMIT", 5.0), (None, 0.3)):
        busy = await asyncpg.connect(town_database.app_url)
        await busy.execute("BEGIN; UPDATE session SET seen_at = seen_at")
        thrown = asyncio.create_task(switch(town_database, on=True, settled_within=patience))
        await asyncio.sleep(0.15)
        if statement:
            assert not thrown.done()
            await busy.execute(statement)
        assert await thrown >= 1
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            await busy.execute("UPDATE session SET seen_at = seen_at")
        busy.terminate()
        await switch(town_database, on=False)


async def test_the_switch_is_for_this_database_and_this_role(town_database: Database, database: Database) -> None:
    async with held(town_database):
        other = await asyncpg.connect(database.app_url)
        owner = await asyncpg.connect(town_database.owner_url)
        try:
            for connection in (other, owner):
                assert await connection.fetchval("SHOW default_transaction_read_only") == "off"
        finally:
            await other.close()
            await owner.close()


async def test_the_worker_waits_and_then_goes_on(app: Litestar, li: Client, town_database: Database) -> None:
    fact = facts.WishApproved(community_id=HERE, wish_id=new_id(), asked_by=li.actor.member_id)
    async with transaction(app.state.sessions) as session:
        outbox.record(session, fact, now=app.state.clock())
    worker = Worker(
        app.state.sessions,
        app.state.clock,
        [MANIFEST],
        town_database.app_url,
        read_only=app.state.read_only,
        first_pause=timedelta(0),
    )

    async def told() -> int:
        async with app.state.engine.connect() as connection:
            return int((await connection.exec_driver_sql("SELECT count(*) FROM message")).scalar_one())

    async with held(town_database):
        running = asyncio.create_task(worker.run())
        await asyncio.sleep(1.5)
        assert await told() == 0
    for _ in range(200):
        if await told():
            break
        await asyncio.sleep(0.1)
    assert await told() == 1
    worker.stop.set()
    await asyncio.wait([running], timeout=10)


async def test_the_setting_holds_for_one_process(town: Town, town_database: Database) -> None:
    app = create_app(Settings(worker=False, read_only=True), KEYRING, database_url=town_database.app_url)
    try:
        async with client_of(app, town.cookies["li"]) as browser:
            assert "现在只能看" in (await browser.get("/home")).text
            assert (await browser.post("/api/messages/read")).json()["code"] == "kit.read_only"
        with pytest.raises(DBAPIError):
            async with autocommit(app.state.sessions) as session:
                await session.execute(sa.text("UPDATE session SET seen_at = seen_at"))
    finally:
        await app.state.engine.dispose()
    assert ReadOnly().is_on is False
