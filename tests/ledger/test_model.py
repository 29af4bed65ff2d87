"""Random batches against the Python model: the same verdicts, balances and holds, and books that verify."""

import random
from datetime import datetime, timedelta

import pytest

import ledger
from ledger import Capture, Hold, Journal, LedgerRefusal, Leg, Posted, Release, Step
from ledger.journal import _post_batch
from ledger.model import Account, Book, Verdict
from ledger.rules import PRECEDENCE
from tests.db import Sessions
from tests.ledger import cast
from tests.ledger.cast import ACCOUNTS, NOW

CODES = ("issued", "li", "chen", "bakery", "jar", "gone", "nobody", "escrow")
OFTEN = ("li", "chen", "bakery", "jar")
Asked = tuple[Journal, str | None]


class Crowd:
    """Asks for things, mostly sensible, knowing what it asked for before."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.asked: list[Asked] = []
        self.now = NOW
        self.held = 0

    def ask(self) -> Asked:
        """One journal, or a journal and what it reverses."""
        dice = self.random.random()
        if self.asked and dice < 0.12:
            return self.again()
        if self.asked and dice < 0.24:
            asked = self.reversal()
        else:
            many = self.random.choice((1, 1, 1, 2, 2, 3, 5))
            steps = tuple(self.step() for _ in range(many)) if self.random.random() > 0.02 else ()
            asked = self.journal(steps), None
        self.asked.append(asked)
        return asked

    def again(self) -> Asked:
        """A retry, sometimes not quite the same."""
        journal, original = self.random.choice(self.asked[-60:])
        change = self.random.randrange(5)
        reason = "other" if change == 0 else journal.reason
        legs = (*journal.legs, self.step()) if change == 1 else journal.legs
        effective_at = None if change == 2 else journal.effective_at
        return Journal(journal.reference, reason, legs, None, None, effective_at), original

    def reversal(self) -> Asked:
        journal, _ = self.random.choice(self.asked[-40:])
        legs: tuple[Step, ...] = ()
        if self.random.random() < 0.5:
            back = [Leg(x.credit, x.debit, x.unit, self.amount(x.amount)) for x in journal.legs if isinstance(x, Leg)]
            legs = tuple(back[: self.random.randint(0, 3)])
            if self.random.random() < 0.35:
                legs = (*legs, self.step())
        original = journal.reference if self.random.random() < 0.95 else "never"
        return self.journal(legs), original

    def journal(self, steps: tuple[Step, ...]) -> Journal:
        reference = (
            f"r{len(self.asked)}" if self.random.random() > 0.02 else self.random.choice(("", "x" * 201, "a\tb"))
        )
        reason = self.random.choice(("service", "gift", "心愿"))
        effective = self.now + timedelta(hours=self.random.randint(-99, 1)) if self.random.random() < 0.3 else None
        return Journal(reference, reason, steps, cast.ZHAO, self.random.choice((None, cast.LI)), effective)

    def step(self) -> Step:
        dice = self.random.random()
        unit = self.random.choice(("point", "point", "point", "minute", "yuan" if dice < 0.1 else "minute"))
        if dice < 0.25:
            return Leg("issued", self.code(), unit, self.amount(300))
        if dice < 0.55:
            return Leg(self.code(), self.code(), unit, self.amount(80))
        if dice < 0.72:
            self.held += self.random.random() < 0.95
            expires = self.now + timedelta(hours=self.random.randint(-1, 8)) if self.random.random() < 0.5 else None
            return Hold(cast.hold_id(self.held), self.code(), unit, self.amount(60), expires)
        held = cast.hold_id(max(1, self.held - self.random.choice((0, 0, 0, 1, 2, 5, 20))))
        if dice < 0.88:
            return Capture(held, self.code(), self.amount(20))
        return Release(held, self.random.choice((None, self.amount(20))))

    def code(self) -> str:
        return self.random.choice(OFTEN if self.random.random() < 0.93 else CODES)

    def amount(self, most: int) -> int:
        if self.random.random() < 0.02:
            return self.random.choice((0, -3, ledger.AMOUNT_MAX + 1, 10**25))
        return self.random.randint(1, max(1, most))


def said(verdict: Posted | LedgerRefusal) -> Verdict:
    if isinstance(verdict, Posted):
        return Verdict(verdict.journal_id, verdict.replayed)
    return Verdict(refusal=type(verdict), step=verdict.step)


def modelled(asked: list[Asked], model: Book, now: datetime) -> list[Verdict]:
    return [model.post(journal, original=original, now=now) for journal, original in asked]


async def play(sessions: Sessions, book: int, seed: int, batches: int) -> set[type[LedgerRefusal] | None]:
    crowd, model = Crowd(seed), Book(NOW)
    async with sessions.begin() as session:
        await cast.found(session, book)
    for spec in ACCOUNTS:
        model.accounts[spec.code, spec.unit] = Account(spec.floor, spec.ceiling, closed=spec.code == "gone")
    met: set[type[LedgerRefusal] | None] = set()
    for _ in range(batches):
        crowd.now += timedelta(minutes=crowd.random.randint(-10, 120))
        asked = [crowd.ask() for _ in range(crowd.random.choice((1, 2, 5, 20, 60)))]
        expected = modelled(asked, model, crowd.now)
        async with sessions.begin() as session:
            verdicts = [said(verdict) for verdict in await _post_batch(session, book, asked, now=crowd.now)]
        for (journal, original), got, wanted in zip(asked, verdicts, expected, strict=True):
            assert got == wanted, (seed, journal, original)
        met |= {verdict.refusal for verdict in verdicts}
    async with sessions.begin() as session:
        assert await ledger.verify(session, book) == []
        assert await ledger.balances(session, book, model.accounts) == {
            key: account.balance for key, account in model.accounts.items()
        }
        kept = await ledger.holds(session, book, model.holds)
        assert {key: hold.remaining for key, hold in kept.items()} == {key: x.rest for key, x in model.holds.items()}
    return met


@pytest.mark.parametrize("seed", range(8))
async def test_the_functions_do_what_the_model_does(sessions: Sessions, seed: int):
    await play(sessions, 100 + seed, seed, batches=15)


async def test_the_crowd_runs_into_every_refusal(sessions: Sessions):
    met: set[type[LedgerRefusal] | None] = set()
    for seed in range(200, 203):
        met |= await play(sessions, seed, seed, batches=25)
    not_by_the_front_door = {ledger.BookNotFound, ledger.UnitMismatch}
    assert met - {None} == set(PRECEDENCE) - not_by_the_front_door


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 1020))
async def test_the_functions_do_what_the_model_does_for_long(sessions: Sessions, seed: int):
    await play(sessions, seed, seed, batches=80)
