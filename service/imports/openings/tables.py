"""Sheets of balances and their rows. What was typed is sealed and forgotten; what was brought stays."""

from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field, SQLModel

from service.imports.openings.rules import OpeningState, OpeningVerdict, Outcome
from service.kit.columns import big, community_key, key, one_of, to_member


class OpeningBatch(SQLModel, table=True):
    """One uploaded sheet of balances and what became of it."""

    __tablename__ = "opening_batch"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "opening_id", name="pk_opening_batch"),
        one_of("ck_opening_batch_state", "state", OpeningState),
        sa.CheckConstraint(
            "state = ANY (ARRAY['checked'::text, 'withdrawn'::text]) OR proposed_by IS NOT NULL",
            name="ck_opening_batch_proposed",
        ),
        sa.CheckConstraint(
            "(state = ANY (ARRAY['checked'::text, 'proposed'::text, 'withdrawn'::text])) = (approved_by IS NULL)",
            name="ck_opening_batch_approved",
        ),
        sa.CheckConstraint("approved_by <> uploaded_by AND approved_by <> proposed_by", name="ck_opening_batch_two"),
        sa.CheckConstraint(
            "posted_rows >= 0 AND refused_rows >= 0 AND posted_rows + refused_rows <= new_rows"
            " AND returned_rows >= 0 AND kept_rows >= 0 AND returned_rows + kept_rows <= posted_rows",
            name="ck_opening_batch_counts",
        ),
        to_member("fk_opening_batch_uploaded_by", "uploaded_by"),
        to_member("fk_opening_batch_proposed_by", "proposed_by"),
        to_member("fk_opening_batch_approved_by", "approved_by"),
        to_member("fk_opening_batch_ended_by", "ended_by"),
        sa.Index(
            "ix_opening_batch_work",
            "approved_at",
            postgresql_where=sa.text("state = ANY (ARRAY['posting'::text, 'returning'::text])"),
        ),
    )

    community_id: int = community_key()
    opening_id: UUID = key()
    state: str = Field(sa_type=sa.Text)
    file_name: str = Field(sa_type=sa.Text)
    unused: list[str] = Field(sa_type=ARRAY(sa.Text))
    effective_on: date
    """The day of the change-over: the balances take effect at its beginning."""
    new_rows: int = Field(sa_type=sa.Integer)
    brought_rows: int = Field(sa_type=sa.Integer)
    conflict_rows: int = Field(sa_type=sa.Integer)
    error_rows: int = Field(sa_type=sa.Integer)
    minutes: int = big()
    points: int = big()
    """Hundredths."""
    record_minutes: int = big()
    posted_rows: int = Field(default=0, sa_type=sa.Integer)
    refused_rows: int = Field(default=0, sa_type=sa.Integer)
    returned_rows: int = Field(default=0, sa_type=sa.Integer)
    kept_rows: int = Field(default=0, sa_type=sa.Integer)
    uploaded_by: UUID
    uploaded_at: datetime
    proposed_by: UUID | None = None
    proposed_at: datetime | None = None
    approved_by: UUID | None = None
    approved_at: datetime | None = None
    finished_at: datetime | None = None
    """When the last row was posted or refused."""
    ended_by: UUID | None = None
    """Who withdrew it, or had it taken back."""
    ended_at: datetime | None = None


class OpeningRow(SQLModel, table=True):
    """One person's opening balance. One row of a person is live at most, in whatever sheet."""

    __tablename__ = "opening_row"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "opening_id", "row_no", name="pk_opening_row"),
        one_of("ck_opening_row_verdict", "verdict", OpeningVerdict),
        one_of("ck_opening_row_outcome", "outcome", Outcome),
        sa.CheckConstraint(
            "row_no >= 1 AND minutes >= 0 AND points >= 0 AND record_minutes >= 0", name="ck_opening_row_sizes"
        ),
        sa.CheckConstraint("verdict = 'error'::text OR member_id IS NOT NULL", name="ck_opening_row_member"),
        sa.CheckConstraint(
            "(outcome IS NOT DISTINCT FROM 'refused'::text) = (refused_code IS NOT NULL)", name="ck_opening_row_refused"
        ),
        sa.CheckConstraint("NOT is_live OR verdict = 'new'::text", name="ck_opening_row_live"),
        sa.ForeignKeyConstraint(
            ["community_id", "opening_id"],
            ["opening_batch.community_id", "opening_batch.opening_id"],
            name="fk_opening_row_batch",
        ),
        to_member("fk_opening_row_member", "member_id"),
        sa.Index("uq_opening_row_live", "community_id", "member_id", unique=True, postgresql_where=sa.text("is_live")),
        sa.Index("ix_opening_row_verdict", "community_id", "opening_id", "verdict", "outcome", "row_no"),
    )

    community_id: int = community_key()
    opening_id: UUID = key()
    row_no: int = Field(sa_type=sa.Integer, primary_key=True, sa_column_kwargs={"autoincrement": False})
    verdict: str = Field(sa_type=sa.Text)
    member_id: UUID | None = None
    minutes: int = big()
    points: int = big()
    record_minutes: int = big()
    source: str = Field(sa_type=sa.Text)
    """Where the figures come from, as the person reads it in the passbook."""
    is_live: bool = Field(default=False)
    """Approved and neither refused nor taken back: this is the person's opening balance."""
    outcome: str | None = Field(default=None, sa_type=sa.Text)
    refused_code: str | None = Field(default=None, sa_type=sa.Text)
    row_sealed: bytes | None = Field(default=None, sa_type=sa.LargeBinary)
    """What was typed, with its problems; forgotten after a month."""
