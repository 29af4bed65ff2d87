"""Every domain is registered, and every module in it stands in its place."""

import ast

import pytest

from service.slices import SLICES, WITHOUT_ROUTES
from tests.architecture.sources import ROOT, python

ORDER = ("rules", "tables", "queries", "actions", "payloads", "api", "pages", "manifest")
NOT_SLICES = {"assets", "cli", "facts", "kit", "locale", "static", "__pycache__"}
SIDE_BY_SIDE = {"api", "pages"}


def slices() -> list[str]:
    """The folders of service/ that are domains."""
    return sorted(
        folder.parent.name for folder in ROOT.glob("service/*/__init__.py") if folder.parent.name not in NOT_SLICES
    )


def test_every_slice_is_registered() -> None:
    offering = {name for name in slices() if (ROOT / "service" / name / "manifest.py").exists()}

    assert set(SLICES) | set(WITHOUT_ROUTES) == set(slices())
    assert set(SLICES) - set(WITHOUT_ROUTES) == offering
    assert len(SLICES) == len(set(SLICES))


def _rank(module: str) -> int | None:
    """A module's place in a slice; `actions_sign_in` or a folder `actions` stand where `actions` stands."""
    return next((rank for rank, name in enumerate(ORDER) if module == name or module.startswith(f"{name}_")), None)


@pytest.mark.parametrize("name", slices())
def test_inside_a_slice_calls_go_one_way(name: str) -> None:
    """import-linter knows the files of the standard names; this adds what they were split into."""
    wrong = []
    for source in python("service"):
        parts = source.path.relative_to(ROOT).with_suffix("").parts
        if parts[1] != name or (here := _rank(parts[2])) is None:
            continue
        for node in ast.walk(source.tree):
            for module in _imported(node, name):
                there = _rank(module)
                if there is not None and (there > here or {parts[2], module} == SIDE_BY_SIDE):
                    wrong.append(f"{source.at(node)} imports {module}")

    assert wrong == []


def _imported(node: ast.AST, name: str) -> list[str]:
    package = f"service.{name}"
    if isinstance(node, ast.ImportFrom) and node.module == package:
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{package}."):
        return [(node.module or "").split(".")[2]]
    if isinstance(node, ast.Import):
        return [alias.name.split(".")[2] for alias in node.names if alias.name.startswith(f"{package}.")]
    return []


def test_every_slice_tells_its_story() -> None:
    silent = [
        name
        for name in slices()
        if not ast.get_docstring(ast.parse((ROOT / "service" / name / "__init__.py").read_text()))
    ]

    assert silent == []
