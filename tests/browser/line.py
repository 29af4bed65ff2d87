"""The line between a phone and the service, which a test can cut, and make swallow what goes one way or both."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from enum import StrEnum

from tests.browser.live import Live

PIECE = 65_536
PATIENCE = 0.2


class State(StrEnum):
    """How the line is."""

    GOOD = "good"
    CUT = "nobody answers, at once"
    SILENT = "nothing comes through, and nobody says so"
    DEAF = "requests arrive, answers get lost"


class PhoneLine:
    """A forwarder on a port of its own. Changing its state ends every connection that is open."""

    def __init__(self, target: int) -> None:
        self.target, self.state = target, State.GOOD
        self.listener: socket.socket | None = None
        self.port = 0
        self.heard = 0
        """Bytes of answers that went through, headers included."""
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self.listen()

    def listen(self) -> None:
        """Take calls, on the same port as before."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(64)
        self.listener, self.port = listener, listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def become(self, state: State) -> None:
        """From now on the line is like this."""
        self.state = state
        if self.listener is not None and state is State.CUT:
            # Waking the thread that waits in accept lets go of the port.
            with contextlib.suppress(OSError):
                self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()
            self.listener = None
        self._hang_up()
        if self.listener is None and state is not State.CUT:
            self.listen()

    def close(self) -> None:
        """The end of it."""
        self.become(State.CUT)

    def _hang_up(self) -> None:
        with self._lock:
            open_now, self._open = self._open, set()
        for each in open_now:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                phone, _ = listener.accept()
            except OSError:
                return
            with self._lock:
                self._open.add(phone)
            if self.state is State.SILENT:
                continue
            server = socket.create_connection(("127.0.0.1", self.target))
            with self._lock:
                self._open.add(server)
            threading.Thread(target=self._pass, args=(phone, server, False), daemon=True).start()
            threading.Thread(target=self._pass, args=(server, phone, True), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, is_answer: bool) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(PIECE):
                if not (is_answer and self.state is State.DEAF):
                    self.heard += len(piece) if is_answer else 0
                    target.sendall(piece)
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def through_a_line(live: Live) -> Iterator[tuple[Live, PhoneLine]]:
    """The same service behind a line."""
    line = PhoneLine(int(live.origin.rpartition(":")[2]))
    try:
        yield replace(live, origin=f"http://127.0.0.1:{line.port}"), line
    finally:
        line.close()
