"""The wish wall from the asker's thumb to the helper's passbook, in real browsers, one of them in 长辈版."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import DESK, Visitor, shot

pytestmark = pytest.mark.browser


def _goes_back_and_forward(li: Page) -> None:
    """What was checked is still there after it was handed in."""
    li.go_back()
    expect(li.get_by_role("heading", name="请看一遍")).to_be_visible()
    expect(li.get_by_role("main")).to_contain_text("吊灯太高")
    li.go_forward()
    expect(li.get_by_role("main")).to_contain_text("厨房的灯泡坏了")


def test_a_wish_is_posted_approved_claimed_served_and_confirmed(visit: Visitor) -> None:
    live = visit.live
    li = visit.page("li", elder=True)
    li.goto(f"{live.origin}/wishes")
    li.get_by_role("link", name="许一个心愿").first.click()
    li.get_by_label("一句话说说要帮什么").fill("厨房的灯泡坏了")
    li.get_by_label("再说细一点").fill("吊灯太高，够不着，想请人来换一下。")
    li.get_by_label("哪一类").select_option(index=3)
    shot(li, "journey-wish-new-elder")
    li.get_by_role("button", name="下一步：看一遍").click()
    li.get_by_role("button", name="提交心愿").click()
    expect(li.get_by_role("main")).to_contain_text("厨房的灯泡坏了")
    shot(li, "journey-wish-posted-elder")
    _goes_back_and_forward(li)

    wu = visit.page("wu", viewport=DESK)
    wu.goto(f"{live.origin}/desk")
    expect(wu.get_by_role("main")).to_contain_text("厨房的灯泡坏了")
    shot(wu, "journey-inbox")
    wu.goto(f"{live.origin}/desk/wishes")
    wu.get_by_role("link", name="厨房的灯泡坏了").first.click()
    shot(wu, "journey-desk-wish")
    wu.locator("form[action$='/approve']").last.get_by_role("button", name="通过").last.click()

    chen = visit.page("chen")
    chen.goto(f"{live.origin}/wishes")
    shot(chen, "journey-wall")
    expect(chen.get_by_role("main")).to_contain_text("李**")
    assert "李心愿" not in chen.content()
    chen.get_by_role("link", name="厨房的灯泡坏了").click()
    wish_page = chen.url
    chen.get_by_role("button", name="我来帮").click()

    sun = visit.page("sun")
    sun.goto(wish_page)
    expect(sun.get_by_role("button", name="我来帮")).to_have_count(0)

    live.clock.move(hours=3)
    chen.get_by_role("link", name="我帮完了").click()
    chen.get_by_label("几点开始").fill("11:00")
    chen.get_by_label("一共几分钟").fill("60")
    chen.get_by_label("做了什么").fill("换了一个节能灯泡。")
    chen.get_by_role("button", name="请对方确认").click()

    li.goto(wish_page)
    shot(li, "journey-wish-to-confirm-elder")
    li.get_by_role("link", name="办好了吗？说一声").click()
    li.get_by_role("button", name="办好了").click()

    chen.goto(f"{live.origin}/home")
    expect(chen.get_by_role("main")).to_contain_text("1 小时")
    shot(chen, "journey-home-after")
    chen.goto(f"{live.origin}/passbook")
    shot(chen, "journey-passbook")
    expect(chen.get_by_role("main")).to_contain_text("厨房的灯泡坏了")
