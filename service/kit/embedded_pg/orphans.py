"""Clears away what a killed run left behind: a server that still lives, or files that name a process long gone.

The pid in postmaster.pid proves nothing. After a restart of the machine it may belong to anyone, and a killed server
stays visible as a zombie until its parent looks. So we ask the kernel which living postgres processes have this very
folder as their working directory; every process of a server has.
"""

import contextlib
import os
import signal
import time
from pathlib import Path

from service.kit.embedded_pg.binaries import EmbeddedPgError

PROC = Path("/proc")
PATIENCE_SECONDS = 30.0
SECONDS_UNTIL_HARD = 15.0


def processes_of(data: Path) -> list[int]:
    """The pids of all living processes of the server on this folder; empty where the kernel cannot tell."""
    found = []
    for entry in PROC.glob("[0-9]*"):
        with contextlib.suppress(OSError):  # gone meanwhile, or someone else's
            # A zombie has no working directory any more, so the second line leaves it out.
            if (entry / "comm").read_text().strip() == "postgres" and (entry / "cwd").readlink() == data:
                found.append(int(entry.name))
    return found


def clear_remains(data: Path, socket: Path) -> None:
    """Stop a server that outlived its master, then remove pid files that would keep a new one from starting.

    The caller holds the lock of the folder, so nobody else can be starting a server here.
    """
    if not PROC.exists():
        return  # Not Linux: the server's own check has to do.
    started = time.monotonic()
    while pids := processes_of(data):
        waited = time.monotonic() - started
        if waited > PATIENCE_SECONDS:
            message = f"A PostgreSQL of an earlier run still works on {data} and does not stop: process {pids[0]}."
            raise EmbeddedPgError(message)
        _ask_to_stop(data, pids, hard=waited > SECONDS_UNTIL_HARD)
        time.sleep(0.05)
    # Only now: a pid file is what stops two servers from sharing one folder.
    (data / "postmaster.pid").unlink(missing_ok=True)
    for leftover in socket.glob(".s.PGSQL.*"):
        leftover.unlink(missing_ok=True)


def _ask_to_stop(data: Path, pids: list[int], *, hard: bool) -> None:
    with contextlib.suppress(OSError, ValueError, IndexError):
        master = int((data / "postmaster.pid").read_text().split()[0])
        if master in pids and not hard:
            os.kill(master, signal.SIGINT)
            return
    # Without a master the others leave by themselves; only those that are stuck need a push.
    if hard:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGQUIT)
