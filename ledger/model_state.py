"""What the model remembers: accounts, holds, posted journals, and what it said of each."""

from dataclasses import dataclass, field
from datetime import datetime

from ledger.refusals import LedgerRefusal
from ledger.rules import Journal, Step

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
    lots: dict[datetime, int] = field(default_factory=dict)

    @property
    def owed(self) -> int:
        """How far it is below its floor."""
        return 0 if self.floor is None else max(0, self.floor - self.balance)

    def over(self, at: datetime) -> int:
        """What has expired and was not swept yet."""
        return sum(amount for expires, amount in self.lots.items() if expires <= at)


@dataclass(slots=True)
class Held:
    """A hold."""

    account: str
    unit: str
    amount: int
    expires_at: datetime | None
    captured: int = 0
    released: int = 0
    refunded: int = 0
    lots: list[list[int]] = field(default_factory=list)
    """For each part: taken, captured, released, refunded; `when` says when it expires."""
    when: list[datetime] = field(default_factory=list)

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
    moves: list[tuple[str, str, datetime, int]] = field(default_factory=list)
    """What it did to lots: account, unit, when they expire, how much was put in or, below zero, taken."""
