"""What crosses the wire about vouchers in the hand."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

import msgspec

from service.vouchers.payloads.kinds import CardNo, Count, HolderName


class TakeIn(msgspec.Struct):
    """For whom an offer is taken; nothing for oneself."""

    for_member: UUID | None = None


class VoucherOut(msgspec.Struct):
    """A voucher. `qr` is the text of the code to show now, only while it can be used."""

    voucher_id: str
    offer_id: UUID
    title: str
    shops: str
    price: int
    unit: str
    subsidy: int
    cash_fen: int
    quantity_total: int
    quantity_used: int
    quantity_open: int
    state: str
    short_code: str | None
    qr: str | None
    weekdays: list[int]
    usable_on: date | None
    price_list_version: str | None
    issued_at: datetime
    expires_at: datetime
    used_at: datetime | None
    used_at_shop: str | None
    may_give: bool
    is_gift: bool


class CancelIn(msgspec.Struct):
    """How many pieces are given back; nothing for all that are left."""

    quantity: Count | None = None


class GiveIn(msgspec.Struct):
    """To whom a voucher is given: card number and full name, which must belong together."""

    card_no: CardNo
    name: HolderName


class GiveForm(msgspec.Struct):
    """The page's form of the same."""

    card_no: CardNo
    name: HolderName


class VouchersOut(msgspec.Struct):
    """A page of vouchers, newest first."""

    items: list[VoucherOut]
    next: str | None


class PrintedOut(msgspec.Struct):
    """What stands in the code on paper."""

    voucher_id: str
    qr: str


class TakeForm(msgspec.Struct):
    """Taking an offer: nothing but the press of the button."""


class CancelForm(msgspec.Struct):
    """How many pieces are given back; nothing for all that are left."""

    quantity: Count | None = None


class ManyForm(msgspec.Struct):
    """An offer for several people, by card number, one on each line."""

    offer: UUID
    cards: Annotated[str, msgspec.Meta(min_length=1, max_length=8000)]
