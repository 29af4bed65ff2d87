"""The real service on a real port, for real browsers: its own town, its own clock, its own worker."""

import asyncio
import contextlib
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from litestar import Litestar

from service.app import create_app
from service.kit.settings import Settings
from tests.cast import KEYRING, Town, TownClock
from tests.db import Database


@dataclass(frozen=True, slots=True)
class Live:
    """A running service: where it is, who lives there, and its clock."""

    origin: str
    town: Town
    clock: TownClock
    app: Litestar
    database: Database


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def serving(database: Database, town: Town, **chosen: Any) -> Iterator[Live]:
    """Serve a town until the end of the block, in a thread with its own event loop; further settings may be chosen."""
    port, clock = free_port(), TownClock()
    # A place of its own for the copies of seals: another test's would not fit this database.
    keys_dir = Path(tempfile.mkdtemp(prefix="linli-live-"))
    settings = Settings(host="127.0.0.1", port=port, public_url=None, keys_dir=keys_dir, **chosen)
    app = create_app(settings, KEYRING, database_url=database.app_url, clock=clock)
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning", access_log=False))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()), daemon=True)
    thread.start()
    deadline = time.monotonic() + 30
    while not server.started:
        if time.monotonic() > deadline or not thread.is_alive():
            message = "the service did not start"
            raise RuntimeError(message)
        time.sleep(0.02)
    try:
        yield Live(settings.origin, town, clock, app, database)
    finally:
        server.should_exit = True
        thread.join(timeout=20)
        shutil.rmtree(keys_dir)
