"""A worker killed at any step loses nothing and doubles nothing: the next one finishes what it finds."""

import asyncio
import sys

import pytest

from service.clearing.actions import sweep
from service.clearing.rules import TransferState
from service.kit.manifest import Timed
from tests.architecture.sources import ROOT
from tests.clearing.conftest import Pair, close_person

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

STEPS = ("ClearingSent", "ClearingArrived", "ClearingRefused")


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("fact", STEPS)
async def test_killed_at_every_step_it_is_repaired(pair: Pair, town_database, fact: str, when: str) -> None:
    await pair.worker.drain()
    taken = await pair.send("chen", "stranger", 120)
    back = await pair.send("sun", "stranger_shop", 60)
    await close_person(pair, "stranger_shop")
    command = [sys.executable, "-m", "tests.clearing.hang", town_database.app_url, fact, when]
    victim = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    try:
        assert victim.stdout is not None
        assert await asyncio.wait_for(victim.stdout.readline(), 60) == b"hanging\n"
    finally:
        victim.kill()
        await victim.wait()

    for _ in range(4):
        pair.clock.move(hours=2)
        await pair.worker.do_timed(Timed("clearing.tell_again", 60, sweep.tell_again), pair.clock())
        await pair.worker.drain()

    assert await pair.states(taken) == (TransferState.ARRIVED, TransferState.ARRIVED)
    assert await pair.states(back) == (TransferState.RETURNED, TransferState.REFUSED)
    assert (await pair.balance("chen"), await pair.balance("sun"), await pair.balance("stranger")) == (480, 600, 720)
    assert await pair.owed() == (120, -120)
    assert await pair.faults() == []
