"""Rates, and what shops sent. A sale and its correction are written once and never changed.

The functions `fund_sale_lock` and `fund_sale_write`, which write sales in the statement that posts them, stand in `sql/`.
"""

from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from service.fund.rules import Basis, IncomeKind, IncomeState, RateState, Way
from service.kit.columns import big, community_key, key, one_of, to_community, to_member


class FundRate(SQLModel, table=True):
    """What a shop gives from a day on, agreed by two people."""

    __tablename__ = "fund_rate"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "organisation_id", "rate_id", name="pk_fund_rate"),
        one_of("ck_fund_rate_basis", "basis", Basis),
        one_of("ck_fund_rate_state", "state", RateState),
        sa.CheckConstraint("value >= 0 AND value <= 1000", name="ck_fund_rate_value"),
        sa.CheckConstraint("(state = 'proposed'::text) = (decided_by IS NULL)", name="ck_fund_rate_decided"),
        sa.CheckConstraint("state <> 'agreed'::text OR decided_by <> proposed_by", name="ck_fund_rate_two"),
        sa.ForeignKeyConstraint(
            ["community_id", "organisation_id"],
            ["organisation.community_id", "organisation.organisation_id"],
            name="fk_fund_rate_organisation",
        ),
        to_member("fk_fund_rate_proposed_by", "proposed_by"),
        to_member("fk_fund_rate_decided_by", "decided_by"),
        sa.Index(
            "uq_fund_rate_agreed",
            "community_id",
            "organisation_id",
            "effective_from",
            unique=True,
            postgresql_where=sa.text("state = 'agreed'::text"),
        ),
        sa.Index(
            "uq_fund_rate_waiting",
            "community_id",
            "organisation_id",
            unique=True,
            postgresql_where=sa.text("state = 'proposed'::text"),
        ),
    )

    community_id: int = community_key()
    organisation_id: UUID = key()
    rate_id: UUID = key()
    effective_from: date
    basis: str = Field(sa_type=sa.Text)
    value: int = Field(sa_type=sa.Integer)
    """Fen for each sale, or thousandths of what was taken in; 0 from the day on which a shop stops giving."""
    state: str = Field(sa_type=sa.Text)
    proposed_by: UUID
    proposed_at: datetime
    decided_by: UUID | None = None
    decided_at: datetime | None = None


class FundDelivery(SQLModel, table=True):
    """Lines that came together: who sent them, when and how."""

    __tablename__ = "fund_delivery"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "organisation_id", "delivery_id", name="pk_fund_delivery"),
        one_of("ck_fund_delivery_way", "way", Way),
        sa.CheckConstraint("lines >= 1", name="ck_fund_delivery_lines"),
        sa.ForeignKeyConstraint(
            ["community_id", "organisation_id"],
            ["organisation.community_id", "organisation.organisation_id"],
            name="fk_fund_delivery_organisation",
        ),
        to_member("fk_fund_delivery_entered_by", "entered_by"),
    )

    community_id: int = community_key()
    organisation_id: UUID = key()
    delivery_id: UUID = key()
    way: str = Field(sa_type=sa.Text)
    lines: int = Field(sa_type=sa.Integer)
    """So many were sent to the ledger; how many it took, their sales say."""
    file_name: str = Field(default="", sa_type=sa.Text)
    entered_by: UUID
    entered_at: datetime


class FundSale(SQLModel, table=True):
    """One line that gave something."""

    __tablename__ = "fund_sale"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "organisation_id", "number", name="pk_fund_sale"),
        sa.CheckConstraint("number <> ''::text AND char_length(number) <= 60", name="ck_fund_sale_number"),
        sa.CheckConstraint("sales >= 1 AND amount_fen >= 1 AND gift_fen >= 1", name="ck_fund_sale_sizes"),
        sa.ForeignKeyConstraint(
            ["community_id", "organisation_id", "rate_id"],
            ["fund_rate.community_id", "fund_rate.organisation_id", "fund_rate.rate_id"],
            name="fk_fund_sale_rate",
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "organisation_id", "delivery_id"],
            ["fund_delivery.community_id", "fund_delivery.organisation_id", "fund_delivery.delivery_id"],
            name="fk_fund_sale_delivery",
        ),
        sa.Index("ix_fund_sale_day", "community_id", "organisation_id", "sold_on", "number"),
    )

    community_id: int = community_key()
    organisation_id: UUID = key()
    number: str = Field(sa_type=sa.Text, primary_key=True)
    sold_on: date
    sales: int = Field(sa_type=sa.Integer)
    amount_fen: int = big()
    gift_fen: int = big()
    rate_id: UUID
    delivery_id: UUID
    journal_id: int = big()
    received_at: datetime


class FundCorrection(SQLModel, table=True):
    """A line that was taken back, wholly; the right one comes under a number of its own."""

    __tablename__ = "fund_correction"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "organisation_id", "number", name="pk_fund_correction"),
        sa.CheckConstraint("reason <> ''::text", name="ck_fund_correction_reason"),
        sa.ForeignKeyConstraint(
            ["community_id", "organisation_id", "number"],
            ["fund_sale.community_id", "fund_sale.organisation_id", "fund_sale.number"],
            name="fk_fund_correction_sale",
        ),
        to_member("fk_fund_correction_corrected_by", "corrected_by"),
    )

    community_id: int = community_key()
    organisation_id: UUID = key()
    number: str = Field(sa_type=sa.Text, primary_key=True)
    reason: str = Field(sa_type=sa.Text)
    corrected_by: UUID
    corrected_at: datetime


class FundIncome(SQLModel, table=True):
    """Money that came in: recorded, agreed to by a second person where one is needed, and posted."""

    __tablename__ = "fund_income"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "income_id", name="pk_fund_income"),
        one_of("ck_fund_income_kind", "kind", IncomeKind),
        one_of("ck_fund_income_state", "state", IncomeState),
        sa.CheckConstraint("(kind = 'shop'::text) = (organisation_id IS NOT NULL)", name="ck_fund_income_source"),
        sa.CheckConstraint("NOT is_named OR donor_sealed IS NOT NULL", name="ck_fund_income_named"),
        sa.CheckConstraint("amount_fen >= 1", name="ck_fund_income_amount"),
        sa.CheckConstraint("document <> ''::text", name="ck_fund_income_document"),
        sa.CheckConstraint("(state = 'proposed'::text) = (decided_by IS NULL)", name="ck_fund_income_decided"),
        sa.CheckConstraint(
            "state <> 'posted'::text OR NOT needs_second OR decided_by <> recorded_by", name="ck_fund_income_two"
        ),
        sa.CheckConstraint("kind <> 'shop'::text OR needs_second", name="ck_fund_income_shop"),
        to_community("fk_fund_income_community"),
        sa.ForeignKeyConstraint(
            ["community_id", "organisation_id"],
            ["organisation.community_id", "organisation.organisation_id"],
            name="fk_fund_income_organisation",
        ),
        to_member("fk_fund_income_recorded_by", "recorded_by"),
        to_member("fk_fund_income_decided_by", "decided_by"),
        sa.Index(
            "uq_fund_income_document",
            "community_id",
            "kind",
            "document",
            unique=True,
            postgresql_where=sa.text("state <> 'refused'::text"),
        ),
        sa.Index(
            "ix_fund_income_posted",
            "community_id",
            "decided_at",
            postgresql_where=sa.text("state = 'posted'::text"),
        ),
        sa.Index("ix_fund_income_day", "community_id", "received_on", "income_id"),
    )

    community_id: int = community_key()
    income_id: UUID = key()
    kind: str = Field(sa_type=sa.Text)
    organisation_id: UUID | None = None
    donor_sealed: bytes | None = Field(default=None, sa_type=sa.LargeBinary)
    """Who gave it, for the receipt; shown in public only where `is_named`."""
    is_named: bool
    amount_fen: int = big()
    document: str = Field(sa_type=sa.Text)
    received_on: date
    needs_second: bool
    state: str = Field(sa_type=sa.Text)
    recorded_by: UUID
    recorded_at: datetime
    decided_by: UUID | None = None
    decided_at: datetime | None = None
