"""A receipt of an entry on paper: one page, also when the book has grown for years."""

import re

import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import DESK, Visitor
from tests.browser.live import Live

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LETTERS_OF_A_GREAT_BOOK = 2_000
"""A leaf of 300 bytes and 30 steps of 32: a book of a thousand million entries."""


def pages(pdf: bytes) -> int:
    return len(re.findall(rb"/Type\s*/Page\b", pdf))


@pytest.mark.parametrize("english", [False, True])
def test_a_receipt_prints_on_one_page(chromium: Browser, demo_live: Live, *, english: bool) -> None:
    visitor = Visitor(chromium, demo_live)
    try:
        he = visitor.page("he", viewport=DESK)
        he.goto(f"{demo_live.origin}/desk/books/seals")
        he.get_by_role("button", name="现在封账").click()
        chen = visitor.page("chen", viewport=DESK, english=english)
        chen.goto(f"{demo_live.origin}/passbook?unit=point")
        chen.locator("a[href^='/passbook/lines/']").first.click()
        chen.locator("a[href$='/proof']").first.click()
        chen.wait_for_load_state()

        assert chen.locator(".proofmark svg").count() == 1
        short = pages(chen.pdf(prefer_css_page_size=True))
        chen.evaluate(
            "(letters) => { const row = document.querySelector('.fine'); const one = row.querySelector('span');"
            " while (row.textContent.length < letters) row.append(one.cloneNode(true), ' '); }",
            LETTERS_OF_A_GREAT_BOOK,
        )
        long = pages(chen.pdf(prefer_css_page_size=True))
        assert (short, long) == (1, 1)
    finally:
        visitor.close()
    assert visitor.troubles == []
