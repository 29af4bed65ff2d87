"""The trial balance and the circulation at the end of any day, against what the journals say; and accounts found."""

from datetime import date, timedelta
from typing import Any

import asyncpg
import pytest
import sqlalchemy as sa
from litestar import Litestar

import ledger
from service import chart
from service.kit.clock import local_day
from tests.cast import HERE, START, Client, TownClock
from tests.db import Database
from tests.wallet.test_passbook import credit, service_of

pytestmark = pytest.mark.anyio
TRIAL, CIRCULATION, ACCOUNTS = "/api/books/trial-balance", "/api/books/circulation", "/api/books/accounts"
TODAY = local_day(START)

_SUMS = sa.text("""
SELECT split_part(a.code, ':', 1), a.unit, sum(CASE t.debit WHEN a.account_id THEN -t.amount ELSE t.amount END)::bigint
  FROM ledger.transfer t
  JOIN ledger.journal j ON j.community_id = t.community_id AND j.journal_id = t.journal_id
  JOIN ledger.account a ON a.community_id = t.community_id AND a.account_id IN (t.debit, t.credit)
 WHERE t.community_id = :here AND j.posted_at < :until GROUP BY 1, 2
""")


async def some_days(app: Litestar, chen: Client, sun: Client, wu: Client, clock: TownClock) -> None:
    """Services on four days, a few of them with more lines than lie between two marks."""
    for day in range(4):
        people = [service_of(chen if number % 2 else sun, f"{day}-{number}", clock) for number in range(3)]
        await credit(app, wu, people, clock.now)
        async with app.state.sessions.begin() as session:
            gifts = [
                ledger.Journal(
                    f"gift:{day}:{number}",
                    "gift",
                    (ledger.Leg(chart.member(chen.actor.member_id), chart.CARE, chart.POINT, 1),),
                    None,
                )
                for number in range(40)
            ]
            await ledger.post_many(session, HERE, gifts, now=clock.now)
        clock.move(days=1)


async def held_on(he: Client, day: date) -> dict[tuple[str, str], int]:
    answer = await he.get(TRIAL, params={"on": day.isoformat()})
    assert answer.status_code == 200, answer.text
    assert {total["amount"] for total in answer.json()["totals"]} == {0}
    return {(line["kind"], line["unit"]): line["balance"] for line in answer.json()["items"] if line["balance"]}


@pytest.mark.parametrize("marked", [False, True])
async def test_every_days_trial_balance_is_the_sum_of_what_was_posted(
    app: Litestar, he: Client, chen: Client, sun: Client, wu: Client, clock: TownClock, *, marked: bool
) -> None:
    await some_days(app, chen, sun, wu, clock)
    if marked:
        async with app.state.sessions.begin() as session:
            await ledger.mark_lines(session)
    for days in range(-1, 6):
        day = TODAY + timedelta(days=days)
        async with app.state.sessions() as session:
            until = START.replace(hour=16) + timedelta(days=days)
            rows = await session.execute(_SUMS, {"here": HERE, "until": until})
            due = {(kind, unit): amount for kind, unit, amount in rows if amount}
        assert await held_on(he, day) == due, day
    now = (await he.get(TRIAL)).json()["items"]
    assert await held_on(he, TODAY + timedelta(days=9)) == {
        (line["kind"], line["unit"]): line["balance"] for line in now if line["balance"]
    }


async def test_what_is_in_circulation_is_what_people_pools_and_escrow_have(
    app: Litestar, he: Client, chen: Client, sun: Client, wu: Client, clock: TownClock
) -> None:
    await some_days(app, chen, sun, wu, clock)

    point = next(each for each in (await he.get(CIRCULATION)).json() if each["unit"] == "point")
    first = next(
        each for each in (await he.get(CIRCULATION, params={"on": TODAY.isoformat()})).json() if each["unit"] == "point"
    )

    assert point["pools"] == 160
    assert first["pools"] == 40
    assert point["in_circulation"] == point["people"] + point["pools"] + point["aside"] > first["in_circulation"] > 0
    page = await he.get("/desk/books", params={"on": TODAY.isoformat()})
    assert "结束时" in page.text
    assert "流通中" in page.text
    english = await he.get("/desk/books", headers={"accept-language": "en"})
    assert "In circulation" in english.text


async def test_a_past_day_costs_no_more_in_a_longer_book(
    app: Litestar, he: Client, chen: Client, sun: Client, wu: Client, clock: TownClock, town_database: Database
) -> None:
    await some_days(app, chen, sun, wu, clock)
    async with app.state.sessions.begin() as session:
        await ledger.mark_lines(session)

    async def looks() -> int:
        connection = await asyncpg.connect(town_database.app_url)
        try:
            async with connection.transaction():
                query = "SELECT pg_stat_get_xact_numscans('ledger.pk_transfer'::regclass)"
                before = await connection.fetchval(query)
                await connection.fetch("SELECT * FROM ledger.balances_at($1, ledger.seq_before($1, $2))", HERE, START)
                return int(await connection.fetchval(query)) - int(before)
        finally:
            await connection.close()

    short = await looks()
    for _ in range(2):
        await some_days_again(app, chen, clock)
    async with app.state.sessions.begin() as session:
        await ledger.mark_lines(session)
    assert await looks() <= short + 70


async def some_days_again(app: Litestar, chen: Client, clock: TownClock) -> None:
    async with app.state.sessions.begin() as session:
        gifts = [
            ledger.Journal(
                f"more:{clock.now.isoformat()}:{number}",
                "gift",
                (ledger.Leg(chart.ISSUED, chart.member(chen.actor.member_id), chart.POINT, 1),),
                None,
            )
            for number in range(300)
        ]
        await ledger.post_many(session, HERE, gifts, now=clock.now)
    clock.move(days=1)


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31", "2026-11-22"])
async def test_days_out_of_all_reason_break_nothing(he: Client, day: str) -> None:
    for path in (TRIAL, CIRCULATION, "/desk/books"):
        assert (await he.get(path, params={"on": day})).status_code == 200


async def test_accounts_are_found_by_code_kind_and_card(he: Client, chen: Client, app: Litestar) -> None:
    async def codes(**asked: str) -> list[tuple[str, str]]:
        answer = await he.get(ACCOUNTS, params=asked)
        assert answer.status_code == 200, answer.text
        return [(line["code"], line["unit"]) for line in answer.json()["items"]]

    own = chart.member(chen.actor.member_id)
    assert await codes(q="0012-0003") == [(own, "minute"), (own, "point")]
    assert await codes(q="pool:", unit="minute") == [("pool:care", "minute"), ("pool:store", "minute")]
    assert {code.partition(":")[0] for code, _ in await codes(kind="merchant")} == {"merchant"}
    assert await codes(q="nothing") == []
    page = await he.get("/desk/books/accounts", params={"q": "0012-0003"})
    assert "0012-0003 陈**" in page.text


async def test_accounts_are_paged_by_code(he: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    whole: dict[str, Any] = (await he.get(ACCOUNTS)).json()
    monkeypatch.setattr("service.wallet.queries.books.PAGE_SIZE", 7)
    monkeypatch.setattr("service.kit.paging.page_of.__defaults__", (7,))
    seen: list[tuple[str, str]] = []
    after: str | None = None
    while True:
        page = (await he.get(ACCOUNTS, params={"after": after} if after else {})).json()
        seen += [(line["code"], line["unit"]) for line in page["items"]]
        after = page["next"]
        if after is None:
            break

    assert len(seen) == len(set(seen)) >= len(whole["items"])
    assert seen == sorted(seen)
