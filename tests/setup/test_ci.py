"""`.ci/run` adds up truthfully and leaves nothing running."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT

DEV = """#!/bin/sh
if [ "$1" = check ]; then exit {check}; fi
if read -r word; then echo "somebody waits for input: $word"; fi
{extra}
echo '{total}'
"""


def run(tmp_path: Path, *, check: int = 0, total: str = "3 passed, 0 failed", extra: str = "") -> tuple[int, list[str]]:
    """Run it in a checkout whose `dev` is a stand-in; its exit code and lines."""
    (tmp_path / ".ci").mkdir()
    shutil.copy2(ROOT / ".ci/run", tmp_path / ".ci/run")
    (tmp_path / "dev").write_text(DEV.format(check=check, total=total, extra=extra))
    (tmp_path / "dev").chmod(0o755)
    env = {**os.environ, "LINLI_CI_NO_INSTALL": "1"}
    done = subprocess.run([tmp_path / ".ci/run"], env=env, input="word\n", capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.splitlines()


@pytest.mark.parametrize(
    ("check", "total", "code", "last"),
    [
        (0, "3 passed, 0 failed", 0, "3 passed, 0 failed"),
        (1, "3 passed, 0 failed", 1, "3 passed, 1 failed"),
        (0, "3 passed, 2 failed", 1, "3 passed, 2 failed"),
        (0, "Traceback", 1, "0 passed, 1 failed"),
        (0, "0 passed, 0 failed", 1, "0 passed, 0 failed"),
    ],
)
def test_the_last_line_and_the_exit_code_agree(tmp_path: Path, check: int, total: str, code: int, last: str) -> None:
    returncode, lines = run(tmp_path, check=check, total=total)

    assert (returncode, lines[-1]) == (code, last)
    assert not any("waits for input" in line for line in lines)


def test_a_process_left_behind_is_named_ended_and_counted(tmp_path: Path) -> None:
    returncode, lines = run(tmp_path, extra="setsid sleep 300 >/dev/null 2>&1 &\necho $! > left")

    assert returncode == 1
    assert lines[-1] == "3 passed, 1 failed"
    assert any("sleep 300" in line for line in lines)
