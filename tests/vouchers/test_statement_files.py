"""A statement on paper and in files: the same figures, and everything that its hash covers."""

import csv
import hashlib
import io
from datetime import datetime

import openpyxl
import pytest
from pypdf import PdfReader

from service.vouchers.rules import yuan_in_words
from tests.cast import HERE
from tests.vouchers.conftest import as_owner, closed


async def test_every_kind_of_paper_says_the_same(used, qian):
    [item] = await closed(qian)
    address = f"/desk/settlements/{item['settlement_id']}"

    paper = await qian.get(f"{address}/print")
    file = await qian.get(f"{address}/files/csv")
    book = openpyxl.load_workbook(io.BytesIO((await qian.get(f"{address}/files/xlsx")).content))
    content = (await qian.get(f"{address}/files/pdf")).content
    drawn = PdfReader(io.BytesIO(content))

    assert "商户结算单" in paper.text
    assert "肆拾伍元整" in paper.text
    assert file.content.startswith(b"\xef\xbb\xbf")
    assert len(file.text.strip().splitlines()) == 4
    assert paper.text.count("理发一次") == 3
    head = {row[0]: row[1] for row in book["对账单"].iter_rows(values_only=True)}
    assert head["应付（大写）"] == "肆拾伍元整"
    assert [row[3] for row in book["每一笔"].iter_rows(min_row=2, values_only=True)] == ["理发一次"] * 3
    # The reader of the tests leaves the high byte of two in the text.
    text = "".join(page.extract_text() for page in drawn.pages).replace("\x00", "")
    assert "肆拾伍元整" in text
    assert text.count("理发一次") == 3
    # Of every font used a part is in the file: readable where no font is installed.
    assert content.count(b"/FontFile3") == content.count(b"/Type /FontDescriptor") > 0
    assert (await qian.get(f"{address}/files/exe")).status_code == 404


async def test_an_invoice_stands_on_the_paper(used, qian):
    [item] = await closed(qian)
    noted = {"invoice_no": "24312000000012345678", "fen": 4500}
    assert (await qian.post(f"/api/settlements/{item['settlement_id']}/invoices", json=noted)).status_code == 201
    address = f"/desk/settlements/{item['settlement_id']}/files"
    drawn = PdfReader(io.BytesIO((await qian.get(f"{address}/pdf")).content))
    assert "24312000000012345678" in "".join(page.extract_text() for page in drawn.pages).replace("\x00", "")
    book = openpyxl.load_workbook(io.BytesIO((await qian.get(f"{address}/xlsx")).content))
    assert ("发票号码", "24312000000012345678  45.00 元") in book["对账单"].iter_rows(values_only=True)


async def test_a_stranger_computes_the_hash_from_the_files(used, qian):
    """From the CSV and the head alone, as docs/decisions/0003 writes it down."""
    [item] = await closed(qian)
    head = (await qian.get(f"/api/settlements/{item['settlement_id']}")).json()
    file = await qian.get(f"/desk/settlements/{item['settlement_id']}/files/csv")
    rows = list(csv.DictReader(io.StringIO(file.content.decode("utf-8-sig"))))

    def micros(text):
        return str(round(datetime.fromisoformat(text).timestamp() * 1_000_000))

    lines = [
        [
            *(row["行"], row["类别"], row["券号"].lstrip("'"), row["券内序号"], row["部分"], row["份数"]),
            *(row["居民积分"], row["补贴积分"], row["应付（分）"], row["店里另收（分）"]),
            *(row["时间（微秒）"].lstrip("'"), row["凭证"]),
        ]
        for row in rows
    ]
    first = [
        *("linli-settlement-1", HERE, head["settlement_id"], head["shop"], head["number"]),
        *(micros(head["received_from"]), micros(head["received_until"]), head["lines"]),
        *(head["points"] - head["subsidy_points"], head["subsidy_points"], head["fen"], head["cash_fen"]),
        *(head["closed_by"], micros(head["closed_at"])),
    ]
    written = "\n".join("|".join(map(str, row)) for row in [first, *lines])
    assert hashlib.sha256(bytes.fromhex(head["previous_hash"]) + written.encode()).hexdigest() == head["hash"]


async def test_the_shop_has_its_own_copy_and_no_other_shops(app, town, used, qian, feng, barber):
    await as_owner(app, town, barber)
    [item] = await closed(qian)
    for kind in ("csv", "xlsx", "pdf"):
        address = f"/shop/settlements/{item['settlement_id']}/files/{kind}"
        assert (await barber.get(address)).status_code == 200
        assert (await feng.get(address)).status_code == 403


@pytest.mark.parametrize(
    ("fen", "words"),
    [
        (0, "零元整"),
        (1, "壹分"),
        (10, "壹角整"),
        (105, "壹元零伍分"),
        (1050, "壹拾元伍角整"),
        (4500, "肆拾伍元整"),
        (10_000_00, "壹万元整"),
        (10_010_05, "壹万零壹拾元零伍分"),
        (100_050_00, "壹拾万零伍拾元整"),
        (10_000_1000_50, "壹亿零壹仟元伍角整"),
        (12_345_678_90, "壹仟贰佰叁拾肆万伍仟陆佰柒拾捌元玖角整"),
        (-250, "负贰元伍角整"),
        (5, "伍分"),
        (15, "壹角伍分"),
        (100, "壹元整"),
        (110, "壹元壹角整"),
        (101_00, "壹佰零壹元整"),
        (110_00, "壹佰壹拾元整"),
        (1_001_00, "壹仟零壹元整"),
        (1_010_00, "壹仟零壹拾元整"),
        (1_409_50, "壹仟肆佰零玖元伍角整"),
        (6_007_14, "陆仟零柒元壹角肆分"),
        (1_680_32, "壹仟陆佰捌拾元叁角贰分"),
        (16_409_02, "壹万陆仟肆佰零玖元零贰分"),
        (107_000_53, "壹拾万柒仟元伍角叁分"),
        (325_04, "叁佰贰拾伍元零肆分"),
        (100_000_00, "壹拾万元整"),
        (100_001_00, "壹拾万零壹元整"),
        (1_000_000_00, "壹佰万元整"),
        (1_000_100_00, "壹佰万零壹佰元整"),
        (10_000_000_00, "壹仟万元整"),
        (100_000_000_00, "壹亿元整"),
        (100_000_001_00, "壹亿零壹元整"),
        (100_010_000_00, "壹亿零壹万元整"),
        (110_000_000_00, "壹亿壹仟万元整"),
        (1_000_000_000_00, "壹拾亿元整"),
        (1_000_000_000_000_00, "壹万亿元整"),
        (1_000_100_000_000_00, "壹万零壹亿元整"),
        (10**16, "壹佰万亿元整"),
        (99_999_999_99, "玖仟玖佰玖拾玖万玖仟玖佰玖拾玖元玖角玖分"),
    ],
)
def test_money_in_words_as_chinese_accounts_write_it(fen, words):
    assert yuan_in_words(fen) == words
