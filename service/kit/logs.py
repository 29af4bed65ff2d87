"""Structured logs, one JSON object a line: request ids, routes and codes, never a name, a number or a body."""

import logging
import sys

import structlog


def configure_logs() -> None:
    """Send our lines and the libraries' warnings to standard error; quiet what would log addresses of people."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    for noisy in ("httpx", "uvicorn.access", "pgqueuer"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
