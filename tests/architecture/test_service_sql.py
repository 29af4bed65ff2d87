"""Functions of the slices, `service/<slice>/sql/*.sql`: the copy in the migration, and who may call them."""

from pathlib import Path

import asyncpg
import pytest

from tests.architecture.sources import ROOT

SQL = sorted(ROOT.glob("service/*/sql/*.sql"))


@pytest.mark.parametrize("path", SQL, ids=lambda path: path.name)
def test_the_migration_holds_the_functions_as_they_are_now(path: Path) -> None:
    """The newest migration that has a copy has this one; what older ones froze stays as it was."""
    headline = f"-- {path.relative_to(ROOT).as_posix()}\n"
    scripts = sorted((ROOT / "migrations/versions").glob("[0-9]*.sql"))
    migrations = [each for each in scripts if not each.name.endswith(".down.sql")]
    texts = [text for each in migrations if headline in (text := each.read_text(encoding="utf-8"))]
    assert headline + path.read_text(encoding="utf-8") in texts[-1]


async def test_rows_that_come_along_are_written_with_the_callers_rights_and_by_nobody_else(fresh_database) -> None:
    connection = await asyncpg.connect(fresh_database.superuser_url)
    try:
        rows = await connection.fetch(
            "SELECT proname, prosecdef, coalesce(array_to_string(proconfig, ';'), '') AS config,"
            " has_function_privilege('linli_audit', oid, 'EXECUTE') AS is_anybodys FROM pg_proc"
            " WHERE pronamespace = 'public'::regnamespace AND proname ~ '_(lock|write)$'"
        )
    finally:
        await connection.close()
    assert {"service_lock", "service_write"} <= {row["proname"] for row in rows}
    assert [row["proname"] for row in rows if row["is_anybodys"] or row["prosecdef"]] == []
    assert [row["proname"] for row in rows if "search_path=" not in row["config"]] == []
