"""Everything that can be asked of the ledger, in any order and at any time of the clock, beside the model.

Hypothesis chooses what is asked of which book, when, alone or together, and makes what went wrong as short as it can. Every
example has books of its own in one database. At the end of each the books are proved and compared with the model.
"""

import asyncio
import contextlib
import dataclasses
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy.ext.asyncio import AsyncSession

import ledger
from ledger import (
    AccountSpec,
    ExpiryPolicy,
    ExpiryRule,
    Hold,
    Journal,
    Leg,
    Limits,
    Posted,
    Refund,
    Step,
)
from ledger.journal import _post_batch
from ledger.model import Book
from ledger.model_state import Account, Refused, Verdict
from tests.db import Sessions
from tests.ledger import cast
from tests.ledger.agreement import agree, name_of, said, same_balances, standing
from tests.ledger.cast import ACCOUNTS, NOW, connected, waiting
from tests.ledger.door import door
from tests.ledger.drafts import batches, codes, drafts, policies, reasons, shifts, units

Asked = tuple[Journal, str | None]
"""A journal, and the reference of the one that it reverses."""
BOOKS = 2
NAMESAKES = (AccountSpec("lin", "point"), AccountSpec("lin", "minute"))
"""With Li, those whose points mostly expire, once somebody has said so."""
EXPIRES = ExpiryPolicy("li", ExpiryRule.MONTHS, 1, grace_days=20)
books = st.integers(0, BOOKS - 1)


class Ledgers:
    """Where the examples run: a loop, sessions, and the next free number of a book."""

    def __init__(self, sessions: Sessions, watch_url: str, loop: asyncio.AbstractEventLoop) -> None:
        self.sessions, self.watch_url, self.loop, self.numbers = sessions, watch_url, loop, count(1000)
        self.met = Counter[str]()

    def run(self, work: Awaitable[Any]) -> Any:
        """Wait for it."""
        return self.loop.run_until_complete(work)


class Books(RuleBasedStateMachine):
    """Two books, and the same two in the model."""

    where: ClassVar[Ledgers]

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.models: list[Book] = []
        self.numbers: list[int] = []
        self.kept: list[list[Asked]] = []

    @initialize()
    def found(self) -> None:
        """Open the books with the accounts that all tests have."""
        for _ in range(BOOKS):
            number, model = next(self.where.numbers), Book(NOW)
            for spec in (*ACCOUNTS, *NAMESAKES):
                model.accounts[spec.code, spec.unit] = Account(spec.floor, spec.ceiling, closed=spec.code == "gone")
            self.numbers.append(number)
            self.models.append(model)
            self.in_session(partial(cast.found, book=number))
            self.in_session(partial(self.open_namesakes, number=number))
            aside = (Hold(cast.hold_id(0), "li", "point", 90),)
            start = (Leg("issued", "li", "point", 500), Leg("issued", "chen", "minute", 500))
            first = [Journal("start", "service", start, cast.ZHAO), Journal("aside", "gift", aside, cast.ZHAO)]
            self.post(len(self.models) - 1, [(each, None) for each in first])
        self.make_rule(0, "point", EXPIRES)

    async def open_namesakes(self, session: AsyncSession, number: int) -> None:
        await ledger.open_accounts(session, number, NAMESAKES, now=NOW)

    def in_session(self, work: Callable[[AsyncSession], Awaitable[Any]]) -> Any:
        """Do it in a transaction of its own."""

        async def run() -> Any:
            async with self.where.sessions.begin() as session:
                return await work(session)

        return self.where.run(run())

    def asked(self, book: int, wanted: Sequence[Any]) -> list[Asked]:
        """What was drawn, with the names and times of now."""
        asked = []
        for draft in wanted:
            legs, original = tuple(self.named(book, step) for step in draft["steps"]), None
            if draft["original"] is not None:
                known = list(self.models[book].entries)[::-1]
                original = known[draft["original"] % len(known)] if draft["original"] % 10 else "never"
                back = self.models[book].entries.get(original)
                if back is not None and draft["original"] % 3 == 0:  # a part of it, led back along its legs
                    legs = tuple(
                        Leg(x.credit, x.debit, x.unit, max(1, x.amount // 2)) for x in back.steps if isinstance(x, Leg)
                    )
                elif draft["original"] % 3 == 1:
                    legs = ()
            effective_at = self.at(draft["effective"])
            asked.append((Journal(draft["reference"], draft["reason"], legs, cast.ZHAO, None, effective_at), original))
        return asked

    def named(self, book: int, step: Any) -> Step:
        """Captures and releases speak mostly of holds that are there, often of one that is open."""
        if isinstance(step, Leg):
            return step
        known = self.models[book].holds
        paid = isinstance(step, Refund)
        going = [each for each, held in known.items() if (held.captured > held.refunded if paid else held.rest)]
        going = going or list(known)
        place = step.hold_id
        if isinstance(step, Hold):
            hold_id = cast.hold_id(len(known) + place % 3)
            return Hold(hold_id, step.account, step.unit, step.amount, self.at(step.expires_at))
        hold_id = going[place % len(going)] if going and place % 6 != 5 else cast.hold_id(len(known) + place % 3)
        return dataclasses.replace(step, hold_id=hold_id)  # type: ignore[no-any-return]

    def at(self, hour: Any) -> datetime | None:
        return None if hour is None else self.now + timedelta(hours=hour)

    def post(self, book: int, batch: list[Asked]) -> None:
        """Post a batch and compare."""
        now = self.now
        verdicts = self.in_session(lambda session: _post_batch(session, self.numbers[book], batch, now=now))
        self.compare(book, batch, verdicts, now)
        self.kept.append(batch)

    def compare(self, book: int, batch: list[Asked], verdicts: Sequence[Any], now: datetime) -> None:
        for (journal, original), verdict in zip(batch, verdicts, strict=True):
            expected = self.models[book].post(journal, original=original, now=now)
            assert said(verdict) == expected, (journal, original)
            self.where.met[getattr(verdict, "code", "posted")] += 1

    def tick(self, shift: int) -> None:
        self.now += timedelta(minutes=shift)

    @rule(book=books, wanted=batches, shift=shifts)
    def ask(self, book: int, wanted: Sequence[Any], shift: int) -> None:
        """One batch, whose journals may speak of each other."""
        self.tick(shift)
        self.post(book, self.asked(book, wanted))

    @rule(book=books, account=st.sampled_from(("li", "lin", "chen")), amount=st.integers(1, 90), shift=shifts)
    def earn(self, book: int, account: str, amount: int, shift: int) -> None:
        """Somebody has something new, so that what expires at one time meets what expires at another."""
        self.tick(shift)
        earned = Leg("issued", account, "point", amount)
        self.post(book, [(Journal(f"earned {len(self.kept)}", "service", (earned,), cast.ZHAO), None)])

    @rule(book=books, place=st.integers(0, 30), shift=shifts)
    def ask_again(self, book: int, place: int, shift: int) -> None:
        """A retry, in the same book or the other one."""
        self.tick(shift)
        self.post(book, self.kept[place % len(self.kept)])

    @rule(book=books, code=codes, unit=units, floor=st.sampled_from((None, 0, -5)))
    def open_account(self, book: int, code: str, unit: str, floor: int | None) -> None:
        """Open an account, often one that is there."""
        if unit == "yuan":
            return
        expected = self.models[book].open_account(code, unit, floor, None)
        self.told(lambda s: ledger.open_account(s, self.numbers[book], code, unit, floor=floor, now=self.now), expected)

    @rule(book=books, code=codes, unit=units)
    def close_account(self, book: int, code: str, unit: str) -> None:
        """Close an account if it is empty; not escrow, without which nothing can be held any more."""
        if code == "escrow":
            return
        expected = self.models[book].close_account(code, unit, self.now)
        self.told(lambda s: ledger.close_account(s, self.numbers[book], code, unit, now=self.now), expected)

    @rule(book=books, back=st.integers(-1, 90), shift=shifts)
    def close_period(self, book: int, back: int, shift: int) -> None:
        """Close the book up to some hours ago."""
        self.tick(shift)
        until = self.now - timedelta(hours=back)
        expected = self.models[book].close_period(until, self.now)
        self.told(
            lambda s: ledger.close_period(s, self.numbers[book], until=until, actor_id=cast.ZHAO, now=self.now),
            expected,
        )

    @rule(book=books, code=codes, reason=reasons, limit=st.sampled_from((0, 20, 500, -1)))
    def allow_debt(self, book: int, code: str, reason: str, limit: int) -> None:
        """Let reversals for this reason go below the floor."""
        expected = self.models[book].allow_debt(code, "point", reason, limit, self.now)
        self.told(
            lambda s: ledger.allow_debt(
                s, self.numbers[book], code, "point", reason=reason, limit=limit, actor_id=cast.ZHAO, now=self.now
            ),
            expected,
        )

    def told(self, act: Callable[[AsyncSession], Awaitable[Any]], expected: Refused | None) -> None:
        with contextlib.nullcontext() if expected is None else pytest.raises(expected) as refusal:
            self.in_session(act)
        assert refusal is None or type(refusal.value) is expected

    @rule(book=books, unit=units, policy=policies, shift=shifts)
    def set_expiry(self, book: int, unit: str, policy: ExpiryPolicy, shift: int) -> None:
        """Somebody makes a rule, the first one or another."""
        if unit == "yuan":
            return
        self.tick(shift)
        self.make_rule(book, unit, policy)

    def make_rule(self, book: int, unit: str, policy: ExpiryPolicy) -> None:
        """The same rule in the book and in the model."""
        expected = self.models[book].set_expiry(unit, policy, self.now)
        self.where.met["rule" if expected is None else expected.code] += 1
        self.told(
            lambda s: ledger.set_expiry(s, self.numbers[book], unit, policy, actor_id=cast.ZHAO, now=self.now), expected
        )

    @rule(book=books, shift=shifts)
    def sweep(self, book: int, shift: int) -> None:
        """Take away what is over."""
        self.tick(shift)
        number, now = self.numbers[book], self.now

        async def run(session: AsyncSession) -> dict[tuple[str, str], tuple[int, Verdict, str]]:
            done = await ledger.sweep(session, number, reason="expired", now=now)
            return {
                (x.account, x.unit): (x.amount, said(x.verdict), await name_of(session, number, x.verdict))
                for x in done
            }

        done = self.in_session(run)
        over = self.models[book].sweep("expired", now, {key: name for key, (_, _, name) in done.items()})
        assert {key: (amount, verdict) for key, (amount, verdict, _) in done.items()} == over
        self.where.met["swept"] += len(over)

    @rule(book=books, shift=shifts)
    def expire(self, book: int, shift: int) -> None:
        """Give back the holds whose time is over."""
        self.tick(shift)
        done = self.in_session(lambda s: ledger.expire(s, self.numbers[book], reason="expired", now=self.now))
        expected = self.models[book].expire("expired", self.now)
        assert {each.hold_id: said(each.verdict) for each in done} == expected

    @rule(book=books, first=batches, second=batches, is_kept=st.booleans(), shift=shifts)
    def two_at_once(self, book: int, first: Sequence[Any], second: Sequence[Any], is_kept: bool, shift: int) -> None:
        """One has posted and not committed, the other asks meanwhile: it waits, and then sees what became of the first."""
        self.tick(shift)
        one, other, number, now = self.asked(book, first), self.asked(book, second), self.numbers[book], self.now

        async def meet() -> tuple[Sequence[Any], Sequence[Any]]:
            async def follow() -> Sequence[Any]:
                async with self.where.sessions.begin() as session:
                    return await _post_batch(session, number, other, now=now)

            async with self.where.sessions() as session, connected(self.where.watch_url) as watch:
                told = await _post_batch(session, number, one, now=now)
                task = asyncio.create_task(follow())
                await waiting(watch, 1)
                await (session.commit() if is_kept else session.rollback())
            return told, await task

        told, after = self.where.run(meet())
        if is_kept:
            self.compare(book, one, told, now)
        self.compare(book, other, after, now)

    @rule(
        book=books,
        wanted=st.lists(drafts, min_size=2, max_size=10),
        leaving=st.sets(st.integers(0, 9), max_size=4),
        patience=st.integers(0, 12),
        shift=shifts,
    )
    def many_at_the_door(self, book: int, wanted: Sequence[Any], leaving: set[int], patience: int, shift: int) -> None:
        """Callers of the group poster, some of whom leave: their journals are posted or not, and the others are answered."""
        self.tick(shift)
        journals, number, now = [journal for journal, _ in self.asked(book, wanted)], self.numbers[book], self.now

        async def gather() -> list[Any]:
            poster = door(self.where.sessions, Limits(posters=1, journals=3))
            tasks = [asyncio.create_task(poster.post(number, each, now=now)) for each in journals]
            for _ in range(patience):
                await asyncio.sleep(0)
            names = [each.reference for each in journals]
            for place in leaving:
                # Of two who ask under one reference it could not be told afterwards whose journal stands there.
                if place < len(tasks) and names.count(names[place]) == 1:
                    tasks[place].cancel()
            told = await asyncio.gather(*tasks, return_exceptions=True)
            await poster.close()
            return told

        verdicts, model = self.where.run(gather()), self.models[book]
        for journal, told in zip(journals, verdicts, strict=True):
            verdict = told
            if isinstance(told, asyncio.CancelledError):
                found = self.in_session(partial(standing, number=number, reference=journal.reference))
                known = model.entries.get(journal.reference)
                if found is None or (known is not None and known.journal_id == found):
                    continue  # Left out or refused, or what stands there is older.
                verdict = Posted(found, replayed=False)
            assert said(verdict) == model.post(journal, now=now), journal

    @invariant()
    def is_as_the_model_says(self) -> None:
        """Balances, and what they consist of."""
        self.in_session(self.all_the_same)
        self.where.met["lots"] += sum(len(each.lots) > 1 for model in self.models for each in model.accounts.values())

    async def all_the_same(self, session: AsyncSession) -> None:
        for number, model in zip(self.numbers, self.models, strict=True):
            await same_balances(session, number, model)

    @rule(book=books, account=st.sampled_from(("li", "lin")), left=st.integers(0, 2), more=st.integers(-1, 1))
    def take_away_and_spend(self, book: int, account: str, left: int, more: int) -> None:
        """One batch takes away what is over, all but a little, and spends about all that lives."""
        model = self.models[book]
        known = model.accounts[account, "point"]
        over = known.over(max(model.at, self.now))
        away = Leg(account, "expired", "point", max(1, over - left))
        spent = Leg(account, "bakery", "point", max(1, known.balance - over + more))
        names = (f"{word} {len(self.kept)}" for word in ("away", "spent"))
        journals = [Journal(next(names), "gift", (leg,), cast.ZHAO) for leg in (away, spent)]
        self.post(book, [(each, None) for each in journals])

    def teardown(self) -> None:
        """The books are whole, and hold what the model holds."""
        for number, model in zip(self.numbers, self.models, strict=True):
            self.in_session(partial(agree, number=number, model=model))


def play(where: Ledgers, **options: Any) -> None:
    """As many examples as the options of Hypothesis say."""
    played = type("Played", (Books,), {"where": where})
    chosen = settings(deadline=None, suppress_health_check=list(HealthCheck), **options)
    run_state_machine_as_test(played, settings=chosen)
