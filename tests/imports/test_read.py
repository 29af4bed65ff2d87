"""Every kind of file a clerk may send: what is read, and with which sentence the rest is refused."""

import io
import re
import subprocess
import sys
import time
import zipfile
from datetime import date, datetime

import pytest

from service.imports.cells import Row
from service.imports.reading import read_sheet
from service.kit.sheets import grid
from service.kit.sheets.grid import read_grid
from service.kit.sheets.refusals import COLUMNS_MAX, FILE_BYTES_MAX, ROWS_MAX, Formulas, SheetRefused
from tests.imports.sheets import (
    HE,
    HEADINGS,
    LIN,
    comma,
    compound,
    number_cell,
    part_of,
    people,
    shared_cell,
    with_part,
    xls,
    xls_of,
    xlsx,
)

TODAY = date(2026, 11, 22)
GOOD = [HEADINGS, LIN, HE]
SHEET = "xl/worksheets/sheet1.xml"


def rows(content: bytes) -> list[Row]:
    return list(read_sheet(content, TODAY).rows)


def problems(*cells: object, headings: tuple[str, ...] = HEADINGS) -> list[tuple[str, str]]:
    (row,) = rows(xlsx([headings, cells]))
    return [(problem.column.value, problem.code) for problem in row.problems]


@pytest.mark.parametrize(
    "content",
    [
        people(LIN, HE),
        comma(GOOD),
        comma(GOOD, "utf-8-sig"),
        comma(GOOD, "gb18030"),
        comma(GOOD, "utf-16"),
        comma(GOOD).replace(b",", b"\t"),
        xls(GOOD),
        xlsx([["兴乐社区人员表"], [], *GOOD, [], ["", "　"]]),
    ],
    ids=["xlsx", "utf-8", "utf-8 with its mark", "gb18030", "utf-16", "tabs", "xls", "title above, blanks below"],
)
def test_the_same_people_are_read_from_every_kind_of_file(content: bytes) -> None:
    lin, he = rows(content)

    assert (lin.card_no, lin.name, lin.phone, lin.signs_in) == ("0012-7001", "林小满", "+8613800138001", True)
    assert (lin.grid, lin.building, lin.door, lin.born_on) == ("第一网格", "1号楼", "101", "1950-03-05")
    assert lin.roles == ("resident", "volunteer")
    assert (he.name, he.phone, he.signs_in, he.born_on, he.roles) == ("何谷雨", None, None, None, ())
    assert lin.problems == he.problems == ()


def _bomb() -> bytes:
    return with_part(people(LIN), SHEET, b" " * 100_000_000)


def _encrypted_entry() -> bytes:
    made = bytearray(people(LIN))
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = made.find(mark)
        while at >= 0:
            made[at + offset] |= 1
            at = made.find(mark, at + 4)
    return bytes(made)


def _lying_directory() -> bytes:
    """Says that the sheet is small; it unpacks to far more."""
    made = bytearray(with_part(people(LIN), SHEET, b" " * 3_000_000))
    at = made.rfind(b"PK\x01\x02", 0, made.rfind(SHEET.encode()))
    made[at + 24 : at + 28] = (100).to_bytes(4, "little")
    return bytes(made)


def _far_away() -> bytes:
    return with_part(people(LIN), SHEET, part_of(people(LIN), SHEET).replace(b'<c r="A2"', b'<c r="XFD1048576"'))


def _other_archive() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("word/document.xml", "<w/>")
    return made.getvalue()


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "imports.file_empty"),
        (b"\xef\xbb\xbf \r\n", "imports.file_empty"),
        (xlsx([]), "imports.file_empty"),
        (xlsx([HEADINGS]), "imports.file_empty"),
        (b"x" * 10_000_000, "imports.file_too_large"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj", "imports.not_a_sheet"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "imports.not_a_sheet"),
        (b"<html><table><tr><td>", "imports.not_a_sheet"),
        (_other_archive(), "imports.not_a_sheet"),
        (people(LIN)[:-300], "imports.file_damaged"),
        (_lying_directory(), "imports.file_damaged"),
        (with_part(people(LIN), SHEET, b"<worksheet><sheetData><row"), "imports.file_damaged"),
        (compound("Something", b"else"), "imports.file_damaged"),
        (compound("EncryptedPackage", b"secret"), "imports.file_locked"),
        (xls(GOOD, locked=True), "imports.file_locked"),
        (_encrypted_entry(), "imports.file_locked"),
        (_bomb(), "imports.file_swells"),
        ("卡号,姓名\n".encode() + b"\xff\xfe\xff0012,x", "imports.encoding_unknown"),
        (xlsx([["物品", "数量"], ["肥皂", 3]]), "imports.header_missing"),
        (xlsx([["姓名", "手机号"], ["林小满", "13800138001"]]), "imports.columns_missing"),
        (xlsx([["卡号", "姓名", "电话", "手机号"], LIN]), "imports.column_twice"),
        (comma([HEADINGS, *[LIN] * 50_000]), "imports.too_many_rows"),
        (xlsx([HEADINGS, *[LIN] * (ROWS_MAX + 1)]), "imports.too_many_rows"),
        (_far_away(), "imports.too_many_columns"),
        (comma([["卡号", "姓名", *["x"] * 80], LIN]), "imports.too_many_columns"),
        (xlsx([HEADINGS, LIN, HE], merge="E2:E3"), "imports.merged_cells"),
        (xlsx([HEADINGS, [*LIN[:2], '=CONCAT("138",A2)']], formulas=True), "imports.formulas"),
    ],
)
def test_a_file_we_cannot_take_is_refused_with_its_own_sentence(content: bytes, code: str) -> None:
    with pytest.raises(SheetRefused) as refused:
        read_sheet(content, TODAY)

    assert refused.value.code == code


FAR_APART = number_cell(0, 0) + number_cell(65_535, 255)
"""Two cells that a reader lays out as sixteen million."""
ONE_TEXT_EVERYWHERE = b"".join(shared_cell(row, column) for row in range(2_000) for column in range(60))


@pytest.mark.parametrize(
    ("content", "codes"),
    [
        (xls_of(1, FAR_APART), {"imports.file_swells", "imports.too_many_rows"}),
        (xls_of(200, FAR_APART), {"imports.file_swells"}),
        (xls_of(1, ONE_TEXT_EVERYWHERE, "x" * 8_000), {"imports.file_swells"}),
    ],
    ids=["two cells far apart", "in two hundred sheets", "one text in 120,000 cells"],
)
def test_a_crafted_xls_eats_neither_memory_nor_time(content: bytes, codes: set[str]) -> None:
    """The second would take 80 GB and the third 1 GB of a reader that believes them."""
    assert len(content) < FILE_BYTES_MAX
    script = (
        "import resource, sys\n"
        "from datetime import date\n"
        "from service.imports.reading import read_sheet\n"
        "from service.kit.sheets.refusals import SheetRefused\n"
        "most = 700 * 1024 * 1024\n"
        "resource.setrlimit(resource.RLIMIT_AS, (most, most))\n"
        "try:\n"
        "    read_sheet(sys.stdin.buffer.read(), date(2026, 11, 22))\n"
        "except SheetRefused as no:\n"
        "    print(no.code)\n"
    )
    started = time.monotonic()
    # A process of its own, so that its memory is its own and can be measured.
    done = subprocess.run([sys.executable, "-c", script], input=content, capture_output=True, check=True, timeout=60)

    assert done.stdout.decode().strip() in codes
    assert time.monotonic() - started < 30


LINK = "xl/_rels/workbook.xml.rels"


@pytest.mark.parametrize(
    ("name", "piece"),
    [
        (SHEET, b"<c "),
        (SHEET, b"<x:c r"),
        (SHEET, b"</row "),
        (SHEET, b'<c r="A1" r="A1"'),
        (LINK, b"<Relationship "),
        ("xl/workbook.xml", b"<sheet "),
    ],
)
def test_a_part_of_tags_without_an_end_is_read_once_and_refused(name: str, piece: bytes) -> None:
    """What looked from each `<` to the end of all took minutes for one megabyte; here are three."""
    with pytest.raises(SheetRefused) as refused:
        read_grid(with_part(people(LIN), name, piece * (3_000_000 // len(piece))))

    assert refused.value.code in {"imports.file_damaged", "imports.file_swells", "imports.file_empty"}


def test_no_pattern_outside_the_cage_looks_beyond_the_next_tag() -> None:
    patterns = [value for value in vars(grid).values() if isinstance(value, re.Pattern)]

    assert len(patterns) > 4
    for pattern in patterns:
        said = pattern.pattern if isinstance(pattern.pattern, bytes) else pattern.pattern.encode()
        assert b"[^>]" not in said
        assert b"?>" not in said.replace(b"(?:", b""), "no lazy run up to the end of a tag"
        assert b".*" not in said
        assert b".+" not in said


def _of_cells(cells: bytes) -> bytes:
    return b'<worksheet><sheetData><row r="1">' + cells + b"</row></sheetData></worksheet>"


@pytest.mark.parametrize(
    ("cells", "place"),
    [
        (b'<c r="B1"><f>1+1</f><v>2</v></c>', "B1"),
        (b'<c r="AB1" s="1">\n <f t="shared" si="0"/><v>2</v></c>', "AB1"),
        (b'<x:c r="Z1" t="n"><x:f>1+1</x:f></x:c>', "Z1"),
        (b"<c><v>1</v></c><c><f>1+1</f></c>", "B1"),
        (b'<c s="1"/><c><f>1+1</f></c>', "B1"),
    ],
)
def test_a_computed_cell_is_named_however_it_is_written(cells: bytes, place: str) -> None:
    with pytest.raises(Formulas) as refused:
        read_grid(with_part(people(LIN), SHEET, _of_cells(cells)))

    assert refused.value.place == place


def test_what_a_list_of_choices_computes_is_no_computed_cell() -> None:
    rest = b'</sheetData><extLst><ext><x14:formula1 xmlns:x14="x"><xm:f xmlns:xm="m">A1</xm:f></x14:formula1></ext></extLst>'
    good = people(LIN)

    assert len(read_grid(with_part(good, SHEET, part_of(good, SHEET).replace(b"</sheetData>", rest))).rows) == 2


@pytest.mark.slow
def test_a_large_honest_sheet_fits_into_what_the_reader_may_use() -> None:
    wide = [f"第{column}列" for column in range(COLUMNS_MAX - len(HEADINGS))]
    full = [f"备注{column}" for column in range(COLUMNS_MAX - len(HEADINGS))]
    content = xlsx([[*HEADINGS, *wide], *[[f"0012-{number}", *LIN[1:], *full] for number in range(ROWS_MAX)]])

    assert len(content) < FILE_BYTES_MAX
    assert len(read_grid(content).rows) == ROWS_MAX + 1


def test_the_reader_keeps_nothing_that_it_may_not_use() -> None:
    """What `confine` promises, asked of the process itself."""
    script = (
        "import resource\n"
        "from service.kit.sheets.caged import confine\n"
        "confine()\n"
        "print(*(resource.getrlimit(what) == (most, most) for what, most in ("
        "(resource.RLIMIT_AS, 512 << 20), (resource.RLIMIT_CPU, 30), (resource.RLIMIT_FSIZE, 0))))\n"
    )
    done = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, check=True, timeout=60)

    assert done.stdout.split() == [b"True", b"True", b"True"]


def test_a_merged_title_above_the_headings_is_no_trouble() -> None:
    (row,) = rows(xlsx([["", ""], HEADINGS, LIN], merge="A1:I1"))

    assert row.problems == ()


def test_formats_without_values_far_below_are_no_trouble() -> None:
    empty = b'<row r="1048576"><c r="A1048576" s="1"/></row></sheetData>'
    (row,) = rows(with_part(people(LIN), SHEET, part_of(people(LIN), SHEET).replace(b"</sheetData>", empty)))

    assert row.card_no == "0012-7001"


def test_columns_we_do_not_know_are_left_aside_and_named() -> None:
    read = read_sheet(
        xlsx([["卡号", "姓名", "备注", "联系电话"], ["0012-7001", "林小满", "独居", "13800138001"]]), TODAY
    )

    assert read.unused == ["备注"]
    assert read.rows[0].phone == "+8613800138001"


@pytest.mark.parametrize(
    "typed",
    [
        "13800138001",
        13800138001,
        13800138001.0,
        "１３８００１３８００１",
        "+86 138-0013-8001",
        "0086 13800138001",
        " 138 0013 8001 ",
    ],
)
def test_a_phone_number_is_known_however_it_was_typed(typed: object) -> None:
    (row,) = rows(people(["0012-7001", "林小满", typed]))

    assert row.phone == "+8613800138001"


@pytest.mark.parametrize(
    "typed",
    [
        "1950-03-05",
        "1950/3/5",
        "1950.3.5",
        "1950年3月5日",
        "19500305",
        19500305,
        18327,
        date(1950, 3, 5),
        "１９５０－０３－０５",
    ],
)
def test_a_birthday_is_known_however_it_was_typed(typed: object) -> None:
    (row,) = rows(people(["0012-7001", "林小满", "", "", "", "", "", typed]))

    assert (row.born_on, row.problems) == ("1950-03-05", ())


def test_a_sheets_own_dates_with_a_time_are_days() -> None:
    (row,) = rows(people(["0012-7001", "林小满", "", "", "", "", "", datetime(1950, 3, 5, 8, 30)]))  # noqa: DTZ001 (cells have no zone)

    assert row.born_on == "1950-03-05"


def test_card_numbers_are_known_in_full_width_and_as_numbers() -> None:
    first, second = rows(people(["００１２－７００１", "林小满"], [127002, "何谷雨"]))

    assert (first.card_no, second.card_no) == ("0012-7001", "127002")


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["", "林小满"], [("卡号", "required")]),
        (["卡一", "林小满"], [("卡号", "card")]),
        ([1234567890123456789, "林小满"], [("卡号", "digits_lost")]),
        (["0012-7001", ""], [("姓名", "required")]),
        (["0012-7001", 12], [("姓名", "name")]),
        (["0012-7001", "林" * 41], [("姓名", "name")]),
        (["0012-7001", "示例人"], [("姓名", "example")]),
        (["0012-7001", "林小满", "1380013800"], [("手机号", "phone")]),
        (["0012-7001", "林小满", "029-87654321"], [("手机号", "phone")]),
        (["0012-7001", "林小满", "13800138001", "也许"], [("用手机号登录", "yes_or_no")]),
        (["0012-7001", "林小满", "", "是"], [("手机号", "phone_to_sign_in")]),
        (["0012-7001", "林小满", "", "", "", "1号楼", ""], [("门牌", "door_missing")]),
        (["0012-7001", "林小满", "", "", "", "", "101"], [("楼栋", "building_missing")]),
        (["0012-7001", "林小满", "", "", "", "", "", "昨天"], [("出生日期", "date")]),
        (["0012-7001", "林小满", "", "", "", "", "", "1950-02-30"], [("出生日期", "date")]),
        (["0012-7001", "林小满", "", "", "", "", "", "2030-01-01"], [("出生日期", "date_range")]),
        (["0012-7001", "林小满", "13800138001", "是", "", "", "", "2013-01-01"], [("用手机号登录", "too_young")]),
        (["0012-7001", "林小满", "", "", "", "", "", "", "管理员"], [("身份", "role")]),
        (
            ["", "", "123", "", "", "", "", "x"],
            [("卡号", "required"), ("姓名", "required"), ("手机号", "phone"), ("出生日期", "date")],
        ),
    ],
)  # fmt: skip
def test_everything_wrong_in_a_row_is_named_with_its_column(
    cells: list[object], expected: list[tuple[str, str]]
) -> None:
    assert problems(*cells) == expected
