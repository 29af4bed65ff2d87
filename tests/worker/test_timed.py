"""Work that falls due with time: by one worker, in batches, each kind for itself."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

import anyio
import pytest
from sqlmodel.ext.asyncio.session import AsyncSession

from service.kit import audit
from service.kit.db import Sessions
from service.kit.manifest import Timed
from tests.cast import HERE, START
from tests.kit.test_dead_database import _until
from tests.worker.conftest import Subscribe

pytestmark = pytest.mark.anyio


async def test_due_work_is_done_in_batches_until_none_is_left(a_worker: Subscribe) -> None:
    batches = [200, 200, 50, 0, 7]

    async def work(_: AsyncSession, now: datetime) -> int:
        assert now == START
        return batches.pop(0)

    assert await a_worker().do_timed(Timed("probe", 60, work), START) == 450
    assert batches == [7]


async def test_a_second_worker_stands_back_while_the_first_works(a_worker: Subscribe) -> None:
    entered, may_go = asyncio.Event(), asyncio.Event()
    rounds: list[int] = []

    async def work(_: AsyncSession, __: datetime) -> int:
        rounds.append(1)
        entered.set()
        await may_go.wait()
        return 0

    timed = Timed("probe", 60, work)
    first = asyncio.create_task(a_worker().do_timed(timed, START))
    await entered.wait()

    assert await a_worker().do_timed(timed, START) == 0
    assert len(rounds) == 1
    may_go.set()
    assert await first == 0


async def test_two_kinds_of_work_do_not_wait_for_each_other(a_worker: Subscribe) -> None:
    entered, may_go = asyncio.Event(), asyncio.Event()

    async def long(_: AsyncSession, __: datetime) -> int:
        entered.set()
        await may_go.wait()
        return 0

    async def short(_: AsyncSession, __: datetime) -> int:
        return 0

    first = asyncio.create_task(a_worker().do_timed(Timed("long", 60, long), START))
    await entered.wait()
    with anyio.fail_after(30):
        assert await a_worker().do_timed(Timed("short", 60, short), START) == 0
    may_go.set()
    await first


async def test_a_batch_that_fails_is_undone(
    a_worker: Subscribe, town_sessions: Sessions, deeds: Callable[[str], Awaitable[int]]
) -> None:
    async def work(session: AsyncSession, now: datetime) -> int:
        audit.record(session, None, "probe.timed", kind="probe", id=1, now=now, community_id=HERE)
        await session.flush()
        raise RuntimeError("after the line")

    with pytest.raises(RuntimeError):
        await a_worker().do_timed(Timed("probe", 60, work), START)

    assert await deeds("probe.timed") == 0


async def test_one_kind_that_fails_does_not_starve_the_next(a_worker: Subscribe) -> None:
    tried: list[str] = []

    async def broken(_: AsyncSession, __: datetime) -> int:
        tried.append("broken")
        raise RuntimeError("no")

    async def fine(_: AsyncSession, __: datetime) -> int:
        tried.append("fine")
        return 0

    worker = a_worker(timed=[Timed("broken", 3600, broken), Timed("fine", 3600, fine)])
    running = asyncio.create_task(worker.run())

    async def both() -> bool:
        return {"broken", "fine"} <= set(tried)

    await _until(both)
    worker.stop.set()
    await running

    assert tried == ["broken", "fine"]
