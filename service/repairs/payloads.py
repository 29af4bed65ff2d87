"""What crosses the wire about repairs. Amounts are in fen. Nothing here says why something is cheaper for somebody."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

import msgspec

from service.repairs.rules import LINES_MAX, MINUTES_MAX, TEXT_LENGTH_MAX, Decline, RepairState, Step, Warranty
from service.repairs.tables import RepairLine, RepairOrder

Text = Annotated[str, msgspec.Meta(min_length=2, max_length=TEXT_LENGTH_MAX)]
Note = Annotated[str, msgspec.Meta(max_length=TEXT_LENGTH_MAX)]


class ReportIn(msgspec.Struct, frozen=True):
    """What is broken."""

    text: Text
    is_urgent: bool = False


class ReportForIn(ReportIn, frozen=True, kw_only=True):
    """The same, for somebody who phoned."""

    asked_by: UUID


class AssignIn(msgspec.Struct, frozen=True):
    """Who goes."""

    team: UUID
    repairer: UUID


class DeclineIn(msgspec.Struct, frozen=True):
    """Why not."""

    reason: Decline


class LineIn(msgspec.Struct, frozen=True):
    """So many of one item of the price list, at a price within its range."""

    item: Annotated[str, msgspec.Meta(max_length=100)]
    fen_each: Annotated[int, msgspec.Meta(ge=0, le=10_000_000)]
    quantity: Annotated[int, msgspec.Meta(ge=1, le=100)] = 1


class QuoteIn(msgspec.Struct, frozen=True):
    """What it costs; nothing when no line is given."""

    lines: Annotated[list[LineIn], msgspec.Meta(max_length=LINES_MAX)] = []


class ChangeIn(msgspec.Struct, frozen=True):
    """What it costs now, and why."""

    lines: Annotated[list[LineIn], msgspec.Meta(max_length=LINES_MAX)]
    reason: Text


class DoneIn(msgspec.Struct, frozen=True):
    """How long it took, and what was done."""

    minutes: Annotated[int, msgspec.Meta(ge=0, le=MINUTES_MAX)]
    note: Note = ""


class AcceptIn(msgspec.Struct, frozen=True):
    """What the resident showed; the nonce names this scan for ever."""

    code: Annotated[str, msgspec.Meta(max_length=400)]
    nonce: UUID


class ReasonIn(msgspec.Struct, frozen=True):
    """Why."""

    reason: Text


class NoteIn(msgspec.Struct, frozen=True):
    """A remark."""

    note: Note = ""


class ChangeMade(msgspec.Struct, frozen=True):
    """The change order."""

    change_id: UUID


class ChangeOut(msgspec.Struct, frozen=True):
    """Another price: waiting for the resident, agreed to or not."""

    change_id: UUID
    is_dearer: bool
    cash_fen: int
    payable_fen: int
    reason: str
    is_agreed: bool | None


class LineOut(msgspec.Struct, frozen=True):
    """One step of an order. Without an actor, time alone did it."""

    step: Step
    state_after: RepairState
    at: datetime
    actor: str | None
    on_behalf_of: str | None
    note: str | None


class RepairOut(msgspec.Struct, frozen=True):
    """One order. `code` is what the resident shows when the work is done, and only theirs."""

    order_id: UUID
    state: RepairState
    revision: int
    text: str
    is_urgent: bool
    building: str | None
    asker: str
    repairer: str | None
    team_id: UUID | None
    posted_at: datetime
    priced_on: date | None
    cash_fen: int
    payable_fen: int
    minutes: int
    warranty: Warranty
    warranty_until: datetime | None
    voucher_id: str | None
    code: str | None


class RepairDetailOut(msgspec.Struct, frozen=True):
    """An order with its change orders and its history."""

    repair: RepairOut
    changes: list[ChangeOut]
    history: list[LineOut]


class RepairsOut(msgspec.Struct, frozen=True):
    """Urgent first, then the newest, at most 200."""

    items: list[RepairOut]


def repair_out(order: RepairOrder, names: dict[UUID, str], code: str | None = None) -> RepairOut:
    """An order for the wire."""
    return RepairOut(
        order_id=order.order_id,
        state=RepairState(order.state),
        revision=order.revision,
        text=order.text,
        is_urgent=order.is_urgent,
        building=order.building,
        asker=names[order.asked_by],
        repairer=names[order.repairer_id] if order.repairer_id else None,
        team_id=order.team_id,
        posted_at=order.posted_at,
        priced_on=order.priced_on,
        cash_fen=order.cash_fen,
        payable_fen=order.payable_fen,
        minutes=order.minutes,
        warranty=Warranty(order.warranty),
        warranty_until=order.warranty_until,
        voucher_id=str(order.voucher_id) if order.voucher_id else None,
        code=code,
    )


def line_out(line: RepairLine, names: dict[UUID, str]) -> LineOut:
    """A line of history for the wire."""
    return LineOut(
        Step(line.step),
        RepairState(line.state_after),
        line.at,
        names[line.actor_id] if line.actor_id else None,
        names[line.on_behalf_of] if line.on_behalf_of else None,
        line.note,
    )
