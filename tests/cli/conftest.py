"""Installations in folders of their own, and the real `linli` run on them."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from service.kit.embedded_pg import Cluster, server
from service.kit.embedded_pg.orphans import processes_of

ROOT = Path(__file__).resolve().parent.parent.parent
NUMBER = 610102001012
CARD = "0012-0001"
INIT = ["init", "--number", str(NUMBER), "--name", "兴乐社区", "--street", "西一路街道", "--phone", "029-0000-0000"]
INIT += ["--admin-name", "蒋管家", "--admin-card", CARD]
PATIENCE_SECONDS = 120.0

Run = subprocess.CompletedProcess[str]


@dataclass
class Installation:
    """A data folder and a keys folder, and whoever serves them."""

    folder: Path
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def keys(self) -> Path:
        return self.folder / "keys"

    def environment(self, **settings: str) -> dict[str, str]:
        mine = {name: value for name, value in os.environ.items() if not name.startswith("LINLI_")}
        places = {"LINLI_DATA_DIR": str(self.data), "LINLI_KEYS_DIR": str(self.keys)}
        return mine | places | self.settings | settings

    def linli(self, *words: str | Path, **settings: str) -> Run:
        """Run a command to its end."""
        return subprocess.run(
            [sys.executable, "-m", "service.cli", *map(str, words)],
            cwd=ROOT,
            env=self.environment(**settings),
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS * 2,
            check=False,
        )

    def start(self, *words: str, **settings: str) -> subprocess.Popen[str]:
        """Start a command that goes on."""
        return subprocess.Popen(
            [sys.executable, "-m", "service.cli", *words],
            cwd=ROOT,
            env=self.environment(**settings),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    @contextlib.contextmanager
    def serving(self, *words: str, scheme: str = "http", **settings: str) -> Iterator["Serving"]:
        """Serve on a free port; killed at the end if it is still there."""
        port = free_port()
        started = self.start(*(words or ("serve",)), "--port", str(port), **settings)
        try:
            yield Serving(self, started, f"{scheme}://127.0.0.1:{port}").wait()
        finally:
            if started.poll() is None:
                started.send_signal(signal.SIGTERM)
                try:
                    started.wait(30)
                except subprocess.TimeoutExpired:
                    started.kill()
            if started.stdout is not None and not started.stdout.closed:
                started.communicate()

    def copy_to(self, folder: Path) -> "Installation":
        """The same data and keys elsewhere. Nobody may be serving them."""
        folder.mkdir(parents=True, exist_ok=True)
        for place in (self.data, self.keys):
            subprocess.run(["cp", "-a", str(place), str(folder)], check=True)
        return Installation(folder)

    def database(self) -> contextlib.AbstractContextManager[Cluster]:
        """Run the database for the test, so that commands find it running."""
        return server(self.data / "postgres")

    def processes(self) -> list[int]:
        """The living processes of this installation's PostgreSQL."""
        return processes_of((self.data / "postgres").resolve())


@dataclass
class Serving:
    """A server that runs."""

    installation: Installation
    process: subprocess.Popen[str]
    url: str

    def wait(self) -> "Serving":
        """Until it answers; a server that ended says why."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            with contextlib.suppress(httpx.TransportError):
                httpx.get(f"{self.url}/health/live", verify=False).raise_for_status()  # noqa: S501 (made on this machine)
                return self
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.process.kill()
                pytest.fail(f"It did not serve: {self.process.communicate()[0]}")
            time.sleep(0.05)

    @contextlib.contextmanager
    def browser(self) -> Iterator[httpx.Client]:
        """A browser on it, with a CSRF token."""
        with httpx.Client(
            base_url=self.url,
            headers={"accept": "text/html"},
            verify=False,  # noqa: S501 (made on this machine)
            timeout=30,
        ) as client:
            page = client.get("/sign-in")
            token = re.search(r'name="_csrf_token" value="([^"]+)"', page.text)
            assert token is not None
            client.headers["x-csrftoken"] = token[1]
            yield client


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def founded_once(tmp_path_factory: pytest.TempPathFactory) -> tuple[Installation, Run]:
    """An installation founded by `linli init`, and what that said."""
    made = Installation(tmp_path_factory.mktemp("linli"))
    said = made.linli(*INIT)
    assert said.returncode == 0, said.stderr
    return made, said


@pytest.fixture
def founded(founded_once: tuple[Installation, Run], tmp_path: Path) -> Installation:
    """This test's own copy of it."""
    return founded_once[0].copy_to(tmp_path / "mine")


@pytest.fixture
def empty(tmp_path: Path) -> Installation:
    """Nothing yet."""
    return Installation(tmp_path / "empty")


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], None]:
    """Wait for something that happens outside of this process."""

    def wait(condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < deadline, "it never happened"
            time.sleep(0.05)

    return wait
