"""The small tables of the counter: scans that were refused, reminders, cards that members show, uses at the desk."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from service.kit.columns import community_key


class ScanRefusal(SQLModel, table=True):
    """What a scan was refused with, under the phone's own number for it, so that it is told the same for ever."""

    __tablename__ = "scan_refusal"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "device_id", "nonce", name="pk_scan_refusal"),
        sa.Index(
            "ix_scan_refusal_invalid",
            "community_id",
            "member_id",
            "refused_at",
            postgresql_where=sa.text("is_invalid"),
        ),
        sa.Index(
            "ix_scan_refusal_device",
            "community_id",
            "device_id",
            "refused_at",
            postgresql_where=sa.text("is_invalid"),
        ),
    )

    community_id: int = community_key()
    device_id: UUID = Field(primary_key=True)
    nonce: UUID = Field(primary_key=True)
    member_id: UUID
    asked: bytes = Field(sa_type=sa.LargeBinary)
    code: str = Field(sa_type=sa.Text)
    answer: dict[str, object] = Field(sa_type=JSONB)
    is_invalid: bool
    refused_at: datetime


class StaticUse(SQLModel, table=True):
    """A use by a code that does not change, and whether the clerk compared the name."""

    __tablename__ = "static_use"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "device_id", "nonce", name="pk_static_use"),
        sa.ForeignKeyConstraint(
            ["community_id", "member_id"], ["member.community_id", "member.member_id"], name="fk_static_use_member"
        ),
        sa.CheckConstraint("fen >= 0", name="ck_static_use_fen"),
        sa.Index("ix_static_use_member", "community_id", "member_id", "used_at"),
    )

    community_id: int = community_key()
    device_id: UUID = Field(primary_key=True)
    nonce: UUID = Field(primary_key=True)
    member_id: UUID
    used_at: datetime
    fen: int = Field(sa_type=sa.BigInteger)
    is_typed: bool
    is_compared: bool


class StaticLock(SQLModel, table=True):
    """A lock that a counter got by a code that does not change, and whether the name was compared when it was got.

    Written by the database's functions alone. It counts nothing: a use under it does.
    """

    __tablename__ = "static_lock"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "lock_token", name="pk_static_lock"),
        sa.ForeignKeyConstraint(
            ["community_id", "member_id"], ["member.community_id", "member.member_id"], name="fk_static_lock_member"
        ),
    )

    community_id: int = community_key()
    lock_token: UUID = Field(primary_key=True)
    voucher_id: int = Field(sa_type=sa.BigInteger)
    member_id: UUID
    is_compared: bool
    locked_at: datetime


class VoucherReminder(SQLModel, table=True):
    """A member was reminded so many days before a voucher ends; once, however often the timer runs."""

    __tablename__ = "voucher_reminder"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "voucher_id", "days_before", name="pk_voucher_reminder"),
        sa.CheckConstraint("days_before > 0", name="ck_voucher_reminder_days"),
    )

    community_id: int = community_key()
    voucher_id: int = Field(sa_type=sa.BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    days_before: int = Field(sa_type=sa.SmallInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    reminded_at: datetime


class DeskUse(SQLModel, table=True):
    """A voucher that staff use for a member at the desk, with two names: the member's own by PIN, or a second person's.

    Staff alone never are enough, and nobody acts for themselves.
    """

    __tablename__ = "desk_use"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "desk_use_id", name="pk_desk_use"),
        *(
            sa.ForeignKeyConstraint(
                ["community_id", column], ["member.community_id", "member.member_id"], name=f"fk_desk_use_{name}"
            )
            for column, name in (
                ("member_id", "member"),
                ("proposed_by", "proposed_by"),
                ("decided_by", "decided_by"),
            )
        ),
        sa.CheckConstraint("quantity > 0", name="ck_desk_use_quantity"),
        sa.CheckConstraint("way IN ('pin', 'second')", name="ck_desk_use_way"),
        sa.CheckConstraint("state IN ('proposed', 'done', 'refused')", name="ck_desk_use_state"),
        sa.CheckConstraint("length(reason) > 0", name="ck_desk_use_reason"),
        sa.CheckConstraint(
            "(state = 'proposed') = (decided_by IS NULL) AND (decided_by IS NULL) = (decided_at IS NULL)",
            name="ck_desk_use_decided",
        ),
        sa.CheckConstraint("(state = 'done') = (use_seq IS NOT NULL)", name="ck_desk_use_done"),
        sa.CheckConstraint("state <> 'done' OR decided_by <> proposed_by", name="ck_desk_use_two"),
        sa.CheckConstraint("proposed_by <> member_id", name="ck_desk_use_own"),
        sa.CheckConstraint("way <> 'pin' OR (state = 'done' AND decided_by = member_id)", name="ck_desk_use_pin"),
        sa.Index(
            "uq_desk_use_waiting",
            "community_id",
            "voucher_id",
            unique=True,
            postgresql_where=sa.text("state = 'proposed'"),
        ),
        sa.Index("ix_desk_use_proposed", "community_id", "proposed_at", "desk_use_id"),
        sa.Index(
            "ix_desk_use_decided",
            "community_id",
            "decided_at",
            postgresql_where=sa.text("decided_at IS NOT NULL"),
        ),
    )

    community_id: int = community_key()
    desk_use_id: UUID = Field(primary_key=True)
    voucher_id: int = Field(sa_type=sa.BigInteger)
    member_id: UUID
    shop_id: UUID
    quantity: int = Field(sa_type=sa.Integer)
    way: str = Field(sa_type=sa.Text)
    state: str = Field(sa_type=sa.Text)
    reason: str = Field(sa_type=sa.Text)
    proposed_by: UUID
    proposed_at: datetime
    decided_by: UUID | None = None
    decided_at: datetime | None = None
    use_seq: int | None = Field(default=None, sa_type=sa.Integer)
