"""Only the edges ask the time, and only the edge of the database ends a transaction."""

import ast
import re

from tests.architecture.sources import ROOT, files, python

CODE = ("service", "redemption", "ledger")
ASKS_THE_TIME = ("service/kit/clock.py", "service/kit/ids.py", "service/cli", "service/worker")
"""An id carries its moment so that indexes grow at one end; nobody reads it out again."""
ENDS_TRANSACTIONS = ("service/kit/db.py", "service/cli/")
"""A command is an edge like a request: it opens the transaction in which actions work."""
CLOCK_CALLS = {
    ("datetime", "now"),
    ("datetime", "utcnow"),
    ("datetime", "today"),
    ("date", "today"),
    ("time", "time"),
    ("time", "time_ns"),
    ("func", "now"),
    ("func", "current_timestamp"),
    ("func", "clock_timestamp"),
}
SQL_CLOCK = re.compile(
    r"\b(now\s*\(\s*\)|current_timestamp|current_date|localtimestamp|(clock|statement|transaction)_timestamp\s*\()",
    re.IGNORECASE,
)
SQL_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)


def test_only_the_edges_ask_what_time_it_is() -> None:
    asked = [
        source.at(node)
        for source in python(*CODE)
        if not source.name.startswith(ASKS_THE_TIME)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call) and _last_two(node.func) in CLOCK_CALLS
    ]

    assert asked == []


def _last_two(called: ast.expr) -> tuple[str, str]:
    """`datetime.datetime.now` and `datetime.now` are the same question."""
    if not isinstance(called, ast.Attribute):
        return ("", "")
    owner = called.value
    name = owner.attr if isinstance(owner, ast.Attribute) else owner.id if isinstance(owner, ast.Name) else ""
    return (name, called.attr)


def test_sql_is_told_the_time_too() -> None:
    # The job queue's own functions and the designs we are measured against keep their own time; no fact depends on it.
    ours = [path for path in files() if path.suffix == ".sql" and not path.name.startswith(("0007_jobs", "references"))]
    asking = []
    for path in ours:
        script = SQL_COMMENT.sub(lambda comment: "\n" * comment.group().count("\n"), path.read_text(encoding="utf-8"))
        for found in SQL_CLOCK.finditer(script):
            line = script.count("\n", 0, found.start()) + 1
            asking.append(f"{path.relative_to(ROOT)}:{line} {found.group()}")
    for source in python(*CODE):
        strings = [
            node for node in ast.walk(source.tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
        ]
        asking += [
            source.at(node) for node in strings if _is_sql(str(node.value)) and SQL_CLOCK.search(str(node.value))
        ]

    assert asking == []


def _is_sql(text: str) -> bool:
    return re.match(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b", text, re.IGNORECASE) is not None


def test_business_code_never_ends_a_transaction() -> None:
    ended = [
        f"{source.at(node)} {node.func.attr}"
        for source in python(*CODE)
        if not source.name.startswith(ENDS_TRANSACTIONS)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        if node.func.attr in {"commit", "rollback", "begin"}
    ]

    assert ended == []


def test_the_libraries_know_nothing_of_the_service() -> None:
    known = [
        f"{source.at(node)} {name}"
        for source in python("ledger", "redemption")
        for node in ast.walk(source.tree)
        for name in _modules(node)
        if name.split(".")[0] in {"service", "litestar"}
        or (source.name.startswith("ledger/") and name.startswith("redemption"))
    ]

    assert known == []


def _modules(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []
