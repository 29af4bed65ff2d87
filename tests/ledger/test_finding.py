"""Searching the journals of a book: the right answers, whatever is mapped; and never a walk through all of it."""

import json
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlmodel.ext.asyncio.session import AsyncSession

import ledger
from ledger import FoundJournal, Journal, JournalFilter, Leg, finding
from ledger.driver import fetch
from tests.db import Database, Sessions, Steward, open_engine, sessions_of
from tests.ledger.cast import BOOK, LI, NOW, ZHAO, found

pytestmark = [pytest.mark.anyio, pytest.mark.slow]
FEW, MANY = 900, 200_000
READ_AT_MOST = 60_000
"""Rows of journals and transfers that any one search may look at: a fraction of the large book, whatever its size."""


def some_journal(dice: Random, number: int, at: datetime) -> Journal:
    """Mostly services in points, now and then something rare."""
    legs = [Leg("issued", dice.choice(("li", "chen")), "point", dice.randint(1, 900))]
    if dice.random() < 0.3:
        legs.append(Leg("issued", "li", "minute", dice.randint(1, 300)))
    reason = "pledge" if number % 400 == 7 else dice.choice(("service", "service", "gift"))
    actor = LI if number % 300 == 5 else ZHAO
    late = timedelta(days=dice.randint(0, 40)) if dice.random() < 0.1 else timedelta()
    return Journal(f"{reason}:{number:06}", reason, tuple(legs), actor, None, at - late)


async def fill(session: AsyncSession, count: int, *, batch: int = 1000) -> None:
    """So many journals over so many minutes, and a reversal now and then."""
    dice, now = Random(count), NOW
    for start in range(0, count, batch):
        journals = [some_journal(dice, number, now) for number in range(start, min(start + batch, count))]
        posted = await ledger.post_many(session, BOOK, journals, now=now)
        assert not [each for each in posted if isinstance(each, ledger.LedgerRefusal)]
        undone = journals[7]
        await ledger.reverse(
            session,
            BOOK,
            reference=f"undo:{undone.reference}",
            original=undone.reference,
            reason="correction",
            actor_id=ZHAO,
            now=now,
        )
        now += timedelta(hours=batch / 10)


async def everything(session: AsyncSession) -> list[FoundJournal]:
    """Every journal, newest first, read without any search."""
    rows = await fetch(
        session,
        "SELECT j.journal_id, j.reference, j.reason, j.transfers, j.actor_id, j.on_behalf_of, j.effective_at,"
        " j.posted_at, j.reverses, u.journal_id FROM ledger.journal j"
        " LEFT JOIN ledger.journal u ON u.community_id = j.community_id AND u.reverses = j.journal_id"
        " WHERE j.community_id = $1 ORDER BY 1 DESC",
        BOOK,
    )
    return [FoundJournal(*row) for row in rows]


async def all_pages(session: AsyncSession, wanted: JournalFilter, limit: int = 50) -> list[FoundJournal]:
    journals: list[FoundJournal] = []
    before: int | None = None
    while True:
        page = await ledger.search(session, BOOK, wanted, before=before, limit=limit)
        journals += page.journals
        assert before is None or page.next is None or page.next < before, "a search must get on"
        before = page.next
        if before is None:
            return journals


DAY = timedelta(days=1)
FILTERS: dict[str, JournalFilter] = {
    "nothing": JournalFilter(),
    "reason": JournalFilter(reason="service"),
    "rare reason": JournalFilter(reason="pledge"),
    "no such reason": JournalFilter(reason="nonsense"),
    "actor": JournalFilter(actor_id=LI),
    "stranger": JournalFilter(actor_id=UUID(int=9)),
    "reversals": JournalFilter(only_reversals=True),
    "reference": JournalFilter(reference="pledge:000407"),
    "prefix": JournalFilter(prefix="gift:0000"),
    "wide prefix": JournalFilter(prefix="s"),
    "account": JournalFilter(account="li"),
    "account and unit": JournalFilter(account="li", unit="minute"),
    "busy account and rare reason": JournalFilter(account="issued", reason="pledge"),
    "no such account": JournalFilter(account="nobody"),
    "amounts": JournalFilter(unit="point", amount_min=895, amount_max=900),
    "amounts of no journal": JournalFilter(unit="point", amount_min=5000),
    "posted": JournalFilter(posted_from=NOW + 2 * DAY, posted_until=NOW + 5 * DAY),
    "effective": JournalFilter(effective_from=NOW - 9 * DAY, effective_until=NOW - 8 * DAY),
    "before all": JournalFilter(posted_until=NOW),
    "after all": JournalFilter(posted_from=NOW + 40_000 * DAY),
    "reason and actor": JournalFilter(reason="gift", actor_id=LI),
    "all at once": JournalFilter(
        prefix="service",
        reason="service",
        account="chen",
        actor_id=ZHAO,
        unit="point",
        amount_min=100,
        amount_max=700,
        posted_from=NOW,
        posted_until=NOW + 9 * DAY,
        effective_from=NOW - 30 * DAY,
        effective_until=NOW + 9 * DAY,
    ),
}


async def moved(session: AsyncSession, wanted: JournalFilter) -> set[int]:
    """The journals that the filter's account, unit and amounts name, read leg by leg."""
    rows = await fetch(
        session,
        "SELECT t.journal_id, d.code, c.code, t.unit, t.amount FROM ledger.transfer t"
        " JOIN ledger.account d ON d.community_id = t.community_id AND d.account_id = t.debit"
        " JOIN ledger.account c ON c.community_id = t.community_id AND c.account_id = t.credit"
        " WHERE t.community_id = $1",
        BOOK,
    )
    low = wanted.amount_min or 0
    high = wanted.amount_max if wanted.amount_max is not None else 2**62
    own = {row[0] for row in rows if wanted.account in (None, row[1], row[2]) and wanted.unit in (None, row[3])}
    return own & {row[0] for row in rows if wanted.unit in (None, row[3]) and low <= row[4] <= high}


def fits(wanted: JournalFilter, line: FoundJournal) -> bool:
    checks: Sequence[bool] = (
        wanted.reference in (None, line.reference),
        line.reference.startswith(wanted.prefix or ""),
        wanted.reason in (None, line.reason),
        wanted.actor_id in (None, line.actor_id),
        wanted.posted_from is None or line.posted_at >= wanted.posted_from,
        wanted.posted_until is None or line.posted_at < wanted.posted_until,
        wanted.effective_from is None or line.effective_at >= wanted.effective_from,
        wanted.effective_until is None or line.effective_at < wanted.effective_until,
        not wanted.only_reversals or line.reverses is not None,
    )
    return all(checks)


@pytest.fixture(scope="module", params=["nothing mapped", "half mapped", "all mapped"])
async def small_book(request: pytest.FixtureRequest, steward: Steward) -> AsyncIterator[Sessions]:
    """A small book, and how far the worker has come with it."""
    with steward.clone() as database:
        async with open_engine(database.app_url) as engine:
            sessions = sessions_of(engine)
            async with sessions.begin() as session:
                await found(session)
                await fill(session, FEW, batch=90)
                if request.param != "nothing mapped":
                    zones = 2 if request.param == "half mapped" else 1000
                    await ledger.map_zones(session, zones)
                    await ledger.mark_lines(session, zones * 200)
            yield sessions


@pytest.mark.parametrize("name", FILTERS)
async def test_a_search_finds_what_reading_everything_finds(
    small_book: Sessions, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = FILTERS[name]
    async with small_book() as session:
        candidates = await moved(session, wanted)
        due = [line for line in await everything(session) if line.journal_id in candidates and fits(wanted, line)]
        assert await all_pages(session, wanted) == due
        monkeypatch.setattr(finding, "ZONES_READ_MAX", 1)
        monkeypatch.setattr(finding, "ZONES_ASKED_MAX", 2)
        monkeypatch.setattr(finding, "LINES_WALKED_MAX", 7)
        monkeypatch.setattr(finding, "PREFIX_FOUND_MAX", 3)
        assert await all_pages(session, wanted, limit=3) == due


async def test_zones_are_mapped_once_by_two_at_a_time(small_book: Sessions) -> None:
    async with small_book() as one, small_book() as two:
        await ledger.map_zones(one)
        await one.commit()
        assert await ledger.map_zones(two) == 0
        rows = await fetch(two, "SELECT count(*), count(DISTINCT zone) FROM ledger.zone")
    assert rows[0][0] == rows[0][1] > 0


@pytest.fixture(scope="module")
async def large_book(steward: Steward) -> AsyncIterator[tuple[Database, AsyncEngine]]:
    """200,000 journals, marked and mapped as the worker would."""
    with steward.clone() as database:
        async with open_engine(database.app_url) as engine:
            async with sessions_of(engine).begin() as session:
                await found(session)
                await fill(session, MANY)
            async with sessions_of(engine).begin() as session:
                while await ledger.mark_lines(session):
                    pass
                while await ledger.map_zones(session, 1000):
                    pass
        async with open_engine(database.owner_url) as engine, engine.begin() as connection:
            await connection.exec_driver_sql("ANALYZE")
        async with open_engine(database.app_url) as engine:
            yield database, engine


def scanned(plan: dict[str, Any]) -> int:
    """How many rows of journals and transfers a plan looked at; a Seq Scan of either counts as all of them."""
    below = sum(scanned(node) for node in plan.get("Plans", []))
    if plan.get("Relation Name") not in ("journal", "transfer"):
        return below
    if plan["Node Type"] == "Seq Scan":
        return below + MANY
    seen = int(plan["Actual Rows"]) + int(plan.get("Rows Removed by Filter", 0))
    return below + seen * int(plan["Actual Loops"])


@pytest.fixture
def explained(large_book: tuple[Database, AsyncEngine]) -> Callable[..., object]:
    """What one search reads in all its statements, by EXPLAIN ANALYZE of each of them."""
    _, engine = large_book

    async def measure(wanted: JournalFilter, before: int | None, mode: str) -> int:
        sent: list[tuple[str, tuple[object, ...]]] = []

        def note(_connection: object, _cursor: object, statement: str, values: Any, *_rest: object) -> None:
            sent.append((statement, values))

        sessions = sessions_of(engine)
        async with sessions() as session:
            event.listen(engine.sync_engine, "before_cursor_execute", note)
            await ledger.search(session, BOOK, wanted, before=before)
            event.remove(engine.sync_engine, "before_cursor_execute", note)
            await fetch(session, "SELECT set_config('plan_cache_mode', $1, true)", mode)
            reads = 0
            for statement, values in sent:
                rows = await fetch(session, f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {statement}", *values)
                plan = rows[0][0]
                plan = json.loads(plan) if isinstance(plan, str) else plan
                reads += scanned(plan[0]["Plan"])
            return reads

    return measure


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
@pytest.mark.parametrize("name", FILTERS)
async def test_no_filter_reads_a_book_of_200_000_journals(explained, name: str, mode: str) -> None:
    for before in (None, MANY // 2, 300):
        assert await explained(FILTERS[name], before, mode) < READ_AT_MOST, before
