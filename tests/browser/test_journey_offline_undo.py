"""Without a network: a scan is taken back before it was sent, and a voucher of several pieces is used in parts."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

import redemption
from tests.browser.conftest import DESK, Visitor, press, shot
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

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LEASED = redemption.OfflineClass.LEASED


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
    expect(page.locator("[data-own]")).to_be_attached()  # it has its sentences too
    return page


def test_a_scan_is_taken_back_before_it_was_sent(far: tuple[Visitor, PhoneLine], visit: Visitor) -> None:
    phones, line = far
    origin = phones.live.origin
    offer, chen = offered(visit.live, LEASED), Member(visit, "chen")
    first, second = chen.take(offer), chen.take(offer)
    barber = enrolled(phones, visit.live, first, second)
    line.become(State.CUT)
    scan(barber, chen.code(first))
    shown(barber, "offline", "已离线保存")
    barber.locator(".result [data-undo-last]").click()
    shown(barber, "offline", "已经撤销", "理发一次")
    shot(barber, "offline-undone")
    assert len(stored(barber, "log")) == 2
    scan(barber, chen.code(second))
    shown(barber, "offline", "已离线保存")
    barber.goto(f"{origin}/shop/today")
    queue = barber.locator("[data-queue]")
    expect(queue.locator("[data-sum]")).to_contain_text("待上传 1 笔，共 20 分")
    expect(queue.locator("[data-list] li")).to_have_count(2)
    expect(queue.locator("[data-list] li").first).to_contain_text("已撤销")
    queue.get_by_role("button", name="撤销").click()
    expect(queue.locator("[data-line]")).to_contain_text("已经撤销")
    expect(queue.get_by_role("button", name="撤销")).to_have_count(0)
    shot(barber, "offline-undone-list")
    again = phones_again(barber, origin)
    unlock(again)
    scan(again, chen.code(second))
    shown(again, "offline", "已离线保存")
    assert uses(visit.live, [first, second]) == {}
    line.become(State.GOOD)
    expect(again.locator("[data-unsent]")).to_be_hidden(timeout=20_000)
    assert uses(visit.live, [first, second]) == {second: 1}
    assert stored(again, "told") == []


def test_what_the_server_has_by_then_is_taken_back_there(far: tuple[Visitor, PhoneLine], visit: Visitor) -> None:
    phones, line = far
    offer, chen = offered(visit.live, LEASED), Member(visit, "chen")
    voucher = chen.take(offer)
    barber = enrolled(phones, visit.live, voucher)
    line.become(State.CUT)
    scan(barber, chen.code(voucher))
    shown(barber, "offline", "已离线保存")
    barber.locator("[data-next]").click()
    line.become(State.GOOD)
    expect(barber.locator("[data-unsent]")).to_be_hidden(timeout=20_000)
    assert uses(visit.live, [voucher]) == {voucher: 1}
    barber.locator("[data-scanner] [data-undo-last]").click()
    shown(barber, "ok", "已经撤销")
    assert uses(visit.live, [voucher]) == {}


def test_several_pieces_of_a_voucher_at_one_scan(far: tuple[Visitor, PhoneLine], visit: Visitor) -> None:
    phones, line = far
    offer, chen = offered(visit.live, LEASED, pieces=5, title="午餐五次"), Member(visit, "chen")
    voucher = chen.take(offer)
    barber = enrolled(phones, visit.live, voucher)
    line.become(State.CUT)
    scan(barber, chen.code(voucher))
    shown(barber, "question", "用几份", "午餐五次", "还能用 5 份")
    assert stored(barber, "log") == []
    for _ in range(2):
        barber.get_by_role("button", name="多一份").click()
    shot(barber, "offline-pieces")
    barber.locator("[data-take]").click()
    shown(barber, "offline", "已离线保存", "3 份", "60 分")
    scan(barber, chen.code(voucher))
    shown(barber, "question", "还能用 2 份")
    barber.get_by_role("button", name="多一份").click()
    expect(barber.get_by_role("button", name="多一份")).to_be_disabled()
    barber.locator("[data-take]").click()
    shown(barber, "offline", "2 份")
    scan(barber, chen.code(voucher))
    shown(barber, "used", "用过了")
    line.become(State.GOOD)
    expect(barber.locator("[data-unsent]")).to_be_hidden(timeout=20_000)
    assert uses(visit.live, [voucher]) == {voucher: 5}


def test_the_queue_of_a_dead_phone_is_brought_to_the_desk(far: tuple[Visitor, PhoneLine], visit: Visitor) -> None:
    phones, line = far
    offer, chen = offered(visit.live, LEASED), Member(visit, "chen")
    first, second = chen.take(offer), chen.take(offer)
    barber = enrolled(phones, visit.live, first, second)
    line.become(State.CUT)
    for voucher in (first, second):
        scan(barber, chen.code(voucher))
        shown(barber, "offline", "已离线保存")
    barber.goto(f"{phones.live.origin}/shop/today")
    barber.get_by_role("button", name="导出").click()
    expect(barber.locator("[data-codes] svg").first).to_be_visible()
    text = barber.get_by_label("要上传的内容").input_value()

    desk = visit.page("wu", viewport=DESK)
    for answer in ("收下了", "早就收下了"):
        desk.goto(f"{visit.live.origin}/desk/devices/export")
        desk.get_by_label("导出的内容").fill(text)
        press(desk, desk.get_by_role("button", name="收下这些记录"))
        expect(desk.get_by_role("status").filter(has_text="收到 2 条记录")).to_be_visible()
        expect(desk.locator(".chip").filter(has_text=answer)).to_have_count(2)
        shot(desk, "device-export-taken")
    assert uses(visit.live, [first, second]) == {first: 1, second: 1}
