"""Samples: nobody chooses them, anybody can draw them again, and what was found stays."""

import hashlib
from collections import Counter
from datetime import datetime
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from litestar import Litestar

import ledger
from service import chart
from service.audits import queries, rules
from service.audits.rules import Drawn, Strata
from tests.cast import HERE, Client, TownClock
from tests.db import Database
from tests.wallet.conftest import statements
from tests.wallet.test_passbook import credit, service_of

__all__ = ["statements"]
pytestmark = pytest.mark.anyio
API = "/api/books/samples"
PERIOD = {"since": "2026-11-01", "until": "2026-11-30"}


async def post_many(app: Litestar, count: int, now: datetime) -> None:
    """Pledges: many small ones, and one large with another reason."""
    async with app.state.sessions.begin() as session:
        journals = [
            ledger.Journal(
                f"gift:{uuid4()}",
                "opening_balance" if number == 7 else "budget_pledged",
                (
                    ledger.Leg(chart.BANK, chart.FUND, chart.FEN, 100 + (5_000_000 if number == 11 else number)),
                    ledger.Leg(chart.BANK, chart.FUND, chart.FEN, 1),
                ),
                None,
            )
            for number in range(count)
        ]
        await ledger.post_many(session, HERE, journals, now=now)


async def drawn(he: Client, **what: Any) -> dict[str, Any]:
    answer = await he.post(API, json=PERIOD | what)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_whoever_has_the_book_draws_the_same_again(app: Litestar, he: Client, clock: TownClock) -> None:
    await post_many(app, 200, clock.now)
    found = await drawn(he, wanted=15)
    sample = found["sample"]
    async with app.state.engine.connect() as connection:
        rows = await connection.exec_driver_sql(f"SELECT journal_id FROM ledger.journal WHERE community_id = {HERE}")
        journals = set(rows.scalars())

    again: list[int] = []
    span, turn = sample["last_seq"] - sample["first_seq"] + 1, 0
    while len(again) < 15:
        digest = hashlib.sha256(f"{sample['seed']}:{turn}".encode()).digest()
        number = sample["first_seq"] + int.from_bytes(digest[:16], "big") % span
        if number in journals and number not in again:
            again.append(number)
        turn += 1

    assert [item["journal_id"] for item in found["items"]] == again
    assert (await drawn(he, wanted=15))["sample"]["seed"] != sample["seed"]
    assert len((await he.get(API)).json()["items"]) == 2


def test_every_journal_is_as_likely_as_any_other() -> None:
    seen = Counter(next(rules.numbers(f"{seed:032x}", 11, 20)) for seed in range(4000))

    assert set(seen) == set(range(11, 21))
    assert max(seen.values()) < 1.3 * min(seen.values())
    assert sorted(rules.numbers("0" * 32, 1, 500)) == list(range(1, 501))


def test_groups_take_turns() -> None:
    common = [Drawn(number, "service", "point 1") for number in range(1, 50)]
    rare = [Drawn(77, "budget_pledged", "fen 6"), Drawn(78, "budget_pledged", "fen 1")]

    spread = rules.chosen(Strata.REASON, [*common, *rare], 6)

    assert [each.journal_id for each, _ in spread] == [1, 77, 2, 78, 3, 4]
    assert [each.journal_id for each, _ in rules.chosen(Strata.NONE, [*common, *rare], 3)] == [1, 2, 3]


@pytest.mark.parametrize("strata", ["reason", "amount"])
async def test_what_is_rare_is_looked_at_when_it_is_spread(
    app: Litestar, he: Client, clock: TownClock, strata: str
) -> None:
    await post_many(app, 300, clock.now)

    found = await drawn(he, wanted=6, strata=strata)

    groups = {item["stratum"] for item in found["items"]}
    assert {"opening_balance"} <= groups if strata == "reason" else {"fen 4"} <= groups


async def test_the_draw_reads_no_more_of_a_long_book(
    app: Litestar, he: Client, clock: TownClock, statements: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await post_many(app, 600, clock.now)
    monkeypatch.setattr(rules, "NUMBERS_MAX", 100)
    with statements() as sent:
        found = await drawn(he, wanted=20)

    assert found["sample"]["looked_up"] <= 100
    assert len(sent) < 30


async def test_each_journal_comes_with_its_papers(
    app: Litestar, he: Client, chen: Client, wu: Client, clock: TownClock, statements: Any
) -> None:
    await credit(app, wu, [service_of(chen, "a", clock)], clock.now)
    with statements() as few:
        found = await drawn(he, wanted=20)
    [service] = [item for item in found["items"] if item["reason"] == "service"]

    assert {"label": "服务记录", "text": "社区食堂帮厨"} in service["facts"]
    assert "records.service_recorded" in {deed["action"] for deed in service["deeds"]}
    number = found["sample"]["sample_id"]
    page = await he.get(f"/desk/books/samples/{number}")
    sheet = await he.get(f"/desk/books/samples/{number}/print")
    assert "社区食堂帮厨" in page.text
    assert "/desk/passbooks/" in page.text
    assert "□" in sheet.text
    assert found["sample"]["seed"] in sheet.text

    await credit(app, wu, [service_of(chen, f"b{number}", clock) for number in range(6)], clock.now)
    with statements() as many:
        await drawn(he, wanted=20)
    assert len(many) == len(few)


async def test_findings_are_added_and_never_replaced(app: Litestar, he: Client, jiang: Client) -> None:
    found = await drawn(he, wanted=1)
    place = f"{API}/{found['sample']['sample_id']}/journals/{found['items'][0]['journal_id']}/findings"

    first = await he.post(place, json={"verdict": "question", "note": "谁批准的？"})
    second = await he.post(place, json={"verdict": "ok"})

    assert [each["verdict"] for each in second.json()] == ["question", "ok"]
    assert first.status_code == second.status_code == 201
    assert (await he.get(API)).json()["items"][0]["noted"] == 1
    page = await jiang.get(f"/desk/books/samples/{found['sample']['sample_id']}")
    assert "谁批准的？" in page.text
    assert "记下查的结果" not in page.text
    assert (await jiang.post(place, json={"verdict": "ok"})).status_code == 403


async def test_what_cannot_be_noted_is_refused_in_words(he: Client) -> None:
    found = await drawn(he, wanted=1)
    sample, journal = found["sample"]["sample_id"], found["items"][0]["journal_id"]

    wordless = await he.post(f"/desk/books/samples/{sample}/journals/{journal}", data={"verdict": "fault"})
    assert (wordless.status_code, "请填写" in wordless.text) == (422, True)
    other = await he.post(f"{API}/{sample}/journals/999999/findings", json={"verdict": "ok"})
    assert (other.status_code, other.json()["code"]) == (404, "audits.not_in_sample")
    missing = await he.post(f"{API}/{uuid4()}/journals/1/findings", json={"verdict": "ok"})
    assert missing.json()["code"] == "audits.sample_not_found"


@pytest.mark.parametrize(
    ("what", "status", "code"),
    [
        ({"wanted": 0}, 422, "kit.invalid"),
        ({"wanted": 201}, 422, "kit.invalid"),
        ({"since": "2026-12-01"}, 422, "kit.invalid"),
        ({"since": "2001-01-01", "until": "2001-02-01"}, 409, "audits.nothing_posted"),
        ({"since": "0001-01-01", "until": "9999-12-31"}, 201, None),
    ],
)
async def test_days_and_sizes_are_checked(he: Client, what: dict[str, Any], status: int, code: str | None) -> None:
    answer = await he.post(API, json=PERIOD | what)

    assert (answer.status_code, answer.json().get("code")) == (status, code)
    form = await he.post("/desk/books/samples", data={**PERIOD, "wanted": 5} | what)
    assert form.status_code == (303 if status == 201 else status)


async def test_nobody_rewrites_a_sample(he: Client, town_database: Database) -> None:
    await drawn(he, wanted=1)
    connection = await asyncpg.connect(town_database.app_url)
    try:
        for table in ("audit_sample", "audit_sample_item", "audit_finding"):
            for act in (f"UPDATE {table} SET community_id = community_id", f"DELETE FROM {table}"):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.execute(act)
    finally:
        await connection.close()


async def test_another_communitys_sample_is_not_there(he: Client, app: Litestar) -> None:
    found = await drawn(he, wanted=1)

    async with app.state.sessions() as session:
        with pytest.raises(rules.SampleNotFound):
            await queries.sample(session, HERE + 1, found["sample"]["sample_id"])
