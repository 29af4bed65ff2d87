"""What crosses the wire about offers and pledges."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

import msgspec

from redemption import CapPeriod, OfferKind
from service.vouchers.payloads.kinds import AskedRole, Count, Fen, Pieces, Points, Stars, Title, Version, Weekday
from service.vouchers.rules import OfflineWay, Pledge


class OfferOut(msgspec.Struct):
    """An open offer.

    `missing` is how many points the signed-in person still needs; `is_full` that the running period has nothing left for
    anybody; `is_capped` says that they have had as many as one may
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
    weekdays: list[int]
    usable_on: date | None
    price_list_version: str | None
    voucher_days: int
    rules: list[str]
    missing: int
    is_full: bool
    is_capped: bool
    again_on: date | None


class OffersOut(msgspec.Struct):
    """A page of offers, newest first."""

    items: list[OfferOut]
    next: str | None


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
    period_cap: Count | None = None
    period_cap_per: CapPeriod = CapPeriod.WEEK
    weekdays: list[Weekday] = []
    usable_on: date | None = None
    for_roles: list[AskedRole] = []
    for_stars: Stars = 0
    for_words: list[Annotated[str, msgspec.Meta(pattern="^[a-z0-9-]{2,24}$")]] = []
    """What households can be entitled to; the words say nothing about why."""
    price_list_version: Version | None = None
    is_giftable: bool = False
    offline: OfflineWay = OfflineWay.ONLINE_ONLY
    voucher_days: Annotated[int, msgspec.Meta(ge=1, le=365)] | None = None
    rules: list[Annotated[str, msgspec.Meta(max_length=60)]] = []


class OfferMade(msgspec.Struct):
    """The offer that was written down."""

    offer_id: UUID


class PledgeIn(msgspec.Struct):
    """What a sponsor promises, in the unit's smallest part: hundredths of a point, or fen."""

    sponsor: UUID
    unit: Pledge
    amount: Annotated[int, msgspec.Meta(ge=1, le=10**12)]


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
    period_cap: Count | None = None
    period_cap_per: CapPeriod = CapPeriod.WEEK
    weekdays: list[Weekday] = []
    usable_on: date | None = None
    for_roles: list[AskedRole] = []
    for_stars: Stars = 0
    for_words: Annotated[str, msgspec.Meta(pattern="^([a-z0-9-]{2,24} *)*$", max_length=100)] = ""
    price_list_version: Version = ""
    is_giftable: bool = False
    offline: OfflineWay = OfflineWay.ONLINE_ONLY
    voucher_days: Annotated[int, msgspec.Meta(ge=1, le=365)] | None = None
    rules: Annotated[str, msgspec.Meta(max_length=200)] = ""


class PledgeForm(msgspec.Struct):
    """The desk's form of a pledge: whole points, or yuan."""

    sponsor: UUID
    unit: Pledge
    amount: Annotated[str, msgspec.Meta(pattern=r"^\d{1,9}(\.\d{1,2})?$", extra={"problem": "money", "digits": 9})]
