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

_ROLE = """
SELECT 'CREATE ROLE {role} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS'
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') \\gexec
"""

_DATABASE = f"""
SELECT 'CREATE DATABASE {DATABASE} OWNER {OWNER}'
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '{DATABASE}') \\gexec
\\connect {DATABASE}
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
"""


def create_roles_and_database(binaries: Binaries, socket: Path) -> None:
    """Make what is missing. It runs at every start, so that a start cut short is made good by the next."""
    script = "".join(_ROLE.format(role=role) for role in (OWNER, APP, AUDIT)) + _DATABASE
    run_psql(binaries, socket, script)


def run_psql(binaries: Binaries, socket: Path, script: str) -> str:
    """Run a script as superuser on the socket and give back what it printed."""
    command = [binaries.program("psql"), "-h", str(socket), "-U", SUPERUSER, "-d", "postgres", "-XAtq"]
    # Variables of the caller's own libpq must not lead us to another server.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    done = subprocess.run(
        [*command, "-v", "ON_ERROR_STOP=1"], input=script, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        message = f"The private PostgreSQL could not be prepared: {done.stderr.strip()}"
        raise EmbeddedPgError(message)
    return done.stdout
