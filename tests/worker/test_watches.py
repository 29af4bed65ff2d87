"""Work that is looked for all the time: in a loop of its own, resting as long as its policy says."""

import asyncio
from datetime import datetime

import pytest
from sqlmodel.ext.asyncio.session import AsyncSession

import ledger
from ledger.leaves import BATCH
from service.kit.manifest import Timed, Watch
from service.seals.manifest import MANIFEST as SEALS
from tests.kit.test_dead_database import _until
from tests.worker.conftest import Subscribe

pytestmark = pytest.mark.anyio


async def test_a_watch_goes_on_while_other_work_takes_long(a_worker: Subscribe) -> None:
    entered, may_go = asyncio.Event(), asyncio.Event()
    found, rests = [7, 0, 9, 0], list[int]()

    async def long(_: AsyncSession, __: datetime) -> int:
        entered.set()
        await may_go.wait()
        return 0

    async def look(_: AsyncSession, __: datetime) -> int:
        await entered.wait()
        return found.pop(0) if found else 0

    def pause(done: int) -> float:
        rests.append(done)
        return 0.0 if found else 60.0

    worker = a_worker(timed=[Timed("long", 60, long)], watches=[Watch("probe", look, pause)])
    running = asyncio.create_task(worker.run())

    async def looked() -> bool:
        return len(rests) == 4

    await _until(looked)
    worker.stop.set()
    may_go.set()
    await running

    assert rests == [7, 0, 9, 0]


async def test_of_two_workers_one_watches(a_worker: Subscribe) -> None:
    entered, may_go = asyncio.Event(), asyncio.Event()
    looks, rests = list[int](), list[int]()

    async def look(_: AsyncSession, __: datetime) -> int:
        looks.append(1)
        entered.set()
        await may_go.wait()
        return 5

    def pause(done: int) -> float:
        rests.append(done)
        return 60.0

    watches = [Watch("probe", look, pause)]
    first, second = a_worker(watches=watches, messages=False), a_worker(watches=watches, messages=False)
    one = asyncio.create_task(first.run())
    await entered.wait()
    other = asyncio.create_task(second.run())

    async def rested() -> bool:
        return rests == [0]

    await _until(rested)
    assert len(looks) == 1
    may_go.set()

    async def both() -> bool:
        return rests == [0, 5]

    await _until(both)
    first.stop.set()
    second.stop.set()
    await asyncio.gather(one, other)


def test_what_is_posted_is_read_within_a_second() -> None:
    """What a posting waits for is one rest and one reading: half a second is left for the reading."""
    (watch,) = [each for each in SEALS.watches if each.name == "seals.read_on"]
    assert watch.pause is ledger.seconds_to_next_look
    assert "seals.read_on" not in {each.name for each in SEALS.timed}, "the timed work waits for each other"
    assert watch.pause(0) <= 0.5
    assert watch.pause(1) == watch.pause(BATCH - 1) <= 0.25
    assert watch.pause(BATCH) == watch.pause(BATCH + 1) == 0, "there may be more"
    assert min(watch.pause(0), watch.pause(1)) >= 0.1, "looking costs the posters something"
