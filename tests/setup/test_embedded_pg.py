"""The private server: it lives as long as its process, and comes back from everything that can kill either."""

import contextlib
import os
import select
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

from service.kit.embedded_pg import EmbeddedPgError, dump, find_binaries, restore, server
from service.kit.embedded_pg.binaries import SYSTEM_FOLDER
from service.kit.embedded_pg.orphans import processes_of
from tests.db import in_thread

ROOT = Path(__file__).resolve().parents[2]
HOLDER = Path(__file__).with_name("hold_server.py")
STEP_DOWN = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"]
is_root = os.geteuid() == 0
on_linux = pytest.mark.skipif(not Path("/proc/self").exists(), reason="asks the Linux kernel about processes")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder that was made and stopped once."""
    data = tmp_path_factory.mktemp("made") / "data"
    with server(data, durable=False):
        pass
    return data


@pytest.fixture
def data(made: Path, tmp_path: Path) -> Path:
    """A copy of it for one test."""
    copy = tmp_path / "data"
    shutil.copytree(made, copy)
    return copy


@dataclass
class Holder:
    """A process that runs a server until it is killed."""

    process: subprocess.Popen[str]
    postgres_pid: int
    url: str


@contextlib.contextmanager
def holder(data: Path, mode: str = "hold") -> Iterator[Holder]:
    """Start one and wait until its server is there; whatever is left is killed by pid."""
    process = subprocess.Popen(
        [sys.executable, str(HOLDER), str(data), mode],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        assert process.stdout is not None
        pid, url = process.stdout.readline().split()
        yield Holder(process, int(pid), url)
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def wait_until_gone(pid: int) -> None:
    """Return when the process has ended; the kernel tells us, so nobody sleeps."""
    with contextlib.suppress(ProcessLookupError):
        descriptor = os.pidfd_open(pid)
        try:
            ended, _, _ = select.select([descriptor], [], [], 60)
        finally:
            os.close(descriptor)
        assert ended, f"process {pid} still runs"


def ask(url: str, statement: str) -> object:
    """One value from a database."""

    async def fetch() -> object:
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    return in_thread(fetch())


def test_the_first_start_makes_the_roles_and_nobody_else_may_create(tmp_path: Path) -> None:
    with server(tmp_path / "data", durable=False) as cluster:
        assert ask(cluster.app_url, "SELECT current_user || ' in ' || current_database()") == "linli_app in linli"
        assert ask(cluster.audit_url, "SELECT current_user::text") == "linli_audit"
        assert ask(cluster.app_url, "SELECT has_schema_privilege('public', 'CREATE')") is False
        assert ask(cluster.owner_url, "SELECT has_schema_privilege('public', 'CREATE')") is True
        powerful = (
            "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'linli%' AND (rolsuper OR rolbypassrls OR rolcreaterole)"
        )
        assert ask(cluster.superuser_url, powerful) == 0
        assert ask(cluster.app_url, "SHOW server_encoding") == "UTF8"
        assert ask(cluster.app_url, "SELECT 'Z' < 'a' AND '一' < '丁'") is True

    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == stat.S_IRWXU


@on_linux
def test_it_stops_with_the_block_and_keeps_what_was_written(data: Path) -> None:
    with server(data) as cluster:
        ask(cluster.owner_url, "CREATE TABLE kept AS SELECT generate_series(1, 1000)")
        pid = cluster.pid

    assert not Path(f"/proc/{pid}").exists()
    with server(data) as cluster:
        assert ask(cluster.owner_url, "SELECT count(*) FROM kept") == 1000


def test_a_second_start_on_the_same_folder_is_refused(data: Path) -> None:
    with holder(data), pytest.raises(EmbeddedPgError, match="in use by another Linli process"), server(data):
        pass


@on_linux
def test_when_the_app_is_killed_the_server_goes_by_itself(data: Path) -> None:
    with holder(data) as app:
        app.process.kill()

        wait_until_gone(app.postgres_pid)

    assert not (data / "postmaster.pid").exists()


@on_linux
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_ordinary_stop_leaves_no_server(data: Path, number: signal.Signals) -> None:
    with holder(data) as app:
        app.process.send_signal(number)

        app.process.wait(60)
        wait_until_gone(app.postgres_pid)

    assert not (data / "postmaster.pid").exists()


@on_linux
def test_when_both_are_killed_the_next_start_has_every_committed_row(data: Path) -> None:
    with holder(data) as app:
        owner = app.url.replace("linli_app", "linli_owner")
        ask(owner, "CREATE TABLE kept AS SELECT generate_series(1, 1000)")
        ask(owner, "INSERT INTO kept SELECT generate_series(1, 500)")
        os.kill(app.postgres_pid, signal.SIGKILL)
        app.process.kill()
        app.process.wait()

        with server(data) as cluster:
            assert ask(cluster.owner_url, "SELECT count(*) FROM kept") == 1500


@on_linux
def test_a_pid_that_now_belongs_to_someone_else_does_not_matter(data: Path) -> None:
    with holder(data) as app:
        os.kill(app.postgres_pid, signal.SIGKILL)
        app.process.kill()
        app.process.wait()
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as stranger:
        for name in ("postmaster.pid", ".s.PGSQL.5432.lock"):
            lines = (data / name).read_text().split("\n")
            (data / name).write_text("\n".join([str(stranger.pid), *lines[1:]]))

        with server(data) as cluster:
            assert ask(cluster.app_url, "SELECT 1") == 1

        assert stranger.poll() is None
        assert stranger.stdin is not None
        stranger.stdin.close()


@on_linux
def test_a_zombie_is_not_a_server(data: Path) -> None:
    with holder(data, "zombie") as app:
        state = Path(f"/proc/{app.postgres_pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        assert state == "Z"
        assert (data / "postmaster.pid").exists()

        with server(data) as cluster:
            assert ask(cluster.app_url, "SELECT 1") == 1


@on_linux
def test_a_server_that_outlived_its_app_is_stopped_first(data: Path) -> None:
    orphan = subprocess.Popen(
        [sys.executable, str(HOLDER), str(data), "hold"],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # Without setpriv on the path the kernel is not asked to stop the server with us.
        env={**os.environ, "PYTHONPATH": str(ROOT), "PATH": str(_path_without("setpriv", data.parent))},
    )
    assert orphan.stdout is not None
    with orphan.stdout:
        pid = int(orphan.stdout.readline().split()[0])
    orphan.kill()
    orphan.wait()
    assert pid in processes_of(data)

    with server(data) as cluster:
        assert cluster.pid != pid
        assert pid not in processes_of(data)
        assert ask(cluster.app_url, "SELECT 1") == 1


def test_a_long_path_gets_its_socket_elsewhere(data: Path, tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 90) / "data"
    deep.parent.mkdir()
    data.rename(deep)

    with server(deep) as cluster:
        assert ask(cluster.app_url, "SELECT 1") == 1
        assert cluster.socket != deep
        assert stat.S_IMODE(cluster.socket.stat().st_mode) == stat.S_IRWXU


def test_a_path_with_spaces_and_chinese_works(data: Path, tmp_path: Path) -> None:
    odd = tmp_path / "邻里 100%"
    data.rename(odd)

    with server(odd) as cluster:
        assert ask(cluster.app_url, "SELECT 1") == 1


def test_the_modes_of_parent_folders_stay_as_they_are(tmp_path: Path) -> None:
    private = tmp_path / "home"
    private.mkdir(mode=0o700)
    before = [stat.S_IMODE(folder.stat().st_mode) for folder in (private, *private.parents)]

    with server(private / "checkout" / "data", durable=False):
        pass

    assert [stat.S_IMODE(folder.stat().st_mode) for folder in (private, *private.parents)] == before


def test_data_of_another_major_version_is_refused(data: Path) -> None:
    (data / "PG_VERSION").write_text("14\n")

    with pytest.raises(EmbeddedPgError, match="was made by PostgreSQL 14"), server(data):
        pass


def test_a_start_cut_short_during_the_making_is_made_good(tmp_path: Path) -> None:
    half_made = tmp_path / "data.init"
    half_made.mkdir()
    (half_made / "PG_VERSION").write_text("18\n")

    with server(tmp_path / "data", durable=False) as cluster:
        assert ask(cluster.app_url, "SELECT 1") == 1


def test_a_copy_is_taken_while_the_service_works_and_fills_an_empty_database(data: Path, tmp_path: Path) -> None:
    copy, other = tmp_path / "copy.dump", tmp_path / "other"
    with holder(data) as app:
        owner = app.url.replace("linli_app", "linli_owner")
        ask(owner, "CREATE TABLE kept (id bigint)")
        ask(owner, "INSERT INTO kept SELECT generate_series(1, 1000)")
        ask(owner, "GRANT SELECT ON kept TO linli_app")
        dump(data, copy)

    restore(other, copy)

    assert stat.S_IMODE(copy.stat().st_mode) == stat.S_IRUSR | stat.S_IWUSR
    with server(other, durable=False) as cluster:
        assert ask(cluster.app_url, "SELECT count(*) FROM kept") == 1000
    with pytest.raises(EmbeddedPgError, match="is not empty"):
        restore(other, copy)


def test_there_is_no_copy_of_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedPgError, match="There is no database"):
        dump(tmp_path / "data", tmp_path / "copy.dump")
    with pytest.raises(EmbeddedPgError, match="does not exist"):
        restore(tmp_path / "data", tmp_path / "copy.dump")


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "thesis.txt").write_text("precious")

    with pytest.raises(EmbeddedPgError, match="is not a PostgreSQL data folder"), server(tmp_path / "data"):
        pass

    assert (tmp_path / "data" / "thesis.txt").read_text() == "precious"


def test_a_named_folder_without_programs_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LINLI_PG_BIN", str(tmp_path))

    with pytest.raises(EmbeddedPgError, match="holds no postgres"):
        find_binaries()


@pytest.mark.skipif(not (SYSTEM_FOLDER / "15/bin/postgres").exists(), reason="PostgreSQL 15 is not installed")
def test_the_oldest_version_we_support_works_too(tmp_path: Path) -> None:
    with server(tmp_path / "data", durable=False, binaries=SYSTEM_FOLDER / "15/bin") as cluster:
        assert cluster.binaries.major == 15
        assert ask(cluster.app_url, "SELECT 'Z' < 'a' AND '一' < '丁'") is True


@pytest.mark.skipif(not is_root, reason="only root has to become someone else")
def test_root_without_user_namespaces_becomes_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        reachable = _nobody_can_run(find_binaries().folder / "postgres")
        monkeypatch.setenv("PATH", str(_path_without("unshare", folder)))
        if reachable:
            with server(folder / "data", durable=False) as cluster:
                assert ask(cluster.app_url, "SELECT 1") == 1
                assert (folder / "data").stat().st_uid == 65534
        else:  # A checkout in a private home: we must say so.
            with pytest.raises(EmbeddedPgError, match="Run Linli as an ordinary user"), server(folder / "data"):
                pass


@pytest.mark.skipif(not is_root, reason="only root can become an ordinary user")
def test_an_ordinary_user_needs_no_tricks() -> None:
    with tempfile.TemporaryDirectory() as name:
        os.chown(name, 65534, 65534)
        if not _nobody_can_run(Path(sys.executable)):
            pytest.skip("an ordinary user cannot enter this checkout")
        process = subprocess.Popen(
            [*STEP_DOWN, sys.executable, str(HOLDER), f"{name}/data", "hold"],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert process.stdout is not None
        with process.stdout:
            pid, url = process.stdout.readline().split()
        assert ask(url, "SELECT 1") == 1
        assert Path(f"/proc/{pid}").stat().st_uid == 65534
        process.terminate()
        process.wait()
        wait_until_gone(int(pid))


@pytest.mark.skipif(not is_root, reason="only root has to become someone else")
def test_root_in_a_private_folder_without_user_namespaces_is_told_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    monkeypatch.setenv("PATH", str(_path_without("unshare", tmp_path)))

    with pytest.raises(EmbeddedPgError, match="LINLI_DATABASE_URL"), server(private / "data"):
        pass


def _nobody_can_run(program: Path) -> bool:
    return subprocess.run([*STEP_DOWN, "test", "-x", str(program)], check=False).returncode == 0


def _path_without(program: str, folder: Path) -> Path:
    """A search path that has the programs we use except one."""
    kept = folder / "programs"
    kept.mkdir(mode=0o755)
    for name in {"unshare", "setpriv", "true", "test"} - {program}:
        if found := shutil.which(name):
            (kept / name).symlink_to(found)
    return kept
