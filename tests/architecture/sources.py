"""The tree as the architecture tests read it."""

import ast
import importlib
import pkgutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("service", "redemption", "ledger", "migrations")


@dataclass(frozen=True, slots=True)
class Source:
    """One Python file, parsed."""

    path: Path
    text: str
    tree: ast.Module

    @property
    def name(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    def at(self, node: ast.AST) -> str:
        return f"{self.name}:{getattr(node, 'lineno', 1)}"


@cache
def files() -> tuple[Path, ...]:
    """Every file that belongs to the project: tracked, or new and not ignored."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return tuple(sorted(ROOT / name for name in set(listed.split("\0")) if name and (ROOT / name).is_file()))


@cache
def python(*folders: str) -> tuple[Source, ...]:
    """The Python files below these folders, `dev` included when it is named."""
    chosen = [path for path in files() if path.relative_to(ROOT).parts[0] in folders]
    found = [path for path in chosen if path.suffix == ".py" or path.name == "dev"]
    texts = {path: path.read_text(encoding="utf-8") for path in found}
    return tuple(Source(path, text, ast.parse(text, str(path))) for path, text in texts.items())


def modules(*packages: str, only: str = "") -> Iterator[ModuleType]:
    """Import the modules of these packages, so that every class exists; or only those with a word in their name."""
    for package in packages:
        top = importlib.import_module(package)
        yield top
        for found in pkgutil.walk_packages(top.__path__, f"{package}."):
            if only in found.name and not found.name.endswith("__main__"):
                yield importlib.import_module(found.name)


def subclasses(base: type) -> set[type]:
    """All descendants of a class."""
    direct: set[type] = set(base.__subclasses__())
    return direct.union(*(subclasses(child) for child in direct))
