"""What the cells of the bank's list mean, in every encoding and with everything wrong that banks and people write."""

from datetime import date
from typing import Any

import pytest

from service.kit.sheets.cells import day_of
from service.kit.sheets.refusals import SheetRefused
from service.payouts.bank.cells import Line, read_lines
from service.payouts.bank.rules import LINES_MAX, Column, Direction
from service.payouts.bank.workbooks import template, template_csv
from tests.imports.sheets import comma, part_of, with_part, xls, xlsx

HEADINGS = ("附言", "金额", "退回金额", "收款账号", "收款人户名", "流水号", "日期", "状态", "退回原因")
PAID = ("LL000001-001", "45.00", "", "6222021234567890123", "小李理发店", "ICBC-1", "2026-11-20", "成功", "")
BACK = ("LL000001-002", "", "30.50", "6222021234567890999", "周记面包坊", "ICBC-2", "2026-11-21", "", "户名不符")


def lines(*rows: Any, chosen: dict[str, str] | None = None) -> list[Line]:
    return list(read_lines(xlsx([HEADINGS, *rows]), chosen or {}))


def problem(**cells: object) -> tuple[str, str] | None:
    values = dict(zip(HEADINGS, PAID, strict=True)) | cells
    [line] = lines([values[heading] for heading in HEADINGS])
    return (line.problem[0].value, line.problem[1]) if line.problem else None


@pytest.mark.parametrize(
    "content",
    [
        xlsx([HEADINGS, PAID, BACK]),
        xls([HEADINGS, PAID, BACK]),
        comma([HEADINGS, PAID, BACK]),
        comma([HEADINGS, PAID, BACK], "utf-8-sig"),
        comma([HEADINGS, PAID, BACK], "gb18030"),
        comma([["工商银行批量付款结果"], [], HEADINGS, PAID, BACK, [""] * 9], "gb18030"),
    ],
    ids=["xlsx", "xls", "utf-8", "utf-8 with its mark", "gb18030", "title above, blanks below"],
)
def test_the_same_lines_are_read_from_every_kind_of_file(content: bytes) -> None:
    paid, back = read_lines(content, {})

    assert (paid.direction, paid.fen, paid.mark, paid.account) == (
        Direction.PAID,
        4500,
        "LL000001-001",
        "6222021234567890123",
    )
    assert (paid.holder, paid.reference, paid.paid_on, paid.problem) == (
        "小李理发店",
        "ICBC-1",
        date(2026, 11, 20),
        None,
    )
    assert (back.direction, back.fen, back.reason, back.problem) == (Direction.RETURNED, 3050, "户名不符", None)


@pytest.mark.parametrize(
    ("typed", "fen"),
    [
        ("45", 4500),
        (45, 4500),
        (1234.56, 123456),
        (0.1, 10),
        ("0.29", 29),
        ("1,234.5", 123450),
        ("￥45.00", 4500),
        ("４５．００", 4500),
        ("45.000", 4500),
        ("45元", 4500),
        ("9,999,999,999.99", 999999999999),
    ],
)
def test_an_amount_is_read_exactly_into_fen(typed: object, fen: int) -> None:
    [line] = lines(["LL000001-001", typed, "", "", "", "", "", "", ""])

    assert (line.fen, line.problem) == (fen, None)


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ({"金额": "45.001"}, ("金额", "amount")),
        ({"金额": "四十五"}, ("金额", "amount")),
        ({"金额": "1e5"}, ("金额", "amount")),
        ({"金额": "99,99.00"}, ("金额", "amount")),
        ({"金额": "10,000,000,000.01"}, ("金额", "amount")),
        ({"金额": "-45.00"}, ("金额", "negative")),
        ({"金额": "0.00"}, ("金额", "amount_missing")),
        ({"金额": ""}, ("金额", "amount_missing")),
        ({"退回金额": "45.00"}, ("金额", "two_amounts")),
        ({"状态": "处理中"}, ("状态", "status")),
        ({"日期": "昨天"}, ("日期", "day")),
        ({"日期": "2026-02-30"}, ("日期", "day")),
        ({"收款账号": 6222021234567890123}, ("收款账号", "digits_lost")),
        ({"附言": "=HYPERLINK(A1)"}, ("附言", "formula")),
        ({"收款人户名": "@SUM(A1)"}, ("收款人户名", "formula")),
        ({"收款人户名": "'=1+1"}, ("收款人户名", "formula")),
        ({"收款人户名": "＋cmd"}, ("收款人户名", "formula")),
        ({"附言": "LL" * 200}, ("附言", "too_long")),
        ({"附言": "a\u202eb"}, ("附言", "too_long")),
    ],
)
def test_what_is_wrong_is_named_with_its_column(cells: dict[str, object], expected: tuple[str, str]) -> None:
    assert problem(**cells) == expected


@pytest.mark.parametrize("typed", ['="6222021234567890123"', "'6222021234567890123", "6222 0212 3456 7890 123"])
def test_a_number_that_is_kept_as_text_is_text(typed: str) -> None:
    [line] = read_lines(comma([HEADINGS, [PAID[0], "45", "", typed, "", "\t99", "", "", ""]]), {})

    assert (line.account, line.reference, line.problem) == ("6222021234567890123", "99", None)


def test_a_line_that_failed_came_back_and_a_time_behind_the_day_is_left_out() -> None:
    [line] = lines([*PAID[:6], "2026-11-20 14:03:59", "失败", "账号不存在"])

    assert (line.direction, line.fen, line.paid_on, line.reason) == (
        Direction.RETURNED,
        4500,
        date(2026, 11, 20),
        "账号不存在",
    )


@pytest.mark.parametrize(
    ("headings", "cells", "is_said"),
    [
        (("附言", "金额", "状态"), ("", "45", "失败"), True),
        (("附言", "金额", "状态"), ("", "45", "RETURNED"), True),
        (("摘要", "贷方金额"), ("退汇", "45"), True),
        (("摘要", "贷方金额"), ("跨行退票", "45"), True),
        (("摘要", "贷方金额", "原因"), ("", "45", "账号不存在退汇"), True),
        (("摘要", "退票金额"), ("", "45"), True),
        (("附言", "退回金额"), ("", "45"), True),
        (("摘要", "贷方金额"), ("货款", "45"), False),
        (("摘要", "收入金额"), ("多收的还给社区", "45"), False),
        (("摘要", "收入金额", "状态"), ("", "45", "成功"), False),
        (("附言", "金额"), ("退汇手续费", "45"), False),
    ],
)
def test_money_that_came_was_sent_back_where_the_bank_says_so(headings: Any, cells: Any, is_said: bool) -> None:
    [line] = read_lines(comma([headings, cells]), {})

    assert line.problem is None
    assert line.says_returned is is_said


def test_a_day_that_is_infinite_is_a_problem_of_its_cell() -> None:
    good = xlsx([HEADINGS, [*PAID[:6], 45_000, *PAID[7:]]])
    sheet = "xl/worksheets/sheet1.xml"
    endless = with_part(good, sheet, part_of(good, sheet).replace(b"<v>45000</v>", b"<v>1e999</v>"))

    assert [line.problem for line in read_lines(good, {})] == [None]
    assert [line.problem for line in read_lines(endless, {})] == [(Column.DAY, "day")]
    assert day_of(float("inf")) is day_of(float("-inf")) is day_of(float("nan")) is None


def test_the_columns_of_the_community_come_before_ours_and_before_those_of_most_banks() -> None:
    rows = [["票据", "支出金额", "我方用途", "摘要"], ["1", "45", "LL000001-001", "货款"]]

    assert read_lines(xlsx(rows), {})[0].mark == "货款"
    assert read_lines(xlsx(rows), {"附言": "我方用途"})[0].mark == "LL000001-001"


def test_equal_lines_are_told_apart_by_their_place_among_equal_ones_wherever_the_list_begins() -> None:
    other = ("LL000001-003", *PAID[1:])
    first = [line.identity() for line in lines(PAID, other, PAID)]
    again = [line.identity() for line in lines(other, PAID, PAID)]

    assert len(set(first)) == 3
    assert set(first) == set(again)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "imports.file_empty"),
        (xlsx([HEADINGS]), "imports.file_empty"),
        (b"%PDF-1.7\n", "imports.not_a_sheet"),
        (xlsx([HEADINGS, PAID])[:-300], "imports.file_damaged"),
        ("附言,金额\n".encode() + b"\xff\xfe\xff,45", "imports.encoding_unknown"),
        (xlsx([["物品", "数量"], ["肥皂", 3]]), "payouts.headings_unknown"),
        (xlsx([["金额", "流水号"], ["45", "1"]]), "imports.columns_missing"),
        (xlsx([["附言", "流水号"], ["45", "1"]]), "imports.columns_missing"),
        (xlsx([["附言", "金额", "金额"], ["LL000001-001", "1", "2"]]), "imports.column_twice"),
        (comma([HEADINGS, *[PAID] * (LINES_MAX + 1)]), "imports.too_many_rows"),
        (xlsx([HEADINGS, PAID, BACK], merge="A2:A3"), "imports.merged_cells"),
        (xlsx([HEADINGS, ["LL000001-001", "=40+5"]], formulas=True), "imports.formulas"),
    ],
)
def test_a_file_we_cannot_take_is_refused_with_its_own_sentence(content: bytes, code: str) -> None:
    with pytest.raises(SheetRefused) as refused:
        read_lines(content, {})

    assert refused.value.code == code


@pytest.mark.parametrize("content", [template_csv(), template()], ids=["csv", "xlsx"])
def test_the_template_has_our_headings_and_nothing_else(content: bytes) -> None:
    with pytest.raises(SheetRefused) as refused:
        read_lines(content, {})

    assert refused.value.code == "imports.file_empty"
