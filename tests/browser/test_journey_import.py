"""From a spreadsheet to somebody who signs in: checked row by row, mended, applied, printed, and opened with one's own PIN."""

import re
from pathlib import Path

import openpyxl
import pytest
from playwright.sync_api import Page, expect

from tests.browser.camera import codes_in, keep, needs_poppler, needs_zbar, sheets_of
from tests.browser.conftest import DESK, Visitor, shot

pytestmark = [pytest.mark.browser, pytest.mark.slow, needs_zbar, needs_poppler]

Row = dict[str, str]
LIN: Row = {
    "卡号": "0012-7001",
    "姓名": "林小满",
    "手机号": "13800138001",
    "网格": "第一网格",
    "楼栋": "1号楼",
    "门牌": "101",
}
HE: Row = {"卡号": "0012-7002", "姓名": "何谷雨", "出生日期": "1950-03-05"}
BAD_DAY: Row = {**HE, "出生日期": "1950年13月5日"}
NO_NAME: Row = {**LIN, "姓名": ""}


def filled(template: Path, folder: Path, rows: list[Row]) -> Path:
    """The template with its example replaced by these people, as an office's program saves it."""
    book = openpyxl.load_workbook(template)
    sheet = book.worksheets[0]
    columns = {str(cell.value).strip("*＊ "): cell.column for cell in sheet[1] if cell.value}
    sheet.delete_rows(2, sheet.max_row)
    for number, row in enumerate(rows, start=2):
        for name, text in row.items():
            sheet.cell(number, columns[name], text)
    file = folder / "新居民.xlsx"
    book.save(file)
    return file


def upload(wu: Page, origin: str, file: Path) -> None:
    """Send a sheet to be checked."""
    wu.goto(f"{origin}/desk/imports")
    wu.get_by_label("人员表").set_input_files(file)
    wu.get_by_role("button", name="上传并检查").click()


def test_a_sheet_with_mistakes_becomes_people_who_sign_in(visit: Visitor, tmp_path: Path) -> None:
    origin = visit.live.origin
    wu = visit.page("wu", viewport=DESK)
    wu.goto(f"{origin}/desk/imports")
    with wu.expect_download() as arriving:
        wu.get_by_role("link", name="下载模板").click()
    template = tmp_path / "template.xlsx"
    arriving.value.save_as(template)

    upload(wu, origin, filled(template, tmp_path, [NO_NAME, BAD_DAY]))
    main = wu.get_by_role("main")
    expect(main).to_contain_text("检查好了，还没有改动任何人")
    wu.get_by_role("navigation", name="按结果看").get_by_role("link", name="错误").click()
    expect(main).to_contain_text("第 2 行")
    expect(main).to_contain_text("第 3 行")
    expect(wu.get_by_role("button", name="确认导入")).to_have_count(0)
    shot(wu, "import-errors")

    upload(wu, origin, filled(template, tmp_path, [LIN, HE]))
    expect(main).to_contain_text("新增 2 人")
    shot(wu, "import-checked")
    wu.get_by_role("button", name="确认导入 2 人").click()
    expect(main).to_contain_text("新增了 2 人")
    shot(wu, "import-applied")

    wu.get_by_role("button", name="打印第 1 份").click()
    [sheet] = sheets_of(wu)
    keep(sheet, "import-slips")
    codes = codes_in(sheet)
    assert len(set(codes)) == 2
    activated(visit, next(code for code in codes if slip_of(visit, code, "何**")))


def slip_of(visit: Visitor, code: str, name: str) -> bool:
    """Whether this slip greets this person, half by name; looking uses nothing up."""
    page = visit.page(None)
    page.goto(code)
    found = name in page.get_by_role("main").inner_text()
    page.close()
    return found


def activated(visit: Visitor, code: str) -> None:
    """The new neighbour sets a PIN, goes out, and comes in again by card in large letters."""
    page = visit.page(None)
    page.goto(code)
    shot(page, "import-activate")
    page.get_by_label("6 位口令").fill("111111")
    page.get_by_label("再输一遍").fill("111111")
    page.get_by_role("button", name="设好了，进去").click()
    expect(page.locator(".errors")).to_be_focused()
    expect(page).to_have_title(re.compile("^错误："))
    shot(page, "import-activate-weak")
    page.get_by_label("6 位口令").fill("482915")
    page.get_by_label("再输一遍").fill("482915")
    page.get_by_role("button", name="设好了，进去").click()
    expect(page.get_by_role("main")).to_contain_text("何谷雨 的存折")
    page.goto(f"{visit.live.origin}/me")
    page.get_by_role("button", name="退出登录").click()

    page.goto(f"{visit.live.origin}/sign-in")
    page.get_by_role("button", name="长辈版").click()
    shot(page, "import-sign-in-elder")
    page.get_by_label("卡号或手机号").fill("0012-7002")
    page.get_by_role("button", name="下一步").click()
    page.get_by_label("6 位口令").fill("482916")
    page.get_by_role("button", name="登录").click()
    expect(page.locator(".errors")).to_be_focused()
    shot(page, "import-wrong-pin-elder")
    page.get_by_label("6 位口令").fill("482915")
    page.get_by_role("button", name="登录").click()
    expect(page.get_by_role("main")).to_contain_text("何谷雨 的存折")
    expect(page.locator("html")).to_have_attribute("data-mode", "elder")
    shot(page, "import-home-elder")

    # The slip is used up.
    page = visit.page(None)
    page.goto(code)
    expect(page.get_by_label("6 位口令")).to_have_count(0)
    shot(page, "import-slip-used")
