"""The door for many at once: journals that callers of one process ask for are posted together.

A transaction of its own for every journal makes each wait for the head of the book and for the disk. Here the first
caller goes at once, whoever comes meanwhile is gathered, and the next batch takes them all: there is no timer, and a lone
caller waits for nobody. The journals stay independent of each other, and a caller is answered after the commit.

A batch is one statement that is its own transaction, with its business rows too (`Effect`): the head is never held during
a round trip. Lock order is as everywhere: business rows first, in sorted order, the head last, nothing after it. A caller
must hold no locks of a transaction of its own while it waits here, nor a connection of the pool.
"""

import asyncio
import contextvars
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from ledger.journal import post_many, post_many_with
from ledger.refusals import TooBusy
from ledger.rules import Effect, Journal, Posted

Autocommit = Callable[[], AbstractAsyncContextManager[AsyncSession]]
"""Opens a session whose one statement is its own transaction, so that the server commits without another round trip."""


class OutcomeUnknown(Exception):
    """The connection was lost too often to learn what became of the journal. Ask again with the same reference."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much at once. The defaults were measured, see docs/decisions."""

    journals: int = 128
    """In one batch."""
    steps: int = 1024
    """In one batch, unless its first journal alone has more."""
    waiting: int = 4096
    """Callers without an answer; the next one is refused. They wait a quarter of a second when the database is well."""
    posters: int = 2
    """Batches under way: one is packed while the other executes, and two books go side by side."""
    pauses: tuple[float, ...] = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
    """Seconds between tries after a lost connection."""


@dataclass(eq=False, slots=True)
class _Asked:
    book: int
    journal: Journal
    now: datetime
    effect: Effect | None
    answer: asyncio.Future[Posted]

    def tell(self, verdict: Posted | BaseException) -> None:
        """Answer, unless the caller went away."""
        if self.answer.done():
            return
        if isinstance(verdict, Posted):
            self.answer.set_result(verdict)
        else:
            self.answer.set_exception(verdict)
            self.answer.exception()  # A caller who goes away in this very moment is no unheard error.


Batch = Sequence[_Asked]
Queue = tuple[int, str | None]
"""Whose journals may go together: of one book, with one kind of rows."""


@dataclass(eq=False)
class GroupPoster:
    """One for each process. `comes_again` tells errors after which the same may be sent again from all others."""

    session: Autocommit
    comes_again: Callable[[BaseException], bool]
    limits: Limits = field(default_factory=Limits)
    _queues: dict[Queue, deque[_Asked]] = field(default_factory=dict, init=False)
    _queued: int = field(default=0, init=False)
    _under_way: list[Batch] = field(default_factory=list, init=False)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set, init=False)
    _running: int = field(default=0, init=False)
    _closed: bool = field(default=False, init=False)

    async def post(self, book: int, journal: Journal, *, now: datetime, effect: Effect | None = None) -> Posted:
        """Post a journal in a transaction of its own or with others; committed when this returns.

        Raises the journal's refusal, `EffectRefused`, `TooBusy` if nothing was even tried, `OutcomeUnknown`, or what broke
        it. A caller who is cancelled does not learn what happened: the journal is posted or not, and the reference tells.
        """
        if self._closed or self._queued + sum(map(len, self._under_way)) >= self.limits.waiting:
            raise TooBusy(reference=journal.reference)
        asked = _Asked(book, journal, now, effect, asyncio.get_running_loop().create_future())
        self._queues.setdefault((book, effect.kind if effect else None), deque()).append(asked)
        self._queued += 1
        self._start(book)
        return await asked.answer

    async def close(self, *, patience_seconds: float = 10) -> None:
        """Take no more, and return when everybody was answered; who is not in time learns that the outcome is unknown."""
        self._closed = True
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=patience_seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        for queue in self._queues.values():
            for asked in queue:
                asked.tell(TooBusy(reference=asked.journal.reference))
        self._queues.clear()
        self._queued = 0

    def _start(self, book: int) -> None:
        """Another poster pays when a batch is full already, or when nobody is busy with this book."""
        busy = any(batch[0].book == book for batch in self._under_way)
        if self._running and (self._running >= self.limits.posters or (busy and self._queued < self.limits.journals)):
            return
        self._running += 1
        # A context of its own: the poster works for all callers and must not look like the request of the first.
        task = asyncio.get_running_loop().create_task(self._work(), context=contextvars.Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self) -> None:
        try:
            while batch := self._pack():
                self._under_way.append(batch)
                try:
                    await self._deliver(batch)
                finally:
                    self._under_way.remove(batch)
                    for asked in batch:
                        asked.tell(_unknown(ConnectionAbortedError("the process is stopping")))
        finally:
            self._running -= 1

    def _pack(self) -> Batch:
        """The next batch of one queue; the queues take turns. Who was cancelled while waiting is left out.

        Of those who want to change the same row one goes and the others wait for the next batch: what is judged of a row
        before a batch is then true for all of it.
        """
        while self._queues:
            name = next(iter(self._queues))
            queue = self._queues.pop(name)
            batch: list[_Asked] = []
            steps, rows, later = 0, set[str](), list[_Asked]()
            while queue and len(batch) < self.limits.journals:
                steps += len(queue[0].journal.legs)
                if batch and steps > self.limits.steps:
                    break
                asked = queue.popleft()
                if asked.effect is not None:
                    if asked.effect.row in rows:
                        later.append(asked)
                        continue
                    rows.add(asked.effect.row)
                self._queued -= 1
                if not asked.answer.done():
                    batch.append(asked)
            queue.extendleft(reversed(later))
            if queue:
                self._queues[name] = queue
            if batch:
                return batch
        return []

    async def _deliver(self, batch: Batch) -> None:
        """Post a batch and answer. What fails as a whole is halved, so that what is broken fails alone."""
        try:
            verdicts = await self._insist(batch)
        except OutcomeUnknown as lost:
            for asked in batch:
                asked.tell(_unknown(lost.__cause__))
        except Exception as problem:  # noqa: BLE001  (told to the caller whose journal it is)
            if len(batch) == 1:
                batch[0].tell(problem)
                return
            middle = len(batch) // 2
            await self._deliver(batch[:middle])
            await self._deliver(batch[middle:])
        else:
            for asked, verdict in zip(batch, verdicts, strict=True):
                asked.tell(verdict)

    async def _insist(self, batch: Batch) -> Sequence[Posted | Exception]:
        """Post, and after a lost connection send the same references again: what was committed is then a replay."""
        for pause in (*self.limits.pauses, None):
            try:
                return await self._post(batch)
            except Exception as problem:
                if not self.comes_again(problem):
                    raise
                if pause is None:
                    raise _unknown(problem) from problem
                await asyncio.sleep(pause)
        raise AssertionError  # pragma: no cover  (the last pause is None)

    async def _post(self, batch: Batch) -> Sequence[Posted | Exception]:
        book, now = batch[0].book, max(asked.now for asked in batch)
        journals = [asked.journal for asked in batch]
        effects = [asked.effect for asked in batch if asked.effect is not None]
        async with self.session() as session:
            if effects:
                return await post_many_with(session, book, journals, effects, now=now)
            return await post_many(session, book, journals, now=now)


def _unknown(cause: BaseException | None) -> OutcomeUnknown:
    """One for each caller: an exception that is raised in many places collects all their traces."""
    unknown = OutcomeUnknown(str(cause))
    unknown.__cause__ = cause
    return unknown
