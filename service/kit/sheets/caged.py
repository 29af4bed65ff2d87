"""Reads one workbook in a process of its own that may not use more than a little memory and time.

Run as `python -I -m service.kit.sheets.caged`: the file comes in by standard input, the first visible sheet or the word for what
is wrong leaves by standard output. An old .xls can make a reader lay out gigabytes with two cells, or repeat one long text
in half a million of them; both formats have had such readers' mistakes found in them. Whatever the file does, it does it here.
"""

import io
import os
import resource
import sys
from datetime import date, datetime

import msgspec
from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, PasswordError, SheetVisibleEnum

MEMORY_BYTES_MAX = 512 * 1024 * 1024
"""Twice what an honest sheet of 20,000 rows and 64 full columns takes, the program itself included."""
CPU_SECONDS_MAX = 30
DAY = 1
"""The extension under which a day travels, so that it stays a day and no text."""


def confine() -> None:
    """Give up what a reader does not need: memory, time, files."""
    for what, most in (
        (resource.RLIMIT_AS, MEMORY_BYTES_MAX),
        (resource.RLIMIT_CPU, CPU_SECONDS_MAX),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (most, most))


def answer_for(content: bytes, rows_max: int, columns_max: int) -> dict[str, object]:
    """The sheet's cells and merged rows, or `no` with what is wrong."""
    try:
        with CalamineWorkbook.from_filelike(io.BytesIO(content)) as book:
            sheet = _first_visible(book)
            if sheet is None:
                return {"no": "empty"}
            if sheet.total_height > rows_max:
                return {"no": "rows"}
            if sheet.total_width > columns_max:
                return {"no": "columns"}
            merged = [(first[0] + 1, last[0] + 1) for first, last in sheet.merged_cell_ranges or ()]
            rows = [[_sent(cell) for cell in cells] for cells in sheet.to_python(skip_empty_area=False)]
            return {"cells": rows, "merged": merged}
    except PasswordError:
        return {"no": "locked"}
    except (CalamineError, ValueError, OSError):
        return {"no": "damaged"}


def _first_visible(book: CalamineWorkbook) -> CalamineSheet | None:
    for position, about in enumerate(book.sheets_metadata):
        if about.visible == SheetVisibleEnum.Visible:
            return book.get_sheet_by_index(position)
    return None


def _sent(cell: object) -> object:
    if isinstance(cell, datetime):
        cell = cell.date()
    if isinstance(cell, date):
        return msgspec.msgpack.Ext(DAY, cell.isoformat().encode())
    return cell if cell is None or isinstance(cell, str | int | float | bool) else str(cell)


def main() -> None:
    """Read, answer, and leave without looking back."""
    confine()
    try:
        answer = msgspec.msgpack.encode(answer_for(sys.stdin.buffer.read(), int(sys.argv[1]), int(sys.argv[2])))
        sys.stdout.buffer.write(answer)
        sys.stdout.buffer.flush()
    except MemoryError:
        os._exit(os.EX_SOFTWARE)


if __name__ == "__main__":
    main()
