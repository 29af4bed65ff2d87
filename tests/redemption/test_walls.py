"""What the database and the imports themselves forbid."""

import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from redemption.refusals import BY_CODE, RedemptionRefusal
from redemption.rules import REDEEM_ORDER
from redemption.tables import metadata
from tests.db import Database

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("role", ["app", "audit"])
@pytest.mark.parametrize("table", [table.fullname for table in metadata.sorted_tables])
async def test_the_service_cannot_write_past_the_functions(database: Database, role: str, table: str) -> None:
    connection = await asyncpg.connect(database.app_url if role == "app" else database.audit_url)
    try:
        await connection.fetch(f"SELECT FROM {table}")
        for statement in (
            f"INSERT INTO {table} DEFAULT VALUES",
            f"UPDATE {table} SET community_id = community_id",
            f"DELETE FROM {table}",
            f"TRUNCATE {table}",
            f"SELECT FROM {table} FOR UPDATE",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await connection.close()


async def test_the_service_may_call_only_the_verbs(database: Database) -> None:
    connection = await asyncpg.connect(database.app_url)
    try:
        rows = await connection.fetch(
            """
            SELECT p.proname, p.prosecdef, has_function_privilege('linli_app', p.oid, 'EXECUTE') AS granted,
                   p.proconfig @> ARRAY['search_path=pg_catalog, pg_temp'] AS safe
              FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = 'redemption'
            """
        )
    finally:
        await connection.close()
    assert all(row["safe"] for row in rows)
    # What only computes is granted for verify; every other granted function writes and so is the owner's.
    assert {row["proname"] for row in rows if row["granted"] and not row["prosecdef"]} == {
        "settlement_hash",
        "micros",
        "moved",
    }
    assert {row["proname"] for row in rows if row["prosecdef"] and not row["granted"]} == set()


async def test_the_migrations_make_the_functions_as_they_are(fresh_database: Database) -> None:
    """Written over themselves from redemption/sql, no function changes."""
    definitions = (
        "SELECT p.oid::regprocedure::text, pg_get_functiondef(p.oid) FROM pg_proc p"
        " WHERE p.pronamespace = 'redemption'::regnamespace"
    )
    owner = await asyncpg.connect(fresh_database.owner_url)
    try:
        migrated = dict(await owner.fetch(definitions))
        for source in sorted((ROOT / "redemption/sql").glob("*.sql")):
            text = source.read_text(encoding="utf-8").replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
            await owner.execute("\n".join(line for line in text.splitlines() if not line.startswith("CREATE TYPE")))
        written = dict(await owner.fetch(definitions))
    finally:
        await owner.close()
    assert migrated == written


def test_the_library_stands_without_the_service() -> None:
    probe = (
        "import sys, redemption; print(sorted(m for m in sys.modules if m.split('.')[0] in ('service', 'litestar')))"
    )
    run = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_every_no_of_the_functions_is_a_refusal() -> None:
    said = set()
    for source in (ROOT / "redemption/sql").glob("*.sql"):
        text = source.read_text(encoding="utf-8")
        said |= {part.split("'")[0] for part in text.split("redemption.said('")[1:]}
    assert said - set(BY_CODE) == {"done", "replayed", "redeemed"}
    assert set(REDEEM_ORDER) - set(BY_CODE) == {"replayed", "redeemed"}
    assert all(refusal.__doc__ != RedemptionRefusal.__doc__ for refusal in BY_CODE.values())
