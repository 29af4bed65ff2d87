"""Blue is never said of what the server may have used, or may have taken away from this phone."""

from collections.abc import Iterator
from uuid import UUID

import pytest
from playwright.sync_api import Browser, Page, Route, expect
from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from service.vouchers.actions import devices as phones
from tests.browser.conftest import Visitor, press
from tests.browser.line import PhoneLine, State, through_a_line
from tests.browser.live import Live
from tests.browser.shop_phone import (
    Member,
    enrol,
    knows,
    offered,
    phones_again,
    scan,
    shop_page,
    shown,
    stored,
    ticket_for,
    unlock,
    uses,
)
from tests.browser.steps import in_town

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LEASED = redemption.OfflineClass.LEASED
OPEN = """async () => new Promise((done, failed) => {
  const request = indexedDB.open('linli-shop');
  request.onsuccess = () => done(request.result);
  request.onerror = () => failed(request.error);
})"""
CHANGE = """async ([name, change]) => {
  const base = await (OPEN)();
  const work = base.transaction('kept', 'readwrite');
  const found = await new Promise(done => {
    const request = work.objectStore('kept').get(name);
    request.onsuccess = () => done(request.result);
  });
  Object.assign(found.value, change);
  work.objectStore('kept').put(found);
  await new Promise(done => { work.oncomplete = done; });
  base.close();
}""".replace("OPEN", OPEN)


@pytest.fixture
def far(chromium: Browser, visit: Visitor) -> Iterator[tuple[Visitor, PhoneLine]]:
    """Shops' phones behind a line that can be cut; everybody else is near."""
    with through_a_line(visit.live) as (behind, line):
        visitor = Visitor(chromium, behind)
        yield visitor, line
        visitor.close()
        assert [trouble for trouble in visitor.troubles if "asked outside" in trouble] == []


def enrolled(far: Visitor, live: Live, *vouchers: str) -> Page:
    """The barber's phone as a device of the shop, with these vouchers in its snapshot."""
    page = shop_page(far)
    enrol(page, far.live.origin, ticket_for(live, "barbershop"))
    knows(page, *vouchers)
    expect(page.locator("[data-own]")).to_be_attached()
    return page


def value(page: Page, name: str) -> object:
    """A value that the phone keeps."""
    row = stored(page, "kept", name)
    return row["value"] if row else None


def until(page: Page, name: str, wanted: object) -> None:
    """Wait until the phone keeps this."""
    for _ in range(100):
        if value(page, name) == wanted:
            return
        page.wait_for_timeout(100)
    assert value(page, name) == wanted


def test_a_shift_that_is_over_is_over_though_no_answer_came(far: tuple[Visitor, PhoneLine], visit: Visitor) -> None:
    """The server has the lease back and may give it to another phone."""
    phones_far, line = far
    origin = phones_far.live.origin
    offer, chen = offered(visit.live, LEASED), Member(visit, "chen")
    voucher = chen.take(offer)
    barber = enrolled(phones_far, visit.live, voucher)
    barber.goto(f"{origin}/shop/today")
    expect(barber.locator("[data-queue]")).to_contain_text("都上传了")
    barber.context.route("**/api/devices/lease", lambda route: route.abort())
    barber.get_by_role("button", name="交班").click()
    expect(barber.locator("[data-line]")).to_contain_text("没有收到回答")
    assert value(barber, "resting") == "owed"
    line.become(State.CUT)
    dead = phones_again(barber, origin)
    unlock(dead)
    scan(dead, chen.code(voucher))
    shown(dead, "question", "需要网络")
    assert stored(dead, "log") == []


def test_what_was_not_heard_to_be_handed_back_is_handed_back_again(
    far: tuple[Visitor, PhoneLine], visit: Visitor
) -> None:
    phones_far, _line = far
    barber = enrolled(phones_far, visit.live)
    barber.goto(f"{phones_far.live.origin}/shop/today")
    expect(barber.locator("[data-queue]")).to_contain_text("都上传了")
    barber.context.route("**/api/devices/lease", lambda route: route.abort())
    barber.get_by_role("button", name="交班").click()
    expect(barber.locator("[data-line]")).to_contain_text("没有收到回答")
    barber.context.unroute("**/api/devices/lease")
    barber.evaluate("() => window.dispatchEvent(new Event('focus'))")
    until(barber, "resting", wanted=True)


def pages_use(page: Page, code: str, count: int) -> None:
    """What a clerk does with a voucher of several pieces: the page that asks how many."""
    scan(page, code)
    shown(page, "question")
    press(page, page.locator("[data-answer]"))
    for _ in range(count - 1):
        page.locator("[data-step='1']").click()
    press(page, page.get_by_role("button", name="核销", exact=True))
    expect(page.get_by_role("heading", name="核销成功").first).to_be_attached()


def test_what_a_page_used_is_counted_here(far: tuple[Visitor, PhoneLine], visit: Visitor) -> None:
    phones_far, line = far
    origin = phones_far.live.origin
    offer, chen = offered(visit.live, LEASED, pieces=3, title="午餐三次"), Member(visit, "chen")
    voucher = chen.take(offer)
    barber = enrolled(phones_far, visit.live, voucher)
    code = chen.code(voucher)
    pages_use(barber, code, 3)
    until(barber, "doubt", None)
    assert [(row["voucher"], row["quantity"]) for row in stored(barber, "used")] == [(voucher, 3)]
    assert uses(visit.live, [voucher]) == {voucher: 3}
    line.become(State.CUT)
    barber.goto(f"{origin}/shop")
    scan(barber, code)
    shown(barber, "used", "用过了")
    assert stored(barber, "log") == []


def test_a_typed_code_waits_for_the_queue_and_is_counted(far: tuple[Visitor, PhoneLine], visit: Visitor) -> None:
    phones_far, line = far
    offer, chen = offered(visit.live, LEASED), Member(visit, "chen")
    first, second = chen.take(offer), chen.take(offer)
    short = {
        each: str(chen.page.request.get(f"{chen.origin}/api/vouchers/{each}").json()["short_code"])
        for each in (first, second)
    }
    barber = enrolled(phones_far, visit.live, first, second)
    line.become(State.CUT)
    scan(barber, chen.code(first))
    shown(barber, "offline", "已离线保存")
    barber.context.route("**/api/devices/sync", lambda route: route.abort())
    line.become(State.GOOD)
    expect(barber.locator("[data-net]")).to_be_hidden(timeout=20_000)
    scan(barber, short[first])
    shown(barber, "question", "请先上传")
    assert uses(visit.live, [first, second]) == {}
    barber.context.unroute("**/api/devices/sync")
    barber.locator("[data-again]").click()
    shown(barber, "used", "用过了")
    assert (uses(visit.live, [first]), stored(barber, "told"), stored(barber, "log")) == ({first: 1}, [], [])

    code = chen.code(second)
    scan(barber, short[second])
    shown(barber, "ok", "核销成功")
    until(barber, "doubt", None)
    line.become(State.CUT)
    scan(barber, code)
    shown(barber, "used", "用过了")
    assert uses(visit.live, [first, second]) == {first: 1, second: 1}


def test_a_typed_code_whose_answer_was_lost_leaves_no_blue(far: tuple[Visitor, PhoneLine], visit: Visitor) -> None:
    phones_far, line = far
    offer, chen = offered(visit.live, LEASED), Member(visit, "chen")
    voucher = chen.take(offer)
    short = str(chen.page.request.get(f"{chen.origin}/api/vouchers/{voucher}").json()["short_code"])
    barber, code = enrolled(phones_far, visit.live, voucher), chen.code(voucher)
    line.become(State.DEAF)
    scan(barber, short)
    shown(barber, "question", "需要网络")
    assert uses(visit.live, [voucher]) == {voucher: 1}
    line.become(State.CUT)
    scan(barber, code)
    shown(barber, "question", "没有收到回答")
    assert stored(barber, "log") == []


def test_a_no_from_a_stranger_in_between_puts_nothing_aside(far: tuple[Visitor, PhoneLine], visit: Visitor) -> None:
    """The network's own sign-in page answers everything with 403 and a page: the records wait, and the lease stays honest."""
    phones_far, line = far
    offer, chen = offered(visit.live, LEASED), Member(visit, "chen")
    vouchers = [chen.take(offer) for _ in range(3)]
    barber = enrolled(phones_far, visit.live, *vouchers)
    heard: list[str] = []

    def portal(route: Route) -> None:
        heard.append(route.request.url)
        route.fulfill(status=403, content_type="text/html", body="<h1>Sign in to the network</h1>")

    line.become(State.CUT)
    for voucher in vouchers[:2]:
        scan(barber, chen.code(voucher))
        shown(barber, "offline", "已离线保存")
    barber.context.route("**/api/devices/**", portal)
    line.become(State.GOOD)
    expect(barber.locator("[data-net]")).to_be_hidden(timeout=20_000)
    expect(barber.locator("[data-unsent]")).to_contain_text("2")
    barber.evaluate("() => window.dispatchEvent(new Event('focus'))")
    for _ in range(100):
        if heard:
            break
        barber.wait_for_timeout(100)
    assert heard
    assert [row["parked"] for row in stored(barber, "log")] == ["", ""]
    barber.context.unroute("**/api/devices/**")
    expect(barber.locator("[data-unsent]")).to_be_hidden(timeout=20_000)
    assert uses(visit.live, vouchers) == dict.fromkeys(vouchers[:2], 1)
    scan(barber, chen.code(vouchers[2]))
    shown(barber, "ok", "核销成功")


TWICE = "button => { button.click(); button.click(); button.disabled = false; button.click(); }"


def test_pressed_twice_it_is_one_record(far: tuple[Visitor, PhoneLine], visit: Visitor) -> None:
    phones_far, line = far
    offer, chen = offered(visit.live, LEASED, pieces=5, title="午餐五次"), Member(visit, "chen")
    voucher = chen.take(offer)
    barber = enrolled(phones_far, visit.live, voucher)
    line.become(State.CUT)
    scan(barber, chen.code(voucher))
    shown(barber, "question", "用几份")
    barber.locator("[data-take]").evaluate(TWICE)
    shown(barber, "offline", "已离线保存")
    assert len(stored(barber, "log")) == 1
    assert [row["quantity"] for row in stored(barber, "used")] == [1]
    line.become(State.GOOD)
    expect(barber.locator("[data-unsent]")).to_be_hidden(timeout=20_000)
    assert uses(visit.live, [voucher]) == {voucher: 1}


def revoke(live: Live, device_id: UUID) -> None:
    """Staff stop a phone."""

    async def stop(session: AsyncSession) -> None:
        await phones.revoke(
            session, actor=live.town.actors["wu"], shops=None, device_id=device_id, reason="lost", now=live.clock.now
        )

    in_town(live, stop)


def test_a_phone_that_heard_that_it_is_stopped_says_so_without_the_network(
    far: tuple[Visitor, PhoneLine], visit: Visitor
) -> None:
    phones_far, line = far
    origin = phones_far.live.origin
    offer, chen = offered(visit.live, LEASED), Member(visit, "chen")
    voucher = chen.take(offer)
    barber = enrolled(phones_far, visit.live, voucher)
    revoke(visit.live, UUID(stored(barber, "kept", "device")["value"]["id"]))
    scan(barber, chen.code(voucher))
    shown(barber, "refused")
    until(barber, "snapshot", None)
    line.become(State.CUT)
    dead = phones_again(barber, origin)
    unlock(dead)
    scan(dead, chen.code(voucher))
    shown(dead, "refused", str(value(dead, "refused")))
    assert stored(dead, "log") == []


def test_only_a_clerk_whom_the_server_knows_takes_without_the_network(
    far: tuple[Visitor, PhoneLine], visit: Visitor
) -> None:
    phones_far, line = far
    offer, chen = offered(visit.live, LEASED), Member(visit, "chen")
    voucher = chen.take(offer)
    barber = enrolled(phones_far, visit.live, voucher)
    line.become(State.CUT)
    barber.evaluate(CHANGE, ["snapshot", {"clerks": []}])
    scan(barber, chen.code(voucher))
    shown(barber, "question", "店员名单")
    assert stored(barber, "log") == []


def test_who_signs_out_leaves_the_counter_and_a_new_key_forgets_the_pins(
    far: tuple[Visitor, PhoneLine], visit: Visitor
) -> None:
    phones_far, _line = far
    origin = phones_far.live.origin
    barber = enrolled(phones_far, visit.live)
    assert barber.evaluate("() => sessionStorage.getItem('linli-clerk')")
    assert len(stored(barber, "pins")) == 1
    barber.goto(f"{origin}/E/{ticket_for(visit.live, 'barbershop')}")
    barber.get_by_role("button", name="登记这部手机").click()
    expect(barber.get_by_role("link", name="选离线密码")).to_be_visible()
    assert stored(barber, "pins") == []
    barber.goto(f"{origin}/me")
    press(barber, barber.get_by_role("button", name="退出登录"))
    expect(barber).not_to_have_url(f"{origin}/me")
    assert barber.evaluate("() => sessionStorage.getItem('linli-clerk')") is None


def test_what_was_said_to_a_phone_that_did_not_hear_is_said_again(
    far: tuple[Visitor, PhoneLine], visit: Visitor
) -> None:
    phones_far, line = far
    offer, chen = offered(visit.live, LEASED), Member(visit, "chen")
    voucher = chen.take(offer)
    barber = enrolled(phones_far, visit.live, voucher)
    line.become(State.CUT)
    scan(barber, chen.code(voucher))
    shown(barber, "offline", "已离线保存")
    # Somebody who does not serve there: the server keeps such a record for people to look at.
    answered: list[int] = []

    def deaf(route: Route) -> None:
        answered.append(route.fetch().status)
        route.abort()

    barber.evaluate(FORGE)
    barber.context.route("**/api/devices/sync", deaf)
    line.become(State.GOOD)
    barber.evaluate("() => window.dispatchEvent(new Event('online'))")
    for _ in range(200):
        if answered:
            break
        barber.wait_for_timeout(100)
    assert answered[0] == 200
    assert stored(barber, "told") == []
    barber.context.unroute("**/api/devices/sync")
    expect(barber.locator("[data-unsent]")).to_be_hidden(timeout=20_000)
    assert [row["verdict"] for row in stored(barber, "told")] == ["review"]


FORGE = """async () => {
  const base = await (OPEN)();
  const work = base.transaction('log', 'readwrite');
  const row = await new Promise(done => {
    const request = work.objectStore('log').openCursor();
    request.onsuccess = () => done(request.result);
  });
  const record = JSON.parse(row.value.text);
  record.clerk = record.nonce;
  row.update({ ...row.value, text: JSON.stringify(record) });
  await new Promise(done => { work.oncomplete = done; });
  base.close();
}""".replace("OPEN", OPEN)
