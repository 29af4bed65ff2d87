"""Sixty-four callers hammer five accounts from all sides, each on a connection of its own: nothing is lost, nothing made.

What a caller is told is checked afterwards against the book itself: whoever was refused for want of points is shown a moment
at which the account had so little, and whoever was told that it is done stands in the book once.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

import ledger
from ledger import Capture, Hold, Journal, LedgerRefusal, Leg, Posted, Release
from tests.db import Database, Sessions, open_engine, sessions_of
from tests.ledger.cast import BOOK, NOW, ZHAO, hold_id, issue, journal, post
from tests.ledger.door import door

pytestmark = pytest.mark.slow

CALLERS, TURNS = 64, 12
PEOPLE = ("li", "chen", "jar", "bakery")
RIGHT = (
    ledger.InsufficientBalance,
    ledger.OverCeiling,
    ledger.HoldNotFound,
    ledger.HoldClosed,
    ledger.HoldExceeded,
    ledger.AlreadyReversed,
)
"""What may be said: everybody asks for something that is possible but for what the others did meanwhile."""


@dataclass
class Told:
    """What everybody asked and heard, and the holds that somebody asked for."""

    heard: list[tuple[Journal, Posted | LedgerRefusal]] = field(default_factory=list)
    held: list[int] = field(default_factory=list)


@pytest.fixture
async def wide(fresh_database: Database, fresh_book: int) -> AsyncIterator[Sessions]:
    """A connection for each caller."""
    async with open_engine(fresh_database.app_url, pool_size=CALLERS) as engine:
        yield sessions_of(engine)


def wish(chance: random.Random, name: str, told: Told) -> Journal:
    """Something that could be done."""
    one, other = chance.sample(PEOPLE, 2)
    dice = chance.random()
    if dice < 0.25:
        number = chance.randrange(10**9)
        told.held.append(number)
        return journal(name, Hold(hold_id(number), one, "point", chance.randint(1, 9)))
    if dice < 0.5 and told.held:
        number = chance.choice(told.held)
        given_back = Release(hold_id(number))
        if chance.random() < 0.5:
            return journal(name, given_back)
        return journal(name, Capture(hold_id(number), other, chance.randint(1, 4)), given_back)
    if dice < 0.6:
        return journal(name, Leg(one, other, "point", 2), Leg(other, one, "point", 1), Leg(one, other, "point", 1))
    return journal(name, Leg(one, other, "point", chance.randint(1, 30)))


async def settled(sessions: Sessions, told: Told) -> None:
    """The books are whole, whoever heard yes stands there once, and every no was right."""
    async with sessions.begin() as session:
        assert await ledger.verify(session) == []
        found = await ledger.balances(session, BOOK, [(each, "point") for each in (*PEOPLE, "issued", "escrow")])
        assert sum(found.values()) == 0
        for asked, verdict in told.heard:
            stands = await ledger.journal(session, BOOK, asked.reference)
            assert isinstance(verdict, Posted) == (stands is not None), (asked, verdict)
        balances = {each: await _balances(session, each) for each in (*PEOPLE, "escrow")}
    for asked, verdict in told.heard:
        if isinstance(verdict, ledger.InsufficientBalance):
            due = [step for step in asked.legs if isinstance(step, Leg | Hold)][verdict.step - 1 if verdict.step else 0]
            assert verdict.available in _within(balances[verdict.account], asked, verdict.step), (asked, verdict)
            assert verdict.available < due.amount
        elif isinstance(verdict, LedgerRefusal):
            assert isinstance(verdict, RIGHT), (asked, verdict)


def _within(balances: set[int], asked: Journal, step: int | None) -> set[int]:
    """What an account may have had at a step: what it had at some moment, and what the steps before it did."""
    moved = sum(each.amount for each in asked.legs[: (step or 1) - 1] if each.amount is not None)
    return {value + change for value in balances for change in range(-moved, moved + 1)}


async def _balances(session: AsyncSession, account: str) -> set[int]:
    """Everything that an account ever had."""
    found, before = {0}, None
    while True:
        page = await ledger.statement(session, BOOK, account, "point", before=before, limit=1000)
        found |= {line.balance for line in page.lines}
        if page.next is None:
            return found
        before = page.next


async def test_callers_with_a_connection_each(wide: Sessions):
    await post(wide, issue("li", amount=300), issue("chen", "chen", 300), issue("jar", "jar", 50))
    told = Told()

    async def call(caller: int) -> None:
        chance = random.Random(caller)
        for turn in range(TURNS):
            asked = [wish(chance, f"{caller} {turn} {n}", told) for n in range(chance.choice((1, 1, 3)))]
            async with wide.begin() as session:
                verdicts = await ledger.post_many(session, BOOK, asked, now=NOW)
            told.heard += zip(asked, verdicts, strict=True)

    await asyncio.gather(*(call(caller) for caller in range(CALLERS)))

    assert len(told.heard) > CALLERS * TURNS
    await settled(wide, told)


async def test_callers_at_one_door_and_beside_it(wide: Sessions):
    await post(wide, issue("li", amount=300), issue("chen", "chen", 300), issue("jar", "jar", 50))
    told, poster = Told(), door(wide)

    async def call(caller: int) -> None:
        chance = random.Random(caller)
        for turn in range(TURNS):
            asked = wish(chance, f"{caller} {turn}", told)
            verdict: Posted | LedgerRefusal
            try:
                if caller % 8:
                    verdict = await poster.post(BOOK, asked, now=NOW)
                else:
                    async with wide.begin() as session:
                        verdict = await ledger.post(session, BOOK, asked, now=NOW)
            except LedgerRefusal as refusal:
                verdict = refusal
            told.heard.append((asked, verdict))

    await asyncio.gather(*(call(caller) for caller in range(CALLERS)))
    await poster.close()

    assert len(told.heard) == CALLERS * TURNS
    await settled(wide, told)


async def test_all_undo_the_same_and_each_is_undone_once(wide: Sessions):
    gifts: Sequence[Journal] = [journal(f"gift {n}", Leg("issued", "li", "point", 1)) for n in range(8)]
    await post(wide, *gifts)
    told: list[Posted | LedgerRefusal] = []

    async def undo(caller: int) -> None:
        try:
            async with wide.begin() as session:
                done = await ledger.reverse(
                    session, BOOK, reference=f"undo {caller}", original=f"gift {caller % 8}", reason="typo",
                    actor_id=ZHAO, now=NOW,
                )  # fmt: skip
            told.append(done)
        except LedgerRefusal as refusal:
            told.append(refusal)

    await asyncio.gather(*(undo(caller) for caller in range(CALLERS)))

    assert sum(isinstance(each, Posted) for each in told) == len(gifts)
    assert sum(isinstance(each, ledger.AlreadyReversed) for each in told) == CALLERS - len(gifts)
    async with wide.begin() as session:
        assert await ledger.balance(session, BOOK, "li", "point") == 0
        assert await ledger.verify(session) == []
