"""Offers and the shops they can be used at."""

from __future__ import annotations

from sqlalchemy import ARRAY, Boolean, Column, Index, LargeBinary, SmallInteger, Table, Text, text

from redemption.rules import CapPeriod, OfferKind, OfferState
from redemption.tables.columns import (
    amount,
    check,
    community,
    count,
    identifier,
    instant,
    metadata,
    one_of,
    primary,
    refers,
    words,
)

merchant = Table(
    "merchant",
    metadata,
    community(),
    identifier("merchant_id"),
    count("settled_number", default=0),
    Column("settled_hash", LargeBinary, nullable=True),
    instant("settled_until", nullable=True),
    primary("merchant", "merchant_id"),
    check("merchant", "settled_number", "settled_number >= 0"),
)
"""A shop that can be owed something, and the end of its chain of settlements. Closing a batch locks this row."""

offer = Table(
    "offer",
    metadata,
    community(),
    identifier("offer_id"),
    identifier("sponsor_id"),
    words("title"),
    words("kind"),
    count("pieces", default=1),
    count("price_points"),
    count("subsidy_points", default=0),
    amount("payable_fen"),
    amount("cash_fen"),
    words("price_list_version", nullable=True),
    count("stock_total"),
    count("stock_taken", default=0),
    count("period_cap", nullable=True),
    words("period_cap_per", nullable=True),
    Column("weekdays", SmallInteger, nullable=False, server_default=text("127")),
    instant("usable_from", nullable=True),
    Column("is_giftable", Boolean, nullable=False, server_default=text("false")),
    Column("requires", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    count("per_member_cap", nullable=True),
    words("cap_period"),
    words("time_zone"),
    instant("valid_from"),
    instant("valid_until"),
    count("voucher_days", default=7),
    Column("offline_class", SmallInteger, nullable=False, server_default=text("0")),
    Column("rules", ARRAY(Text), nullable=False),
    words("state"),
    identifier("drafted_by"),
    instant("drafted_at"),
    identifier("published_by", nullable=True),
    instant("published_at", nullable=True),
    identifier("withdrawn_by", nullable=True),
    instant("withdrawn_at", nullable=True),
    words("withdrawn_reason", nullable=True),
    primary("offer", "offer_id"),
    one_of("offer", "kind", OfferKind),
    one_of("offer", "state", OfferState),
    one_of("offer", "cap_period", CapPeriod),
    check("offer", "price", "price_points >= 0 AND subsidy_points BETWEEN 0 AND price_points"),
    check(
        "offer",
        "entitlement",
        "kind <> 'entitlement'"
        " OR (price_points = 0 AND cash_fen = 0 AND cardinality(requires) > 0 AND NOT is_giftable)",
    ),
    check("offer", "money", "payable_fen >= 0 AND cash_fen >= 0"),
    check("offer", "stock", "stock_total > 0 AND stock_taken BETWEEN 0 AND stock_total"),
    check("offer", "per_member_cap", "per_member_cap > 0"),
    check("offer", "period_cap", "(period_cap IS NULL) = (period_cap_per IS NULL) AND period_cap >= pieces"),
    one_of("offer", "period_cap_per", CapPeriod),
    check("offer", "is_giftable", "NOT is_giftable OR offline_class = 0"),
    check("offer", "weekdays", "weekdays BETWEEN 1 AND 127"),
    check("offer", "pieces", "pieces BETWEEN 1 AND 100 AND pieces <= stock_total AND pieces <= per_member_cap"),
    check("offer", "valid", "valid_from < valid_until"),
    check("offer", "voucher_days", "voucher_days BETWEEN 1 AND 3660"),
    check("offer", "offline_class", "offline_class BETWEEN 0 AND 2"),
    check("offer", "title", "length(title) BETWEEN 1 AND 200"),
    check("offer", "published", "(state = 'draft') = (published_at IS NULL)"),
    check("offer", "withdrawn", "(state = 'withdrawn') = (withdrawn_at IS NOT NULL)"),
    Index("ix_offer_sponsor", "community_id", "sponsor_id", "state"),
)

offer_period = Table(
    "offer_period",
    metadata,
    community(),
    identifier("offer_id"),
    instant("began_at"),
    count("cap"),
    count("taken"),
    primary("offer_period", "offer_id", "began_at"),
    refers("offer_period", "offer", ("offer_id",), "offer"),
    check("offer_period", "taken", "taken BETWEEN 0 AND cap"),
)
"""How many pieces of an offer with a cap for each period were taken in one of them, and not given back since."""

offer_merchant = Table(
    "offer_merchant",
    metadata,
    community(),
    identifier("offer_id"),
    identifier("merchant_id"),
    primary("offer_merchant", "offer_id", "merchant_id"),
    refers("offer_merchant", "offer", ("offer_id",), "offer"),
    refers("offer_merchant", "merchant", ("merchant_id",), "merchant"),
    Index("ix_offer_merchant_merchant", "community_id", "merchant_id"),
)
