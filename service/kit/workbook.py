"""Lists as .xlsx files. Every text is written as text, so that nothing in it is ever computed."""

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from urllib.parse import quote

import xlsxwriter
from litestar import Response

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


def xlsx_bytes(sheets: Sequence[Sheet]) -> bytes:
    """A whole file. Slow for thousands of rows: call it in a thread."""
    made = io.BytesIO()
    with xlsxwriter.Workbook(made, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}) as book:
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
