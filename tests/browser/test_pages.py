"""Every page there is, found by walking the links, in every mode and both languages."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import DESK, Visitor, shot
from tests.browser.crawl import Crawl, kind_of
from tests.browser.judge import axe, bring_axe, foreign, sideways, small
from tests.browser.live import Live
from tests.browser.seen import texts_of_people

pytestmark = [pytest.mark.browser, pytest.mark.slow]

WALKS: dict[str, tuple[str, ...]] = {
    "li": ("/home", "/me", "/messages", "/wishes/new", "/wishes/mine"),
    "chen": ("/home", "/activities", "/wishes", "/vouchers", "/me", "/messages"),
    "wei": ("/lead", "/home"),
    "zhou": ("/shop", "/me"),
    "wu": ("/desk", "/me", "/desk/vouchers?card=0012-0003"),
    "qian": ("/desk",),
    "he": ("/desk",),
    "jiang": ("/desk",),
}
STRANGERS = ("/", "/sign-in", "/activate", "/api", "/E", "/E/23456789", "/shop/shell/scan", "/shop/shell/today")


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


def dispute_a_line(visitor: Visitor) -> str:
    """The week is settled and the baker objects to a line; where it is decided."""
    origin = visitor.live.origin
    qian = visitor.page("qian", viewport=DESK)
    qian.goto(f"{origin}/desk/settlements")
    qian.get_by_role("button", name="结账").click()
    zhou = visitor.page("zhou")
    zhou.goto(f"{origin}/shop/settlements")
    zhou.get_by_role("link", name="第 2 期").click()
    zhou.get_by_text("这一笔不对").first.click()
    zhou.get_by_label("哪里不对").first.fill("顾客没有来")
    zhou.get_by_role("button", name="提出异议").first.click()
    return zhou.url.split("?")[0].replace(f"{origin}/shop/", "/desk/") + "/lines/1"


def close_a_year(visitor: Visitor) -> None:
    """Last year is closed by two people, and its book is drawn up."""
    origin = visitor.live.origin
    qian = visitor.page("qian", viewport=DESK)
    qian.goto(f"{origin}/desk/books/closings")
    qian.get_by_role("button", name="核验并请第二个人确认").click()
    proposed = qian.url.split("?")[0]
    feng = visitor.page("feng", viewport=DESK)
    feng.goto(proposed)
    feng.get_by_role("button", name="确认结账").click()
    feng.get_by_role("link", name="账册").first.click()
    for _ in range(40):
        if feng.get_by_role("link", name="打印账册").count():
            return
        feng.wait_for_timeout(500)
        feng.reload()
    pytest.fail("the book of the year was not drawn up")


def bring_balances(visitor: Visitor) -> None:
    """A sheet of balances is uploaded and waits for its second person; one of its rows is wrong."""
    wu = visitor.page("wu", viewport=DESK)
    wu.goto(f"{visitor.live.origin}/desk/openings")
    sheet = "卡号,时间币（分钟）,积分,级别\n0012-0001,60,12.5,三\n0099-0001,5,5,一\n"
    wu.get_by_label("余额表").set_input_files({"name": "余额.csv", "mimeType": "text/csv", "buffer": sheet.encode()})
    wu.get_by_label("数从哪里来").fill("原时间银行账本")
    wu.get_by_role("button", name="上传并检查").click()
    wu.get_by_role("button", name="提出带入 1 人").click()


def draw_a_sample(visitor: Visitor) -> None:
    """The auditor draws a few journals, so that there is a sample to walk to."""
    he = visitor.page("he", viewport=DESK)
    he.goto(f"{visitor.live.origin}/desk/books/samples")
    he.get_by_label("从哪天").fill("2026-01-01")
    he.get_by_label("到哪天").fill("2026-12-31")
    he.get_by_role("button", name="抽", exact=True).click()
    he.get_by_role("heading", name="抽查").wait_for()


@pytest.fixture(scope="module")
def walked(chromium: Browser, demo_live: Live) -> Crawl:
    """Everybody has walked the site by its links, and every kind of page is known with somebody who may open it."""
    visitor = Visitor(chromium, demo_live)
    crawl = Crawl(demo_live.origin)
    draw_a_sample(visitor)
    line = dispute_a_line(visitor)
    close_a_year(visitor)
    bring_balances(visitor)
    page = visitor.page(None, viewport=DESK)
    crawl.walk(page, None, STRANGERS)
    for name, starts in WALKS.items():
        visitor.hand_over(page, name)
        crawl.walk(page, name, starts)
    crawl.pages[kind_of(line)] = ("feng", line)  # who closed the statement sees no form
    crawl.pages.setdefault(kind_of(f"{line}/correction"), ("qian", f"{line}/correction"))
    crawl.pages["/passbook-expiring"] = (
        "stranger",
        "/passbook?unit=point",
    )  # points expire in the other community only
    visitor.close()  # Or the last page of each would ask for its code, time and again, beside all that follows.
    assert visitor.troubles == []
    return crawl


def test_the_walk_sees_when_points_expire(visitor: Visitor, walked: Crawl) -> None:
    who, url = walked.pages["/passbook-expiring"]
    page = visitor.page(who)
    page.goto(visitor.live.origin + url)
    page.get_by_role("heading", name="什么时候到期").wait_for()


KEPT = """async () => {
  const open = await indexedDB.databases(), workers = await navigator.serviceWorker.getRegistrations();
  return [...Object.keys(localStorage), ...Object.keys(sessionStorage), ...await caches.keys(), ...open.map((each) => each.name),
    ...workers.map((each) => each.scope)];
}"""
KEEP = """async () => {
  localStorage.setItem('local', '1');
  sessionStorage.setItem('session', '1');
  await caches.open('cache');
  await new Promise((done) => { indexedDB.open('database').onsuccess = (event) => { event.target.result.close(); done(); }; });
}"""


def test_a_browser_that_is_handed_on_has_nothing_of_who_was_there_before(visitor: Visitor) -> None:
    origin = visitor.live.origin
    page = visitor.page("zhou", elder=True)
    bring_axe(page)
    page.goto(f"{origin}/shop")
    page.evaluate(KEEP)
    assert {"local", "session", "cache", "database"} <= set(page.evaluate(KEPT))
    kept = {cookie["name"]: cookie["value"] for cookie in page.context.cookies()}

    visitor.hand_over(page, "li", english=True)
    page.goto(f"{origin}/home")

    assert page.evaluate(KEPT) == []
    found = {cookie["name"]: cookie["value"] for cookie in page.context.cookies()}
    assert found["locale"] == "en"
    assert not {"mode", "size"} & set(found)
    assert not set(kept.values()) & set(found.values())
    page.evaluate("() => document.documentElement.removeAttribute('lang')")
    assert any("html-has-lang" in item for item in axe(page))


def test_every_link_leads_to_a_page(walked: Crawl) -> None:
    assert walked.failures == []
    assert len(walked.pages) > 60


@pytest.mark.parametrize("way", WAYS)
def test_every_page_is_accessible_narrow_enough_and_in_one_language(visitor: Visitor, walked: Crawl, way: str) -> None:
    known = texts_of_people(visitor.live.database)
    page = visitor.page(None, **WAYS[way])
    bring_axe(page)
    wrong, seen = [], 0
    for who in sorted({who for who, _ in walked.pages.values()}, key=str):
        visitor.hand_over(page, who, elder="elder" in way, english="-en" in way)
        for kind, url in sorted((kind, url) for kind, (by, url) in walked.pages.items() if by == who):
            page.goto(visitor.live.origin + url)
            found = axe(page) + sideways(page) + foreign(page, known)
            if "elder" in way:
                found += small(page)
            wrong += [f"{kind} [{way}]: {item}" for item in found]
            if way in ("phone", "elder", "desk"):
                shot(page, f"pages/{kind.strip('/').replace('/', '_').replace('?', '__') or 'front'}.{way}")
            seen += 1
    assert wrong == []
    assert seen == len(walked.pages)
