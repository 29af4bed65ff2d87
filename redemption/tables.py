"""The tables of redemption, in PostgreSQL schema "redemption".

Every key starts with community_id. The service's role may only read them; the functions in sql/ are the only writers.
No table names a person: members, clerks and organisations are opaque UUIDs, a household is an opaque owner_group.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from redemption.rules import CapPeriod, DeviceKind, DisputeState, OfferKind, OfferState
from redemption.rules import LineKind, SettlementState, UseState, VoucherState

metadata = MetaData(schema="redemption")


def _community() -> Column[int]:
    return Column("community_id", BigInteger, nullable=False)


def _id(name: str, *, nullable: bool = False) -> Column[object]:
    return Column(name, Uuid, nullable=nullable)


def _at(name: str, *, nullable: bool = False) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


def _count(name: str, *, default: int | None = None, nullable: bool = False) -> Column[int]:
    return Column(name, Integer, nullable=nullable, server_default=None if default is None else text(str(default)))


def _amount(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False)


def _words(name: str, *, nullable: bool = False) -> Column[str]:
    return Column(name, Text, nullable=nullable)


def _one_of(table: str, column: str, allowed: type[StrEnum]) -> CheckConstraint:
    values = ", ".join(f"'{value}'" for value in allowed)
    return CheckConstraint(f"{column} IN ({values})", name=f"ck_{table}_{column}")


def _check(table: str, what: str, rule: str) -> CheckConstraint:
    return CheckConstraint(rule, name=f"ck_{table}_{what}")


def _primary(table: str, *columns: str) -> PrimaryKeyConstraint:
    return PrimaryKeyConstraint("community_id", *columns, name=f"pk_{table}")


def _refers(
    table: str, what: str, columns: Iterable[str], target: str, target_columns: Iterable[str] = ()
) -> ForeignKeyConstraint:
    own = ("community_id", *columns)
    theirs = ("community_id", *(tuple(target_columns) or tuple(columns)))
    return ForeignKeyConstraint(own, [f"redemption.{target}.{name}" for name in theirs], name=f"fk_{table}_{what}")


merchant = Table(
    "merchant",
    metadata,
    _community(),
    _id("merchant_id"),
    _count("settled_number", default=0),
    Column("settled_hash", LargeBinary, nullable=True),
    _at("settled_until", nullable=True),
    _primary("merchant", "merchant_id"),
    _check("merchant", "settled_number", "settled_number >= 0"),
)
"""A shop that can be owed something, and the end of its chain of settlements. Closing a batch locks this row."""

offer = Table(
    "offer",
    metadata,
    _community(),
    _id("offer_id"),
    _id("sponsor_id"),
    _words("title"),
    _words("kind"),
    _count("price_points"),
    _count("subsidy_points", default=0),
    _amount("payable_fen"),
    _amount("cash_fen"),
    _words("price_list_version", nullable=True),
    _count("stock_total"),
    _count("stock_taken", default=0),
    _count("per_member_cap", nullable=True),
    _words("cap_period"),
    _words("time_zone"),
    _at("valid_from"),
    _at("valid_until"),
    _count("voucher_days", default=7),
    Column("offline_class", SmallInteger, nullable=False, server_default=text("0")),
    Column("rules", ARRAY(Text), nullable=False),
    _words("state"),
    _id("drafted_by"),
    _at("drafted_at"),
    _id("published_by", nullable=True),
    _at("published_at", nullable=True),
    _id("withdrawn_by", nullable=True),
    _at("withdrawn_at", nullable=True),
    _words("withdrawn_reason", nullable=True),
    _primary("offer", "offer_id"),
    _one_of("offer", "kind", OfferKind),
    _one_of("offer", "state", OfferState),
    _one_of("offer", "cap_period", CapPeriod),
    _check("offer", "price", "price_points >= 0 AND subsidy_points BETWEEN 0 AND price_points"),
    _check("offer", "money", "payable_fen >= 0 AND cash_fen >= 0"),
    _check("offer", "stock", "stock_total > 0 AND stock_taken BETWEEN 0 AND stock_total"),
    _check("offer", "per_member_cap", "per_member_cap > 0"),
    _check("offer", "valid", "valid_from < valid_until"),
    _check("offer", "voucher_days", "voucher_days BETWEEN 1 AND 3660"),
    _check("offer", "offline_class", "offline_class BETWEEN 0 AND 2"),
    _check("offer", "title", "length(title) BETWEEN 1 AND 200"),
    _check("offer", "published", "(state = 'draft') = (published_at IS NULL)"),
    _check("offer", "withdrawn", "(state = 'withdrawn') = (withdrawn_at IS NOT NULL)"),
    Index("ix_offer_sponsor", "community_id", "sponsor_id", "state"),
)

offer_merchant = Table(
    "offer_merchant",
    metadata,
    _community(),
    _id("offer_id"),
    _id("merchant_id"),
    _primary("offer_merchant", "offer_id", "merchant_id"),
    _refers("offer_merchant", "offer", ("offer_id",), "offer"),
    _refers("offer_merchant", "merchant", ("merchant_id",), "merchant"),
    Index("ix_offer_merchant_merchant", "community_id", "merchant_id"),
)

_OPEN = "state IN ('RESERVED', 'ISSUED', 'LOCKED', 'PART_USED', 'CANCEL_PENDING')"

voucher = Table(
    "voucher",
    metadata,
    _community(),
    Column("voucher_id", BigInteger, nullable=False, autoincrement=False),
    _id("offer_id"),
    _id("sponsor_id"),
    _id("member_id"),
    _id("owner_group", nullable=True),
    _words("short_code"),
    _words("state"),
    _words("frozen_state", nullable=True),
    _count("quantity_total"),
    _count("quantity_used", default=0),
    _count("quantity_returned", default=0),
    _count("points_each"),
    _count("subsidy_points_each"),
    _amount("payable_fen_each"),
    _amount("cash_fen_each"),
    _words("price_list_version", nullable=True),
    _words("discount_class", nullable=True),
    Column("offline_class", SmallInteger, nullable=False),
    _count("code_seq", default=1),
    _count("use_seq", default=0),
    _count("event_seq", default=0),
    _id("points_hold", nullable=True),
    _id("subsidy_hold", nullable=True),
    _id("payable_hold", nullable=True),
    _at("issued_at"),
    _at("expires_at"),
    _at("due_at"),
    _at("changed_at"),
    _primary("voucher", "voucher_id"),
    UniqueConstraint("community_id", "short_code", name="uq_voucher_short_code"),
    _refers("voucher", "offer", ("offer_id",), "offer"),
    _one_of("voucher", "state", VoucherState),
    _check("voucher", "voucher_id", "voucher_id > 0"),
    _check("voucher", "short_code", "short_code ~ '^[2-9A-HJKMNP-Z]{9}$'"),
    _check(
        "voucher",
        "quantity",
        "quantity_total > 0 AND quantity_used >= 0 AND quantity_returned >= 0 AND quantity_used + quantity_returned <= quantity_total",
    ),
    _check(
        "voucher",
        "closed",
        "(state IN ('USED', 'CANCELLED', 'EXPIRED', 'VOID')) = (quantity_used + quantity_returned = quantity_total)",
    ),
    _check("voucher", "used", "state <> 'USED' OR quantity_used > 0"),
    _check("voucher", "part_used", "state <> 'PART_USED' OR quantity_used > 0"),
    _check("voucher", "frozen", "(state = 'FROZEN') = (frozen_state IS NOT NULL)"),
    _check(
        "voucher",
        "price",
        "points_each >= 0 AND subsidy_points_each >= 0 AND payable_fen_each >= 0 AND cash_fen_each >= 0",
    ),
    _check("voucher", "offline_class", "offline_class BETWEEN 0 AND 2"),
    _check("voucher", "sequence", "code_seq BETWEEN 1 AND 65535 AND use_seq >= 0 AND event_seq >= 0"),
    _check("voucher", "time", "issued_at < expires_at AND expires_at <= due_at"),
    Index("ix_voucher_member", "community_id", "member_id", "issued_at", "voucher_id"),
    Index("ix_voucher_offer_member", "community_id", "offer_id", "member_id", "issued_at"),
    Index("ix_voucher_due", "community_id", "due_at", postgresql_where=text(_OPEN)),
)
"""A promise held in escrow. The split of its price is frozen here; open = total - used - returned, and escrow = open times each part.

due_at is when what is left goes back: the expiry, and for the offline classes 72 hours of grace for late uploads.
"""

voucher_event = Table(
    "voucher_event",
    metadata,
    _community(),
    Column("voucher_id", BigInteger, nullable=False, autoincrement=False),
    Column("number", Integer, nullable=False, autoincrement=False),
    _words("action"),
    _words("from_state", nullable=True),
    _words("to_state"),
    _id("actor_id", nullable=True),
    _id("second_id", nullable=True),
    _id("on_behalf_of", nullable=True),
    _words("reason"),
    _at("at"),
    _primary("voucher_event", "voucher_id", "number"),
    _refers("voucher_event", "voucher", ("voucher_id",), "voucher"),
    _check("voucher_event", "number", "number > 0"),
)
"""Append-only: no voucher changes its state without an actor (none means the system) and a reason."""

device = Table(
    "device",
    metadata,
    _community(),
    _id("device_id"),
    _words("kind"),
    _id("merchant_id", nullable=True),
    Column("public_key", LargeBinary, nullable=True),
    _id("registered_by", nullable=True),
    _at("registered_at"),
    _id("revoked_by", nullable=True),
    _at("revoked_at", nullable=True),
    _primary("device", "device_id"),
    _refers("device", "merchant", ("merchant_id",), "merchant"),
    _one_of("device", "kind", DeviceKind),
    _check("device", "enrolled", "kind <> 'enrolled' OR (merchant_id IS NOT NULL AND public_key IS NOT NULL)"),
)

use = Table(
    "use",
    metadata,
    _community(),
    Column("voucher_id", BigInteger, nullable=False, autoincrement=False),
    Column("seq", Integer, nullable=False, autoincrement=False),
    _id("device_id"),
    _id("nonce"),
    _id("merchant_id"),
    _id("clerk_id"),
    _id("on_behalf_of", nullable=True),
    _count("quantity"),
    _amount("points"),
    _amount("subsidy_points"),
    _amount("payable_fen"),
    _amount("cash_fen"),
    _count("code_seq", nullable=True),
    _words("state"),
    _at("scanned_at"),
    _at("received_at"),
    Column("journal_id", BigInteger, nullable=True),
    _at("reversed_at", nullable=True),
    _id("reversed_by", nullable=True),
    _words("reversal_reason", nullable=True),
    Column("reversal_journal_id", BigInteger, nullable=True),
    _primary("use", "voucher_id", "seq"),
    UniqueConstraint("community_id", "device_id", "nonce", name="uq_use_nonce"),
    _refers("use", "voucher", ("voucher_id",), "voucher"),
    _refers("use", "device", ("device_id",), "device"),
    _one_of("use", "state", UseState),
    _check("use", "seq", "seq > 0"),
    _check("use", "quantity", "quantity > 0"),
    _check("use", "amounts", "points >= 0 AND subsidy_points >= 0 AND payable_fen >= 0 AND cash_fen >= 0"),
    _check("use", "reversed", "(state = 'REVERSED') = (reversed_at IS NOT NULL)"),
    Index("ix_use_takings", "community_id", "merchant_id", "received_at", "voucher_id", "seq"),
    Index(
        "ix_use_unsettled", "community_id", "merchant_id", "received_at", postgresql_where=text("state = 'ACCEPTED'")
    ),
    Index(
        "ix_use_reversed", "community_id", "device_id", "reversed_at", postgresql_where=text("reversed_at IS NOT NULL")
    ),
)
"""One accepted scan. Points are whole points and already multiplied by the quantity; scanned_at is the device's claim, received_at ours."""

settlement = Table(
    "settlement",
    metadata,
    _community(),
    _id("settlement_id"),
    _id("merchant_id"),
    _count("number"),
    _at("received_from"),
    _at("received_until"),
    _words("state"),
    _count("line_count"),
    _amount("points"),
    _amount("subsidy_points"),
    _amount("payable_fen"),
    _amount("cash_fen"),
    Column("previous_hash", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    _id("closed_by"),
    _at("closed_at"),
    _id("confirmed_by", nullable=True),
    _at("confirmed_at", nullable=True),
    _id("approved_by", nullable=True),
    _at("approved_at", nullable=True),
    _id("paid_by", nullable=True),
    _at("paid_at", nullable=True),
    _words("bank_reference", nullable=True),
    Column("paid_points", BigInteger, nullable=True),
    Column("paid_fen", BigInteger, nullable=True),
    Column("journal_id", BigInteger, nullable=True),
    _primary("settlement", "settlement_id"),
    UniqueConstraint("community_id", "merchant_id", "number", name="uq_settlement_number"),
    _refers("settlement", "merchant", ("merchant_id",), "merchant"),
    _one_of("settlement", "state", SettlementState),
    _check("settlement", "number", "number > 0"),
    _check("settlement", "line_count", "line_count > 0"),
    _check("settlement", "two_people", "approved_by <> closed_by"),
    _check("settlement", "paid", "(state = 'PAID') = (paid_at IS NOT NULL)"),
    _check("settlement", "bank_reference", "(state = 'PAID') = (bank_reference IS NOT NULL)"),
    _check("settlement", "approved", "(state IN ('APPROVED', 'PAID')) = (approved_at IS NOT NULL)"),
    _check("settlement", "period", "received_from < received_until"),
    Index("ix_settlement_state", "community_id", "state", "closed_at"),
)
"""A closed batch of one merchant. Its sums and its hash never change after closing; only its state moves on."""

settlement_line = Table(
    "settlement_line",
    metadata,
    _community(),
    _id("settlement_id"),
    Column("line_no", Integer, nullable=False, autoincrement=False),
    _words("kind"),
    Column("voucher_id", BigInteger, nullable=False),
    _count("use_seq"),
    _count("part", default=0),
    _count("quantity"),
    _amount("points"),
    _amount("subsidy_points"),
    _amount("payable_fen"),
    _amount("cash_fen"),
    _at("received_at"),
    Column("journal_id", BigInteger, nullable=True),
    _primary("settlement_line", "settlement_id", "line_no"),
    UniqueConstraint("community_id", "voucher_id", "use_seq", "part", name="uq_settlement_line_use"),
    _refers("settlement_line", "settlement", ("settlement_id",), "settlement"),
    _refers("settlement_line", "use", ("voucher_id", "use_seq"), "use", ("voucher_id", "seq")),
    _one_of("settlement_line", "kind", LineKind),
    _check("settlement_line", "line_no", "line_no > 0"),
    _check("settlement_line", "part", "part >= 0 AND (part = 0) = (kind = 'use')"),
    _check(
        "settlement_line",
        "amounts",
        "kind <> 'use' OR (points >= 0 AND subsidy_points >= 0 AND payable_fen >= 0 AND cash_fen >= 0)",
    ),
)
"""Append-only. Part 0 is the use itself, exactly once; later corrections are further parts with a sign, in a later batch."""

dispute = Table(
    "dispute",
    metadata,
    _community(),
    _id("settlement_id"),
    Column("line_no", Integer, nullable=False, autoincrement=False),
    _words("state"),
    _words("reason"),
    _id("raised_by"),
    _id("on_behalf_of", nullable=True),
    _at("raised_at"),
    _id("resolved_by", nullable=True),
    _at("resolved_at", nullable=True),
    _primary("dispute", "settlement_id", "line_no"),
    _refers("dispute", "line", ("settlement_id", "line_no"), "settlement_line"),
    _one_of("dispute", "state", DisputeState),
    _check("dispute", "reason", "length(reason) > 0"),
)
"""A line that left its batch: it stays in the statement, marked, and is not paid with it."""

command = Table(
    "command",
    metadata,
    _community(),
    _id("key"),
    _words("verb"),
    Column("request", JSONB, nullable=False),
    Column("answer", JSONB, nullable=False),
    _id("actor_id", nullable=True),
    _at("at"),
    _primary("command", "key"),
)
"""What each client key did, kept for ever: the same key with the same request gets the same answer, with another it is refused."""
