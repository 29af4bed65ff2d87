"""Books as each release kept them, and the list of releases."""

import hashlib
from pathlib import Path
from typing import NamedTuple

from migrations import runner

FILE = runner.FOLDER / "releases.txt"
FILLINGS = Path(__file__).parent


class Release(NamedTuple):
    """A release, its last migration, and the fingerprint of everything up to that."""

    name: str
    head: str
    fingerprint: str


def releases() -> list[Release]:
    """The lines of the file."""
    lines = [line.split() for line in FILE.read_text("utf-8").splitlines() if line and line[0] != "#"]
    return [Release(*line) for line in lines]


def fingerprint(head: str) -> str:
    """The first sixteen letters of the hash over the migrations up to one."""
    whole = hashlib.sha256()
    for file in sorted((runner.FOLDER / "versions").glob("[0-9]*")):
        if file.name[:4] <= head and file.suffix in {".py", ".sql"}:
            whole.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return whole.hexdigest()[:16]
