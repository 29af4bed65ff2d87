"""Writes of the slice, one function per verb.

Locks are always taken in this order: activity, shift, attendance, review, person, the book's head.
"""

from service.hours.actions.activities import (
    ActivityText,
    add_shifts,
    cancel_activity,
    cancel_shift,
    change_activity,
    change_places,
    close_activity,
    open_activity,
    plan_activity,
)
from service.hours.actions.approving import Reviewed, approve_attendances, approve_in_one, check_choice
from service.hours.actions.attendances import (
    Arrival,
    adjust_times,
    ask_correction,
    check_in,
    check_out,
    close_due_shifts,
    confirm_arrival,
)
from service.hours.actions.review import (
    note_export,
    return_attendances,
    undo_approval,
    undo_review,
)
from service.hours.actions.sign_ups import cancel_sign_up, sign_up

__all__ = [
    "ActivityText",
    "Arrival",
    "Reviewed",
    "add_shifts",
    "adjust_times",
    "approve_attendances",
    "approve_in_one",
    "ask_correction",
    "cancel_activity",
    "cancel_shift",
    "cancel_sign_up",
    "change_activity",
    "change_places",
    "check_choice",
    "check_in",
    "check_out",
    "close_activity",
    "close_due_shifts",
    "confirm_arrival",
    "note_export",
    "open_activity",
    "plan_activity",
    "return_attendances",
    "sign_up",
    "undo_approval",
    "undo_review",
]
