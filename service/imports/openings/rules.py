"""What may be brought, by whom, and every no; pure."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from service.kit.access import Role
from service.kit.clock import day_begins, local_day
from service.kit.refusals import Conflict, NotFound

PROPOSERS = (Role.STAFF, Role.FINANCE, Role.ADMIN)
"""Who may upload a sheet and propose it."""
APPROVERS = (Role.APPROVER,)
"""Who may let it be posted, and take it back; never whoever proposed it."""
READERS = (*PROPOSERS, *APPROVERS, Role.AUDITOR)
MINUTES_MAX = 6_000_000
"""A hundred thousand hours: more than a life."""
POINTS_MAX_HUNDREDTHS = 10**11
SOURCE_LENGTH_MAX = 60


class OpeningState(StrEnum):
    """Checked; proposed; approved and being posted; posted; being taken back; taken back. Withdrawn: never posted."""

    CHECKED = "checked"
    PROPOSED = "proposed"
    POSTING = "posting"
    POSTED = "posted"
    RETURNING = "returning"
    RETURNED = "returned"
    WITHDRAWN = "withdrawn"


class OpeningVerdict(StrEnum):
    """What approving would do with one row."""

    NEW = "new"
    BROUGHT = "brought"
    """The same figures were brought for this person before."""
    CONFLICT = "conflict"
    """Other figures were."""
    ERROR = "error"


class Outcome(StrEnum):
    """What became of a row."""

    POSTED = "posted"
    REFUSED = "refused"
    RETURNED = "returned"
    KEPT = "kept"
    """Some of it is spent, so it was not taken back."""


class OpeningNotFound(NotFound):
    """No such sheet of balances in this community."""

    code: ClassVar[str] = "openings.not_found"


@dataclass(eq=False)
class DayClosed(Conflict):
    """The day of the change-over lies in a closed period."""

    code: ClassVar[str] = "openings.day_closed"
    open_from: date


class DayAhead(Conflict):
    """The day of the change-over has not begun."""

    code: ClassVar[str] = "openings.day_ahead"


class NothingToBring(Conflict):
    """No row of the sheet is new."""

    code: ClassVar[str] = "openings.nothing_to_bring"


class OpeningDecided(Conflict):
    """Somebody decided about it meanwhile."""

    code: ClassVar[str] = "openings.decided"


class SecondPersonNeeded(Conflict):
    """Whoever uploaded or proposed a sheet does not approve it."""

    code: ClassVar[str] = "openings.second_person_needed"


class BroughtMeanwhile(Conflict):
    """Another sheet brought a balance for somebody of this one since it was checked."""

    code: ClassVar[str] = "openings.brought_meanwhile"


def check_day(day: date, *, closed_until: datetime | None, now: datetime) -> None:
    """Refuse a day that has not begun, then one that is closed."""
    if day_begins(day) > now:
        raise DayAhead
    if closed_until is not None and day_begins(day) < closed_until:
        raise DayClosed(local_day(closed_until))


def check_second(*, uploaded_by: UUID, proposed_by: UUID | None, decided_by: UUID) -> None:
    """Two people bring value."""
    if decided_by in (uploaded_by, proposed_by):
        raise SecondPersonNeeded


def reference(opening_id: UUID, row_no: int) -> str:
    """Under which a row is posted, once for ever."""
    return f"opening:{opening_id}:{row_no}"


def record_reference(opening_id: UUID, row_no: int) -> str:
    """Under which a row's hours stand in the service record."""
    return f"{reference(opening_id, row_no)}:record"
