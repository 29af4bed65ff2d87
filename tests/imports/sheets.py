"""Makes sheets as people's programs write them, good and bad."""

import csv
import io
import re
import struct
import zipfile
from collections.abc import Sequence
from datetime import date
from typing import Any

import xlsxwriter

HEADINGS = ("卡号", "姓名", "手机号", "用手机号登录", "网格", "楼栋", "门牌", "出生日期", "身份")
LIN = ("0012-7001", "林小满", "13800138001", "是", "第一网格", "1号楼", "101", "1950-03-05", "居民、志愿者")
HE = ("0012-7002", "何谷雨", "", "", "第一网格", "1号楼", "102", "", "")


def xlsx(rows: Sequence[Sequence[Any]], *, formulas: bool = False, merge: str | None = None) -> bytes:
    """A workbook with one sheet."""
    made = io.BytesIO()
    with xlsxwriter.Workbook(made, {"in_memory": True, "strings_to_formulas": formulas}) as book:
        page = book.add_worksheet("人员")
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        for number, cells in enumerate(rows):
            for column, cell in enumerate(cells):
                page.write(number, column, cell, day) if isinstance(cell, date) else page.write(number, column, cell)
        if merge:
            page.merge_range(merge, "合并")
    return made.getvalue()


def people(*rows: Sequence[Any]) -> bytes:
    """A workbook with our headings and these rows."""
    return xlsx([HEADINGS, *rows])


def comma(rows: Sequence[Sequence[Any]], encoding: str = "utf-8") -> bytes:
    """The same as CSV."""
    out = io.StringIO(newline="")
    csv.writer(out).writerows(rows)
    return out.getvalue().encode(encoding)


def with_part(content: bytes, name: str, part: bytes) -> bytes:
    """A workbook with one of its parts replaced."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.namelist():
            new.writestr(entry, part if entry == name else old.read(entry))
        if name not in old.namelist():
            new.writestr(name, part)
    return made.getvalue()


def part_of(content: bytes, name: str) -> bytes:
    """One part of a workbook."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.read(name)


def xls(rows: Sequence[Sequence[str]], *, locked: bool = False) -> bytes:
    """An old .xls (BIFF8) of text cells, as old office programs still send them."""
    page = _record(0x0809, struct.pack("<HHHHII", 0x0600, 0x0010, 0, 0, 0, 6))
    page += _record(0x0200, struct.pack("<IIHHH", 0, len(rows), 0, max(map(len, rows)), 0))
    for number, cells in enumerate(rows):
        for column, text in enumerate(cells):
            body = text.encode("utf-16-le")
            page += _record(0x0204, struct.pack("<HHHHB", number, column, 0, len(text), 1) + body)
    page += _record(0x000A, b"")
    head = _record(0x0809, struct.pack("<HHHHII", 0x0600, 0x0005, 0, 0, 0, 6))
    if locked:  # RC4, with a salt and verifiers that fit no password
        head += _record(0x002F, struct.pack("<HHH", 1, 1, 1) + bytes(48))
    head += _record(0x0042, struct.pack("<H", 1200))
    name = "人员".encode("utf-16-le")
    bound = struct.pack("<BBBB", 0, 0, 2, 1) + name
    start = len(head) + 4 + 4 + len(bound) + 4
    head += _record(0x0085, struct.pack("<I", start) + bound) + _record(0x000A, b"")
    return compound("Workbook", head + page)


def xls_of(sheets: int, cells: bytes, shared: str = "") -> bytes:
    """An old .xls of many sheets, each with these records, and perhaps one shared text: as nobody's program writes it."""
    page = _record(0x0809, struct.pack("<HHHHII", 0x0600, 0x0010, 0, 0, 0, 6)) + cells + _record(0x000A, b"")
    head = _record(0x0809, struct.pack("<HHHHII", 0x0600, 0x0005, 0, 0, 0, 6)) + _record(
        0x0042, struct.pack("<H", 1200)
    )
    texts = b""
    if shared:
        texts = _record(0x00FC, struct.pack("<IIHB", 1, 1, len(shared), 0) + shared.encode("latin-1"))
    names = [f"s{number}".encode("utf-16-le") for number in range(sheets)]
    start = len(head) + sum(4 + 8 + len(name) for name in names) + len(texts) + 4
    for number, name in enumerate(names):
        bound = struct.pack("<IBBBB", start + number * len(page), 0, 0, len(name) // 2, 1) + name
        head += _record(0x0085, bound)
    return compound("Workbook", head + texts + _record(0x000A, b"") + page * sheets)


def number_cell(row: int, column: int) -> bytes:
    """One number somewhere."""
    return _record(0x0203, struct.pack("<HHHd", row, column, 0, 1.0))


def shared_cell(row: int, column: int) -> bytes:
    """A cell that shows the shared text."""
    return _record(0x00FD, struct.pack("<HHHI", row, column, 0, 0))


def compound(name: str, stream: bytes) -> bytes:
    """A compound file (OLE) that holds one stream."""
    stream = stream.ljust(max(4096, -(-len(stream) // 512) * 512), b"\0")
    sectors = len(stream) // 512
    tables = 1
    while tables * 128 < sectors + tables + 1:
        tables += 1
    assert tables <= 109, "as many as the header names"
    chain = [*range(tables + 2, tables + sectors + 1), 0xFFFFFFFE]
    table = [*[0xFFFFFFFD] * tables, 0xFFFFFFFE, *chain]
    table += [0xFFFFFFFF] * (tables * 128 - len(table))
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6) + bytes(6)
    header += struct.pack("<IIIIIIIII", 0, tables, tables, 0, 4096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0)
    header += struct.pack(f"<{tables}I", *range(tables)) + b"\xff" * ((109 - tables) * 4)
    entries = _entry("Root Entry", 5, 0xFFFFFFFE, 0, child=1) + _entry(name, 2, tables + 1, len(stream)) + bytes(256)
    return header + struct.pack(f"<{tables * 128}I", *table) + entries + stream


def _record(kind: int, body: bytes) -> bytes:
    return struct.pack("<HH", kind, len(body)) + body


def _entry(name: str, kind: int, start: int, size: int, child: int = 0xFFFFFFFF) -> bytes:
    text = (name + "\0").encode("utf-16-le")
    return (
        text.ljust(64, b"\0")
        + struct.pack("<HBBIII", len(text), kind, 1, 0xFFFFFFFF, 0xFFFFFFFF, child)
        + bytes(36)
        + struct.pack("<IQ", start, size)
    )


def printed_codes(page: str) -> list[str]:
    """The one-time codes on a sheet of slips, as somebody would type them."""
    return [number + word for number, word in re.findall(r'class="code"><small>([^<]+)</small>([^<]+)<', page)]
