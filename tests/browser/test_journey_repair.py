"""A repair in the browser: reported, given out, priced, done with a photo, closed by the resident's code; a fifth waits."""

import io
from datetime import date, timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa
from PIL import Image
from playwright.sync_api import Page, expect
from sqlmodel.ext.asyncio.session import AsyncSession

import ledger
import redemption
from service import chart, communities, identity
from service.communities import PriceLine
from service.communities.tables import Household
from service.households import actions as households
from service.households.rules import HouseholdKind
from service.kit.ids import new_id
from tests.browser.conftest import DESK, Visitor, press, shot
from tests.browser.judge import axe, foreign, sideways, small
from tests.browser.live import Live
from tests.browser.seen import texts_of_people
from tests.browser.steps import in_town
from tests.cast import HERE, KEYRING, START

pytestmark = [pytest.mark.browser, pytest.mark.slow]

YESTERDAY = START - timedelta(days=1)
CARD_PIN = "314159"


async def _founded(live: Live, session: AsyncSession) -> None:
    """The team has a price list and an offer."""
    town = live.town
    team, wu = town.organisations["team"], town.actors["wu"]
    await communities.set_prices(
        session,
        community_id=HERE,
        organisation_id=team,
        lines=[
            PriceLine("维修水龙头", "次", 1000, 2000, None, False, ""),
            PriceLine("装灯", "盏", 1500, 1500, None, True, ""),
        ],
        effective_from=date(2026, 1, 1),
        actor=None,
        now=YESTERDAY,
    )
    terms = redemption.OfferTerms(
        offer_id=new_id(),
        sponsor_id=town.organisations["sponsor"],
        merchant_ids=(team,),
        kind=redemption.OfferKind.REPAIR,
        title="上门维修",
        price_points=0,
        payable_fen=0,
        pieces=5,
        stock_total=50,
        per_member_cap=None,
        valid_from=YESTERDAY,
        valid_until=START + timedelta(days=60),
    )
    await redemption.draft_offer(session, HERE, terms, actor_id=wu.member_id, now=YESTERDAY)
    await redemption.publish_offer(session, HERE, terms.offer_id, key=uuid4(), actor_id=wu.member_id, now=YESTERDAY)


async def _entitled(live: Live, session: AsyncSession) -> None:
    """Li's household pays half: it was said yesterday, so it holds today."""
    town = live.town
    team, wu, zheng = town.organisations["team"], town.actors["wu"], town.actors["zheng"]
    known = await communities.open_buildings(
        session, community_id=HERE, places=[("一格", "9号楼")], actor=None, now=YESTERDAY
    )
    home = new_id()
    session.add(
        Household(
            community_id=HERE,
            household_id=home,
            building_id=known["9号楼"].building_id,
            door_sealed=KEYRING.seal("101", f"household:{HERE}:{home.hex}:door"),
            door_index=home.bytes,
        )
    )
    await session.flush()
    await session.execute(
        sa.text("UPDATE member SET household_id = :home WHERE community_id = :here AND member_id = :li"),
        {"home": home, "here": HERE, "li": town.actors["li"].member_id},
    )
    asked = await households.propose_class(
        session,
        actor=wu,
        household_id=home,
        kind=HouseholdKind.LONELY,
        basis="民政局〔2026〕12号",
        is_consented=True,
        now=YESTERDAY,
    )
    await session.flush()
    await households.decide_class(session, actor=zheng, class_id=asked, is_agreed=True, now=YESTERDAY)
    await households.set_entitlement(
        session,
        actor=zheng,
        kind=HouseholdKind.LONELY,
        organisation_id=team,
        percent=50,
        word=None,
        now=YESTERDAY,
    )


async def _carded(live: Live, session: AsyncSession) -> None:
    """Li has a card, and a PIN of their own choice."""
    li, wu = live.town.actors["li"], live.town.actors["wu"]
    await identity.set_secret(session, community_id=HERE, member_id=li.member_id, secret=CARD_PIN, now=YESTERDAY)
    await identity.print_cards(session, actor=wu, numbers=["0012-0001"], now=YESTERDAY)


def owed(live: Live) -> int:
    """What the team is owed, by books that were proved."""
    found: list[int] = []

    async def read(session: AsyncSession) -> None:
        assert await ledger.verify(session, HERE) == []
        assert await redemption.verify(session, HERE) == []
        code = chart.merchant(live.town.organisations["team"])
        found.append(await ledger.balance(session, HERE, code, chart.FEN))

    in_town(live, read)
    return found[0]


def photo(colour: str) -> dict[str, object]:
    """As a phone sends it: larger than what is kept."""
    out = io.BytesIO()
    Image.new("RGB", (2400, 1800), colour).save(out, "JPEG")
    return {"name": "IMG_0001.jpg", "mimeType": "image/jpeg", "buffer": out.getvalue()}


def judged(page: Page, live: Live, name: str, *, elder: bool = False) -> None:
    """Nothing that keeps anybody out; and a picture to look at."""
    shot(page, f"repair-{name}")
    found = axe(page) + sideways(page) + foreign(page, texts_of_people(live.database)) + (small(page) if elder else [])
    assert found == []


class Story:
    """One repair, told on a phone, in 长辈版 or in English; every page of it is judged."""

    def __init__(self, visit: Visitor, way: str) -> None:
        self.live, self.origin, self.way = visit.live, visit.live.origin, way
        self.elder = english = way == "elder-en"
        self.li = visit.page("li", elder=self.elder, english=english)
        self.wang = visit.page("wang", elder=self.elder, english=english)
        self.wu = visit.page("wu", viewport=DESK, english=english)
        self.path = ""

    def judged(self, page: Page, name: str) -> None:
        judged(page, self.live, f"{name}-{self.way}", elder=self.elder and page is not self.wu)

    def at(self, page: Page, path: str, name: str) -> None:
        page.goto(f"{self.origin}{path}")
        self.judged(page, name)

    def reported(self) -> None:
        li = self.li
        self.at(li, "/repairs", "none")
        press(li, li.locator("main a[href='/repairs/new']"))
        self.judged(li, "new")
        li.locator("#trade").select_option("water")
        li.locator("#text").fill("水龙头漏水")
        li.locator("#photo").set_input_files(photo("red"))  # type: ignore[arg-type] # playwright's own typed dict
        press(li, li.locator("form[action='/repairs'] button"))
        self.judged(li, "reported")
        self.path = li.url.split("?")[0].removeprefix(self.origin)
        expect(li.locator(".shots img")).to_have_js_property("naturalWidth", 1600)

    def given_out(self) -> None:
        wu = self.wu
        self.at(wu, "/desk/repairs", "desk")
        press(wu, wu.locator(f"a[href='/desk{self.path}']"))
        self.judged(wu, "dispatch")
        press(wu, wu.locator("form[action$=assign] button"))

    def priced(self) -> None:
        wang, li = self.wang, self.li
        self.at(wang, "/repairs/jobs", "jobs")
        press(wang, wang.locator(f"a[href='{self.path}']"))
        self.judged(wang, "given")
        press(wang, wang.locator("form[action$=take] button"))
        press(wang, wang.locator("a[href$=quote]"))
        self.judged(wang, "quote")
        tap = wang.locator("[data-item]").filter(has_text="维修水龙头")
        tap.locator("[data-step='1']").click()
        tap.locator("input[name^=yuan]").fill("20")
        press(wang, wang.locator("form[action$=quote] button.primary"))
        self.at(li, self.path, "quoted")
        press(li, li.locator("form[action$=agree] button"))

    def done(self) -> None:
        wang = self.wang
        wang.goto(f"{self.origin}{self.path}")
        for step in ("go", "arrive"):
            press(wang, wang.locator(f"form[action$={step}] button"))
        self.judged(wang, "on-site")
        wang.locator("#photo").set_input_files(photo("blue"))  # type: ignore[arg-type] # playwright's own typed dict
        wang.locator("#minutes").fill("5")
        press(wang, wang.locator("form[action$=finish] button.primary"))
        self.judged(wang, "done")

    def accepted(self) -> None:
        li, wang = self.li, self.wang
        self.at(li, self.path, "code")
        code = li.locator("#voucher-code .code").inner_text()
        press(wang, wang.locator("a[href$=accept]"))
        shot(wang, f"repair-scan-{self.way}")
        wang.locator("#code").fill(code)
        press(wang, wang.locator("form[action$=accept] button"))
        self.judged(wang, "accepted")
        expect(li.locator("#voucher-code .stamp")).to_be_visible()

    def accepted_by_card(self, number: str) -> None:
        """Li left the phone at home: the repairer types the number on the card, Li the PIN on the repairer's phone."""
        wang = self.wang
        press(wang, wang.locator("a[href$=accept]"))
        wang.locator("#code").fill(number)
        press(wang, wang.locator("form[action$=accept] button"))
        self.judged(wang, "pin")
        wang.locator("#pin").fill("271828")
        press(wang, wang.locator("form[action*=cards] button.primary"))
        self.judged(wang, "pin-wrong")
        wang.locator("#pin").fill(CARD_PIN)
        press(wang, wang.locator("form[action*=cards] button.primary"))
        self.judged(wang, "accepted-by-card")


@pytest.mark.parametrize("way", ["phone", "elder-en"])
def test_a_repair_is_closed_by_the_residents_card(visit: Visitor, way: str) -> None:
    live = visit.live
    in_town(live, lambda session: _founded(live, session))
    in_town(live, lambda session: _carded(live, session))
    story = Story(visit, way)
    story.reported()
    story.given_out()
    story.priced()
    story.done()
    story.accepted_by_card("0012-0001")
    expect(story.wang.locator("main")).to_contain_text("Accepted" if way == "elder-en" else "已验收")


@pytest.mark.parametrize("way", ["phone", "elder-en"])
def test_a_repair_is_closed_by_the_residents_code(visit: Visitor, way: str) -> None:
    in_town(visit.live, lambda session: _founded(visit.live, session))
    in_town(visit.live, lambda session: _entitled(visit.live, session))
    story = Story(visit, way)
    story.reported()
    story.given_out()
    story.priced()
    story.done()
    story.accepted()
    assert owed(visit.live) == 800
    story.at(story.li, story.path, "warranty")
    story.at(story.wu, f"/desk{story.path}", "closed")


def test_the_desk_writes_a_call_down_and_reads_the_month(visit: Visitor) -> None:
    live, origin = visit.live, visit.live.origin
    in_town(live, lambda session: _founded(live, session))
    wu = visit.page("wu", viewport=DESK)
    wu.goto(f"{origin}/desk/repairs/skills")
    judged(wu, live, "skills")
    wu.locator("input[value=water]").first.check()
    press(wu, wu.locator("form[action*=skills] button").first)
    wu.goto(f"{origin}/desk/repairs/new?q=0012-0001")
    judged(wu, live, "who")
    press(wu, wu.locator("a[href*='member=']"))
    judged(wu, live, "call")
    wu.locator("#trade").select_option("water")
    wu.locator("#text").fill("水管堵了")
    press(wu, wu.locator("form[action='/desk/repairs'] button.primary"))
    judged(wu, live, "called")
    wu.goto(f"{origin}/desk/repairs/month")
    judged(wu, live, "month")
    wu.goto(f"{origin}/desk/repairs/month/classes")
    judged(wu, live, "classes")
    for way in ("phone", "elder"):
        page = visit.page("wu", elder=way == "elder")
        page.goto(f"{origin}/desk/repairs/month/classes")
        judged(page, live, f"classes-{way}")
