"""From bytes to rows of cells. A file is a stranger: its bytes say what it is, and sizes are read before contents."""

import contextlib
import csv
import io
import re
import subprocess
import sys
import threading
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import msgspec

from service.kit.sheets.caged import DAY
from service.kit.sheets.refusals import (
    COLUMNS_MAX,
    FILE_BYTES_MAX,
    ROWS_MAX,
    UNPACKED_BYTES_MAX,
    EncodingUnknown,
    FileDamaged,
    FileEmpty,
    FileLocked,
    FileSwells,
    FileTooLarge,
    Formulas,
    NotASheet,
    TooManyColumns,
    TooManyRows,
)

ZIP, OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
PARTS_MAX = 2_000
READER_SECONDS_MAX = 60
KEPT_PARTS = re.compile(r"(\[Content_Types\]\.xml|_rels/[^/]+|xl/(_rels/[^/]+|[^/]+\.xml|worksheets/[^/]+\.xml))")
"""What a reader of values needs; pictures, macros and printer settings stay outside."""
ROWS_READ_MAX = ROWS_MAX + 100
"""A little room for titles above the headings."""

_CELL_OR_ROW = re.compile(rb"<(/?)(?:\w+:)?(row|c|f)(?=[\s/>])([^<>]*)>")
_PLACE = re.compile(rb'\br="([A-Z]{1,3})([0-9]{1,7})"')
_SHEET = re.compile(rb"<(?:\w+:)?sheet\s[^<>]*>")
_LINK = re.compile(rb"<(?:\w+:)?Relationship\s[^<>]*>")
"""These run outside the cage over bytes that anybody made: from one `<` they look no further than to the next, so that each byte is
looked at a few times, however the file is built. What they do not see, the cage bounds."""
_FILEPASS = re.compile(rb"\x09\x08\x10\x00\x00\x06\x05\x00.{12}(?:\x86\x00\x00\x00)?\x2f\x00", re.DOTALL)
"""The first record of an .xls whose content is encrypted: the reader would only say that it knows no such format."""


@dataclass(frozen=True, slots=True)
class Grid:
    """The cells of one sheet; `rows[0]` is the sheet's row 1. `merged` are (first row, last row), counted from 1."""

    rows: Sequence[Sequence[object]]
    merged: Sequence[tuple[int, int]] = ()


def read_grid(content: bytes) -> Grid:
    """The first visible sheet of a file, or one of the refusals beside it. Slow: call it in a thread."""
    if not content.strip(b"\x00 \t\r\n\xef\xbb\xbf"):
        raise FileEmpty
    if len(content) > FILE_BYTES_MAX:
        raise FileTooLarge
    if content.startswith(ZIP):
        return _xlsx(content)
    if content.startswith(OLE):
        if "EncryptedPackage".encode("utf-16-le") in content or _FILEPASS.search(content):
            raise FileLocked
        return _workbook(content)
    return _csv(content)


def _xlsx(content: bytes) -> Grid:
    parts = _unpacked(content)
    if "xl/workbook.xml" not in parts:
        raise NotASheet
    sheet = _sheet_part(parts)
    if sheet is not None:
        _check_cells(sheet)
    # The reader is given an archive of our own making, so that nothing it meets is larger than what was just measured.
    again = io.BytesIO()
    with zipfile.ZipFile(again, "w", zipfile.ZIP_STORED) as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return _workbook(again.getvalue())


def _unpacked(content: bytes) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            if len(entries) > PARTS_MAX or sum(entry.file_size for entry in entries) > UNPACKED_BYTES_MAX:
                raise FileSwells
            if any(entry.flag_bits & 1 for entry in entries):
                raise FileLocked
            # An entry that unpacks to more than its directory says fails its checksum here.
            return {entry.filename: archive.read(entry) for entry in entries if KEPT_PARTS.fullmatch(entry.filename)}
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, OSError) as problem:
        raise FileDamaged from problem


def _sheet_part(parts: dict[str, bytes]) -> bytes | None:
    """The XML of the sheet that will be read: the first one that is not hidden."""
    targets = {}
    for link in _LINK.findall(parts.get("xl/_rels/workbook.xml.rels", b"")):
        targets[_attribute(link, b"Id")] = _attribute(link, b"Target")
    for sheet in _SHEET.findall(parts["xl/workbook.xml"]):
        if _attribute(sheet, b"state") not in ("hidden", "veryHidden"):
            target = targets.get(_attribute(sheet, rb"\w+:id"), "")
            return parts.get(target.lstrip("/") if target.startswith("/") else f"xl/{target}")
    return None


def _attribute(tag: bytes, name: bytes) -> str:
    found = re.search(rb"\s" + name + rb'\s*=\s*["\']([^"\']*)["\']', tag)
    return found[1].decode("utf-8", "replace") if found else ""


def _check_cells(sheet: bytes) -> None:
    """Refuse a sheet whose one far-away cell would make the reader lay out billions of empty ones, and one that computes."""
    wide = rows = 0
    formula: tuple[int, int] | None = None
    place: tuple[int, int] | None = None
    for found in _CELL_OR_ROW.finditer(sheet):
        is_end, name, rest = found[1], found[2], found[3]
        is_empty = rest.endswith(b"/")
        if is_end or name == b"row":
            place = None
            if not is_end:
                wide, rows = 0, rows + 1
            continue
        if name == b"f":
            formula = formula or place
            continue
        wide += 1
        said = _PLACE.search(rest)
        place = None
        if is_empty:  # a cell that has a format and no value
            continue
        column, row = (_number(said[1]), int(said[2])) if said else (wide, rows)
        if column > COLUMNS_MAX:
            raise TooManyColumns
        if row > ROWS_READ_MAX:
            raise TooManyRows
        place = (column, row)
    if formula is not None:
        raise Formulas(f"{_letters(formula[0])}{formula[1]}")


def _number(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


def _letters(number: int) -> str:
    return chr(64 + number) if number <= 26 else _letters((number - 1) // 26) + _letters((number - 1) % 26 + 1)


def _workbook(content: bytes) -> Grid:
    """Let a confined process read it (`kit.sheets.caged`): what a file does to its reader, it does there."""
    words = [sys.executable, "-I", "-m", "service.kit.sheets.caged", str(ROWS_READ_MAX), str(COLUMNS_MAX)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as reader:
        assert reader.stdin is not None, "both ends are pipes"
        assert reader.stdout is not None, "both ends are pipes"
        patience = threading.Timer(READER_SECONDS_MAX, reader.kill)
        patience.start()
        try:
            with contextlib.suppress(BrokenPipeError), reader.stdin:
                reader.stdin.write(
                    content
                )  # it reads everything before it answers, so that neither waits for the other
            answer = reader.stdout.read(UNPACKED_BYTES_MAX + 1)
        finally:
            reader.kill()
            patience.cancel()
    return _told(answer)


def _told(answer: bytes) -> Grid:
    if not answer or len(answer) > UNPACKED_BYTES_MAX:
        raise FileSwells  # it used up its memory or its time, or it would use up ours
    try:
        told = msgspec.msgpack.decode(answer, type=_Told, ext_hook=_day)
    except msgspec.DecodeError as problem:  # it died while it spoke
        raise FileSwells from problem
    if told.no == "rows":
        raise TooManyRows
    if told.no:
        raise {"empty": FileEmpty, "columns": TooManyColumns, "locked": FileLocked}.get(told.no, FileDamaged)
    return Grid(told.cells, told.merged)


class _Told(msgspec.Struct):
    no: str = ""
    cells: list[list[object]] = []
    merged: list[tuple[int, int]] = []


def _day(code: int, content: memoryview) -> object:
    assert code == DAY, "only days travel as an extension"
    return date.fromisoformat(bytes(content).decode())


def _csv(content: bytes) -> Grid:
    text = _decoded(content)
    if "\x00" in text or text.lstrip().startswith(("<", "%PDF", "{")):
        raise NotASheet
    first = text.split("\n", 1)[0]
    delimiter = max(",", "\t", ";", key=first.count)
    rows: list[Sequence[object]] = []
    try:
        for cells in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
            if len(rows) >= ROWS_READ_MAX:
                raise TooManyRows
            if len(cells) > COLUMNS_MAX:
                raise TooManyColumns
            rows.append(cells)
    except csv.Error as problem:
        raise FileDamaged from problem
    return Grid(rows)


def _decoded(content: bytes) -> str:
    """Text in the encodings that people's programs write: UTF-8 with or without its mark, UTF-16 with one, GB18030."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = ["utf-16"]
    else:
        if any(byte < 9 or 14 <= byte < 32 for byte in content[:4096]):  # control characters
            raise NotASheet
        encodings = ["utf-8-sig", "gb18030"]
    for encoding in encodings:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise EncodingUnknown
