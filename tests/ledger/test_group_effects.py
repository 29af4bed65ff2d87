"""Business rows that come in the transaction of a batch: with their journals or not at all, and never in a deadlock."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

import ledger
from ledger import Journal, Leg, Limits, Posted
from tests.db import Database, Sessions
from tests.ledger.cast import BOOK, NOW, connected, execute, issue, journal, post
from tests.ledger.door import Lossy, answers, books, door, spend


class Diary:
    """Business rows: who received what for which reason. A note is written once, by its key."""

    def __init__(self, *closed: str) -> None:
        self.closed = closed

    async def lock(
        self, session: AsyncSession, _book: int, asked: Sequence[tuple[Journal, str]]
    ) -> Mapping[str, Exception]:
        connection = await session.connection()
        page = "SELECT name FROM page WHERE name = ANY($1::text[]) ORDER BY name FOR UPDATE"
        rows = await connection.exec_driver_sql(page, ([page for _, page in asked],))
        there = {row[0] for row in rows} - set(self.closed)
        return {journal.reference: KeyError(page) for journal, page in asked if page not in there}

    async def write(self, session: AsyncSession, _book: int, posted: Sequence[tuple[Journal, str, Posted]]) -> None:
        connection = await session.connection()
        await connection.exec_driver_sql(
            "INSERT INTO note SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[])",
            (
                [page for _, page, _ in posted],
                [journal.reference for journal, _, _ in posted],
                [verdict.journal_id for _, _, verdict in posted],
            ),
        )


async def diary(database: Database) -> list[tuple[str, str, int]]:
    async with connected(database.superuser_url) as connection:
        rows = await connection.fetch("SELECT page, reference, journal_id FROM note ORDER BY journal_id")
    return [tuple(row) for row in rows]


@pytest.fixture
def sessions(fresh_sessions: Sessions) -> Sessions:
    return fresh_sessions


@pytest.fixture
async def pages(fresh_database: Database, fresh_book: int) -> None:
    await execute(
        fresh_database.superuser_url,
        "CREATE TABLE page (name text PRIMARY KEY)",
        "CREATE TABLE note (page text REFERENCES page, reference text UNIQUE CHECK (reference <> 'spend 13'),"
        " journal_id bigint)",
        "INSERT INTO page VALUES ('front'), ('back'), ('torn')",
        "GRANT SELECT, UPDATE ON page TO linli_app; GRANT SELECT, INSERT ON note TO linli_app",
    )


@pytest.mark.usefixtures("pages")
@pytest.mark.parametrize("losses", [0, 2])
async def test_business_rows_come_with_their_journals_or_not_at_all(
    sessions: Sessions, fresh_database: Database, losses: int
):
    await post(sessions, issue("start", amount=25))
    poster = door(sessions, effects=Diary("torn"), transaction=Lossy(sessions, losses))
    kinds: list[str | None] = ["front", "back", "torn", "missing", None]

    tasks = [asyncio.create_task(poster.post(BOOK, spend(n), now=NOW, effect=kinds[n % len(kinds)])) for n in range(40)]
    told = await answers(*tasks)

    refused_by_page = [isinstance(problem, KeyError) for problem in told]
    assert refused_by_page == [n % 5 in {2, 3} for n in range(40)]
    assert isinstance(told[13], KeyError)
    written = {reference: (page, number) for page, reference, number in await diary(fresh_database)}
    posted = {n: verdict for n, verdict in enumerate(told) if isinstance(verdict, Posted)}
    assert len(posted) == 24
    assert written == {f"spend {n}": (kinds[n % 5], each.journal_id) for n, each in posted.items() if n % 5 < 2}
    assert await books(sessions) == (1, 24)
    await poster.close()


@pytest.mark.usefixtures("pages")
async def test_a_row_that_cannot_be_written_takes_its_own_journal_back_and_no_other(
    sessions: Sessions, fresh_database: Database
):
    await post(sessions, issue("start"))
    poster = door(sessions, effects=Diary())

    tasks = [asyncio.create_task(poster.post(BOOK, spend(n), now=NOW, effect="front")) for n in range(20)]
    told = await answers(*tasks)

    assert "note_reference_check" in str(told.pop(13))
    assert all(isinstance(verdict, Posted) for verdict in told)
    assert len(await diary(fresh_database)) == 19
    assert await books(sessions) == (981, 19)
    await poster.close()


@pytest.mark.usefixtures("pages")
async def test_business_rows_before_the_head_never_deadlock_with_an_action_that_does_the_same(
    sessions: Sessions, fresh_database: Database
):
    await post(sessions, issue("start"))
    poster = door(sessions, Limits(journals=8), effects=Diary())

    async def act(number: int) -> None:
        async with sessions.begin() as session:
            connection = await session.connection()
            await connection.exec_driver_sql("SELECT 1 FROM page ORDER BY name FOR UPDATE")
            await ledger.post(session, BOOK, journal(f"act {number}", Leg("li", "chen", "point", 1)), now=NOW)

    pages = ("front", "back", "torn")
    tasks = [asyncio.create_task(poster.post(BOOK, spend(n), now=NOW, effect=pages[n % 3])) for n in range(14, 134)]
    await asyncio.gather(*(act(number) for number in range(20)))

    assert all(isinstance(verdict, Posted) for verdict in await answers(*tasks))
    assert await books(sessions) == (860, 140)
    await poster.close()
