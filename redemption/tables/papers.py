"""Which vouchers were printed together, under which of their codes."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, Table, UniqueConstraint

from redemption.tables.columns import check, community, count, identifier, instant, metadata, primary, refers, words

paper_batch = Table(
    "paper_batch",
    metadata,
    community(),
    identifier("batch_id"),
    count("papers"),
    count("key_number"),
    identifier("printed_by"),
    instant("printed_at"),
    identifier("voided_by", nullable=True),
    instant("voided_at", nullable=True),
    words("void_reason", nullable=True),
    primary("paper_batch", "batch_id"),
    check("paper_batch", "papers", "papers > 0"),
    check("paper_batch", "key_number", "key_number BETWEEN 1 AND 255"),
    check(
        "paper_batch",
        "voided",
        "(voided_at IS NULL) = (voided_by IS NULL) AND (voided_at IS NULL) = (void_reason IS NULL) AND length(void_reason) > 0",
    ),
    Index("ix_paper_batch_printed", "community_id", "printed_at", "batch_id"),
)
"""Vouchers that were printed in one go. The key's number says which papers are dead after a key got out."""

paper = Table(
    "paper",
    metadata,
    community(),
    identifier("batch_id"),
    Column("number", Integer, nullable=False, autoincrement=False),
    Column("voucher_id", BigInteger, nullable=False),
    count("code_seq"),
    primary("paper", "batch_id", "number"),
    UniqueConstraint("community_id", "voucher_id", "code_seq", name="uq_paper_code"),
    refers("paper", "batch", ("batch_id",), "paper_batch"),
    refers("paper", "voucher", ("voucher_id",), "voucher"),
    check("paper", "number", "number > 0"),
)
"""One voucher on one paper. It is good while the voucher still has this code_seq: never are two papers of one voucher alive."""
