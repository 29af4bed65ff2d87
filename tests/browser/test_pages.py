"""Every page there is, found by walking the links, in every mode and both languages."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import DESK, Visitor, shot
from tests.browser.crawl import Crawl
from tests.browser.judge import axe, foreign, sideways, small
from tests.browser.live import Live
from tests.browser.seen import texts_of_people

pytestmark = [pytest.mark.browser, pytest.mark.slow]

WALKS: dict[str, tuple[str, ...]] = {
    "li": ("/home", "/me", "/messages", "/wishes/new", "/wishes/mine"),
    "chen": ("/home", "/activities", "/wishes", "/vouchers", "/me", "/messages"),
    "wei": ("/lead", "/home"),
    "zhou": ("/shop", "/me"),
    "wu": ("/desk", "/me"),
    "qian": ("/desk",),
    "he": ("/desk",),
    "jiang": ("/desk",),
}
STRANGERS = ("/", "/sign-in", "/activate", "/api")


@pytest.fixture
def visitor(chromium: Browser, demo_live: Live) -> Iterator[Visitor]:
    visitor = Visitor(chromium, demo_live)
    yield visitor
    visitor.close()
    assert visitor.troubles == []


WAYS: dict[str, dict[str, Any]] = {
    "phone": {},
    "elder": {"elder": True},
    "desk": {"viewport": DESK},
    "phone-en": {"english": True},
    "elder-en": {"elder": True, "english": True},
    "desk-en": {"viewport": DESK, "english": True},
}


@pytest.fixture(scope="module")
def walked(chromium: Browser, demo_live: Live) -> Iterator[Crawl]:
    """Everybody has walked the site by its links, and every kind of page is known with somebody who may open it."""
    visitor = Visitor(chromium, demo_live)
    crawl = Crawl(demo_live.origin)
    crawl.walk(visitor.page(None, viewport=DESK), None, STRANGERS)
    for name, starts in WALKS.items():
        crawl.walk(visitor.page(name, viewport=DESK), name, starts)
    yield crawl
    visitor.close()
    assert visitor.troubles == []


def test_every_link_leads_to_a_page(walked: Crawl) -> None:
    assert walked.failures == []
    assert len(walked.pages) > 60


@pytest.mark.parametrize("way", WAYS)
def test_every_page_is_accessible_narrow_enough_and_in_one_language(visitor: Visitor, walked: Crawl, way: str) -> None:
    known = texts_of_people(visitor.live.database)
    pages: dict[str | None, Page] = {}
    wrong = []
    for kind, (who, url) in sorted(walked.pages.items()):
        if who not in pages:
            pages[who] = visitor.page(who, **WAYS[way])
        page = pages[who]
        page.goto(visitor.live.origin + url)
        found = axe(page) + sideways(page) + foreign(page, known)
        if "elder" in way:
            found += small(page)
        wrong += [f"{kind} [{way}]: {item}" for item in found]
        if way in ("phone", "elder", "desk", "desk-en"):
            shot(page, f"pages/{kind.strip('/').replace('/', '_').replace('?', '__') or 'front'}.{way}")
    assert wrong == []
