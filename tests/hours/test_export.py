"""A list as a file: Excel reads it, and runs nothing in it."""

import csv
import io
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.kit.export import csv_answer, csv_bytes, safe_text


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "\nx", "＝1", "＋1", "－1", "＠x", "  =1", "\u3000=1", "\ufeff=1"],
)
def test_what_a_spreadsheet_would_run_is_quoted(text: str) -> None:
    assert safe_text(text) == "'" + text


@pytest.mark.parametrize("text", ["", "陈助人", "0012-0003", "a=b", "138", "12345678901", "7"])
def test_everything_else_is_left_alone(text: str) -> None:
    assert safe_text(text) == text


@pytest.mark.parametrize("text", ["007", "123456789012", "610102199001011234"])
def test_numbers_that_are_names_keep_their_digits(text: str) -> None:
    assert safe_text(text) == "'" + text


def test_the_file() -> None:
    content = csv_bytes(
        ["姓名", "=时长"],
        [["陈, 助人", -30, date(2026, 11, 23), datetime(2026, 11, 22, 18, 5, tzinfo=UTC), None]],
    )

    assert content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    assert rows == [["姓名", "'=时长"], ["陈, 助人", "-30", "2026-11-23", "2026-11-23 02:05", ""]]
    assert content.endswith(b"\r\n")


@given(st.lists(st.text(), min_size=1, max_size=5))
def test_no_cell_of_text_begins_dangerously(cells: list[str]) -> None:
    text = csv_bytes(["a"], [cells]).decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(text, newline="")))

    assert not any(cell[:1] in "=+-@\t\r\n＝＋－＠" for row in rows for cell in row if cell)


def test_the_files_name_may_be_chinese() -> None:
    header = csv_answer("时长 2026", b"").headers["Content-Disposition"]

    assert header.isascii()
    assert "filename*=UTF-8''%E6%97%B6%E9%95%BF%202026.csv" in header
