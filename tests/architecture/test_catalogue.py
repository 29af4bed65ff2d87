"""The database itself: keys that carry the community, rights that keep history, functions that cannot be led astray."""

import asyncpg
import pytest

from tests.architecture.sources import ROOT
from tests.db import Database

SCHEMAS = ["public", "ledger", "redemption"]
"""`jobs` is the job queue's own and is left to it."""

BELONG_TO_NO_COMMUNITY = {
    "public.alembic_version": "Alembic's own.",
    "public.login": "A phone number signs one person in to many communities.",
    "public.sign_in_try": "Tries are counted before anybody knows whose they are.",
    "ledger.unit": "The units are the same everywhere.",
}

FAULTY_NAMES = ["public.alembic_version"]
"""Alembic names its key itself."""

APPEND_ONLY = [
    "audit",
    "service_record",
    "setting",
    "audit_sample",
    "audit_sample_item",
    "audit_finding",
    "exchange_event",
    "exchange_gift",
]
LINT = (ROOT / "tests/architecture/lint.sql").read_text(encoding="utf-8")

FAULTS = {
    "has no community_id bigint not null": "CREATE TABLE {s}.bad (id bigint CONSTRAINT pk_bad PRIMARY KEY)",
    "has no primary key": "CREATE TABLE {s}.bad (community_id bigint NOT NULL)",
    "a key does not begin with community_id": (
        "CREATE TABLE {s}.bad (community_id bigint, id bigint, CONSTRAINT pk_bad PRIMARY KEY (id, community_id))"
    ),
    "a foreign key does not begin with community_id on both sides": (
        "CREATE TABLE {s}.good (community_id bigint, id bigint, CONSTRAINT pk_good PRIMARY KEY (community_id, id));"
        "CREATE TABLE {s}.bad (community_id bigint, id bigint, CONSTRAINT pk_bad PRIMARY KEY (community_id, id),"
        " CONSTRAINT fk_bad_good FOREIGN KEY (id, community_id) REFERENCES {s}.good)"
    ),
    "ON DELETE or ON UPDATE does more than refuse": (
        "CREATE TABLE {s}.bad (community_id bigint, id bigint, CONSTRAINT pk_bad PRIMARY KEY (community_id, id),"
        " CONSTRAINT fk_bad_self FOREIGN KEY (community_id, id) REFERENCES {s}.bad ON DELETE SET NULL)"
    ),
    "has a trigger": (
        "CREATE TABLE {s}.bad (community_id bigint CONSTRAINT pk_bad PRIMARY KEY);"
        "CREATE TRIGGER rule BEFORE UPDATE ON {s}.bad FOR EACH ROW"
        " EXECUTE FUNCTION suppress_redundant_updates_trigger()"
    ),
    "counts in something narrower than bigint": (
        "CREATE TABLE {s}.bad (community_id bigint, id int GENERATED ALWAYS AS IDENTITY,"
        " CONSTRAINT pk_bad PRIMARY KEY (community_id, id))"
    ),
    "a value is not an integer": (
        "CREATE TABLE {s}.bad (community_id bigint CONSTRAINT pk_bad PRIMARY KEY, amount numeric(12, 2))"
    ),
    "an instant has no time zone": (
        "CREATE TABLE {s}.bad (community_id bigint CONSTRAINT pk_bad PRIMARY KEY, made_at timestamp)"
    ),
    "has a native enum, which cannot be changed under load": (
        "CREATE TYPE {s}.mood AS ENUM ('good'); "
        "CREATE TABLE {s}.bad (community_id bigint CONSTRAINT pk_bad PRIMARY KEY, mood {s}.mood)"
    ),
    "a constraint is not named by the habit": (
        "CREATE TABLE {s}.bad (community_id bigint PRIMARY KEY CHECK (community_id > 0))"
    ),
    "an index is not named by the habit": (
        "CREATE TABLE {s}.bad (community_id bigint CONSTRAINT pk_bad PRIMARY KEY, at timestamptz);"
        "CREATE INDEX ON {s}.bad (at)"
    ),
    "a foreign key crosses into another schema": (
        "CREATE SCHEMA elsewhere;"
        "CREATE TABLE elsewhere.good (community_id bigint CONSTRAINT pk_good PRIMARY KEY);"
        "CREATE TABLE {s}.bad (community_id bigint CONSTRAINT pk_bad PRIMARY KEY"
        " CONSTRAINT fk_bad_good REFERENCES elsewhere.good)"
    ),
    "a shared table points at a community's": (
        "CREATE TABLE {s}.good (community_id bigint CONSTRAINT pk_good PRIMARY KEY);"
        "CREATE TABLE {s}.bad_for_all (id bigint CONSTRAINT pk_bad PRIMARY KEY"
        " CONSTRAINT fk_bad_good REFERENCES {s}.good)"
    ),
}


@pytest.fixture
async def owner(fresh_database: Database):
    """The owner's connection to a database that may be spoiled."""
    connection = await asyncpg.connect(fresh_database.owner_url)
    yield connection
    await connection.close()


async def faults(connection: asyncpg.Connection, *planted: str) -> list[tuple[str, str, str]]:
    """What the lint finds; `planted` tables pretend to belong to no community."""
    rows = await connection.fetch(LINT, SCHEMAS, [*BELONG_TO_NO_COMMUNITY, *planted])
    found = [(row["name"], row["why"], row["what"]) for row in rows]
    return [fault for fault in found if not (fault[0] in FAULTY_NAMES and fault[1].endswith("by the habit"))]


async def test_the_catalogue_has_no_fault(owner: asyncpg.Connection) -> None:
    assert await faults(owner) == []


async def test_every_planted_fault_is_found_in_every_schema(owner: asyncpg.Connection) -> None:
    """A lint that never fires proves nothing."""
    missed = []
    for schema in SCHEMAS:
        for why, script in FAULTS.items():
            planting = owner.transaction()
            await planting.start()
            await owner.execute(script.format(s=schema))
            found = {(name, fault) for name, fault, _ in await faults(owner, f"{schema}.bad_for_all")}
            if not found & {(f"{schema}.bad", why), (f"{schema}.bad_for_all", why)}:
                missed.append(f"{schema}: {why}")
            await planting.rollback()

    assert missed == []


async def test_functions_with_the_owners_rights_cannot_be_led_astray(owner: asyncpg.Connection) -> None:
    """A caller could otherwise put a table of his own in front of ours, or call what was never granted to him."""
    rows = await owner.fetch(
        """
        SELECT p.oid::regprocedure::text AS name,
               coalesce(array_to_string(p.proconfig, ';'), '') AS config,
               EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) x
                        WHERE x.grantee = 0 AND x.privilege_type = 'EXECUTE') AS is_everyones
          FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
         WHERE n.nspname = ANY ($1::text[]) AND p.prosecdef
         ORDER BY 1
        """,
        SCHEMAS,
    )

    assert [row["name"] for row in rows if "search_path=" not in row["config"]] == []
    assert [row["name"] for row in rows if row["is_everyones"]] == []


async def test_history_cannot_be_changed_by_the_app(owner: asyncpg.Connection) -> None:
    """Rows of the libraries are written by their functions only; records of the service are only ever added."""
    rows = await owner.fetch(
        """
        SELECT n.nspname || '.' || c.relname AS name, p.privilege
          FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         CROSS JOIN unnest(ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) AS p(privilege)
         WHERE c.relkind IN ('r', 'p') AND has_table_privilege('linli_app', c.oid, p.privilege)
           AND (n.nspname IN ('ledger', 'redemption')
                OR n.nspname = 'public' AND c.relname = ANY ($1::text[]) AND p.privilege <> 'INSERT')
        """,
        APPEND_ONLY,
    )

    assert [tuple(row) for row in rows] == []


@pytest.mark.parametrize(
    ("role", "privileges"),
    [("linli_app", ["TRUNCATE", "TRIGGER"]), ("linli_audit", ["INSERT", "UPDATE", "DELETE", "TRUNCATE", "TRIGGER"])],
)
async def test_nobody_has_more_than_the_role_needs(owner: asyncpg.Connection, role: str, privileges: list[str]) -> None:
    rows = await owner.fetch(
        """
        SELECT c.oid::regclass::text AS name, p.privilege
          FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         CROSS JOIN unnest($2::text[]) AS p(privilege)
         WHERE c.relkind IN ('r', 'p') AND n.nspname = ANY ($3::text[])
           AND has_table_privilege($1, c.oid, p.privilege)
        """,
        role,
        privileges,
        SCHEMAS,
    )

    assert [tuple(row) for row in rows] == []
    creates = "SELECT nspname FROM pg_namespace WHERE has_schema_privilege($1, oid, 'CREATE') AND nspname !~ '^pg_'"
    assert await owner.fetch(creates, role) == []
