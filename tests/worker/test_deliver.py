"""Facts are delivered at least once, leave one message each, and are never dropped."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import anyio
import asyncpg
import pytest
from sqlmodel.ext.asyncio.session import AsyncSession

from service import facts
from service.kit import outbox
from service.kit.db import Sessions
from service.kit.ids import new_id
from service.notifications.actions import send
from service.worker import TOLD_TOGETHER
from tests.cast import HERE, START
from tests.db import Database
from tests.worker.conftest import Subscribe, fails

pytestmark = pytest.mark.anyio
Record = Callable[..., Awaitable[None]]
Counted = Callable[[str], Awaitable[int]]
ROOT = Path(__file__).resolve().parent.parent.parent


async def _until(condition: Callable[[], Awaitable[bool]]) -> None:
    with anyio.fail_after(60):
        while not await condition():  # noqa: ASYNC110 (the worker tells nobody when it has delivered)
            await asyncio.sleep(0.05)


async def test_a_fact_becomes_a_message(
    a_worker: Subscribe, record: Record, counted: Counted, fact: facts.WishApproved
) -> None:
    await record(fact)

    await a_worker().drain()

    assert await counted("messages") == 1
    assert await counted("waiting") == await counted("jobs") == 0


async def test_what_was_rolled_back_never_happened(
    a_worker: Subscribe, town_sessions: Sessions, counted: Counted, fact: facts.WishApproved
) -> None:
    async with town_sessions() as session:
        outbox.record(session, fact, now=START)
        await session.flush()
        await session.rollback()

    await a_worker().drain()

    assert await counted("messages") == 0


async def test_an_uncommitted_fact_waits_for_its_transaction(
    a_worker: Subscribe, town_sessions: Sessions, counted: Counted, fact: facts.WishApproved
) -> None:
    async with town_sessions.begin() as session:
        outbox.record(session, fact, now=START)
        await session.flush()
        await a_worker().drain()
        assert await counted("messages") == 0

    await a_worker().drain()

    assert await counted("messages") == 1


async def test_the_same_fact_told_twice_leaves_one_message(
    a_worker: Subscribe, record: Record, counted: Counted, fact: facts.WishApproved
) -> None:
    await record(fact, fact)
    await a_worker().drain()
    await record(fact)
    await a_worker().drain()

    assert await counted("messages") == 1


async def test_a_subscriber_that_fails_is_tried_again(
    a_worker: Subscribe, record: Record, counted: Counted, fact: facts.WishApproved
) -> None:
    tries: list[datetime] = []

    async def fails_twice(_: AsyncSession, __: object, now: datetime) -> None:
        tries.append(now)
        if len(tries) < 3:
            raise RuntimeError("not yet")

    await record(fact)
    await a_worker(fails_twice).drain()

    assert len(tries) == 3
    assert await counted("messages") == 1
    assert await counted("jobs") == 0


@pytest.mark.slow
async def test_a_delivery_that_keeps_failing_is_parked_and_can_be_seen_and_tried_again(
    a_worker: Subscribe, record: Record, counted: Counted, fact: facts.WishApproved
) -> None:
    await record(fact)
    broken = a_worker(fails)

    await broken.drain()

    assert [item.fact for item in await broken.parked()] == ["WishApproved"]
    assert await counted("jobs") == 1
    # The one beside it was told all the same, and the worker goes on with others.
    assert await counted("messages") == 1

    mended = a_worker()
    assert await mended.retry_parked() == 1
    await mended.drain()

    assert (await mended.parked(), await counted("jobs"), await counted("messages")) == ([], 0, 1)


@pytest.mark.slow
async def test_one_broken_delivery_does_not_hold_up_the_others(
    a_worker: Subscribe, record: Record, counted: Counted, fact: facts.WishApproved
) -> None:
    good = [facts.WishApproved(community_id=HERE, wish_id=new_id(), asked_by=fact.asked_by) for _ in range(5)]

    async def fails_for_one(_: AsyncSession, told: facts.WishApproved, __: datetime) -> None:
        if told.wish_id == fact.wish_id:
            raise RuntimeError("this one")

    await record(fact, *good)
    worker = a_worker(fails_for_one)
    await worker.drain()

    assert len(await worker.parked()) == 1
    assert await counted("messages") == 6


async def test_many_are_read_together_and_one_that_cannot_be_read_fails_alone(
    a_worker: Subscribe, record: Record, counted: Counted, fact: facts.WishApproved
) -> None:
    good = [
        facts.WishApproved(community_id=HERE, wish_id=new_id(), asked_by=fact.asked_by) for _ in range(TOLD_TOGETHER)
    ]
    read: list[int] = []

    async def fails_for_one(_: AsyncSession, told: Sequence[facts.WishApproved], __: datetime) -> None:
        read.append(len(told))
        if fact in told:
            raise RuntimeError("this one")

    await record(*good)
    worker = a_worker(readers=[fails_for_one])
    worker.first_pause = timedelta(hours=1)
    await worker.relay()
    await record(fact, *good[:3])
    await worker.relay()
    running = asyncio.create_task(worker.run())

    async def only_the_broken_one_waits() -> bool:
        # Its message was left all the same, by the reader that works.
        return (await counted("messages"), await counted("jobs")) == (TOLD_TOGETHER + 1, 1)

    await _until(only_the_broken_one_waits)
    worker.stop.set()
    await running
    assert sorted(read) == [1, 1, 1, 1, 4, TOLD_TOGETHER]


async def test_two_workers_relay_and_deliver_without_doubles(
    a_worker: Subscribe, record: Record, counted: Counted, fact: facts.WishApproved
) -> None:
    told: list[object] = []

    async def hear(_: AsyncSession, one: facts.WishApproved, __: datetime) -> None:
        told.append(one.wish_id)

    many = [facts.WishApproved(community_id=HERE, wish_id=new_id(), asked_by=fact.asked_by) for _ in range(450)]
    await record(*many)

    one, other = a_worker(hear), a_worker(hear)
    relayed = await asyncio.gather(one.relay(), other.relay(), one.relay(), other.relay())
    await asyncio.gather(one.drain(), other.drain())

    assert sum(relayed) <= 450
    assert len(told) == len(set(told)) == 450
    assert await counted("messages") == 450


async def test_a_fact_of_another_release_is_parked_and_not_dropped(
    a_worker: Subscribe, record: Record, town_database: Database, fact: facts.WishApproved
) -> None:
    await record(fact)
    owner = await asyncpg.connect(town_database.superuser_url)
    try:
        await owner.execute("UPDATE outbox SET fact = 'WishForgotten'")
    finally:
        await owner.close()

    worker = a_worker()
    await worker.drain()

    assert [item.fact for item in await worker.parked()] == ["WishForgotten"]


async def test_drain_does_what_waits_and_returns(a_worker: Subscribe, counted: Counted) -> None:
    await a_worker().drain()
    await a_worker().drain()

    assert await counted("jobs") == 0


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_worker_killed_in_the_middle_leaves_the_delivery_to_the_next(
    a_worker: Subscribe,
    record: Record,
    counted: Counted,
    town_database: Database,
    fact: facts.WishApproved,
    when: str,
) -> None:
    await record(fact)
    victim = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.worker.hanging",
        town_database.app_url,
        when,
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    assert victim.stdout is not None
    with anyio.fail_after(60):
        assert await victim.stdout.readline() == b"delivering\n"
    os.kill(victim.pid, signal.SIGKILL)
    await victim.wait()
    owner = await asyncpg.connect(town_database.superuser_url)
    try:
        # Its last sign of life was half a minute ago, as far as the next worker can tell.
        await owner.execute("UPDATE jobs.pgqueuer SET heartbeat = heartbeat - interval '31 seconds'")
    finally:
        await owner.close()

    await a_worker().drain()
    await a_worker().drain()

    assert await counted("messages") == 1
    assert await counted("jobs") == 0


async def test_a_running_worker_delivers_and_stops_when_told(
    a_worker: Subscribe, record: Record, counted: Counted, fact: facts.WishApproved
) -> None:
    worker = a_worker()
    running = asyncio.create_task(worker.run())
    await record(fact)

    async def arrived() -> bool:
        return await counted("messages") == 1

    await _until(arrived)
    worker.stop.set()

    with anyio.fail_after(30):
        await running
    assert (await counted("messages"), await counted("jobs")) == (1, 0)


async def test_a_subscriber_sees_the_facts_own_types(
    a_worker: Subscribe, record: Record, fact: facts.WishApproved
) -> None:
    heard: list[facts.WishApproved] = []

    async def hear(_: AsyncSession, one: facts.WishApproved, __: datetime) -> None:
        heard.append(one)

    await record(fact)
    await a_worker(hear).drain()

    assert heard == [fact]


@pytest.mark.slow
async def test_what_a_failing_subscriber_wrote_is_undone(
    a_worker: Subscribe, record: Record, counted: Counted, fact: facts.WishApproved
) -> None:
    async def sends_and_fails(session: AsyncSession, one: facts.WishApproved, now: datetime) -> None:
        await send(session, [one], now)
        raise RuntimeError("after the message")

    await record(fact)
    await a_worker(sends_and_fails, messages=False).drain()

    assert await counted("messages") == 0
