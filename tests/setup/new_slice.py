"""Makes a slice: `./dev new-slice NAME` calls this with the checkout and the name.

The files are the standard ones, each with nothing but its place in the order of calls. What a slice does not need is
deleted again by whoever writes it.
"""

import keyword
import re
import sys
from pathlib import Path

FILES = {
    "__init__.py": '"""{name}: tell in a paragraph what people do here, and list the names that others may use."""\n',
    "rules.py": '"""States, refusals and what may follow what. Pure: no database, no web, no clock."""\n',
    "tables.py": '"""Columns and constraints, every constraint named; community_id first in every key."""\n',
    "queries.py": '"""Reads: SQL in, frozen dataclasses out."""\n',
    "actions.py": '"""Writes: one function per verb a person would say. They never commit."""\n',
    "payloads.py": '"""What crosses the wire, as msgspec structs; fields of answers have no defaults."""\n',
    "api.py": '"""JSON routes; each says who may use it and calls one action or query."""\n',
    "pages.py": '"""HTML routes; each says who may use it and calls the same actions and queries as the API."""\n',
    "manifest.py": (
        '"""What this slice offers the app."""\n\n'
        "from service.kit.manifest import Manifest\n\n"
        'MANIFEST = Manifest(name="{name}")\n'
    ),
}
CATALOGUE = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=UTF-8\\n"\n"Language: {language}\\n"\n'
LANGUAGES = ("zh_CN", "en")


def make(root: Path, name: str) -> list[Path]:
    """Make the slice's files and register it; refuses a name that is taken or is no name."""
    if not re.fullmatch(r"[a-z][a-z_]*[a-z]", name) or keyword.iskeyword(name):
        sys.exit(f"{name!r} is no name for a slice: lower-case words, joined by underscores, as people say them.")
    folder = root / "service" / name
    if folder.exists():
        sys.exit(f"service/{name} exists already.")
    register(root / "service" / "slices.py", r"(SLICES = \((?:\n    \"\w+\",)+)", rf'\1\n    "{name}",')
    # The rank among its equals: above the foundation, below notifications, and unknown to its neighbours.
    register(root / "pyproject.toml", r'(\n  "\(wishes\)[^"\n]*|\n  "[^"\n]*\| \(wishes\)[^"\n]*)"', rf'\1 | ({name})"')
    (folder / "templates").mkdir(parents=True)
    made = [folder / file for file in FILES]
    for path in made:
        path.write_text(FILES[path.name].format(name=name), encoding="utf-8")
    for language in LANGUAGES:
        catalogue = root / "service" / "locale" / language / f"{name}.po"
        catalogue.parent.mkdir(parents=True, exist_ok=True)
        catalogue.write_text(CATALOGUE.format(language=language), encoding="utf-8")
        made.append(catalogue)
    tests = root / "tests" / name / "__init__.py"
    tests.parent.mkdir(parents=True, exist_ok=True)
    tests.write_text("", encoding="utf-8")
    return [*made, tests]


def register(file: Path, place: str, line: str) -> None:
    """Add a line at the one place for it; a file that has no such place is somebody's to look at."""
    text, count = re.subn(place, line, file.read_text(encoding="utf-8"))
    if count != 1:
        sys.exit(f"{file.name} has {count} places for the new slice instead of one.")
    file.write_text(text, encoding="utf-8")


def main(root: str, name: str) -> None:
    """Say what was made and what is left to do."""
    for path in make(Path(root), name):
        sys.stdout.write(f"made {path.relative_to(root)}\n")
    sys.stdout.write("Next: a migration for its tables, its facts in service/facts, its words in both languages.\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
