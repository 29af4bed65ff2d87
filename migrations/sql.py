"""Runs the SQL that stands beside a migration."""

from pathlib import Path
from typing import Any

import asyncpg
from alembic import op


def run_sql(migration_file: str, *, down: bool = False) -> None:
    """Run `NNNN_name.sql` (or `NNNN_name.down.sql`) beside `NNNN_name.py`, inside the migration's transaction.

    The file goes to the server as it is, many statements at once, so function bodies need no escaping.
    """
    path = Path(migration_file).with_suffix(".down.sql" if down else ".sql")
    script = path.read_text(encoding="utf-8")
    bind = op.get_bind()
    # The driver is only inside the transaction once SQLAlchemy has sent a statement of its own.
    bind.exec_driver_sql("SELECT 1")
    driver_connection: Any = bind.connection.dbapi_connection  # SQLAlchemy's adapter around asyncpg has no public type.
    try:
        driver_connection.run_async(lambda connection: connection.execute(script))
    except asyncpg.PostgresError as error:
        error.add_note(f"in {path.name}{_place(script, error)}")
        raise


def _place(script: str, error: asyncpg.PostgresError) -> str:
    """Where in the file the server found the error, if it said so."""
    position = getattr(error, "position", None)
    if position is None:
        return ""
    line = script.count("\n", 0, int(position) - 1) + 1
    return f", line {line}"
