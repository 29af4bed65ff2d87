"""`linli export` on an installation of its own."""

from pathlib import Path

import pytest

from tests.cli.conftest import NUMBER, Installation

pytestmark = pytest.mark.slow


def test_a_book_is_written_once_and_whole(founded: Installation, tmp_path: Path) -> None:
    target = tmp_path / "books.beancount"

    first = founded.linli("export", "beancount", "--out", target)
    again = founded.linli("export", "beancount", "--out", target)

    assert first.returncode == 0, first.stderr
    assert f"Linli book {NUMBER}" in target.read_text(encoding="utf-8")
    assert again.returncode == 1
    assert "is there already" in again.stderr
    assert list(tmp_path.glob("*.part")) == []


def test_another_communitys_number_is_refused_in_words(founded: Installation, tmp_path: Path) -> None:
    done = founded.linli("export", "csv", "--community", "1", "--out", tmp_path / "x.csv")

    assert done.returncode == 1
    assert str(NUMBER) in done.stderr
    assert not (tmp_path / "x.csv").exists()


def test_a_folder_that_is_not_there_is_refused_in_words(founded: Installation, tmp_path: Path) -> None:
    done = founded.linli("export", "csv", "--out", tmp_path / "nowhere" / "x.csv")

    assert done.returncode == 1
    assert "cannot be written" in done.stderr
    assert "Traceback" not in done.stderr


def test_parquet_is_written_whole_too(founded: Installation, tmp_path: Path) -> None:
    target = tmp_path / "books.parquet"

    done = founded.linli("export", "parquet", "--out", target)

    assert done.returncode == 0, done.stderr
    assert (target.read_bytes()[:4], target.read_bytes()[-4:]) == (b"PAR1", b"PAR1")
