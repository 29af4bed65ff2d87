"""Structured logs, one JSON object a line: request ids, routes and codes, never a name, a number or a body."""

import logging
import sys
import traceback
from datetime import UTC, datetime

import asyncpg
import jinja2
import structlog
from structlog.typing import ExcInfo

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


def _rendered(exc_info: ExcInfo) -> str:
    return trace(exc_info[1])


class _Lines(logging.Formatter):
    """The libraries' lines in the same form and with the same restraint."""

    def __init__(self) -> None:
        super().__init__()
        self._json = structlog.processors.JSONRenderer(ensure_ascii=False)

    def format(self, record: logging.LogRecord) -> str:
        line: structlog.typing.EventDict = {
            "logger": record.name,
            # The template, not the message: its arguments may be anything.
            "event": str(record.msg),
            "level": record.levelname.lower(),
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(),
        }
        if record.exc_info and record.exc_info[1] is not None:
            line["exception"] = trace(record.exc_info[1])
        return str(self._json(None, "", line))


def configure_logs() -> None:
    """Send our lines and the libraries' warnings to standard error; quiet what would log addresses of people."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.ExceptionRenderer(_rendered),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    for noisy in ("httpx", "uvicorn.access", "pgqueuer"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
