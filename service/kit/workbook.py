"""Lists as .xlsx files. Every text is written as text, so that nothing in it is ever computed."""

import io
import tempfile
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from types import TracebackType
from typing import Self
from urllib.parse import quote

import anyio.to_thread
import xlsxwriter
from litestar import Response

from service.kit.clock import HOME_ZONE

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

Cell = str | int | date | None


@dataclass(frozen=True, slots=True)
class Sheet:
    """One sheet: headings, rows, the width of each column, and for a column the words one may choose from."""

    name: str
    headings: Sequence[str]
    rows: Iterable[Sequence[Cell]]
    widths: Sequence[int] = ()
    choices: Mapping[int, Sequence[str]] = field(default_factory=dict)
    blank_rows: int = 0
    """So many rows below the last one are ready to be filled in: as text, with the choices."""


def xlsx_bytes(sheets: Sequence[Sheet], *, made_at: datetime | None = None) -> bytes:
    """A whole file. Slow for thousands of rows: call it in a thread. With `made_at` the same sheets give the same bytes."""
    made = io.BytesIO()
    with xlsxwriter.Workbook(made, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}) as book:
        if made_at is not None:
            book.set_properties({"created": made_at.astimezone(HOME_ZONE).replace(tzinfo=None)})
        heading = book.add_format(
            {"bold": True, "bg_color": "#E2F1EB", "border": 1, "text_wrap": True, "valign": "top"}
        )
        text = book.add_format({"num_format": "@", "valign": "top", "text_wrap": True})
        for sheet in sheets:
            _write(book.add_worksheet(sheet.name), sheet, heading, text)
    return made.getvalue()


def _write(page: "xlsxwriter.worksheet.Worksheet", sheet: Sheet, heading: object, text: object) -> None:
    for column, title in enumerate(sheet.headings):
        width = sheet.widths[column] if column < len(sheet.widths) else 14
        page.set_column(column, column, width, text)
        page.write_string(0, column, title, heading)
    page.freeze_panes(1, 0)
    last = 0
    for last, cells in enumerate(sheet.rows, 1):
        for column, cell in enumerate(cells):
            if isinstance(cell, int):
                page.write_number(last, column, cell)
            elif cell is not None and cell != "":
                page.write_string(last, column, cell.isoformat() if isinstance(cell, date) else cell, text)
    for column, words in sheet.choices.items():
        page.data_validation(
            1, column, max(1, last + sheet.blank_rows), column, {"validate": "list", "source": list(words)}
        )


LAST_ROW = 1_048_575
"""No spreadsheet has more rows."""
PIECE = 65_536


class SheetFile:
    """A workbook of one sheet with any number of rows, written part by part to a file that is gone afterwards.

    Every text is written as text. The first row stays in sight. Writing is done in a thread: it takes about 30 ms for a
    thousand rows.
    """

    def __init__(self, name: str, widths: Sequence[int]) -> None:
        self._made = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the sheet)
        # Rows go to disk as they come, so that the memory does not grow with the file.
        choices = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
        self._book = xlsxwriter.Workbook(self._made, choices)
        self._text = self._book.add_format({"num_format": "@"})
        self._sheet = self._book.add_worksheet(name[:31])
        self._sheet.freeze_panes(1, 0)
        for column, width in enumerate(widths):
            self._sheet.set_column(column, column, width)
        self._rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._made.close()

    async def write(self, rows: Sequence[Sequence[Cell | datetime]]) -> None:
        """Add rows below those that are there; what no spreadsheet can hold is left out."""
        await anyio.to_thread.run_sync(self._write, rows)

    def _write(self, rows: Sequence[Sequence[Cell | datetime]]) -> None:
        for cells in rows:
            if self._rows > LAST_ROW:
                return
            for column, cell in enumerate(cells):
                if isinstance(cell, int):
                    self._sheet.write_number(self._rows, column, cell)
                elif cell is not None and cell != "":
                    self._sheet.write_string(self._rows, column, _said(cell), self._text)
            self._rows += 1

    async def pieces(self) -> AsyncIterator[bytes]:
        """The whole file, once."""
        await anyio.to_thread.run_sync(self._book.close)
        self._made.seek(0)
        while piece := await anyio.to_thread.run_sync(self._made.read, PIECE):
            yield piece


def _said(cell: str | date | datetime) -> str:
    if isinstance(cell, datetime):
        return cell.astimezone(HOME_ZONE).strftime("%Y-%m-%d %H:%M")
    return cell.isoformat() if isinstance(cell, date) else cell


def xlsx_answer(name: str, content: bytes) -> Response[bytes]:
    """The file to save, under a name in any language."""
    named = quote(f"{name}.xlsx", safe="")
    return Response(
        content,
        media_type=XLSX,
        headers={
            "Content-Disposition": f"attachment; filename=\"export.xlsx\"; filename*=UTF-8''{named}",
            "Cache-Control": "no-store",
        },
    )
