"""The bank's lists and their lines, and under which headings this community's bank writes them."""

from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from service.kit.columns import big, community_key, key, one_of, to_community, to_member
from service.payouts.bank.rules import Direction, ListState, Outcome, Verdict


class BankColumns(SQLModel, table=True):
    """The headings of this community's bank, by our column. One row; each change raises its revision."""

    __tablename__ = "bank_columns"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", name="pk_bank_columns"),
        sa.CheckConstraint("revision > 0", name="ck_bank_columns_revision"),
        to_community("fk_bank_columns_community"),
        to_member("fk_bank_columns_chosen_by", "chosen_by"),
    )

    community_id: int = community_key()
    headings: dict[str, str] = Field(sa_type=JSONB)
    revision: int = Field(sa_type=sa.Integer)
    chosen_by: UUID
    chosen_at: datetime


class BankList(SQLModel, table=True):
    """One uploaded list and whether it was confirmed."""

    __tablename__ = "bank_list"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "list_id", name="pk_bank_list"),
        one_of("ck_bank_list_state", "state", ListState),
        sa.CheckConstraint(
            "(state = 'booked'::text) = (booked_by IS NOT NULL) AND (booked_by IS NULL) = (booked_at IS NULL)",
            name="ck_bank_list_booked",
        ),
        sa.CheckConstraint("line_count > 0", name="ck_bank_list_lines"),
        to_member("fk_bank_list_uploaded_by", "uploaded_by"),
        to_member("fk_bank_list_booked_by", "booked_by"),
    )

    community_id: int = community_key()
    list_id: UUID = key()
    state: str = Field(sa_type=sa.Text)
    file_name: str = Field(sa_type=sa.Text)
    line_count: int = Field(sa_type=sa.Integer)
    uploaded_by: UUID
    uploaded_at: datetime
    booked_by: UUID | None = None
    booked_at: datetime | None = None


class BankLine(SQLModel, table=True):
    """One line of a list. Of equal lines in whatever lists one counts; a payment has one that paid it, one that returned it."""

    __tablename__ = "bank_line"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "list_id", "line_no", name="pk_bank_line"),
        one_of("ck_bank_line_verdict", "verdict", Verdict),
        one_of("ck_bank_line_outcome", "outcome", Outcome),
        one_of("ck_bank_line_direction", "direction", Direction),
        sa.CheckConstraint(
            "(verdict = 'error'::text) = (direction IS NULL) AND (verdict = 'error'::text) = (fingerprint IS NULL)"
            " AND (verdict = 'error'::text AND fen = 0 OR verdict <> 'error'::text AND fen > 0)",
            name="ck_bank_line_read",
        ),
        sa.CheckConstraint(
            "(outcome IS NOT DISTINCT FROM 'booked'::text) = (payment_number IS NOT NULL)"
            " AND (payment_number IS NULL OR settlement_id IS NOT NULL)",
            name="ck_bank_line_booked",
        ),
        sa.CheckConstraint(
            "(decided_by IS NULL) = (decided_at IS NULL)"
            " AND (outcome IS NOT DISTINCT FROM 'aside'::text) = (reason <> ''::text)"
            " AND (outcome IS DISTINCT FROM 'aside'::text OR decided_by IS NOT NULL)",
            name="ck_bank_line_decided",
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "list_id"], ["bank_list.community_id", "bank_list.list_id"], name="fk_bank_line_list"
        ),
        to_member("fk_bank_line_decided_by", "decided_by"),
        sa.Index(
            "uq_bank_line_counts",
            "community_id",
            "fingerprint",
            unique=True,
            postgresql_where=sa.text("outcome = ANY (ARRAY['booked'::text, 'open'::text, 'aside'::text])"),
        ),
        sa.Index(
            "uq_bank_line_payment",
            "community_id",
            "settlement_id",
            "payment_number",
            "direction",
            unique=True,
            postgresql_where=sa.text("outcome = 'booked'::text"),
        ),
        sa.Index(
            "ix_bank_line_open",
            "community_id",
            "list_id",
            "line_no",
            postgresql_where=sa.text("outcome = 'open'::text"),
        ),
    )

    community_id: int = community_key()
    list_id: UUID = key()
    line_no: int = Field(sa_type=sa.Integer, primary_key=True, sa_column_kwargs={"autoincrement": False})
    """Its row in the file."""
    fingerprint: bytes | None = Field(default=None, sa_type=sa.LargeBinary)
    """Keyed: what the line says, and which of the equal ones of its list it is."""
    direction: str | None = Field(default=None, sa_type=sa.Text)
    fen: int = big()
    reference: str = Field(sa_type=sa.Text)
    tail: str = Field(sa_type=sa.Text)
    """The last four digits of the account."""
    paid_on: date | None = None
    verdict: str = Field(sa_type=sa.Text)
    settlement_id: UUID | None = None
    payment_number: int | None = Field(default=None, sa_type=sa.Integer)
    outcome: str | None = Field(default=None, sa_type=sa.Text)
    refused_code: str | None = Field(default=None, sa_type=sa.Text)
    """Why the books did not take it, where it seemed certain."""
    reason: str = Field(sa_type=sa.Text)
    decided_by: UUID | None = None
    decided_at: datetime | None = None
    sealed: bytes = Field(sa_type=sa.LargeBinary)
    """The account, its holder and the bank's words, for whoever has the key."""
