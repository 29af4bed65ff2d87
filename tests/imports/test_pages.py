"""What the clerk sees: the whole way by forms, in both languages, and on paper."""

import io
import re

import openpyxl
import pytest

from tests.cast import Client, TownClock
from tests.imports.sheets import HE, HEADINGS, LIN, comma, people, printed_codes, xlsx


async def uploaded(who: Client, content: bytes) -> str:
    """The page of the checked import."""
    answer = await who.post("/desk/imports", files={"file": ("人员.xlsx", content)})
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


async def test_a_clerk_goes_from_the_template_to_enrolled_people(wu: Client) -> None:
    assert "还没有导入过" in (await wu.get("/desk/imports")).text
    template = await wu.get("/desk/imports/template.xlsx")
    book = openpyxl.load_workbook(io.BytesIO(template.content))
    page = book.worksheets[0]
    assert [cell.value for cell in page[1]] == list(HEADINGS)
    for cell, value in zip(page[2], LIN, strict=True):
        cell.value = value
    filled = io.BytesIO()
    book.save(filled)

    url = await uploaded(wu, filled.getvalue())
    checked = await wu.get(url)
    applied = await wu.post(f"{url}/apply")
    done = await wu.get(applied.headers["location"])

    assert "新增 1 人" in checked.text
    assert "第一网格 1号楼" in checked.text
    assert applied.status_code == 303
    assert "导入好了" in done.text
    assert "人员.xlsx" in (await wu.get("/desk/imports")).text


async def test_the_example_row_of_the_template_is_not_a_person(wu: Client) -> None:
    url = await uploaded(wu, (await wu.get("/desk/imports/template.xlsx")).content)

    assert "第 2 行 姓名：这是模板里的例子，请删掉这一行" in (await wu.get(url)).text


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "这个文件是空的"),
        (b"%PDF-1.7", "这不是表格文件"),
        (b"x" * 8_000_001, "文件超过 8 MB"),
        (xlsx([["姓名"], ["林小满"]]), "表头里少了：卡号"),
        (comma([HEADINGS, *[LIN] * 50_000]), "这张表超过 20000 行"),
        (xlsx([HEADINGS, LIN, HE], merge="E2:E3"), "第 2-3 行有合并的单元格"),
    ],
)
async def test_a_refused_file_leads_back_to_the_form_with_its_sentence(
    wu: Client, content: bytes, sentence: str
) -> None:
    answer = await wu.post("/desk/imports", files={"file": ("人员.xlsx", content)})

    assert answer.status_code == 422
    assert sentence in answer.text
    assert 'name="file"' in answer.text


async def test_a_column_that_is_not_used_is_said_first_with_what_it_may_have_meant(wu: Client) -> None:
    sheet = xlsx([["卡号", "姓名", "联系号码", "备忘"], ["0012-7001", "林小满", "13800138001", "门口有狗"]])
    url = await uploaded(wu, sheet)
    checked = (await wu.get(url)).text

    told = "没有用到的列：联系号码（是不是“手机号”？）、备忘"
    assert checked.index(told) < checked.index("检查好了，还没有改动")
    assert "手机号：（空）" in checked
    english = (await wu.get(url, headers={"accept-language": "en"})).text
    assert "Columns that are not used: 联系号码 (perhaps 手机号?), 备忘" in english


async def test_the_rows_of_new_people_say_what_will_be_written(wu: Client) -> None:
    url = await uploaded(wu, people(LIN))
    page = (await wu.get(url)).text
    row = (await wu.get(f"/api/imports/{url.rsplit('/', 1)[1]}/rows")).json()["rows"][0]

    for said in ("手机号：138****8001", "用手机号登录：是", "楼栋：1号楼", "门牌：101", "出生日期：1950-03-05"):
        assert said in page
        assert said in row["values"]
    assert "13800138001" not in page


async def test_a_form_without_a_file_says_so(wu: Client) -> None:
    answer = await wu.post("/desk/imports", files={"other": ("x", b"x")})

    assert answer.status_code == 422
    assert "problem." not in answer.text


async def test_rows_with_errors_come_back_as_a_sheet_and_can_be_corrected_there(wu: Client) -> None:
    url = await uploaded(wu, people(["0012-7001", "林小满", "1380013800"], HE))
    page = await wu.get(url)
    assert "第 2 行 手机号：不是 11 位手机号" in page.text

    book = openpyxl.load_workbook(io.BytesIO((await wu.get(f"{url}/errors.xlsx")).content))
    sheet = book.worksheets[0]
    (line,) = list(sheet.iter_rows(min_row=2))
    assert (line[0].value, line[1].value) == ("2", "手机号：不是 11 位手机号")
    line[4].value = "13800138001"
    corrected = io.BytesIO()
    book.save(corrected)

    assert "新增 1 人" in (await wu.get(await uploaded(wu, corrected.getvalue()))).text


async def test_long_lists_are_paged(wu: Client) -> None:
    url = await uploaded(wu, people(*[[f"0012-8{i:03}", "丁芒种"] for i in range(120)]))

    first = (await wu.get(url)).text
    following = re.search(r'href="(/desk/imports/[^"]*after=[^"]*)"', first)
    assert following is not None
    second = (await wu.get(following[1].replace("&amp;", "&"))).text

    assert first.count("0012-8") == second.count("0012-8") == 50
    assert "0012-8000" in first
    assert "0012-8050" in second


async def test_slips_are_eight_to_a_sheet_and_each_lets_one_person_in(wu: Client, anon: Client) -> None:
    url = await uploaded(wu, people(*[[f"0012-8{i:03}", "丁芒种", "", "", "一", "1号楼", f"{i}"] for i in range(10)]))
    await wu.post(f"{url}/apply")
    assert "打印第 1 份，共 1 份" in (await wu.get(url)).text

    slips = await wu.post(f"{url}/slips", data={"part": "1"})

    codes = printed_codes(slips.text)
    assert slips.status_code == 200
    assert slips.text.count('class="sheet a7"') == 2
    assert len(set(codes)) == 10
    assert slips.text.count("<svg") == 10
    let_in = await anon.get("/A/" + codes[0].replace(" ", ""))
    assert let_in.status_code == 200
    assert "丁**" in let_in.text


async def test_printing_again_voids_the_old_codes(wu: Client, anon: Client) -> None:
    url = await uploaded(wu, people(LIN))
    await wu.post(f"{url}/apply")
    first, second = [
        printed_codes((await wu.post(f"{url}/slips", data={"part": "1"})).text)[0].replace(" ", "") for _ in range(2)
    ]

    assert (await anon.get(f"/A/{first}")).status_code == 410
    assert (await anon.get(f"/A/{second}")).status_code == 200


async def test_the_pages_speak_english_too(wu: Client, clock: TownClock) -> None:
    wu.cookies.set("locale", "en")
    url = await uploaded(wu, people(["0012-7001", "林小满", "1380013800"]))

    text = (await wu.get(url)).text

    assert "Row 2, Mobile number: is not an 11-digit mobile number" in text
