"""The kinds of values that several payloads share, and the reason that many acts ask for."""

from typing import Annotated, Literal

import msgspec

from service.vouchers.rules import STARS_MOST

Code = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
CardNo = Annotated[str, msgspec.Meta(min_length=1, max_length=40)]
HolderName = Annotated[str, msgspec.Meta(min_length=1, max_length=60)]
Count = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
Reason = Annotated[str, msgspec.Meta(min_length=2, max_length=100)]
Title = Annotated[str, msgspec.Meta(min_length=1, max_length=60)]
Weekday = Annotated[int, msgspec.Meta(ge=1, le=7)]
Stars = Annotated[int, msgspec.Meta(ge=0, le=STARS_MOST)]
Version = Annotated[str, msgspec.Meta(max_length=40)]
AskedRole = Literal["steward", "volunteer", "leader", "grid_worker", "repairer"]
Pieces = Annotated[int, msgspec.Meta(ge=1, le=100)]
Points = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
Fen = Annotated[int, msgspec.Meta(ge=0, le=100_000_000)]


class ReasonIn(msgspec.Struct):
    """Why."""

    reason: Reason


class ReasonForm(msgspec.Struct):
    """Why."""

    reason: Reason
