"""What people wrote themselves, and so may stand in Chinese on an English page."""

import asyncpg

from service.kit.words import masked_name
from tests.cast import KEYRING
from tests.db import Database, in_thread

_COLUMNS = """
SELECT table_schema, table_name, column_name FROM information_schema.columns
 WHERE table_schema IN ('public', 'redemption') AND data_type = 'text' AND table_name NOT IN ('alembic_version', 'audit')
"""
_LISTS = """
SELECT table_schema, table_name, column_name FROM information_schema.columns
 WHERE table_schema IN ('public', 'redemption') AND udt_name = '_text'
"""
_NAMES = "SELECT community_id, member_id, name_sealed FROM member LIMIT 20000"


async def _texts(database: Database) -> list[str]:
    connection = await asyncpg.connect(database.superuser_url)
    try:
        found: set[str] = set()
        for schema, table, column in await connection.fetch(_COLUMNS):
            rows = await connection.fetch(f'SELECT DISTINCT "{column}" FROM {schema}."{table}" LIMIT 20000')
            found |= {row[0] for row in rows if row[0]}
        for schema, table, column in await connection.fetch(_LISTS):
            rows = await connection.fetch(f'SELECT DISTINCT unnest("{column}") FROM {schema}."{table}"')
            found |= {row[0] for row in rows if row[0]}
        for community_id, member_id, sealed in await connection.fetch(_NAMES):
            name = KEYRING.open(sealed, f"member:{community_id}:{member_id.hex}:name")
            found |= {name, masked_name(name), name[:1]}
        for community_id, household_id, sealed in await connection.fetch(
            "SELECT community_id, household_id, door_sealed FROM household LIMIT 20000"
        ):
            found.add(KEYRING.open(sealed, f"household:{community_id}:{household_id.hex}:door"))
        for community_id, income_id, sealed in await connection.fetch(
            "SELECT community_id, income_id, donor_sealed FROM fund_income WHERE donor_sealed IS NOT NULL LIMIT 20000"
        ):
            found.add(KEYRING.open(sealed, f"fund_income:{community_id}:{income_id.hex}:donor"))
        return sorted(found)
    finally:
        await connection.close()


def texts_of_people(database: Database) -> list[str]:
    """Every text in the database, names opened."""
    return in_thread(_texts(database))
