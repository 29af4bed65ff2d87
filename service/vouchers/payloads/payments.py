"""What crosses the wire about payments of statements and their invoices."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec

from service.vouchers.payloads.kinds import Fen

Reference = Annotated[str, msgspec.Meta(min_length=3, max_length=60)]
InvoiceNo = Annotated[str, msgspec.Meta(pattern=r"^\d{8,20}$", extra={"problem": "invoice_no"})]
Money = Annotated[str, msgspec.Meta(pattern=r"^\d{1,9}(\.\d{1,2})?$", extra={"problem": "money", "digits": 9})]


class PayIn(msgspec.Struct):
    """The bank's reference of the payment, and how much of it; nothing for all that is open."""

    bank_reference: Reference
    fen: Fen | None = None


class PaymentOut(msgspec.Struct):
    """One payment of a statement; `repeats` is the number of the one that came back before it."""

    number: int
    points: int
    fen: int
    bank_reference: str
    account_tail: str | None
    repeats: int | None
    approved_by: UUID | None
    paid_by: UUID
    paid_at: datetime
    returned_at: datetime | None
    return_reason: str | None


class InvoiceOut(msgspec.Struct):
    """An invoice of the shop."""

    invoice_no: str
    fen: int
    noted_by: UUID
    noted_at: datetime


class PaymentsOut(msgspec.Struct):
    """What was paid of a statement, what came back, and its invoices."""

    items: list[PaymentOut]
    invoices: list[InvoiceOut]


class InvoiceIn(msgspec.Struct):
    """The number of an invoice and its amount."""

    invoice_no: InvoiceNo
    fen: Annotated[int, msgspec.Meta(ge=1, le=10**11)]


class PayForm(msgspec.Struct):
    """The bank's reference, and how many yuan; nothing for all that is open."""

    bank_reference: Reference
    yuan: Money | None = None


class InvoiceForm(msgspec.Struct):
    """The number of an invoice and its amount in yuan."""

    invoice_no: InvoiceNo
    invoice_yuan: Money
