"""A shop leaves by two people, and the pages about it: accessible, narrow enough, in one language."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import DESK, Visitor, press, shot
from tests.browser.judge import axe, foreign, sideways, small
from tests.browser.seen import texts_of_people
from tests.browser.test_pages import WAYS

pytestmark = [pytest.mark.browser, pytest.mark.slow]
URL = "/desk/payouts/departures"


def test_the_pages_of_a_shop_that_leaves(visit: Visitor) -> None:
    qian = visit.page("qian", viewport=DESK)
    qian.goto(f"{visit.live.origin}{URL}")
    qian.get_by_label("哪家店").select_option(label="周记面包坊")
    qian.get_by_label("原因").fill("租约到期")
    press(qian, qian.get_by_role("button", name="交给第二人"))
    place = qian.url.split("?")[0]
    expect(qian.get_by_text("提出的人自己不能同意")).to_be_visible()
    feng = visit.page("feng", viewport=DESK)
    feng.goto(place)
    press(feng, feng.get_by_role("button", name="同意，停掉它的兑换项目"))
    expect(feng.get_by_text("还没办完的")).to_be_visible()

    known, wrong = texts_of_people(visit.live.database), []
    for way, options in WAYS.items():
        page = visit.page("qian", **options)
        for url in (f"{visit.live.origin}{URL}", place):
            page.goto(url)
            if way in ("phone", "desk", "desk-en"):
                shot(page, f"departures-{'one' if url == place else 'all'}-{way}")
            found = axe(page) + sideways(page) + foreign(page, known)
            if "elder" in way:
                found += small(page)
            wrong += [f"{url} [{way}]: {item}" for item in found]
    assert wrong == []
