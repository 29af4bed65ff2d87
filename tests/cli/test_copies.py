"""backup, restore, keys: what was lost comes back, and nothing that is not whole is taken for it."""

import base64
import shutil
from pathlib import Path

import asyncpg
import pytest

from service.kit.crypto import KEY_FILE, load_keyring, new_keyring, save_keyring
from tests.cli.conftest import NUMBER, Installation
from tests.db import in_thread

pytestmark = pytest.mark.slow

TABLES = """
SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND n.nspname IN ('public', 'ledger', 'redemption') ORDER BY 1
"""


def _rows(place: Installation) -> dict[str, tuple[int, str]]:
    """Every table's number of rows and a fingerprint of their content."""

    async def read(url: str) -> dict[str, tuple[int, str]]:
        connection = await asyncpg.connect(url)
        try:
            found = {}
            for (table,) in await connection.fetch(TABLES):
                content = "md5(coalesce(string_agg(x::text, E'\n' ORDER BY x::text COLLATE \"C\"), ''))"
                found[table] = tuple(await connection.fetchrow(f"SELECT count(*), {content} FROM {table} AS x"))
            return found
        finally:
            await connection.close()

    with place.database() as cluster:
        return in_thread(read(cluster.superuser_url))


def test_a_backup_is_not_complete_before_the_keys_are_locked_away(founded: Installation, tmp_path: Path) -> None:
    file = tmp_path / "copy.linli"
    with founded.database():
        before = founded.linli("backup", file)
        sheet = founded.linli("keys", "export", tmp_path / "sheet.txt")
        fingerprint = sheet.stdout.split()[-1]
        wrong = founded.linli("keys", "confirm", "0" * 16)
        still = founded.linli("backup", file)
        noted = founded.linli("keys", "confirm", fingerprint.lower())
        after = founded.linli("backup", file)

    assert (before.returncode, still.returncode, after.returncode) == (3, 3, 0)
    assert "NOT COMPLETE" in before.stdout
    assert "Complete" in after.stdout
    assert wrong.returncode == 1
    assert noted.returncode == 0
    assert file.stat().st_mode & 0o777 == 0o600


def test_the_drill(founded: Installation, tmp_path: Path) -> None:
    """Fill, back up, lose the data folder, restore: the same rows, whole books, and people get in."""
    code = founded.linli("user", "--community", str(NUMBER), "--card", "0012-0001").stdout.strip()
    file = tmp_path / "copy.linli"
    with founded.database():
        assert founded.linli("backup", file).returncode == 3
    before = _rows(founded)
    assert before["public.member"][0] == 1
    shutil.rmtree(founded.data)

    restored = founded.linli("restore", file)

    assert restored.returncode == 0, restored.stderr
    assert "linli verify" in restored.stdout
    assert _rows(founded) == before
    verified = founded.linli("verify")
    assert (verified.returncode, "whole" in verified.stdout) == (0, True)
    assert founded.linli("doctor").stdout == "All is well.\n"
    with founded.serving() as serving, serving.browser() as browser:
        entered = browser.post("/activate", data={"code": code, "secret": "135791", "again": "135791"})
        assert entered.status_code == 303


def test_a_backup_of_a_database_at_rest_works_as_well(founded: Installation, tmp_path: Path) -> None:
    assert founded.linli("backup", tmp_path / "copy.linli").returncode == 3
    assert (tmp_path / "copy.linli.json").exists()


def test_what_is_not_whole_is_not_restored(founded: Installation, empty: Installation, tmp_path: Path) -> None:
    file = tmp_path / "copy.linli"
    founded.linli("backup", file)
    shutil.copytree(founded.keys, empty.keys)
    content, note = file.read_bytes(), (tmp_path / "copy.linli.json").read_text()

    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    changed = empty.linli("restore", file)
    file.write_bytes(content[: len(content) // 2])
    cut = empty.linli("restore", file)
    file.unlink()
    missing = empty.linli("restore", file)
    file.write_bytes(content)
    notes = []
    for text in ("", "[]", "{}", "null"):
        (tmp_path / "copy.linli.json").write_text(text)
        notes.append(empty.linli("restore", file))
    (tmp_path / "copy.linli.json").unlink()
    notes.append(empty.linli("restore", file))

    for refused in (changed, cut, missing, *notes):
        assert refused.returncode == 1
        assert refused.stderr.startswith("linli: ")
        assert "Traceback" not in refused.stderr
    assert "checksum" in changed.stderr
    assert not (empty.data / "postgres" / "PG_VERSION").exists()
    (tmp_path / "copy.linli.json").write_text(note)
    assert empty.linli("restore", file).returncode == 0


def test_a_database_that_holds_something_is_not_restored_over(founded: Installation, tmp_path: Path) -> None:
    file = tmp_path / "copy.linli"
    founded.linli("backup", file)

    refused = founded.linli("restore", file)

    assert refused.returncode == 1
    assert "not empty" in refused.stderr
    with founded.database():
        in_use = founded.linli("restore", file)
    assert in_use.returncode == 1
    assert "Traceback" not in in_use.stderr


def test_keys_that_do_not_fit_are_noticed_before_anything_is_restored(
    founded: Installation, empty: Installation, tmp_path: Path
) -> None:
    file = tmp_path / "copy.linli"
    founded.linli("backup", file)
    without = empty.linli("restore", file)
    save_keyring(new_keyring(), empty.keys)
    wrong = empty.linli("restore", file)

    assert (without.returncode, wrong.returncode) == (1, 1)
    assert "linli keys import" in without.stderr
    assert "linli keys import" in wrong.stderr
    assert not (empty.data / "postgres" / "PG_VERSION").exists()


def test_no_key_lies_in_the_backup_or_in_the_data_folder(founded: Installation, tmp_path: Path) -> None:
    file = tmp_path / "copy.linli"
    founded.linli("backup", file)
    root = load_keyring(founded.keys).roots[1]
    spellings = [root, base64.b64encode(root), base64.b32encode(root).rstrip(b"="), root.hex().encode()]
    spellings += [root.hex().upper().encode(), base64.urlsafe_b64encode(root).rstrip(b"=")]

    places = [file, file.with_name("copy.linli.json"), *(path for path in founded.data.rglob("*") if path.is_file())]

    assert len(places) > 100
    for place in places:
        content = place.read_bytes()
        assert not any(spelling in content for spelling in spellings), place


def test_exported_keys_come_back_as_they_were(founded: Installation, empty: Installation, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.txt"
    assert founded.linli("keys", "export", sheet).returncode == 0
    assert sheet.stat().st_mode & 0o777 == 0o600
    again = founded.linli("keys", "export", sheet)
    typed = tmp_path / "typed.txt"
    typed.write_text(sheet.read_text().lower().replace("linli recovery", "whatever"))

    back = empty.linli("keys", "import", typed)
    twice = empty.linli("keys", "import", sheet)

    assert again.returncode == 1  # a file that is there is not written over
    assert back.returncode == 0, back.stderr
    assert load_keyring(empty.keys) == load_keyring(founded.keys)
    assert (empty.keys / KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert twice.returncode == 1
    assert "there are keys" in twice.stderr
    assert "Traceback" not in again.stderr + twice.stderr
