"""One private server per test run, with a migrated template database in it.

Making and migrating a server takes seconds, so the result is kept under var/tests, keyed by everything that went into
it, and each run works on a copy, in memory where that is possible. Runs side by side never share a server.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg

from migrations import runner
from service.kit.embedded_pg import Binaries, find_binaries, server
from service.kit.embedded_pg.binaries import binaries_in
from tests.db import Database, in_thread

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / "var" / "tests"
MEMORY = Path("/dev/shm")  # noqa: S108  (a folder of our own in it, closed to others)
MEMORY_BYTES = 3 << 30
"""Every test copies a database of a thousand small files. In memory that costs a tenth; so much of it must be free."""
TEMPLATE = "linli_template"
SETTINGS = {"max_connections": "200", "autovacuum": "off", "wal_level": "minimal", "max_wal_senders": "0"}


@contextlib.contextmanager
def shared_server() -> Iterator[str]:
    """Run a server that holds the migrated template; yields its socket folder.

    LINLI_TEST_PG_BIN chooses other programs, LINLI_TEST_MIGRATE_TO another revision than the head.
    """
    chosen = os.environ.get("LINLI_TEST_PG_BIN")
    programs = binaries_in(Path(chosen)) if chosen else find_binaries()
    KEPT.mkdir(parents=True, exist_ok=True)
    with _private_folder() as folder:
        data = folder / "data"
        _copy_template(programs, data)
        with server(data, durable=False, settings=SETTINGS, binaries=programs.folder) as cluster:
            yield str(cluster.socket)


def _runs() -> Path:
    """Where the servers of runs lie: in memory if there is enough of it, else beside what is kept."""
    if not os.access(MEMORY, os.W_OK) or shutil.disk_usage(MEMORY).free < MEMORY_BYTES:
        return KEPT
    return MEMORY / f"linli-tests-{os.getuid()}"


@contextlib.contextmanager
def _private_folder() -> Iterator[Path]:
    """A folder for this run alone. Folders of runs that were killed are swept on the way."""
    runs = _runs()
    runs.mkdir(mode=0o700, parents=True, exist_ok=True)
    for abandoned in runs.glob("run-*"):
        with contextlib.suppress(OSError), _exclusive(abandoned / "lock", wait=False):
            shutil.rmtree(abandoned, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=runs))
    with _exclusive(folder / "lock"):
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _exclusive(path: Path, *, wait: bool = True) -> Iterator[None]:
    with path.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield


def _copy_template(programs: Binaries, target: Path) -> None:
    with _exclusive(KEPT / "template.lock"):
        kept = KEPT / f"template-{programs.major}-{_fingerprint()}"
        if not kept.exists():
            for old in KEPT.glob(f"template-{programs.major}-*"):
                shutil.rmtree(old, ignore_errors=True)
            draft = KEPT / f"draft-{programs.major}"
            shutil.rmtree(draft, ignore_errors=True)
            with server(draft, durable=False, settings=SETTINGS, binaries=programs.folder) as cluster:
                in_thread(_make_template(Database("postgres", str(cluster.socket))))
            draft.rename(kept)
        subprocess.run(["cp", "-a", str(kept), str(target)], check=True)


async def _make_template(maintenance: Database) -> None:
    template = Database(TEMPLATE, maintenance.socket)
    await _execute(maintenance.superuser_url, f"CREATE DATABASE {TEMPLATE} OWNER linli_owner")
    await _execute(template.superuser_url, "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    await runner.upgrade(template.owner_url, os.environ.get("LINLI_TEST_MIGRATE_TO", "head"))


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def _fingerprint() -> str:
    """Changes whenever the template would come out differently."""
    digest = hashlib.sha256(os.environ.get("LINLI_TEST_MIGRATE_TO", "").encode())
    parts = [Path(__file__), *sorted((ROOT / "service/kit/embedded_pg").glob("*.py"))]
    parts += sorted(path for path in (ROOT / "migrations").rglob("*") if path.suffix in {".py", ".sql"})
    for path in parts:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]
