"""What crosses the wire about what staff do with somebody's voucher."""

from datetime import date, datetime
from uuid import UUID

import msgspec

from redemption import StaffStep
from service.vouchers.payloads.kinds import Reason


class StepIn(msgspec.Struct):
    """What a second person is asked for; for more days, the last one."""

    step: StaffStep
    reason: Reason
    last_day: date | None = None


class StepForm(msgspec.Struct):
    """The desk's form of the same."""

    step: StaffStep
    reason: Reason
    last_day: date | None = None


class StepMade(msgspec.Struct):
    """The request that waits now."""

    request_id: UUID


class StepOut(msgspec.Struct):
    """A step that waits for a second person, or what became of it."""

    request_id: UUID
    step: str
    state: str
    extend_until: datetime | None
    reason: str
    proposed_by: UUID
    proposed_at: datetime
    decided_by: UUID | None
    decided_at: datetime | None


class EventOut(msgspec.Struct):
    """One line of a voucher's history; nobody means the system."""

    action: str
    from_state: str | None
    to_state: str
    by: UUID | None
    second: UUID | None
    on_behalf_of: UUID | None
    reason: str
    quantity: int | None
    at: datetime


class HeldOut(msgspec.Struct):
    """A voucher as staff see it, with its history and what was asked about it. Whom its offer is for is not told."""

    voucher_id: str
    member_id: UUID
    title: str
    state: str
    quantity_total: int
    quantity_used: int
    quantity_open: int
    points_each: int
    subsidy_points_each: int
    payable_fen_each: int
    cash_fen_each: int
    price_list_version: str | None
    issued_at: datetime
    expires_at: datetime
    history: list[EventOut]
    requests: list[StepOut]
