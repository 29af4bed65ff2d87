"""Drawing a sample that can be drawn again, and what may be noted of it. Pure.

The rule of the draw, for whoever wants to repeat it: for k = 0, 1, 2 … take the SHA-256 of the text `seed:k`, read its first
16 bytes as a number, take the remainder by the count of the period's numbers and add the first number of the period. A
number drawn before is skipped; a number that is not the first of a journal is no journal and is skipped too, so that every
journal is as likely as any other, however many transfers it has.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from service.kit.access import Role
from service.kit.refusals import Conflict, Invalid, NotFound

AUDITORS = (Role.AUDITOR,)
"""Who draws and notes."""
READERS = (Role.AUDITOR, Role.ADMIN)
"""Who may see what was drawn and found."""
JOURNALS_MAX = 200
NUMBERS_MAX = 20_000
"""So many numbers of the book are looked up for one sample at most."""
DRAWS_MAX = 400_000
NOTE_LENGTH_MAX = 1_000


class Strata(StrEnum):
    """How a sample is spread."""

    NONE = "none"
    REASON = "reason"
    AMOUNT = "amount"


class Verdict(StrEnum):
    """What was found of one journal."""

    OK = "ok"
    QUESTION = "question"
    FAULT = "fault"


class SampleNotFound(NotFound):
    """There is no such sample in this community."""

    code: ClassVar[str] = "audits.sample_not_found"


class NotInSample(NotFound):
    """The journal was not drawn in this sample."""

    code: ClassVar[str] = "audits.not_in_sample"


@dataclass(eq=False)
class NothingPosted(Conflict):
    """There is nothing to draw from in these days."""

    code: ClassVar[str] = "audits.nothing_posted"


@dataclass(frozen=True, slots=True)
class Drawn:
    """One journal that the draw came upon, with what it is grouped by."""

    journal_id: int
    reason: str
    size: str
    """The power of ten of its largest amount, as people count it: `point 2` is 100 to 999 points."""


def numbers(seed: str, first: int, last: int) -> Iterator[int]:
    """The numbers of a period in the order of the draw, each once, as many as one sample may look up."""
    span = last - first + 1
    seen: set[int] = set()
    for turn in range(DRAWS_MAX):
        digest = hashlib.sha256(f"{seed}:{turn}".encode()).digest()
        number = first + int.from_bytes(digest[:16]) % span
        if number not in seen:
            seen.add(number)
            yield number
            if len(seen) >= min(span, NUMBERS_MAX):
                return


def stratum_of(strata: Strata, drawn: Drawn) -> str:
    """The group a journal falls into."""
    return {Strata.NONE: "", Strata.REASON: drawn.reason, Strata.AMOUNT: drawn.size}[strata]


def chosen(strata: Strata, drawn: Sequence[Drawn], wanted: int) -> Sequence[tuple[Drawn, str]]:
    """The sample out of what was drawn, in the order of the draw.

    In turns: the first of every group, the second of every group, and so on until there are enough; so a rare reason or
    a rare large amount is looked at as often as a common one, as far as there are any.
    """
    turn_of: dict[str, int] = {}
    turns: list[tuple[int, int, Drawn, str]] = []
    for place, each in enumerate(drawn):
        group = stratum_of(strata, each)
        turns.append((turn_of.get(group, 0), place, each, group))
        turn_of[group] = turns[-1][0] + 1
    turns.sort(key=lambda turn: turn[:2])
    return [(each, group) for _, _, each, group in turns[:wanted]]


def size_of(amounts: Mapping[str, int]) -> str:
    """The power of ten of the largest amount, in the unit as people count it."""
    scale = {"point": 100, "fen": 100, "minute": 60}
    powers = {unit: len(str(amount // scale.get(unit, 1))) - 1 for unit, amount in amounts.items()}
    unit = max(powers, key=lambda name: (powers[name], name))
    return f"{unit} {powers[unit]}"


def check_draw(*, since: date, until: date, wanted: int) -> None:
    """A sample has a period that does not end before it begins, and a size somebody can work through."""
    if until < since:
        raise Invalid({"until": "days_order"})
    if not 1 <= wanted <= JOURNALS_MAX:
        raise Invalid({"wanted": "sample_size"})


def check_note(verdict: Verdict, note: str) -> None:
    """A question or a fault says what it is; nothing is endless."""
    if verdict is not Verdict.OK and not note.strip():
        raise Invalid({"note": "required"})
    if len(note) > NOTE_LENGTH_MAX:
        raise Invalid({"note": "too_long"})


PERIOD_DAYS_MAX = 400
"""So many days of decisions are looked at together."""
MANY = 20
"""Fewer decisions than this say nothing about a habit."""


class Oddity(StrEnum):
    """What stands out in how somebody decides, beside the others who decide the same."""

    ALONE = "alone"
    """Nearly everything of its kind is decided by one person though others could."""
    NEVER_REFUSES = "never_refuses"
    """Not one was refused while the others refuse some."""
    QUICK = "quick"
    """Decided in a fraction of the others' time, or within seconds."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How one person decided one kind of thing in a period; seconds from asking to deciding, the middle one."""

    kind: str
    decider: UUID
    agreed: int
    refused: int
    seconds: int

    @property
    def decided(self) -> int:
        """All of them."""
        return self.agreed + self.refused

    @property
    def refused_percent(self) -> int:
        """So many of a hundred were refused."""
        return self.refused * 100 // self.decided


def oddities(counts: Sequence[Counts]) -> Mapping[tuple[str, UUID], Sequence[Oddity]]:
    """By kind and person what stands out. These are questions for a conversation, never a judgement."""
    found: dict[tuple[str, UUID], list[Oddity]] = {}
    for one in counts:
        if one.decided < MANY:
            continue
        others = [each for each in counts if each.kind == one.kind and each.decider != one.decider]
        theirs = sum(each.decided for each in others)
        refused = sum(each.refused for each in others)
        middle = sorted(each.seconds for each in others)
        told = found.setdefault((one.kind, one.decider), [])
        if others and one.decided >= 9 * theirs:
            told.append(Oddity.ALONE)
        if one.refused == 0 and theirs >= MANY and refused * 20 >= theirs:
            told.append(Oddity.NEVER_REFUSES)
        if one.seconds < QUICK_SECONDS or (middle and one.seconds * 10 <= middle[len(middle) // 2]):
            told.append(Oddity.QUICK)
    return {key: tuple(told) for key, told in found.items() if told}


QUICK_SECONDS = 10
"""Nobody reads and decides faster than this."""


def check_period(since: date, until: date) -> None:
    """A period that ends after it begins and that can be read through."""
    if until < since:
        raise Invalid({"until": "days_order"})
    if (until - since).days > PERIOD_DAYS_MAX:
        raise Invalid({"until": "days_many"})
