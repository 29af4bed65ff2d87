"""What crosses the wire about uses at the desk. A PIN goes in and never comes out."""

from datetime import datetime
from uuid import UUID

import msgspec

from service.vouchers.payloads.cards import Pin, VoucherText
from service.vouchers.payloads.kinds import Count, Reason


class PinUseIn(msgspec.Struct):
    """The holder typed the PIN at the desk. The nonce is the desk's number for it: the same again is used once."""

    voucher_id: VoucherText
    shop: UUID
    pin: Pin
    nonce: UUID
    quantity: Count = 1


class PinUseForm(msgspec.Struct):
    """The same as a form."""

    shop: UUID
    pin: Pin
    quantity: Count = 1


class SecondUseIn(msgspec.Struct):
    """What a second person is asked for, and why the holder cannot do it."""

    voucher_id: VoucherText
    shop: UUID
    reason: Reason
    quantity: Count = 1


class SecondUseForm(msgspec.Struct):
    """The same as a form."""

    shop: UUID
    reason: Reason
    quantity: Count = 1


class DeskUseMade(msgspec.Struct):
    """The question that waits now."""

    desk_use_id: UUID


class DeskUseOut(msgspec.Struct):
    """A use at the desk: who asked, who agreed, for whom."""

    desk_use_id: UUID
    voucher_id: str
    title: str
    member_id: UUID
    shop_id: UUID
    quantity: int
    way: str
    state: str
    reason: str
    proposed_by: UUID
    proposed_at: datetime
    decided_by: UUID | None
    decided_at: datetime | None
    use_seq: int | None


class DeskUsesOut(msgspec.Struct):
    """What waits, all of it, and what was decided, newest first."""

    waiting: list[DeskUseOut]
    decided: list[DeskUseOut]
    next: str | None
