"""What one cell of anybody's sheet says; pure."""

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta

HEADER_WITHIN_ROWS = 10
EXACT_BELOW = 1e15
"""A sheet keeps fifteen digits of a number; whoever types more loses the rest without a word."""
DAY_NUMBERS = range(61, 80_000)
"""Days since 1899-12-30, as sheets count them from March 1900 on."""


def narrow(text: str) -> str:
    """Full-width digits, letters and signs as ordinary ones, ideographic blanks as blanks."""
    return "".join(
        chr(ord(c) - 0xFEE0) if "！" <= c <= "～" else " " if c in "\u3000\u00a0\t" else c for c in text
    ).strip()


def is_blank(cells: Sequence[object]) -> bool:
    """True for a row in which nothing was typed."""
    return all(cell is None or (isinstance(cell, str) and not cell.strip("\u3000\u00a0 \t\r\n")) for cell in cells)


def cell_text(cell: object) -> str:
    """A cell as it reads: a sheet keeps 13800138000 as 13800138000.0."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "是" if cell else "否"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < EXACT_BELOW else repr(cell)
    if isinstance(cell, datetime):
        return cell.date().isoformat()
    return str(cell)


def day_of(cell: object) -> date | None:
    """A day from what stands in the cell: a date, 1950-03-05, 1950年3月5日, 19500305, or a sheet's own day number."""
    if isinstance(cell, datetime):
        return cell.date()
    if isinstance(cell, date):
        return cell
    text = narrow(cell_text(cell))
    match = re.fullmatch(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?: 0{1,2}:00(:00)?)?", text)
    match = match or re.fullmatch(r"(\d{4})(\d{2})(\d{2})", text)
    try:
        if match:
            return date(int(match[1]), int(match[2]), int(match[3]))
        if isinstance(cell, int | float) and not isinstance(cell, bool) and int(cell) in DAY_NUMBERS:
            return date(1899, 12, 30) + timedelta(days=int(cell))
    except (ValueError, OverflowError):  # no such day; a number that is infinite or none
        return None
    return None


def repeated(values: Collection[tuple[int, str]]) -> Mapping[int, int]:
    """For rows whose value stood in an earlier row: row number → number of the first one."""
    first: dict[str, int] = {}
    again: dict[int, int] = {}
    for row_no, value in values:
        if not value:
            continue
        if value in first:
            again[row_no] = first[value]
        else:
            first[value] = row_no
    return again
