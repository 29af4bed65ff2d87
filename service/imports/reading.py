"""From a file to rows that mean people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from service.imports.cells import Column, Row, check_header, header_of, row_of, unused_headings
from service.kit.sheets.cells import HEADER_WITHIN_ROWS, is_blank
from service.kit.sheets.grid import read_grid
from service.kit.sheets.refusals import ROWS_MAX, FileEmpty, HeaderMissing, MergedCells, TooManyRows


@dataclass(frozen=True, slots=True)
class SheetRead:
    """The rows of a sheet and the headings that were left aside."""

    rows: Sequence[Row]
    unused: Sequence[str]


def read_sheet(content: bytes, day: date) -> SheetRead:
    """Every row of a file that is not blank; raises one of the refusals of a sheet. Slow: call it in a thread."""
    grid = read_grid(content)
    position, header = _headings(grid.rows)
    check_header(header)
    for first, last in grid.merged:
        if last > position:
            raise MergedCells(str(first) if first == last else f"{first}-{last}")
    filled = [
        (row_no, cells) for row_no, cells in enumerate(grid.rows[position + 1 :], position + 2) if not is_blank(cells)
    ]
    if not filled:
        raise FileEmpty
    if len(filled) > ROWS_MAX:
        raise TooManyRows
    return SheetRead(
        [row_of(row_no, header, cells, day) for row_no, cells in filled], unused_headings(grid.rows[position])
    )


def _headings(rows: Sequence[Sequence[object]]) -> tuple[int, Mapping[Column, int]]:
    """The row of headings, which may stand below a title."""
    for position, cells in enumerate(rows[:HEADER_WITHIN_ROWS]):
        header = header_of(cells)
        if header is not None:
            return position, header
    raise HeaderMissing if any(not is_blank(cells) for cells in rows) else FileEmpty
