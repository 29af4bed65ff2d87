"""What crosses the wire about vouchers on paper."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec

from service.vouchers.payloads.kinds import Reason
from service.vouchers.rules import PRINTED_CARDS_MAX

VoucherNumber = Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]
VoucherText = Annotated[str, msgspec.Meta(pattern="^[1-9][0-9]{0,18}$")]


class PrintForm(msgspec.Struct):
    """The vouchers of one batch."""

    ids: list[VoucherNumber]


class PrintIn(msgspec.Struct):
    """The vouchers of one batch, in the order of the sheets."""

    voucher_ids: Annotated[list[VoucherText], msgspec.Meta(min_length=1, max_length=PRINTED_CARDS_MAX)]


class BatchMade(msgspec.Struct):
    """The batch that was printed."""

    batch_id: UUID


class BatchVoided(msgspec.Struct):
    """How many papers were alive and are dead now."""

    papers: int


class VoidForm(msgspec.Struct):
    """Why all of it is voided."""

    reason: Reason


class BatchOut(msgspec.Struct):
    """A batch of paper. `live` papers can still be used."""

    batch_id: UUID
    papers: int
    sheets: int
    live: int
    key_number: int
    is_key_gone: bool
    printed_by: str
    printed_at: datetime
    voided_by: str
    voided_at: datetime | None
    void_reason: str | None


class BatchesOut(msgspec.Struct):
    """Batches, newest first."""

    items: list[BatchOut]
    next: str | None


class PaperOut(msgspec.Struct):
    """One paper of a batch. `qr` stands on it; nothing once it is dead."""

    number: int
    voucher_id: str
    title: str
    card_no: str
    name: str
    expires_at: datetime
    is_live: bool
    qr: str | None


class BatchWhole(msgspec.Struct):
    """A batch and its papers, in the order of the sheets."""

    batch: BatchOut
    items: list[PaperOut]
