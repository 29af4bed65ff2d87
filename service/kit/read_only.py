"""The service that only reads: for incidents and for moving house. Nothing is written, whatever forgets to ask.

The switch is in the database: the serving role's own `default_transaction_read_only`. The server tells every connection
its value by itself, so a process knows how things stand from the connection it is about to use, without a question and
without a file that could differ between processes; and a path that was forgotten is refused by the database. A standby
that is still being fed is read-only in the same way. `LINLI_READ_ONLY` says it for one process only.
"""

import asyncio
from dataclasses import dataclass
from typing import Any, ClassVar

import asyncpg

from service.kit.refusals import Unavailable

READS_ONLY = {"writes": "nothing"}
"""For a route that is asked by POST and changes nothing in the database: it works all the same."""
SETTLED_WITHIN_SECONDS = 10.0
"""So long a transaction under way may take before it is cut when the switch is thrown."""


class ReadOnlyNow(Unavailable):
    """Nothing can be changed for the moment; the same request may come again later."""

    code: ClassVar[str] = "kit.read_only"


@dataclass(slots=True)
class ReadOnly:
    """What this process knows: `always` by its own setting, else what the last connection said."""

    always: bool = False
    seen: bool = False

    @property
    def is_on(self) -> bool:
        """True when nothing can be written."""
        return self.always or self.seen

    def look(self, connection: asyncpg.Connection) -> None:
        """Learn from a connection that is about to be used. Costs no round trip."""
        self.seen = is_read_only(connection)


def is_read_only(connection: asyncpg.Connection) -> bool:
    """What the server said of this connection. Behind a pooler it says nothing, and the first write is refused instead."""
    said = connection.get_settings()
    return "on" in (getattr(said, "default_transaction_read_only", ""), getattr(said, "in_hot_standby", ""))


def is_about_writing(error: BaseException | None) -> bool:
    """True when the database refused a write because nothing is to be written now."""
    while error is not None:
        if isinstance(error, asyncpg.ReadOnlySQLTransactionError):
            return True
        error = error.__cause__
    return False


_SESSIONS = """
SELECT pid, backend_start, state FROM pg_stat_activity
 WHERE usename = current_user AND datname = current_database() AND pid <> pg_backend_pid()
"""
_END = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND backend_start = $2"


async def throw_switch(
    connection: asyncpg.Connection, *, on: bool, settled_within: float = SETTLED_WITHIN_SECONDS
) -> int:
    """Let the role of this connection read only, or write again, in this database; says how many sessions were ended.

    Sessions that began before the switch still hold to the old word. Each is ended as soon as it rests, and after
    `settled_within` seconds in any case, so that when this returns there is none left. Whoever was served by it gets
    another: the service opens a new connection and knows how things stand.
    """
    role, database = await connection.fetchrow("SELECT quote_ident(current_user), quote_ident(current_database())")
    word = "SET default_transaction_read_only = on" if on else "RESET default_transaction_read_only"
    await connection.execute("SET default_transaction_read_only = off")
    await connection.execute(f"ALTER ROLE {role} IN DATABASE {database} {word}")
    # Everything that began before this look is old; what begins from now on starts with the new word.
    left: dict[Any, Any] = {(row["pid"], row["backend_start"]): None for row in await connection.fetch(_SESSIONS)}
    ended, deadline = len(left), asyncio.get_running_loop().time() + settled_within
    while left:
        is_late = asyncio.get_running_loop().time() >= deadline
        now = {(row["pid"], row["backend_start"]): row["state"] for row in await connection.fetch(_SESSIONS)}
        left = {session: now[session] for session in left if session in now}
        for session, state in left.items():
            if state == "idle" or is_late:
                await connection.execute(_END, *session)
        if left:
            await asyncio.sleep(0.05)
    return ended


async def is_switched_on(connection: asyncpg.Connection) -> bool:
    """Whether the switch in the database is thrown for the role of this connection."""
    found = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM pg_db_role_setting s, pg_roles r, pg_database d"
        "  WHERE s.setrole = r.oid AND s.setdatabase = d.oid AND r.rolname = current_user"
        "    AND d.datname = current_database() AND 'default_transaction_read_only=on' = ANY (s.setconfig))"
    )
    return bool(found)
