"""How often each shop is settled, where its money goes, what was paid and came back, and its invoices."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Date, Index, LargeBinary, Table, UniqueConstraint, text

from redemption.rules import PayeeState, Rhythm
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

rhythm = Table(
    "rhythm",
    metadata,
    community(),
    identifier("merchant_id"),
    Column("effective_from", Date, nullable=False),
    words("rhythm"),
    identifier("chosen_by"),
    instant("chosen_at"),
    primary("rhythm", "merchant_id", "effective_from"),
    refers("rhythm", "merchant", ("merchant_id",), "merchant"),
    one_of("rhythm", "rhythm", Rhythm),
)
"""From which day a shop is settled how often. A shop without a row is settled weekly."""

payee = Table(
    "payee",
    metadata,
    community(),
    identifier("payee_id"),
    identifier("merchant_id"),
    count("number", nullable=True),
    words("state"),
    words("holder"),
    words("bank"),
    words("tail"),
    Column("sealed", LargeBinary, nullable=False),
    words("reason"),
    identifier("proposed_by"),
    instant("proposed_at"),
    identifier("decided_by", nullable=True),
    instant("decided_at", nullable=True),
    words("refusal", nullable=True),
    instant("frozen_until", nullable=True),
    primary("payee", "payee_id"),
    UniqueConstraint("community_id", "merchant_id", "number", name="uq_payee_number"),
    refers("payee", "merchant", ("merchant_id",), "merchant"),
    one_of("payee", "state", PayeeState),
    check("payee", "texts", "length(holder) > 0 AND length(bank) > 0 AND length(tail) = 4 AND length(reason) > 0"),
    check("payee", "two_people", "decided_by <> proposed_by"),
    check(
        "payee",
        "decided",
        "(state = 'PROPOSED') = (decided_at IS NULL) AND (decided_at IS NULL) = (decided_by IS NULL)",
    ),
    check("payee", "number", "(state = 'APPROVED') = (number IS NOT NULL) AND number > 0"),
    check("payee", "frozen", "(state = 'APPROVED') = (frozen_until IS NOT NULL) AND frozen_until >= decided_at"),
    Index(
        "uq_payee_proposed",
        "community_id",
        "merchant_id",
        unique=True,
        postgresql_where=text("state = 'PROPOSED'"),
    ),
)
"""A shop's bank account as somebody proposed it. In force is the agreed one with the highest number. The account's own number
is sealed by the caller; nobody reads it here."""

payment = Table(
    "payment",
    metadata,
    community(),
    identifier("settlement_id"),
    count("number"),
    amount("points"),
    amount("fen"),
    words("bank_reference"),
    identifier("payee_id", nullable=True),
    count("repeats", nullable=True),
    identifier("approved_by", nullable=True),
    identifier("paid_by"),
    instant("paid_at"),
    Column("journal_id", BigInteger, nullable=True),
    instant("returned_at", nullable=True),
    identifier("returned_by", nullable=True),
    words("return_reason", nullable=True),
    Column("return_journal_id", BigInteger, nullable=True),
    primary("payment", "settlement_id", "number"),
    UniqueConstraint("community_id", "settlement_id", "bank_reference", name="uq_payment_reference"),
    UniqueConstraint("community_id", "settlement_id", "repeats", name="uq_payment_repeats"),
    refers("payment", "settlement", ("settlement_id",), "settlement"),
    refers("payment", "payee", ("payee_id",), "payee"),
    refers("payment", "repeats", ("settlement_id", "repeats"), "payment", ("settlement_id", "number")),
    check("payment", "number", "number > 0 AND repeats < number"),
    check("payment", "amounts", "points >= 0 AND fen >= 0"),
    check("payment", "bank_reference", "length(bank_reference) > 0"),
    check("payment", "two_people", "paid_by <> approved_by"),
    check(
        "payment",
        "returned",
        "(returned_at IS NULL) = (returned_by IS NULL) AND (returned_at IS NULL) = (coalesce(return_reason, '') = '')",
    ),
)
"""What the bank paid of a statement. One that came back stays, with why; the one that repeats it names it."""

invoice = Table(
    "invoice",
    metadata,
    community(),
    identifier("invoice_id"),
    identifier("settlement_id"),
    words("invoice_no"),
    amount("fen"),
    identifier("noted_by"),
    instant("noted_at"),
    identifier("withdrawn_by", nullable=True),
    instant("withdrawn_at", nullable=True),
    primary("invoice", "invoice_id"),
    refers("invoice", "settlement", ("settlement_id",), "settlement"),
    check("invoice", "invoice_no", "invoice_no ~ '^[0-9]{8,20}$'"),
    check("invoice", "fen", "fen > 0"),
    check("invoice", "withdrawn", "(withdrawn_at IS NULL) = (withdrawn_by IS NULL)"),
    Index(
        "uq_invoice_no",
        "community_id",
        "invoice_no",
        unique=True,
        postgresql_where=text("withdrawn_at IS NULL"),
    ),
    Index("ix_invoice_settlement", "community_id", "settlement_id"),
)
"""The number under which a shop invoiced a statement; once in a community, unless it was withdrawn as a slip."""
