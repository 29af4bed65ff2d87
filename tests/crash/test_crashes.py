"""Whatever is killed, whenever: what people were told happened, and happened once."""

import asyncio
import os
import random
import shutil
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from service.kit.embedded_pg import server
from tests.crash.crowd import PRICE_POINTS, START_POINTS, Crowd, Street, books, settle_street
from tests.crash.installation import Installation
from tests.db import in_thread

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self").exists(), reason="asks the Linux kernel about processes"),
]
PEOPLE = 6
CUT = {"ConnectError", "ReadError", "WriteError", "RemoteProtocolError", "ReadTimeout", "ConnectTimeout"}
ANSWERS = {"200", "201", "204", "409", "503"} | CUT
"""Yes, no, come again, and a line that was cut. Nobody is ever told that we are broken."""


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Street]:
    """A folder in which a community was founded and people moved in."""
    place = Installation(tmp_path_factory.mktemp("founded"))
    place.found()
    with server(place.postgres) as cluster:
        street = in_thread(settle_street(cluster.app_url, place.keyring(), PEOPLE))
    return place.folder, street


@pytest.fixture
def place(founded: tuple[Path, Street], tmp_path: Path) -> Iterator[Installation]:
    """A copy of it, to be killed at will."""
    shutil.copytree(founded[0], tmp_path, dirs_exist_ok=True)
    place = Installation(tmp_path)
    yield place
    place.close()


@asynccontextmanager
async def busy(place: Installation, street: Street) -> AsyncIterator[Crowd]:
    """The service with everybody at it; at the end each finishes what they had begun."""
    place.start()
    crowd = Crowd(place.origin, street, place.keyring())
    async with asyncio.TaskGroup() as people:
        for number in range(PEOPLE):
            people.create_task(crowd.live(number))
        yield crowd
        crowd.going = False


async def check(place: Installation, crowd: Crowd) -> None:
    """Every yes is in the books, once, and nothing else is."""
    assert place.stop() == 0, place.log.read_text()
    assert place.database_processes() == []
    assert set(crowd.seen) <= ANSWERS, crowd.seen
    taken, returned, scanned = [crowd.by_ending(end) for end in ("/vouchers", "/cancellation", "/scans")]
    with server(place.postgres) as cluster:
        found = await books(cluster.app_url, crowd.keyring, crowd.street)

    assert {act.status for act in taken} == {201}
    ids = [int(act.answer["voucher_id"]) for act in taken]
    assert sorted(found["vouchers"]) == sorted(ids)
    assert {act.status for act in returned} == {204}
    assert Counter(found["vouchers"].values()) == {
        "CANCELLED": len(returned),
        "USED": len(scanned),
        "ISSUED": len(taken) - len(returned) - len(scanned),
    }
    assert {act.answer["state"] for act in scanned} == {"ok"}
    assert sorted(nonce for _, nonce in found["uses"]) == sorted(act.body["nonce"] for act in scanned)
    spent = (len(taken) - len(returned)) * PRICE_POINTS * 100
    assert sum(found["points"]) == PEOPLE * START_POINTS * 100 - spent
    facts = found["facts"]
    assert (facts["VoucherIssued"], facts["VoucherReturned"], facts["VoucherRedeemed"]) == (
        len(taken),
        len(returned),
        len(scanned),
    )
    assert found["faults"] == []


async def test_the_service_is_killed_six_times(place: Installation, founded: tuple[Path, Street]) -> None:
    chance = random.Random(6)
    async with busy(place, founded[1]) as crowd:
        for kill in [place.kill, place.pull_the_plug] * 3:
            await crowd.until(chance.randrange(5, 60))
            kill()
            place.start()
        await crowd.until(20)

    assert max(act.tries for act in crowd.told) > 1
    await check(place, crowd)
    verified = place.linli("verify")
    assert (verified.returncode, "whole" in verified.stdout) == (0, True), verified.stdout + verified.stderr


def kill_postmaster(place: Installation) -> None:
    """The server's first process dies; the others find that out and leave."""
    os.kill(place.postmaster(), signal.SIGKILL)


def kill_one_backend(place: Installation) -> None:
    """One process of the server dies, so that it throws everybody out and recovers by itself."""
    os.kill(max(set(place.database_processes()) - {place.postmaster()}), signal.SIGKILL)


def stop_politely(place: Installation) -> None:
    """Somebody stops the server by hand."""
    os.kill(place.postmaster(), signal.SIGINT)


async def test_the_database_dies_and_the_service_gets_it_back(
    place: Installation, founded: tuple[Path, Street]
) -> None:
    chance = random.Random(3)
    async with busy(place, founded[1]) as crowd:
        for end in (kill_postmaster, kill_one_backend, stop_politely):
            await crowd.until(chance.randrange(20, 60))
            end(place)
        await crowd.until(40)
        assert place.process is not None
        assert place.process.poll() is None

    assert crowd.seen["503"] > 0
    await check(place, crowd)
