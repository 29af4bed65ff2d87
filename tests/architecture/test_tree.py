"""What may lie in the tree, and how long its pieces may be."""

import ast
import re
import subprocess

from migrations import runner
from tests.architecture.sources import ROOT, files, python

LONGEST_FUNCTION = 60
LONGEST_MODULE = 400
EVERYTHING = ("service", "redemption", "ledger", "migrations", "tests", "bench", "dev")

# Put together, so that this file does not name what it forbids.
_HOSTS = [
    "py" + "pi.org",
    "python" + "hosted.org",
    "registry" + ".npm" + "js",
    "npm" + "mirror",
    "proxy.go" + "lang",
    "py" + "pi.tuna",
    "registry" + ".yarn" + "pkg",
    "unpkg" + ".com",
    "jsdel" + "ivr",
]
_MACHINE_FOLDERS = ["/wo" + "rk/", "/ro" + "ot/", "/tm" + "p/", "/ho" + "me/"]
_BINARY = {".png", ".jpg", ".ico", ".woff2", ".xlsx", ".wasm", ".y4m", ".mjpeg", ".pdf"}


def _texts() -> dict[str, str]:
    chosen = [path for path in files() if path.suffix not in _BINARY]
    return {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in chosen}


def test_no_file_names_a_registry() -> None:
    found = [f"{name}: {host}" for name, text in _texts().items() for host in _HOSTS if host in text]

    assert found == []


def test_no_file_names_a_place_on_someones_machine() -> None:
    pattern = re.compile("(?<![\\w.~}$/-])(" + "|".join(map(re.escape, _MACHINE_FOLDERS)) + ")")
    found = [
        f"{name}:{number}"
        for name, text in _texts().items()
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]

    assert found == []


def test_no_file_holds_the_marks_of_a_merge_or_leads_elsewhere() -> None:
    mark = re.compile(r"^(<{7}|>{7}|={7})( |$)", re.MULTILINE)

    assert [name for name, text in _texts().items() if mark.search(text)] == []
    staged = subprocess.run(["git", "ls-files", "--stage"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert [line for line in staged.splitlines() if line.startswith("120000")] == []


def test_no_function_is_longer_than_a_screen() -> None:
    functions = [
        (source.at(node), node.name, (node.end_lineno or node.lineno) - node.lineno + 1)
        for source in python(*EVERYTHING)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]

    assert [function for function in functions if function[2] > LONGEST_FUNCTION] == []


def test_no_module_is_longer_than_a_sitting() -> None:
    lengths = {source.name: len(source.text.splitlines()) for source in python(*EVERYTHING)}

    assert {name: length for name, length in lengths.items() if length > LONGEST_MODULE} == {}


def test_migrations_are_one_line_and_head_names_its_end() -> None:
    versions = ROOT / "migrations" / "versions"
    steps = sorted(path.name[:4] for path in versions.glob("[0-9]*.py"))

    assert steps == [f"{number:04}" for number in range(1, len(steps) + 1)]
    assert runner.head() == runner.expected_head() == steps[-1]
    for path in versions.glob("[0-9]*.py"):
        assert path.with_suffix(".sql").exists() == path.with_suffix(".down.sql").exists(), path.name


def test_migrations_import_nothing_of_ours_but_their_own_helper() -> None:
    imported = [
        f"{source.at(node)} {node.module}"
        for source in python("migrations")
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in {"service", "redemption", "ledger"}
    ]

    assert imported == []
