"""Repair orders and their history."""

from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from service.kit.columns import big, community_key, key, one_of, to_member
from service.repairs.rules import PIECES, RepairState, Step, Warranty

_LATE = "state = ANY (ARRAY['agreed'::text, 'on_way'::text, 'on_site'::text, 'done'::text, 'accepted'::text])"


class RepairOrder(SQLModel, table=True):
    """One job and where it stands. The price here is the last one agreed to; what it was before stands in the change orders."""

    __tablename__ = "repair_order"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "order_id", name="pk_repair_order"),
        one_of("ck_repair_order_state", "state", RepairState),
        one_of("ck_repair_order_warranty", "warranty", Warranty),
        sa.CheckConstraint("repairer_id <> asked_by", name="ck_repair_order_not_own"),
        sa.CheckConstraint(
            f"cash_fen >= 0 AND payable_fen >= 0 AND cash_fen % {PIECES} = 0 AND payable_fen % {PIECES} = 0",
            name="ck_repair_order_price",
        ),
        sa.CheckConstraint("percent >= 0 AND percent <= 100", name="ck_repair_order_percent"),
        sa.CheckConstraint(f"NOT ({_LATE}) OR voucher_id IS NOT NULL", name="ck_repair_order_agreed"),
        sa.CheckConstraint("minutes >= 0 AND minutes <= 480", name="ck_repair_order_minutes"),
        sa.CheckConstraint("(state = 'accepted'::text) = (accepted_at IS NOT NULL)", name="ck_repair_order_accepted"),
        sa.CheckConstraint(
            "decided_by <> claimed_by AND (warranty <> 'given_back'::text OR decided_by IS NOT NULL)",
            name="ck_repair_order_two",
        ),
        to_member("fk_repair_order_asked_by", "asked_by"),
        to_member("fk_repair_order_repairer", "repairer_id"),
        sa.ForeignKeyConstraint(
            ["community_id", "team_id"],
            ["organisation.community_id", "organisation.organisation_id"],
            name="fk_repair_order_team",
        ),
        sa.Index("ix_repair_order_state", "community_id", "state", "posted_at", "order_id"),
        sa.Index("ix_repair_order_asked_by", "community_id", "asked_by", "posted_at", "order_id"),
        sa.Index("ix_repair_order_repairer", "community_id", "repairer_id", "posted_at", "order_id"),
        sa.Index(
            "ix_repair_order_warranty",
            "community_id",
            "warranty_until",
            postgresql_where=sa.text("warranty = 'held'::text"),
        ),
    )

    community_id: int = community_key()
    order_id: UUID = key()
    state: str = Field(sa_type=sa.Text)
    revision: int = Field(default=1, sa_type=sa.Integer)
    text: str = Field(sa_type=sa.Text)
    is_urgent: bool
    building: str | None = Field(default=None, sa_type=sa.Text)
    asked_by: UUID
    posted_by: UUID
    posted_at: datetime
    changed_at: datetime
    team_id: UUID | None = None
    repairer_id: UUID | None = None
    assigned_by: UUID | None = None
    priced_on: date | None = None
    """The day whose price list holds: the day of the quote."""
    percent: int = Field(default=0, sa_type=sa.Integer)
    entitlement_id: UUID | None = None
    """By which rule it is cheaper; frozen with the quote. It names no class."""
    cash_fen: int = big(default=0)
    payable_fen: int = big(default=0)
    voucher_id: int | None = big(nullable=True)
    lock_token: UUID | None = None
    arrived_at: datetime | None = None
    done_at: datetime | None = None
    minutes: int = Field(default=0, sa_type=sa.Integer)
    accepted_at: datetime | None = None
    warranty: str = Field(default=Warranty.NONE, sa_type=sa.Text)
    warranty_until: datetime | None = None
    claimed_by: UUID | None = None
    decided_by: UUID | None = None


class RepairLine(SQLModel, table=True):
    """One line of history, append-only by privilege."""

    __tablename__ = "repair_line"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "order_id", "revision", name="pk_repair_line"),
        one_of("ck_repair_line_step", "step", Step),
        sa.ForeignKeyConstraint(
            ["community_id", "order_id"],
            ["repair_order.community_id", "repair_order.order_id"],
            name="fk_repair_line_order",
        ),
    )

    community_id: int = community_key()
    order_id: UUID = key()
    revision: int = Field(sa_type=sa.Integer, primary_key=True, sa_column_kwargs={"autoincrement": False})
    step: str = Field(sa_type=sa.Text)
    state_after: str = Field(sa_type=sa.Text)
    at: datetime
    actor_id: UUID | None = None
    on_behalf_of: UUID | None = None
    note: str | None = Field(default=None, sa_type=sa.Text)
