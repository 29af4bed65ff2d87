"""A voucher from points to the barber's green screen, read off the phone's own page by a camera; and every other colour."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Playwright, Route, expect

from tests.browser.camera import Camera, code_in, filming, keep, needs_poppler, needs_zbar, sheets_of
from tests.browser.conftest import Visitor, shot
from tests.browser.steps import HAIRCUT, give_points, let_vouchers_run_out, publish_haircut, take_haircut

pytestmark = [pytest.mark.browser, pytest.mark.slow, needs_zbar, needs_poppler]

SAME_MOMENT = "const behind = {now} - Date.now(), real = Date.now; Date.now = () => real() + behind;"


@pytest.fixture
def counter(
    visit: Visitor, playwright: Playwright, chromium: Browser, tmp_path: Path
) -> Iterator[tuple[Camera, Visitor]]:
    """A shop's phone with a camera in a town where haircuts can be had."""
    publish_haircut(visit)
    with filming(playwright, chromium, visit.live, tmp_path) as found:
        yield found


def shop_phone(visitor: Visitor, name: str) -> Page:
    """Somebody's phone at a counter; its clock agrees with the service's, as phones' clocks do."""
    page = visitor.page(name)
    page.add_init_script(SAME_MOMENT.format(now=int(visitor.live.clock.now.timestamp() * 1000)))
    return page


def enlarged(page: Page) -> bytes:
    """The voucher's code as large as the phone, one tap; and a tap anywhere to go back."""
    page.get_by_role("button", name="放大").click()
    shot(page, "voucher-enlarged")
    picture = page.locator("#voucher-code .qr svg").screenshot()
    page.locator(".full").click()
    expect(page.locator(".full")).to_have_count(0)
    return picture


def answered(page: Page, state: str, *words: str) -> None:
    """The whole screen is of one colour, has the sign of it, and says these words."""
    result = page.locator(f".result.{state}")
    expect(result).to_be_visible(timeout=20_000)
    box, size = result.bounding_box(), page.viewport_size
    assert box is not None
    assert size is not None
    assert (box["width"], box["height"]) == (size["width"], size["height"])
    expect(result.locator(f"svg.{state}")).to_be_visible()
    for word in words:
        expect(result).to_contain_text(word)


def test_a_voucher_is_taken_in_two_taps_and_used_once_by_the_real_camera(
    counter: tuple[Camera, Visitor], visit: Visitor
) -> None:
    camera, shops = counter
    give_points(visit.live, "chen", 100)
    chen = visit.page("chen")
    camera.show(taken(chen, visit.live.origin))
    barber, second = shop_phone(shops, "barber"), shop_phone(shops, "barber")
    used_once(barber, second, chen, visit.live.origin)
    undone_and_used_again(barber, second, chen)
    barber.goto(f"{visit.live.origin}/shop/today")
    expect(barber.locator(".book")).to_contain_text("1笔")
    expect(barber.get_by_role("navigation", name="主要栏目").locator("[aria-current]")).to_have_text("今天")
    shot(barber, "scan-today")


def taken(chen: Page, origin: str) -> bytes:
    """From home in two taps to the code. A double tap takes one voucher; going back and reading again take none."""
    chen.goto(f"{origin}/home")
    shot(chen, "voucher-home")
    chen.get_by_role("link", name=HAIRCUT).click()
    shot(chen, "voucher-offer")
    chen.get_by_role("button", name="用 20 分换").dblclick()
    chen.wait_for_url("**/vouchers/*")
    chen.reload()
    chen.go_back()
    expect(chen.get_by_role("main")).to_contain_text("现在有80分")
    chen.goto(f"{origin}/vouchers")
    expect(chen.get_by_role("link", name="给店员看")).to_have_count(1)
    chen.get_by_role("link", name="给店员看").click()
    code = chen.locator("#voucher-code .qr svg")
    box = code.bounding_box()
    assert box is not None
    assert box["width"] >= 240
    shot(chen, "voucher-shown")
    picture = code.screenshot()
    assert code_in(picture).startswith(f"{origin.upper()}/V/")
    return picture


def used_once(barber: Page, second: Page, chen: Page, origin: str) -> None:
    """Green at the shop and 已使用 in the customer's hand; held there longer it is not sold twice; a second phone is told when."""
    barber.goto(f"{origin}/shop")
    answered(barber, "ok", "核销成功", HAIRCUT, "20 分", "卡号尾号 0003")
    shot(barber, "scan-ok")
    expect(barber.locator("[data-next]")).to_be_focused()
    expect(chen.locator("#voucher-code")).to_contain_text("已使用", timeout=5_000)
    expect(chen.locator("#voucher-code")).to_contain_text("小李理发店")
    expect(chen.locator("#voucher-code svg")).to_have_count(0)
    expect(chen.get_by_role("link", name="不要了")).to_be_hidden()
    shot(chen, "voucher-used")
    expect(barber.locator(".result")).to_be_hidden(timeout=5_000)
    expect(barber.locator("[data-count]")).to_have_text("1")
    shot(barber, "scan-aim")
    second.goto(f"{origin}/shop")
    answered(second, "used", "用过了", "11 月 22 日", "10:00", "小李理发店")
    expect(second.locator(".result [data-undo-last]")).to_be_hidden()
    shot(second, "scan-used")


def undone_and_used_again(barber: Page, second: Page, chen: Page) -> None:
    """With one press the points are in the voucher again under a new code; the old one is dead, the new one typed in works."""
    barber.get_by_role("button", name="撤销上一笔").click()
    answered(barber, "ok", "已经撤销")
    shot(barber, "scan-undone")
    expect(barber.locator("[data-count]")).to_have_text("0")
    second.reload()
    answered(second, "refused", "不能使用", "这个码已经换过新的了")
    shot(second, "scan-old-code")
    chen.reload()
    expect(chen.locator("#voucher-code")).to_contain_text("请把这个码给店员扫")
    short = chen.locator("#voucher-code .code").inner_text()
    barber.locator("[data-next]").click()
    barber.locator("#code").press_sequentially(short.replace(" ", "").lower())
    expect(barber.locator("#code")).to_have_value(short)
    barber.locator("#code").press("Enter")
    answered(barber, "ok", "核销成功", HAIRCUT)
    expect(barber.locator("[data-count]")).to_have_text("1")
    # The shop's other phone counted nothing of it; it learns the day when somebody looks at it again.
    expect(second.locator("[data-count]")).to_have_text("0")
    second.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(second.locator("[data-count]")).to_have_text("1")
    expect(second.locator("[data-points]")).to_have_text("20")


def test_what_is_refused_is_red_and_says_why(counter: tuple[Camera, Visitor], visit: Visitor) -> None:
    camera, shops = counter
    live, origin = visit.live, visit.live.origin
    give_points(live, "li", 100)
    li = visit.page("li", elder=True)
    take_haircut(li, origin)
    shot(li, "voucher-shown-elder")
    camera.show(enlarged(li))

    zhou = shop_phone(shops, "zhou")
    zhou.goto(f"{origin}/shop")
    answered(zhou, "refused", "不能使用", "这张券不能在这家店用")
    shot(zhou, "scan-wrong-shop")
    assert "李心愿" not in zhou.content()

    barber = shop_phone(shops, "barber")
    barber.goto(f"{origin}/shop")
    answered(barber, "ok", "核销成功")

    # Another voucher, given back before the shop sees it: its code says so.
    take_haircut(li, origin)
    kept = enlarged(li)
    li.get_by_role("link", name="不要了").click()
    li.get_by_role("button", name="退掉这张券").click()
    expect(li.get_by_role("button", name="退掉这张券")).to_have_count(0)
    camera.show(kept)
    barber.reload()
    answered(barber, "refused", "不能使用", "退掉")
    shot(barber, "scan-cancelled")

    # A code that nobody here made.
    take_haircut(li, origin)
    genuine = code_in(enlarged(li))
    forged = genuine[:-1] + ("A" if genuine[-1] != "A" else "B")
    barber.locator("[data-next]").click()
    barber.locator("#code").fill(forged)
    barber.locator("#code").press("Enter")
    answered(barber, "refused", "不能使用")
    shot(barber, "scan-forged")

    # Paper: read back as it would leave the printer; the code on it holds until the voucher is over.
    li.get_by_role("link", name="打印").click()
    [sheet] = sheets_of(li)
    keep(sheet, "voucher-paper")
    printed = code_in(sheet)
    live.clock.move(days=40)
    barber.locator("[data-next]").click()
    barber.locator("#code").fill(printed)
    barber.locator("#code").press("Enter")
    answered(barber, "refused", "不能使用", "过期")
    shot(barber, "scan-expired")


def test_without_network_it_asks_and_the_same_scan_later_counts_once(
    counter: tuple[Camera, Visitor], visit: Visitor
) -> None:
    _camera, shops = counter
    live, origin = visit.live, visit.live.origin
    give_points(live, "chen", 100)
    chen = visit.page("chen")
    take_haircut(chen, origin)
    short = chen.locator("#voucher-code .code").inner_text()
    barber = shop_phone(shops, "barber")
    barber.goto(f"{origin}/shop")
    barber.context.set_offline(True)
    barber.locator("#code").fill(short)
    barber.locator("#code").press("Enter")
    answered(barber, "question", "需要网络", "不会重复核销")
    shot(barber, "scan-offline")

    # The network is back, but answers get lost on their way: the shop may press as often as it likes.
    barber.context.set_offline(False)
    nonces: list[str] = []

    def lose_the_answer(route: Route) -> None:
        nonces.append(re.findall(r'"nonce":"([^"]+)"', route.request.post_data or "")[0])
        route.fetch()
        route.abort()

    barber.context.route("**/api/scans", lose_the_answer)
    barber.get_by_role("button", name="再试一次").click()
    expect(chen.locator("#voucher-code")).to_contain_text("已使用", timeout=10_000)
    answered(barber, "question", "需要网络")
    barber.context.unroute("**/api/scans")
    barber.get_by_role("button", name="再试一次").click()
    answered(barber, "ok", "核销成功")
    assert len(set(nonces)) == 1
    assert len(nonces) >= 2
    barber.goto(f"{origin}/shop/today")
    expect(barber.locator(".book")).to_contain_text("1笔")
    expect(barber.locator(".cells li")).to_have_count(1)


def test_points_come_back_from_what_was_given_back_and_from_what_ran_out(visit: Visitor) -> None:
    live, origin = visit.live, visit.live.origin
    publish_haircut(visit)
    give_points(live, "chen", 100)
    chen = visit.page("chen")
    take_haircut(chen, origin)
    chen.get_by_role("link", name="不要了").click()
    shot(chen, "voucher-cancel")
    chen.get_by_role("button", name="退掉这张券").click()
    expect(chen.locator("#voucher-code")).to_contain_text("积分已经退回")
    take_haircut(chen, origin)
    live.clock.move(days=40)
    chen.reload()
    expect(chen.locator("#voucher-code")).to_contain_text("已过期")
    let_vouchers_run_out(live)
    chen.goto(f"{origin}/passbook")
    lines = chen.locator(".cells li")
    expect(lines.nth(0)).to_contain_text("券到期退回 理发一次")
    expect(lines.nth(0)).to_contain_text("存入 +20分")
    expect(lines.nth(0)).to_contain_text("结余 100分")
    expect(lines.nth(1)).to_contain_text("换券 理发一次")
    expect(lines.nth(1)).to_contain_text("支出 -20分")
    expect(lines.nth(2)).to_contain_text("退券 理发一次")
    shot(chen, "voucher-passbook")
    lines.nth(0).get_by_role("link").click()
    shot(chen, "voucher-passbook-line")
    chen.get_by_role("link", name="看这件事").click()
    expect(chen.locator("#voucher-code")).to_contain_text("已过期")
