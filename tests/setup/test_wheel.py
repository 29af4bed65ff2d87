"""The wheel holds everything an installation needs, and nothing it does not."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT, files

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def contents(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names in a wheel built from a copy of this checkout."""
    copy = tmp_path_factory.mktemp("checkout")
    for file in files():
        target = copy / file.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(file, target)
    shutil.copytree(ROOT / "service/static", copy / "service/static")
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", str(copy / "dist"), str(copy)]
    subprocess.run(command, check=True)
    with zipfile.ZipFile(next((copy / "dist").glob("linli-*.whl"))) as wheel:
        return set(wheel.namelist())


@pytest.mark.parametrize("suffix", [".py", ".sql", ".html", ".po"])
def test_every_file_the_service_reads_is_in_it(contents: set[str], suffix: str) -> None:
    packages = ("service", "ledger", "redemption", "migrations")
    names = {path.relative_to(ROOT).as_posix() for path in files() if path.suffix == suffix}
    wanted = {name for name in names if Path(name).parts[0] in packages and not name.startswith("service/assets/")}

    assert wanted
    assert wanted - contents == set()


def test_the_built_pages_scripts_are_in_it_and_their_sources_are_not(contents: set[str]) -> None:
    assert "service/static/manifest.json" in contents
    assert "migrations/HEAD" in contents
    assert [name for name in contents if name.startswith(("service/assets/", "tests/", "var/"))] == []
