"""The scanner keeps a voucher for two minutes at one press: the countdown, the use, letting go; and scanning goes on meanwhile."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

import redemption
from service.kit.issuers import code_keys
from tests.browser.conftest import Visitor, shot
from tests.browser.line import PhoneLine, State, through_a_line
from tests.browser.live import Live
from tests.browser.shop_phone import Member, enrol, knows, offered, scan, shop_page, shown, ticket_for, uses
from tests.cast import HERE, KEYRING

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PHONE: ViewportSize = {"width": 390, "height": 844}


@pytest.fixture
def far(chromium: Browser, live: Live) -> Iterator[tuple[Visitor, PhoneLine]]:
    """Phones behind a line that can be cut."""
    with through_a_line(live) as (behind, line):
        visitor = Visitor(chromium, behind)
        yield visitor, line
        visitor.close()
        assert [trouble for trouble in visitor.troubles if "asked outside" in trouble] == []


def printed(live: Live, voucher_id: str) -> str:
    keys = code_keys(KEYRING, live.clock.now)
    code = redemption.printed_code(keys, community_id=HERE, voucher_id=int(voucher_id), code_seq=1)
    return redemption.code_url(live.origin, code)


def keep_next(page: Page, code: str) -> None:
    """One press, and the scan that follows keeps."""
    if page.locator(".result").is_visible():
        page.locator("[data-next]").dispatch_event("click")
    page.get_by_role("button", name="先留两分钟").click()
    expect(page.locator("[data-msg]")).to_have_text("下一张先留着：请扫码")
    scan(page, code)


def test_a_voucher_is_kept_and_used_while_others_are_scanned(visit: Visitor) -> None:
    live, origin = visit.live, visit.live.origin
    offer = offered(live, redemption.OfflineClass.ONLINE_ONLY)
    chen = Member(visit, "chen")
    first, second, third = (chen.take(offer) for _ in range(3))
    barber = shop_page(visit)
    barber.set_viewport_size(PHONE)
    barber.goto(f"{origin}/shop")
    shot(barber, "keep-aim")
    keep_next(barber, chen.code(first))
    shown(barber, "kept", "给这位顾客留着了", "理发一次")
    shot(barber, "keep-kept")
    assert uses(live, [first]) == {}
    # It leaves by itself: the next customer is scanned without a tap.
    expect(barber.locator(".result")).to_be_hidden(timeout=5_000)
    row = barber.locator("[data-kept] li")
    expect(row).to_contain_text("还有 1:5")
    expect(barber.locator("[data-count]")).to_have_text("0")
    shot(barber, "keep-row")
    barber.locator("#code").fill(chen.code(second))
    barber.locator("#code").press("Enter")
    shown(barber, "ok", "核销成功")
    expect(barber.locator(".result")).to_be_hidden(timeout=5_000)
    # A reload forgets nothing that is still kept.
    barber.reload()
    row.get_by_role("button", name="好了，核销").click()
    shown(barber, "ok", "核销成功", "理发一次")
    expect(row).to_have_count(0)
    assert uses(live, [first, second]) == {first: 1, second: 1}
    expect(barber.locator("[data-count]")).to_have_text("2")
    barber.locator("[data-next]").click()
    barber.get_by_role("button", name="撤销上一笔").click()
    shown(barber, "ok", "已经撤销")
    expect(barber.locator("[data-count]")).to_have_text("1")

    keep_next(barber, chen.code(third))
    shown(barber, "kept")
    expect(barber.locator(".result")).to_be_hidden(timeout=5_000)
    row.get_by_role("button", name="放开").click()
    expect(row).to_have_count(0)
    assert chen.page.request.get(f"{origin}/api/vouchers/{third}").json()["state"] == "issued"
    assert uses(live, [first, third]) == {}


def test_a_paper_asks_for_the_name_and_pieces_are_chosen_when_they_are_used(visit: Visitor) -> None:
    live, origin = visit.live, visit.live.origin
    chen = Member(visit, "chen")
    dear = chen.take(offered(live, redemption.OfflineClass.ONLINE_ONLY))
    pack = chen.take(offered(live, redemption.OfflineClass.ONLINE_ONLY, title="午餐三次", pieces=3, payable_fen=600))
    barber = shop_page(visit)
    barber.set_viewport_size(PHONE)
    barber.goto(f"{origin}/shop")
    keep_next(barber, printed(live, dear))
    shown(barber, "question", "核对姓名")
    shot(barber, "keep-compare")
    barber.get_by_role("button", name="核对过了，先留着").click()
    shown(barber, "kept", "给这位顾客留着了")
    keep_next(barber, printed(live, pack))
    expect(barber.locator("[data-kept] li")).to_have_count(2)
    expect(barber.locator(".result")).to_be_hidden(timeout=5_000)
    shot(barber, "keep-two")
    barber.locator("[data-kept] li", has_text="午餐三次").get_by_role("button", name="好了，核销").click()
    shown(barber, "question", "用几份")
    barber.get_by_role("button", name="多一份").click()
    barber.locator("[data-take]").click()
    shown(barber, "question", "核对姓名")
    barber.get_by_role("button", name="核对过了，核销").click()
    shown(barber, "ok", "核销成功")
    expect(barber.locator("[data-kept] li")).to_have_count(1)
    assert uses(live, [dear, pack]) == {pack: 2}


def test_without_a_network_nothing_is_kept_and_the_row_stays(far: tuple[Visitor, PhoneLine]) -> None:
    visitor, line = far
    live, origin = visitor.live, visitor.live.origin
    chen = Member(visitor, "chen")
    offer = offered(live, redemption.OfflineClass.LEASED)
    voucher = chen.take(offer)
    barber = shop_page(visitor)
    enrol(barber, origin, ticket_for(live, "barbershop"))
    keep_next(barber, chen.code(voucher))
    shown(barber, "kept")
    row = barber.locator("[data-kept] li")
    expect(row).to_have_count(1)
    expect(barber.locator(".result")).to_be_hidden(timeout=5_000)
    line.become(State.CUT)
    row.get_by_role("button", name="好了，核销").click()
    shown(barber, "question", "需要网络")
    barber.locator("[data-next]").click()
    expect(row).to_have_count(1)
    line.become(State.GOOD)
    row.get_by_role("button", name="好了，核销").click()
    shown(barber, "ok", "核销成功")
    assert uses(live, [voucher]) == {voucher: 1}


def test_what_the_phone_keeps_it_may_take_without_a_network(far: tuple[Visitor, PhoneLine]) -> None:
    visitor, line = far
    live, origin = visitor.live, visitor.live.origin
    chen = Member(visitor, "chen")
    voucher = chen.take(offered(live, redemption.OfflineClass.LEASED))
    code = chen.code(voucher)
    barber = shop_page(visitor)
    enrol(barber, origin, ticket_for(live, "barbershop"))
    knows(barber, voucher)
    keep_next(barber, code)
    shown(barber, "kept")
    line.become(State.CUT)
    scan(barber, code)
    shown(barber, "offline", "理发一次")
    line.become(State.GOOD)
    for _ in range(100):
        if uses(live, [voucher]):
            break
        barber.wait_for_timeout(200)
    assert uses(live, [voucher]) == {voucher: 1}
    assert chen.page.request.get(f"{origin}/api/vouchers/{voucher}").json()["state"] == "used"


def test_the_page_in_elder_mode(visit: Visitor) -> None:
    live, origin = visit.live, visit.live.origin
    chen = Member(visit, "chen")
    voucher = chen.take(offered(live, redemption.OfflineClass.ONLINE_ONLY, title="理发和洗头，老人加一次上门"))
    barber = shop_page(visit)
    barber.set_viewport_size(PHONE)
    visit.hand_over(barber, "barber", elder=True)
    barber.goto(f"{origin}/shop")
    keep_next(barber, chen.code(voucher))
    shown(barber, "kept")
    shot(barber, "keep-elder-kept")
    expect(barber.locator(".result")).to_be_hidden(timeout=5_000)
    shot(barber, "keep-elder")
    for button in barber.locator("[data-kept] button, [data-keep-next]").all():
        box = button.bounding_box()
        assert box is not None
        assert box["height"] >= 44
        assert box["x"] + box["width"] <= PHONE["width"]
