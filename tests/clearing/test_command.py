"""`linli clearing` and `linli verify` on two communities: what fits, and what does not."""

import asyncio
import os
import sys

import pytest

import ledger
from service import chart
from service.chart import Reason
from service.clearing.rules import Unit
from service.kit.crypto import save_keyring
from tests.architecture.sources import ROOT
from tests.cast import ELSEWHERE, HERE, KEYRING
from tests.clearing.conftest import Pair

pytestmark = pytest.mark.anyio


async def test_both_sides_are_shown_and_a_difference_ends_with_1(pair: Pair, town_database, tmp_path) -> None:
    save_keyring(KEYRING, tmp_path / "keys")
    env = {
        **os.environ,
        "LINLI_DATABASE_URL": town_database.app_url,
        "LINLI_KEYS_DIR": str(tmp_path / "keys"),
        "LINLI_DATA_DIR": str(tmp_path / "data"),
    }

    async def linli(*words: str) -> tuple[int, str]:
        command = [sys.executable, "-m", "service.cli", *words]
        done = await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=env, stdout=asyncio.subprocess.PIPE)
        out, _err = await done.communicate()
        return done.returncode or 0, out.decode()

    await pair.send("chen", "stranger", 90)
    await pair.settle()
    await pair.send("chen", "stranger", 30)
    code, said = await linli("clearing", "--community", str(HERE))
    assert code == 0
    assert "owes 2 hours, the other side says 1.5 hours, under way 0.5 hours: agree" in said

    async with pair.app.state.sessions.begin() as session:
        legs = (ledger.Leg(chart.ISSUED, chart.clearing(HERE), Unit.MINUTE, 1),)
        await ledger.post(
            session, ELSEWHERE, ledger.Journal("by-hand", Reason.CORRECTION, legs, None), now=pair.clock()
        )
    code, said = await linli("clearing")
    assert code == 1
    assert "DIFFER" in said
    code, said = await linli("verify", "--community", str(ELSEWHERE))
    assert code == 1
    assert "clearing.positions_differ" in said
