"""A real installation in a folder of its own: keys, private database, commands, and the service as a process."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from service.kit.crypto import Keyring, load_keyring
from service.kit.embedded_pg.orphans import processes_of

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 60.0
COMMUNITY = 610102001012


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Installation:
    """What an operator has: a folder, an address, and commands to type."""

    folder: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def origin(self) -> str:
        """Where it serves."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def postgres(self) -> Path:
        """The private database's folder."""
        return (self.folder / "data" / "postgres").resolve()

    @property
    def log(self) -> Path:
        """What the service said."""
        return self.folder / "serve.log"

    @property
    def environment(self) -> dict[str, str]:
        """What an operator would set."""
        ours = {name: value for name, value in os.environ.items() if not name.startswith("LINLI_")}
        return ours | {
            "LINLI_DATA_DIR": str(self.folder / "data"),
            "LINLI_KEYS_DIR": str(self.folder / "keys"),
            "LINLI_PORT": str(self.port),
            "LINLI_SESSION_REQUESTS_PER_MINUTE": "0",  # these people ask as fast as a machine can
            "LINLI_ADDRESS_REQUESTS_PER_MINUTE": "0",
            **self.settings,
        }

    def linli(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Type a command."""
        command = [sys.executable, "-m", "service.cli", *words]
        return subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False, timeout=120
        )

    def found(self) -> None:
        """Make the first community, as docs/deploy.md says."""
        words = ["--number", str(COMMUNITY), "--name", "兴乐社区", "--street", "西一路街道", "--phone", "029-0000-0000"]
        done = self.linli("init", *words, "--admin-name", "蒋管家", "--admin-card", "0012-0015")
        assert done.returncode == 0, done.stderr

    def keyring(self) -> Keyring:
        """The keys that `linli init` made."""
        return load_keyring(self.folder / "keys")

    def start(self, *words: str) -> None:
        """Start the service; it is not ready yet."""
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "service.cli", "serve", *words],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def wait_until_ready(self) -> None:
        """Until the service answers and has a database."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            try:
                if httpx.get(f"{self.origin}/health/ready", timeout=5).status_code == 200:
                    return
            except httpx.TransportError:
                assert self.process is not None
                assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.05)
        message = f"not ready after {PATIENCE_SECONDS:.0f} seconds:\n{self.log.read_text()}"
        raise AssertionError(message)

    def database_processes(self) -> Sequence[int]:
        """The living processes of the private server."""
        return processes_of(self.postgres)

    def postmaster(self) -> int:
        """The server's first process."""
        return int((self.postgres / "postmaster.pid").read_text().split()[0])

    def kill(self) -> None:
        """The service's process dies without a word."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def pull_the_plug(self) -> None:
        """Everything dies at once, the database's processes first."""
        for pid in self.database_processes():
            with contextlib.suppress(ProcessLookupError):  # without its first process the others leave by themselves
                os.kill(pid, signal.SIGKILL)
        self.kill()

    def stop(self) -> int:
        """Stop as a service manager does; answers the exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(PATIENCE_SECONDS)

    def close(self) -> None:
        """Leave nothing running, whatever happened."""
        if self.process is not None and self.process.poll() is None:
            self.kill()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while pids := self.database_processes():  # they leave by themselves when the service is gone
            assert time.monotonic() < deadline, f"the private server stays: {pids}"
            time.sleep(0.05)
