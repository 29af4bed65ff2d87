"""What things may be, and how large."""

from enum import StrEnum

CODE_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
"""What can be read aloud and typed without asking which one: no 0 O 1 I L."""
SHORT_CODE_LENGTH = 6
"""Of a shift's reference, of a poster's spoken code, and of the code that is typed in."""
PROOF_LENGTH = 8
"""Of the part of the rotating code that proves the moment."""
TICKET_SECONDS = 300
"""How long somebody who opened the page with a good code may take to press its one button."""

AGREES_WITHIN_MINUTES = 10
"""A few minutes short of the plan still agrees with it: it chooses a word for the reviewer, never the minutes."""
SHIFT_HOURS_MAX = 12
SHIFT_DAYS_AHEAD_MAX = 730
"""A shift farther away than two years is a slip of the hand."""
SERIES_WEEKS_MAX = 26
PLACES_MAX = 1000
TITLE_LENGTH_MAX = 60
TEXT_LENGTH_MAX = 2000
REASON_LENGTH_MAX = 200
REVIEW_ROWS_MAX = 500
"""Rows of one review: what a person can answer for in one act, and what one transaction should hold."""


class ActivityState(StrEnum):
    """The life of an activity."""

    DRAFT = "draft"
    OPEN = "open"
    CANCELLED = "cancelled"
    CLOSED = "closed"


class ShiftState(StrEnum):
    """The life of a shift; it closes by itself some hours after its end."""

    OPEN = "open"
    CANCELLED = "cancelled"
    CLOSED = "closed"


class SignUpState(StrEnum):
    """What a volunteer has in a shift."""

    PLACED = "placed"
    WAITING = "waiting"
    CANCELLED = "cancelled"


class AttendanceState(StrEnum):
    """The life of one person's presence in one shift."""

    OPEN = "open"
    DONE = "done"
    APPROVED = "approved"
    RETURNED = "returned"


class How(StrEnum):
    """What proves an arrival or a departure."""

    ROTATING = "rotating"
    POSTER = "poster"
    LEADER = "leader"


class Check(StrEnum):
    """What the machine says about an attendance before a person looks, in order of weight."""

    UNCONFIRMED = "unconfirmed"
    NO_CHECKOUT = "no_checkout"
    ASKED = "asked"
    OVERLAPS = "overlaps"
    SHORT = "short"
    AGREES = "agrees"


class Verdict(StrEnum):
    """What became of one row of a review."""

    DONE = "done"
    STALE = "stale"
    OWN = "own"
    UNCONFIRMED = "unconfirmed"
    NOTHING_TO_CREDIT = "nothing_to_credit"
    TIME_TAKEN = "time_taken"
    NOT_POSTED = "not_posted"
    """The book said no, e.g. because the person's account is closed."""
    AGAIN = "again"
    """It could not be decided: too many at once, or the database went away. Nothing was done about this row."""


class Standing(StrEnum):
    """What a shift is to one volunteer at one moment."""

    FREE = "free"
    FULL = "full"
    MINE = "mine"
    WAITING = "waiting"
    STARTED = "started"
    OVER = "over"
    CANCELLED = "cancelled"
