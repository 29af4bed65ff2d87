"""Repair orders and their history."""

from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from service.kit.columns import big, community_key, key, one_of, to_member
from service.kit.photos import STORED_BYTES_MAX
from service.repairs.rules import PIECES, Moment, RepairState, Step, Trade, Warranty

_LATE = "state = ANY (ARRAY['agreed'::text, 'on_way'::text, 'on_site'::text, 'done'::text, 'accepted'::text])"


class RepairOrder(SQLModel, table=True):
    """One job and where it stands. The price here is the last one agreed to; what it was before stands in the change orders."""

    __tablename__ = "repair_order"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "order_id", name="pk_repair_order"),
        one_of("ck_repair_order_state", "state", RepairState),
        one_of("ck_repair_order_warranty", "warranty", Warranty),
        one_of("ck_repair_order_trade", "trade", Trade),
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
    trade: str = Field(default=Trade.OTHER, sa_type=sa.Text, sa_column_kwargs={"server_default": "other"})
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
    release_after: datetime | None = None
    """The kept part could not be released: not tried again before this moment."""
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
    change_id: UUID | None = None
    """The change order of a price that was named for a job under way."""


class RepairPart(SQLModel, table=True):
    """One line of a price that was named: with which step of the order, how many of what, at how much. Append-only by privilege."""

    __tablename__ = "repair_part"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "order_id", "revision", "number", name="pk_repair_part"),
        sa.CheckConstraint(
            f"quantity > 0 AND fen_each >= 0 AND fen_each % {PIECES} = 0 AND number > 0", name="ck_repair_part_price"
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "order_id"],
            ["repair_order.community_id", "repair_order.order_id"],
            name="fk_repair_part_order",
        ),
    )

    community_id: int = community_key()
    order_id: UUID = key()
    revision: int = Field(sa_type=sa.Integer, primary_key=True, sa_column_kwargs={"autoincrement": False})
    number: int = Field(sa_type=sa.Integer, primary_key=True, sa_column_kwargs={"autoincrement": False})
    item: str = Field(sa_type=sa.Text)
    unit: str = Field(sa_type=sa.Text)
    quantity: int = Field(sa_type=sa.Integer)
    fen_each: int = big()


class RepairPhoto(SQLModel, table=True):
    """A photo of the fault or of the work, drawn anew by `kit.photos`; in the database, so that every backup holds it."""

    __tablename__ = "repair_photo"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "photo_id", name="pk_repair_photo"),
        sa.UniqueConstraint("community_id", "order_id", "digest", name="uq_repair_photo_digest"),
        one_of("ck_repair_photo_moment", "moment", Moment),
        sa.CheckConstraint(
            f"octet_length(content) > 0 AND octet_length(content) <= {STORED_BYTES_MAX} AND octet_length(digest) = 32",
            name="ck_repair_photo_size",
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "order_id"],
            ["repair_order.community_id", "repair_order.order_id"],
            name="fk_repair_photo_order",
        ),
        to_member("fk_repair_photo_added_by", "added_by"),
    )

    community_id: int = community_key()
    photo_id: UUID = key()
    order_id: UUID
    moment: str = Field(sa_type=sa.Text)
    added_by: UUID
    added_at: datetime
    width: int = Field(sa_type=sa.Integer)
    height: int = Field(sa_type=sa.Integer)
    digest: bytes = Field(sa_type=sa.LargeBinary)
    """SHA-256 of the content: the same photo of the same order is there once."""
    content: bytes = Field(sa_type=sa.LargeBinary)


class RepairSkill(SQLModel, table=True):
    """What a repairer can do, as whoever dispatches wrote it down."""

    __tablename__ = "repair_skill"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "member_id", "trade", name="pk_repair_skill"),
        one_of("ck_repair_skill_trade", "trade", Trade),
        to_member("fk_repair_skill_member", "member_id"),
    )

    community_id: int = community_key()
    member_id: UUID = key()
    trade: str = Field(sa_type=sa.Text, primary_key=True)
    written_by: UUID
    written_at: datetime
