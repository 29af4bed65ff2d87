"""Looks after a server that must go on: when it ends without having been asked to, it is started again."""

import subprocess
import threading
import time
from collections.abc import Callable

import structlog

from service.kit.embedded_pg.binaries import EmbeddedPgError

FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 30.0
SECONDS_OF_A_GOOD_RUN = 60.0

Process = subprocess.Popen[bytes]

log = structlog.get_logger("linli.postgres")


class Keeper:
    """Restarts the server for as long as somebody needs it, with growing pauses while that does not help.

    It never gives up: a full disk may be emptied, and until then people read that the system is recovering.
    """

    def __init__(self, process: Process, *, start: Callable[[], Process], wait: Callable[[Process], None]) -> None:
        self.process = process
        self._start, self._wait_until_ready = start, wait
        self._leaving, self._starting = threading.Event(), threading.Lock()
        # The kernel ties the server's life to the thread that started it; this one lives as long as the keeper.
        self._thread = threading.Thread(target=self._keep, name="postgres-keeper", daemon=True)

    def look_after(self) -> None:
        """Look after it from now on."""
        self._thread.start()

    def leave(self) -> None:
        """Start nothing any more. `process` is then the last one there will be."""
        with self._starting:
            self._leaving.set()

    def join(self) -> None:
        """Wait for the thread, once the last process was stopped."""
        if self._thread.is_alive():
            self._thread.join()

    def _keep(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while True:
            started = time.monotonic()
            code = self.process.wait()
            if time.monotonic() - started > SECONDS_OF_A_GOOD_RUN:
                pause = FIRST_PAUSE_SECONDS
            if self._leaving.wait(pause):
                return
            log.error("postgres.ended", code=code)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
            try:
                self._start_again()
            except (EmbeddedPgError, OSError) as reason:
                log.warning("postgres.not_started", reason=str(reason))

    def _start_again(self) -> None:
        with self._starting:
            if self._leaving.is_set():
                return
            self.process = self._start()
        try:
            self._wait_until_ready(self.process)
        except EmbeddedPgError:
            self.process.kill()
            raise
        log.warning("postgres.started_again", pid=self.process.pid)
