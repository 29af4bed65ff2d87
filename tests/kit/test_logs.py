"""Where the log goes, and that a log which cannot be written costs lines and never an answer."""

import io
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

import pytest
import structlog

from service.kit import logs
from service.kit.logs import configure_logs, ensure_logs, flush_logs
from tests.cast import Client

pytestmark = pytest.mark.anyio
HTML = {"accept": "text/html"}


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    configure_logs()
    structlog.reset_defaults()


def closed() -> TextIO:
    """A stream that was closed behind our back."""
    stream = io.StringIO()
    stream.close()
    return stream


def full() -> TextIO:
    """A disk without room."""
    return Path("/dev/full").open("w", encoding="utf-8")


def cut() -> TextIO:
    """A pipe whose reader is gone."""
    read, write = os.pipe()
    os.close(read)
    return os.fdopen(write, "w")


def unread() -> TextIO:
    """A pipe whose reader sleeps: it is full, and whoever writes to it waits."""
    _read, write = os.pipe()
    os.set_blocking(write, False)
    try:
        while True:
            os.write(write, b"x" * 65_536)
    except BlockingIOError:
        os.set_blocking(write, True)
    return os.fdopen(write, "w")


@pytest.mark.parametrize("broken", [closed, full, cut, unread])
@pytest.mark.parametrize(("path", "status"), [("/sign-in", 200), ("/probe/bug", 500), ("/nowhere", 404)])
async def test_a_log_that_cannot_be_written_costs_no_request(
    anon: Client, monkeypatch: pytest.MonkeyPatch, broken: Callable[[], TextIO], path: str, status: int
) -> None:
    monkeypatch.setattr(logs, "LEAVE_SECONDS", 0.1)
    configure_logs(stream=broken())
    started = time.monotonic()

    answers = [(await anon.get(path, headers=HTML)).status_code for _ in range(5)]

    assert answers == [status] * 5
    assert time.monotonic() - started < 10


async def test_more_lines_than_may_wait_are_lost_and_the_request_goes_on(
    anon: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "LINES_WAITING_MAX", 3)
    monkeypatch.setattr(logs, "LEAVE_SECONDS", 0.1)
    configure_logs(stream=unread())

    assert [(await anon.get("/sign-in")).status_code for _ in range(20)] == [200] * 20


def test_what_was_lost_is_said_when_there_is_room_again() -> None:
    class Sulking(io.StringIO):
        sulks = True

        def write(self, text: str) -> int:
            if self.sulks:
                raise OSError(28, "No space left on device")
            return super().write(text)

    stream = Sulking()
    handler = logs._Stream(stream)
    for number in range(3):
        handler.emit(logging.makeLogRecord({"msg": f"line {number}"}))
    stream.sulks = False
    handler.setFormatter(logs._Lines())
    handler.emit(logging.makeLogRecord({"msg": "line 3", "name": "x"}))

    missing, line = (json.loads(text) for text in stream.getvalue().splitlines())
    assert (missing["event"], missing["lines"], missing["level"]) == ("log.lost", 3, "warning")
    assert line["event"] == "line 3"


def test_a_line_that_cannot_be_formatted_is_lost_alone() -> None:
    class Unspeakable:
        def __repr__(self) -> str:
            raise RuntimeError

    stream = io.StringIO()
    configure_logs(stream=stream)
    log = structlog.get_logger("linli")
    log.info("first", what=Unspeakable())
    log.info("second")
    flush_logs()

    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["log.lost", "second"]


def test_a_line_has_its_level_its_moment_and_its_trace() -> None:
    stream = io.StringIO()
    configure_logs(stream=stream)
    try:
        int("13812345678x")
    except ValueError as wrong:
        structlog.get_logger("linli").error("request.failed", exc_info=wrong, route="/x")
    logging.getLogger("somebody").warning("%s said", "李心愿")
    flush_logs()

    ours, theirs = (json.loads(line) for line in stream.getvalue().splitlines())
    assert (ours["event"], ours["level"], ours["route"]) == ("request.failed", "error", "/x")
    assert ours["timestamp"].endswith("+00:00")
    assert "test_logs.py" in ours["exception"]
    assert (theirs["logger"], theirs["event"], theirs["level"]) == ("somebody", "%s said", "warning")
    for secret in ("13812345678", "李心愿"):
        assert secret not in stream.getvalue()


def test_a_file_is_private_and_moved_aside_when_it_is_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "FILE_BYTES_MAX", 2_000)
    file, terminal = tmp_path / "logs" / "linli.log", io.StringIO()
    configure_logs(file, stream=terminal)
    log = structlog.get_logger("linli")
    for number in range(200):
        log.info("request", number=number)
    log.warning("database.unavailable", error="X")
    flush_logs()

    assert sorted(each.name for each in file.parent.iterdir()) == [
        "linli.log",
        *(f"linli.log.{n}" for n in range(1, 6)),
    ]
    assert {each.stat().st_mode & 0o777 for each in file.parent.iterdir()} == {0o600}
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert all(each.stat().st_size <= 2_000 for each in file.parent.iterdir())
    last = json.loads(file.read_text().splitlines()[-1])
    assert (last["event"], last["error"]) == ("database.unavailable", "X")
    assert terminal.getvalue() == f"warning: database.unavailable  [{file}]\n"


def test_a_file_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file where the folder should be")

    with pytest.raises(OSError, match="logs"):
        configure_logs(tmp_path / "logs" / "linli.log")


def test_an_app_keeps_the_logs_of_whoever_started_it() -> None:
    stream = io.StringIO()
    configure_logs(stream=stream)
    ensure_logs()
    structlog.get_logger("linli").info("here")
    flush_logs()

    assert "here" in stream.getvalue()


def test_a_process_whose_log_nobody_reads_can_end() -> None:
    """Whoever writes waits for a reader that sleeps; the process must not wait with it."""
    words = (
        "import os, sys; from service.kit.logs import configure_logs; import structlog; "
        "configure_logs(); log = structlog.get_logger('linli'); "
        "[log.info('line', text='x' * 1000) for _ in range(500)]; print('said', flush=True)"
    )
    read, write = os.pipe()
    try:
        with subprocess.Popen([sys.executable, "-c", words], stderr=write, stdout=subprocess.PIPE) as process:
            try:
                assert process.wait(60) == 0
            finally:
                process.kill()
    finally:
        os.close(read)
        os.close(write)
