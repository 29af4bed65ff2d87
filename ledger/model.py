"""The ledger's rules once more, as plain Python: what the property tests compare the SQL functions with.

It is written for reading and knows nothing of databases, batches or locks. One journal after the other is all there is.
"""

import re
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from ledger import refusals
from ledger.refusals import LedgerRefusal
from ledger.rules import AMOUNT_MAX, BALANCE_MAX, ESCROW, Capture, Hold, Journal, Leg, Release, Step

Refused = type[LedgerRefusal]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a journal: its number, or the refusal and the step that met it."""

    journal_id: int | None = None
    replayed: bool = False
    refusal: Refused | None = None
    step: int | None = None


@dataclass(slots=True)
class Account:
    """A balance and its bounds."""

    floor: int | None = 0
    ceiling: int | None = None
    balance: int = 0
    closed: bool = False
    debt_reason: str | None = None
    debt_limit: int = 0

    @property
    def owed(self) -> int:
        """How far it is below its floor."""
        return 0 if self.floor is None else max(0, self.floor - self.balance)


@dataclass(slots=True)
class Held:
    """A hold."""

    account: str
    unit: str
    amount: int
    expires_at: datetime | None
    captured: int = 0
    released: int = 0

    @property
    def rest(self) -> int:
        """What is left of it."""
        return self.amount - self.captured - self.released


@dataclass(slots=True)
class Entry:
    """A posted journal with its amounts as they came out."""

    journal_id: int
    journal: Journal
    steps: tuple[Step, ...]
    original: str | None
    effective_at: datetime


@dataclass(slots=True)
class Book:
    """One community's book."""

    at: datetime
    seq: int = 0
    closed_until: datetime | None = None
    accounts: dict[tuple[str, str], Account] = field(default_factory=dict)
    holds: dict[UUID, Held] = field(default_factory=dict)
    entries: dict[str, Entry] = field(default_factory=dict)

    def post(self, journal: Journal, *, original: str | None = None, now: datetime) -> Verdict:
        """Post a journal, or reverse the one whose reference is `original`."""
        steps = journal.legs
        if original in self.entries and not steps:
            steps = _turned_round(self.entries[original].steps)
        known = self.entries.get(journal.reference)
        if known is not None:
            if _same(known, journal, steps, original):
                return Verdict(known.journal_id, replayed=True)
            return Verdict(refusal=refusals.ReferenceReused)
        refusal = self._look(journal, steps, original, now)
        if refusal is not None:
            return Verdict(refusal=refusal)
        draft = deepcopy((self.accounts, self.holds))
        at, done = max(self.at, now), []
        for place, step in enumerate(steps, 1):
            refusal = self._take(step, at, undoing=journal.reason if original is not None else None)
            if refusal is not None:
                self.accounts, self.holds = draft
                return Verdict(refusal=refusal, step=place)
            done.append(self._move(step))
        journal_id = self.seq + 1
        self.seq, self.at = self.seq + len(steps), at
        effective_at = journal.effective_at or max(now, self.closed_until or now)
        self.entries[journal.reference] = Entry(journal_id, journal, tuple(done), original, effective_at)
        return Verdict(journal_id)

    def close_period(self, until: datetime, now: datetime) -> Refused | None:
        """Let nothing take effect before `until` any more."""
        if self.closed_until is not None and until < self.closed_until:
            return refusals.PeriodGoesBack
        if until != self.closed_until:
            if until > max(self.at, now):
                return refusals.PeriodNotOver
            self.closed_until, self.at = until, max(self.at, now)
        return None

    def allow_debt(self, code: str, unit: str, reason: str, limit: int, now: datetime) -> Refused | None:
        """Let reversals with this reason take an account below its floor."""
        account = self.accounts.get((code, unit))
        if account is None:
            return refusals.AccountNotFound
        if account.closed:
            return refusals.AccountClosed
        if account.floor is None or code == ESCROW or not (0 <= limit <= AMOUNT_MAX and _is_line(reason)):
            return refusals.DebtMalformed
        if limit < account.owed:
            return refusals.DebtOpen
        if limit != account.debt_limit or (limit and reason != account.debt_reason):
            account.debt_reason, account.debt_limit = (reason if limit else None), limit
            self.at = max(self.at, now)
        return None

    def expire(self, reason: str, now: datetime) -> dict[UUID, Verdict]:
        """Give back what is left of the holds whose time is over."""
        at = max(self.at, now)
        due = [
            (held.expires_at, hold_id)
            for hold_id, held in self.holds.items()
            if held.rest and held.expires_at is not None and held.expires_at <= at
        ]
        return {
            hold_id: self.post(Journal(f"hold:{hold_id}:expired", reason, (Release(hold_id),), None), now=now)
            for _, hold_id in sorted(due)
        }

    def _look(self, journal: Journal, steps: Sequence[Step], original: str | None, now: datetime) -> Refused | None:
        if not (_is_line(journal.reference) and _is_line(journal.reason)):
            return refusals.JournalMalformed
        if journal.effective_at is not None and journal.effective_at > now:
            return refusals.EffectiveInFuture
        if journal.effective_at is not None and journal.effective_at < datetime(1970, 1, 1, tzinfo=UTC):
            return refusals.EffectiveTooEarly
        if journal.effective_at is not None and journal.effective_at < (self.closed_until or journal.effective_at):
            return refusals.PeriodClosed
        if original is not None:
            return self._look_at_original(original, steps)
        return None if steps else refusals.JournalEmpty

    def _look_at_original(self, reference: str, steps: Sequence[Step]) -> Refused | None:
        entry = self.entries.get(reference)
        if entry is None:
            return refusals.OriginalNotFound
        if entry.original is not None:
            return refusals.OriginalIsReversal
        if not all(isinstance(step, Leg) for step in entry.steps):
            return refusals.OriginalHasHolds
        if any(other.original == reference for other in self.entries.values()):
            return refusals.AlreadyReversed
        moved, back = _totals(_turned_round(entry.steps)), _totals(steps)
        if any(amount > moved.get(way, 0) for way, amount in back.items()):
            return refusals.ReversalExceeds
        return None

    def _take(self, step: Step, at: datetime, *, undoing: str | None) -> Refused | None:
        if undoing is not None and not isinstance(step, Leg):
            return refusals.StepMalformed
        if step.amount is not None and not 1 <= step.amount <= AMOUNT_MAX:
            return refusals.AmountOutOfBounds
        if isinstance(step, Leg) and step.debit == step.credit:
            return refusals.SameAccount
        if ESCROW in _named(step):
            return refusals.EscrowReserved
        return self._look_at_hold(step, at) or self._look_at_accounts(step, undoing)

    def _look_at_hold(self, step: Step, at: datetime) -> Refused | None:  # noqa: PLR0911  (their order is the rule)
        if isinstance(step, Leg):
            return None
        held = self.holds.get(step.hold_id)
        if isinstance(step, Hold):
            return None if held is None else refusals.HoldExists
        if held is None:
            return refusals.HoldNotFound
        if held.rest == 0:
            return refusals.HoldClosed
        if isinstance(step, Capture) and held.expires_at is not None and held.expires_at <= at:
            return refusals.HoldExpired
        if step.amount is not None and step.amount > held.rest:
            return refusals.HoldExceeded
        return None

    def _look_at_accounts(self, step: Step, undoing: str | None) -> Refused | None:
        debit, credit, unit, amount = self._way(step)
        giver, taker = self.accounts.get((debit, unit)), self.accounts.get((credit, unit))
        if giver is None or taker is None:
            return refusals.AccountNotFound
        if giver.closed or (taker.closed and not isinstance(step, Release)):
            return refusals.AccountClosed
        floor = -BALANCE_MAX if giver.floor is None else giver.floor
        low = floor - giver.debt_limit if undoing is not None and undoing == giver.debt_reason else floor
        if giver.balance - amount < low:
            return refusals.AccountInDebt if giver.balance < floor else refusals.InsufficientBalance
        if taker.balance + amount > (BALANCE_MAX if taker.ceiling is None else taker.ceiling):
            return refusals.OverCeiling
        return None

    def _way(self, step: Step) -> tuple[str, str, str, int]:
        match step:
            case Leg():
                return step.debit, step.credit, step.unit, step.amount
            case Hold():
                return step.account, ESCROW, step.unit, step.amount
            case Capture():
                return ESCROW, step.credit, self.holds[step.hold_id].unit, step.amount
            case Release():
                held = self.holds[step.hold_id]
                return ESCROW, held.account, held.unit, held.rest if step.amount is None else step.amount

    def _move(self, step: Step) -> Step:
        debit, credit, unit, amount = self._way(step)
        self.accounts[debit, unit].balance -= amount
        self.accounts[credit, unit].balance += amount
        match step:
            case Hold():
                self.holds[step.hold_id] = Held(step.account, unit, amount, step.expires_at)
            case Capture():
                self.holds[step.hold_id].captured += amount
            case Release():
                self.holds[step.hold_id].released += amount
                return Release(step.hold_id, amount)
        return step


def _named(step: Step) -> tuple[str, ...]:
    match step:
        case Leg():
            return step.debit, step.credit
        case Hold():
            return (step.account,)
        case Capture():
            return (step.credit,)
        case Release():
            return ()


def _turned_round(steps: Sequence[Step]) -> tuple[Step, ...]:
    return tuple(Leg(step.credit, step.debit, step.unit, step.amount) for step in steps if isinstance(step, Leg))


def _totals(steps: Sequence[Step]) -> dict[tuple[str, str, str], int]:
    totals: dict[tuple[str, str, str], int] = {}
    for step in steps:
        if isinstance(step, Leg) and step.amount > 0:
            way = (step.debit, step.credit, step.unit)
            totals[way] = totals.get(way, 0) + step.amount
    return totals


def _same(known: Entry, journal: Journal, steps: Sequence[Step], original: str | None) -> bool:
    return (
        known.journal.reason == journal.reason
        and known.original == original
        and journal.effective_at in {None, known.effective_at}
        and len(known.steps) == len(steps)
        and all(_same_step(first, again) for first, again in zip(known.steps, steps, strict=True))
    )


def _same_step(first: Step, again: Step) -> bool:
    if isinstance(first, Release) and isinstance(again, Release) and again.amount is None:
        return first.hold_id == again.hold_id
    return first == again


def _is_line(text: str) -> bool:
    return 1 <= len(text) <= 200 and re.search(r"[\x01-\x1f\x7f]", text) is None
