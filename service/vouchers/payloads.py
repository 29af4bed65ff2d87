"""What crosses the wire about offers, vouchers, scans and settlements. Points are whole points here: `unit` says so."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

import msgspec

from redemption import CapPeriod, OfferKind
from service.vouchers.rules import Decision, Pledge

Code = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Count = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
Reason = Annotated[str, msgspec.Meta(min_length=2, max_length=100)]
Title = Annotated[str, msgspec.Meta(min_length=1, max_length=60)]
Pieces = Annotated[int, msgspec.Meta(ge=1, le=100)]
Points = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
Fen = Annotated[int, msgspec.Meta(ge=0, le=100_000_000)]


class ScanIn(msgspec.Struct):
    """One scan. The nonce is the phone's own number for it: the same again gets the same answer."""

    nonce: UUID
    code: Code
    scanned_at: datetime | None = None
    shop: UUID | None = None
    quantity: Count | None = None


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
    today_count: str | msgspec.UnsetType = msgspec.UNSET
    today_points: str | msgspec.UnsetType = msgspec.UNSET
    url: str | None = None
    url_label: str | None = None
    status: int | msgspec.UnsetType = msgspec.UNSET
    type: str | msgspec.UnsetType = msgspec.UNSET


class OfferOut(msgspec.Struct):
    """An open offer.

    `missing` is how many points the signed-in person still needs; `is_capped` says that they have had as many as one may
    for now, `again_on` the day from which they may again. The price is for all pieces of a voucher, `cash_fen` for each.
    """

    offer_id: UUID
    title: str
    kind: str
    shops: str
    pieces: int
    price: int
    unit: str
    cash_fen: int
    left: int
    valid_until: datetime
    voucher_days: int
    rules: list[str]
    missing: int
    is_capped: bool
    again_on: date | None


class OffersOut(msgspec.Struct):
    """A page of offers, newest first."""

    items: list[OfferOut]
    next: str | None


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
    quantity_total: int
    quantity_used: int
    quantity_open: int
    state: str
    short_code: str | None
    qr: str | None
    issued_at: datetime
    expires_at: datetime
    used_at: datetime | None
    used_at_shop: str | None


class CancelIn(msgspec.Struct):
    """How many pieces are given back; nothing for all that are left."""

    quantity: Count | None = None


class VouchersOut(msgspec.Struct):
    """A page of vouchers, newest first."""

    items: list[VoucherOut]
    next: str | None


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


class ReasonIn(msgspec.Struct):
    """Why."""

    reason: Reason


class OfferIn(msgspec.Struct):
    """The terms of an offer."""

    sponsor: UUID
    shops: list[UUID]
    title: Title
    kind: OfferKind
    price_points: Points
    stock: Count
    valid_from: date
    valid_until: date
    pieces: Pieces = 1
    subsidy_points: Points = 0
    payable_fen: Fen = 0
    cash_fen: Fen = 0
    per_member: Count | None = 1
    per_period: CapPeriod = CapPeriod.QUARTER
    voucher_days: Annotated[int, msgspec.Meta(ge=1, le=365)] | None = None
    rules: list[Annotated[str, msgspec.Meta(max_length=60)]] = []


class PrintedOut(msgspec.Struct):
    """What stands in the code on paper."""

    voucher_id: str
    qr: str


class OfferMade(msgspec.Struct):
    """The offer that was written down."""

    offer_id: UUID


class PledgeIn(msgspec.Struct):
    """What a sponsor promises, in the unit's smallest part: hundredths of a point, or fen."""

    sponsor: UUID
    unit: Pledge
    amount: Annotated[int, msgspec.Meta(ge=1, le=10**12)]


class CloseIn(msgspec.Struct):
    """Up to the end of which day, today at the latest, and for which shop; nothing for all of them."""

    until: date
    shop: UUID | None = None


class ClosedOut(msgspec.Struct):
    """What became of one shop."""

    shop: UUID
    settlement_id: UUID | None
    refused: str | None


class ClosedAll(msgspec.Struct):
    """What became of every shop that had anything open."""

    items: list[ClosedOut]


class PayIn(msgspec.Struct):
    """The bank's reference of the payment."""

    bank_reference: Annotated[str, msgspec.Meta(min_length=3, max_length=60)]


class DisputeIn(msgspec.Struct):
    """Which line a shop objects to, and why."""

    line_no: Count
    reason: Reason


class ResolveIn(msgspec.Struct):
    """What was decided about a line in dispute, and why; the shop reads it."""

    decision: Decision
    reason: Reason


class DisputeOut(msgspec.Struct):
    """A line in dispute: what it is about, who objected, what was decided and which statement carries it."""

    line_no: int
    state: str
    title: str
    quantity: int
    points: int
    fen: int
    received_at: datetime
    reason: str
    raised_by: UUID
    raised_at: datetime
    resolution: str | None
    resolved_by: UUID | None
    resolved_at: datetime | None
    carried_number: int | None


class DisputesOut(msgspec.Struct):
    """Every line of a statement that was objected to, the oldest objection first."""

    items: list[DisputeOut]


class SettlementOut(msgspec.Struct):
    """A statement's head. What is due is what is left without the lines in dispute."""

    settlement_id: UUID
    shop: UUID
    number: int
    state: str
    received_from: datetime
    received_until: datetime
    lines: int
    points: int
    fen: int
    disputed_lines: int
    open_disputes: int
    due_points: int
    due_fen: int
    closed_by: UUID
    closed_at: datetime
    approved_by: UUID | None
    paid_at: datetime | None
    bank_reference: str | None
    hash: str


class SettlementsOut(msgspec.Struct):
    """A page of statements, the last closed first."""

    items: list[SettlementOut]
    next: str | None


class TakeForm(msgspec.Struct):
    """Taking an offer: nothing but the press of the button."""


class CancelForm(msgspec.Struct):
    """How many pieces are given back; nothing for all that are left."""

    quantity: Count | None = None


class TypedForm(msgspec.Struct):
    """A code typed or read by a hardware scanner."""

    code: Code
    shop: UUID | None = None
    quantity: Count | None = None


class ShopForm(msgspec.Struct):
    """Which of one's shops."""

    shop: UUID


class ReasonForm(msgspec.Struct):
    """Why."""

    reason: Reason


class ManyForm(msgspec.Struct):
    """An offer for several people, by card number, one on each line."""

    offer: UUID
    cards: Annotated[str, msgspec.Meta(min_length=1, max_length=8000)]


class OfferForm(msgspec.Struct):
    """The desk's form of an offer."""

    sponsor: UUID
    title: Title
    kind: OfferKind
    price_points: Points
    stock: Count
    valid_from: date
    valid_until: date
    shops: list[UUID] = []
    pieces: Pieces = 1
    subsidy_points: Points = 0
    payable_yuan: Annotated[
        str, msgspec.Meta(pattern=r"^\d{1,7}(\.\d{1,2})?$", extra={"problem": "money", "digits": 7})
    ] = "0"
    cash_yuan: Annotated[
        str, msgspec.Meta(pattern=r"^\d{1,7}(\.\d{1,2})?$", extra={"problem": "money", "digits": 7})
    ] = "0"
    per_member: Count | None = None
    per_period: CapPeriod = CapPeriod.QUARTER
    voucher_days: Annotated[int, msgspec.Meta(ge=1, le=365)] | None = None
    rules: Annotated[str, msgspec.Meta(max_length=200)] = ""


class PledgeForm(msgspec.Struct):
    """The desk's form of a pledge: whole points, or yuan."""

    sponsor: UUID
    unit: Pledge
    amount: Annotated[str, msgspec.Meta(pattern=r"^\d{1,9}(\.\d{1,2})?$", extra={"problem": "money", "digits": 9})]


class CloseForm(msgspec.Struct):
    """Up to the end of which day, and for which shop."""

    until: date
    shop: UUID | None = None


class ResolveForm(msgspec.Struct):
    """What was decided about a line in dispute, and why."""

    decision: Decision
    reason: Reason


class PayForm(msgspec.Struct):
    """The bank's reference."""

    bank_reference: Annotated[str, msgspec.Meta(min_length=3, max_length=60)]
