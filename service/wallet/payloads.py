"""What crosses the wire about balances, passbooks and books."""

from datetime import date, datetime
from uuid import UUID

import msgspec

from service.wallet.rules import Mistake


class Amount(msgspec.Struct):
    """An amount with its unit; `point` counts hundredths of a point, `minute` minutes, `fen` fen."""

    unit: str
    amount: int


class LotOut(msgspec.Struct):
    """A part of the points, and the last day on which it can be used; null is for ever."""

    amount: int
    last_day: date | None


class WalletOut(msgspec.Struct):
    """The three named figures; `service` never falls and cannot be spent.

    `lots` are what the points consist of, what expires first in front; empty where points do not expire.
    """

    service: Amount
    coins: Amount
    points: Amount
    lots: list[LotOut]


class LineOut(msgspec.Struct):
    """One line of a passbook; the amount is negative when it left."""

    seq: int
    journal_id: int
    reason: str
    text: str
    title: str | None
    unit: str
    amount: int
    balance: int
    posted_at: datetime
    reverses: str | None
    reversed_by: str | None


class StatementOut(msgspec.Struct):
    """A page of a passbook, newest first."""

    items: list[LineOut]
    next: str | None


class RecordOut(msgspec.Struct):
    """One line of the service record."""

    record_id: UUID
    kind: str
    service_class: str
    minutes: int
    title: str
    served_on: date
    confirmed_at: datetime
    corrects: UUID | None


class RecordsOut(msgspec.Struct):
    """A page of the service record, newest first."""

    items: list[RecordOut]
    next: str | None


class TrialLineOut(msgspec.Struct):
    """All accounts of one kind and unit."""

    kind: str
    unit: str
    accounts: int
    owed: int
    held: int
    balance: int


class TrialBalanceOut(msgspec.Struct):
    """The trial balance; every unit's balances come to zero."""

    items: list[TrialLineOut]
    totals: list[Amount]


class CirculationOut(msgspec.Struct):
    """Where everything of one unit is; `in_circulation` is people, pools and aside together; `burnt` was redeemed and settled."""

    unit: str
    in_circulation: int
    people: int
    pools: int
    aside: int
    shops: int
    burnt: int
    expired: int
    written_off: int


class AccountBalanceOut(msgspec.Struct):
    """One account and what it has now."""

    code: str
    unit: str
    balance: int
    opened_at: datetime


class AccountsOut(msgspec.Struct):
    """A page of accounts, by code."""

    items: list[AccountBalanceOut]
    next: str | None


class JournalLineOut(msgspec.Struct):
    """One journal in a list."""

    journal_id: int
    reference: str
    reason: str
    transfers: int
    effective_at: datetime
    posted_at: datetime
    actor_id: UUID | None
    is_reversal: bool
    is_reversed: bool


class JournalsOut(msgspec.Struct):
    """A page of journals, newest first. `searched_to` is the day at which a long search stopped, None when the page is full."""

    items: list[JournalLineOut]
    next: str | None
    searched_to: date | None


class AccountLineOut(msgspec.Struct):
    """One line of an account: the amount is negative when it left."""

    seq: int
    journal_id: int
    reference: str
    reason: str
    counterpart: str
    amount: int
    balance: int
    effective_at: datetime
    posted_at: datetime


class AccountOut(msgspec.Struct):
    """A page of an account from one day to another."""

    code: str
    unit: str
    opening: int
    closing: int
    items: list[AccountLineOut]
    next: str | None


class TransferOut(msgspec.Struct):
    """One leg."""

    seq: int
    kind: str
    debit: str
    credit: str
    unit: str
    amount: int


class JournalOut(msgspec.Struct):
    """A journal with all its legs."""

    journal_id: int
    reference: str
    reason: str
    effective_at: datetime
    posted_at: datetime
    actor_id: UUID | None
    on_behalf_of: UUID | None
    reverses: int | None
    reversed_by: int | None
    transfers: list[TransferOut]


class ReverseIn(msgspec.Struct):
    """Why a posting is undone."""

    mistake: Mistake


class FaultOut(msgspec.Struct):
    """The first thing that is wrong in one way."""

    kind: str
    place: str
    detail: str


class VerificationOut(msgspec.Struct):
    """Whether the books are whole."""

    is_whole: bool
    faults: list[FaultOut]
    checked_at: datetime
