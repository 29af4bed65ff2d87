"""How large a sheet may be, and every no to a file; pure.

The codes say `imports`, where sheets were first read: they are part of the interface, and callers know them.
"""

from dataclasses import dataclass, field
from typing import ClassVar

from service.kit.refusals import Invalid

FILE_BYTES_MAX = 8_000_000
UNPACKED_BYTES_MAX = 80_000_000
"""An honest sheet of 20,000 people unpacks to about 15 MB; a small file that unpacks to more was built to do harm."""
ROWS_MAX = 20_000
COLUMNS_MAX = 64


@dataclass(eq=False)
class SheetRefused(Invalid):
    """The file is not one we can take. Its sentence says what to do, so no field carries a problem of its own."""

    problems: dict[str, str] = field(default_factory=dict, kw_only=True)


class FileRefused(SheetRefused):
    """The file cannot be read as a sheet at all; nothing was stored."""


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
    """A few bytes that unpack to far more than a sheet can be."""

    code: ClassVar[str] = "imports.file_swells"


class EncodingUnknown(FileRefused):
    """Text that is neither UTF-8 nor GB18030."""

    code: ClassVar[str] = "imports.encoding_unknown"


class HeaderMissing(FileRefused):
    """None of the first rows names the columns."""

    code: ClassVar[str] = "imports.header_missing"


@dataclass(eq=False)
class ColumnsMissing(SheetRefused):
    """A column without which no row means anything is not there."""

    code: ClassVar[str] = "imports.columns_missing"
    columns: str


@dataclass(eq=False)
class ColumnTwice(SheetRefused):
    """Two columns carry the same heading."""

    code: ClassVar[str] = "imports.column_twice"
    column: str


@dataclass(eq=False)
class TooManyRows(SheetRefused):
    """More rows than one sheet may carry. How many is not said: beyond the limit nobody counts them."""

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
