"""The functions of ledger/sql: the copy in the migration, what SQL callers can do wrong, and who may call them."""

from pathlib import Path

import asyncpg
import pytest

import ledger
from tests.db import Database
from tests.ledger.cast import LATER, NOW, connected

ROOT = Path(ledger.__file__).parent.parent
SQL = sorted((ROOT / "ledger/sql").glob("*.sql"))
HOLD = "'0195d000-0000-7000-8000-000000000009'"

pytestmark = pytest.mark.usefixtures("book")


async def ask(database: Database, steps: str, reference: str = "a") -> str:
    async with connected(database.app_url) as connection:
        query = f"SELECT (ledger.post(7, $1, 'why', {steps}, NULL, NULL, NULL, $2)).code"
        return str(await connection.fetchval(query, reference, NOW))


def step(*columns: str) -> str:
    return f"ARRAY[ROW({', '.join(columns)})]::ledger.step[]"


@pytest.mark.parametrize("path", SQL, ids=lambda path: path.name)
def test_the_migration_holds_the_functions_as_they_are_now(path: Path):
    """The newest migration that has a copy has this one; what older ones froze stays as it was."""
    headline = f"-- ledger/sql/{path.name}\n"
    scripts = sorted((ROOT / "migrations/versions").glob("[0-9]*.sql"))
    migrations = [each for each in scripts if not each.name.endswith(".down.sql")]
    texts = [text for each in migrations if headline in (text := each.read_text(encoding="utf-8"))]
    assert headline + path.read_text(encoding="utf-8") in texts[-1]


@pytest.mark.parametrize(
    ("steps", "code"),
    [
        (step("'post'", "'issued'", "'li'", "'point'", "5", "NULL", "NULL"), "posted"),
        ("NULL", "ledger.journal_empty"),
        ("'{}'", "ledger.journal_empty"),
        (step("NULL", "'issued'", "'li'", "'point'", "5", "NULL", "NULL"), "ledger.step_malformed"),
        (step("'steal'", "'issued'", "'li'", "'point'", "5", "NULL", "NULL"), "ledger.step_malformed"),
        (step("'post'", "NULL", "'li'", "'point'", "5", "NULL", "NULL"), "ledger.step_malformed"),
        (step("'post'", "'issued'", "NULL", "'point'", "5", "NULL", "NULL"), "ledger.step_malformed"),
        (step("'post'", "'issued'", "'li'", "NULL", "5", "NULL", "NULL"), "ledger.step_malformed"),
        (step("'hold'", "'li'", "NULL", "'point'", "5", "NULL", "NULL"), "ledger.step_malformed"),
        (step("'hold'", "'li'", "NULL", "'point'", "5", HOLD, "'infinity'"), "ledger.step_malformed"),
        (step("'capture'", "NULL", "'li'", "NULL", "5", "NULL", "NULL"), "ledger.step_malformed"),
        (step("'capture'", "NULL", "NULL", "NULL", "5", HOLD, "NULL"), "ledger.step_malformed"),
        (step("'release'", "NULL", "NULL", "NULL", "5", "NULL", "NULL"), "ledger.step_malformed"),
        (step("'post'", "'issued'", "'li'", "'point'", "NULL", "NULL", "NULL"), "ledger.amount_out_of_bounds"),
        (step("'hold'", "'li'", "NULL", "'point'", "NULL", HOLD, "NULL"), "ledger.amount_out_of_bounds"),
        (step("'capture'", "NULL", "'li'", "NULL", "NULL", HOLD, "NULL"), "ledger.amount_out_of_bounds"),
    ],
)
async def test_whatever_a_caller_leaves_out_is_refused(database: Database, steps: str, code: str):
    assert await ask(database, steps) == code


async def test_a_capture_may_name_the_unit_but_only_the_right_one(database: Database):
    assert await ask(database, step("'post'", "'issued'", "'li'", "'point'", "5", "NULL", "NULL"), "a") == "posted"
    assert await ask(database, step("'hold'", "'li'", "NULL", "'point'", "5", HOLD, "NULL"), "b") == "posted"
    wrong = step("'capture'", "NULL", "'chen'", "'minute'", "1", HOLD, "NULL")
    assert await ask(database, wrong, "c") == ledger.UnitMismatch.code
    right = step("'capture'", "NULL", "'chen'", "'point'", "1", HOLD, "NULL")
    assert await ask(database, right, "c") == "posted"


async def test_sql_callers_reverse_too(database: Database):
    await ask(database, step("'post'", "'issued'", "'li'", "'point'", "5", "NULL", "NULL"))
    async with connected(database.app_url) as connection:
        query = "SELECT (ledger.reverse(7, $1, $2, 'typo', NULL, NULL, NULL, NULL, $3)).*"
        assert (await connection.fetchrow(query, "b", None, NOW))["code"] == "ledger.original_not_found"
        done = await connection.fetchrow(query, "b", "a", NOW)
        assert (done["code"], done["journal_id"], done["detail"]) == ("posted", 2, None)
        assert (await connection.fetchrow(query, "b", "a", LATER))["code"] == "replayed"
        assert (await connection.fetchrow(query, "c", "a", NOW))["detail"] == '{"original": "a"}'


async def test_a_shadow_in_the_temporary_schema_is_not_looked_at(database: Database):
    async with connected(database.app_url) as connection:
        for table in ("book", "account", "journal", "transfer", "hold", "hold_expiry"):
            await connection.execute(f"CREATE TEMPORARY TABLE {table} (LIKE ledger.{table})")
        await connection.execute("SET search_path = pg_temp, public")
        steps = step("'post'", "'issued'", "'li'", "'point'", "5", "NULL", "NULL")
        code = await connection.fetchval(
            f"SELECT (ledger.post(7, 'a', 'why', {steps}, NULL, NULL, NULL, $1)).code", NOW
        )
        assert code == "posted"
        assert await connection.fetchval("SELECT count(*) FROM pg_temp.transfer") == 0


TABLES = (
    "unit",
    "book",
    "account",
    "transfer",
    "hold",
    "period",
    "debt_allowance",
    "hold_expiry",
    "tree",
    "tile",
    "seal",
    "mark",
    "marked",
    "zone",
    "zone_word",
    "zoned",
    "lot_policy",
    "lot",
    "lot_move",
    "hold_lot",
    "lot_grace",
)
WRITES = (
    "INSERT INTO ledger.{0} ({1}) SELECT {1} FROM ledger.{0}",
    "UPDATE ledger.{0} SET {1} = {1}",
    "DELETE FROM ledger.{0}",
    "TRUNCATE ledger.{0}",
    "ALTER TABLE ledger.{0} ADD COLUMN note text",
    "DROP TABLE ledger.{0}",
    "SELECT * FROM ledger.{0} FOR UPDATE",
    "SELECT * FROM ledger.{0} FOR KEY SHARE",
    "LOCK TABLE ledger.{0} IN ROW EXCLUSIVE MODE",
    "CREATE TRIGGER t BEFORE INSERT ON ledger.{0} FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
)
VIEWED = (
    "INSERT INTO ledger.journal (community_id) VALUES (7)",
    "UPDATE ledger.journal SET reason = 'theft'",
    "DELETE FROM ledger.journal",
    "DROP VIEW ledger.journal",
    "CREATE OR REPLACE VIEW ledger.journal AS SELECT 1",
    "SELECT * FROM ledger.journal FOR UPDATE",
)
OTHERS = (
    "CREATE TABLE ledger.mine (id int)",
    "CREATE FUNCTION ledger.mine() RETURNS int LANGUAGE sql RETURN 1",
    "DROP FUNCTION ledger.post_batch",
    "ALTER FUNCTION ledger.post_batch SECURITY INVOKER",
    "SET ROLE linli_owner",
    "SET SESSION AUTHORIZATION postgres",
    "SELECT nextval('ledger.account_account_id_seq')",
    "SELECT ledger.post_or_reverse(7, 'a', 'b', NULL, NULL, NULL, NULL, NULL, now())",
    "SELECT ledger.same_content(7, 1, '', NULL, NULL, '{}', '{}', '{}', '{}', '{}', '{}', '{}')",
    "SELECT ledger.reversal_legs(7, 1, 1)",
    "SELECT ledger.take_lots(7, 1, 1, 1, now(), false, NULL)",
    "SELECT ledger.fill_lots(7, 1, 1, 0, '{infinity}', '{1}')",
    "SELECT ledger.move_lots(7, 0, now())",
)


@pytest.mark.parametrize("role", ["linli_app", "linli_audit"])
async def test_nobody_who_serves_or_reads_can_write_but_by_the_functions(database: Database, role: str):
    statements = [
        write.format(table, "scale" if table == "unit" else "community_id") for table in TABLES for write in WRITES
    ]
    async with connected(database.url(role)) as connection:
        for table in TABLES:
            await connection.fetch(f"SELECT * FROM ledger.{table}")
        await connection.fetch("SELECT * FROM ledger.journal")
        for statement in (*statements, *VIEWED, *OTHERS):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(f"BEGIN; {statement}")
            await connection.execute("ROLLBACK")


async def test_the_auditor_cannot_post(database: Database):
    async with connected(database.audit_url) as connection:
        for statement in (
            "SELECT ledger.post(7, 'a', 'b', NULL, NULL, NULL, NULL, now())",
            "SELECT ledger.reverse(7, 'a', 'b', 'c', NULL, NULL, NULL, NULL, now())",
            "SELECT ledger.open_book(8, now())",
            "SELECT ledger.open_accounts(7, '{a}', '{point}', '{0}', '{0}', now())",
            "SELECT ledger.close_account(7, 'li', 'point', now())",
            "SELECT ledger.close_period(7, now(), gen_random_uuid(), now())",
            "SELECT ledger.allow_debt(7, 'li', 'point', 'typo', 5, gen_random_uuid(), now())",
            "SELECT ledger.expire(7, 'expired', NULL, NULL, NULL, 5, now())",
            "SELECT ledger.set_expiry(7, 'point', 'li', 'year', 0, 0, 'UTC', gen_random_uuid(), now())",
            "SELECT ledger.expire_lots(7, 'expired', NULL, NULL, 5, now())",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)


async def test_every_function_is_closed_to_the_public_and_those_that_write_fix_their_search_path(database: Database):
    async with connected(database.superuser_url) as connection:
        rows = await connection.fetch(
            "SELECT proname, prosecdef, provolatile, proconfig, proacl::text FROM pg_proc"
            " WHERE pronamespace = 'ledger'::regnamespace"
        )
    assert len(rows) >= 12
    for row in rows:
        assert row["proacl"], row
        assert not any(grant.startswith("=") for grant in row["proacl"].strip("{}").split(",")), row
        if row["prosecdef"]:
            assert "search_path=ledger, pg_temp" in row["proconfig"], row
