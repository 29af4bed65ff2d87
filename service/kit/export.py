"""Lists as files that a spreadsheet opens without running anything in them.

UTF-8 with a byte order mark, so that Excel reads Chinese; every line ends as RFC 4180 says.
"""

import csv
import io
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import date, datetime
from urllib.parse import quote

from litestar import Response
from litestar.response import Stream

from service.kit.clock import HOME_ZONE

Cell = str | int | date | datetime | None

_DANGEROUS = frozenset("=+-@\t\r\n＝＋－＠")
"""What makes a spreadsheet take a text for a formula, full-width forms as some of them fold those."""
_EXACT_DIGITS = 11
"""Longer runs of digits are shown as 1.38E+11 and lose their end."""


def safe_text(text: str) -> str:
    """The text with a leading quote where a spreadsheet would run it or turn it into another number."""
    head = text.lstrip(" \u00a0\u3000\ufeff")[:1] or text[:1]
    if head in _DANGEROUS or text[:1] in _DANGEROUS:
        return "'" + text
    if text.isdigit() and len(text) > 1 and (text[0] == "0" or len(text) > _EXACT_DIGITS):
        return "'" + text
    return text


def _cell(value: Cell) -> str | int:
    if value is None:
        return ""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int):
        return value
    if isinstance(value, datetime):
        return value.astimezone(HOME_ZONE).strftime("%Y-%m-%d %H:%M")
    if isinstance(value, date):
        return value.isoformat()
    return safe_text(value)


def csv_lines(rows: Iterable[Sequence[Cell]]) -> bytes:
    """Some lines of a file that is written piece by piece; the byte order mark is the caller's."""
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\r\n").writerows([_cell(value) for value in row] for row in rows)
    return out.getvalue().encode()


def csv_bytes(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> bytes:
    """A whole file. Numbers stay numbers, times are on the community's clock, texts are made harmless."""
    return b"\xef\xbb\xbf" + csv_lines([header]) + csv_lines(rows)


def csv_answer(name: str, content: bytes) -> Response[bytes]:
    """The file to save, under a name in any language."""
    named = quote(f"{name}.csv", safe="")
    return Response(
        content,
        media_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f"attachment; filename=\"export.csv\"; filename*=UTF-8''{named}",
            "Cache-Control": "no-store",
        },
    )


def file_stream(name: str, pieces: AsyncIterator[bytes], media_type: str, *, entries: int | None = None) -> Stream:
    """A long file to save, sent while it is made. The name is of plain letters; `entries` is how long it will be."""
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    if entries is not None:
        headers["x-linli-entries"] = str(entries)
    return Stream(pieces, media_type=media_type, headers=headers)
