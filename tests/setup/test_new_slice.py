"""A new domain takes one command and passes every check from the start."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT, files
from tests.setup.new_slice import FILES, make


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of this checkout without its environment."""
    for file in files():
        copy = tmp_path / file.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(file, copy)
    return tmp_path


def run(checkout: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run one of the environment's tools in the copy."""
    program = Path(sys.executable).with_name(command[0])
    env = {**os.environ, "PYTHONPATH": str(checkout)}
    return subprocess.run(
        [str(program), *command[1:]], cwd=checkout, env=env, capture_output=True, text=True, check=False
    )


def test_a_new_slice_is_registered_and_stands_in_its_place(checkout: Path) -> None:
    make(checkout, "lanterns")

    assert {path.name for path in (checkout / "service/lanterns").glob("*.py")} == set(FILES)
    program = "from service.slices import SLICES, manifests; print(SLICES[-1], 'lanterns' in SLICES)"
    assert "lanterns True" in run(checkout, "python", "-c", program).stdout
    contracts = run(checkout, "lint-imports", "--no-cache")
    assert "lanterns" not in contracts.stdout + contracts.stderr
    linted = run(checkout, "ruff", "check", "--no-cache", "service/lanterns")
    assert linted.returncode == 0, linted.stdout
    assert run(checkout, "ruff", "format", "--no-cache", "--check", "service/lanterns").returncode == 0


def test_a_slice_that_imports_its_neighbour_is_told(checkout: Path) -> None:
    make(checkout, "lanterns")
    (checkout / "service/lanterns/actions.py").write_text('"""Writes."""\n\nimport service.wishes\n')

    contracts = run(checkout, "lint-imports", "--no-cache")

    assert contracts.returncode == 1
    assert "service.lanterns is not allowed to import service.wishes" in contracts.stdout


@pytest.mark.parametrize("name", ["wishes", "Lanterns", "2hand", "class", "a b"])
def test_a_bad_name_makes_nothing(checkout: Path, name: str) -> None:
    before = sorted(checkout.rglob("*"))

    with pytest.raises(SystemExit):
        make(checkout, name)

    assert sorted(checkout.rglob("*")) == before
