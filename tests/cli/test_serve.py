"""serve, worker, run: what they refuse, what they answer, and that nothing is left when they end."""

import signal
import ssl
import subprocess
from collections.abc import Callable

import asyncpg
import httpx
import pytest

from service.kit.crypto import KEY_FILE, new_keyring, save_keyring
from service.kit.embedded_pg import running
from tests.cli.conftest import NUMBER, Installation
from tests.db import Database, in_thread

pytestmark = pytest.mark.slow
Until = Callable[[Callable[[], bool]], None]


def test_it_does_not_serve_without_its_keys(founded: Installation) -> None:
    (founded.keys / KEY_FILE).unlink()

    refused = founded.linli("serve")

    assert refused.returncode == 1
    assert "linli keys import" in refused.stderr


def test_it_does_not_serve_with_somebody_elses_keys(founded: Installation) -> None:
    save_keyring(new_keyring(), founded.keys)

    refused = founded.linli("serve")

    assert refused.returncode == 1
    assert "keys here do not open" in refused.stderr


@pytest.mark.parametrize(
    ("url", "said"),
    [("owner_url", "owns the tables"), ("superuser_url", "passes by every grant"), ("app_url", "fsync is off")],
)
def test_it_does_not_serve_what_breaks_its_promises(
    empty: Installation, fresh_database: Database, url: str, said: str
) -> None:
    save_keyring(new_keyring(), empty.keys)

    refused = empty.linli("serve", LINLI_DATABASE_URL=getattr(fresh_database, url))

    assert refused.returncode == 1
    assert refused.stderr.startswith("linli: not serving:")
    assert said in refused.stderr


def test_it_does_not_serve_an_unmigrated_database(empty: Installation) -> None:
    save_keyring(new_keyring(), empty.keys)

    refused = empty.linli("serve")

    assert refused.returncode == 1
    assert "linli init" in refused.stderr


def test_it_does_not_serve_a_role_that_may_change_history(founded: Installation) -> None:
    with founded.database() as cluster:
        _sql(cluster.superuser_url, "GRANT UPDATE ON audit TO linli_app")
        changed = founded.linli("doctor")
        _sql(cluster.superuser_url, "REVOKE UPDATE ON audit FROM linli_app; GRANT linli_owner TO linli_app")
        member = founded.linli("doctor")

    assert "append-only" in changed.stdout
    assert "may act as linli_owner" in member.stdout
    assert (changed.returncode, member.returncode) == (1, 1)


def test_demo_people_are_served_to_this_machine_only(founded: Installation) -> None:
    with founded.database() as cluster:
        mark = "INSERT INTO audit (community_id, at, action, object_kind, object_id, detail) VALUES "
        _sql(cluster.superuser_url, mark + f"({NUMBER}, now(), 'demo.loaded', 'demo', 'demo', '{{}}')")

    for public in ("https://linli.example.org", "http://localhost.example.org", "http://0.0.0.0:8000"):
        refused = founded.linli("serve", LINLI_PUBLIC_URL=public)
        assert refused.returncode == 1
        assert "not local" in refused.stderr
    with founded.serving(LINLI_PUBLIC_URL="http://localhost:8000"):
        pass


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_a_signal_ends_it_and_its_database(founded: Installation, until: Until, number: int, code: int) -> None:
    with founded.serving() as serving:
        assert founded.processes()

        serving.process.send_signal(number)
        assert serving.process.wait(60) in (code, 0 if number == signal.SIGINT else code)

        until(lambda: not founded.processes())
    # Nothing has to be repaired by hand.
    with founded.serving() as again:
        assert httpx.get(f"{again.url}/health/ready").text == "ok"


def test_a_signal_ends_the_worker(founded: Installation, until: Until) -> None:
    alone = founded.linli("worker")
    assert alone.returncode == 1
    assert "linli serve" in alone.stderr
    with founded.database():
        worker = founded.start("worker", "--retry")
        assert worker.stdout is not None
        assert worker.stdout.readline() == "0 parked deliveries are tried again.\n"
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(60) == 0
        worker.stdout.close()
        assert founded.processes()  # the database is not the worker's to stop


def test_an_address_makes_cookies_secure(founded: Installation) -> None:
    with founded.serving(LINLI_PUBLIC_URL="https://linli.example.org") as serving:
        cookies = httpx.get(f"{serving.url}/sign-in").headers.get_list("set-cookie")
    with founded.serving() as plain:
        plain_cookies = httpx.get(f"{plain.url}/sign-in").headers.get_list("set-cookie")

    assert cookies
    assert all("Secure" in cookie for cookie in cookies)
    assert plain_cookies
    assert not any("Secure" in cookie for cookie in plain_cookies)


@pytest.mark.parametrize(("trusted", "believed"), [("", False), ("127.0.0.1", True), ("203.0.113.1", False)])
def test_a_proxy_is_believed_only_when_it_is_named(founded: Installation, trusted: str, believed: bool) -> None:
    """Tries are counted by address: one network that is out of tries must not shut out another, nor invent addresses."""
    settings = {"LINLI_TRUSTED_PROXIES": trusted} if trusted else {}
    with founded.serving(**settings) as serving, serving.browser() as browser:
        for address in ("198.51.100.1", "198.51.100.2"):
            body = {"number": "0012-0001", "secret": "000000"}
            browser.post("/api/session", json=body, headers={"x-forwarded-for": address})

        async def subjects() -> int:
            cluster = running(founded.data / "postgres")  # its socket lies elsewhere when the path is too long
            assert cluster is not None
            connection = await asyncpg.connect(cluster.superuser_url)
            try:
                return int(await connection.fetchval("SELECT count(*) FROM sign_in_try"))
            finally:
                await connection.close()

        counted = in_thread(subjects())

    assert counted == (3 if believed else 2)  # the number, and one or two addresses


def test_https_on_this_machine(empty: Installation) -> None:
    with empty.serving("run", "--no-demo", "--tls", scheme="https") as serving:
        answer = httpx.get(f"{serving.url}/sign-in", verify=False)  # noqa: S501 (made on this machine)
        port = int(serving.url.rsplit(":", 1)[1])
        pem = ssl.get_server_certificate(("127.0.0.1", port))

    assert answer.status_code == 200
    assert all("Secure" in cookie for cookie in answer.headers.get_list("set-cookie"))
    assert "BEGIN CERTIFICATE" in pem
    secrets = list((empty.folder / "tls").glob("*.key"))
    assert [file.stat().st_mode & 0o777 for file in secrets] == [0o600]


def test_the_terminal_of_run_shows_addresses_and_the_log_is_in_its_file(empty: Installation) -> None:
    log = empty.data / "logs" / "linli.log"
    with empty.serving("run", "--no-demo") as serving, serving.browser() as browser:
        browser.get("/nowhere")
        serving.process.send_signal(signal.SIGTERM)
        said = serving.process.communicate()[0]

    assert serving.url in said
    assert str(log) in said
    assert "request" not in said
    assert '"route": "/sign-in"' in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(("words", "chosen", "in_file"), [("run", "stderr", False), ("serve", "file", True)])
def test_the_log_goes_where_the_operator_says(founded: Installation, words: str, chosen: str, in_file: bool) -> None:
    with founded.serving(words, LINLI_LOG=chosen) as serving, serving.browser():
        serving.process.send_signal(signal.SIGTERM)
        said = serving.process.communicate()[0]

    assert ('"event": "request"' in said) is not in_file
    assert (founded.data / "logs" / "linli.log").exists() is in_file


def test_a_log_that_cannot_be_written_is_said_at_the_start(founded: Installation) -> None:
    (founded.data / "logs").write_text("in the way")

    refused = founded.linli("serve", LINLI_LOG="file")

    assert refused.returncode == 1
    assert "LINLI_LOG=stderr" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_logs_of_a_real_start_are_json_and_hold_no_names(founded: Installation) -> None:
    code = founded.linli("user", "--community", str(NUMBER), "--card", "0012-0001").stdout.strip()
    with founded.serving() as serving, serving.browser() as browser:
        browser.post("/activate", data={"code": code, "secret": "135791", "again": "135791"})
        browser.get("/me")
        browser.get(f"/a/{code}")
        serving.process.send_signal(signal.SIGTERM)
        said = serving.process.communicate()[0]

    assert '"event": "request"' in said
    for secret in (code, code.split("-")[1], "135791", "蒋管家", "0012-0001"):
        assert secret not in said


def _sql(url: str, statement: str) -> None:
    subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", statement, url], check=True)
