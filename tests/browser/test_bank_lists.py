"""The bank's list from the desk: uploaded, looked at, confirmed, decided; the pages in every size and language."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import DESK, Visitor, press, shot
from tests.browser.judge import axe, foreign, sideways, small
from tests.browser.seen import texts_of_people
from tests.browser.test_pages import WAYS
from tests.imports.sheets import xlsx

pytestmark = [pytest.mark.browser, pytest.mark.slow]
URL = "/desk/payouts/bank"
LIST = xlsx(
    [
        ("附言", "金额", "收款账号", "收款人户名", "流水号", "日期", "状态", "退回原因"),
        ("LL000009-001", "45.00", "6222021234567890123", "周记面包坊", "ICBC-1", "2026-11-20", "成功", ""),
        ("LL000009-002", "30.00", "6222021234567890999", "周记面包坊", "ICBC-2", "2026-11-20", "失败", "户名不符"),
        ("", "四十五", "", "", "", "", "", ""),
    ]
)

SAID = ("户名不符", "周记面包坊")
"""Of the bank's words, which are kept sealed."""


def test_a_list_is_uploaded_looked_at_confirmed_and_decided(visit: Visitor) -> None:
    qian = visit.page("qian", viewport=DESK)
    qian.goto(f"{visit.live.origin}{URL}")
    qian.get_by_label("银行清单", exact=True).set_input_files(
        {"name": "1120.xlsx", "mimeType": "application/octet-stream", "buffer": LIST}
    )
    press(qian, qian.get_by_role("button", name="上传并检查"))
    expect(qian.get_by_role("heading", name="1120.xlsx")).to_be_visible()
    checked = qian.url.split("?")[0]
    known, wrong = [*texts_of_people(visit.live.database), *SAID], []
    wrong += _walk(visit, known, (f"{visit.live.origin}{URL}", f"{visit.live.origin}{URL}/columns", checked), "checked")

    press(qian, qian.get_by_role("button", name="确认，都由人定"))
    expect(qian.get_by_text("还有 3 行等人定")).to_be_visible()
    wrong += _walk(visit, known, (checked,), "booked")
    qian.get_by_label("第 2 行放到一边的原因").fill("不是我们的")
    press(qian, qian.get_by_role("button", name="放到一边").first)
    expect(qian.get_by_text("还有 2 行等人定")).to_be_visible()
    assert wrong == []


def _walk(visit: Visitor, known: list[str], urls: tuple[str, ...], when: str) -> list[str]:
    wrong = []
    for way, options in WAYS.items():
        page = visit.page("qian", **options)
        for url in urls:
            page.goto(url)
            if way in ("phone", "desk", "desk-en"):
                shot(page, f"bank-{when}-{url.rpartition('/')[2][:6]}-{way}")
            found = axe(page) + sideways(page) + foreign(page, known)
            if "elder" in way:
                found += small(page)
            wrong += [f"{url} [{way}]: {item}" for item in found]
    return wrong
