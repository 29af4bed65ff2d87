"""A volunteer takes points along to the next community, by phone and at the desk; here the pages behind a POST are judged."""

import pytest
import sqlalchemy as sa
from playwright.sync_api import Page, expect
from sqlmodel.ext.asyncio.session import AsyncSession

from service.clearing.actions import agreements
from tests.browser.conftest import DESK, Visitor, shot
from tests.browser.judge import axe, foreign, sideways, small
from tests.browser.live import Live
from tests.browser.seen import texts_of_people
from tests.browser.steps import give_points, in_town
from tests.cast import ELSEWHERE, HERE
from tests.clearing.conftest import STEPS, as_told

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def agree(live: Live) -> None:
    """The two offices have agreed before."""

    async def tell(session: AsyncSession, told: int) -> int:
        await session.flush()
        rows = await session.execute(
            sa.text(
                "UPDATE outbox SET relayed_at = recorded_at WHERE outbox_id > :told RETURNING outbox_id, fact, payload"
            ),
            {"told": told},
        )
        for number, name, payload in rows.all():
            told = max(told, number)
            fact = as_told(name, payload)
            if type(fact) in STEPS:
                await STEPS[type(fact)](session, fact, live.clock.now)
        return told

    async def work(session: AsyncSession) -> None:
        people, now = live.town.actors, live.clock.now
        terms = {"partner_id": ELSEWHERE, "minutes_max": 6000, "points_max": 100}
        await agreements.propose(session, actor=people["jiang"], **terms, now=now)
        told = await tell(session, 0)
        await agreements.accept(session, actor=people["stranger_staff"], partner_id=HERE, now=now)
        while (further := await tell(session, told)) > told:
            told = further

    in_town(live, work)


def judged(page: Page, live: Live, *, elder: bool = False) -> None:
    """Nothing that keeps anybody out."""
    found = axe(page) + sideways(page) + foreign(page, texts_of_people(live.database)) + (small(page) if elder else [])
    assert found == []


@pytest.mark.parametrize("elder", [False, True], ids=["standard", "elder"])
def test_points_go_along_and_arrive(visit: Visitor, elder: bool) -> None:
    live, origin = visit.live, visit.live.origin
    agree(live)
    give_points(live, "chen", 100)
    chen = visit.page("chen", elder=elder)
    chen.goto(f"{origin}/passbook")
    chen.get_by_role("link", name="转到别的社区").click()
    chen.get_by_role("link", name="转到别的社区").click()
    chen.get_by_label("那边的卡号").fill("0001-0001")
    chen.get_by_label("那边登记的姓名").fill("外乡亲")
    chen.get_by_label("积分（分）").check()
    chen.get_by_label("转多少").fill("12.5")
    chen.get_by_role("button", name="下一步").click()
    expect(chen.locator(".errors")).to_be_focused()
    judged(chen, live, elder=elder)
    chen.get_by_label("那边登记的姓名").fill("外乡人")
    chen.get_by_role("button", name="下一步").click()
    expect(chen.get_by_role("main")).to_contain_text("外**")
    expect(chen.get_by_role("main")).to_contain_text("87.5")
    judged(chen, live, elder=elder)
    shot(chen, f"clearing-check{'-elder' if elder else ''}")
    chen.get_by_role("button", name="改一改").click()
    expect(chen.get_by_label("转多少")).to_have_value("12.5")
    chen.get_by_role("button", name="下一步").click()
    chen.get_by_role("button", name="确认转出").click()
    judged(chen, live, elder=elder)
    shot(chen, f"clearing-sent{'-elder' if elder else ''}")

    for _ in range(40):  # the worker carries it there and back
        if chen.get_by_text("已到账").count():
            break
        chen.wait_for_timeout(500)
        chen.reload()
    expect(chen.get_by_role("main")).to_contain_text("已到账")
    shot(chen, f"clearing-arrived{'-elder' if elder else ''}")
    stranger = visit.page("stranger", elder=elder)
    stranger.goto(f"{origin}/passbook")
    expect(stranger.get_by_role("main")).to_contain_text("从别的社区转来 兴乐社区")
    shot(stranger, f"clearing-passbook{'-elder' if elder else ''}")


@pytest.mark.parametrize("english", [False, True], ids=["zh", "en"])
def test_staff_do_it_for_somebody_without_a_phone(visit: Visitor, english: bool) -> None:
    live, origin = visit.live, visit.live.origin
    agree(live)
    give_points(live, "granny", 100)
    wu = visit.page("wu", viewport=DESK, english=english)
    wu.goto(f"{origin}/desk/clearing/send?q=0012-0002")
    wu.get_by_role("link", name="李奶奶").click()
    judged(wu, live)
    wu.locator("#card").fill("0001-0001")
    wu.locator("#name").fill("外乡人")
    wu.locator("input[name=unit][value=point]").check()
    wu.locator("#amount").fill("5")
    wu.locator("main form button").first.click()
    expect(wu.get_by_role("main")).to_contain_text("外**")
    judged(wu, live)
    shot(wu, f"clearing-desk-check{'-en' if english else ''}")
    wu.locator("main form button").first.click()
    expect(wu.locator(".flash")).to_be_visible()
    judged(wu, live)
    shot(wu, f"clearing-desk-sent{'-en' if english else ''}")
