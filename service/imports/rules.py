"""What may be imported, what may be done with an import, and every no; pure."""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from service.kit.refusals import Conflict, Invalid, NotFound

KEEP_DAYS = 30
"""So long an import can be taken back; then what the sheet said of people is forgotten."""


class BatchState(StrEnum):
    """Checked and nothing written; applied; taken back."""

    CHECKED = "checked"
    APPLIED = "applied"
    UNDONE = "undone"


class Verdict(StrEnum):
    """What applying would do with one row."""

    NEW = "new"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    CONFLICT = "conflict"
    ERROR = "error"


class BatchNotFound(NotFound):
    """No such import in this community."""

    code: ClassVar[str] = "imports.not_found"


class NothingToApply(Conflict):
    """No row of this import is new or changed."""

    code: ClassVar[str] = "imports.nothing_to_apply"


@dataclass(eq=False)
class CheckedTooLongAgo(Conflict):
    """People of this sheet were changed since it was checked."""

    code: ClassVar[str] = "imports.checked_too_long_ago"
    people: int


class BatchNotOpen(Conflict):
    """The import was applied or taken back; it is not checked again."""

    code: ClassVar[str] = "imports.not_open"


class BatchUndone(Conflict):
    """The import was taken back; upload the file again to apply it again."""

    code: ClassVar[str] = "imports.undone"


class BatchNotApplied(Conflict):
    """Only an applied import can be taken back or have slips."""

    code: ClassVar[str] = "imports.not_applied"


class TooLateToUndo(Conflict):
    """The values from before are kept for thirty days only."""

    code: ClassVar[str] = "imports.too_late_to_undo"


class NothingToUndo(Conflict):
    """Everybody of this import has been active since, so nobody can be taken back."""

    code: ClassVar[str] = "imports.nothing_to_undo"


class LoginTakenSince(Conflict):
    """Taking back would give somebody a number that signs a neighbour in by now."""

    code: ClassVar[str] = "imports.login_taken_since"


@dataclass(eq=False)
class CardTaken(Conflict):
    """There is somebody with this card number: correct that person instead."""

    code: ClassVar[str] = "imports.card_taken"
    card_no: str


class PersonChanged(Conflict):
    """Somebody else changed this person, or took the card or the number, since the form was opened."""

    code: ClassVar[str] = "imports.person_changed"


@dataclass(eq=False)
class PersonRefused(Invalid):
    """One person as typed breaks a rule of the sheet; `said` has the values that its sentences name, by field."""

    said: dict[str, dict[str, str]]
    catalogue: ClassVar[str] = "import_problem"

    def problem_values(self, name: str) -> dict[str, str]:
        """What the sentence beside this field names."""
        return self.said.get(name, {})


class NobodyNeedsSlips(Conflict):
    """Everybody of this part can sign in already."""

    code: ClassVar[str] = "imports.nobody_needs_slips"
