"""Structured logs, one JSON object a line: request ids, routes and codes, never a name, a number or a body.

Lines are written by a thread of their own from a short queue. A stream that is closed, full or read by nobody costs lines,
which are counted and said once it takes any again; it never costs a request.
"""

import atexit
import contextlib
import io
import logging
import os
import queue
import sys
import time
import traceback
from datetime import UTC, datetime
from logging.handlers import QueueHandler, QueueListener, RotatingFileHandler
from pathlib import Path
from typing import IO, Any, TextIO

import asyncpg
import jinja2
import structlog
from structlog.typing import EventDict

LINES_WAITING_MAX = 10_000
FILE_BYTES_MAX, FILES_KEPT = 8_000_000, 5
LOOK_SECONDS = 0.05
"""How often lines are looked for: to be woken by each would cost every request more than its line does."""
LEAVE_SECONDS = 2.0
"""So long the last lines are waited for when the process ends."""

_TELLING = (AttributeError, TypeError, NameError, ImportError, AssertionError, jinja2.TemplateError)
"""Their messages name parts of the program. Others quote values: `invalid literal for int()` says what somebody typed."""


def trace(error: BaseException) -> str:
    """Where it went wrong, for every link of the chain, without anything that a person may have written."""
    parts: list[str] = []
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        frames = [f"  {file}:{line} {name}" for file, line, name, _ in traceback.extract_tb(link.__traceback__)]
        parts.append("\n".join([_headline(link), *frames]))
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    return "\ncaused by ".join(parts)


def _headline(error: BaseException) -> str:
    name = type(error).__qualname__
    if isinstance(error, asyncpg.PostgresError):
        # The message and its DETAIL quote the row; these three do not.
        return f"{name} {error.sqlstate} {error.table_name or ''} {error.constraint_name or ''}".rstrip()
    if isinstance(error, BaseExceptionGroup):
        return f"{name}: " + "; ".join(trace(part) for part in error.exceptions)
    return f"{name}: {error}" if isinstance(error, _TELLING) else name


class _Lines(logging.Formatter):
    """One JSON object a line, ours and the libraries' alike, with the same restraint."""

    def __init__(self) -> None:
        super().__init__()
        self._json = structlog.processors.JSONRenderer(ensure_ascii=False)

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = dict(getattr(record, "line", None) or {"logger": record.name})
        # The template, not the message: its arguments may be anything.
        line |= {"event": str(record.msg), "level": record.levelname.lower()}
        line["timestamp"] = datetime.fromtimestamp(record.created, UTC).isoformat()
        if record.exc_info and record.exc_info[1] is not None:
            line["exception"] = trace(record.exc_info[1])
        return str(self._json(None, "", line))


class _Short(logging.Formatter):
    """A warning for whoever looks at a terminal; the whole line is in the file."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self._file = file

    def format(self, record: logging.LogRecord) -> str:
        said = f"{record.levelname.lower()}: {record.msg}"
        if record.exc_info and record.exc_info[1] is not None:
            said += f" ({type(record.exc_info[1]).__qualname__})"
        return f"{said}  [{self._file}]"


class _Counting(logging.Handler):
    """Loses a line rather than a request, and says how many were lost as soon as it can."""

    lost = 0

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  (the library's name)
        del record
        self.lost += 1

    def emit(self, record: logging.LogRecord) -> None:
        if self.lost:
            missing, self.lost = self.lost, 0
            super().emit(_missing(missing))
            if self.lost:
                self.lost = missing
        super().emit(record)


def _missing(lines: int) -> logging.LogRecord:
    about = {"name": "linli", "levelno": logging.WARNING, "levelname": "WARNING", "msg": "log.lost"}
    return logging.makeLogRecord({**about, "line": {"lines": lines}})


class _Direct:
    """Writes to what lies under a stream: one who waits there for a reader holds no lock, so the process can end meanwhile."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> None:
        try:
            place = self.stream.fileno()
        except io.UnsupportedOperation:
            self.stream.write(text)  # it lies in memory
            return
        data = text.encode(errors="backslashreplace")
        while data:
            data = data[os.write(place, data) :]

    def flush(self) -> None:
        """Nothing is kept back."""


class _Stream(_Counting, logging.StreamHandler[Any]):
    def createLock(self) -> None:  # noqa: N802  (the library's name)
        """None: one thread writes, and at the end of the process nobody shall wait for it."""
        self.lock = None


class _File(_Counting, RotatingFileHandler):
    def _open(self) -> IO[Any]:  # type: ignore[override] # a text file, as there
        return open(self.baseFilename, self.mode, encoding="utf-8", opener=_private)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


class _Waiting(_Counting, QueueHandler):
    def enqueue(self, record: logging.LogRecord) -> None:
        self.queue.put_nowait(record)

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        return (
            record  # it stays in this process: nothing has to be flattened, and formatting is the other thread's work
        )


class _Writer(QueueListener):
    def dequeue(self, block: bool) -> logging.LogRecord:  # noqa: FBT001  (the library's name)
        """The next line, when it is there."""
        while True:
            try:
                return super().dequeue(block=False)
            except queue.Empty:
                if not block:
                    raise
            time.sleep(LOOK_SECONDS)

    def stop(self) -> None:
        """Let the last lines be written, but never wait for a stream that takes none."""
        thread, self._thread = self._thread, None
        if thread is not None:
            with contextlib.suppress(queue.Full):
                self.queue.put_nowait(None)
            thread.join(LEAVE_SECONDS)


class _Running:
    """The one writer of this process."""

    writer: _Writer | None = None


def flush_logs() -> None:
    """Wait until what was said is written; lines said afterwards are lost until logs are configured again."""
    if _Running.writer is not None:
        _Running.writer.stop()
        _Running.writer = None


atexit.register(flush_logs)


def _to_record(_logger: object, _method: str, line: EventDict) -> tuple[tuple[str], dict[str, object]]:
    """Our event as the arguments of the standard library's logger; everything that could fail comes later."""
    event = str(line.pop("event", ""))
    return (event,), {"exc_info": line.pop("exc_info", None), "extra": {"line": line}}


def ensure_logs() -> None:
    """Configure logs unless whoever started this process has."""
    if not structlog.is_configured():
        configure_logs()


def configure_logs(file: Path | None = None, *, stream: TextIO | None = None) -> None:
    """Send our lines and the libraries' warnings to standard error; quiet what would log addresses of people.

    With a file they go there, which is moved aside when it is large, and standard error gets warnings in short. Raises
    OSError when the file cannot be written.
    """
    flush_logs()
    terminal = _Stream(_Direct(stream or sys.stderr))
    terminal.setFormatter(_Lines())
    handlers: list[logging.Handler] = [terminal]
    if file is not None:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        kept = _File(file, maxBytes=FILE_BYTES_MAX, backupCount=FILES_KEPT)
        kept.setFormatter(_Lines())
        handlers.append(kept)
        terminal.setFormatter(_Short(file))
        terminal.setLevel(logging.WARNING)
    waiting: queue.Queue[Any] = queue.Queue(LINES_WAITING_MAX)
    _Running.writer = _Writer(waiting, *handlers, respect_handler_level=True)
    _Running.writer.start()
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, _to_record],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_names: logging.getLogger("linli"),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(handlers=[_Waiting(waiting)], level=logging.WARNING, force=True)
    logging.getLogger("linli").setLevel(logging.INFO)
    for noisy in ("httpx", "uvicorn.access", "pgqueuer"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
