"""Settling with a shop, by four pairs of eyes and on paper, with the books whole afterwards; and a mistake undone."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.camera import keep, needs_poppler, sheets_of
from tests.browser.conftest import DESK, Visitor, shot
from tests.browser.steps import give_points, publish_haircut, take_haircut

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def sell(visit: Visitor, customer: str, clerk: Page) -> None:
    """A customer takes a haircut and the clerk types its code."""
    phone = visit.page(customer)
    take_haircut(phone, visit.live.origin)
    clerk.goto(f"{visit.live.origin}/shop")
    clerk.locator("#code").fill(phone.locator("#voucher-code .code").inner_text())
    clerk.locator("#code").press("Enter")
    expect(clerk.locator(".result.ok")).to_be_visible()


@needs_poppler
def test_a_settlement_goes_through_four_hands(visit: Visitor) -> None:
    live, origin = visit.live, visit.live.origin
    # The baker sells haircuts here, so that the shop's owner can look at the statement.
    publish_haircut(visit, shop="周记面包坊")
    give_points(live, "chen", 100)
    give_points(live, "sun", 100)
    zhou = visit.page("zhou")
    sell(visit, "chen", zhou)
    live.clock.move(minutes=1)  # within seconds it would be looked at first
    sell(visit, "sun", zhou)

    live.clock.move(days=1)
    qian = visit.page("qian", viewport=DESK)
    qian.goto(f"{origin}/desk/settlements")
    shot(qian, "money-to-settle")
    qian.get_by_role("button", name="结账").click()
    qian.get_by_role("link", name="第 1 期").click()
    statement = qian.url
    expect(qian.get_by_role("main")).to_contain_text("30.00元")
    expect(qian.get_by_role("main")).to_contain_text("等店里确认")
    shot(qian, "money-closed")

    zhou.goto(f"{origin}/shop/today")
    zhou.get_by_role("link", name="对账单").click()
    zhou.get_by_role("link", name="第 1 期").click()
    expect(zhou.get_by_role("main")).to_contain_text("30.00元")
    expect(zhou.get_by_role("navigation", name="主要栏目").locator("[aria-current]")).to_have_text("结算")
    shot(zhou, "money-shop-statement")
    zhou.get_by_role("button", name="没有问题，确认").click()

    # Whoever closed it cannot approve it; somebody else can, once.
    qian.goto(statement)
    expect(qian.get_by_role("main")).to_contain_text("要由另一个人批准")
    expect(qian.get_by_role("button", name="批准付款")).to_have_count(0)
    feng = visit.page("feng", viewport=DESK)
    feng.goto(f"{origin}/desk")
    shot(feng, "money-inbox")
    feng.goto(statement)
    feng.get_by_role("button", name="批准付款").click()
    qian.goto(statement)
    qian.get_by_role("button", name="记为已付").click()
    expect(qian.locator(".errors")).to_be_focused()
    expect(qian.locator(".errors")).to_contain_text("银行流水号 请填写")
    shot(qian, "money-reference-missing")
    qian.get_by_label("银行流水号").fill("ICBC-20261123-0042")
    qian.get_by_role("button", name="记为已付").click()
    expect(qian.get_by_role("main")).to_contain_text("ICBC-20261123-0042")
    shot(qian, "money-paid")

    qian.get_by_role("link", name="打印").click()
    [sheet] = sheets_of(qian)
    keep(sheet, "money-paper")
    zhou.reload()
    expect(zhou.get_by_role("main")).to_contain_text("ICBC-20261123-0042")
    shot(zhou, "money-shop-paid")

    found_whole(visit)


def found_whole(visit: Visitor) -> None:
    """The auditor has everything computed anew, and it is as it stands."""
    he = visit.page("he", viewport=DESK)
    he.goto(f"{visit.live.origin}/desk/books/verify")
    he.get_by_role("button", name="现在核验").click()
    expect(he.get_by_role("main")).to_contain_text("账簿完整")
    shot(he, "money-whole")


def test_a_mistaken_pledge_is_reversed_from_its_own_page(visit: Visitor) -> None:
    origin = visit.live.origin
    qian = visit.page("qian", viewport=DESK)
    qian.goto(f"{origin}/desk/budgets")
    before = qian.locator("tbody tr").first.inner_text()
    qian.get_by_label("谁出资").select_option(label="西一路爱心联盟")
    qian.get_by_label("积分").check()
    qian.get_by_label("多少").fill("5000")
    qian.get_by_role("button", name="记下来").click()
    assert qian.locator("tbody tr").first.inner_text() != before
    shot(qian, "money-pledged")
    qian.goto(f"{origin}/desk/books/journals")
    shot(qian, "money-journals")
    qian.locator("tbody a").first.click()
    shot(qian, "money-journal")
    qian.get_by_role("group", name="为什么冲正").get_by_role("radio").first.check()
    qian.get_by_role("button", name="冲正").click()
    shot(qian, "money-reversed")
    expect(qian.get_by_role("main")).to_contain_text("冲正")
    expect(qian.get_by_role("button", name="冲正")).to_have_count(0)
    qian.goto(f"{origin}/desk/budgets")
    assert qian.locator("tbody tr").first.inner_text() == before
    found_whole(visit)
