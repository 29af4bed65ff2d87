"""Statements of many callers that wait for each other anyway go to the database as one.

A scan at a counter takes the head of its book, so of scans that come at the same moment all but one would wait there, each with a
connection, a transaction and a flush to disk of its own. Here the first goes at once, whoever comes meanwhile is gathered, and
the next call takes them all. There is no timer, and a lone caller waits for nobody.

What a batch is silent about, or breaks on, each caller asks alone: one caller's trouble is never another's. A batch that takes
long, because somebody holds one of its rows, is not waited for either: the next goes beside it.
"""

import asyncio
import contextvars
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from sqlalchemy.exc import TimeoutError as NoConnection

Question = TypeVar("Question")
Answer = TypeVar("Answer")

MOST = 64
"""Callers in one batch: by then what they share is nearly all they cost."""
SLOW_MOST = 3
"""Batches of one group that may take long beside each other: each of them holds a connection."""


@dataclass(frozen=True, slots=True)
class Kind(Generic[Question, Answer]):
    """How something is asked. `many` answers in the order asked, with None for whom it has nothing to say."""

    alone: Callable[[Question], Awaitable[Answer]]
    many: Callable[[Sequence[Question]], Awaitable[Sequence[Answer | None]]]


@dataclass(eq=False, slots=True)
class _Asked:
    question: Any
    rows: frozenset[Hashable]
    answer: asyncio.Future[Any]


_ALONE = object()


@dataclass(eq=False)
class Together:
    """One for each process. `patience` is how many seconds of a batch the next one waits."""

    patience: float = 1.0
    _queues: dict[Hashable, deque[_Asked]] = field(default_factory=dict, init=False)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set, init=False)
    _running: dict[Hashable, set[asyncio.Task[None]]] = field(default_factory=dict, init=False)

    async def ask(
        self, kind: Kind[Question, Answer], group: Hashable, question: Question, rows: frozenset[Hashable]
    ) -> Answer:
        """Ask, with others of the same kind and group that wait now, none of whom shares one of `rows`.

        Raises what `kind.alone` raises. A caller who is cancelled does not learn what happened.
        """
        asked = _Asked(question, rows, asyncio.get_running_loop().create_future())
        name = (kind, group)
        if name in self._queues:
            self._queues[name].append(asked)
        else:
            self._queues[name] = deque([asked])
            # A context of its own: it works for all callers and must not look like the request of the first.
            task = asyncio.get_running_loop().create_task(self._work(kind, name), context=contextvars.Context())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        answer = await asked.answer
        return await kind.alone(question) if answer is _ALONE else answer

    @property
    def is_busy(self) -> bool:
        """True while somebody's question is with the database."""
        return bool(self._queues)

    @property
    def waiting(self) -> int:
        """Callers who wait for the next batch."""
        return sum(map(len, self._queues.values()))

    async def close(self) -> None:
        """Return when everybody was answered."""
        while tasks := self._tasks.union(*self._running.values()):
            await asyncio.wait(tasks)

    async def _work(self, kind: Kind[Any, Any], name: Hashable) -> None:
        """Until nobody waits. The queue exists as long as somebody works on it."""
        queue = self._queues[name]
        try:
            while batch := _pack(queue):
                answering = self._answering(kind, name, batch)
                await asyncio.wait([answering], timeout=self.patience)
                while len(slow := self._running.get(name, ())) > SLOW_MOST:
                    await asyncio.wait(slow, return_when=asyncio.FIRST_COMPLETED)
        finally:
            del self._queues[name]
            for asked in queue:
                _tell(asked, _ALONE)

    def _answering(self, kind: Kind[Any, Any], name: Hashable, batch: Sequence[_Asked]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(_answer(kind, batch))
        self._running.setdefault(name, set()).add(task)

        def over(done: asyncio.Task[None]) -> None:
            self._running[name].discard(done)
            if not self._running[name]:
                del self._running[name]

        task.add_done_callback(over)
        return task


def _pack(queue: deque[_Asked]) -> list[_Asked]:
    """The next batch. Of those about the same row one goes, and the others wait for the next; who went away is left out."""
    batch, later, rows = list[_Asked](), list[_Asked](), set[Hashable]()
    while queue and len(batch) < MOST:
        asked = queue.popleft()
        if asked.answer.done():
            continue
        if rows & asked.rows:
            later.append(asked)
        else:
            rows |= asked.rows
            batch.append(asked)
    queue.extendleft(reversed(later))
    return batch


async def _answer(kind: Kind[Any, Any], batch: Sequence[_Asked]) -> None:
    answers: Sequence[Any] = ()
    try:
        if len(batch) == 1:
            answers = [await kind.alone(batch[0].question)]
        else:
            found = await kind.many([one.question for one in batch])
            answers = [_ALONE if one is None else one for _, one in zip(batch, found, strict=True)]
    except (TimeoutError, NoConnection) as problem:
        # Asked again by each at once, it would take all connections and hardly end better.
        answers = [problem] * len(batch)
    except Exception as problem:  # noqa: BLE001  (told to the caller whose question it is, or asked again by each)
        answers = [problem if len(batch) == 1 else _ALONE] * len(batch)
    finally:
        for asked, answer in zip(batch, answers or [_ALONE] * len(batch), strict=True):
            _tell(asked, answer)


def _tell(asked: _Asked, answer: Any) -> None:
    """Answer, unless the caller went away."""
    if asked.answer.done():
        return
    if isinstance(answer, Exception):
        asked.answer.set_exception(answer)
        asked.answer.exception()  # A caller who goes away in this very moment is no unheard error.
    else:
        asked.answer.set_result(answer)
