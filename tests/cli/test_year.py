"""`linli year` on an installation of its own; what a closed year's file says is tested in tests/closing."""

from pathlib import Path

from tests.cli.conftest import Installation


def test_a_year_that_nobody_closed_is_refused_in_words_and_leaves_no_file(
    founded: Installation, tmp_path: Path
) -> None:
    target = tmp_path / "2025.csv"

    done = founded.linli("year", "2025", "--out", target)

    assert done.returncode == 1
    assert "is not closed" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.glob("2025*")) == []
