"""The printed book of a year: as many A4 pages as it needs, the head of each list on every page, nothing beside the sheet."""

import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser

import ledger
from service import chart, identity
from service.chart import Reason
from service.closing import actions
from service.kit.clock import day_begins, local_day
from service.kit.db import make_engine, make_sessions
from service.kit.ids import new_id
from service.slices import manifests
from tests.browser.conftest import DESK, Visitor
from tests.browser.live import Live
from tests.cast import HERE, KEYRING, START
from tests.db import in_thread

pytestmark = [pytest.mark.browser, pytest.mark.slow]
PEOPLE = 150


@pytest.fixture
def visitor(chromium: Browser, live: Live) -> Iterator[Visitor]:
    visitor = Visitor(chromium, live)
    yield visitor
    visitor.close()
    assert visitor.troubles == []


async def a_closed_year(live: Live) -> None:
    """Last year 150 people got points and minutes; it is closed and drawn up."""
    engine = make_engine(live.database.app_url)
    sessions = make_sessions(engine, KEYRING)
    try:
        async with sessions.begin() as session:
            people = [identity.NewPerson(new_id(), f"7000-{n:04}", "众人之一") for n in range(PEOPLE)]
            await identity.enrol_people(
                session, community_id=HERE, people=people, actor=None, day=local_day(START), now=START
            )
        async with sessions.begin() as session:
            at = day_begins(date(2025, 6, 1)) + timedelta(hours=10)
            journals = [
                ledger.Journal(
                    f"test:{n}",
                    Reason.OPENING_BALANCE,
                    (
                        ledger.Leg(chart.ISSUED, chart.member(person.member_id), chart.POINT, 100 + n),
                        ledger.Leg(chart.ISSUED, chart.member(person.member_id), chart.MINUTE, 60 + n),
                    ),
                    None,
                    effective_at=at,
                )
                for n, person in enumerate(people)
            ]
            await ledger.post_many(session, HERE, journals, now=START)
        qian, feng = live.town.actors["qian"], live.town.actors["feng"]
        async with sessions.begin() as session:
            made = await actions.propose_year(session, actor=qian, year=2025, slices=manifests(), now=START)
        async with sessions.begin() as session:
            await actions.confirm_closing(session, actor=feng, closing_id=made, now=START)
    finally:
        await engine.dispose()


def test_the_book_is_paper(visitor: Visitor, live: Live) -> None:
    in_thread(a_closed_year(live))
    page = visitor.page("he", viewport=DESK)
    for _ in range(40):
        page.goto(f"{live.origin}/desk/books/years/2025")
        if page.get_by_role("link", name="打印账册").count() and "还没有封" not in page.locator("dl.kv").inner_text():
            break
        page.wait_for_timeout(500)
    page.get_by_role("link", name="打印账册").click()
    page.wait_for_load_state("load")  # it is sent while it is written
    page.get_by_text("账册完").wait_for()
    page.emulate_media(media="print")
    file = Path("var/shots/year.pdf")
    file.parent.mkdir(parents=True, exist_ok=True)
    content = page.pdf(path=str(file), prefer_css_page_size=True)

    assert page.locator(".book.cover .sealed svg").count() == 1
    assert page.locator(".book.part tbody tr", has_text="7000-").count() == 2 * PEOPLE
    # A cover, trial balance and accounts of two units (150 rows do not fit three pages), signatures.
    pages = len(re.findall(rb"/Type\s*/Page\b(?!s)", content))
    assert 1 + 2 * (1 + 4) + 1 <= pages <= 20
    wide = page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0
