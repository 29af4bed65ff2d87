"""Who closes the books, up to which day, and every no; pure."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from service.chart import FEN, MINUTE, POINT
from service.kit.access import Role
from service.kit.clock import LAST_DAY, day_begins, local_day
from service.kit.refusals import Conflict, NotFound

READERS = (Role.AUDITOR, Role.FINANCE, Role.APPROVER, Role.ADMIN)
"""Who may read the books, open and closed."""
CLOSERS = (Role.FINANCE, Role.APPROVER)
"""Who may propose a closing, and confirm one that somebody else proposed."""
FIRST_YEAR = 1970
"""Before it nothing takes effect in a ledger."""


class YearUnit(StrEnum):
    """What a year's book counts, in the order of the paper."""

    POINT = POINT
    MINUTE = MINUTE
    FEN = FEN


class ClosingState(StrEnum):
    """Proposed by one, confirmed by another; or taken back before that."""

    PROPOSED = "proposed"
    CLOSED = "closed"
    WITHDRAWN = "withdrawn"


class ClosingNotFound(NotFound):
    """No such closing in this community."""

    code: ClassVar[str] = "closing.not_found"


class YearNotFound(NotFound):
    """This year was not closed, or its book is not drawn up yet."""

    code: ClassVar[str] = "closing.year_not_found"


@dataclass(eq=False)
class NotOver(Conflict):
    """A period is closed when its last day is over."""

    code: ClassVar[str] = "closing.not_over"
    last_day: date


@dataclass(eq=False)
class ClosedAlready(Conflict):
    """The books are closed beyond this day already; periods close forward only."""

    code: ClassVar[str] = "closing.closed_already"
    last_day: date


class ClosingWaits(Conflict):
    """Another closing waits for its second person; one at a time."""

    code: ClassVar[str] = "closing.waits"


class SecondPersonNeeded(Conflict):
    """Whoever proposed a closing does not confirm it."""

    code: ClassVar[str] = "closing.second_person_needed"


class ClosingDecided(Conflict):
    """It was confirmed or taken back meanwhile."""

    code: ClassVar[str] = "closing.decided"


@dataclass(eq=False)
class YearClosed(Conflict):
    """A year is closed once."""

    code: ClassVar[str] = "closing.year_closed"
    year: int


@dataclass(eq=False)
class YearsInOrder(Conflict):
    """Years close one after the other; this one is next."""

    code: ClassVar[str] = "closing.years_in_order"
    year: int


@dataclass(eq=False)
class BooksFaulty(Conflict):
    """The books do not prove themselves; what is wrong comes first."""

    code: ClassVar[str] = "closing.books_faulty"
    count: int


def closes_at(last_day: date) -> datetime:
    """The first moment after a period, on the community's clock."""
    return day_begins(min(last_day, LAST_DAY) + timedelta(days=1))


def year_begins(year: int) -> datetime:
    """The first moment of a year."""
    return day_begins(date(year, 1, 1))


def last_closed_day(closed_until: datetime) -> date:
    """The last day that is closed; a book closed at an hour has that day still open."""
    return local_day(closed_until) - timedelta(days=1)


def end_of_last_month(today: date) -> date:
    """The day up to which books are usually closed."""
    return today.replace(day=1) - timedelta(days=1)


def check_period(last_day: date, *, closed_until: datetime | None, now: datetime) -> None:
    """Refuse a day that is not over, then one that is closed."""
    if closes_at(last_day) > now:
        raise NotOver(last_day)
    if closed_until is not None and closes_at(last_day) <= closed_until:
        raise ClosedAlready(last_closed_day(closed_until))


def check_year(year: int, *, last_year: int | None, now: datetime) -> None:
    """Refuse a year that is not over, one that is closed, then one that leaves another out."""
    if closes_at(date(year, 12, 31)) > now:
        raise NotOver(date(year, 12, 31))
    if last_year is not None and year <= last_year:
        raise YearClosed(year)
    if last_year is not None and year > last_year + 1:
        raise YearsInOrder(last_year + 1)


def check_second(*, proposed_by: UUID, decided_by: UUID) -> None:
    """Two people close the books."""
    if proposed_by == decided_by:
        raise SecondPersonNeeded
