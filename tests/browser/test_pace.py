"""Somebody who was too fast reads why, in every way of reading, and sends the same form again by one press."""

import time

import pytest
from playwright.sync_api import expect

from service.kit.pace import Paces
from tests.browser.conftest import DESK, Visitor, shot
from tests.browser.judge import axe, foreign, sideways, small

pytestmark = [pytest.mark.browser, pytest.mark.slow]

WAYS = {"phone": {}, "elder": {"elder": True}, "desk-en": {"viewport": DESK, "english": True}}


@pytest.mark.parametrize("way", WAYS)
def test_a_wish_sent_too_fast_is_not_lost(visit: Visitor, way: str) -> None:
    stopped = time.monotonic()
    page = visit.page("li", **WAYS[way])  # type: ignore[arg-type] # one dict for all ways
    page.goto(f"{visit.live.origin}/wishes/new")
    visit.live.app.state.paces = Paces(session_per_minute=1, address_per_minute=1, seconds=lambda: stopped)
    for _ in range(2):  # one as a cookie like any other, one as the session that it opened
        assert page.request.get(f"{visit.live.origin}/me").ok

    form = page.locator("form", has=page.locator("textarea"))
    form.locator("textarea").first.fill("换一个灯泡 <b>&")
    form.evaluate("form => HTMLFormElement.prototype.submit.call(form)")

    again = page.get_by_role("button", name="再提交一次" if "en" not in way else "Submit again")
    expect(again).to_be_visible()
    shot(page, f"pace.{way}")
    assert axe(page) + sideways(page) + foreign(page, []) + (small(page) if way == "elder" else []) == []

    visit.live.app.state.paces = Paces(session_per_minute=0, address_per_minute=0)
    again.click()
    expect(again).to_be_hidden()
    expect(page.locator("body")).to_contain_text("<b>&")
