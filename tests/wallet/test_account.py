"""One account of the books, on any days."""

import pytest
from litestar import Litestar

from service import chart
from tests.cast import Client, TownClock
from tests.wallet.test_passbook import credit, service_of

pytestmark = pytest.mark.anyio


@pytest.fixture
async def mine(app: Litestar, chen: Client, wu: Client, clock: TownClock) -> str:
    """The account of somebody who has something."""
    await credit(app, wu, [service_of(chen, number, clock) for number in "abc"], clock.now)
    return chart.member(chen.actor.member_id)


async def test_opening_lines_and_closing_fit_each_other(he: Client, mine: str) -> None:
    whole = (await he.get("/api/books/account", params={"code": mine, "unit": "point"})).json()

    assert whole["opening"] == 0
    assert whole["items"]
    assert whole["closing"] == sum(line["amount"] for line in whole["items"])

    day = whole["items"][0]["posted_at"][:10]
    later = (await he.get("/api/books/account", params={"code": mine, "unit": "point", "since": "2999-01-01"})).json()
    assert (later["opening"], later["closing"], later["items"]) == (whole["closing"], whole["closing"], [])
    same = {"code": mine, "unit": "point", "since": "1900-01-01", "until": day}
    assert (await he.get("/api/books/account", params=same)).status_code == 200


@pytest.mark.parametrize("days", [("0001-01-01", "9999-12-31"), ("9999-12-31", "0001-01-01"), ("9999-12-31", "")])
async def test_days_out_of_all_reason_break_nothing(he: Client, mine: str, days: tuple[str, str]) -> None:
    asked = {"code": mine, "unit": "point", "since": days[0], "until": days[1]}

    assert (await he.get("/desk/books/account", params=asked)).status_code == 200


async def test_the_page_shows_both_balances(he: Client, mine: str) -> None:
    shown = (await he.get("/desk/books/account", params={"code": mine, "unit": "minute"})).text

    assert "期初" in shown
    assert "期末" in shown


async def test_an_account_there_is_none_of_is_refused_in_words(he: Client) -> None:
    assert (await he.get("/api/books/account", params={"code": "nobody", "unit": "point"})).status_code == 404


@pytest.mark.parametrize("month", ["0001-01", "9999-12", "1899-12", "3000-01", "2026-13"])
async def test_a_month_no_calendar_has_is_refused(chen: Client, month: str) -> None:
    assert (await chen.get(f"/passbook?month={month}")).status_code == 422
