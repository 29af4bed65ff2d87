"""What may be posted. Pure.

The rules themselves are kept by `sql/post_batch.sql`; `model.py` says the same in Python, and tests compare the two.
`refusals.py` has every way of saying no.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

ESCROW = "escrow"
"""The account of each unit that holds move to. Only holds, captures and releases may touch it."""

EXPIRED = "expired"
"""The account of a unit that takes what has expired."""

AMOUNT_MAX = 10**15
BATCH_MAX = 50_000
"""Journals, and steps of all of them together, that are taken at once."""
BALANCE_MAX = 9 * 10**18
"""What bounds an account without a floor or ceiling, so that no sum ever leaves 64 bits."""


@dataclass(frozen=True, slots=True)
class Leg:
    """Move an amount from one account to another."""

    debit: str
    credit: str
    unit: str
    amount: int


@dataclass(frozen=True, slots=True)
class Hold:
    """Put an amount aside. The caller names the hold; past `expires_at` it can only be released."""

    hold_id: UUID
    account: str
    unit: str
    amount: int
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Capture:
    """Pay a part of a hold, or all that is left of it, to any account."""

    hold_id: UUID
    credit: str
    amount: int


@dataclass(frozen=True, slots=True)
class Release:
    """Give a part of a hold back to where it came from; without an amount, all that is left."""

    hold_id: UUID
    amount: int | None = None


@dataclass(frozen=True, slots=True)
class Refund:
    """Give back, from any account, what a hold paid, to where the hold came from; never more than it paid."""

    hold_id: UUID
    debit: str
    amount: int


Step = Leg | Hold | Capture | Release | Refund


class ExpiryRule(StrEnum):
    """When a unit expires that is earned now."""

    NEVER = "never"
    YEAR = "year"
    MONTHS = "months"


@dataclass(frozen=True, slots=True)
class ExpiryPolicy:
    """What is credited to accounts whose code begins with `prefix` expires by this rule, in local time.

    `YEAR` is the end of the calendar year and `months` more; `MONTHS` the end of the day so many months later. What
    comes back into a lot that is over lives `grace_days` more, or none; once, whatever becomes of it afterwards.
    """

    prefix: str
    rule: ExpiryRule
    months: int = 0
    grace_days: int = 0
    zone: str = "Asia/Shanghai"


@dataclass(frozen=True, slots=True)
class Journal:
    """Steps that are posted all or none.

    The reference makes it happen once: a retry must carry the same reason, steps, hold ids and expiries, and
    the same `effective_at` or none. Who asks is remembered from the first time and not compared.
    """

    reference: str
    reason: str
    legs: tuple[Step, ...]
    actor_id: UUID | None
    on_behalf_of: UUID | None = None
    effective_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Effect:
    """Business rows that come or change in the statement that posts their journal (`sql/post_with.sql`).

    `kind` names two functions of the database, 'schema.name': of the one that locks and judges, `name_lock`, and of the
    one that writes, `name_write`. `row` is what is judged, e.g. an id: two journals about the same row never share a batch.
    """

    kind: str
    row: str
    values: Mapping[str, object] = field(default_factory=dict)
    """What the two functions are given, as JSON can say it."""


@dataclass(eq=False)
class EffectRefused(Exception):
    """The rows that were to come along say no: nothing was posted. The code is theirs, not the ledger's."""

    reference: str
    code: str

    def __str__(self) -> str:
        """For logs."""
        return f"{self.code}: {self.reference}"


@dataclass(frozen=True, slots=True)
class Reversal:
    """A journal to be undone whole: the reference of the undoing, and of what it undoes."""

    reference: str
    original: str
    reason: str
    actor_id: UUID | None


@dataclass(frozen=True, slots=True)
class Posted:
    """A journal that stands in the book; `replayed` when it stood there before."""

    journal_id: int
    replayed: bool


@dataclass(frozen=True, slots=True)
class AccountSpec:
    """An account to open. A floor or ceiling of None means that there is none."""

    code: str
    unit: str
    floor: int | None = 0
    ceiling: int | None = None
