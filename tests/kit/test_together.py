"""Questions that wait for each other go together, and nobody's trouble is another's."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from service.kit.together import MOST, SLOW_MOST, Kind, Together

pytestmark = pytest.mark.anyio


class Broken(Exception):
    pass


@dataclass
class Clerk:
    """Doubles numbers. Whoever is asked waits until the gate is open; many know nothing of what is odd to them."""

    gate: asyncio.Event = field(default_factory=asyncio.Event)
    batches: list[list[int]] = field(default_factory=list)
    alone: list[int] = field(default_factory=list)
    odd: frozenset[int] = frozenset()
    breaks: bool = False
    times_out: bool = False

    async def one(self, number: int) -> int:
        self.alone.append(number)
        await self.gate.wait()
        if number < 0:
            raise Broken(number)
        return number * 2

    async def many(self, numbers: Sequence[int]) -> list[int | None]:
        self.batches.append(list(numbers))
        if self.breaks:
            raise Broken
        if self.times_out:
            raise TimeoutError
        return [None if number in self.odd else number * 2 for number in numbers]

    def kind(self) -> Kind[int, int]:
        return Kind(self.one, self.many)


async def asked(together: Together, kind: Kind[int, int], numbers: Sequence[int], rows: int | None = None):
    """One task for each, all of which wait by now."""
    tasks = [
        asyncio.create_task(together.ask(kind, "here", n, frozenset() if rows is None else frozenset({n % rows})))
        for n in numbers
    ]
    await asyncio.sleep(0)
    return tasks


async def test_who_comes_first_goes_at_once_and_the_others_together():
    clerk, together = Clerk(), Together()
    kind = clerk.kind()
    first = await asked(together, kind, [1])
    await asyncio.sleep(0)
    rest = await asked(together, kind, range(2, 10))
    clerk.gate.set()

    assert await asyncio.gather(*first, *rest) == [n * 2 for n in range(1, 10)]
    assert clerk.alone == [1]
    assert clerk.batches == [list(range(2, 10))]


async def test_a_lone_caller_is_never_made_to_wait():
    clerk, together = Clerk(), Together()
    clerk.gate.set()
    for number in range(3):
        assert await together.ask(clerk.kind(), "here", number, frozenset()) == number * 2
    assert clerk.alone == [0, 1, 2]
    assert clerk.batches == []


async def test_groups_do_not_mix():
    clerk, together = Clerk(), Together()
    clerk.gate.set()
    kind = clerk.kind()
    await asyncio.gather(*(together.ask(kind, n % 4, n, frozenset()) for n in range(4)))
    assert clerk.batches == []


async def test_no_two_about_one_row_in_a_batch_and_none_larger_than_agreed():
    clerk, together = Clerk(), Together()
    clerk.gate.set()
    kind = clerk.kind()
    same = await asked(together, kind, range(8), rows=4)
    assert await asyncio.gather(*same) == [n * 2 for n in range(8)]
    assert clerk.batches == [[0, 1, 2, 3], [4, 5, 6, 7]]

    clerk.batches.clear()
    many = await asked(together, kind, range(MOST + 3))
    await asyncio.gather(*many)
    assert [len(batch) for batch in clerk.batches] == [MOST, 3]


async def test_what_many_are_silent_about_is_asked_alone():
    clerk, together = Clerk(odd=frozenset({2, 3})), Together()
    clerk.gate.set()
    tasks = await asked(together, clerk.kind(), range(5))
    assert await asyncio.gather(*tasks) == [0, 2, 4, 6, 8]
    assert sorted(clerk.alone) == [2, 3]


async def test_a_batch_that_breaks_is_asked_one_by_one_and_each_hears_its_own():
    clerk, together = Clerk(breaks=True), Together()
    clerk.gate.set()
    tasks = await asked(together, clerk.kind(), [1, -2, 3])
    first, second, third = await asyncio.gather(*tasks, return_exceptions=True)
    assert [first, third] == [2, 6]
    assert isinstance(second, Broken)


async def test_who_goes_away_is_left_out_and_the_others_are_answered():
    clerk, together = Clerk(), Together()
    kind = clerk.kind()
    first = await asked(together, kind, [1])
    await asyncio.sleep(0)
    rest = await asked(together, kind, [2, 3, 4])
    first[0].cancel()
    rest[1].cancel()
    await asyncio.sleep(0)
    clerk.gate.set()

    assert await asyncio.gather(*rest[::2]) == [4, 8]
    assert clerk.batches == [[2, 4]]


async def test_closing_waits_for_the_answers():
    clerk, together = Clerk(), Together()
    tasks = await asked(together, clerk.kind(), [1, 2, 3])
    closing = asyncio.create_task(together.close())
    await asyncio.sleep(0)
    clerk.gate.set()
    await closing
    assert [task.done() for task in tasks] == [True] * 3


async def test_who_takes_long_is_not_waited_for():
    clerk, together = Clerk(), Together(patience=0)
    kind = clerk.kind()
    [held] = await asked(together, kind, [1])
    await asyncio.sleep(0)
    rest = await asked(together, kind, [2, 3])
    assert await asyncio.gather(*rest) == [4, 6]
    assert not held.done()
    clerk.gate.set()
    assert await held == 2


async def test_only_so_many_take_long_beside_each_other():
    clerk, together = Clerk(), Together(patience=0)
    kind = clerk.kind()
    tasks = []
    for number in range(SLOW_MOST + 3):
        tasks += await asked(together, kind, [number], rows=1)
        await asyncio.sleep(0.01)
    assert clerk.alone == list(range(SLOW_MOST + 1))
    clerk.gate.set()
    assert await asyncio.gather(*tasks) == [n * 2 for n in range(SLOW_MOST + 3)]


async def test_when_the_time_is_over_nobody_asks_again():
    clerk, together = Clerk(times_out=True), Together()
    clerk.gate.set()
    tasks = await asked(together, clerk.kind(), [1, 2, 3])
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(answer) for answer in answers] == [TimeoutError] * 3
    assert clerk.alone == []
