"""Neighbours exchange by phone, in 长辈版, and staff decide at the desk; every page of it is judged in both languages."""

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import DESK, Visitor, press, shot
from tests.browser.judge import axe, foreign, sideways, small
from tests.browser.live import Live
from tests.browser.seen import texts_of_people
from tests.browser.steps import give_minutes, in_town, minutes_of
from tests.exchange.conftest import one_household

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def judged(page: Page, live: Live, name: str, *, elder: bool = False) -> None:
    """Nothing that keeps anybody out; and a picture to look at."""
    shot(page, f"exchange-{name}")
    found = axe(page) + sideways(page) + foreign(page, texts_of_people(live.database)) + (small(page) if elder else [])
    assert found == []


@pytest.mark.parametrize("way", ["phone", "elder", "elder-en"])
def test_a_neighbour_helps_and_is_paid(visit: Visitor, way: str) -> None:
    live, origin, elder = visit.live, visit.live.origin, way != "phone"
    give_minutes(live, "li", 120)
    chen = visit.page("chen", elder=elder)
    chen.goto(f"{origin}/exchange")
    judged(chen, live, f"empty-{way}", elder=elder)
    press(chen, chen.get_by_role("link", name="发一条").first)
    judged(chen, live, f"new-{way}", elder=elder)
    chen.get_by_label("我能帮").check()
    chen.get_by_label("哪一类").select_option("chores")
    chen.get_by_label("一句话说说做什么").fill("缝裤边")
    press(chen, chen.get_by_role("button", name="下一步：看一遍"))
    judged(chen, live, f"check-{way}", elder=elder)
    press(chen, chen.get_by_role("button", name="放到交换板上"))

    li = visit.page("li", elder=elder, english=way.endswith("en"))
    li.goto(f"{origin}/exchange")
    judged(li, live, f"board-{way}", elder=elder)
    press(li, li.get_by_role("heading", name="缝裤边").get_by_role("link"))
    judged(li, live, f"listing-{way}", elder=elder)
    press(li, li.locator("form[action$=answers] button"))
    judged(li, live, f"asked-{way}", elder=elder)
    here = li.url.split("?")[0]

    chen.goto(f"{origin}/exchange/mine")
    judged(chen, live, f"mine-{way}", elder=elder)
    press(chen, chen.get_by_role("link", name="缝裤边"))
    press(chen, chen.get_by_role("button", name="答应", exact=True))
    judged(chen, live, f"agreed-{way}", elder=elder)
    press(chen, chen.get_by_role("button", name="我帮完了"))
    li.goto(here)
    judged(li, live, f"done-{way}", elder=elder)
    press(li, li.locator("form[action$=confirm] button"))
    judged(li, live, f"confirmed-{way}", elder=elder)
    li.locator("#words").fill("谢谢！")
    press(li, li.locator("form[action$=thanks] button"))
    judged(li, live, f"thanked-{way}", elder=elder)
    chen.goto(f"{origin}/passbook?unit=minute")
    judged(chen, live, f"passbook-{way}", elder=elder)
    assert minutes_of(live, "chen", "li") == [60, 60]
    chen.goto(f"{origin}/exchange/listings")
    judged(chen, live, f"listings-{way}", elder=elder)


@pytest.mark.parametrize("english", [False, True], ids=["zh", "en"])
def test_staff_decide(visit: Visitor, english: bool) -> None:
    live, origin = visit.live, visit.live.origin
    name = "desk-en" if english else "desk"
    give_minutes(live, "li", 120)
    li = visit.page("li")
    li.goto(f"{origin}/exchange/new")
    li.get_by_label("找人帮").check()
    li.get_by_label("哪一类").select_option("pets")
    li.get_by_label("一句话说说做什么").fill("遛狗")
    press(li, li.get_by_role("button", name="下一步：看一遍"))
    press(li, li.get_by_role("button", name="放到交换板上"))
    chen = visit.page("chen")
    chen.goto(li.url.split("?")[0])
    press(chen, chen.get_by_role("button", name="我来帮"))
    here = chen.url.split("?")[0]
    li.goto(here)
    press(li, li.get_by_role("button", name="答应", exact=True))
    li.get_by_text("说法不一样？").click()
    li.get_by_label("怎么回事").fill("没有来")
    press(li, li.get_by_role("button", name="请居委会来定"))

    wu = visit.page("wu", viewport=DESK, english=english)
    wu.goto(f"{origin}/desk/exchange")
    judged(wu, live, f"list-{name}")
    press(wu, wu.get_by_role("link", name="遛狗"))
    judged(wu, live, f"one-{name}")
    wu.locator("#paid_minutes").fill("20")
    wu.locator("#reason").fill("来了一半")
    press(wu, wu.locator("form[action$=decide] button"))
    judged(wu, live, f"decided-{name}")
    assert minutes_of(live, "li", "chen") == [100, 20]


@pytest.mark.parametrize("way", ["phone", "elder-en"])
def test_a_gift_within_the_household(visit: Visitor, way: str) -> None:
    live, origin, elder = visit.live, visit.live.origin, way != "phone"
    give_minutes(live, "li", 120)
    people = [live.town.actors[name].member_id for name in ("li", "granny")]
    chen = visit.page("chen", elder=elder, english=elder)
    chen.goto(f"{origin}/exchange/gifts/new")
    judged(chen, live, f"gift-nobody-{way}", elder=elder)
    in_town(live, lambda session: one_household(session, people))
    li = visit.page("li", elder=elder, english=elder)
    li.goto(f"{origin}/exchange/gifts")
    judged(li, live, f"gifts-none-{way}", elder=elder)
    li.goto(f"{origin}/exchange/gifts/new")
    judged(li, live, f"gift-new-{way}", elder=elder)
    press(li, li.locator("form[action$=check] button"))
    judged(li, live, f"gift-check-{way}", elder=elder)
    press(li, li.locator("form[action$=gifts] button").first)
    judged(li, live, f"gift-given-{way}", elder=elder)
    assert minutes_of(live, "li", "granny") == [60, 60]
