"""The disk is full: people are told to come again, nothing that was acknowledged is lost, and with room all goes on by itself."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.crash.siege import ROOT

pytestmark = pytest.mark.slow

MEGABYTES = 160
APART = ("unshare", "--user", "--map-root-user", "--mount")
# Inside, a second namespace in which we are an ordinary user: PostgreSQL does not work for root.
ORDINARY = ("unshare", "--user", "--map-user=1000", "--map-group=1000")
SCRIPT = 'mount -t tmpfs -o size={size}m,mode=0700 tmpfs "$0" && exec {ordinary} "$@"'


def why_not() -> str | None:
    """Why a small file system cannot be made here, in words."""
    try:
        done = subprocess.run(
            [*APART, "sh", "-c", f"mount -t tmpfs tmpfs /mnt && {' '.join(ORDINARY)} true"],
            capture_output=True,
            text=True,
            check=False,
            timeout=20,
        )
    except OSError as problem:
        return f"a small file system needs unshare: {problem}"
    return (
        f"this machine permits no namespace for a small file system: {done.stderr.strip()}" if done.returncode else None
    )


def test_a_full_disk_is_told_in_words_and_forgiven(tmp_path: Path) -> None:
    reason = why_not()
    if reason is not None:
        pytest.skip(reason)
    small = tmp_path / "small"
    small.mkdir()
    script = SCRIPT.format(size=MEGABYTES, ordinary=" ".join(ORDINARY))
    done = subprocess.run(
        [*APART, "sh", "-c", script, str(small), sys.executable, "-m", "tests.crash.full_disk", str(small)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["heard"], told
    assert (told["wrong"], told["lost"], told["doubled"], told["faults"]) == ({}, 0, 0, []), told
    assert told["sealed"]
    assert told["back_seconds"] < 20
