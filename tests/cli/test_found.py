"""init, user, doctor, migrate, upgrade: what is done before serving and between."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from migrations import runner
from migrations.runner import expected_head
from service.kit.crypto import KEY_FILE, load_keyring
from tests.cli.conftest import CARD, INIT, NUMBER, Installation, Run
from tests.db import Database, in_thread

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def settled(founded_once: tuple[Installation, Run], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A copy whose database runs, for tests that change little."""
    mine = founded_once[0].copy_to(tmp_path_factory.mktemp("settled"))
    with mine.database():
        yield mine


def test_init_founds_and_its_code_opens_the_door(founded_once: tuple[Installation, Run], founded: Installation) -> None:
    said = founded_once[1].stdout
    code = said.splitlines()[-1]
    assert "/activate" in said
    assert code.startswith(f"{NUMBER}-")

    with founded.serving() as serving, serving.browser() as browser:
        entered = browser.post("/activate", data={"code": code, "secret": "135791", "again": "135791"})
        assert entered.status_code == 303
        me = browser.get("/api/me").json()
        spent = browser.post("/activate", data={"code": code, "secret": "246802", "again": "246802"})

    assert (me["card_no"], me["name"], me["roles"]) == (CARD, "蒋管家", ["admin", "staff"])
    assert spent.status_code == 410


def test_the_same_community_is_not_founded_twice(settled: Installation) -> None:
    again = settled.linli(*INIT)

    assert again.returncode == 1
    assert str(NUMBER) in again.stderr
    assert "Traceback" not in again.stderr


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (["--number", "12"], "12 digits"),
        (["--admin-card", "!"], "0012-0001"),
        (["--number", "610102001013", "--admin-name", ""], "linli:"),
    ],
)
def test_what_init_cannot_use_is_said_in_words(settled: Installation, wrong: list[str], said: str) -> None:
    refused = settled.linli(*INIT, *wrong)

    assert refused.returncode == 1
    assert said in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_refused_init_leaves_nothing_behind(settled: Installation) -> None:
    other = [*INIT, "--number", "610102001014"]
    assert settled.linli(*other, "--admin-name", "\x07").returncode == 1

    assert settled.linli(*other).returncode == 0


@pytest.mark.parametrize("command", [INIT, ["run", "--no-demo"]])
def test_lost_keys_are_never_papered_over(founded: Installation, command: list[str]) -> None:
    (founded.keys / KEY_FILE).unlink()

    refused = founded.linli(*command)

    assert refused.returncode == 1
    assert "linli keys import" in refused.stderr
    assert not (founded.keys / KEY_FILE).exists()


def test_keys_in_the_data_folder_are_refused(settled: Installation) -> None:
    refused = settled.linli("doctor", LINLI_KEYS_DIR=str(settled.data / "keys"))

    assert refused.returncode == 1
    assert "LINLI_KEYS_DIR" in refused.stderr


def test_a_new_code_for_somebody_locked_out(settled: Installation) -> None:
    first = settled.linli("user", "--community", str(NUMBER), "--card", " 0012-0001 ")
    unknown = settled.linli("user", "--community", str(NUMBER), "--card", "0012-9999")
    elsewhere = settled.linli("user", "--community", "1", "--card", CARD)

    assert first.returncode == 0
    assert first.stdout.startswith(f"{NUMBER}-")
    for refused in (unknown, elsewhere):
        assert refused.returncode == 1
        assert "nobody open has card" in refused.stderr


def test_doctor_says_that_all_is_well(settled: Installation) -> None:
    said = settled.linli("doctor")

    assert (said.returncode, said.stdout) == (0, "All is well.\n")


def test_doctor_tells_of_parked_deliveries(founded: Installation) -> None:
    with founded.database() as cluster:
        _sql(
            cluster.superuser_url,
            "INSERT INTO jobs.pgqueuer (priority, status, entrypoint) VALUES (0, 'failed', 'fact')",
        )
        said = founded.linli("doctor")

    assert said.returncode == 0
    assert "1 deliveries" in said.stdout
    assert "linli worker --retry" in said.stdout


def test_doctor_notices_keys_that_do_not_fit(founded: Installation, empty: Installation) -> None:
    with founded.database():
        strange = founded.linli("doctor", LINLI_KEYS_DIR=str(_other_keys(empty)))

    assert strange.returncode == 1
    assert "keys here do not open" in strange.stdout


def _other_keys(place: Installation) -> Path:
    from service.kit.crypto import new_keyring, save_keyring  # noqa: PLC0415

    save_keyring(new_keyring(), place.keys)
    return place.keys


def test_migrating_twice_changes_nothing(settled: Installation) -> None:
    for _ in range(2):
        said = settled.linli("migrate")
        assert (said.returncode, said.stdout) == (0, f"The database is at revision {expected_head()}.\n")


def test_an_unmigrated_database_is_said_so(empty: Installation) -> None:
    _other_keys(empty)
    with empty.database():
        said = empty.linli("doctor")

    assert said.returncode == 1
    assert "linli init" in said.stdout


def test_upgrade_keeps_a_copy_of_what_was(founded: Installation, tmp_path: Path) -> None:
    kept = tmp_path / "kept.linli"
    before = f"{int(expected_head()) - 1:04}"
    with founded.database() as cluster:
        in_thread(runner.downgrade(cluster.owner_url, before))
        assert "linli upgrade" in founded.linli("doctor").stdout

        said = founded.linli("upgrade", "--backup", kept)

        assert said.returncode == 0, said.stderr
        assert f"Upgraded from {before} to {expected_head()}" in said.stdout
        assert founded.linli("doctor").returncode == 0
    assert json.loads(kept.with_name("kept.linli.json").read_text())["sha256"]
    elsewhere = Installation(tmp_path / "elsewhere")
    elsewhere.folder.mkdir()
    subprocess.run(["cp", "-a", str(founded.keys), str(elsewhere.folder)], check=True)

    restored = elsewhere.linli("restore", kept)

    assert restored.returncode == 0, restored.stderr
    assert f"at revision {before}" in restored.stdout
    assert "linli upgrade" in restored.stdout


def test_an_upgrade_that_cannot_copy_does_not_migrate(founded: Installation, tmp_path: Path) -> None:
    before = f"{int(expected_head()) - 1:04}"
    with founded.database() as cluster:
        in_thread(runner.downgrade(cluster.owner_url, before))
        refused = founded.linli("upgrade", "--backup", tmp_path / "no" / "such" / "folder" / "x")

        assert refused.returncode == 1
        assert "Traceback" not in refused.stderr
        assert in_thread(runner.current(cluster.app_url)) == before


def test_a_database_of_ones_own_is_migrated_by_its_owner_only(empty: Installation, fresh_database: Database) -> None:
    refused = empty.linli("migrate", LINLI_DATABASE_URL=fresh_database.app_url)
    done = empty.linli("upgrade", LINLI_DATABASE_URL=fresh_database.app_url, LINLI_OWNER_URL=fresh_database.owner_url)

    assert refused.returncode == 1
    assert "LINLI_OWNER_URL" in refused.stderr
    assert done.returncode == 0
    assert "not ours to copy" in done.stdout


def test_verify_says_whole_and_names_what_is_not(founded: Installation) -> None:
    with founded.database() as cluster:
        whole = founded.linli("verify")
        _sql(
            cluster.superuser_url,
            "UPDATE ledger.account SET balance = balance + 7 WHERE code = 'issued' AND unit = 'minute'",
        )
        broken = founded.linli("verify", "--community", str(NUMBER))
        none = founded.linli("verify", "--community", "1")

    assert (whole.returncode, broken.returncode) == (0, 1)
    assert "whole" in whole.stdout
    assert "faults" in broken.stdout
    assert none.returncode == 1
    assert "no community 1" in none.stderr


def test_keys_are_ours_alone(founded_once: tuple[Installation, Run]) -> None:
    file = founded_once[0].keys / KEY_FILE

    assert file.stat().st_mode & 0o777 == 0o600
    assert load_keyring(founded_once[0].keys).current == 1


@pytest.mark.parametrize(
    ("setting", "value"), [("LINLI_PORT", "x"), ("LINLI_WORKER", "perhaps"), ("LINLI_POOL_SIZE", "many")]
)
def test_a_setting_that_cannot_be_read_is_named(empty: Installation, setting: str, value: str) -> None:
    refused = empty.linli("doctor", **{setting: value})

    assert refused.returncode == 1
    assert setting in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_database_that_does_not_answer_is_said_so(empty: Installation) -> None:
    _other_keys(empty)
    for command in (["doctor"], ["migrate"], ["verify"], ["user", "--community", "1", "--card", CARD]):
        nowhere = "postgresql://linli_app@127.0.0.1:1/linli"
        said = empty.linli(*command, LINLI_DATABASE_URL=nowhere, LINLI_OWNER_URL=nowhere)

        assert said.returncode == 1
        assert "does not answer" in said.stderr + said.stdout
        assert "Traceback" not in said.stderr


def _sql(url: str, statement: str) -> None:
    subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", statement, url], check=True)
