"""Makes, starts and stops the private server."""

import contextlib
import fcntl
import hashlib
import os
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from service.kit.embedded_pg.binaries import (
    FIRST_MAJOR_WITH_BUILTIN_LOCALES,
    Binaries,
    EmbeddedPgError,
    binaries_in,
    find_binaries,
)
from service.kit.embedded_pg.keeper import Keeper
from service.kit.embedded_pg.orphans import clear_remains
from service.kit.embedded_pg.privileges import Privileges, die_with_us, privileges
from service.kit.embedded_pg.roles import APP, AUDIT, DATABASE, OWNER, SUPERUSER, create_roles_and_database

START_SECONDS = 120.0
"""A server that was killed first replays its log, which may take a while on a slow disk."""

LONGEST_SOCKET_PATH = 100
"""The kernel takes 107 bytes; some systems take fewer."""

LARGEST_LOG_BYTES = 8_000_000

_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "port": "5432",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "max_connections": "50",
    "jit": "off",
    "logging_collector": "off",
}
_MEMORY_MOST = 2 * 1024**3
_NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def _roomy() -> dict[str, str]:
    """An eighth of the machine's memory for pages, up to two gigabytes: a database that is kept outgrows 128 MB soon."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 8
    return {"shared_buffers": f"{max(128 * 1024**2, min(memory, _MEMORY_MOST)) // 1024**2}MB"}


@dataclass(frozen=True, slots=True)
class Cluster:
    """A running private server. Its addresses are in libpq's form and name a socket, no host and no password."""

    data: Path
    socket: Path
    pid: int
    """The first process; a server that is kept may have had another since."""
    binaries: Binaries

    def url(self, role: str, database: str = DATABASE) -> str:
        """The address of a database for a role."""
        return f"postgresql://{role}@/{database}?host={quote(str(self.socket))}"

    @property
    def owner_url(self) -> str:
        """For migrations: owns the database and every object in it."""
        return self.url(OWNER)

    @property
    def app_url(self) -> str:
        """For the service and its tests: only what the grants allow."""
        return self.url(APP)

    @property
    def audit_url(self) -> str:
        """For an auditor: reads, never writes."""
        return self.url(AUDIT)

    @property
    def superuser_url(self) -> str:
        """For the supervisor and the test fixtures only: a superuser passes by every grant."""
        return self.url(SUPERUSER)


@contextlib.contextmanager
def server(
    data: Path,
    *,
    durable: bool = True,
    keep: bool = False,
    settings: Mapping[str, str] | None = None,
    binaries: Path | None = None,
) -> Iterator[Cluster]:
    """Run a private server on a folder for as long as the block lasts; make the folder when it is missing.

    A second process on the same folder is refused. `durable=False` gives up safety against power cuts for speed and
    is meant for tests. With `keep` a server that ends by itself is started again. `binaries` names a folder of
    programs; the default is whatever `find_binaries` finds.
    """
    data = data.absolute()
    data.parent.mkdir(parents=True, exist_ok=True)
    data = data.resolve()
    programs = binaries_in(binaries) if binaries else find_binaries()
    with _locked(data):
        rights = privileges(programs, data)
        if not (data / "PG_VERSION").exists():
            _make(programs, rights, data, durable=durable)
        _check_version(programs, data)
        socket = _socket_folder(rights, data)
        options = {**_SETTINGS, **(_roomy() if durable else _NOT_DURABLE), **(settings or {})}
        options["unix_socket_directories"] = str(socket)

        def start() -> subprocess.Popen[bytes]:
            clear_remains(data, socket)
            return _start(programs, rights, data, options)

        keeper = Keeper(start(), start=start, wait=lambda process: _wait_until_ready(process, data))
        try:
            _wait_until_ready(keeper.process, data)
            create_roles_and_database(programs, socket)
            if keep:
                keeper.look_after()
            yield Cluster(data, socket, keeper.process.pid, programs)
        finally:
            keeper.leave()
            _stop(keeper.process)
            keeper.join()


def running(data: Path) -> Cluster | None:
    """The server that another process runs on this folder, or None."""
    data = data.resolve()
    with contextlib.suppress(EmbeddedPgError), _locked(data):
        return None
    programs = find_binaries()
    _check_version(programs, data)
    try:
        pid = int((data / "postmaster.pid").read_text().split("\n")[0])
    except (OSError, ValueError) as reason:
        message = f"{data} is in use by another Linli process, whose server is just starting. Try again in a moment."
        raise EmbeddedPgError(message) from reason
    return Cluster(data, _socket_folder(privileges(programs, data), data), pid, programs)


@contextlib.contextmanager
def _locked(data: Path) -> Iterator[None]:
    """One supervisor per folder. The lock is the kernel's: it ends with its holder, so it can never be stale."""
    with _beside(data, ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            message = f"{data} is in use by another Linli process. Stop that one first."
            raise EmbeddedPgError(message) from None
        yield


def _beside(data: Path, suffix: str) -> Path:
    return data.with_name(data.name + suffix)


def _make(programs: Binaries, rights: Privileges, data: Path, *, durable: bool) -> None:
    # initdb can be cut short halfway. It works beside the folder, and only a complete one gets the name.
    draft = _beside(data, ".init")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    rights.own(draft)
    # Sorting must be the same on every machine, so it never depends on the system's locales where that is possible.
    locale = ["--locale=C.UTF-8"]
    if programs.major >= FIRST_MAJOR_WITH_BUILTIN_LOCALES:
        locale += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    command = [*rights.prefix, programs.program("initdb"), "-D", str(draft), "-U", SUPERUSER, "-A", "trust"]
    command += ["--encoding=UTF8", *locale, *([] if durable else ["--no-sync"])]
    done = subprocess.run(command, env=_environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        message = f"PostgreSQL could not make its folder {data}: {done.stderr.strip()}"
        raise EmbeddedPgError(message)
    try:
        draft.rename(data)  # Onto an empty folder made beforehand is fine.
    except OSError as reason:
        message = f"{data} is there already and is not a PostgreSQL data folder."
        raise EmbeddedPgError(message) from reason


def _check_version(programs: Binaries, data: Path) -> None:
    made_by = (data / "PG_VERSION").read_text().strip()
    if made_by != str(programs.major):
        message = (
            f"{data} was made by PostgreSQL {made_by} and the programs in {programs.folder} are {programs.major}. "
            "See 'Upgrading PostgreSQL' in docs/deploy.md."
        )
        raise EmbeddedPgError(message)


def _socket_folder(rights: Privileges, data: Path) -> Path:
    """The data folder itself, which only its owner may enter, or a private one elsewhere when its path is too long."""
    if len(os.fsencode(data / ".s.PGSQL.5432")) <= LONGEST_SOCKET_PATH:
        return data
    name = "linli-pg-" + hashlib.sha256(os.fsencode(data)).hexdigest()[:16]
    folder = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()) / name
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        rights.own(folder)
    # The name can be guessed, so whoever was there first may not be us.
    found = folder.lstat()
    ours = found.st_uid in {os.geteuid(), rights.owner}
    if not (stat.S_ISDIR(found.st_mode) and ours and stat.S_IMODE(found.st_mode) == stat.S_IRWXU):
        message = f"{folder} is not a private folder of ours."
        raise EmbeddedPgError(message)
    return folder


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_"))}
    return kept | {"LC_ALL": "C.UTF-8", "TZ": "UTC"}


def _start(programs: Binaries, rights: Privileges, data: Path, options: Mapping[str, str]) -> subprocess.Popen[bytes]:
    log = _beside(data, ".log")
    if log.exists() and log.stat().st_size > LARGEST_LOG_BYTES:
        log.replace(_beside(data, ".log.1"))
    command = [*rights.prefix, *die_with_us(), programs.program("postgres"), "-D", str(data)]
    for name, value in options.items():
        command += ["-c", f"{name}={value}"]
    # Messages of the server may quote what people wrote, so the log is as private as the data.
    with open(log, "ab", opener=lambda name, flags: os.open(name, flags, 0o600)) as output:
        # A session of its own: Ctrl-C in the terminal must reach us first, and the server only through us.
        return subprocess.Popen(
            command,
            env=_environment(),
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def _wait_until_ready(process: subprocess.Popen[bytes], data: Path) -> None:
    """Wait for the server's own word in its pid file that it takes connections."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        with contextlib.suppress(OSError):
            lines = (data / "postmaster.pid").read_text().split("\n")
            status_line = 7
            if lines[0] == str(process.pid) and lines[status_line : status_line + 1] == ["ready   "]:
                return
        if process.poll() is not None:
            message = f"PostgreSQL stopped at once. {_beside(data, '.log')} says why."
            raise EmbeddedPgError(message)
        if time.monotonic() > deadline:
            message = f"PostgreSQL was not ready after {START_SECONDS:.0f} seconds. See {_beside(data, '.log')}."
            raise EmbeddedPgError(message)
        time.sleep(0.01)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Stop quickly but cleanly; if that hangs, stop at once and let the next start recover."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGQUIT)
        process.wait(10)
