"""What crosses the wire about debts. Amounts are in the unit's smallest: hundredths of a point."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec

from service.debts.queries import CollectionView, DebtView, NoticeView, RequestView
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


class ObjectionIn(msgspec.Struct, frozen=True):
    """What is not right about what somebody is told to owe."""

    words: Note


class ObjectionForIn(msgspec.Struct, frozen=True):
    """The same, told at the desk."""

    member_id: UUID
    note: Note


class NoticeOut(msgspec.Struct, frozen=True):
    """What somebody was told they owe, and what was collected of it."""

    member_id: UUID
    told_at: datetime
    due_at: datetime
    hundredths: int
    collected: int
    ended_at: datetime | None
    objected_at: datetime | None
    objection: str | None


class CollectionOut(msgspec.Struct, frozen=True):
    """What was paid from somebody's points by itself."""

    member_id: UUID
    hundredths: int
    journal_id: int
    collected_at: datetime


class OwedOut(msgspec.Struct, frozen=True):
    """What I owe for vouchers used twice, the last that I was told of it, and what was collected."""

    owed: int
    notice: NoticeOut | None
    collections: Sequence[CollectionOut]


class CollectedOut(msgspec.Struct, frozen=True):
    """From how many members something was collected at this press."""

    members: int


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
    """Open debts, what is owed for vouchers used twice, what waits for a second person, and what was decided, the newest first.

    Beside it who was told that it is collected, and the last fifty that were collected by itself.
    """

    debts: Sequence[DebtOut]
    conflicts: Sequence[DebtOut]
    notices: Sequence[NoticeOut]
    collections: Sequence[CollectionOut]
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


def notice_out(view: NoticeView) -> NoticeOut:
    """A notice for the wire."""
    return msgspec.convert(view, NoticeOut, from_attributes=True)


def collection_out(view: CollectionView) -> CollectionOut:
    """A collection for the wire."""
    return msgspec.convert(view, CollectionOut, from_attributes=True)
