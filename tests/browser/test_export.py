"""Taking the books away from the auditor's page: the progress is in sight, it can be stopped and asked for again."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import DESK, Visitor
from tests.browser.live import Live

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_an_export_shows_its_progress_and_can_be_stopped(chromium: Browser, demo_live: Live) -> None:
    visitor = Visitor(chromium, demo_live)
    try:
        page = visitor.page("he", viewport=DESK)
        page.goto(f"{demo_live.origin}/desk/books/export")
        links = page.locator("[data-export]")

        page.route("**/desk/books/export/csv", lambda _route: None)  # an answer that never comes
        links.filter(has_text="CSV").first.click()
        page.get_by_role("button", name="停下").click()
        expect(page.get_by_text("已停下")).to_be_visible()
        page.unroute("**/desk/books/export/csv")

        for form in ("csv", "beancount", "journal"):
            with page.expect_download() as begun:
                page.locator(f"[data-export={form}]").click()
            expect(page.get_by_text("写好了")).to_be_visible()
            assert begun.value.suggested_filename.endswith(f".{form}")
            written = Path(begun.value.path()).read_text(encoding="utf-8")
            by_link = page.request.get(f"{demo_live.origin}/desk/books/export/{form}")
            assert written.count("\n") == by_link.text().count("\n")
            shown = page.evaluate(
                "(() => { const b = document.querySelector('progress'); return [b.value, b.max]; })()"
            )
            assert shown[0] == shown[1] > 1
    finally:
        visitor.close()
    assert visitor.troubles == []
