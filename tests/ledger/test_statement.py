"""Statements: nothing missing, nothing twice, and the oldest page costs what the newest costs."""

import json
from datetime import timedelta

import pytest

import ledger
from ledger import Leg, StatementLine
from tests.db import Database, Sessions
from tests.ledger.cast import LI, NOW, ZHAO, connected, issue, journal, post


async def busy(sessions: Sessions, book: int, count: int) -> None:
    asked = [issue("start", amount=10**6)]
    for n in range(count):
        asked.append(journal(f"li {n}", Leg("li", "chen", "point", n + 1)))
        asked.append(journal(f"chen {n}", Leg("issued", "chen", "point", 1)))
    async with sessions.begin() as session:
        await ledger.post_many(session, book, asked, now=NOW)


async def test_pages_follow_each_other_to_the_first_line(sessions: Sessions, book: int):
    await busy(sessions, book, 120)
    async with sessions.begin() as session:
        lines: list[StatementLine] = []
        before, sizes = None, []
        while True:
            page = await ledger.statement(session, book, "li", "point", before=before, limit=50)
            lines += page.lines
            sizes.append(len(page.lines))
            if page.next is None:
                break
            before = page.next
        assert sizes == [50, 50, 21]
        assert [line.reference for line in lines] == [f"li {n}" for n in reversed(range(120))] + ["start"]
        assert [line.amount for line in lines] == [-n for n in range(120, 0, -1)] + [10**6]
        running = 0
        for line in reversed(lines):
            running += line.amount
            assert line.balance == running
        assert {line.counterpart for line in lines} == {"chen", "issued"}

        whole = await ledger.statement(session, book, "li", "point", limit=121)
        assert whole.next is None
        assert list(whole.lines) == lines


async def test_a_line_tells_the_whole_story(sessions: Sessions, book: int):
    yesterday = NOW - timedelta(days=1)
    await post(sessions, journal("gift", Leg("issued", "li", "point", 7), effective_at=yesterday))
    async with sessions.begin() as session:
        page = await ledger.statement(session, book, "li", "point")
    assert page.next is None
    assert page.lines == (
        StatementLine(1, 1, "gift", "service", "post", 7, 7, "issued", yesterday, NOW, ZHAO, LI, None, None, None),
    )


async def test_an_account_without_lines_has_an_empty_page(sessions: Sessions, book: int):
    async with sessions.begin() as session:
        page = await ledger.statement(session, book, "li", "point")
        assert page == ledger.StatementPage((), None)
        with pytest.raises(ledger.AccountNotFound):
            await ledger.statement(session, book, "nobody", "point")
        with pytest.raises(ledger.AccountNotFound):
            await ledger.balance(session, book, "nobody", "point")
        for limit in (0, 1001):
            with pytest.raises(ValueError, match="1 to 1000"):
                await ledger.statement(session, book, "li", "point", limit=limit)


async def test_a_place_in_another_account_is_no_place(sessions: Sessions, book: int):
    await busy(sessions, book, 3)
    async with sessions.begin() as session:
        page = await ledger.statement(session, book, "chen", "point", limit=1)
        foreign = page.lines[0].seq
        for place in (foreign, 999, 0):
            with pytest.raises(ledger.StatementPlaceNotFound) as refused:
                await ledger.statement(session, book, "li", "point", before=place)
            assert refused.value.before == place
        oldest = await ledger.statement(session, book, "li", "point", before=1)
        assert oldest == ledger.StatementPage((), None)


async def test_the_oldest_page_reads_as_little_as_the_newest(
    fresh_sessions: Sessions, fresh_book: int, fresh_database: Database
):
    query = "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT * FROM ledger.statement(7, 'li', 'point', $1, 20)"

    async def blocks(before: int | None) -> int:
        async with connected(fresh_database.app_url) as connection:
            await connection.fetch("SELECT * FROM ledger.statement(7, 'li', 'point', NULL, 20)")  # Warm the catalogue.
            plan = json.loads(await connection.fetchval(query, before))[0]["Plan"]
        return int(plan["Shared Hit Blocks"]) + int(plan["Shared Read Blocks"])

    await busy(fresh_sessions, fresh_book, 30)
    small = await blocks(None)
    async with fresh_sessions.begin() as session:
        asked = [journal(f"more {n}", Leg("li", "chen", "point", 1)) for n in range(6000)]
        await ledger.post_many(session, fresh_book, asked, now=NOW)
    newest, oldest = await blocks(None), await blocks(40)
    # A tree a level deeper is a block more for each look-up; a scan of the history would be hundreds.
    assert max(newest, oldest) < 2.5 * small
    assert oldest < 1.5 * newest
