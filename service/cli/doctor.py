"""Does the database keep what Linli promises? The service does not start when it does not."""

from collections.abc import Sequence

import asyncpg

from migrations.runner import expected_head
from service import identity
from service.cli.places import Place, opened
from service.kit.crypto import Keyring
from service.kit.db import DatabaseAway, open_connection

OLDEST_SERVER = 150_000

_SETTINGS = """
SELECT name, setting FROM pg_settings
 WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit', 'server_encoding')
"""
_WRITABLE = """
SELECT format('%I.%I', table_schema, table_name) FROM information_schema.role_table_grants
 WHERE grantee = current_user AND privilege_type IN ('UPDATE', 'DELETE', 'TRUNCATE')
   AND (table_schema IN ('ledger', 'redemption') OR table_name IN ('audit', 'service_record', 'setting'))
"""


async def complaints(place: Place, keyring: Keyring) -> Sequence[str]:
    """Every reason not to serve, in words; empty when all is well."""
    try:
        connection = await open_connection(place.app_url)
    except DatabaseAway as problem:
        return [f"the database does not answer: {problem}"]
    try:
        found = [*await _about_role(connection), *await _about_server(connection), *await _about_tables(connection)]
    finally:
        await connection.close()
    return found or await _about_keys(place, keyring)


async def parked(place: Place) -> Sequence[str]:
    """What the worker could not deliver and waits for somebody to look at."""
    connection = await open_connection(place.app_url)
    try:
        waiting = await connection.fetchval("SELECT count(*) FROM jobs.pgqueuer WHERE status = 'failed'")
    finally:
        await connection.close()
    return (
        [f"{waiting} deliveries failed too often and are parked; `linli worker --retry` tries again"] if waiting else []
    )


async def _about_keys(place: Place, keyring: Keyring) -> Sequence[str]:
    async with opened(place, keyring) as (_, sessions), sessions() as session:
        if await identity.can_read_names(session):
            return []
    return ["the keys here do not open the names in this database; `linli keys import FILE` puts the right ones back"]


async def _about_role(connection: asyncpg.Connection) -> Sequence[str]:
    role = await connection.fetchrow(
        "SELECT rolname, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user"
    )
    found = []
    if role["rolsuper"] or role["rolbypassrls"]:
        found.append(f"the service would connect as {role['rolname']}, who passes by every grant; use linli_app")
    owner = await connection.fetchval("SELECT pg_get_userbyid(relowner) FROM pg_class WHERE relname = 'audit'")
    if owner == role["rolname"]:
        found.append(f"the service would connect as {owner}, who owns the tables; use linli_app")
    if owner and await connection.fetchval(
        "SELECT pg_has_role(current_user, $1, 'MEMBER') AND current_user <> $1", owner
    ):
        found.append(f"{role['rolname']} may act as {owner}, who owns the tables; revoke that")
    return found


async def _about_server(connection: asyncpg.Connection) -> Sequence[str]:
    values = {row["name"]: row["setting"] for row in await connection.fetch(_SETTINGS)}
    found = [
        f"{name} is {values.get(name)}: an acknowledged posting could be lost in a crash"
        for name in ("fsync", "full_page_writes")
        if values.get(name) != "on"
    ]
    if values.get("synchronous_commit") not in ("on", "remote_apply", "remote_write", "local"):
        found.append("synchronous_commit is off: an acknowledged posting could be lost in a crash")
    if values.get("server_encoding") != "UTF8":
        found.append(f"the database is in {values.get('server_encoding')}, not UTF8")
    if connection.get_server_version().major * 10_000 < OLDEST_SERVER:
        found.append("PostgreSQL 15 or newer is needed")
    return found


async def _about_tables(connection: asyncpg.Connection) -> Sequence[str]:
    try:
        revision = await connection.fetchval("SELECT version_num FROM alembic_version")
    except asyncpg.UndefinedTableError:
        return ["the database is empty; run `linli init` or `linli migrate`"]
    found = []
    if revision != expected_head():
        found.append(f"the database is at revision {revision}, this code needs {expected_head()}; run `linli upgrade`")
    writable = [row[0] for row in await connection.fetch(_WRITABLE)]
    if writable:
        found.append(f"the serving role may change append-only tables: {', '.join(sorted(set(writable)))}")
    return found
