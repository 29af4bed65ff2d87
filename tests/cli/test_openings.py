"""`linli openings` on an installation of its own, from the sheet to its return, by two people with their own PINs."""

import asyncio
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from service import identity
from service.kit.access import Role
from service.kit.clock import local_day
from service.kit.crypto import load_keyring
from service.kit.db import make_engine, make_sessions
from service.kit.ids import new_id
from tests.cli.conftest import NUMBER, PATIENCE_SECONDS, ROOT, Installation, Run

CLERK, SECOND, LI, PIN = "0012-0002", "0012-0003", "0012-0004", "739164"


async def settle(url: str, keys: Path) -> None:
    """Whoever works in the office, and Li."""
    engine, now = make_engine(url, pool_size=2), datetime.now(UTC)
    sessions = make_sessions(engine, load_keyring(keys))
    people = [
        identity.NewPerson(new_id(), CLERK, "吴经办", roles=((Role.STAFF, None), (Role.APPROVER, None))),
        identity.NewPerson(new_id(), SECOND, "郑审核", roles=((Role.APPROVER, None),)),
        identity.NewPerson(new_id(), LI, "李心愿"),
    ]
    async with sessions.begin() as session:
        await identity.enrol_people(
            session, community_id=NUMBER, people=people, actor=None, day=local_day(now), now=now
        )
        for each in people[:2]:
            await identity.set_secret(session, community_id=NUMBER, member_id=each.member_id, secret=PIN, now=now)
    await engine.dispose()


def openings(place: Installation, *words: str | Path, pin: str = PIN) -> Run:
    return subprocess.run(
        [sys.executable, "-m", "service.cli", "openings", *map(str, words)],
        cwd=ROOT,
        env=place.environment(),
        input=f"{pin}\n",
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


@pytest.fixture
def sheet(tmp_path: Path) -> Path:
    path = tmp_path / "balances.csv"
    headings = "卡号,姓名,时间币（分钟）,积分,服务时长（分钟）,来源"
    path.write_text(
        f"{headings}\n{LI},李心愿,120,12.5,6000,旧账第 3 页\n{CLERK},吴经办,-5,1,0,旧账\n", encoding="utf-8"
    )
    return path


@pytest.mark.slow
def test_a_sheet_goes_from_check_to_return_by_two_people(
    founded: Installation, sheet: Path, until: Callable[[Callable[[], bool]], None]
) -> None:
    with founded.database() as cluster:
        asyncio.run(settle(cluster.app_url, founded.keys))
    with founded.serving():
        checked = openings(founded, "check", sheet, "--day", "2025-01-01", "--card", CLERK)
        assert checked.returncode == 0, checked.stderr
        assert "1 to bring" in checked.stdout
        assert "1 with errors" in checked.stdout
        assert "  - row 3: " in checked.stdout
        number = re.match(r"[0-9a-f-]{36}", checked.stdout)
        assert number is not None
        named = number[0]

        proposed = openings(founded, "propose", named, "--card", CLERK)
        assert proposed.returncode == 0, proposed.stderr
        alone = openings(founded, "confirm", named, "--card", CLERK)
        assert (alone.returncode, alone.stdout) == (1, "")
        assert "cannot approve it; please ask another approver" in alone.stderr
        assert openings(founded, "confirm", named, "--card", SECOND).returncode == 0

        def stands(state: str) -> bool:
            return openings(founded, "show", named, "--card", CLERK).stdout.splitlines()[0].endswith(state)

        until(lambda: stands(": posted"))
        shown = openings(founded, "show", named, "--card", CLERK).stdout
        assert "posted 1 of 1, refused 0" in shown
        assert openings(founded, "take-back", named, "--card", SECOND).returncode == 0
        until(lambda: stands(": returned"))
        late = openings(founded, "withdraw", named, "--card", CLERK)
        assert late.returncode == 1
        assert "Traceback" not in late.stderr


@pytest.mark.slow
def test_who_has_not_the_pin_does_nothing(founded: Installation, sheet: Path) -> None:
    with founded.database() as cluster:
        asyncio.run(settle(cluster.app_url, founded.keys))
        done = openings(founded, "check", sheet, "--day", "2025-01-01", "--card", CLERK, pin="000000")
        missing = openings(founded, "check", sheet.with_name("none.csv"), "--day", "2025-01-01", "--card", CLERK)
    assert (done.returncode, done.stdout) == (1, "")
    assert "Traceback" not in done.stderr
    assert missing.returncode == 1
    assert "cannot be read" in missing.stderr
