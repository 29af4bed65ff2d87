"""What crosses the wire. Input fields may be left out where they have a default; output fields never are."""

from datetime import date, datetime, time
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

from service.hours.rules import PLACES_MAX, REASON_LENGTH_MAX, SERIES_WEEKS_MAX, TEXT_LENGTH_MAX, TITLE_LENGTH_MAX
from service.records import ServiceClass

Title = Annotated[str, Meta(min_length=1, max_length=TITLE_LENGTH_MAX)]
Text = Annotated[str, Meta(max_length=TEXT_LENGTH_MAX)]
Reason = Annotated[str, Meta(min_length=1, max_length=REASON_LENGTH_MAX)]
Places = Annotated[int, Meta(ge=1, le=PLACES_MAX)]
Weeks = Annotated[int, Meta(ge=1, le=SERIES_WEEKS_MAX)]
Code = Annotated[str, Meta(min_length=1, max_length=100)]
Phone = Annotated[str, Meta(min_length=3, max_length=30)]


class ActivityForm(Struct, frozen=True, kw_only=True):
    """An activity as staff write it; the revision is that of the page they wrote on."""

    title: Title
    place: Title
    contact_phone: Phone
    service_class: ServiceClass
    description: Text = ""
    leaders: list[UUID] = msgspec.field(default_factory=list)
    revision: int = 0


class ShiftForm(Struct, frozen=True, kw_only=True):
    """A shift on the community's clock; an end before the start is on the next day."""

    on: date
    starts: time
    ends: time
    places: Places
    weeks: Weeks = 1


class PlacesForm(Struct, frozen=True, kw_only=True):
    """Another number of places."""

    places: Places
    revision: int


class SignUpForm(Struct, frozen=True, kw_only=True):
    """Whether a turn in the waiting list will do when the shift is full."""

    may_wait: bool = False


class DoorForm(Struct, frozen=True, kw_only=True):
    """The one button of the check-in page."""

    act: str
    ticket: str = ""


class PersonForm(Struct, frozen=True, kw_only=True):
    """Somebody on the leader's list, by id, or somebody who came along, by card."""

    member_id: UUID | None = None
    card_no: Annotated[str, Meta(max_length=40)] = ""


class CorrectionForm(Struct, frozen=True, kw_only=True):
    """What a volunteer says is wrong."""

    text: Reason


class TimesForm(Struct, frozen=True, kw_only=True):
    """The right times, on the community's clock."""

    revision: int
    came_at: datetime
    left_at: datetime


class ReviewForm(Struct, frozen=True, kw_only=True):
    """Chosen rows as `<id>.<revision>`; `one` is the row whose own button was pressed."""

    ids: list[str] = msgspec.field(default_factory=list)
    one: str = ""
    scope: str = "picked"
    reason: Annotated[str, Meta(max_length=REASON_LENGTH_MAX)] = ""
    back: str = ""


class UndoForm(Struct, frozen=True, kw_only=True):
    """The row as it was seen."""

    revision: int
    back: str = ""


class BackForm(Struct, frozen=True, kw_only=True):
    """Where to go afterwards."""

    back: str = ""


# The API.


class ActivityIn(Struct, frozen=True, kw_only=True):
    """An activity to plan."""

    title: Title
    place: Title
    contact_phone: Phone
    service_class: ServiceClass
    description: Text = ""
    leaders: list[UUID] = msgspec.field(default_factory=list)


class ActivityChange(ActivityIn, frozen=True, kw_only=True):
    """An activity to change, as it was read."""

    revision: int


class ShiftIn(Struct, frozen=True, kw_only=True):
    """One shift, or the same one in each of several weeks."""

    starts_at: datetime
    ends_at: datetime
    places: Places
    weeks: Weeks = 1


class PlacesIn(Struct, frozen=True, kw_only=True):
    """Another number of places for the shift as it was read."""

    places: Places
    revision: int


class SignUpIn(Struct, frozen=True, kw_only=True):
    """Whether waiting will do."""

    may_wait: bool = False


class CodeIn(Struct, frozen=True, kw_only=True):
    """A code as scanned or typed."""

    code: Code


class PersonIn(Struct, frozen=True, kw_only=True):
    """Somebody on the leader's list."""

    member_id: UUID


class CorrectionIn(Struct, frozen=True, kw_only=True):
    """What a volunteer says is wrong."""

    text: Reason


class SeenIn(Struct, frozen=True, kw_only=True):
    """An attendance as it was read."""

    revision: int


class TimesIn(Struct, frozen=True, kw_only=True):
    """The right times of the attendance as it was read."""

    revision: int
    came_at: datetime
    left_at: datetime


class ItemIn(Struct, frozen=True, kw_only=True):
    """One attendance as the reviewer saw it."""

    attendance_id: UUID
    revision: int


class ApproveIn(Struct, frozen=True, kw_only=True):
    """Rows to approve."""

    items: list[ItemIn]


class ReturnIn(Struct, frozen=True, kw_only=True):
    """Rows to return, with the reason the volunteers read."""

    items: list[ItemIn]
    reason: Reason


class ActivityOut(Struct, frozen=True, kw_only=True):
    """An activity."""

    activity_id: UUID
    title: str
    place: str
    contact_phone: str
    service_class: str
    description: str
    state: str
    revision: int
    shifts_ahead: int
    next_starts_at: datetime | None


class ActivitiesOut(Struct, frozen=True, kw_only=True):
    """A page of activities."""

    items: list[ActivityOut]
    next: str | None


class ShiftOut(Struct, frozen=True, kw_only=True):
    """A shift as the caller sees it. `minutes` is what can be earned at most."""

    shift_id: UUID
    activity_id: UUID
    title: str
    place: str
    contact_phone: str
    service_class: str
    state: str
    activity_state: str
    opens_at: datetime
    starts_at: datetime
    ends_at: datetime
    closes_at: datetime
    places: int
    placed: int
    places_left: int
    waiting: int
    minutes: int
    unit: str
    mine: str | None
    ahead_of_me: int
    attendance_id: UUID | None
    revision: int


class ShiftsOut(Struct, frozen=True, kw_only=True):
    """A page of shifts."""

    items: list[ShiftOut]
    next: str | None


class SignUpOut(Struct, frozen=True, kw_only=True):
    """What the volunteer has now: `placed` or `waiting`."""

    shift_id: UUID
    state: str


class CodeOut(Struct, frozen=True, kw_only=True):
    """The code of this moment, for a kiosk of one's own."""

    url: str
    typed: str
    seconds_left: int
    step_seconds: int


class AttendanceOut(Struct, frozen=True, kw_only=True):
    """One presence. `check` is what the machine says before a person looks."""

    attendance_id: UUID
    shift_id: UUID
    title: str
    state: str
    check: str
    revision: int
    checked_in_at: datetime
    checked_out_at: datetime | None
    how_in: str
    how_out: str | None
    planned_minutes: int
    minutes: int
    credited_minutes: int | None
    points_hundredths: int | None
    unit: str
    return_reason: str | None
    correction_text: str | None


class AttendancesOut(Struct, frozen=True, kw_only=True):
    """A page of one's own presences."""

    items: list[AttendanceOut]
    next: str | None


class PersonInShiftOut(Struct, frozen=True, kw_only=True):
    """One line of the leader's list."""

    member_id: UUID
    name: str
    card_no: str
    sign_up: str | None
    attendance_id: UUID | None
    state: str | None
    checked_in_at: datetime | None
    checked_out_at: datetime | None
    awaits_confirmation: bool


class ReviewRowOut(Struct, frozen=True, kw_only=True):
    """One row of the inbox."""

    attendance_id: UUID
    revision: int
    member_id: UUID
    name: str
    card_no: str
    title: str
    served_on: date
    state: str
    check: str
    taken_by: str | None
    """The recorded service that counts for some of this time."""
    checked_in_at: datetime
    checked_out_at: datetime | None
    planned_minutes: int
    minutes: int
    credited_minutes: int | None
    points_hundredths: int | None
    unit: str
    return_reason: str | None
    correction_text: str | None


class ReviewPageOut(Struct, frozen=True, kw_only=True):
    """A page of the inbox; count and minutes are those of the whole filter."""

    items: list[ReviewRowOut]
    count: int
    minutes: int
    unit: str
    next: str | None


class ReviewedOut(Struct, frozen=True, kw_only=True):
    """What became of each row of one review."""

    review_id: UUID
    done: int
    verdicts: dict[UUID, str]


class UndoneOut(Struct, frozen=True, kw_only=True):
    """How many rows wait for a decision again."""

    undone: int
