"""Tells facts to whoever subscribed, and does the work that falls due with time.

Actions write facts into our own outbox, in the transaction that made them true. A relay hands them to the job queue in
one transaction, and the queue delivers each at least once, with growing pauses after a failure. A job that keeps failing
is parked, never dropped. Several workers may run at once.
"""

import asyncio
import contextlib
import functools
import os
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec
import sqlalchemy as sa
import structlog
from pgqueuer import PgQueuer
from pgqueuer.core.executors import DatabaseRetryEntrypointExecutor
from pgqueuer.db import AsyncpgDriver
from pgqueuer.models import Job
from pgqueuer.queries import Queries
from pgqueuer.types import JobId, QueueExecutionMode
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel.ext.asyncio.session import AsyncSession

from service import facts
from service.kit.clock import Clock
from service.kit.db import Sessions, is_connection_trouble, open_connection, raw, transaction
from service.kit.manifest import Manifest, Reader, Subscriber, Timed, TimedWork, Watch
from service.kit.outbox import Fact
from service.kit.read_only import ReadOnly, is_about_writing

os.environ.setdefault("PGQUEUER_SCHEMA", "jobs")

RELAY_BATCH = 200
RELAY_PAUSE_SECONDS = 0.5
TOLD_TOGETHER = 50
"""So many facts are told at once to those who read many: a message costs little beside a job and a transaction."""
RECONNECT_SECONDS = 2.0
TIMED_ROUNDS_MAX = 1000
PARKED_SHOWN = 1000
RETRIES_MAX = 8
"""Over about five minutes; then the delivery is parked until somebody looks."""

_TAKE = sa.text("""
WITH waiting AS MATERIALIZED (
    SELECT o.community_id, o.outbox_id FROM outbox o WHERE o.relayed_at IS NULL
     ORDER BY o.outbox_id LIMIT :limit FOR UPDATE SKIP LOCKED
), taken AS (
    UPDATE outbox o SET relayed_at = :now FROM waiting w
     WHERE o.community_id = w.community_id AND o.outbox_id = w.outbox_id
    RETURNING o.outbox_id, o.fact, o.payload
)
SELECT t.fact, t.payload FROM taken t ORDER BY t.outbox_id
""").columns(sa.column("fact", sa.Text), sa.column("payload", JSONB))
"""The facts that wait, the oldest first; whoever takes them marks them, in the transaction that queues them."""

log = structlog.get_logger("linli.worker")


class Told(msgspec.Struct):
    """One fact, as a job carries it: a job for subscribers one, a job for readers many."""

    fact: str
    body: dict[str, object]


@dataclass(frozen=True, slots=True)
class Parked:
    """A delivery that failed too often."""

    job_id: int
    fact: str
    since: datetime


def _told(job: Job) -> Sequence[Told]:
    """What a job carries."""
    told = msgspec.json.decode(job.payload or b"", type=Told | list[Told])
    return told if isinstance(told, list) else [told]


def _fact(told: Told) -> Fact:
    """The fact in its own types; raises for one of another release."""
    found: Fact = msgspec.convert(told.body, getattr(facts, told.fact))
    return found


async def _enqueue(session: AsyncSession, jobs: Sequence[tuple[str, bytes]]) -> None:
    """Hand jobs to the queue in this transaction."""
    names, bodies = zip(*jobs, strict=True)
    queue = Queries(AsyncpgDriver(await raw(session)))
    await queue.enqueue(list(names), list(bodies), [0] * len(jobs))


@dataclass(slots=True)
class Worker:
    """Relay, deliver and do timed work until `stop` is set."""

    sessions: Sessions
    clock: Clock
    slices: Sequence[Manifest]
    database_url: str
    read_only: ReadOnly = field(default_factory=ReadOnly)
    """What the engine of `sessions` knows; while nothing may be written the worker waits."""
    first_pause: timedelta = timedelta(seconds=1)
    """Before a failed delivery is tried again; it doubles with every failure."""
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def subscribers(self) -> Mapping[str, Sequence[Subscriber]]:
        """Who wants to hear of what, by the fact's name."""
        found: dict[str, list[Subscriber]] = {}
        for item in self.slices:
            for fact, listeners in item.subscribers.items():
                found.setdefault(fact.__name__, []).extend(listeners)
        return found

    @property
    def readers(self) -> Mapping[str, Sequence[Reader]]:
        """Who wants to hear of what, many facts at once."""
        found: dict[str, list[Reader]] = {}
        for item in self.slices:
            for fact, listeners in item.readers.items():
                found.setdefault(fact.__name__, []).extend(listeners)
        return found

    async def run(self) -> None:
        """Work until told to stop. A lost database is waited for; nothing is lost meanwhile."""
        watches = [each for item in self.slices for each in item.watches]
        await asyncio.gather(
            self._keep_at(self._relay_forever),
            self._keep_at(self._deliver_forever),
            self._keep_at(self._time_forever),
            *(self._keep_at(functools.partial(self._watch_forever, each)) for each in watches),
        )

    async def drain(self) -> None:
        """Relay and deliver everything that waits now, then return: for tests and commands."""
        while await self.relay():
            pass
        await self._deliver(QueueExecutionMode.drain)

    async def relay(self) -> int:
        """Hand one batch of facts to the queue; answers how many."""
        now = self.clock()
        async with transaction(self.sessions) as session:
            rows = (await session.execute(_TAKE, {"limit": RELAY_BATCH, "now": now})).all()
            if not rows:
                return 0
            # What is not known here goes alone: a worker of another release may know it, or it is parked.
            kinds = self.readers.keys() - self.subscribers.keys()
            read = [Told(row.fact, row.payload) for row in rows if row.fact in kinds]
            alone = [
                ("fact", msgspec.json.encode(Told(row.fact, row.payload))) for row in rows if row.fact not in kinds
            ]
            groups = [read[at : at + TOLD_TOGETHER] for at in range(0, len(read), TOLD_TOGETHER)]
            await _enqueue(session, alone + [("facts", msgspec.json.encode(group)) for group in groups])
        return len(rows)

    async def tell(self, told: Told) -> None:
        """Deliver one fact to everybody who wants to hear of it, each in a transaction of its own."""
        fact = _fact(told)
        for reader in self.readers.get(told.fact, ()):
            async with transaction(self.sessions) as session:
                await reader(session, [fact], self.clock())
        for listener in self.subscribers.get(told.fact, ()):
            async with transaction(self.sessions) as session:
                await listener(session, fact, self.clock())

    async def tell_together(self, told: Sequence[Told]) -> None:
        """Deliver facts to those who read many, in one transaction. If that fails each comes again alone, to fail alone."""
        try:
            heard: dict[Reader, list[Fact]] = {}
            for one in told:
                for reader in self.readers.get(one.fact, ()):
                    heard.setdefault(reader, []).append(_fact(one))
            async with transaction(self.sessions) as session:
                for reader, read in heard.items():
                    await reader(session, read, self.clock())
        except Exception as error:
            if is_connection_trouble(error) or is_about_writing(error):
                raise
            log.warning("worker.told_one_by_one", error=type(error).__name__, facts=len(told))
            async with transaction(self.sessions) as session:
                await _enqueue(session, [("fact", msgspec.json.encode(one)) for one in told])

    async def parked(self) -> Sequence[Parked]:
        """Deliveries that failed too often and wait for somebody to look, the oldest first."""
        async with self._queue() as queue:
            jobs = await queue.list_failed_jobs(PARKED_SHOWN, order="ASC")
        return [Parked(job.id, _told(job)[0].fact, job.created) for job in jobs]

    async def retry_parked(self) -> int:
        """Put parked deliveries back into the queue, once their cause is mended; answers how many."""
        waiting = await self.parked()
        async with self._queue() as queue:
            await queue.requeue_jobs([JobId(item.job_id) for item in waiting])
        return len(waiting)

    @contextlib.asynccontextmanager
    async def _queue(self) -> AsyncIterator[Queries]:
        connection = await open_connection(self.database_url)
        try:
            yield Queries(AsyncpgDriver(connection))
        finally:
            await connection.close()

    async def do_timed(self, timed: Timed, now: datetime) -> int:
        """Do one kind of due work, a batch at a time; another worker at the same work makes this one stand back."""
        done = 0
        for _ in range(TIMED_ROUNDS_MAX):
            count = await self._do_once(timed.name, timed.work, now)
            done += count
            if count == 0:
                return done
        return done

    async def _do_once(self, name: str, work: TimedWork, now: datetime) -> int:
        """One batch, in a transaction of its own; none while another worker is at it."""
        async with transaction(self.sessions) as session:
            mine = await session.execute(
                sa.select(sa.func.pg_try_advisory_xact_lock(0x11, zlib.crc32(name.encode()) & 0x7FFFFFFF))
            )
            return await work(session, now) if mine.scalar_one() else 0

    async def _keep_at(self, work: Callable[[], Awaitable[None]]) -> None:
        while not self.stop.is_set():
            try:
                await self._wait_to_write()
                await work()
            except Exception as error:  # a worker outlives any failure; it is logged and tried again
                if is_about_writing(error):
                    log.info("worker.read_only")
                elif is_connection_trouble(error):
                    log.warning("worker.database_unavailable", error=type(error).__name__)
                else:
                    log.exception("worker.failed")
                await self._pause(RECONNECT_SECONDS)

    async def _wait_to_write(self) -> None:
        """Wait while nothing may be written. Each look takes a connection, which says how things stand by itself."""
        while not self.stop.is_set():
            async with self.sessions() as session:
                await session.connection()
            if not self.read_only.is_on:
                return
            await self._pause(RECONNECT_SECONDS)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.stop.wait(), seconds)

    async def _relay_forever(self) -> None:
        while not self.stop.is_set():
            if await self.relay() < RELAY_BATCH:
                await self._pause(RELAY_PAUSE_SECONDS)

    async def _deliver_forever(self) -> None:
        await self._deliver(QueueExecutionMode.continuous)

    async def _deliver(self, mode: QueueExecutionMode) -> None:
        connection = await open_connection(self.database_url)
        try:
            queue = PgQueuer(AsyncpgDriver(connection))
            retry = functools.partial(
                DatabaseRetryEntrypointExecutor, max_attempts=RETRIES_MAX, initial_delay=self.first_pause
            )

            @queue.entrypoint("fact", on_failure="hold", executor_factory=retry)
            async def fact(job: Job) -> None:
                (one,) = _told(job)
                await self.tell(one)

            @queue.entrypoint("facts", on_failure="hold", executor_factory=retry)
            async def facts_together(job: Job) -> None:
                await self.tell_together(_told(job))

            stopper = asyncio.create_task(self._stop_queue(queue))
            try:
                await queue.run(dequeue_timeout=timedelta(seconds=1), mode=mode)
            finally:
                stopper.cancel()
        finally:
            await connection.close()

    async def _stop_queue(self, queue: PgQueuer) -> None:
        await self.stop.wait()
        queue.shutdown.set()

    async def _time_forever(self) -> None:
        due = {timed.name: 0.0 for item in self.slices for timed in item.timed}
        loop = asyncio.get_running_loop()
        while not self.stop.is_set():
            for item in self.slices:
                for timed in item.timed:
                    if loop.time() >= due[timed.name] and not self.stop.is_set():
                        due[timed.name] = loop.time() + timed.every_seconds
                        await self._try_timed(timed)
            await self._pause(1.0)

    async def _watch_forever(self, watch: Watch) -> None:
        while not self.stop.is_set():
            await self._pause(watch.pause(await self._do_once(watch.name, watch.work, self.clock())))

    async def _try_timed(self, timed: Timed) -> None:
        try:
            await self.do_timed(timed, self.clock())
        except Exception as error:  # one kind of work that fails must not starve the kinds after it
            if is_connection_trouble(error) or is_about_writing(error):
                raise
            log.exception("worker.timed_failed", work=timed.name)
