"""Migrations make what the models say, and every one of them can be taken back and made again."""

from collections.abc import Iterator

import asyncpg
import pytest
import sqlalchemy as sa
from sqlmodel import SQLModel

import ledger.tables
import redemption.tables
from migrations import runner
from tests.architecture.sources import ROOT, modules
from tests.db import Database, Steward, open_engine

SCHEMAS = ["public", "ledger", "redemption", "jobs"]
MODELLED = ["public", "ledger", "redemption"]
# Alembic's own, and what no model describes: rights, views and functions live in the migrations alone.
NOT_MODELLED = ("grant ", "view ", "function ", "type ", "schema ")
CATALOGUE = (ROOT / "tests/architecture/catalogue.sql").read_text(encoding="utf-8")


@pytest.fixture
def empty_database(steward: Steward) -> Iterator[Database]:
    """A database in which no migration has run."""
    with steward.empty() as database:
        yield database


async def catalogue(database: Database, schemas: list[str]) -> list[str]:
    """What the database consists of, without alembic's table."""
    connection = await asyncpg.connect(database.superuser_url)
    try:
        rows = await connection.fetch(CATALOGUE, schemas)
    finally:
        await connection.close()
    return [row["line"] for row in rows if "alembic_version" not in row["line"]]


async def test_a_fresh_install_equals_the_models(fresh_database: Database, empty_database: Database) -> None:
    list(modules("service", only="tables"))
    async with open_engine(empty_database.owner_url) as engine, engine.begin() as connection:
        for schema in ("ledger", "redemption"):
            await connection.execute(sa.schema.CreateSchema(schema))
        for metadata in (ledger.tables.metadata, redemption.tables.metadata, SQLModel.metadata):
            await connection.run_sync(metadata.create_all)

    migrated, modelled = [
        {line for line in await catalogue(database, MODELLED) if not line.startswith(NOT_MODELLED)}
        for database in (fresh_database, empty_database)
    ]

    assert {"only in migrations": sorted(migrated - modelled), "only in models": sorted(modelled - migrated)} == {
        "only in migrations": [],
        "only in models": [],
    }


@pytest.mark.slow
async def test_every_step_can_be_taken_back_and_made_again(empty_database: Database) -> None:
    steps = sorted(path.name[:4] for path in (ROOT / "migrations/versions").glob("[0-9]*.py"))
    after = {"base": await catalogue(empty_database, SCHEMAS)}
    for step in steps:
        await runner.upgrade(empty_database.owner_url, step)
        after[step] = await catalogue(empty_database, SCHEMAS)
    assert await runner.current(empty_database.app_url) == steps[-1]

    for earlier in reversed(["base", *steps[:-1]]):
        await runner.downgrade(empty_database.owner_url, earlier)
        assert await catalogue(empty_database, SCHEMAS) == after[earlier], f"taking back what came after {earlier}"

    await runner.upgrade(empty_database.owner_url)
    assert await catalogue(empty_database, SCHEMAS) == after[steps[-1]]


async def test_a_migrator_lets_others_pass_and_tries_again(fresh_database: Database) -> None:
    """A reader holds a table that is to be dropped; the migrator must outwait it and never make others queue."""
    reader = await asyncpg.connect(fresh_database.superuser_url)
    reading = reader.transaction()
    await reading.start()
    await reader.execute("LOCK TABLE ledger.unit IN ACCESS SHARE MODE")
    patience, runner.LOCK_TRIES = runner.LOCK_TRIES, 2
    try:
        with pytest.raises(runner.MigrationBusyError):
            await runner.downgrade(fresh_database.owner_url, "0001")
    finally:
        runner.LOCK_TRIES = patience
    assert await reader.fetchval("SELECT count(*) FROM ledger.unit") > 0

    await reading.rollback()
    await reader.close()
    await runner.downgrade(fresh_database.owner_url, "0001")
    assert await runner.current(fresh_database.owner_url) == "0001"
