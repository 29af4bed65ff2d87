"""What crosses the wire about closings. Amounts are integers in the ledger's units."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated
from uuid import UUID

import msgspec

from service.closing.queries import ClosingView, LateEntry, Open, YearView
from service.closing.rules import FIRST_YEAR, ClosingState
from service.closing.tables import YearLine
from service.kit.manifest import Unfinished

Year = Annotated[int, msgspec.Meta(ge=FIRST_YEAR, le=2999)]


class PeriodIn(msgspec.Struct, frozen=True):
    """The last day of the period to be closed."""

    last_day: date


class YearIn(msgspec.Struct, frozen=True):
    """The year to be closed."""

    year: Year


class UnfinishedOut(msgspec.Struct, frozen=True):
    """One kind of work that belongs into the period and is not done."""

    kind: str
    count: int
    url: str


class LateOut(msgspec.Struct, frozen=True):
    """An entry that was posted after the period and takes effect in it."""

    journal_id: int
    reason: str
    effective_at: datetime
    posted_at: datetime


class OpenOut(msgspec.Struct, frozen=True):
    """What a period still has open. `late` are the newest of `late_count`."""

    unfinished: Sequence[UnfinishedOut]
    late: Sequence[LateOut]
    late_count: int


class ClosingOut(msgspec.Struct, frozen=True):
    """One closing; `year` is null for a month."""

    closing_id: UUID
    last_day: date
    year: int | None
    state: ClosingState
    proposed_by: UUID
    proposed_at: datetime
    decided_by: UUID | None
    decided_at: datetime | None


class ClosingsOut(msgspec.Struct, frozen=True):
    """How far the books are closed, and the closings, the newest first."""

    closed_until: datetime | None
    years: Sequence[int]
    rows: Sequence[ClosingOut]
    next: str | None


class TotalOut(msgspec.Struct, frozen=True):
    """All accounts of one kind and unit over the year."""

    kind: str
    unit: str
    accounts: int
    opening: int
    received: int
    given: int
    closing: int


class MovementOut(msgspec.Struct, frozen=True):
    """Why the accounts of one kind and unit moved."""

    kind: str
    unit: str
    reason: str
    journals: int
    received: int
    given: int


class YearOut(msgspec.Struct, frozen=True):
    """A closed year. `seal` is the number of the first seal that closes everything it is made of."""

    year: int
    proposed_by: UUID
    confirmed_by: UUID
    closed_at: datetime
    drawn_up_at: datetime
    seq: int
    journals: int
    totals: Sequence[TotalOut]
    movements: Sequence[MovementOut]
    seal: int | None


class YearLineOut(msgspec.Struct, frozen=True):
    """One account over the year."""

    code: str
    card_no: str
    unit: str
    opening: int
    received: int
    given: int
    closing: int


class YearLinesOut(msgspec.Struct, frozen=True):
    """A page of accounts."""

    rows: Sequence[YearLineOut]
    next: str | None


class DifferencesOut(msgspec.Struct, frozen=True):
    """Accounts and kinds whose figures are not what the ledger says; none when they are equal."""

    differences: Sequence[str]


def closing_out(view: ClosingView) -> ClosingOut:
    """A closing for the wire."""
    return ClosingOut(
        view.closing_id,
        view.last_day,
        view.year,
        view.state,
        view.proposed_by,
        view.proposed_at,
        view.decided_by,
        view.decided_at,
    )


def open_out(found: Open) -> OpenOut:
    """What is open, for the wire."""

    def work(one: Unfinished) -> UnfinishedOut:
        return UnfinishedOut(one.kind, one.count, one.url)

    def late(one: LateEntry) -> LateOut:
        return LateOut(one.journal_id, one.reason, one.effective_at, one.posted_at)

    return OpenOut([work(one) for one in found.unfinished], [late(one) for one in found.late], found.late_count)


def year_out(view: YearView) -> YearOut:
    """A closed year for the wire."""
    return YearOut(
        view.year,
        view.proposed_by,
        view.confirmed_by,
        view.closed_at,
        view.drawn_up_at,
        view.seq,
        view.journals,
        [
            TotalOut(row.kind, row.unit, row.accounts, row.opening, row.received, row.given, row.closing)
            for row in view.totals
        ],
        [MovementOut(row.kind, row.unit, row.reason, row.journals, row.received, row.given) for row in view.movements],
        view.seal.number if view.seal is not None else None,
    )


def line_out(row: YearLine) -> YearLineOut:
    """One account for the wire."""
    return YearLineOut(row.code, row.card_no, row.unit, row.opening, row.received, row.given, row.closing)
