"""A real Chromium and a real service; tests that ask for either carry the mark `browser`."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Locator, Page, Playwright, sync_playwright

from service import identity
from service.demo import load_demo
from service.kit.db import make_engine, make_sessions
from service.kit.edge import SESSION_COOKIE
from tests.browser.live import Live, serving
from tests.cast import KEYRING, PEOPLE, START, Town
from tests.db import Database, Steward, in_thread

CHROMIUM = os.environ.get("LINLI_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser") or ""
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1440, "height": 900}


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    """Playwright for one file of tests: as long as it lives, its thread has a running loop and no async test can start."""
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="module")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    """Chromium that can reach this machine and nothing else."""
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
    yield browser
    browser.close()


@pytest.fixture
def live(town_template: tuple[Town, Steward]) -> Iterator[Live]:
    """A running service with a town of its own."""
    town, cloner = town_template
    with cloner.clone() as database, serving(database, town) as running:
        yield running


class Visitor:
    """Opens pages as people of the town, and watches that no page reports an error or calls outside."""

    def __init__(self, browser: Browser, live: Live) -> None:
        self.browser, self.live = browser, live
        self.contexts: list[BrowserContext] = []
        self.troubles: list[str] = []

    def page(
        self, name: str | None, *, viewport: dict[str, int] | None = None, elder: bool = False, english: bool = False
    ) -> Page:
        """A fresh browser, signed in as somebody, on a phone unless told otherwise."""
        size = viewport or PHONE
        context = self.browser.new_context(
            viewport=size,  # type: ignore[arg-type] # playwright's own typed dict
            has_touch=size["width"] < 600,
            is_mobile=size["width"] < 600,
            locale="en-GB" if english else "zh-CN",
            permissions=["camera"],
        )
        self._enter(context, name, elder=elder, english=english)
        context.set_default_timeout(10_000)
        self.contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: self.troubles.append(f"{page.url}: {error}"))
        page.on("console", self._heard)
        page.on("request", lambda request: self._asked(request.url))
        return page

    def _enter(self, context: BrowserContext, name: str | None, *, elder: bool, english: bool) -> None:
        cookies = {"locale": "en" if english else "zh-CN"}
        if elder:
            cookies |= {"mode": "elder", "size": "l"}
        if name is not None:
            cookies[SESSION_COOKIE] = self.live.town.cookies[name]
        context.add_cookies([{"name": k, "value": v, "url": self.live.origin} for k, v in cookies.items()])

    def hand_over(self, page: Page, name: str | None, *, elder: bool = False, english: bool = False) -> None:
        """Somebody else sits down at the same browser, in which nothing is left of who was there before.

        To walk a hundred pages as ten people this does what ten fresh browsers do, each of which takes a second to start.
        """
        page.evaluate("() => location.origin === 'null' || sessionStorage.clear()")
        chromium = page.context.new_cdp_session(page)
        chromium.send("Storage.clearDataForOrigin", {"origin": self.live.origin, "storageTypes": "all"})
        chromium.detach()
        page.context.clear_cookies()
        self._enter(page.context, name, elder=elder, english=english)

    def _heard(self, message: object) -> None:
        kind, text = getattr(message, "type", ""), getattr(message, "text", "")
        # What Chromium itself says of a network that is not there, for a page's files and for its worker.
        if kind == "error" and not any(words in text for words in ("Failed to load resource", "fetching the script")):
            self.troubles.append(f"console: {text}")

    def _asked(self, url: str) -> None:
        if not url.startswith((self.live.origin, "data:", "blob:")):
            self.troubles.append(f"asked outside: {url}")

    def close(self) -> None:
        for context in self.contexts:
            context.close()


@pytest.fixture
def visit(chromium: Browser, live: Live) -> Iterator[Visitor]:
    """Opens pages as people; at the end nothing may have gone wrong unseen."""
    visitor = Visitor(chromium, live)
    yield visitor
    visitor.close()
    assert visitor.troubles == []


def shot(page: Page, name: str) -> None:
    """Keep a picture of the page for people to look at, in var/shots."""
    file = Path("var/shots") / f"{name}.png"
    file.parent.mkdir(parents=True, exist_ok=True)
    tries = iter((300, 300, None))
    while not _taken(page, file):
        pause = next(tries)
        assert pause, f"Chromium gave no picture of {name}"
        page.wait_for_timeout(pause)


def _taken(page: Page, file: Path) -> bool:
    """Chromium has no picture while one page gives way to the next."""
    try:
        page.screenshot(path=str(file))
    except Error as problem:
        if "Unable to capture screenshot" not in problem.message:
            raise
        return False
    return True


def press(page: Page, button: Locator) -> None:
    """Press what leads to another page, and be on that page: a click alone comes back while the old one still stands."""
    with page.expect_navigation():
        button.click()


async def _demo_town(database: Database) -> Town:
    """The demo, and everybody of its cast signed in."""
    engine = make_engine(database.app_url)
    sessions = make_sessions(engine, KEYRING)
    try:
        await load_demo(sessions, KEYRING, START, lambda _: None)
        cookies, actors = {}, {}
        async with sessions.begin() as session:
            for name, (number, card_no, *_) in PEOPLE.items():
                member = (await identity.members_by_card(session, number, [card_no]))[card_no]
                entered = await identity.enter(
                    session, number, member.member_id, device="test", is_shared=False, now=START
                )
                cookies[name] = entered.cookie
        for name, cookie in cookies.items():
            actor = await identity.actor_of_cookie(engine, KEYRING, cookie, START)
            assert actor is not None
            actors[name] = actor
        return Town({}, cookies, actors)
    finally:
        await engine.dispose()


@pytest.fixture(scope="session")
def demo_live(steward: Steward) -> Iterator[Live]:
    """The demo, running: for tests that only look."""
    with steward.clone() as database:
        town = in_thread(_demo_town(database))
        with serving(database, town) as running:
            yield running
