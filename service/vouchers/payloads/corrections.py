"""What crosses the wire about corrections of what a shop has confirmed."""

from datetime import datetime
from uuid import UUID

import msgspec

from redemption import AdjustmentCause
from service.vouchers.payloads.kinds import Reason


class CorrectionIn(msgspec.Struct):
    """Why the use of a confirmed line is taken back; the shop reads the reason."""

    cause: AdjustmentCause
    reason: Reason


class CorrectionOut(msgspec.Struct):
    """A correction: what it is about, why, by whom, and which statement has its line. Points and fen are those of the use."""

    correction_id: UUID
    settlement_id: UUID
    line_no: int
    shop: UUID
    cause: AdjustmentCause
    state: str
    title: str
    quantity: int
    points: int
    fen: int
    reason: str
    proposed_by: UUID
    proposed_at: datetime
    decided_by: UUID | None
    decided_at: datetime | None
    carried_number: int | None


class CorrectionsOut(msgspec.Struct):
    """Corrections, the oldest first."""

    items: list[CorrectionOut]
