"""A database of one's own, as docs/deploy.md asks for it."""

import re
import subprocess
from pathlib import Path

import pytest

from service.kit.embedded_pg import Cluster, server
from service.kit.embedded_pg.roles import DATABASE
from tests.cli.conftest import INIT, ROOT, Installation

pytestmark = pytest.mark.slow

PAGE = (ROOT / "docs/deploy.md").read_text(encoding="utf-8")


def psql(cluster: Cluster, script: str) -> None:
    """Type it as the superuser; the first error ends it."""
    target = ["-h", str(cluster.socket), "-U", "postgres", "-d", "postgres"]
    command = [cluster.binaries.program("psql"), *target, "-Xqv", "ON_ERROR_STOP=1"]
    subprocess.run(command, input=script, text=True, check=True, capture_output=True)


def test_the_roles_on_the_page_are_all_that_is_needed(tmp_path: Path) -> None:
    roles = re.search(r"```sql\n(CREATE ROLE.*?)```", PAGE, re.DOTALL)
    assert roles is not None
    with server(tmp_path / "data") as cluster:
        psql(cluster, f"DROP DATABASE {DATABASE}; DROP ROLE linli_owner; DROP ROLE linli_app; DROP ROLE linli_audit;")
        psql(cluster, roles[1])
        urls = {"LINLI_DATABASE_URL": cluster.app_url, "LINLI_OWNER_URL": cluster.owner_url}
        installation = Installation(tmp_path, urls)
        for words in (INIT, ["doctor"], ["verify"]):
            ended = installation.linli(*words)
            assert ended.returncode == 0, ended.stderr
            if words == ["doctor"]:
                assert "All is well." in ended.stdout


def test_a_pooler_alone_is_refused(tmp_path: Path) -> None:
    pooler = {"LINLI_DATABASE_URL": "postgresql://linli_app@127.0.0.1:1/linli", "LINLI_PGBOUNCER": "true"}

    ended = Installation(tmp_path, pooler).linli("doctor")

    assert ended.returncode == 1
    assert "LINLI_DIRECT_URL" in ended.stderr
