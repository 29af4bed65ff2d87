"""run, serve, worker: how to call the processes that go on. What they do is loaded by those who ask for it."""

import argparse
from collections.abc import Callable
from importlib import import_module
from typing import Any


def add_to(commands: Any) -> None:
    """The commands of this module."""
    dev = commands.add_parser("run", help="start with everything that is needed, and a demo in an empty database")
    dev.add_argument("--port", type=int)
    dev.add_argument(
        "--tls", action="store_true", help="HTTPS with a certificate made here, so that phones may use the camera"
    )
    dev.add_argument("--no-demo", action="store_true", help="leave an empty database empty")
    dev.set_defaults(do=_later("run_here"))
    serve = commands.add_parser("serve", help="serve pages and API, as a service manager would start it")
    serve.add_argument("--port", type=int)
    serve.set_defaults(do=_later("serve_only"))
    worker = commands.add_parser("worker", help="deliver facts and do timed work, without pages")
    worker.add_argument("--retry", action="store_true", help="first put what was parked back into the queue")
    worker.set_defaults(do=_later("work_only"))


def _later(name: str) -> Callable[[argparse.Namespace], int]:
    """All pages, the worker and the demo take half a second to load, for which no other command has to wait."""

    def do(chosen: argparse.Namespace) -> int:
        act: Callable[[argparse.Namespace], int] = getattr(import_module("service.cli.serving"), name)
        return act(chosen)

    return do
