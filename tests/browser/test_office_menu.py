"""The office's sidebar on a phone: folded away until it is asked for, and always there on a desk."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import DESK, Visitor, shot
from tests.browser.judge import axe, sideways

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.mark.parametrize("elder", [False, True])
def test_the_menu_is_folded_on_a_phone_and_opens_by_finger_and_by_key(visit: Visitor, elder: bool) -> None:
    page = visit.page("wu", viewport={"width": 390, "height": 844}, elder=elder)
    page.goto(f"{visit.live.origin}/desk")
    menu, label = page.locator(".side nav"), page.locator("label[for=menu]")
    expect(menu).to_be_hidden()
    box = page.locator("main h1").bounding_box()
    assert box is not None
    assert box["y"] < 844 / 2, "the page itself is on the first screen"
    shot(page, f"office-folded{'-elder' if elder else ''}")

    label.click()
    expect(menu).to_be_visible()
    expect(page.locator(".side nav a[aria-current]")).to_be_visible()
    shot(page, f"office-unfolded{'-elder' if elder else ''}")
    assert axe(page) + sideways(page) == []
    page.locator("#menu").focus()
    page.keyboard.press("Space")
    expect(menu).to_be_hidden()


def test_the_sidebar_stands_beside_the_page_on_a_desk(visit: Visitor) -> None:
    page = visit.page("wu", viewport=DESK)
    page.goto(f"{visit.live.origin}/desk")
    expect(page.locator(".side nav")).to_be_visible()
    expect(page.locator("label[for=menu]")).to_be_hidden()
