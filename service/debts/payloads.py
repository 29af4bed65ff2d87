"""What crosses the wire about debts. Amounts are in the unit's smallest: hundredths of a point."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec

from service.debts.queries import DebtView, RequestView
from service.debts.rules import LIMIT_POINTS_MAX, NOTE_LENGTH_MAX, ConflictWay, DebtStep, RequestState

Note = Annotated[str, msgspec.Meta(min_length=2, max_length=NOTE_LENGTH_MAX)]


class AllowanceIn(msgspec.Struct, frozen=True):
    """Whose account may go below zero, by how many whole points, and why."""

    card_no: Annotated[str, msgspec.Meta(max_length=40)]
    points: Annotated[int, msgspec.Meta(ge=0, le=LIMIT_POINTS_MAX)]
    note: Note


class WriteOffIn(msgspec.Struct, frozen=True):
    """Whose debt is forgiven, and why."""

    member_id: UUID
    note: Note


class ConflictIn(msgspec.Struct, frozen=True):
    """Whose debt for vouchers used twice is paid from their points or forgiven, and why."""

    member_id: UUID
    way: ConflictWay
    note: Note


class DebtOut(msgspec.Struct, frozen=True):
    """One account below zero."""

    account: str
    name: str
    member_id: UUID | None
    unit: str
    owed: int
    limit: int
    since: datetime
    journal_id: int


class RequestOut(msgspec.Struct, frozen=True):
    """One proposal."""

    request_id: UUID
    step: DebtStep
    state: RequestState
    member_id: UUID
    hundredths: int
    done_hundredths: int | None
    note: str
    proposed_by: UUID
    proposed_at: datetime
    decided_by: UUID | None
    decided_at: datetime | None


class DebtsOut(msgspec.Struct, frozen=True):
    """Open debts, what is owed for vouchers used twice, what waits for a second person, and what was decided, the newest first."""

    debts: Sequence[DebtOut]
    conflicts: Sequence[DebtOut]
    waiting: Sequence[RequestOut]
    decided: Sequence[RequestOut]
    next: str | None


def debt_out(view: DebtView) -> DebtOut:
    """A debt for the wire."""
    return DebtOut(
        view.account, view.name, view.member_id, view.unit, view.owed, view.limit, view.since, view.journal_id
    )


def request_out(view: RequestView) -> RequestOut:
    """A proposal for the wire."""
    return RequestOut(
        view.request_id,
        view.step,
        view.state,
        view.member_id,
        view.hundredths,
        view.done_hundredths,
        view.note,
        view.proposed_by,
        view.proposed_at,
        view.decided_by,
        view.decided_at,
    )
