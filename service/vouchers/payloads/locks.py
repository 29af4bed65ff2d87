"""What crosses the wire when a counter keeps a voucher while something is prepared."""

from datetime import datetime
from uuid import UUID

import msgspec

from service.vouchers.payloads.kinds import Code, Count


class KeepIn(msgspec.Struct):
    """The code that was scanned."""

    code: Code
    shop: UUID | None = None
    compared: bool = False
    """The clerk has compared the name of who shows a printed code."""


class KeptOut(msgspec.Struct):
    """What waits for this counter, and until when. Whoever has the token redeems it or lets it go."""

    voucher_id: str
    token: UUID
    until: datetime
    seconds_left: int
    """For a phone whose clock is wrong."""
    title: str
    points: int
    cash_fen: int
    open: int


class KeptUseIn(msgspec.Struct):
    """It is ready. The nonce is the counter's number for this: the same again is used once."""

    token: UUID
    nonce: UUID
    shop: UUID | None = None
    quantity: Count = 1
    compared: bool = False


class KeptUseForm(msgspec.Struct):
    """The same as a form."""

    token: UUID
    shop: UUID | None = None
    quantity: Count = 1
    compared: bool = False


class LetGoIn(msgspec.Struct):
    """The counter does not need it after all."""

    token: UUID
    shop: UUID | None = None


class LetGoForm(msgspec.Struct):
    """The same as a form."""

    token: UUID
    shop: UUID | None = None
