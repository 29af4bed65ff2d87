"""Every page there is, found by walking the links, in every mode and both languages."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

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


def _walk(visitor: Visitor, name: str | None, starts: tuple[str, ...]) -> dict[str, str]:
    crawl = Crawl(visitor.live.origin)
    pages = crawl.walk(visitor.page(name, viewport=DESK), starts)
    assert crawl.failures == []
    return pages


@pytest.mark.parametrize("name", [None, *WALKS], ids=lambda name: name or "nobody")
def test_every_page_is_accessible_narrow_enough_and_in_one_language(visitor: Visitor, name: str | None) -> None:
    pages = _walk(visitor, name, WALKS[name] if name else STRANGERS)
    known = texts_of_people(visitor.live.database)
    ways: dict[str, dict[str, object]] = {
        "phone": {},
        "elder": {"elder": True},
        "desk": {"viewport": DESK},
        "phone-en": {"english": True},
        "elder-en": {"elder": True, "english": True},
        "desk-en": {"viewport": DESK, "english": True},
    }
    wrong = []
    for way, how in ways.items():
        page = visitor.page(name, **how)  # type: ignore[arg-type] # the ways above
        for kind, url in sorted(pages.items()):
            page.goto(visitor.live.origin + url)
            found = axe(page) + sideways(page) + foreign(page, known)
            if "elder" in way:
                found += small(page)
            wrong += [f"{kind} [{way}]: {item}" for item in found]
            if way in ("phone", "elder", "desk", "desk-en"):
                shot(page, f"pages/{name or 'nobody'}{kind.replace('/', '_').replace('?', '__')}.{way}")
    assert len(pages) > 0
    assert wrong == []
