"""The page of debts with everything on it: an open debt, a proposal, a decision; and what a member reads of what they owe."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Browser

import ledger
from service import chart
from service.chart import Reason
from service.debts import actions
from service.debts.timed import tell_owing
from service.kit.db import make_engine, make_sessions
from tests.browser.conftest import DESK, Visitor, press, shot
from tests.browser.judge import axe, foreign, sideways, small
from tests.browser.live import Live
from tests.browser.seen import texts_of_people
from tests.cast import HERE, KEYRING, START
from tests.db import in_thread

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def visitor(chromium: Browser, live: Live) -> Iterator[Visitor]:
    visitor = Visitor(chromium, live)
    yield visitor
    visitor.close()
    assert visitor.troubles == []


async def a_debt(live: Live) -> None:
    """Li was credited twice, spent it all, and one posting was undone by permission; somebody else's permission waits."""
    engine = make_engine(live.database.app_url)
    sessions = make_sessions(engine, KEYRING)
    people = live.town.actors
    account = chart.member(people["li"].member_id)
    try:
        async with sessions.begin() as session:
            for reference, debit, credit in (("twice", chart.ISSUED, account), ("spent", account, chart.CARE)):
                legs = (ledger.Leg(debit, credit, chart.POINT, 2_000),)
                await ledger.post(session, HERE, ledger.Journal(reference, Reason.SERVICE, legs, None), now=START)
        async with sessions.begin() as session:
            made = await actions.propose_allowance(
                session, actor=people["wu"], card_no=people["li"].card_no, points=20, note="同一天记了两次", now=START
            )
        async with sessions.begin() as session:
            await actions.confirm(session, actor=people["feng"], request_id=made, now=START)
        async with sessions.begin() as session:
            await ledger.reverse(
                session, HERE, reference="undo", original="twice", reason=Reason.CORRECTION, actor_id=None, now=START
            )
        async with sessions.begin() as session:
            card = people["sun"].card_no
            await actions.propose_allowance(
                session, actor=people["wu"], card_no=card, points=5, note="记错了人", now=START
            )
    finally:
        await engine.dispose()


def test_a_debt_is_written_off_by_two_on_the_page(visitor: Visitor, live: Live) -> None:
    in_thread(a_debt(live))
    wu, feng = visitor.page("wu", viewport=DESK), visitor.page("feng", viewport=DESK)
    wu.goto(f"{live.origin}/desk")
    wu.get_by_role("link", name="欠分").first.click()
    wu.get_by_text("核销", exact=False).first.click()
    wu.get_by_label("为什么不用还了").fill("搬走了，联系不上")
    wu.get_by_role("button", name="请第二个人同意").first.click()
    wu.get_by_text("提出了").wait_for()
    found = axe(wu) + sideways(wu)
    shot(wu, "debts.desk")
    phone = visitor.page("feng", elder=True)
    phone.goto(f"{live.origin}/desk/books/debts")
    assert found + axe(phone) + sideways(phone) == []
    feng.goto(f"{live.origin}/desk/books/debts")
    feng.get_by_role("row", name="核销欠分").get_by_role("button", name="同意").click()
    feng.get_by_text("没有人欠分").wait_for()


async def owed_by_two(live: Live) -> None:
    """Li and Sun owe for vouchers used twice and were told; of Li's debt a part was collected by itself."""
    engine = make_engine(live.database.app_url)
    sessions = make_sessions(engine, KEYRING)
    due = START + timedelta(days=7)
    try:
        async with sessions.begin() as session:
            for name, points in (("li", 20), ("sun", 6)):
                member_id = live.town.actors[name].member_id
                spec = ledger.AccountSpec(chart.owed(member_id), chart.POINT, None, None)
                await ledger.open_accounts(session, HERE, [spec], now=START)
                legs = (ledger.Leg(chart.owed(member_id), chart.ISSUED, chart.POINT, points * 100),)
                conflict = ledger.Journal(f"conflict:{name}", Reason.VOUCHER_CONFLICT, legs, None)
                await ledger.post(session, HERE, conflict, now=START)
            legs = (ledger.Leg(chart.ISSUED, chart.member(live.town.actors["li"].member_id), chart.POINT, 1_350),)
            await ledger.post(session, HERE, ledger.Journal("gift", Reason.SERVICE, legs, None), now=START)
        async with sessions.begin() as session:
            await tell_owing(session, START)
        async with sessions.begin() as session:
            assert await actions.collect_next(session, HERE, keep_points=5, now=due) == 850
    finally:
        await engine.dispose()


@pytest.mark.parametrize("way", ["phone", "elder", "elder-en", "desk"])
def test_a_member_reads_what_is_collected_and_says_no(visitor: Visitor, live: Live, way: str) -> None:
    in_thread(owed_by_two(live))
    elder, english = way.startswith("elder"), way.endswith("en")
    viewport = DESK if way == "desk" else None
    li = visitor.page("li", elder=elder, english=english, viewport=viewport)
    li.goto(f"{live.origin}/owed")
    shot(li, f"owed.{way}")
    texts, words = texts_of_people(live.database), "那天我不在"
    found = axe(li) + sideways(li) + foreign(li, texts) + (small(li) if elder else [])
    li.locator("textarea[name=words]").fill(words)
    press(li, li.locator("form[action='/owed/objection'] button"))
    shot(li, f"owed.objected.{way}")
    li.goto(f"{live.origin}/passbook")
    shot(li, f"owed.passbook.{way}")
    wu = visitor.page("wu", elder=elder, english=english, viewport=viewport)
    wu.goto(f"{live.origin}/desk/books/debts")
    shot(wu, f"owed.office.{way}")
    assert found + axe(wu) + sideways(wu) + foreign(wu, [*texts, words]) == []
    assert wu.get_by_text(words).count() == 1
