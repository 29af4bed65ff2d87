"""What crosses the wire at the counter."""

from datetime import datetime
from uuid import UUID

import msgspec

from service.vouchers.payloads.kinds import Code, Count


class ScanIn(msgspec.Struct):
    """One scan. The nonce is the phone's own number for it: the same again gets the same answer."""

    nonce: UUID
    code: Code
    scanned_at: datetime | None = None
    shop: UUID | None = None
    quantity: Count | None = None
    compared: bool = False
    """The clerk has compared the name of who shows a printed code."""


class UndoIn(msgspec.Struct):
    """The scan that is undone."""

    nonce: UUID
    code: Code | None = None


class ScanOut(msgspec.Struct):
    """The answer that fills the clerk's screen. Texts are final, in the reader's language."""

    state: str
    code: str
    title: str
    detail: str
    item: str
    value: str
    who: str
    undo_until: datetime | None
    points: int | msgspec.UnsetType = msgspec.UNSET
    """What the shop earned by this, the sponsor's share included; what an undo took back is below zero."""
    url: str | None = None
    url_label: str | None = None
    compare: str | msgspec.UnsetType = msgspec.UNSET
    """The word on the button that sends the same scan again, the name compared."""
    voucher_id: str | msgspec.UnsetType = msgspec.UNSET
    quantity: int | msgspec.UnsetType = msgspec.UNSET
    status: int | msgspec.UnsetType = msgspec.UNSET
    type: str | msgspec.UnsetType = msgspec.UNSET


class TakingOut(msgspec.Struct):
    """One use in a shop's list."""

    voucher_id: str
    seq: int
    title: str
    quantity: int
    points: int
    cash_fen: int
    card_tail: str
    state: str
    received_at: datetime
    may_undo: bool


class TodayOut(msgspec.Struct):
    """A shop's day."""

    shop_id: UUID
    shop: str
    count: int
    points: int
    cash_fen: int
    items: list[TakingOut]
    next: str | None


class TypedForm(msgspec.Struct):
    """A code typed or read by a hardware scanner."""

    code: Code
    shop: UUID | None = None
    quantity: Count | None = None
    compared: bool = False


class ShopForm(msgspec.Struct):
    """Which of one's shops."""

    shop: UUID
