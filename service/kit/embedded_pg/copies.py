"""Copies of the private server's database as one file, independent of PostgreSQL's version.

Everything in it goes along: rows, functions, grants. The encryption keys do not; they lie elsewhere on purpose.
"""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from service.kit.embedded_pg.binaries import EmbeddedPgError
from service.kit.embedded_pg.cluster import Cluster, running, server
from service.kit.embedded_pg.roles import DATABASE, SUPERUSER

_OURS = """
SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
"""


def dump(data: Path, file: Path) -> None:
    """Write the database to a file that only we may read; the service may go on meanwhile.

    The file appears when it is complete and not before.
    """
    draft = file.with_name(file.name + ".part")
    with _cluster(data) as cluster, open(draft, "wb", opener=_private) as output:
        _run([cluster.binaries.program("pg_dump"), "--format=custom", *_target(cluster)], stdout=output.fileno())
    draft.replace(file)


def restore(data: Path, file: Path) -> None:
    """Fill an empty database from a file, all of it or nothing. A database that holds tables is refused."""
    if not file.is_file():
        message = f"{file} does not exist."
        raise EmbeddedPgError(message)
    with server(data) as cluster:
        tables = _run([cluster.binaries.program("psql"), *_target(cluster), "-XAtqc", _OURS])
        if tables.strip() != "0":
            message = f"The database in {data} is not empty. Move that folder away first; a new one will be made."
            raise EmbeddedPgError(message)
        options = ["--exit-on-error", "--single-transaction"]
        _run([cluster.binaries.program("pg_restore"), *options, *_target(cluster), str(file)])


@contextlib.contextmanager
def _cluster(data: Path) -> Iterator[Cluster]:
    """The server that runs on this folder, else one for the moment."""
    if not (data / "PG_VERSION").exists():
        message = f"There is no database in {data}."
        raise EmbeddedPgError(message)
    if found := running(data):
        yield found
    else:
        with server(data) as cluster:
            yield cluster


def _target(cluster: Cluster) -> list[str]:
    return ["-h", str(cluster.socket), "-U", SUPERUSER, "-d", DATABASE]


def _private(name: str, flags: int) -> int:
    return os.open(name, flags, 0o600)


def _run(command: list[str], *, stdout: int = subprocess.PIPE) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    done = subprocess.run(command, env=environment, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        message = f"{Path(command[0]).name} failed: {done.stderr.strip()}"
        raise EmbeddedPgError(message)
    return done.stdout or ""
