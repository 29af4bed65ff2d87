"""Whatever is killed, whenever: what people were told happened, and happened once."""

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.kit.embedded_pg import server
from tests.crash.besieged import KILLS, busy, check, kill_one_backend, kill_postmaster, stop_politely
from tests.crash.crowd import Street, settle_street
from tests.crash.installation import Installation
from tests.db import in_thread

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self").exists(), reason="asks the Linux kernel about processes"),
]
PEOPLE, CLIENTS = 6, 64


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Street]:
    """A folder in which a community was founded and people moved in."""
    place = Installation(tmp_path_factory.mktemp("founded"))
    place.found()
    with server(place.postgres) as cluster:
        street = in_thread(settle_street(cluster.app_url, place.keyring(), CLIENTS))
    return place.folder, street


@pytest.fixture
def place(founded: tuple[Path, Street], tmp_path: Path) -> Iterator[Installation]:
    """A copy of it, to be killed at will."""
    shutil.copytree(founded[0], tmp_path, dirs_exist_ok=True)
    place = Installation(tmp_path)
    yield place
    place.close()


async def test_the_service_is_killed_six_times(place: Installation, founded: tuple[Path, Street]) -> None:
    chance = random.Random(6)
    async with busy(place, founded[1], PEOPLE) as crowd:
        for kill in [place.kill, place.pull_the_plug] * 3:
            await crowd.until(chance.randrange(5, 60))
            kill()
            place.start()
        await crowd.until(20)

    assert max(act.tries for act in crowd.told) > 1
    await check(place, crowd)
    verified = place.linli("verify")
    assert (verified.returncode, "whole" in verified.stdout) == (0, True), verified.stdout + verified.stderr


async def test_the_database_dies_and_the_service_gets_it_back(
    place: Installation, founded: tuple[Path, Street]
) -> None:
    chance = random.Random(3)
    async with busy(place, founded[1], PEOPLE) as crowd:
        for end in (kill_postmaster, kill_one_backend, stop_politely):
            await crowd.until(chance.randrange(20, 60))
            end(place)
        await crowd.until(40)
        assert place.process is not None
        assert place.process.poll() is None

    assert crowd.seen["503"] > 0
    await check(place, crowd)


async def test_sixty_four_clients_redeem_while_service_and_database_are_killed(
    place: Installation, founded: tuple[Path, Street]
) -> None:
    """Each redeems one voucher after the other and asks until it is told; now and then it asks again what it was told."""
    chance = random.Random(64)
    async with busy(place, founded[1], CLIENTS, is_redeeming=True) as crowd:
        for kill in KILLS:
            await crowd.until(chance.randrange(64, 110))
            kill(place)
        await crowd.until(64)

    assert len(crowd.by_ending("/scans")) > CLIENTS
    await check(place, crowd)
    verified = place.linli("verify")
    assert (verified.returncode, "whole" in verified.stdout) == (0, True), verified.stdout + verified.stderr
