"""seal and leaves, as an operator and an auditor use them: until the books are changed behind the service's back."""

import asyncio
import shutil
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from ledger import check
from service.kit.embedded_pg import Cluster
from tests.cli.conftest import NUMBER, Installation

pytestmark = pytest.mark.slow

POST = """
SELECT (ledger.post($1, 'gift', 'opening_balance',
                    ARRAY[ROW('post', 'bank', 'fund:charity', 'fen', 500, NULL, NULL)]::ledger.step[],
                    NULL, NULL, NULL, now())).code
"""


def on(cluster: Cluster, role: str, statement: str, *values: object) -> object:
    async def ask() -> object:
        connection = await asyncpg.connect(cluster.app_url.replace("linli_app", role))
        try:
            return await connection.fetchval(statement, *values)
        finally:
            await connection.close()

    return asyncio.run(ask())


def test_the_books_are_sealed_handed_out_and_watched(founded: Installation, tmp_path: Path) -> None:
    empty = founded.linli("seal")
    assert (empty.returncode, "nothing was ever posted" in empty.stdout) == (0, True)
    with founded.database() as cluster:
        assert on(cluster, "linli_app", POST, NUMBER) == "posted"
        sealed = founded.linli("seal", "--community", str(NUMBER))
        assert (sealed.returncode, "sealed seal 1, 1 transfers" in sealed.stdout) == (0, True), sealed.stderr
        assert founded.linli("verify").returncode == 0
        assert founded.linli("verify", "--since-seal").returncode == 0
        book = tmp_path / "book.leaves"
        assert founded.linli("leaves", book, "--community", str(NUMBER)).returncode == 0
        assert founded.linli("leaves", book, "--community", str(NUMBER)).returncode == 1

        shutil.copy(check.__file__, tmp_path / "linli_check.py")
        shutil.copy(founded.keys / "seals" / str(NUMBER) / "1.json", tmp_path / "seal.json")
        command = [sys.executable, "-I", "linli_check.py", "book.leaves", "seal.json"]
        assert subprocess.run(command, cwd=tmp_path, check=False).returncode == 0

        on(cluster, "postgres", "UPDATE ledger.journal SET reason = 'theft'")
        assert founded.linli("verify", "--since-seal").returncode == 0  # what the seal closed is not read again
        verified = founded.linli("verify")
        assert (verified.returncode, "sealed_rows" in verified.stdout) == (1, True)
        assert on(cluster, "linli_app", "SELECT count(*) FROM book_alarm WHERE kind = 'sealed_rows'") == 1
        refused = founded.linli("seal")
        assert (refused.returncode, "open" in refused.stderr) == (1, True), refused.stdout
