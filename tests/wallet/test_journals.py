"""The auditor's journal: what its filters find, its bounds in words, and what is found as a file."""

import csv
import io

import pytest
from litestar import Litestar
from python_calamine import CalamineWorkbook

import ledger
from ledger import finding
from tests.cast import HERE, Client, TownClock
from tests.wallet.test_passbook import credit, service_of

pytestmark = pytest.mark.anyio
PAGE, API = "/desk/books/journals", "/api/books/journals"


@pytest.fixture(autouse=True)
async def services(app: Litestar, wu: Client, chen: Client, sun: Client, clock: TownClock) -> None:
    """Two services of today and one of the day after, the second undone."""
    await credit(app, wu, [service_of(chen, "a", clock), service_of(sun, "=b", clock)], clock.now)
    clock.move(days=1)
    await credit(app, wu, [service_of(chen, "c", clock)], clock.now)


async def references(client: Client, **asked: str | int) -> list[str]:
    answer = await client.get(API, params=asked)
    assert answer.status_code == 200, answer.text
    return [item["reference"] for item in answer.json()["items"]]


async def test_each_filter_finds_what_it_says(he: Client, chen: Client, clock: TownClock) -> None:
    today = clock.now.date().isoformat()

    assert await references(he, reference="test:") == ["test:c", "test:=b", "test:a"]
    assert await references(he, reference="test:", exact=True) == []
    assert await references(he, reference="test:a", exact=True) == ["test:a"]
    assert await references(he, account="0012-0004") == ["test:=b"]
    assert await references(he, account=f"member:{chen.actor.member_id.hex}") == ["test:c", "test:a"]
    assert await references(he, actor_card="0012-0009") == ["test:c", "test:=b", "test:a"]
    assert await references(he, actor_card="0012-0011") == ["pledge:sponsor"]
    assert await references(he, actor_card="0099-0099") == []
    assert await references(he, posted_from=today) == ["test:c"]
    assert await references(he, effective_to="2026-01-01") == []
    assert await references(he, unit="fen", amount_min=1) == ["pledge:sponsor"]
    assert await references(he, unit="minute", amount_max=59) == []
    assert await references(he, only_reversals=True) == []


async def test_the_page_reads_amounts_as_people_write_them(he: Client) -> None:
    found = await he.get(PAGE, params={"unit": "minute", "amount_min": "1", "amount_max": "1.0"})
    none = await he.get(PAGE, params={"unit": "minute", "amount_min": "1.5"})

    assert "test:a" in found.text
    assert "没有找到凭证" in none.text


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"amount_min": "5"}, "请填写"),
        ({"unit": "point", "amount_min": "many"}, "整数"),
        ({"unit": "point", "amount_min": "0.001"}, "整数"),
        ({"unit": "point", "amount_min": "9", "amount_max": "3"}, "后面的数量比前面的小"),
        ({"posted_from": "soon"}, "日期"),
        ({"reference": "x" * 300}, "不能用"),
    ],
)
async def test_what_cannot_be_asked_is_said_beside_the_field(he: Client, asked: dict[str, str], sentence: str) -> None:
    answer = await he.get(PAGE, params=asked)

    assert answer.status_code == 422
    assert sentence in answer.text
    assert (await he.get(f"{PAGE}/file/csv", params=asked)).status_code == 422


async def test_a_search_that_stopped_says_where_and_leads_on(
    app: Litestar, he: Client, clock: TownClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    legs = tuple(ledger.Leg("bank", "fund:charity", "fen", 1 + number) for number in range(300))
    async with app.state.sessions.begin() as session:
        await ledger.post(session, HERE, ledger.Journal("gift", "gift", legs, he.actor.member_id), now=clock.now)
    monkeypatch.setattr(finding, "ZONES_READ_MAX", 1)
    answer = await he.get(PAGE, params={"reason": "budget_pledged"})

    assert "往前再找一段" in answer.text
    assert "没有找到凭证" not in answer.text
    first = (await he.get(API, params={"reason": "budget_pledged"})).json()
    assert (first["items"], first["searched_to"]) == ([], clock.now.date().isoformat())
    further = (await he.get(API, params={"reason": "budget_pledged", "after": first["next"]})).json()
    assert [item["reference"] for item in further["items"]] == ["pledge:sponsor"]
    assert further["next"] is None


async def test_a_list_costs_the_same_for_one_row_and_for_many(
    app: Litestar, he: Client, chen: Client, wu: Client, clock: TownClock, statements
) -> None:
    with statements() as few:
        await he.get(PAGE)
    await credit(app, wu, [service_of(chen, f"x{number}", clock) for number in range(40)], clock.now)
    with statements() as many:
        await he.get(PAGE)

    assert len(many) == len(few)


@pytest.mark.parametrize("place", [PAGE, API])
async def test_the_table_has_every_leg_and_nothing_runs_in_it(he: Client, place: str) -> None:
    answer = await he.get(f"{place}/file/csv", params={"reference": "test:"})

    rows = list(csv.reader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert len([row for row in rows if len(row) == 14]) == 1 + 6
    assert rows[1][4] == "test:c"
    assert "何查账 0012-0013" in rows[-2][0]
    assert "共 6 行" in rows[-2][0]
    assert "reference=test:" in rows[-1][0]
    assert "陈助人" not in answer.text


async def test_the_workbook_says_the_same(he: Client) -> None:
    answer = await he.get(f"{PAGE}/file/xlsx", params={"reference": "test:"})
    by_text = await he.get(f"{PAGE}/file/csv", params={"reference": "test:"})

    rows = CalamineWorkbook.from_filelike(io.BytesIO(answer.content)).get_sheet_by_index(0).to_python()
    written = list(csv.reader(io.StringIO(by_text.text.removeprefix("\ufeff"))))
    assert [str(cell) for cell in rows[0]] == written[0]
    assert rows[1][4] == "test:c"
    assert len(rows) == len(written)


async def test_who_took_the_journals_stands_in_the_log(he: Client) -> None:
    await he.get(f"{PAGE}/file/csv", params={"reason": "service"})

    [line] = (await he.get("/api/audit?action=books.journals_exported")).json()["items"]
    assert line["actor"].startswith("何查账")


async def test_an_export_longer_than_a_part_is_whole(
    app: Litestar, he: Client, chen: Client, wu: Client, clock: TownClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.wallet.queries.journals.JOURNALS_AT_ONCE", 7)
    await credit(app, wu, [service_of(chen, f"x{number}", clock) for number in range(40)], clock.now)

    answer = await he.get(f"{PAGE}/file/csv", params={"reason": "service"})
    shown = (await he.get(API, params={"reason": "service"})).json()["items"]

    rows = list(csv.reader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    legs = [int(row[9]) for row in rows[1:] if len(row) == 14]
    assert len(shown) > 7
    assert len(legs) == len(set(legs)) == sum(item["transfers"] for item in shown)
