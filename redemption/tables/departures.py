"""Shops that leave, what was offered at them alone, and what became of each voucher."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Table, text

from redemption.rules import DepartureState
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

departure = Table(
    "departure",
    metadata,
    community(),
    identifier("departure_id"),
    identifier("merchant_id"),
    identifier("successor_id", nullable=True),
    instant("leaves_at"),
    words("state"),
    words("reason"),
    identifier("proposed_by"),
    instant("proposed_at"),
    identifier("agreed_by", nullable=True),
    instant("agreed_at", nullable=True),
    instant("locked_at", nullable=True),
    identifier("ended_by", nullable=True),
    instant("ended_at", nullable=True),
    primary("departure", "departure_id"),
    refers("departure", "merchant", ("merchant_id",), "merchant"),
    refers("departure", "successor", ("successor_id",), "merchant", ("merchant_id",)),
    one_of("departure", "state", DepartureState),
    check("departure", "reason", "length(reason) > 0"),
    check("departure", "successor", "successor_id <> merchant_id"),
    check("departure", "two_people", "agreed_by <> proposed_by"),
    check(
        "departure",
        "agreed",
        "(agreed_at IS NULL) = (agreed_by IS NULL)"
        " AND (state NOT IN ('LEAVING', 'LOCKED', 'DONE') OR agreed_at IS NOT NULL)",
    ),
    check("departure", "locked", "(state IN ('LOCKED', 'DONE')) = (locked_at IS NOT NULL)"),
    check(
        "departure",
        "ended",
        "(state IN ('DONE', 'WITHDRAWN')) = (ended_at IS NOT NULL) AND (ended_at IS NULL) = (ended_by IS NULL)",
    ),
    Index(
        "uq_departure_merchant",
        "community_id",
        "merchant_id",
        unique=True,
        postgresql_where=text("state <> 'WITHDRAWN'"),
    ),
    Index("ix_departure_live", "community_id", "leaves_at", postgresql_where=text("state IN ('LEAVING', 'LOCKED')")),
)
"""A shop leaves: one proposes, another agrees. From locked_at on it is in no offer's scope. successor_id takes its vouchers
over; without one they are refunded."""

departure_offer = Table(
    "departure_offer",
    metadata,
    community(),
    identifier("departure_id"),
    identifier("offer_id"),
    Column("is_alone", Boolean, nullable=False),
    primary("departure_offer", "departure_id", "offer_id"),
    refers("departure_offer", "departure", ("departure_id",), "departure"),
    refers("departure_offer", "offer", ("offer_id",), "offer"),
    Index("ix_departure_offer_offer", "community_id", "offer_id"),
)
"""Append-only: the offers that the shop was in the scope of when it was locked out. What it offered alone is moved."""

departure_voucher = Table(
    "departure_voucher",
    metadata,
    community(),
    identifier("departure_id"),
    Column("voucher_id", BigInteger, nullable=False, autoincrement=False),
    count("quantity"),
    amount("points"),
    instant("at"),
    primary("departure_voucher", "departure_id", "voucher_id"),
    refers("departure_voucher", "departure", ("departure_id",), "departure"),
    refers("departure_voucher", "voucher", ("voucher_id",), "voucher"),
    check("departure_voucher", "quantity", "quantity > 0 AND points >= 0"),
)
"""Append-only: a voucher that was moved, how many pieces were open, and the whole points that went back."""
