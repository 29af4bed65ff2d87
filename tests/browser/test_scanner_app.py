"""The scanner as an app of the phone: it opens with the server dead, whole, and keeps nothing of anybody."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Visitor, shot
from tests.browser.line import PhoneLine, State, through_a_line
from tests.browser.live import Live

pytestmark = [pytest.mark.browser, pytest.mark.slow]

KEPT = """async () => {
  const found = {};
  for (const name of await caches.keys()) {
    const cache = await caches.open(name);
    for (const request of await cache.keys()) found[new URL(request.url).pathname] = await (await cache.match(request)).text();
  }
  return found;
}"""


@pytest.fixture
def far(chromium: Browser, live: Live) -> Iterator[tuple[Visitor, PhoneLine]]:
    """Phones behind a line that can be cut."""
    with through_a_line(live) as (behind, line):
        visitor = Visitor(chromium, behind)
        yield visitor, line
        visitor.close()
        assert [trouble for trouble in visitor.troubles if "asked outside" in trouble] == []


def installed(page: Page, origin: str) -> None:
    """The scanner was opened once, and its worker has everything."""
    page.goto(f"{origin}/shop")
    page.wait_for_function("() => navigator.serviceWorker.ready.then(found => found.active.state === 'activated')")
    page.wait_for_function("async () => (await caches.keys()).length > 0")


def test_the_scanner_opens_with_the_server_dead(far: tuple[Visitor, PhoneLine]) -> None:
    visitor, line = far
    barber = visitor.page("barber")
    installed(barber, visitor.live.origin)
    line.become(State.CUT)
    for _ in range(2):
        barber.goto(f"{visitor.live.origin}/shop")
        expect(barber.locator("[data-scanner][data-shell]")).to_be_visible()
        expect(barber.locator(".net")).to_contain_text("没有网络")
        shot(barber, "scanner-shell")
    barber.goto(f"{visitor.live.origin}/shop/today")
    expect(barber.get_by_role("main")).to_contain_text("没有网络")
    line.become(State.GOOD)
    barber.goto(f"{visitor.live.origin}/shop")
    expect(barber.locator("[data-scanner]:not([data-shell])")).to_be_visible()


def test_nothing_of_anybody_is_kept(far: tuple[Visitor, PhoneLine]) -> None:
    visitor, _line = far
    barber = visitor.page("barber")
    installed(barber, visitor.live.origin)
    barber.goto(f"{visitor.live.origin}/shop/today")
    barber.goto(f"{visitor.live.origin}/me")
    barber.goto(f"{visitor.live.origin}/shop")
    kept: dict[str, str] = barber.evaluate(KEPT)
    actor = visitor.live.town.actors["barber"]
    assert {"/shop/shell/scan", "/shop/shell/today"} < kept.keys()
    assert all(path.startswith(("/shop/shell/", "/static/")) for path in kept)
    said = "".join(text for path, text in kept.items() if path.startswith("/shop/"))
    for personal in (
        str(actor.member_id),
        actor.name,
        actor.card_no,
        actor.community_name,
        "小李理发店",
        "_csrf_token",
    ):
        assert personal not in said


def test_another_look_is_another_release_and_each_is_whole(far: tuple[Visitor, PhoneLine]) -> None:
    visitor, line = far
    barber = visitor.page("barber")
    origin = visitor.live.origin
    installed(barber, origin)
    first = barber.evaluate("caches.keys()")
    barber.context.add_cookies([{"name": "locale", "value": "en", "url": origin}])
    barber.goto(f"{origin}/shop")
    barber.wait_for_function("async seen => (await caches.keys()).some(name => !seen.includes(name))", arg=first)
    barber.wait_for_function("() => navigator.serviceWorker.controller?.scriptURL.includes('locale=en')")
    line.become(State.CUT)
    barber.goto(f"{origin}/shop")
    expect(barber.locator("html")).to_have_attribute("lang", "en")
    expect(barber.locator(".net")).to_contain_text("no network")
    needed = barber.evaluate(
        "[...document.querySelectorAll('link[rel=stylesheet], script[src]')].map(e => new URL(e.href || e.src).pathname)"
    )
    assert set(needed) <= barber.evaluate(KEPT).keys()


def test_the_phone_can_put_it_on_its_home_screen(far: tuple[Visitor, PhoneLine]) -> None:
    visitor, _line = far
    barber = visitor.page("barber")
    installed(barber, visitor.live.origin)
    found = barber.context.new_cdp_session(barber).send("Page.getAppManifest")
    assert found["errors"] == []
    described = json.loads(found["data"])
    assert (described["start_url"], described["display"]) == ("/shop", "standalone")
    sizes = barber.evaluate(
        """async icons => Promise.all(icons.map(async icon => {
          const picture = await createImageBitmap(await (await fetch(icon.src)).blob());
          return `${picture.width}x${picture.height}`;
        }))""",
        [icon for icon in described["icons"] if icon["type"] == "image/png"],
    )
    assert sizes == ["192x192", "512x512"]


def test_the_scanner_weighs_little(far: tuple[Visitor, PhoneLine]) -> None:
    """Everything that a phone loads the first time, page, styles, scripts and decoder; the worker comes afterwards."""
    visitor, line = far
    barber = visitor.page("barber")
    barber.add_init_script("Object.defineProperty(navigator, 'serviceWorker', {value: undefined})")
    barber.goto(f"{visitor.live.origin}/shop")
    barber.wait_for_load_state("networkidle")
    if kept := os.environ.get("LINLI_WEIGHT_OUTCOME"):
        Path(kept).write_text(json.dumps({"page_bytes": line.heard}))
    assert line.heard <= 45 * 1024
