"""Balances and periods of the past, against what the lines themselves say."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from random import Random

import pytest
import sqlalchemy as sa
from sqlmodel.ext.asyncio.session import AsyncSession

import ledger
from ledger import Journal, Leg, StatementLine
from ledger.tables import mark
from tests.db import Sessions
from tests.ledger.cast import BOOK, NOW, ZHAO

pytestmark = pytest.mark.anyio
LINES = 330
"""More than five marks on the busiest account."""


@pytest.fixture
async def years(sessions: Sessions, book: int) -> Sequence[StatementLine]:
    """The lines of li, oldest first: several journals a moment, several lines a journal, now and then a long silence."""
    dice, now = Random(7), NOW
    async with sessions.begin() as session:
        for number in range(LINES // 2):
            now += timedelta(days=dice.choice((0, 0, 0, 1, 1, 40)), seconds=dice.choice((0, 1)))
            legs = [Leg("issued", "li", "point", dice.randint(1, 9)), Leg("li", "chen", "point", 1)]
            await ledger.post(session, BOOK, Journal(f"j{number}", "service", tuple(legs), ZHAO), now=now)
            if number % 5 == 0:
                other = Journal(f"k{number}", "service", (Leg("issued", "chen", "point", 1),), ZHAO)
                await ledger.post(session, BOOK, other, now=now)
    async with sessions() as session:
        page = await ledger.statement(session, BOOK, "li", "point", limit=1000)
    assert len(page.lines) == LINES
    return page.lines[::-1]


_ACCOUNT = sa.text("SELECT account_id FROM ledger.account WHERE community_id = 7 AND code = 'li' AND unit = 'point'")
_HEAD = sa.text("SELECT seq FROM ledger.book WHERE community_id = 7")
_LOOKS = sa.text("SELECT pg_stat_get_xact_numscans('ledger.pk_transfer'::regclass)")


async def looks(session: AsyncSession, at: datetime) -> int:
    """How many rows a question of the past looks up."""
    before: int = (await session.execute(_LOOKS)).scalar_one()
    await ledger.balance_before(session, BOOK, "li", "point", at)
    after: int = (await session.execute(_LOOKS)).scalar_one()
    return after - before


def moments(lines: Sequence[StatementLine]) -> list[datetime]:
    """Every moment at which anything could be off by one."""
    days = {line.posted_at for line in lines}
    return sorted(
        at + shift for at in days for shift in (-timedelta(microseconds=1), timedelta(), timedelta(microseconds=1))
    )


def balance_due(lines: Sequence[StatementLine], at: datetime) -> int:
    return sum(line.amount for line in lines if line.posted_at < at)


@pytest.mark.parametrize("marked", [0, 1, LINES // 2, 10_000])
async def test_the_balance_before_any_moment_is_the_sum_of_the_lines_before_it(
    sessions: Sessions, years: Sequence[StatementLine], marked: int
) -> None:
    async with sessions.begin() as session:
        if marked:
            await ledger.mark_lines(session, marked)
        for at in moments(years):
            assert await ledger.balance_before(session, BOOK, "li", "point", at) == balance_due(years, at), at


async def test_a_period_opens_closes_and_has_every_line_between(
    sessions: Sessions, years: Sequence[StatementLine]
) -> None:
    async with sessions.begin() as session:
        await ledger.mark_lines(session)
        for since, until in pairwise(moments(years)[::17]):
            wanted = [line for line in years if since <= line.posted_at < until]
            collected: list[StatementLine] = []
            before: int | None = None
            while True:
                page = await ledger.period(
                    session, BOOK, "li", "point", since=since, until=until, before=before, limit=7
                )
                collected += page.lines
                assert page.opening == balance_due(years, since)
                assert page.closing == balance_due(years, until)
                before = page.next
                if before is None:
                    break
            assert collected == wanted[::-1]


async def test_an_account_without_lines_had_nothing(sessions: Sessions, book: int) -> None:
    async with sessions() as session:
        page = await ledger.period(session, BOOK, "jar", "point", since=NOW, until=NOW + timedelta(days=1))

        assert (page.opening, page.closing, page.lines, page.next) == (0, 0, (), None)
        with pytest.raises(ledger.AccountNotFound):
            await ledger.balance_before(session, BOOK, "nobody", "point", NOW)


async def test_every_64th_line_is_marked_once_however_many_mark(
    sessions: Sessions, years: Sequence[StatementLine]
) -> None:
    async def some() -> int:
        async with sessions.begin() as session:
            return await ledger.mark_lines(session, 50)

    read = 0
    while step := sum(await asyncio.gather(*(some() for _ in range(4)))):
        read += step

    async with sessions() as session:
        rows = (await session.execute(mark.select().order_by(mark.c.seq))).all()
        [account] = await session.execute(_ACCOUNT)
        heads = (await session.execute(_HEAD)).scalar_one()
    assert read == heads
    assert [row.seq for row in rows if row.account_id == account[0]] == [line.seq for line in years[63::64]]


async def test_an_old_balance_is_found_in_as_few_steps_as_todays(
    sessions: Sessions, years: Sequence[StatementLine]
) -> None:
    async with sessions.begin() as session:
        await ledger.mark_lines(session)
        old = await looks(session, years[70].posted_at)
        new = await looks(session, years[-70].posted_at)

    assert max(old, new) < 64 + 20


async def test_without_marks_the_way_back_is_walked(sessions: Sessions, years: Sequence[StatementLine]) -> None:
    async with sessions.begin() as session:
        assert await looks(session, years[10].posted_at) > LINES - 20
