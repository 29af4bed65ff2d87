"""Every no of this slice, in the order in which the checks and actions say it."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from service.hours.rules.states import REVIEW_ROWS_MAX, SHIFT_HOURS_MAX
from service.kit.refusals import Conflict, Invalid, NotAllowed, NotFound

# Refusals: activities and shifts.


class ActivityNotFound(NotFound):
    """No such activity in this community, or a draft that is not theirs to see."""

    code: ClassVar[str] = "hours.activity_not_found"


class ShiftNotFound(NotFound):
    """No such shift in this community."""

    code: ClassVar[str] = "hours.shift_not_found"


@dataclass(eq=False)
class ActivityNotOpen(Conflict):
    """The activity is a draft, cancelled or closed."""

    code: ClassVar[str] = "hours.activity_not_open"
    state: str


@dataclass(eq=False)
class ActivityHasShifts(Conflict):
    """There are shifts to come: cancel them or wait for them before closing the activity."""

    code: ClassVar[str] = "hours.activity_has_shifts"
    shifts: int


@dataclass(eq=False)
class ChangedMeanwhile(Conflict):
    """Somebody else changed it since this page was opened."""

    code: ClassVar[str] = "hours.changed_meanwhile"


class NotALeader(Conflict):
    """Only people who hold the role of a leader today can lead an activity."""

    code: ClassVar[str] = "hours.not_a_leader"


class NotYourActivity(NotAllowed):
    """A leader sees and leads their own activities only."""

    code: ClassVar[str] = "hours.not_your_activity"


@dataclass(eq=False)
class ShiftTimesOdd(Conflict):
    """A shift ends after it starts, lasts half a day at most, and is not over yet."""

    code: ClassVar[str] = "hours.shift_times_odd"
    hours: int = SHIFT_HOURS_MAX


class ShiftFieldOdd(Invalid):
    """One field of a shift cannot be meant: a day years away or long ago, an end at the very start."""

    catalogue: ClassVar[str] = "shift_problem"


@dataclass(eq=False)
class ShiftThere(Conflict):
    """The activity has this very shift: more places are given to that one."""

    code: ClassVar[str] = "hours.shift_there"
    starts_at: datetime


@dataclass(eq=False)
class FewerPlacesThanTaken(Conflict):
    """There are more volunteers in the shift than it would have places."""

    code: ClassVar[str] = "hours.fewer_places_than_taken"
    taken: int


# Refusals: signing up.


@dataclass(eq=False)
class ShiftNotOpen(Conflict):
    """The shift was cancelled or is over."""

    code: ClassVar[str] = "hours.shift_not_open"
    state: str


class ShiftStarted(Conflict):
    """The shift has begun: whoever is there checks in on the spot."""

    code: ClassVar[str] = "hours.shift_started"


class NotAVolunteer(Conflict):
    """The person is not registered to serve."""

    code: ClassVar[str] = "hours.not_a_volunteer"


class SignedUpAlready(Conflict):
    """The volunteer has a place or waits for one."""

    code: ClassVar[str] = "hours.signed_up_already"


@dataclass(eq=False)
class ShiftsClash(Conflict):
    """The volunteer has promised the same time elsewhere."""

    code: ClassVar[str] = "hours.shifts_clash"
    other: str
    starts_at: datetime


class ShiftFull(Conflict):
    """No place is left."""

    code: ClassVar[str] = "hours.shift_full"


class NotSignedUp(Conflict):
    """The volunteer has no place in this shift."""

    code: ClassVar[str] = "hours.not_signed_up"


@dataclass(eq=False)
class TooLateToCancel(Conflict):
    """The place is needed now; a call to the contact is the way."""

    code: ClassVar[str] = "hours.too_late_to_cancel"
    phone: str


# Refusals: checking in and out.


class CodeUnknown(NotFound):
    """The code belongs to nothing here."""

    code: ClassVar[str] = "hours.code_unknown"


class CodeTooOld(Conflict):
    """The code was right once, or for another shift: scan the one that is shown now."""

    code: ClassVar[str] = "hours.code_too_old"


@dataclass(eq=False)
class WrongDay(Conflict):
    """The shift is on another day."""

    code: ClassVar[str] = "hours.wrong_day"
    starts_at: datetime


@dataclass(eq=False)
class TooEarly(Conflict):
    """Check-in opens a little before the shift."""

    code: ClassVar[str] = "hours.too_early"
    opens_at: datetime


@dataclass(eq=False)
class TooLate(Conflict):
    """The shift is over."""

    code: ClassVar[str] = "hours.too_late"
    ended_at: datetime


class NoShiftToday(Conflict):
    """The poster's activity has no shift today."""

    code: ClassVar[str] = "hours.no_shift_today"


@dataclass(eq=False)
class OpenElsewhere(Conflict):
    """The person is checked in at another shift: check out there first."""

    code: ClassVar[str] = "hours.open_elsewhere"


class TimesOverlap(Conflict):
    """The person was somewhere else at that time."""

    code: ClassVar[str] = "hours.times_overlap"


@dataclass(eq=False)
class TimesOutside(Conflict):
    """An arrival and a departure lie between the opening of the door and its closing, in this order."""

    code: ClassVar[str] = "hours.times_outside"
    opens_at: datetime
    closes_at: datetime


class NotCheckedIn(Conflict):
    """There is no arrival to end."""

    code: ClassVar[str] = "hours.not_checked_in"


class AttendanceNotFound(NotFound):
    """No such attendance, or not theirs to see."""

    code: ClassVar[str] = "hours.attendance_not_found"


class NothingToConfirm(Conflict):
    """The arrival needs no confirmation."""

    code: ClassVar[str] = "hours.nothing_to_confirm"


# Refusals: review.


@dataclass(eq=False)
class AttendanceNotInReview(Conflict):
    """It was decided meanwhile, or the person has not left yet."""

    code: ClassVar[str] = "hours.attendance_not_in_review"
    state: str


class OwnHours(NotAllowed):
    """Nobody decides about their own hours."""

    code: ClassVar[str] = "hours.own_hours"


@dataclass(eq=False)
class TooManyRows(Conflict):
    """More rows than one review may hold."""

    code: ClassVar[str] = "hours.too_many_rows"
    most: int = REVIEW_ROWS_MAX


class NothingChosen(Conflict):
    """No row was chosen."""

    code: ClassVar[str] = "hours.nothing_chosen"


class ReviewNotFound(NotFound):
    """No such review."""

    code: ClassVar[str] = "hours.review_not_found"


class NothingToUndo(Conflict):
    """Nothing of this review stands any more."""

    code: ClassVar[str] = "hours.nothing_to_undo"
