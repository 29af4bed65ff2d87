"""What crosses the wire about members' cards. A PIN goes in and never comes out."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec

from service.vouchers.payloads.kinds import CardNo, Code, Count

Pin = Annotated[str, msgspec.Meta(pattern="^[0-9]{6}$")]
VoucherText = Annotated[str, msgspec.Meta(pattern="^[1-9][0-9]{0,18}$")]


class CardIn(msgspec.Struct):
    """A card that was scanned."""

    code: Code
    shop: UUID | None = None


class CardVoucherOut(msgspec.Struct):
    """One voucher that the holder can use here."""

    voucher_id: str
    title: str
    points: int
    cash_fen: int
    open: int
    expires_at: datetime


class CardOut(msgspec.Struct):
    """What the counter learns of a card: the end of its number, and what can be used here."""

    tail: str
    is_locked: bool
    items: list[CardVoucherOut]


class CardUseIn(msgspec.Struct):
    """The member typed the PIN for one voucher. The nonce is the counter's number for it: the same again is used once."""

    code: Code
    voucher_id: VoucherText
    pin: Pin
    nonce: UUID
    shop: UUID | None = None
    quantity: Count = 1


class CardUseForm(msgspec.Struct):
    """The same as a form."""

    voucher_id: Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]
    pin: Pin
    quantity: Count = 1


class PrintCardsForm(msgspec.Struct):
    """Whose cards are printed, one number a line."""

    cards: Annotated[str, msgspec.Meta(min_length=1, max_length=6000)]


class PrintCardsIn(msgspec.Struct):
    """Whose cards are printed."""

    cards: Annotated[list[CardNo], msgspec.Meta(min_length=1, max_length=400)]


class PrintedCard(msgspec.Struct):
    """What stands on a card."""

    card_no: str
    qr: str


class PrintedCards(msgspec.Struct):
    """Cards that were printed."""

    items: list[PrintedCard]
