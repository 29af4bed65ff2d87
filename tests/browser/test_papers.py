"""Vouchers eight to a sheet, read back off the paper, with exact cells; and the pages from which a batch is printed."""

from datetime import timedelta
from uuid import uuid4

import pytest
from playwright.sync_api import Page
from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from service.kit.ids import new_id
from tests.browser.camera import codes_in, keep, needs_poppler, needs_zbar, sheets_of
from tests.browser.conftest import DESK, Visitor, press, shot
from tests.browser.judge import axe, sideways
from tests.browser.steps import give_points, in_town
from tests.cast import HERE

pytestmark = [pytest.mark.browser, pytest.mark.slow, needs_zbar, needs_poppler]

MILLIMETRE = 96 / 25.4


def hold(visit: Visitor, count: int, offline_class: int) -> None:
    """Granny holds this many vouchers of one offer."""
    town, now = visit.live.town, visit.live.clock.now
    staff = town.actors["wu"].member_id

    async def work(session: AsyncSession) -> None:
        terms = redemption.OfferTerms(
            offer_id=new_id(),
            sponsor_id=town.organisations["sponsor"],
            merchant_ids=(town.organisations["barbershop"],),
            title="理发一次（剪洗吹，老人优先）",
            kind=redemption.OfferKind.SERVICE,
            price_points=2,
            payable_fen=1500,
            stock_total=50,
            per_member_cap=None,
            valid_from=now - timedelta(days=1),
            valid_until=now + timedelta(days=60),
            offline_class=redemption.OfflineClass(offline_class),
        )
        await redemption.draft_offer(session, HERE, terms, actor_id=staff, now=now)
        await redemption.publish_offer(session, HERE, terms.offer_id, key=uuid4(), actor_id=staff, now=now)
        for _ in range(count):
            await redemption.issue_voucher(
                session,
                HERE,
                key=uuid4(),
                offer_id=terms.offer_id,
                member_id=town.actors["granny"].member_id,
                owner_group=None,
                actor_id=staff,
                grace_hours=72,
                now=now,
            )

    give_points(visit.live, "granny", 100)
    in_town(visit.live, work)


def judged(page: Page, name: str) -> None:
    """No fault that a machine finds, and nothing that runs off the side."""
    shot(page, name)
    assert axe(page) == []
    assert sideways(page) == []


@pytest.mark.parametrize(("offline_class", "letter", "millimetres"), [(0, "P", 40), (2, "S", 46)])
def test_a_batch_is_read_back_off_the_paper(visit: Visitor, offline_class: int, letter: str, millimetres: int) -> None:
    origin = visit.live.origin
    hold(visit, 9, offline_class)
    wu = visit.page("wu", viewport=DESK)
    wu.goto(f"{origin}/desk/papers")
    press(wu, wu.get_by_role("button", name="查找"))
    judged(wu, f"papers-choose-{letter}")
    press(wu, wu.get_by_role("button", name="打印这一批"))

    sheets = sheets_of(wu)

    keep(sheets[0], f"papers-sheet-{letter}")
    codes = [text for sheet in sheets for text in codes_in(sheet)]
    assert len(codes) == len(set(codes)) == 9
    assert {text.removeprefix(f"{origin.upper()}/V/")[0] for text in codes} == {letter}
    wu.emulate_media(media="print")
    cells = wu.locator(".cardv").evaluate_all("all => all.map(each => each.getBoundingClientRect().toJSON())")
    assert {(round(cell["width"] / MILLIMETRE, 1), round(cell["height"] / MILLIMETRE, 1)) for cell in cells} == {
        (105, 74.2)
    }
    qr = wu.locator(".cardv svg").first.bounding_box()
    assert qr is not None
    assert round(qr["width"] / MILLIMETRE) == millimetres
    cut = wu.locator(".cardv").evaluate_all(
        "all => all.filter(each => each.scrollHeight > each.clientHeight + 1).length"
    )
    assert cut == 0


@pytest.mark.parametrize("english", [False, True])
def test_the_pages_of_a_batch(visit: Visitor, *, english: bool) -> None:
    hold(visit, 3, 0)
    wu = visit.page("wu", viewport=DESK, english=english)
    wu.goto(f"{visit.live.origin}/desk/papers/sample")
    assert len(codes_in(sheets_of(wu)[0])) == 8
    wu.goto(f"{visit.live.origin}/desk/papers/choose")
    press(wu, wu.locator("main form button[type=submit], main form button:not([type])").last)
    batch = wu.url.removesuffix("/print")
    wu.goto(batch)
    judged(wu, f"papers-batch{'-en' if english else ''}")
    wu.get_by_label("Why" if english else "为什么").fill("一叠纸丢了")
    press(wu, wu.locator("form[action$='/void'] button"))
    judged(wu, f"papers-voided{'-en' if english else ''}")
    wu.goto(f"{visit.live.origin}/desk/papers")
    judged(wu, f"papers-list{'-en' if english else ''}")
