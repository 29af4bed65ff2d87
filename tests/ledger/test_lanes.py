"""Batches of plain journals, and what is paid out of holds, take lanes of their own, and nobody can tell by the books."""

import itertools
import random
from datetime import datetime, timedelta

import pytest

import ledger
from ledger import Capture, Hold, Journal, LedgerRefusal, Leg, Posted, Step
from tests.db import Database, Sessions
from tests.ledger.cast import BOOK, NOW, connected, execute, found, hold_id, issue, journal, post

BESIDE = BOOK + 1
ROWS = """
SELECT seq, journal_id, amount, debit_balance, debit_version, debit_prev, credit_balance, credit_version, credit_prev, kind, unit,
       reference, reason, transfers, fingerprint, actor_id, on_behalf_of, effective_at, posted_at, reverses
  FROM ledger.transfer WHERE community_id = $1 ORDER BY seq
"""
HOLDS = "SELECT hold_id, captured, released, refunded FROM ledger.hold WHERE community_id = $1 ORDER BY 1"
BALANCES = "SELECT code, unit, balance, version, last_seq FROM ledger.account WHERE community_id = $1 ORDER BY 1, 2"


class Shoppers:
    """Ask for plain things, seldom for something that must be refused."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.asked: list[Journal] = []

    def batch(self, *, faulty: bool) -> list[Journal]:
        batch = [self.right() for _ in range(self.random.randint(2, 12))]
        if faulty:
            batch[self.random.randrange(len(batch))] = self.wrong()
        self.asked += batch
        return batch

    def right(self) -> Journal:
        ways = [
            ("issued", "li"),
            ("li", "bakery"),
            ("li", "chen"),
            ("chen", "bakery"),
            ("bakery", "li"),
            ("bakery", "chen"),
        ]
        at = self.random.choice([None, None, NOW - timedelta(days=self.random.randint(0, 9)), NOW])
        return self.journal(*self.random.choice(ways), self.random.randint(1, 3), at=at)

    def wrong(self) -> Journal:
        known = self.asked[-1] if self.asked else self.right()
        return self.random.choice(
            [
                known,
                Journal(known.reference, "another reason", known.legs, known.actor_id),
                self.journal("li", "bakery", 10**9),
                self.journal("bakery", "jar", 101),
                self.journal("li", "li", 1),
                self.journal("li", "gone", 1),
                self.journal("li", "nobody", 1),
                self.journal("escrow", "li", 1),
                self.journal("li", "escrow", 1),
                self.journal("li", "bakery", 0),
                self.journal("li", "bakery", 10**15 + 1),
                self.journal("li", "bakery", 1, unit="hour"),
                self.journal("li", "bakery", 1, at=NOW + timedelta(seconds=1)),
                self.journal("li", "bakery", 1, at=NOW.replace(year=1969)),
                self.journal("li", "bakery", 1, reference="a\nb"),
                self.journal("li", "bakery", 1, reference="x" * 201),
                self.journal("li", "bakery", 1, reference=""),
                self.journal("li", "bakery", 1, reason=""),
                self.journal("li", "bakery", 1, reason="y" * 201),
            ]
        )

    def journal(
        self,
        debit: str,
        credit: str,
        amount: int,
        *,
        unit: str = "point",
        reference: str | None = None,
        reason: str = "shop",
        at: datetime | None = None,
    ) -> Journal:
        name = f"shop {self.random.getrandbits(60)}" if reference is None else reference
        return journal(name, Leg(debit, credit, unit, amount), reason=reason, effective_at=at)


def told(verdicts: list[Posted | LedgerRefusal]) -> list[object]:
    return [each if isinstance(each, Posted) else (type(each), vars(each)) for each in verdicts]


@pytest.mark.parametrize("seed", range(4))
async def test_together_or_one_by_one_is_the_same(
    fresh_database: Database, fresh_sessions: Sessions, fresh_book: int, seed: int
):
    shoppers = Shoppers(seed)
    async with fresh_sessions.begin() as session:
        await found(session, BESIDE)
    for book in (BOOK, BESIDE):
        await post(fresh_sessions, issue("start", amount=40), issue("chen", account="chen", amount=40), book=book)

    for number in range(60):
        batch = shoppers.batch(faulty=number % 3 == 2)
        async with fresh_sessions.begin() as session:
            together = await ledger.post_many(session, BOOK, batch, now=NOW)
        alone = []
        for each in batch:
            async with fresh_sessions.begin() as session:
                alone += await ledger.post_many(session, BESIDE, [each], now=NOW)
        assert told(together) == told(alone)

    async with connected(fresh_database.superuser_url) as connection:
        for query in (ROWS, BALANCES):
            assert await connection.fetch(query, BOOK) == await connection.fetch(query, BESIDE)
    async with fresh_sessions.begin() as session:
        assert await ledger.verify(session) == []


class Counter:
    """Pays parts of holds, one to three at a time, and now and then what must be refused."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.numbers = itertools.count()
        self.asked: list[Journal] = []

    def holds(self) -> Journal:
        """Some that stay, one in minutes, and two that run out at different times."""
        ends = [None, None, None, NOW + timedelta(days=1), NOW + timedelta(hours=1)]
        steps = [Hold(hold_id(number), "li", "point", 6, end) for number, end in enumerate(ends)]
        return journal("holds", *steps, Hold(hold_id(9), "li", "minute", 5))

    def paid(self) -> Journal:
        holds = self.random.sample([0, 1, 2, 3, 9], self.random.randint(1, 3))
        steps: list[Step] = [self.step(number) for number in holds]
        if self.random.random() < 0.3:
            steps[self.random.randrange(len(steps))] = self.wrong()
        if self.asked and self.random.random() < 0.1:
            return self.random.choice(self.asked)
        at = self.random.choice([None, None, NOW, NOW - timedelta(days=2)])
        self.asked.append(journal(f"counter {next(self.numbers)}", *steps, reason="voucher", effective_at=at))
        return self.asked[-1]

    def step(self, number: int, credit: str | None = None, amount: int = 1) -> Capture:
        return Capture(hold_id(number), credit or self.random.choice(["bakery", "chen"]), amount)

    def wrong(self) -> Step:
        steps: list[Step] = [
            self.step(0),  # perhaps twice in one journal, which is right
            self.step(1, amount=7),
            self.step(1, amount=0),
            self.step(4),  # over
            self.step(77),
            self.step(2, "nobody"),
            self.step(2, "gone"),
            self.step(2, "escrow"),
            self.step(9, "bakery"),  # has no account in minutes
            self.step(2, "li"),
            Leg("chen", "bakery", "point", 1),
            ledger.Release(hold_id(3), 1),
        ]
        return self.random.choice(steps)


@pytest.mark.parametrize("seed", range(4))
async def test_captures_by_the_lane_or_by_the_core_are_the_same(
    fresh_database: Database, fresh_sessions: Sessions, fresh_book: int, seed: int
):
    counter = Counter(seed)
    known = issue("start")
    later = NOW + timedelta(hours=2)
    async with fresh_sessions.begin() as session:
        await found(session, BESIDE)
    for book in (BOOK, BESIDE):
        await post(fresh_sessions, known, issue("minutes", unit="minute"), counter.holds(), book=book)

    for _ in range(40):
        asked = counter.paid()
        async with fresh_sessions.begin() as session:
            by_lane = await ledger.post_many(session, BOOK, [asked], now=later)
        async with fresh_sessions.begin() as session:
            # A replay beside it writes nothing, and two journals are the core's.
            _, by_core = await ledger.post_many(session, BESIDE, [known, asked], now=later)
        assert told(by_lane) == told([by_core])

    async with connected(fresh_database.superuser_url) as connection:
        for query in (ROWS, BALANCES, HOLDS):
            assert await connection.fetch(query, BOOK) == await connection.fetch(query, BESIDE)
    async with fresh_sessions.begin() as session:
        assert await ledger.verify(session) == []


async def test_the_lane_is_taken_by_what_is_plain_and_by_nothing_else(
    fresh_database: Database, fresh_sessions: Sessions, fresh_book: int
):
    """Made to fail, the lane stops those who take it and nobody else."""
    await post(fresh_sessions, issue("start"))
    await post(fresh_sessions, journal("aside", ledger.Hold(hold_id(5), "li", "point", 9)))
    for lane in ("post_plain_batch", "post_captures"):
        async with connected(fresh_database.superuser_url) as connection:
            source = await connection.fetchval("SELECT pg_get_functiondef($1::text::regproc)", f"ledger.{lane}")
        await execute(
            fresh_database.superuser_url, source.replace("BEGIN\n", "BEGIN\n    RAISE EXCEPTION 'in the lane';\n", 1)
        )
    plain = [journal(f"plain {n}", Leg("li", "bakery", "point", 1)) for n in range(2)]
    two = journal("two steps", Leg("li", "bakery", "point", 1), Leg("li", "chen", "point", 1))
    held = journal("held", ledger.Hold(hold_id(1), "li", "point", 1))

    async def outcome(*batch: Journal) -> str:
        try:
            async with fresh_sessions.begin() as session:
                verdicts = await ledger.post_many(session, BOOK, batch, now=NOW)
        except Exception as problem:  # noqa: BLE001  (any of the driver's)
            return "in the lane" if "in the lane" in str(problem) else repr(problem)
        return ", ".join(type(verdict).__name__ for verdict in verdicts)

    assert await outcome(*plain) == "in the lane"
    assert await outcome(plain[0]) == "Posted"
    assert await outcome(plain[1], two) == "Posted, Posted"
    assert await outcome(journal("third", Leg("li", "chen", "point", 1)), held) == "Posted, Posted"
    part = ledger.Capture(hold_id(5), "bakery", 1)
    assert await outcome(journal("paid", part)) == "in the lane"
    assert await outcome(journal("paid twice", part, ledger.Capture(hold_id(5), "chen", 1))) == "in the lane"
    assert await outcome(journal("paid and given", part, Leg("li", "chen", "point", 1))) == "Posted"
    assert await outcome(journal("paid", part), plain[0]) == "Posted, Posted"
