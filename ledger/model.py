"""The ledger's rules once more, as plain Python: what the property tests compare the SQL functions with.

It is written for reading and knows nothing of databases, batches or locks. One journal after the other is all there is.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from uuid import UUID

from ledger import model_lots as lots
from ledger import refusals
from ledger.model_state import Account, Entry, Held, Refused, Verdict
from ledger.model_steps import is_line, named, same_step, totals, turned_round
from ledger.rules import (
    AMOUNT_MAX,
    BALANCE_MAX,
    ESCROW,
    EXPIRED,
    Capture,
    ExpiryPolicy,
    Hold,
    Journal,
    Leg,
    Refund,
    Release,
    Step,
)

EMPTY: Mapping[tuple[str, str], str] = MappingProxyType({})


@dataclass(slots=True)
class Book:
    """One community's book."""

    at: datetime
    seq: int = 0
    closed_until: datetime | None = None
    accounts: dict[tuple[str, str], Account] = field(default_factory=dict)
    holds: dict[UUID, Held] = field(default_factory=dict)
    entries: dict[str, Entry] = field(default_factory=dict)
    policies: dict[str, ExpiryPolicy] = field(default_factory=dict)
    graced: set[datetime] = field(default_factory=set)
    """When days of grace end. What expires then has had them."""

    def post(self, journal: Journal, *, original: str | None = None, now: datetime) -> Verdict:
        """Post a journal, or reverse the one whose reference is `original`."""
        steps = journal.legs
        if original in self.entries and not steps:
            steps = turned_round(self.entries[original].steps)
        known = self.entries.get(journal.reference)
        if known is not None:
            if _same(known, journal, steps, original):
                return Verdict(known.journal_id, replayed=True)
            return Verdict(refusal=refusals.ReferenceReused)
        refusal = self._look(journal, steps, original, now)
        if refusal is not None:
            return Verdict(refusal=refusal)
        draft = deepcopy((self.accounts, self.holds, self.graced))
        at, done = max(self.at, now), []
        over = {key: account.over(at) for key, account in self.accounts.items()}
        entry = Entry(self.seq + 1, journal, (), original, at)
        returned: set[tuple[str, str, datetime]] = set()
        for place, step in enumerate(steps, 1):
            refusal = self._take(step, at, over, undoing=journal.reason if original is not None else None)
            if refusal is not None:
                self.accounts, self.holds, self.graced = draft
                return Verdict(refusal=refusal, step=place)
            before = len(entry.moves)
            done.append(self._move(step, at, entry, returned))
            if isinstance(step, Release | Refund):
                returned |= {(code, unit, when) for code, unit, when, amount in entry.moves[before:] if amount > 0}
        journal_id = self.seq + 1
        self.seq, self.at = self.seq + len(steps), at
        effective_at = journal.effective_at or max(now, self.closed_until or now)
        entry.steps, entry.effective_at = tuple(done), effective_at
        self.entries[journal.reference] = entry
        return Verdict(journal_id)

    def open_account(self, code: str, unit: str, floor: int | None, ceiling: int | None) -> Refused | None:
        """Open an account, or find it opened with the same bounds."""
        has = self.accounts.setdefault((code, unit), Account(floor, ceiling))
        return None if (has.floor, has.ceiling) == (floor, ceiling) else refusals.AccountDiffers

    def close_account(self, code: str, unit: str, now: datetime) -> Refused | None:
        """Close an empty account for good."""
        account = self.accounts.get((code, unit))
        if account is None:
            return refusals.AccountNotFound
        if not account.closed:
            if account.balance:
                return refusals.AccountNotEmpty
            account.closed, self.at = True, max(self.at, now)
        return None

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
        if account.floor is None or code == ESCROW or not (0 <= limit <= AMOUNT_MAX and is_line(reason)):
            return refusals.DebtMalformed
        if limit < account.owed:
            return refusals.DebtOpen
        if limit != account.debt_limit or (limit and reason != account.debt_reason):
            account.debt_reason, account.debt_limit = (reason if limit else None), limit
            self.at = max(self.at, now)
        return None

    def set_expiry(self, unit: str, policy: ExpiryPolicy, now: datetime) -> Refused | None:
        """Let what is credited from now on expire by this rule; for the same accounts as the rule before it."""
        last = self.policies.get(unit, policy)
        if ESCROW.startswith(policy.prefix) or EXPIRED.startswith(policy.prefix) or policy.prefix != last.prefix:
            return refusals.ExpiryMalformed
        if policy == self.policies.get(unit):
            return None
        first, self.at = unit not in self.policies, max(self.at, now)
        self.policies[unit] = policy
        self.accounts.setdefault((EXPIRED, unit), Account(floor=None))
        if first:
            expires = lots.expiry(policy, self.at)
            for (code, counted), account in self.accounts.items():
                if counted == unit and code.startswith(policy.prefix) and account.balance > 0:
                    account.lots = {expires: account.balance}
            for held in self.holds.values():
                if held.unit == unit and held.account.startswith(policy.prefix):
                    held.lots = [[held.amount, held.captured, held.released, held.refunded]]
                    held.when = [expires]
        return None

    def sweep(
        self, reason: str, now: datetime, names: Mapping[tuple[str, str], str] = EMPTY
    ) -> dict[tuple[str, str], tuple[int, Verdict]]:
        """Take away what is over, each account under the reference that is given for it; how much of which, and the verdict."""
        at, done = max(self.at, now), {}
        for (code, unit), account in list(self.accounts.items()):
            if amount := account.over(at):
                reference = names.get((code, unit), f"swept {code} {unit} {self.seq}")
                journal = Journal(reference, reason, (Leg(code, EXPIRED, unit, amount),), None)
                done[code, unit] = amount, self.post(journal, now=now)
        return done

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
        if not (is_line(journal.reference) and is_line(journal.reason)):
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
        moved, back = totals(turned_round(entry.steps)), totals(steps)
        if any(amount > moved.get(way, 0) for way, amount in back.items()):
            return refusals.ReversalExceeds
        return None

    def _take(
        self, step: Step, at: datetime, over: dict[tuple[str, str], int], *, undoing: str | None
    ) -> Refused | None:
        if undoing is not None and not isinstance(step, Leg):
            return refusals.StepMalformed
        if step.amount is not None and not 1 <= step.amount <= AMOUNT_MAX:
            return refusals.AmountOutOfBounds
        if isinstance(step, Leg) and step.debit == step.credit:
            return refusals.SameAccount
        if ESCROW in named(step):
            return refusals.EscrowReserved
        return self._look_at_hold(step, at) or self._look_at_accounts(step, over, undoing)

    def _look_at_hold(self, step: Step, at: datetime) -> Refused | None:  # noqa: PLR0911  (their order is the rule)
        if isinstance(step, Leg):
            return None
        held = self.holds.get(step.hold_id)
        if isinstance(step, Hold):
            return None if held is None else refusals.HoldExists
        if held is None:
            return refusals.HoldNotFound
        if isinstance(step, Refund):
            if step.debit == held.account:
                return refusals.SameAccount
            return refusals.RefundExceeds if step.amount > held.captured - held.refunded else None
        if held.rest == 0:
            return refusals.HoldClosed
        if isinstance(step, Capture) and held.expires_at is not None and held.expires_at <= at:
            return refusals.HoldExpired
        if step.amount is not None and step.amount > held.rest:
            return refusals.HoldExceeded
        return None

    def _look_at_accounts(self, step: Step, over: dict[tuple[str, str], int], undoing: str | None) -> Refused | None:
        debit, credit, unit, amount = self._way(step)
        giver, taker = self.accounts.get((debit, unit)), self.accounts.get((credit, unit))
        if giver is None or taker is None:
            return refusals.AccountNotFound
        if giver.closed or (taker.closed and not isinstance(step, Release)):
            return refusals.AccountClosed
        floor = -BALANCE_MAX if giver.floor is None else giver.floor
        low = floor - giver.debt_limit if undoing is not None and undoing == giver.debt_reason else floor
        if undoing is None and credit != EXPIRED:
            low += over[debit, unit]
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
            case Refund():
                held = self.holds[step.hold_id]
                return step.debit, held.account, held.unit, step.amount

    def _move(self, step: Step, at: datetime, entry: Entry, returned: set[tuple[str, str, datetime]]) -> Step:
        debit, credit, unit, amount = self._way(step)
        self.accounts[debit, unit].balance -= amount
        self.accounts[credit, unit].balance += amount
        done = self._note(step, unit, amount)
        if unit in self.policies:
            self._move_lots(step, (debit, credit, unit, amount), at, entry, returned)
        return done

    def _move_lots(
        self,
        step: Step,
        way: tuple[str, str, str, int],
        at: datetime,
        entry: Entry,
        returned: set[tuple[str, str, datetime]],
    ) -> None:
        debit, credit, unit, amount = way
        policy = self.policies[unit]
        origin = self.entries[entry.original].moves if entry.original is not None else []
        parts: lots.Parts = []
        aside: lots.Parts = []
        if debit.startswith(policy.prefix):
            first = {when for code, counted, when, put in origin if (code, counted) == (debit, unit) and put > 0}
            if entry.original is None:
                first = {when for code, counted, when in returned if (code, counted) == (debit, unit)}
            parts = lots.out_of(self.accounts[debit, unit].lots, amount, at, first, sweeps=credit == EXPIRED)
            entry.moves += [(debit, unit, when, -part) for when, part in parts]
            aside = lots.with_owed(parts, amount)
        if isinstance(step, Hold):
            self.holds[step.hold_id].when = [when for when, _ in aside]
            self.holds[step.hold_id].lots = [[part, 0, 0, 0] for _, part in aside]
        elif not isinstance(step, Leg):
            held = self.holds[step.hold_id]
            parts = lots.through(held.when, held.lots, step, amount)
        elif credit.startswith(policy.prefix) and entry.original is not None:
            parts = lots.back_to(origin, entry.moves, credit, unit, amount)
        if credit.startswith(policy.prefix):
            account = self.accounts[credit, unit]
            debt, fresh = max(0, amount - account.balance), amount - sum(part for _, part in parts)
            owed = min(fresh, debt) if isinstance(step, Release | Refund) else 0  # What came from no lot.
            debt, fresh = debt - owed, fresh - owed
            parts += [(lots.expiry(policy, at), fresh)] if fresh else []
            if policy.grace_days and (isinstance(step, Release | Refund) or entry.original is not None):
                parts = lots.with_grace(parts, policy, at, self.graced)
            for when, part in sorted(parts):
                paid = min(debt, part)
                debt -= paid
                if part > paid:
                    account.lots[when] = account.lots.get(when, 0) + part - paid
                    entry.moves.append((credit, unit, when, part - paid))

    def _note(self, step: Step, unit: str, amount: int) -> Step:
        match step:
            case Hold():
                self.holds[step.hold_id] = Held(step.account, unit, amount, step.expires_at)
            case Capture():
                self.holds[step.hold_id].captured += amount
            case Release():
                self.holds[step.hold_id].released += amount
                return Release(step.hold_id, amount)
            case Refund():
                self.holds[step.hold_id].refunded += amount
        return step


def _same(known: Entry, journal: Journal, steps: Sequence[Step], original: str | None) -> bool:
    return (
        known.journal.reason == journal.reason
        and known.original == original
        and journal.effective_at in {None, known.effective_at}
        and len(known.steps) == len(steps)
        and any(
            all(same_step(first, again) for first, again in zip(known.steps, asked, strict=True))
            # The legs of a reversal lead back from either end.
            for asked in ((steps, steps[::-1]) if original is not None else (steps,))
        )
    )
