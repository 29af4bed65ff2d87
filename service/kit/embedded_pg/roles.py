"""The database and its three roles, the same ones that docs/deploy.md asks for on a server of one's own."""

import os
import subprocess
from pathlib import Path

from service.kit.embedded_pg.binaries import Binaries, EmbeddedPgError

SUPERUSER = "postgres"
OWNER = "linli_owner"
APP = "linli_app"
AUDIT = "linli_audit"
DATABASE = "linli"

_SCRIPT = r"""
SELECT format('CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS', wanted)
  FROM unnest(ARRAY[:'owner', :'app', :'audit']) AS wanted
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) \gexec
SELECT format('CREATE DATABASE %I OWNER %I', :'database', :'owner')
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'database') \gexec
\connect :"database"
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
"""


def create_roles_and_database(binaries: Binaries, socket: Path) -> None:
    """Make what is missing. It runs at every start, so that a start cut short is made good by the next."""
    command = [binaries.program("psql"), "-h", str(socket), "-U", SUPERUSER, "-d", "postgres", "-XAtq"]
    for name, value in {"owner": OWNER, "app": APP, "audit": AUDIT, "database": DATABASE}.items():
        command += ["-v", f"{name}={value}"]
    # Variables of the caller's own libpq must not lead us to another server.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    done = subprocess.run(
        [*command, "-v", "ON_ERROR_STOP=1"],
        input=_SCRIPT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        message = f"The private PostgreSQL could not be prepared: {done.stderr.strip()}"
        raise EmbeddedPgError(message)
