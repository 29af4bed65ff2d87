"""What crosses the wire about settlements."""

from datetime import date, datetime
from uuid import UUID

import msgspec

from service.vouchers.payloads.kinds import Count, Reason
from service.vouchers.rules import Decision


class CloseIn(msgspec.Struct):
    """Up to the end of which day, today at the latest, and for which shop; nothing for all of them."""

    until: date
    shop: UUID | None = None


class ClosedOut(msgspec.Struct):
    """What became of one shop."""

    shop: UUID
    settlement_id: UUID | None
    refused: str | None


class ClosedAll(msgspec.Struct):
    """What became of every shop that had anything open."""

    items: list[ClosedOut]


class DisputeIn(msgspec.Struct):
    """Which line a shop objects to, and why."""

    line_no: Count
    reason: Reason


class ResolveIn(msgspec.Struct):
    """What was decided about a line in dispute, and why; the shop reads it."""

    decision: Decision
    reason: Reason


class DisputeOut(msgspec.Struct):
    """A line in dispute: what it is about, who objected, what was decided and which statement carries it."""

    line_no: int
    state: str
    title: str
    quantity: int
    points: int
    fen: int
    received_at: datetime
    reason: str
    raised_by: UUID
    raised_at: datetime
    resolution: str | None
    resolved_by: UUID | None
    resolved_at: datetime | None
    carried_number: int | None


class DisputesOut(msgspec.Struct):
    """Every line of a statement that was objected to, the oldest objection first."""

    items: list[DisputeOut]


class SettlementOut(msgspec.Struct):
    """A statement's head. What is due is what is left without the lines in dispute."""

    settlement_id: UUID
    shop: UUID
    number: int
    state: str
    received_from: datetime
    received_until: datetime
    lines: int
    points: int
    subsidy_points: int
    fen: int
    cash_fen: int
    disputed_lines: int
    open_disputes: int
    due_points: int
    due_fen: int
    paid_fen: int
    closed_by: UUID
    closed_at: datetime
    approved_by: UUID | None
    paid_at: datetime | None
    bank_reference: str | None
    previous_hash: str
    hash: str


class SettlementsOut(msgspec.Struct):
    """A page of statements, the last closed first."""

    items: list[SettlementOut]
    next: str | None


class CloseForm(msgspec.Struct):
    """Up to the end of which day, and for which shop."""

    until: date
    shop: UUID | None = None


class ResolveForm(msgspec.Struct):
    """What was decided about a line in dispute, and why."""

    decision: Decision
    reason: Reason
