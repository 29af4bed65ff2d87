"""A database of one's own, as docs/deploy.md asks for it."""

import re
import subprocess
from pathlib import Path

import pytest

from service.cli import main
from service.kit.embedded_pg import Cluster, server
from service.kit.embedded_pg.roles import DATABASE
from tests.architecture.sources import ROOT

INIT = [
    *("init", "--number", "610102001012", "--name", "兴乐社区", "--street", "西一路街道", "--phone", "029-0000-0000"),
    *("--admin-name", "蒋管家", "--admin-card", "0012-0001"),
]
PAGE = (ROOT / "docs/deploy.md").read_text(encoding="utf-8")


def psql(cluster: Cluster, script: str) -> None:
    """Type it as the superuser; the first error ends it."""
    target = ["-h", str(cluster.socket), "-U", "postgres", "-d", "postgres"]
    command = [cluster.binaries.program("psql"), *target, "-Xqv", "ON_ERROR_STOP=1"]
    subprocess.run(command, input=script, text=True, check=True, capture_output=True)


def test_the_roles_on_the_page_are_all_that_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    roles = re.search(r"```sql\n(CREATE ROLE.*?)```", PAGE, re.DOTALL)
    assert roles is not None
    with server(tmp_path / "data") as cluster:
        psql(cluster, f"DROP DATABASE {DATABASE}; DROP ROLE linli_owner; DROP ROLE linli_app; DROP ROLE linli_audit;")
        psql(cluster, roles[1])
        monkeypatch.setenv("LINLI_DATABASE_URL", cluster.app_url)
        monkeypatch.setenv("LINLI_OWNER_URL", cluster.owner_url)
        monkeypatch.setenv("LINLI_KEYS_DIR", str(tmp_path / "keys"))
        for words in (INIT, ["doctor"], ["verify"]):
            with pytest.raises(SystemExit) as ended:
                main(words)
            assert ended.value.code == 0, words

    assert "All is well." in capsys.readouterr().out


def test_a_pooler_alone_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("LINLI_KEYS_DIR", str(tmp_path / "keys"))
    monkeypatch.setenv("LINLI_DATABASE_URL", "postgresql://linli_app@127.0.0.1:1/linli")
    monkeypatch.setenv("LINLI_PGBOUNCER", "true")
    monkeypatch.delenv("LINLI_DIRECT_URL", raising=False)

    with pytest.raises(SystemExit, match="LINLI_DIRECT_URL"):
        main(["doctor"])
