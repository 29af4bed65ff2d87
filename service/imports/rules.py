"""What may be imported, what may be done with an import, and every no; pure."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from service.kit.refusals import Conflict, Invalid, NotFound

FILE_BYTES_MAX = 8_000_000
UNPACKED_BYTES_MAX = 80_000_000
"""An honest sheet of 20,000 people unpacks to about 15 MB; a small file that unpacks to more was built to do harm."""
ROWS_MAX = 20_000
COLUMNS_MAX = 64
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


@dataclass(eq=False)
class SheetRefused(Invalid):
    """The file is not one we can take. Its sentence says what to do, so no field carries a problem of its own."""

    problems: dict[str, str] = field(default_factory=dict, kw_only=True)


class FileRefused(SheetRefused):
    """The file cannot be read as a sheet of people at all; nothing was stored."""


class FileEmpty(FileRefused):
    """A file without one byte, or a sheet without one row below the headings."""

    code: ClassVar[str] = "imports.file_empty"


class FileTooLarge(FileRefused):
    """More than eight megabytes."""

    code: ClassVar[str] = "imports.file_too_large"


class NotASheet(FileRefused):
    """A PDF, a picture, a web page with another name."""

    code: ClassVar[str] = "imports.not_a_sheet"


class FileDamaged(FileRefused):
    """It begins like a sheet and cannot be read to the end."""

    code: ClassVar[str] = "imports.file_damaged"


class FileLocked(FileRefused):
    """A password is needed to open it."""

    code: ClassVar[str] = "imports.file_locked"


class FileSwells(FileRefused):
    """A few bytes that unpack to far more than a sheet of people can be."""

    code: ClassVar[str] = "imports.file_swells"


class EncodingUnknown(FileRefused):
    """Text that is neither UTF-8 nor GB18030."""

    code: ClassVar[str] = "imports.encoding_unknown"


class HeaderMissing(FileRefused):
    """None of the first rows names the columns."""

    code: ClassVar[str] = "imports.header_missing"


@dataclass(eq=False)
class ColumnsMissing(SheetRefused):
    """A column without which nobody can be imported is not there."""

    code: ClassVar[str] = "imports.columns_missing"
    columns: str


@dataclass(eq=False)
class ColumnTwice(SheetRefused):
    """Two columns carry the same heading."""

    code: ClassVar[str] = "imports.column_twice"
    column: str


@dataclass(eq=False)
class TooManyRows(SheetRefused):
    """More people than one sheet may carry. How many is not said: beyond the limit nobody counts them."""

    code: ClassVar[str] = "imports.too_many_rows"
    most: int = ROWS_MAX


@dataclass(eq=False)
class TooManyColumns(SheetRefused):
    """A sheet far wider than ours."""

    code: ClassVar[str] = "imports.too_many_columns"
    most: int = COLUMNS_MAX


@dataclass(eq=False)
class MergedCells(SheetRefused):
    """Cells of the table are merged, so that a row's value is not in its row."""

    code: ClassVar[str] = "imports.merged_cells"
    place: str


@dataclass(eq=False)
class Formulas(SheetRefused):
    """Cells are computed; what they showed when the file was saved may not be what is meant."""

    code: ClassVar[str] = "imports.formulas"
    place: str


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
