"""Business rows that come in the transaction of a batch: with their journals or not at all, and never in a deadlock."""

import asyncio

import pytest

import ledger
from ledger import Effect, EffectRefused, Leg, Limits, Posted
from tests.db import Database, Sessions
from tests.ledger.cast import BOOK, NOW, connected, execute, issue, journal, post
from tests.ledger.door import Lossy, answers, books, door, spend

DIARY = (
    "CREATE SCHEMA diary; GRANT USAGE ON SCHEMA diary TO linli_app",
    "CREATE TABLE diary.page (name text PRIMARY KEY, is_torn boolean NOT NULL DEFAULT false)",
    (
        "CREATE TABLE diary.note (page text REFERENCES diary.page, reference text UNIQUE CHECK (reference <> 'spend 13'),"
        " journal_id bigint)"
    ),
    "INSERT INTO diary.page VALUES ('front', false), ('back', false), ('torn', true)",
    "GRANT SELECT, UPDATE ON diary.page TO linli_app; GRANT SELECT, INSERT ON diary.note TO linli_app",
    # Who received what for which reason: locked in sorted order, torn and missing pages refuse.
    """CREATE FUNCTION diary.note_lock(book bigint, now timestamptz, reference text[], effects jsonb) RETURNS text[]
       LANGUAGE plpgsql AS $$ BEGIN
           PERFORM FROM diary.page p WHERE p.name IN (SELECT e ->> 'page' FROM jsonb_array_elements(effects) e)
           ORDER BY p.name FOR UPDATE;
           RETURN (SELECT array_agg(CASE WHEN p.name IS NULL THEN 'diary.no_page' WHEN p.is_torn THEN 'diary.torn' END ORDER BY u.j)
                   FROM jsonb_array_elements(effects) WITH ORDINALITY u(e, j) LEFT JOIN diary.page p ON p.name = u.e ->> 'page');
       END $$""",
    """CREATE FUNCTION diary.note_write(
           book bigint, now timestamptz, reference text[], journal_id bigint[], effects jsonb) RETURNS void
       LANGUAGE sql AS $$
           INSERT INTO diary.note SELECT e ->> 'page', reference[j], journal_id[j]
           FROM jsonb_array_elements(effects) WITH ORDINALITY u(e, j) $$""",
)


def note(page: str | None, reference: str) -> Effect | None:
    """A note on a page; several notes on one page may go together, so what is judged is the note."""
    return None if page is None else Effect("diary.note", reference, {"page": page})


async def diary(database: Database) -> list[tuple[str, str, int]]:
    async with connected(database.superuser_url) as connection:
        rows = await connection.fetch("SELECT page, reference, journal_id FROM diary.note ORDER BY journal_id")
    return [tuple(row) for row in rows]


@pytest.fixture
def sessions(fresh_sessions: Sessions) -> Sessions:
    return fresh_sessions


@pytest.fixture
async def pages(fresh_database: Database, fresh_book: int) -> None:
    await execute(fresh_database.superuser_url, *DIARY)


@pytest.mark.usefixtures("pages")
@pytest.mark.parametrize("losses", [0, 2])
async def test_business_rows_come_with_their_journals_or_not_at_all(
    sessions: Sessions, fresh_database: Database, losses: int
):
    await post(sessions, issue("start", amount=25))
    poster = door(sessions, session=Lossy(sessions, losses))
    kinds: list[str | None] = ["front", "back", "torn", "missing", None]

    tasks = [
        asyncio.create_task(poster.post(BOOK, spend(n), now=NOW, effect=note(kinds[n % len(kinds)], f"spend {n}")))
        for n in range(40)
    ]
    told = await answers(*tasks)

    by_page = [problem.code if isinstance(problem, EffectRefused) else None for problem in told]
    assert by_page == [{2: "diary.torn", 3: "diary.no_page"}.get(n % 5) for n in range(40)]
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
    poster = door(sessions)

    tasks = [
        asyncio.create_task(poster.post(BOOK, spend(n), now=NOW, effect=note("front", f"spend {n}"))) for n in range(20)
    ]
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
    poster = door(sessions, Limits(journals=8))

    async def act(number: int) -> None:
        async with sessions.begin() as session:
            connection = await session.connection()
            await connection.exec_driver_sql("SELECT 1 FROM diary.page ORDER BY name FOR UPDATE")
            await ledger.post(session, BOOK, journal(f"act {number}", Leg("li", "chen", "point", 1)), now=NOW)

    pages = ("front", "back")
    tasks = [
        asyncio.create_task(poster.post(BOOK, spend(n), now=NOW, effect=note(pages[n % 2], f"spend {n}")))
        for n in range(14, 134)
    ]
    await asyncio.gather(*(act(number) for number in range(20)))

    assert all(isinstance(verdict, Posted) for verdict in await answers(*tasks))
    assert await books(sessions) == (860, 140)
    await poster.close()


@pytest.mark.usefixtures("pages")
async def test_two_about_the_same_row_never_share_a_batch(sessions: Sessions, fresh_database: Database):
    """What is judged of a row before a batch must be true for all of it, so the second waits for the next one."""
    await post(sessions, issue("start"))
    await execute(
        fresh_database.superuser_url,
        # The page is torn by the first note on it.
        "CREATE FUNCTION diary.tear_lock(bigint, timestamptz, text[], effects jsonb) RETURNS text[]"
        " LANGUAGE sql AS 'SELECT diary.note_lock($1, $2, $3, $4)'",
        "CREATE FUNCTION diary.tear_write(bigint, timestamptz, text[], bigint[], effects jsonb) RETURNS void LANGUAGE sql AS"
        " 'SELECT diary.note_write($1, $2, $3, $4, $5); UPDATE diary.page SET is_torn = true"
        " WHERE name IN (SELECT e ->> ''page'' FROM jsonb_array_elements($5) e)'",
        "INSERT INTO diary.page SELECT 'page ' || n FROM generate_series(1, 9) n",
    )
    poster = door(sessions)

    tasks = [
        asyncio.create_task(
            poster.post(
                BOOK, spend(n), now=NOW, effect=Effect("diary.tear", page := f"page {n % 9 + 1}", {"page": page})
            )
        )
        for n in range(100, 145)
    ]
    told = await answers(*tasks)

    # Two posters may stand before the same lock, so which of a page's five came first is nobody's promise.
    assert [sum(isinstance(each, Posted) for each in told[page::9]) for page in range(9)] == [1] * 9
    assert {each.code for each in told if isinstance(each, EffectRefused)} == {"diary.torn"}
    assert len(await diary(fresh_database)) == 9
    assert await books(sessions) == (991, 9)
    await poster.close()


@pytest.mark.usefixtures("pages")
async def test_a_replay_whose_rows_have_moved_on_is_still_a_replay(sessions: Sessions, fresh_database: Database):
    """The answer was lost after the commit, and meanwhile somebody tore the page: it was posted, and the caller hears so."""
    await post(sessions, issue("start"))
    poster = door(sessions)
    first = await poster.post(BOOK, spend(1), now=NOW, effect=note("front", "spend 1"))
    await execute(fresh_database.superuser_url, "UPDATE diary.page SET is_torn = true")

    again = poster.post(BOOK, spend(1), now=NOW, effect=note("front", "spend 1"))
    new = poster.post(BOOK, spend(2), now=NOW, effect=note("front", "spend 2"))
    told = await asyncio.gather(again, new, return_exceptions=True)

    assert told[0] == Posted(first.journal_id, replayed=True)
    assert isinstance(told[1], EffectRefused)
    assert [row[1] for row in await diary(fresh_database)] == ["spend 1"]
    await poster.close()
