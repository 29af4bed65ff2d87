"""The order in which parallel workers take the tests, so that they end together and make nothing twice.

Every worker begins with an equal share of the list; one that is through takes over the second half of what another still
has. So each share begins with whole files that have slow tests, those of the browser in the first share, the others in the
second, and ends with what is quick: what is taken over at the end is short, and a file whose tests share something dear, as
the walk of all pages, stays with one worker.
"""

from collections.abc import Hashable, Iterable, Sequence
from itertools import chain, groupby, islice
from typing import Protocol, TypeVar


class Test(Protocol):
    """What is asked of a test: its file, and which marks it has."""

    @property
    def path(self) -> Hashable:
        """Its file."""

    def get_closest_marker(self, name: str) -> object | None:
        """The mark of this name, or None."""


Item = TypeVar("Item", bound=Test)


def dealt(items: Sequence[Item], workers: int) -> list[Item]:
    """The same tests; those of a file stay in their order, and together but where a share ends."""
    if workers < 2:
        return list(items)
    files = [list(tests) for _, tests in groupby(items, key=lambda item: item.path)]
    piles = {pile: [file for file in files if pile_of(file) == pile] for pile in ("browser", "slow", "quick")}
    shares = [joined(piles["browser"]), joined(piles["slow"]), *([] for _ in range(workers - 2))]
    quick = iter(joined(piles["quick"]))
    for place, share in enumerate(shares[:-1]):
        # As the scheduler cuts the list: each worker gets its part of what is left.
        left = len(items) - sum(map(len, shares[:place]))
        share.extend(islice(quick, max(0, left // (workers - place) - len(share))))
    return joined([*shares, list(quick)])


def pile_of(file: Iterable[Item]) -> str:
    """Which pile a file lies on."""
    slow = [test for test in file if test.get_closest_marker("slow")]
    if not slow:
        return "quick"
    return "browser" if any(test.get_closest_marker("browser") for test in slow) else "slow"


def joined(files: Iterable[list[Item]]) -> list[Item]:
    """One list of all."""
    return list(chain.from_iterable(files))
