"""Writes: one function per verb a person would say. Each locks the wish, asks the rules and leaves a line."""

from service.wishes.actions.asking import (
    Draft,
    dispute_wish,
    edit_wish,
    post_wish,
    restore_wish,
    thank_volunteer,
    withdraw_wish,
)
from service.wishes.actions.confirming import confirm_wish
from service.wishes.actions.deciding import (
    Decision,
    Terms,
    appraise_wish,
    approve_wish,
    approve_wishes,
    recall_wish,
    recall_wishes,
    return_wish,
)
from service.wishes.actions.helping import asker_contact, claim_wish, release_wish, serve_wish
from service.wishes.actions.timed import expire_old_wishes, release_overdue_claims, remind_of_confirmation

__all__ = [
    "Decision",
    "Draft",
    "Terms",
    "appraise_wish",
    "approve_wish",
    "approve_wishes",
    "asker_contact",
    "claim_wish",
    "confirm_wish",
    "dispute_wish",
    "edit_wish",
    "expire_old_wishes",
    "post_wish",
    "recall_wish",
    "recall_wishes",
    "release_overdue_claims",
    "release_wish",
    "remind_of_confirmation",
    "restore_wish",
    "return_wish",
    "serve_wish",
    "thank_volunteer",
    "withdraw_wish",
]
