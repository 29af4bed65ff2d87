"""A promised reward lies aside from the approval on, and comes back when the wish ends otherwise."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID

import pytest
from litestar import Litestar

import ledger
from service import chart
from service.records import correct_record
from service.wallet.verify import verify_books
from service.wishes.actions import expire_old_wishes
from tests.cast import HERE, SPONSOR_POINTS, Client, Town
from tests.wishes.acts import approved, claimed, code_of, confirmed, posted, rows, seen

pytestmark = pytest.mark.anyio


@pytest.fixture
def sponsor(town: Town) -> UUID:
    return town.organisations["sponsor"]


@pytest.fixture
def aside(app: Litestar, sponsor: UUID) -> Callable[[], Awaitable[tuple[int, int]]]:
    """Whole points that are free in the budget and that lie aside; the books must be whole."""

    async def look() -> tuple[int, int]:
        async with app.state.sessions.begin() as session:
            assert await verify_books(session, HERE) == []
            free = await ledger.balance(session, HERE, chart.budget(sponsor), chart.POINT)
            return free // 100, await ledger.balance(session, HERE, chart.ESCROW, chart.POINT) // 100

    return look


ALL = SPONSOR_POINTS // 100


def worth(points: int, sponsor: UUID) -> dict[str, object]:
    return {"service_class": "general", "reward_points": points, "reward_budget": str(sponsor)}


async def test_the_page_says_what_is_free_and_the_approval_sets_it_aside(
    li: Client, wu: Client, sponsor: UUID, aside
) -> None:
    wish = await posted(li)
    assert f"还有 {ALL} 分" in (await wu.get(f"/desk/wishes/{wish}")).text.replace(",", "")

    await wu.post(f"/api/wishes/{wish}/approve", json=worth(20, sponsor))

    assert await aside() == (ALL - 20, 20)
    budgets = (await wu.get("/api/wishes/budgets")).json()["items"]
    assert {item["budget_id"]: item["free_points"] for item in budgets}[str(sponsor)] == ALL - 20


async def test_other_terms_change_what_lies_aside_by_the_difference(
    li: Client, wu: Client, chen: Client, app: Litestar, sponsor: UUID, aside
) -> None:
    wish = await claimed(li, wu, chen, terms=worth(20, sponsor))
    address = f"/api/wishes/{wish}/appraise"

    for points in (30, 30, 10):
        assert (await wu.post(address, json=worth(points, sponsor))).status_code == 200
        assert await aside() == (ALL - points, points)
    assert (await wu.post(address, json={"service_class": "care"})).status_code == 200
    assert await aside() == (ALL, 0)
    assert (await rows(app.state.sessions, "SELECT reward_hold FROM wish"))[0][0] is None


async def test_a_budget_that_is_short_is_refused_with_what_is_left(
    li: Client, wu: Client, app: Litestar, sponsor: UUID, aside
) -> None:
    async with app.state.sessions.begin() as session:
        spent = ledger.Leg(chart.budget(sponsor), chart.ISSUED, chart.POINT, SPONSOR_POINTS - 1500)
        await ledger.post(session, HERE, ledger.Journal("spent", "correction", (spent,), None), now=app.state.clock())
    wish = await posted(li)

    refused = await wu.post(f"/api/wishes/{wish}/approve", json=worth(16, sponsor))
    page = await wu.post(
        f"/desk/wishes/{wish}/approve",
        data={"service_class": "general", "reward_points": 16, "reward_budget": str(sponsor), "revision": 1},
    )

    assert (code_of(refused), refused.json()["points_left"]) == ("wishes.reward_beyond_budget", 15)
    assert page.status_code == 409
    assert "15" in page.text
    assert (await seen(li, wish))["state"] == "posted"
    assert (await wu.post(f"/api/wishes/{wish}/approve", json=worth(15, sponsor))).status_code == 200
    more = await wu.post(f"/api/wishes/{wish}/appraise", json=worth(16, sponsor))
    assert more.json()["points_left"] == 15  # its own fifteen count as free for it
    assert await aside() == (0, 15)


@pytest.mark.parametrize("end", ["withdraw", "return", "recall", "recall-many", "expire"])
async def test_whatever_ends_it_brings_the_reward_back(
    li: Client, wu: Client, app: Litestar, clock, sponsor: UUID, aside, end: str
) -> None:
    wish = await approved(li, wu, terms=worth(20, sponsor))

    if end == "withdraw":
        assert (await li.post(f"/api/wishes/{wish}/withdraw")).status_code == 200
    elif end == "return":
        assert (await wu.post(f"/api/wishes/{wish}/return", json={"note": "再说细一点"})).status_code == 200
    elif end == "recall":
        assert (await wu.post(f"/api/wishes/{wish}/recall")).status_code == 200
    elif end == "recall-many":
        assert (
            await wu.post("/api/wishes/recall", json={"items": [{"wish_id": wish, "revision": None}]})
        ).status_code == 200
    else:
        async with app.state.sessions.begin() as session:
            assert await expire_old_wishes(session, clock.now + timedelta(days=400)) == 1

    assert await aside() == (ALL, 0)


async def test_a_withdrawal_taken_back_sets_it_aside_again_while_the_budget_lasts(
    li: Client, wu: Client, app: Litestar, clock, sponsor: UUID, aside
) -> None:
    wish = await approved(li, wu, terms=worth(20, sponsor))
    await li.post(f"/api/wishes/{wish}/withdraw")
    assert (await li.post(f"/api/wishes/{wish}/restore")).status_code == 200
    assert await aside() == (ALL - 20, 20)
    await li.post(f"/api/wishes/{wish}/withdraw")
    async with app.state.sessions.begin() as session:
        spent = ledger.Leg(chart.budget(sponsor), chart.ISSUED, chart.POINT, SPONSOR_POINTS)
        await ledger.post(session, HERE, ledger.Journal("spent", "correction", (spent,), None), now=clock.now)

    gone = await li.post(f"/api/wishes/{wish}/restore")

    assert code_of(gone) == "wishes.reward_not_covered"
    assert (await seen(li, wish))["state"] == "withdrawn"


async def test_a_released_claim_keeps_it_and_a_corrected_service_returns_it(
    li: Client, wu: Client, zheng: Client, chen: Client, clock, app: Litestar, sponsor: UUID, aside
) -> None:
    wish = await claimed(li, wu, chen, terms=worth(20, sponsor))
    await chen.post(f"/api/wishes/{wish}/release")
    assert await aside() == (ALL - 20, 20)
    await li.post(f"/api/wishes/{wish}/withdraw")
    await confirmed(li, wu, chen, clock, terms=worth(30, sponsor))
    assert await aside() == (ALL - 30, 0)

    ((record_id,),) = await rows(app.state.sessions, "SELECT record_id FROM service_record")
    async with app.state.sessions.begin() as session:
        await correct_record(session, actor=zheng.actor, record_id=record_id, now=clock.now)

    assert await aside() == (ALL, 0)
