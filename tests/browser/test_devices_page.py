"""The desk's page of shops' phones: a ticket is shown once, in every way of reading."""

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import DESK, Visitor, press, shot
from tests.browser.judge import axe, foreign, sideways, small
from tests.browser.seen import texts_of_people

pytestmark = pytest.mark.browser

WAYS: dict[str, dict[str, Any]] = {"elder": {"elder": True}, "desk-en": {"viewport": DESK, "english": True}}


@pytest.mark.parametrize("way", WAYS)
def test_a_ticket_for_a_shops_phone(visit: Visitor, way: str) -> None:
    page = visit.page("wu", **WAYS[way])
    page.goto(f"{visit.live.origin}/desk/devices")
    known = texts_of_people(visit.live.database)
    found = axe(page) + sideways(page) + foreign(page, known) + (small(page) if way == "elder" else [])

    page.get_by_role("button", name="Make a ticket" if "en" in way else "开登记票").click()

    expect(page.locator(".qr svg")).to_be_visible()
    shot(page, f"devices.{way}")
    assert found + axe(page) + sideways(page) + foreign(page, known) + (small(page) if way == "elder" else []) == []


@pytest.mark.parametrize("way", WAYS)
def test_where_the_queue_of_a_dead_phone_is_brought(visit: Visitor, way: str) -> None:
    page = visit.page("wu", **WAYS[way])
    page.goto(f"{visit.live.origin}/desk/devices")
    english = "en" in way
    press(page, page.get_by_role("link", name="A phone broke" if english else "手机坏了"))
    known = texts_of_people(visit.live.database)
    found = axe(page) + sideways(page) + foreign(page, known) + (small(page) if way == "elder" else [])

    page.get_by_label("What was exported" if english else "导出的内容").fill("hello")
    press(page, page.get_by_role("button", name="Take these records" if english else "收下这些记录"))

    expect(page.locator("textarea")).to_have_value("hello")
    shot(page, f"device-export.{way}")
    assert found + axe(page) + sideways(page) + (small(page) if way == "elder" else []) == []
