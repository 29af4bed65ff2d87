"""However many workers there are, each test is dealt once, and what is slow comes first in the share of one worker."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.order import dealt


@dataclass(frozen=True)
class Stand:
    """A test as the order sees it."""

    path: Path
    name: str
    marks: frozenset[str] = frozenset()

    def get_closest_marker(self, name: str) -> object | None:
        return name if name in self.marks else None


def a_file(name: str, count: int, *marks: str) -> list[Stand]:
    """Its last test has the marks."""
    plain = [Stand(Path(name), str(number)) for number in range(count - 1)]
    return [*plain, Stand(Path(name), "last", frozenset(marks))]


FILES = [
    a_file("access", 9),
    a_file("browser", 5, "slow", "browser"),
    a_file("fund", 31),
    a_file("machine", 7, "slow"),
    a_file("pace", 2, "browser"),
    a_file("wishes", 1),
]
TESTS = [test for file in FILES for test in file]


@pytest.mark.parametrize("workers", range(1, 9))
def test_every_test_is_dealt_once(workers: int) -> None:
    assert len(dealt(TESTS, workers)) == len(TESTS)
    assert set(dealt(TESTS, workers)) == set(TESTS)


def test_alone_nothing_is_moved() -> None:
    assert dealt(TESTS, 1) == TESTS


def test_each_of_two_begins_with_what_is_slow() -> None:
    order = dealt(TESTS, 2)
    half = len(order) // 2

    assert order[:5] == FILES[1]
    assert order[half : half + 7] == FILES[3]
    assert not any("slow" in test.marks for test in [*order[5:half], *order[half + 7 :]])


def test_more_that_is_slow_than_a_share_is_dealt_all_the_same() -> None:
    slow = a_file("browser", 60, "slow", "browser")

    assert dealt([*TESTS, *slow], 2)[: 5 + 60] == [*FILES[1], *slow]
