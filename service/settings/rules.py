"""When a setting may change, by whom, and until when the change can be taken back. Pure."""

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from service.kit.access import OFFICE, Role
from service.kit.refusals import Conflict, Invalid, NotFound

READERS = tuple(sorted(OFFICE))
"""Who may see the settings."""
EDITORS = (Role.ADMIN,)
"""Who may ask for a change."""
DECIDERS = (Role.ADMIN, Role.APPROVER, Role.FINANCE)
"""Who may agree to somebody else's."""
REASON_LENGTH_MAX = 200
LAST_DAY = date(2999, 12, 31)


class ChangeState(StrEnum):
    """Where a change stands."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    REFUSED = "refused"
    UNDONE = "undone"


class ChangeNotFound(NotFound):
    """There is no such change in this community."""

    code: ClassVar[str] = "settings.change_not_found"


@dataclass(eq=False)
class TooEarly(Conflict):
    """A rule about value never changes for what was already done: it begins on a day that has not begun."""

    code: ClassVar[str] = "settings.too_early"
    earliest: date


@dataclass(eq=False)
class ChangeWaits(Conflict):
    """One change of a setting at a time: another one is still to come."""

    code: ClassVar[str] = "settings.change_waits"
    effective_from: date


class NothingChanges(Conflict):
    """The setting is worth that already."""

    code: ClassVar[str] = "settings.nothing_changes"


class SecondPersonNeeded(Conflict):
    """Whoever asked for a change of value cannot agree to it."""

    code: ClassVar[str] = "settings.second_person"


class ChangeDecided(Conflict):
    """Somebody else decided it first."""

    code: ClassVar[str] = "settings.decided"


class ChangeHolds(Conflict):
    """The day has come: what holds is changed by another change, not taken back."""

    code: ClassVar[str] = "settings.holds"


class ChangeTooLate(Conflict):
    """The day came before anybody agreed; ask for it again with a later day."""

    code: ClassVar[str] = "settings.too_late"


def earliest_day(*, moves_value: bool, today: date) -> date:
    """The first day from which a change may hold."""
    return today + timedelta(days=1) if moves_value else today


def check_reason(reason: str) -> None:
    """A change has a reason in words, on one line."""
    if not reason.strip():
        raise Invalid({"reason": "required"})
    if len(reason) > REASON_LENGTH_MAX:
        raise Invalid({"reason": "too_long"})
    if not reason.isprintable():
        raise Invalid({"reason": "text"})


def check_day(day: date, *, moves_value: bool, today: date) -> None:
    """Refuse a day that is gone, today for a rule about value, and a day that no calendar knows."""
    earliest = earliest_day(moves_value=moves_value, today=today)
    if day > LAST_DAY:
        raise Invalid({"effective_from": "date_range"})
    if day < earliest:
        raise TooEarly(earliest)


def check_decision(
    *, state: ChangeState, needs_second: bool, proposed_by: UUID, decider: UUID, effective_from: date, today: date
) -> None:
    """Who agrees is another person, the change still waits, and its day has not come."""
    if state is not ChangeState.PROPOSED:
        raise ChangeDecided
    if needs_second and proposed_by == decider:
        raise SecondPersonNeeded
    if effective_from < earliest_day(moves_value=needs_second, today=today):
        raise ChangeTooLate


def check_undo(*, state: ChangeState, effective_from: date, today: date) -> None:
    """A change that waits, or whose day has not come, can be taken back."""
    if state in (ChangeState.REFUSED, ChangeState.UNDONE):
        raise ChangeDecided
    if state is ChangeState.APPROVED and effective_from <= today:
        raise ChangeHolds
