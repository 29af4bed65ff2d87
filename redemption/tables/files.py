"""Files of payments for the bank."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Integer, Table, UniqueConstraint, text

from redemption.tables.columns import (
    amount,
    check,
    community,
    count,
    identifier,
    instant,
    metadata,
    primary,
    refers,
    words,
)

bank_file = Table(
    "bank_file",
    metadata,
    community(),
    identifier("file_id"),
    count("number"),
    count("line_count"),
    amount("fen"),
    identifier("made_by"),
    instant("made_at"),
    identifier("voided_by", nullable=True),
    instant("voided_at", nullable=True),
    words("void_reason", nullable=True),
    primary("bank_file", "file_id"),
    UniqueConstraint("community_id", "number", name="uq_bank_file_number"),
    check("bank_file", "amounts", "number > 0 AND line_count > 0 AND fen > 0"),
    check(
        "bank_file",
        "voided",
        "(voided_at IS NULL) = (voided_by IS NULL) AND (voided_at IS NULL) = (coalesce(void_reason, '') = '')",
    ),
)
"""One file that goes to the bank, numbered without a gap in its community. A void one stays to be seen."""

bank_file_line = Table(
    "bank_file_line",
    metadata,
    community(),
    identifier("file_id"),
    Column("line_no", Integer, nullable=False, autoincrement=False),
    identifier("settlement_id"),
    identifier("payee_id"),
    amount("fen"),
    Column("is_live", Boolean, nullable=False),
    primary("bank_file_line", "file_id", "line_no"),
    refers("bank_file_line", "file", ("file_id",), "bank_file"),
    refers("bank_file_line", "settlement", ("settlement_id",), "settlement"),
    refers("bank_file_line", "payee", ("payee_id",), "payee"),
    check("bank_file_line", "fen", "line_no > 0 AND fen > 0"),
    Index(
        "uq_bank_file_line_live",
        "community_id",
        "settlement_id",
        unique=True,
        postgresql_where=text("is_live"),
    ),
)
"""What a file pays of one statement, to which account. Live until a payment of the statement is recorded or the file is void; a
statement has one live line at most."""
