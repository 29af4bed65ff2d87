"""One's own vouchers without a network: as last heard of, taken by a shop without one, and never somebody else's."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Playwright, expect

import redemption
from tests.browser.camera import code_in, filming, needs_zbar
from tests.browser.conftest import DESK, Visitor, press, shot
from tests.browser.judge import axe, foreign, sideways, small
from tests.browser.line import PhoneLine, State, through_a_line
from tests.browser.shop_phone import Member, enrol, knows, offered, scan, shop_page, shown, ticket_for, uses

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LEASED = redemption.OfflineClass.LEASED
WAYS: dict[str, dict[str, Any]] = {
    "phone": {},
    "elder": {"elder": True},
    "english": {"english": True},
    "desk": {"viewport": DESK},
}
NAMES_OF_OURS = ["理发一次", "小李理发店", "号楼底商"]
CACHED = """async () => {
  const found = {};
  for (const name of await caches.keys()) {
    const cache = await caches.open(name);
    for (const request of await cache.keys()) found[new URL(request.url).pathname] = await (await cache.match(request)).text();
  }
  return found;
}"""
# Opening a database makes it, without what the page would put into it: one that is not there is not opened.
ROW = """async () => {
  if (!(await indexedDB.databases()).some(each => each.name === 'linli-wallet')) return null;
  const opening = indexedDB.open('linli-wallet');
  const base = await new Promise((done, failed) => { opening.onsuccess = () => done(opening.result); opening.onerror = failed; });
  const request = base.transaction('kept').objectStore('kept').get('wallet');
  const found = await new Promise((done, failed) => { request.onsuccess = () => done(request.result); request.onerror = failed; });
  base.close();
  return found ?? null;
}"""


@pytest.fixture
def far(chromium: Browser, visit: Visitor) -> Iterator[tuple[Visitor, PhoneLine]]:
    """Members' phones behind a line that can be cut; whoever else is near."""
    with through_a_line(visit.live) as (behind, line):
        visitor = Visitor(chromium, behind)
        yield visitor, line
        visitor.close()
        assert [trouble for trouble in visitor.troubles if "asked outside" in trouble] == []


def row(page: Page) -> Any:
    """What the phone keeps of the wallet."""
    return page.evaluate(ROW)


def keeps(page: Page, *vouchers: str) -> None:
    """Wait until the phone keeps exactly these."""
    found: Any = None
    for _ in range(100):
        found = row(page)
        if found and {each["id"] for each in found["vouchers"]} == set(vouchers):
            return
        page.wait_for_timeout(100)
    message = f"the phone keeps {found}"
    raise AssertionError(message)


def seen(visitor: Visitor, name: str, *vouchers: str, **ways: Any) -> Page:
    """Somebody's phone that has opened the wallet once with the network."""
    page = visitor.page(name, **ways)
    page.goto(f"{visitor.live.origin}/vouchers")
    keeps(page, *vouchers)
    page.wait_for_function("() => navigator.serviceWorker.ready.then(found => found.active.state === 'activated')")
    page.wait_for_function("async () => (await caches.keys()).some(name => name.startsWith('linli-wallet-'))")
    return page


@needs_zbar
@pytest.mark.parametrize("way", WAYS)
def test_a_code_in_the_cellar(far: tuple[Visitor, PhoneLine], visit: Visitor, way: str) -> None:
    """The code is the one that the server would show, from a list drawn in the reader's way."""
    visitor, line = far
    origin = visitor.live.origin
    chen = Member(visit, "chen")
    voucher = chen.take(offered(visit.live, LEASED))
    page = seen(visitor, "chen", voucher, **WAYS[way])
    line.become(State.CUT)
    page.goto(f"{origin}/vouchers")
    expect(page.locator(".notice.warn")).to_contain_text("No network now" if way == "english" else "现在没有网络")
    shot(page, f"wallet-list.{way}")
    page.locator("[data-open]").click()
    expect(page.locator("[data-qr] svg")).to_be_visible()
    shot(page, f"wallet-code.{way}")
    page.locator("[data-enlarge]").click()
    expect(page.locator(".full [data-qr] svg")).to_be_visible()
    shot(page, f"wallet-large.{way}")
    page.keyboard.press("Escape")
    expect(page.locator(".full")).to_have_count(0)
    said = [chen.code(voucher)]
    visit.live.clock.now += timedelta(minutes=1)
    said.append(chen.code(voucher))
    assert code_in(page.locator("[data-qr] svg").screenshot()) in said
    assert axe(page) + sideways(page) + foreign(page, NAMES_OF_OURS) + (small(page) if way == "elder" else []) == []
    page.reload()
    expect(page.locator("[data-qr] svg")).to_be_visible()
    line.become(State.GOOD)
    expect(page.locator("#voucher-code")).to_be_visible(timeout=20_000)


def test_it_is_taken_by_a_shop_without_a_network_and_counts_once(
    far: tuple[Visitor, PhoneLine], visit: Visitor, playwright: Playwright, chromium: Browser, tmp_path: Path
) -> None:
    visitor, line = far
    chen = Member(visit, "chen")
    voucher = chen.take(offered(visit.live, LEASED))
    page = seen(visitor, "chen", voucher)
    with (
        through_a_line(visit.live) as (behind, shops_line),
        filming(playwright, chromium, behind, tmp_path) as (camera, shops),
    ):
        barber = shop_page(shops)
        enrol(barber, behind.origin, ticket_for(visit.live, "barbershop"))
        knows(barber, voucher)
        barber.goto("about:blank")
        line.become(State.CUT)
        shops_line.become(State.CUT)
        page.goto(f"{visitor.live.origin}/vouchers/{voucher}")
        expect(page.locator("[data-qr] svg")).to_be_visible()
        camera.show(page.locator("[data-qr] svg").screenshot())
        barber.goto(f"{behind.origin}/shop")
        shown(barber, "offline", "已离线保存", "理发一次")
        assert uses(visit.live, [voucher]) == {}
        barber.goto("about:blank")
        camera.show(b"")
        shops_line.become(State.GOOD)
        barber.goto(f"{behind.origin}/shop")
        expect(barber.locator("[data-unsent]")).to_be_hidden(timeout=20_000)
        for _ in range(100):
            if uses(visit.live, [voucher]):
                break
            barber.wait_for_timeout(100)
    assert uses(visit.live, [voucher]) == {voucher: 1}
    line.become(State.GOOD)
    expect(page.locator("#voucher-code")).to_contain_text("已使用", timeout=20_000)
    keeps(page)
    line.become(State.CUT)
    page.goto(f"{visitor.live.origin}/vouchers/{voucher}")
    expect(page.locator("[data-list]")).to_contain_text("没有能用的券")


def test_a_use_that_the_page_heard_of_is_believed_though_the_network_goes(
    far: tuple[Visitor, PhoneLine], visit: Visitor
) -> None:
    """The page says that it is used; the list of what is left cannot be fetched any more."""
    visitor, line = far
    chen = Member(visit, "chen")
    offer = offered(visit.live, LEASED)
    first, second = chen.take(offer), chen.take(offer)
    page = seen(visitor, "chen", first, second)
    page.goto(f"{visitor.live.origin}/vouchers/{first}")
    page.context.route("**/api/vouchers/kept", lambda route: route.abort())
    barber = visit.page("barber")
    barber.goto(f"{visit.live.origin}/shop")
    scan(barber, chen.code(first))
    shown(barber, "ok")
    expect(page.locator("#voucher-code")).to_contain_text("已使用")
    keeps(page, second)
    line.become(State.CUT)
    page.goto(f"{visitor.live.origin}/vouchers")
    expect(page.locator("[data-open]")).to_have_count(1)


def test_who_signs_out_leaves_nothing(far: tuple[Visitor, PhoneLine], visit: Visitor) -> None:
    visitor, line = far
    origin = visitor.live.origin
    voucher = Member(visit, "chen").take(offered(visit.live, LEASED))
    page = seen(visitor, "chen", voucher)
    seeds = row(page)["vouchers"][0]["seeds"]
    assert len(seeds) == 6
    cached = "".join(page.evaluate(CACHED).values())
    for personal in (voucher, *seeds, visit.live.town.actors["chen"].name, "理发一次", "_csrf_token"):
        assert personal not in cached
    page.goto(f"{origin}/me")
    press(page, page.get_by_role("button", name="退出登录"))
    expect(page).not_to_have_url(f"{origin}/me")
    page.wait_for_function("async () => !(await indexedDB.databases()).some(each => each.name === 'linli-wallet')")
    line.become(State.CUT)
    page.goto(f"{origin}/vouchers/{voucher}")
    expect(page.locator("[data-list]")).to_contain_text("没有存着券")
    shot(page, "wallet-gone")
    assert "理发一次" not in page.content()


def test_another_session_on_the_phone_never_sees_it(far: tuple[Visitor, PhoneLine], visit: Visitor) -> None:
    """Somebody else signed in here, or the session's time is over: what was kept is of neither."""
    visitor, line = far
    origin = visitor.live.origin
    voucher = Member(visit, "chen").take(offered(visit.live, LEASED))
    for mark in ("of another session", None):
        page = seen(visitor, "chen", voucher)
        line.become(State.CUT)
        if mark:
            page.context.add_cookies([{"name": "linli_wallet", "value": "another", "url": origin}])
        else:
            page.context.clear_cookies(name="linli_wallet")
        page.goto(f"{origin}/vouchers/{voucher}")
        expect(page.locator("[data-list]")).to_contain_text("没有存着券")
        assert "理发一次" not in page.content()
        page.wait_for_function("async () => !(await indexedDB.databases()).some(each => each.name === 'linli-wallet')")
        line.become(State.GOOD)


def test_a_day_later_it_is_gone(far: tuple[Visitor, PhoneLine], visit: Visitor) -> None:
    visitor, line = far
    origin = visitor.live.origin
    voucher = Member(visit, "chen").take(offered(visit.live, LEASED))
    page = seen(visitor, "chen", voucher)
    line.become(State.CUT)
    page.context.add_init_script("{ const real = Date.now; Date.now = () => real() + 864e5; }")
    page.goto(f"{origin}/vouchers/{voucher}")
    expect(page.locator("[data-list]")).to_contain_text("太久没有连网")
    page.wait_for_function("async () => !(await indexedDB.databases()).some(each => each.name === 'linli-wallet')")


def test_it_is_deleted_by_a_press_without_a_network(far: tuple[Visitor, PhoneLine], visit: Visitor) -> None:
    visitor, line = far
    origin = visitor.live.origin
    voucher = Member(visit, "chen").take(offered(visit.live, LEASED))
    page = seen(visitor, "chen", voucher)
    line.become(State.CUT)
    page.goto(f"{origin}/vouchers")
    page.get_by_role("button", name="从这部手机上删掉").click()
    expect(page.locator("[data-list]")).to_contain_text("已经从这部手机上删掉了")
    page.wait_for_function("async () => !(await indexedDB.databases()).some(each => each.name === 'linli-wallet')")
    page.reload()
    expect(page.locator("[data-list]")).to_contain_text("没有存着券")
