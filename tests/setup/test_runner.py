"""The migrations' runner: one at a time, from any state, with the place of an error named."""

import asyncio
from pathlib import Path

import asyncpg
import pytest

from migrations import runner
from tests.db import Database, Steward


async def test_two_migrators_at_once_do_the_work_once(steward: Steward) -> None:
    with steward.empty() as database:
        await asyncio.gather(*(runner.upgrade(database.owner_url) for _ in range(3)))

        assert await runner.current(database.app_url) == runner.expected_head()


async def test_an_empty_database_has_no_revision(steward: Steward) -> None:
    with steward.empty() as database:
        assert await runner.current(database.app_url) is None


async def test_migrating_again_changes_nothing(fresh_database: Database) -> None:
    await runner.upgrade(fresh_database.owner_url)

    assert await runner.current(fresh_database.app_url) == runner.expected_head()


async def test_an_error_names_its_file_and_line_and_leaves_nothing_half_done(
    fresh_database: Database, tmp_path: Path
) -> None:
    (tmp_path / "9999_broken.py").write_text(
        "from migrations.sql import run_sql\n"
        f"revision, down_revision = '9999', {runner.expected_head()!r}\n"
        "def upgrade() -> None:\n    run_sql(__file__)\n"
        "def downgrade() -> None:\n    run_sql(__file__, down=True)\n"
    )
    (tmp_path / "9999_broken.sql").write_text("CREATE TABLE half (id bigint);\n\nCREATE TABEL done (id bigint);\n")

    with pytest.raises(asyncpg.PostgresSyntaxError) as error:
        await runner.upgrade(fresh_database.owner_url, versions=(tmp_path,))

    assert error.value.__notes__ == ["in 9999_broken.sql, line 3"]
    assert await runner.current(fresh_database.owner_url) == runner.expected_head()
    connection = await asyncpg.connect(fresh_database.owner_url)
    assert await connection.fetchval("SELECT to_regclass('half')") is None
    await connection.close()


async def test_the_app_may_not_migrate(fresh_database: Database, tmp_path: Path) -> None:
    (tmp_path / "9999_more.py").write_text(
        "from alembic import op\n"
        f"revision, down_revision = '9999', {runner.expected_head()!r}\n"
        "def upgrade() -> None:\n    op.execute('CREATE TABLE mine (id bigint)')\n"
        "def downgrade() -> None:\n    op.execute('DROP TABLE mine')\n"
    )

    with pytest.raises(Exception, match="permission denied"):
        await runner.upgrade(fresh_database.app_url, versions=(tmp_path,))
