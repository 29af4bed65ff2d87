"""A year is closed when the books are whole; its book says exactly what the ledger says, on the screen, on paper, as files."""

import csv
import io
import re
from collections import defaultdict
from datetime import date

import asyncpg
import pytest
import sqlalchemy as sa
from python_calamine import CalamineWorkbook

import ledger
from service import chart
from service.chart import Reason
from service.closing import actions, drawing, queries
from service.closing.rules import BooksFaulty, YearsInOrder, YearUnit, year_begins
from service.seals.actions import seal_year
from service.slices import manifests
from tests.cast import HERE
from tests.db import Database

pytestmark = pytest.mark.slow

JANUARY = {"days": 60}
"""From 22 November into the next year."""


@pytest.fixture
async def a_year(book_on, li, sun, clock):
    """Two years of entries, some booked late, one reversed."""
    await book_on(li, 700, date(2025, 6, 1))
    await book_on(li, 120, date(2025, 6, 2), unit=chart.MINUTE)
    await book_on(li, 1_000, date(2026, 3, 1))
    await book_on(sun, 333, date(2026, 5, 1), reason=Reason.WISH_REWARD)
    clock.move(**JANUARY)
    await book_on(sun, 60, date(2026, 12, 30), unit=chart.MINUTE)
    await book_on(li, 5_000, date(2027, 1, 2))
    await book_on(li, 40, unit=chart.MINUTE)


async def from_the_journals(app, year: int) -> dict[tuple[str, str], list[int]]:
    """The year's figures added up here, entry by entry, as a stranger would."""
    since, until = year_begins(year), year_begins(year + 1)
    sums: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    async with app.state.sessions() as session:
        references = await session.execute(
            sa.text("SELECT reference FROM ledger.journal WHERE community_id = :c"), {"c": HERE}
        )
        for reference in references.scalars().all():
            posted = await ledger.journal(session, HERE, reference)
            assert posted is not None
            if posted.effective_at >= until:
                continue
            for step in posted.transfers:
                for code, sign in ((step.debit, -1), (step.credit, 1)):
                    line = sums[step.unit, code]
                    line[3] += sign * step.amount
                    if posted.effective_at < since:
                        line[0] += sign * step.amount
                    else:
                        line[1 if sign > 0 else 2] += step.amount
    return sums


async def stored(app, year: int) -> dict[tuple[str, str], list[int]]:
    async with app.state.sessions() as session:
        return {
            (unit.value, line.code): [line.opening, line.received, line.given, line.closing]
            for unit in YearUnit
            async for lines in queries.all_lines(session, HERE, year, unit)
            for line in lines
        }


async def test_the_figures_are_the_ledgers_and_a_year_opens_as_the_last_one_closed(app, close, a_year, clock):
    await close(year=2025)
    await close(year=2026)

    for year in (2025, 2026):
        assert await stored(app, year) == await from_the_journals(app, year)
    before, after = await stored(app, 2025), await stored(app, 2026)
    assert {place: line[3] for place, line in before.items()} == {
        place: line[0] for place, line in after.items() if place in before
    }
    async with app.state.sessions() as session:
        assert await drawing.differences(session, HERE, 2026) == []
        view = await queries.year_view(session, HERE, 2026)
    for unit in {row.unit for row in view.totals}:
        rows = [row for row in view.totals if row.unit == unit]
        assert sum(row.opening for row in rows) == sum(row.closing for row in rows) == 0
        assert sum(row.received for row in rows) == sum(row.given for row in rows)
    for total in view.totals:
        moved = [row for row in view.movements if (row.unit, row.kind) == (total.unit, total.kind)]
        assert sum(row.received for row in moved) == total.received
        assert sum(row.given for row in moved) == total.given


async def test_what_is_posted_afterwards_leaves_the_year_as_it_is(app, close, a_year, li, book_on, clock):
    await close(year=2026)
    first = await stored(app, 2026)

    reference = await book_on(li, 9_999)
    async with app.state.sessions.begin() as session:
        await ledger.reverse(
            session, HERE, reference="undo", original=reference, reason=Reason.CORRECTION, actor_id=None, now=clock.now
        )
        with pytest.raises(ledger.PeriodClosed):
            await ledger.reverse(
                session,
                HERE,
                reference="into the past",
                original="pledge:sponsor",
                reason=Reason.CORRECTION,
                actor_id=None,
                effective_at=year_begins(2026),
                now=clock.now,
            )

    assert await stored(app, 2026) == first == await from_the_journals(app, 2026)


async def test_a_year_that_is_not_over_or_leaves_one_out_is_refused(app, close, qian, clock):
    early = await qian.post("/api/books/years", json={"year": 2026})
    assert (early.status_code, early.json()["code"]) == (409, "closing.not_over")
    clock.move(**JANUARY)
    await close(year=2024)
    async with app.state.sessions.begin() as session:
        with pytest.raises(YearsInOrder) as order:
            await actions.propose_year(session, actor=qian.actor, year=2026, slices=manifests(), now=clock.now)
    assert order.value.year == 2025


async def test_a_year_whose_months_are_closed_beyond_it_can_still_be_closed(app, close, a_year, clock):
    clock.move(days=30)
    await close(last_day=date(2027, 1, 31))
    await close(year=2026)

    assert await stored(app, 2026) == await from_the_journals(app, 2026)


async def test_books_that_do_not_prove_themselves_are_not_closed(app, qian, a_year, clock, town_database: Database):
    owner = await asyncpg.connect(town_database.superuser_url)
    await owner.execute(
        "UPDATE ledger.account SET balance = balance + 1 WHERE community_id = $1 AND code = 'issued' AND unit = 'point'",
        HERE,
    )
    await owner.close()

    async with app.state.sessions.begin() as session:
        with pytest.raises(BooksFaulty) as faulty:
            await actions.propose_year(session, actor=qian.actor, year=2026, slices=manifests(), now=clock.now)
    assert faulty.value.count > 0


async def test_a_changed_figure_is_found_and_the_app_may_not_change_one(app, close, a_year, town_database: Database):
    await close(year=2026)
    app_role = await asyncpg.connect(town_database.app_url)
    for table in ("year_close", "year_total", "year_movement", "year_line"):
        for act in (f"DELETE FROM {table}", f"UPDATE {table} SET year = 1999"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await app_role.execute(act)
    await app_role.close()
    owner = await asyncpg.connect(town_database.superuser_url)
    await owner.execute(
        "UPDATE year_line SET received = received + 1, closing = closing + 1 WHERE code = 'issued' AND unit = 'point'"
    )
    await owner.close()

    async with app.state.sessions() as session:
        assert await drawing.differences(session, HERE, 2026) == ["issued"]


async def test_the_seal_of_the_year_is_made_at_once_and_stands_on_the_page(app, close, a_year, qian, clock):
    await close(year=2026)
    async with app.state.sessions.begin() as session:
        await seal_year(session, _fact(), clock.now)
        await seal_year(session, _fact(), clock.now)
        view = await queries.year_view(session, HERE, 2026)

    assert view.seal is not None
    assert (view.seal.number, view.seal.size) == (1, view.seq)


def _fact():
    from service.facts import YearClosed  # noqa: PLC0415 (one use)

    return YearClosed(community_id=HERE, year=2026)


@pytest.fixture
async def shown(app, close, a_year, clock, town):
    """The year is closed, and somebody of finance is signed in on the day of it."""
    from service import identity  # noqa: PLC0415 (one use)
    from tests.cast import client_of  # noqa: PLC0415 (one use)

    await close(year=2026)
    actor = town.actors["qian"]
    async with app.state.sessions.begin() as session:
        entrance = await identity.enter(session, HERE, actor.member_id, device="test", is_shared=False, now=clock.now)
    async with client_of(app, entrance.cookie, actor) as client:
        yield client


async def test_the_address_without_a_year_leads_to_the_list_of_years(shown):
    away = await shown.get("/desk/books/years", follow_redirects=False)
    assert (away.status_code, away.headers["location"]) == (303, "/desk/books/closings#years")
    page = await shown.get("/desk/books/years", follow_redirects=True)
    assert page.status_code == 200
    assert 'id="years"' in page.text
    assert "2026 年账册" in page.text


async def test_where_no_year_was_closed_the_list_says_so(qian):
    page = await qian.get("/desk/books/years", follow_redirects=True)
    assert "还没有结过一年的账" in page.text


async def test_page_paper_table_and_workbook_say_the_same(app, shown, li, clock):
    page = await shown.get("/desk/books/years/2026?check=1")
    assert "对得上" in page.text
    paper = await shown.get("/desk/books/years/2026/print")
    assert paper.status_code == 200
    assert "每一个数字都和账簿核对过" in paper.text
    assert "\x00" not in paper.text
    row = re.search(rf"<tr><td>{li.actor.card_no} 李\*\*</td>(.*?)</tr>", paper.text)
    assert row is not None
    assert re.findall(r">([\d.,]+)<", row[1]) == ["7", "10", "0", "17"]

    table = list(csv.reader(io.StringIO((await shown.get("/desk/books/years/2026/book.csv")).text.lstrip("\ufeff"))))
    lines = {(line[1], line[3]): [int(cell) for cell in line[6:]] for line in table[1:] if line[3]}
    assert lines == await stored(app, 2026)
    book = CalamineWorkbook.from_filelike(io.BytesIO((await shown.get("/desk/books/years/2026/book.xlsx")).content))
    sheet = next(name for name in book.sheet_names if "积分" in name)
    cells = {cells[0]: cells[2:] for cells in book.get_sheet_by_name(sheet).to_python() if cells[0]}
    assert cells[li.actor.card_no] == [700.0, 1000.0, 0.0, 1700.0]
    answer = (await shown.get("/api/books/years/2026")).json()
    assert {(row["unit"], row["kind"]): row["closing"] for row in answer["totals"]}["point", "member"] == 1700 + 333


async def test_the_paper_of_thousands_is_sent_in_pieces(app, shown, town_database: Database, statements):
    """6,000 accounts: the number of queries grows by pieces of 500, and no piece holds them all."""
    owner = await asyncpg.connect(town_database.superuser_url)
    await owner.execute(
        "INSERT INTO year_line (community_id, year, unit, code, card_no, opening, received, given, closing)"
        " SELECT $1, 2026, 'point', 'member:' || md5(n::text), '9' || lpad(n::text, 7, '0'), 0, n, 0, n"
        " FROM generate_series(1, 6000) n",
        HERE,
    )
    await owner.close()
    pieces: list[int] = []
    with statements() as sent:
        async with shown.stream("GET", "/desk/books/years/2026/print") as answer:
            text = ""
            async for piece in answer.aiter_text():
                pieces.append(len(piece))
                text += piece

    assert text.count("<tr><td>") > 6_000
    assert text.rstrip().endswith("</html>")
    assert len(sent) < 60


async def test_a_closed_year_that_is_not_drawn_up_yet_says_so(app, qian, feng, a_year, clock, town):
    async with app.state.sessions.begin() as session:
        made = await actions.propose_year(session, actor=qian.actor, year=2026, slices=manifests(), now=clock.now)
    async with app.state.sessions.begin() as session:
        await actions.confirm_closing(session, actor=feng.actor, closing_id=made, now=clock.now)
        await actions.confirm_closing(session, actor=feng.actor, closing_id=made, now=clock.now)
    async with app.state.sessions.begin() as session:
        assert not await queries.is_drawn_up(session, HERE, 2026)
        assert await actions.draw_up_years(session, clock.now) == 1
        assert await actions.draw_up_years(session, clock.now) == 0


@pytest.mark.parametrize("year", ["0", "7", "99999999999", "99999999999999999999"])
async def test_a_year_that_no_calendar_has_is_answered(qian, year):
    for path in ("", "/print", "/book.csv", "/book.xlsx"):
        answer = await qian.get(f"/desk/books/years/{year}{path}")
        assert answer.status_code in (404, 422), f"{year}{path}"
    typed = await qian.post("/desk/books/years", data={"year": year, "_key": "x"})
    assert typed.status_code == 422
    day = await qian.get("/desk/books/closings", params={"last_day": "9999-12-31"})
    assert day.status_code == 200
