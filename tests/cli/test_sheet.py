"""The printed recovery sheet: every wrong character is noticed."""

import argparse
from pathlib import Path

import pytest

from service.cli import copies
from service.cli.places import CommandRefused
from service.kit.crypto import KEY_FILE, Keyring, load_keyring, new_keyring, save_keyring


@pytest.fixture
def sheet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Keyring, str]:
    """The keys of two roots, and what is printed of them. Imports go to a folder without keys."""
    keyring = Keyring(current=2, roots=new_keyring().roots | {2: new_keyring().roots[1]})
    save_keyring(keyring, tmp_path / "keys")
    monkeypatch.setenv("LINLI_KEYS_DIR", str(tmp_path / "keys"))
    monkeypatch.setenv("LINLI_DATA_DIR", str(tmp_path / "data"))
    copies.export_keys(argparse.Namespace(file=tmp_path / "sheet.txt"))
    monkeypatch.setenv("LINLI_KEYS_DIR", str(tmp_path / "back"))
    return keyring, (tmp_path / "sheet.txt").read_text()


def _import(text: str, folder: Path) -> None:
    file = folder / "typed.txt"
    file.write_text(text)
    copies.import_keys(argparse.Namespace(file=file))


def test_it_comes_back(sheet: tuple[Keyring, str], tmp_path: Path) -> None:
    _import(sheet[1], tmp_path)

    assert load_keyring(tmp_path / "back") == sheet[0]


def test_one_wrong_character_anywhere_changes_nothing(sheet: tuple[Keyring, str], tmp_path: Path) -> None:
    keyring, text = sheet
    start = text.index("fingerprint")
    for position in range(start, len(text)):
        if text[position].isspace():
            continue
        wrong = "Q" if text[position] != "Q" else "7"
        if text[position].isdigit():
            wrong = "3" if text[position] != "3" else "4"
        spoiled = text[:position] + wrong + text[position + 1 :]
        try:
            _import(spoiled, tmp_path)
        except CommandRefused:
            assert not (tmp_path / "back" / KEY_FILE).exists(), position
        else:
            # The last letter of a key carries bits that mean nothing: then the keys are right all the same.
            assert load_keyring(tmp_path / "back") == keyring, position
            (tmp_path / "back" / KEY_FILE).unlink()


@pytest.mark.parametrize(
    "text", ["", "nonsense", "key", "key x y", "current", "fingerprint", "\x00\xff", "key 999 AAAA"]
)
def test_something_else_is_not_a_sheet(sheet: tuple[Keyring, str], tmp_path: Path, text: str) -> None:
    with pytest.raises(CommandRefused):
        _import(text, tmp_path)

    assert not (tmp_path / "back").exists()


def test_a_sheet_that_was_cut_off_is_refused(sheet: tuple[Keyring, str], tmp_path: Path) -> None:
    with pytest.raises(CommandRefused):
        _import("\n".join(sheet[1].splitlines()[:-1]), tmp_path)
