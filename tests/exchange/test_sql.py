"""The migration's copy of the functions, and what a caller of the database could do with them."""

import asyncpg
import pytest

from tests.architecture.sources import ROOT
from tests.db import Database

SQL = sorted((ROOT / "service/exchange/sql").glob("*.sql"))


@pytest.mark.parametrize("path", SQL, ids=lambda path: path.name)
def test_the_migration_holds_the_functions_as_they_are_now(path):
    headline = f"-- service/exchange/sql/{path.name}\n"
    scripts = sorted((ROOT / "migrations/versions").glob("[0-9]*.sql"))
    texts = [text for each in scripts if headline in (text := each.read_text(encoding="utf-8"))]
    assert headline + path.read_text(encoding="utf-8") in texts[-1]


@pytest.mark.anyio
@pytest.mark.parametrize("column", ["payer_id", "helper_id", "minutes", "listing_id", "asked_at"])
async def test_what_was_agreed_on_cannot_be_changed(fresh_database: Database, column: str) -> None:
    connection = await asyncpg.connect(fresh_database.app_url)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(f"UPDATE exchange SET {column} = {column}")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("UPDATE exchange_event SET note = ''")
    finally:
        await connection.close()
