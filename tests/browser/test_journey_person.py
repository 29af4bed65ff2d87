"""A clerk enrols one person at the desk, corrects them, and prints the slip; every way of reading the form."""

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import DESK, Visitor, shot
from tests.browser.judge import axe, foreign, sideways, small

pytestmark = [pytest.mark.browser, pytest.mark.slow]

WAYS: dict[str, dict[str, Any]] = {
    "desk": {"viewport": DESK},
    "elder": {"elder": True},
    "phone-en": {"english": True},
}


def test_from_the_counter_to_a_printed_slip(visit: Visitor) -> None:
    page = visit.page("wu", viewport=DESK)
    page.goto(f"{visit.live.origin}/desk/people")
    page.get_by_role("link", name="登记一个人").click()
    page.get_by_label("卡号").fill("0012-7200")
    page.get_by_label("姓名").fill("沈白鹭")
    page.get_by_label("楼栋").fill("7号楼")
    page.get_by_label("门牌").fill("301")
    page.get_by_role("button", name="登记").click()
    expect(page.locator("#grid-error")).to_contain_text("要写明网格")
    page.get_by_role("combobox", name="网格").fill("第七网格")
    page.get_by_role("button", name="登记").click()
    expect(page.get_by_role("status").first).to_contain_text("登记好了")

    page.get_by_role("link", name="更正资料").click()
    expect(page.get_by_label("门牌")).to_have_value("301")
    page.get_by_label("门牌").fill("302")
    page.get_by_role("button", name="保存").click()
    expect(page.get_by_role("status").first).to_contain_text("资料改好了")
    page.get_by_role("button", name="打印启用单").click()
    expect(page.get_by_role("heading", name="沈白鹭")).to_be_visible()

    member = page.url.split("/")[-2]
    for way, chosen in WAYS.items():
        looked = visit.page("wu", **chosen)
        for name, path in (("new", "/desk/people/new"), ("edit", f"/desk/people/{member}/edit")):
            looked.goto(visit.live.origin + path)
            shot(looked, f"person_{name}.{way}")
            known = ["沈白鹭", "7号楼", "第七网格", "一号楼", "301", "302", "吴办事", "兴乐社区", "西一路街道"]
            found = axe(looked) + sideways(looked) + foreign(looked, known) + (small(looked) if way == "elder" else [])
            assert found == [], f"{name} {way}"
