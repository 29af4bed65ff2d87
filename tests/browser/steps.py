"""What the journeys start from and cannot wait for: points, an offer, and the hour in which vouchers run out."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import uuid4

from playwright.sync_api import Page
from sqlmodel.ext.asyncio.session import AsyncSession

import ledger
from service import chart
from service.chart import Reason
from service.kit.clock import local_day
from service.kit.db import make_engine, make_sessions
from service.vouchers.actions.timed import expire_vouchers
from tests.browser.conftest import DESK, Visitor
from tests.browser.live import Live
from tests.cast import HERE, KEYRING
from tests.db import in_thread

HAIRCUT, PRICE = "理发一次", 20


async def _in_town(live: Live, work: Callable[[AsyncSession], Awaitable[object]]) -> None:
    """Work on the town's database beside the running service, on this thread's own connections."""
    engine = make_engine(live.database.app_url)
    try:
        async with make_sessions(engine, KEYRING).begin() as session:
            await work(session)
    finally:
        await engine.dispose()


def in_town(live: Live, work: Callable[[AsyncSession], Awaitable[object]]) -> None:
    """The same for a test, which waits for it."""
    in_thread(_in_town(live, work))


def give_points(live: Live, name: str, points: int) -> None:
    """Points from an earlier life, as they come when a community moves in with balances of its own."""
    _give(live, name, chart.POINT, points * 100)


def give_minutes(live: Live, name: str, minutes: int) -> None:
    """The same for time coins."""
    _give(live, name, chart.MINUTE, minutes)


def minutes_of(live: Live, *names: str) -> list[int]:
    """What each of them has, by books that were proved."""
    codes = [chart.member(live.town.actors[name].member_id) for name in names]

    found: list[int] = []

    async def read(session: AsyncSession) -> None:
        assert await ledger.verify(session, HERE) == []
        held = await ledger.balances(session, HERE, [(code, chart.MINUTE) for code in codes])
        found.extend(held[code, chart.MINUTE] for code in codes)

    in_town(live, read)
    return found


def _give(live: Live, name: str, unit: str, amount: int) -> None:
    journal = ledger.Journal(
        reference=f"opening:{uuid4()}",
        reason=Reason.OPENING_BALANCE,
        legs=(ledger.Leg(chart.ISSUED, chart.member(live.town.actors[name].member_id), unit, amount),),
        actor_id=None,
    )
    in_town(live, lambda session: ledger.post(session, HERE, journal, now=live.clock.now))


def let_vouchers_run_out(live: Live) -> None:
    """The worker's round, which comes once a minute, now."""
    in_town(live, lambda session: expire_vouchers(session, live.clock.now))


def publish_haircut(visit: Visitor, *, shop: str = "小李理发店") -> Page:
    """The office drafts an offer and publishes it; the desk's page stays open."""
    live = visit.live
    wu = visit.page("wu", viewport=DESK)
    wu.goto(f"{live.origin}/desk/offers")
    wu.get_by_role("link", name="新的兑换项目").click()
    wu.get_by_label("换什么").fill(HAIRCUT)
    wu.get_by_label(shop).check()
    wu.get_by_label("谁出资").select_option(label="西一路爱心联盟")
    wu.get_by_label("要多少积分").fill(str(PRICE))
    wu.get_by_label("每份付给店里（元）").fill("15.00")
    wu.get_by_label("一共多少份").fill("50")
    wu.get_by_label("每人最多几份").fill("5")
    wu.get_by_label("从哪天起").fill(local_day(live.clock.now).isoformat())
    wu.get_by_label("到哪天止").fill(local_day(live.clock.now + timedelta(days=60)).isoformat())
    wu.get_by_label("规则（最多 3 行）").fill("周一休息")
    wu.get_by_role("button", name="存为草稿").click()
    wu.get_by_role("button", name="发布").click()
    return wu


def take_haircut(page: Page, origin: str) -> None:
    """From home to a voucher in the hand, in two taps."""
    page.goto(f"{origin}/home")
    page.get_by_role("link", name=HAIRCUT).first.click()
    page.get_by_role("button", name=f"用 {PRICE} 分换").click()
    page.wait_for_url("**/vouchers/*")
