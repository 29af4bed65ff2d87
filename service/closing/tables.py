"""Closings with their two people, and what a closed year was: the latter append-only by privilege."""

from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from service.closing.rules import ClosingState
from service.kit.columns import big, community_key, key, one_of, to_community, to_member


def _to_year(name: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["community_id", "year"], ["year_close.community_id", "year_close.year"], name=name)


def _year() -> int:
    return Field(sa_type=sa.Integer, primary_key=True, sa_column_kwargs={"autoincrement": False})  # type: ignore[no-any-return] # SQLModel's Field is Any


class PeriodClosing(SQLModel, table=True):
    """A day up to which the books are to be closed; with a year, that year is closed and drawn up."""

    __tablename__ = "period_closing"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "closing_id", name="pk_period_closing"),
        one_of("ck_period_closing_state", "state", ClosingState),
        sa.CheckConstraint("year IS NULL OR last_day = make_date(year, 12, 31)", name="ck_period_closing_year"),
        sa.CheckConstraint(
            "(state = 'proposed'::text) = (decided_at IS NULL) AND (decided_at IS NULL) = (decided_by IS NULL)",
            name="ck_period_closing_decided",
        ),
        sa.CheckConstraint("state <> 'closed'::text OR decided_by <> proposed_by", name="ck_period_closing_two"),
        to_community("fk_period_closing_community"),
        to_member("fk_period_closing_proposed_by", "proposed_by"),
        to_member("fk_period_closing_decided_by", "decided_by"),
        sa.Index(
            "uq_period_closing_waiting",
            "community_id",
            unique=True,
            postgresql_where=sa.text("state = 'proposed'::text"),
        ),
        sa.Index(
            "uq_period_closing_year",
            "community_id",
            "year",
            unique=True,
            postgresql_where=sa.text("state = 'closed'::text AND year IS NOT NULL"),
        ),
    )

    community_id: int = community_key()
    closing_id: UUID = key()
    last_day: date
    year: int | None = Field(default=None, sa_type=sa.Integer)
    state: str = Field(sa_type=sa.Text)
    proposed_by: UUID
    proposed_at: datetime
    decided_by: UUID | None = None
    decided_at: datetime | None = None


class YearClose(SQLModel, table=True):
    """One closed year, as it was drawn up from the ledger when nothing could take effect in it any more."""

    __tablename__ = "year_close"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "year", name="pk_year_close"),
        sa.CheckConstraint("seq >= 0 AND journals >= 0", name="ck_year_close_counts"),
        sa.CheckConstraint("confirmed_by <> proposed_by", name="ck_year_close_two"),
        sa.ForeignKeyConstraint(
            ["community_id", "closing_id"],
            ["period_closing.community_id", "period_closing.closing_id"],
            name="fk_year_close_closing",
        ),
        to_member("fk_year_close_proposed_by", "proposed_by"),
        to_member("fk_year_close_confirmed_by", "confirmed_by"),
    )

    community_id: int = community_key()
    year: int = _year()
    closing_id: UUID
    proposed_by: UUID
    confirmed_by: UUID
    closed_at: datetime
    drawn_up_at: datetime
    seq: int = big()
    """The book's number then: everything that took effect in the year is among these transfers."""
    journals: int = big()
    """Journals that took effect in the year."""


class YearTotal(SQLModel, table=True):
    """All accounts of one kind and unit over the year. Over a whole unit each column comes to zero, or in equals out."""

    __tablename__ = "year_total"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "year", "unit", "kind", name="pk_year_total"),
        sa.CheckConstraint("closing = opening + received - given", name="ck_year_total_closing"),
        sa.CheckConstraint("accounts >= 1 AND received >= 0 AND given >= 0", name="ck_year_total_sizes"),
        _to_year("fk_year_total_year"),
    )

    community_id: int = community_key()
    year: int = _year()
    unit: str = Field(sa_type=sa.Text, primary_key=True)
    kind: str = Field(sa_type=sa.Text, primary_key=True)
    accounts: int = big()
    opening: int = big()
    received: int = big()
    given: int = big()
    closing: int = big()


class YearMovement(SQLModel, table=True):
    """Why the accounts of one kind and unit moved in the year."""

    __tablename__ = "year_movement"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "year", "unit", "kind", "reason", name="pk_year_movement"),
        sa.CheckConstraint(
            "journals >= 1 AND received >= 0 AND given >= 0 AND received + given > 0", name="ck_year_movement_sizes"
        ),
        _to_year("fk_year_movement_year"),
    )

    community_id: int = community_key()
    year: int = _year()
    unit: str = Field(sa_type=sa.Text, primary_key=True)
    kind: str = Field(sa_type=sa.Text, primary_key=True)
    reason: str = Field(sa_type=sa.Text, primary_key=True)
    journals: int = big()
    received: int = big()
    given: int = big()


class YearLine(SQLModel, table=True):
    """One account over the year. Accounts that nothing ever moved have none."""

    __tablename__ = "year_line"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "year", "unit", "code", name="pk_year_line"),
        sa.CheckConstraint("closing = opening + received - given", name="ck_year_line_closing"),
        sa.CheckConstraint("received >= 0 AND given >= 0", name="ck_year_line_sizes"),
        _to_year("fk_year_line_year"),
        sa.Index("ix_year_line_card", "community_id", "year", "unit", sa.text('card_no COLLATE "C"'), "code"),
    )

    community_id: int = community_key()
    year: int = _year()
    unit: str = Field(sa_type=sa.Text, primary_key=True)
    code: str = Field(sa_type=sa.Text, primary_key=True)
    card_no: str = Field(sa_type=sa.Text)
    """The card of the person whose account it is, as it was then; empty for all others."""
    opening: int = big()
    received: int = big()
    given: int = big()
    closing: int = big()
