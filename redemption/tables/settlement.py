"""Closed batches, their lines, and what is in dispute. And the keys of clients."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB

from redemption.rules import AdjustmentCause, DisputeState, LineKind, RequestState, SettlementState
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

settlement = Table(
    "settlement",
    metadata,
    community(),
    identifier("settlement_id"),
    identifier("merchant_id"),
    count("number"),
    instant("received_from"),
    instant("received_until"),
    words("state"),
    count("line_count"),
    amount("points"),
    amount("subsidy_points"),
    amount("payable_fen"),
    amount("cash_fen"),
    Column("previous_hash", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    identifier("closed_by"),
    instant("closed_at"),
    identifier("confirmed_by", nullable=True),
    instant("confirmed_at", nullable=True),
    identifier("approved_by", nullable=True),
    instant("approved_at", nullable=True),
    identifier("paid_by", nullable=True),
    instant("paid_at", nullable=True),
    words("bank_reference", nullable=True),
    Column("paid_points", BigInteger, nullable=False, server_default=text("0")),
    Column("paid_fen", BigInteger, nullable=False, server_default=text("0")),
    Column("journal_id", BigInteger, nullable=True),
    Column("approved_points", BigInteger, nullable=True),
    Column("approved_fen", BigInteger, nullable=True),
    primary("settlement", "settlement_id"),
    UniqueConstraint("community_id", "merchant_id", "number", name="uq_settlement_number"),
    refers("settlement", "merchant", ("merchant_id",), "merchant"),
    one_of("settlement", "state", SettlementState),
    check("settlement", "number", "number > 0"),
    check("settlement", "line_count", "line_count > 0"),
    check("settlement", "two_people", "approved_by <> closed_by"),
    check("settlement", "paid", "(state = 'PAID') = (paid_at IS NOT NULL)"),
    check("settlement", "bank_reference", "(state = 'PAID') = (bank_reference IS NOT NULL)"),
    check("settlement", "approved", "(state IN ('APPROVED', 'PART_PAID', 'PAID')) = (approved_at IS NOT NULL)"),
    check("settlement", "due", "approved_at IS NULL OR (approved_points IS NOT NULL AND approved_fen IS NOT NULL)"),
    check(
        "settlement",
        "paid_once",
        "paid_points >= 0 AND paid_fen >= 0 AND paid_points <= coalesce(approved_points, 0)"
        " AND paid_fen <= coalesce(approved_fen, 0)",
    ),
    check("settlement", "paid_whole", "state <> 'PAID' OR (paid_points = approved_points AND paid_fen = approved_fen)"),
    check("settlement", "period", "received_from < received_until"),
    Index("ix_settlement_state", "community_id", "state", "closed_at"),
)
"""A closed batch of one merchant. Its sums and its hash never change after closing; only its state moves on."""

settlement_line = Table(
    "settlement_line",
    metadata,
    community(),
    identifier("settlement_id"),
    Column("line_no", Integer, nullable=False, autoincrement=False),
    words("kind"),
    Column("voucher_id", BigInteger, nullable=False),
    count("use_seq"),
    count("part", default=0),
    count("quantity"),
    amount("points"),
    amount("subsidy_points"),
    amount("payable_fen"),
    amount("cash_fen"),
    instant("received_at"),
    Column("journal_id", BigInteger, nullable=True),
    primary("settlement_line", "settlement_id", "line_no"),
    UniqueConstraint("community_id", "voucher_id", "use_seq", "part", name="uq_settlement_line_use"),
    refers("settlement_line", "settlement", ("settlement_id",), "settlement"),
    refers("settlement_line", "use", ("voucher_id", "use_seq"), "use", ("voucher_id", "seq")),
    one_of("settlement_line", "kind", LineKind),
    check("settlement_line", "line_no", "line_no > 0"),
    check("settlement_line", "part", "part >= 0 AND (part = 0) = (kind = 'use')"),
    check(
        "settlement_line",
        "amounts",
        "CASE kind WHEN 'adjustment'"
        " THEN quantity < 0 AND points <= 0 AND subsidy_points <= 0 AND payable_fen <= 0 AND cash_fen <= 0"
        " ELSE points >= 0 AND subsidy_points >= 0 AND payable_fen >= 0 AND cash_fen >= 0 END",
    ),
)
"""Append-only. Part 0 is the use itself, exactly once. A line decided for the shop comes again as a further part, in a
later batch; so do corrections, with a sign."""

dispute = Table(
    "dispute",
    metadata,
    community(),
    identifier("settlement_id"),
    Column("line_no", Integer, nullable=False, autoincrement=False),
    words("state"),
    words("reason"),
    identifier("raised_by"),
    identifier("on_behalf_of", nullable=True),
    instant("raised_at"),
    identifier("resolved_by", nullable=True),
    instant("resolved_at", nullable=True),
    words("resolution", nullable=True),
    identifier("carried_settlement", nullable=True),
    Column("carried_line_no", Integer, nullable=True),
    primary("dispute", "settlement_id", "line_no"),
    UniqueConstraint("community_id", "carried_settlement", "carried_line_no", name="uq_dispute_carried"),
    refers("dispute", "line", ("settlement_id", "line_no"), "settlement_line"),
    refers(
        "dispute",
        "carried",
        ("carried_settlement", "carried_line_no"),
        "settlement_line",
        ("settlement_id", "line_no"),
    ),
    one_of("dispute", "state", DisputeState),
    check("dispute", "reason", "length(reason) > 0"),
    check("dispute", "two_people", "resolved_by <> raised_by"),
    check(
        "dispute",
        "resolved",
        "(state = 'DISPUTED') = (resolved_at IS NULL) AND (resolved_at IS NULL) = (resolved_by IS NULL)"
        " AND (resolved_at IS NULL) = (coalesce(resolution, '') = '')",
    ),
    check(
        "dispute",
        "carried",
        "(carried_settlement IS NULL) = (carried_line_no IS NULL) AND (carried_settlement IS NULL OR state = 'UPHELD')",
    ),
    Index(
        "ix_dispute_waiting",
        "community_id",
        "state",
        "raised_at",
        postgresql_where=text("state <> 'REVERSED' AND carried_settlement IS NULL"),
    ),
)
"""A line that left its batch: it stays in the statement, marked, and is not paid with it.

Decided for the shop it names the line of the later batch that carries it; otherwise its use was taken back.
"""

adjustment = Table(
    "adjustment",
    metadata,
    community(),
    identifier("adjustment_id"),
    identifier("settlement_id"),
    Column("line_no", Integer, nullable=False, autoincrement=False),
    Column("voucher_id", BigInteger, nullable=False, autoincrement=False),
    Column("use_seq", Integer, nullable=False, autoincrement=False),
    identifier("merchant_id"),
    words("cause"),
    words("state"),
    words("reason"),
    identifier("proposed_by"),
    instant("proposed_at"),
    identifier("decided_by", nullable=True),
    instant("decided_at", nullable=True),
    identifier("carried_settlement", nullable=True),
    Column("carried_line_no", Integer, nullable=True),
    primary("adjustment", "adjustment_id"),
    UniqueConstraint("community_id", "carried_settlement", "carried_line_no", name="uq_adjustment_carried"),
    refers("adjustment", "line", ("settlement_id", "line_no"), "settlement_line"),
    refers("adjustment", "use", ("voucher_id", "use_seq"), "use", ("voucher_id", "seq")),
    refers("adjustment", "merchant", ("merchant_id",), "merchant"),
    refers(
        "adjustment",
        "carried",
        ("carried_settlement", "carried_line_no"),
        "settlement_line",
        ("settlement_id", "line_no"),
    ),
    one_of("adjustment", "cause", AdjustmentCause),
    one_of("adjustment", "state", RequestState),
    check("adjustment", "reason", "length(reason) > 0"),
    check("adjustment", "two_people", "state <> 'done' OR decided_by <> proposed_by"),
    check(
        "adjustment",
        "decided",
        "(state = 'proposed') = (decided_at IS NULL) AND (decided_at IS NULL) = (decided_by IS NULL)",
    ),
    check(
        "adjustment",
        "carried",
        "(carried_settlement IS NULL) = (carried_line_no IS NULL) AND (carried_settlement IS NULL OR state = 'done')",
    ),
    Index(
        "uq_adjustment_use",
        "community_id",
        "voucher_id",
        "use_seq",
        unique=True,
        postgresql_where=text("state <> 'refused'"),
    ),
    Index("ix_adjustment_line", "community_id", "settlement_id", "line_no"),
    Index(
        "ix_adjustment_waiting",
        "community_id",
        "merchant_id",
        postgresql_where=text("state <> 'refused' AND carried_settlement IS NULL"),
    ),
)
"""A use corrected after the shop confirmed its statement: proposed by one, agreed to by another, once for a use.

Its line, in the shop's next statement, is the use's own with the sign turned.
"""

command = Table(
    "command",
    metadata,
    community(),
    identifier("key"),
    words("verb"),
    Column("request", JSONB, nullable=False),
    Column("answer", JSONB, nullable=False),
    identifier("actor_id", nullable=True),
    instant("at"),
    primary("command", "key"),
)
"""What each client key did, kept for ever: the same key with the same request gets the same answer, with another it is refused."""
