"""Random batches against the Python model: the same verdicts, balances and holds, and books that verify."""

import dataclasses
import random
from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel.ext.asyncio.session import AsyncSession

import ledger
from ledger import (
    AccountSpec,
    Capture,
    ExpiryPolicy,
    ExpiryRule,
    Hold,
    Journal,
    LedgerRefusal,
    Leg,
    Posted,
    Refund,
    Release,
    Step,
)
from ledger.journal import _post_batch
from ledger.model import Book
from ledger.model_lots import NEVER
from ledger.model_state import Account, Verdict
from ledger.refusals import PRECEDENCE
from tests.db import Sessions
from tests.ledger import cast
from tests.ledger.cast import ACCOUNTS, NOW

CODES = ("issued", "li", "chen", "bakery", "jar", "gone", "nobody", "escrow")
OFTEN = ("li", "chen", "bakery", "jar")
NAMESAKES = (AccountSpec("lin", "point"), AccountSpec("lin", "minute"))
"""With Li, those whose points expire in some of the games."""
Asked = tuple[Journal, str | None]


GUARDED = ("li", "li", "li", "chen", "chen", "chen", "bakery", "jar", "gone", "nobody", "escrow")


class Crowd:
    """Asks for things, mostly sensible, knowing what it asked for before."""

    def __init__(self, seed: int, often: tuple[str, ...] = OFTEN) -> None:
        self.random = random.Random(seed)
        self.often = often
        self.asked: list[Asked] = []
        self.now = NOW
        self.held = 0
        self.plot: list[Asked] = []

    def ask(self) -> Asked:
        """One journal, or a journal and what it reverses."""
        dice = self.random.random()
        if self.plot:
            self.asked.append(self.plot.pop(0))
            return self.asked[-1]
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

    def fall_into_debt(self, has: int) -> None:
        """What Li earned is spent and then taken back, and Li wants to spend more."""
        earned, n = 300, len(self.asked)
        legs = (
            (Leg("issued", "li", "point", earned),),
            (Leg("li", "bakery", "point", has + earned - 50),),
            (),
            (Leg("li", "chen", "point", 1),),
        )
        asked = [Journal(f"plot {n} {place}", "gift", each, cast.ZHAO) for place, each in enumerate(legs)]
        self.plot = [(each, asked[0].reference if not each.legs else None) for each in asked]

    def again(self) -> Asked:
        """A retry, sometimes not quite the same."""
        journal, original = self.random.choice(self.asked[-60:])
        change = self.random.randrange(5)
        reason = "other" if change == 0 else journal.reason
        legs = (*journal.legs, self.step()) if change == 1 else journal.legs
        effective_at = None if change == 2 else journal.effective_at
        return Journal(journal.reference, reason, legs, None, None, effective_at), original

    def reversal(self) -> Asked:
        given = [
            each for each in self.asked[-40:] if any(isinstance(x, Leg) and x.debit == "issued" for x in each[0].legs)
        ]
        journal, _ = self.random.choice(given if given and self.random.random() < 0.5 else self.asked[-40:])
        legs: tuple[Step, ...] = ()
        if self.random.random() < 0.5:
            back = [Leg(x.credit, x.debit, x.unit, self.amount(x.amount)) for x in journal.legs if isinstance(x, Leg)]
            legs = tuple(back[: self.random.randint(0, 3)])
            if self.random.random() < 0.35:
                legs = (*legs, self.step())
        original = journal.reference if self.random.random() < 0.95 else "never"
        return dataclasses.replace(self.journal(legs), reason=self.random.choice(("gift", "gift", "service"))), original

    def journal(self, steps: tuple[Step, ...]) -> Journal:
        reference = (
            f"r{len(self.asked)}" if self.random.random() > 0.02 else self.random.choice(("", "x" * 201, "a\tb"))
        )
        reason = self.random.choice(("service", "gift", "心愿"))
        effective = self.now + timedelta(hours=self.random.randint(-99, 1)) if self.random.random() < 0.3 else None
        if self.random.random() < 0.01:
            effective = datetime(self.random.choice((1, 9999)), 12, 31, tzinfo=UTC)
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
        if dice < 0.86:
            return Capture(held, self.code(), self.amount(20))
        if dice < 0.92:
            return Refund(held, self.code(), self.amount(15))
        return Release(held, self.random.choice((None, self.amount(20))))

    def code(self) -> str:
        return self.random.choice(self.often if self.random.random() < 0.93 else CODES)

    def amount(self, most: int) -> int:
        if self.random.random() < 0.02:
            return self.random.choice((0, -3, ledger.AMOUNT_MAX + 1, 10**25))
        return self.random.randint(1, max(1, most))


async def guard(session: AsyncSession, book: int, crowd: Crowd, model: Book) -> set[type[LedgerRefusal] | None]:
    """Between two batches somebody closes a period, allows a debt, or lets holds expire."""
    dice, now = crowd.random.random(), crowd.now
    if dice < 0.1:
        until = now - timedelta(hours=crowd.random.choice((-2, 10, 50, 90, 200)))
        expected = model.close_period(until, now)
        act = ledger.close_period(session, book, until=until, actor_id=cast.ZHAO, now=now)
    elif dice < 0.6:
        account, reason = crowd.random.choice(GUARDED), crowd.random.choice(("service", "gift", "gift", ""))
        limit = crowd.random.choice((-1, 0, 10, 500, 500, 500, ledger.AMOUNT_MAX + 1))
        expected = model.allow_debt(account, "point", reason, limit, now)
        act = ledger.allow_debt(
            session, book, account, "point", reason=reason, limit=limit, actor_id=cast.ZHAO, now=now
        )
    elif dice < 0.9:
        due = model.expire("expired", now)
        done = await ledger.expire(session, book, reason="expired", limit=10_000, now=now)
        assert {each.hold_id: said(each.verdict) for each in done} == due
        return {verdict.refusal for verdict in due.values()}
    else:
        crowd.fall_into_debt(model.accounts["li", "point"].balance)
        expected = model.allow_debt("li", "point", "gift", 500, now)
        act = ledger.allow_debt(session, book, "li", "point", reason="gift", limit=500, actor_id=cast.ZHAO, now=now)
    told: type[LedgerRefusal] | None = None
    try:
        await act
    except LedgerRefusal as refusal:
        told = type(refusal)
    assert told is expected
    return {told}


async def time_passes(session: AsyncSession, book: int, crowd: Crowd, model: Book) -> None:
    """Somebody makes another rule for what expires, or takes away what is over."""
    if crowd.random.random() < 0.3:
        policy = ExpiryPolicy(
            "li",
            crowd.random.choice(list(ExpiryRule)),
            crowd.random.choice((1, 2, 12)),
            crowd.random.choice((0, 0, 20)),
        )
        model.set_expiry("point", policy, crowd.now)
        await ledger.set_expiry(session, book, "point", policy, actor_id=cast.ZHAO, now=crowd.now)
    elif crowd.random.random() < 0.5:
        model.sweep("expired", crowd.now)
        swept = await ledger.sweep(session, book, reason="expired", limit=10_000, now=crowd.now)
        assert all(isinstance(each.verdict, Posted) for each in swept)


def said(verdict: Posted | LedgerRefusal) -> Verdict:
    if isinstance(verdict, Posted):
        return Verdict(verdict.journal_id, verdict.replayed)
    return Verdict(refusal=type(verdict), step=verdict.step)


def modelled(asked: list[Asked], model: Book, now: datetime) -> list[Verdict]:
    return [model.post(journal, original=original, now=now) for journal, original in asked]


async def play(
    sessions: Sessions, book: int, seed: int, batches: int, *, lots: bool = False
) -> set[type[LedgerRefusal] | None]:
    crowd, model = Crowd(seed, (*OFTEN, "lin", "li") if lots else OFTEN), Book(NOW)
    async with sessions.begin() as session:
        await cast.found(session, book)
        await ledger.open_accounts(session, book, NAMESAKES, now=NOW)
    for spec in (*ACCOUNTS, *NAMESAKES):
        model.accounts[spec.code, spec.unit] = Account(spec.floor, spec.ceiling, closed=spec.code == "gone")
    met: set[type[LedgerRefusal] | None] = set()
    for _ in range(batches):
        crowd.now += timedelta(minutes=crowd.random.randint(-10, 120), days=crowd.random.choice((0, 9)) if lots else 0)
        asked = [crowd.ask() for _ in range(crowd.random.choice((1, 2, 5, 20, 60)))]
        expected = modelled(asked, model, crowd.now)
        async with sessions.begin() as session:
            verdicts = [said(verdict) for verdict in await _post_batch(session, book, asked, now=crowd.now)]
        for (journal, original), got, wanted in zip(asked, verdicts, expected, strict=True):
            assert got == wanted, (seed, journal, original)
        async with sessions.begin() as session:
            met |= await guard(session, book, crowd, model)
        if lots:
            async with sessions.begin() as session:
                await time_passes(session, book, crowd, model)
        met |= {verdict.refusal for verdict in verdicts}
    async with sessions.begin() as session:
        assert await ledger.verify(session, book) == []
        assert await ledger.balances(session, book, model.accounts) == {
            key: account.balance for key, account in model.accounts.items()
        }
        owing = {
            (debt.account, debt.unit): (debt.owed, debt.reason, debt.limit)
            for debt in await ledger.debts(session, book)
        }
        assert owing == {key: (x.owed, x.debt_reason, x.debt_limit) for key, x in model.accounts.items() if x.owed}
        for code in ("li", "lin"):
            lie = {lot.expires_at or NEVER: lot.amount for lot in await ledger.lots(session, book, code, "point")}
            assert lie == model.accounts[code, "point"].lots
        kept = await ledger.holds(session, book, model.holds)
        assert {key: hold.remaining for key, hold in kept.items()} == {key: x.rest for key, x in model.holds.items()}
    return met


@pytest.mark.parametrize("seed", range(8))
async def test_the_functions_do_what_the_model_does(sessions: Sessions, seed: int):
    await play(sessions, 100 + seed, seed, batches=15)


@pytest.mark.parametrize("seed", range(50, 58))
async def test_lots_go_as_the_model_says(sessions: Sessions, seed: int):
    await play(sessions, seed, seed, batches=20, lots=True)


async def test_the_crowd_runs_into_every_refusal(sessions: Sessions):
    not_here = {ledger.BatchTooLarge, ledger.BookNotFound, ledger.UnitMismatch}
    guards = {ledger.PeriodGoesBack, ledger.PeriodNotOver, ledger.DebtMalformed, ledger.DebtOpen}
    missing = set(PRECEDENCE) - not_here | guards
    for seed in range(200, 230):
        missing -= await play(sessions, seed, seed, batches=25)
        if not missing:
            break
    assert missing == set()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 1020))
async def test_the_functions_do_what_the_model_does_for_long(sessions: Sessions, seed: int):
    await play(sessions, seed, seed, batches=80, lots=seed % 2 == 0)
