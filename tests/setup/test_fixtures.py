"""The ground the other tests stand on: real roles, real commits, nothing left over."""

import asyncpg
import pytest
from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from tests.db import Cleaner, Database, Sessions


@pytest.mark.parametrize("_again", [1, 2])
async def test_what_one_test_commits_the_next_does_not_see(database: Database, cleaner: Cleaner, _again: int) -> None:
    owner = await asyncpg.connect(database.owner_url)
    try:
        await owner.execute("CREATE TABLE IF NOT EXISTS leftover (id bigint PRIMARY KEY)")
        prepared = await owner.fetchval("SELECT count(*) FROM leftover")
        assert prepared == 0
    finally:
        await owner.execute("DROP TABLE leftover")
        await owner.close()
    cleaner.clean()


async def test_sessions_serve_as_the_app_role_without_powers(session: AsyncSession) -> None:
    row = (
        await session.execute(
            text(
                "SELECT current_user, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, "
                "has_schema_privilege('public', 'CREATE') FROM pg_roles WHERE rolname = current_user"
            )
        )
    ).one()

    assert tuple(row) == ("linli_app", False, False, False, False, False)


async def test_two_sessions_are_two_connections(sessions: Sessions) -> None:
    async with sessions() as one, sessions() as other:
        pids = {(await each.execute(text("SELECT pg_backend_pid()"))).scalar_one() for each in (one, other)}

    assert len(pids) == 2


async def test_a_fresh_database_is_another_one(fresh_sessions: Sessions, database: Database) -> None:
    async with fresh_sessions() as session:
        name = (await session.execute(text("SELECT current_database()"))).scalar_one()

    assert name != database.name
