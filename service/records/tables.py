"""The record, append-only by privilege, and the time of each person that it has counted."""

from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlmodel import Field, SQLModel

from service.kit.columns import community_key, key, one_of, to_member
from service.records.rules import RecordKind, ServiceClass


class ServiceRecord(SQLModel, table=True):
    """One confirmed service, or the exact opposite of one.

    The daily cap may leave nothing of its minutes: then it stands for its reward alone.
    """

    __tablename__ = "service_record"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "record_id", name="pk_service_record"),
        sa.UniqueConstraint("community_id", "reference", name="uq_service_record_reference"),
        sa.UniqueConstraint("community_id", "corrects", name="uq_service_record_corrects"),
        one_of("ck_service_record_kind", "kind", RecordKind),
        one_of("ck_service_record_class", "service_class", ServiceClass),
        sa.CheckConstraint(
            "(corrects IS NULL AND minutes >= 0 AND points_hundredths >= 0 AND minutes + points_hundredths > 0)"
            " OR (corrects IS NOT NULL AND minutes <= 0 AND points_hundredths <= 0 AND minutes + points_hundredths < 0)",
            name="ck_service_record_minutes",
        ),
        to_member("fk_service_record_member", "member_id"),
        sa.ForeignKeyConstraint(
            ["community_id", "corrects"],
            ["service_record.community_id", "service_record.record_id"],
            name="fk_service_record_corrects",
        ),
        sa.Index("ix_service_record_member", "community_id", "member_id", "record_id"),
        sa.Index("ix_service_record_day", "community_id", "member_id", "served_on"),
    )

    community_id: int = community_key()
    record_id: UUID = key()
    member_id: UUID
    kind: str = Field(sa_type=sa.Text)
    service_class: str = Field(sa_type=sa.Text)
    minutes: int = Field(sa_type=sa.Integer)
    points_hundredths: int = Field(sa_type=sa.BigInteger)
    coins: int = Field(sa_type=sa.Integer)
    """Minutes that reached the person's own account; the rest above the store's limit went to the pool."""
    title: str = Field(sa_type=sa.Text)
    source: str = Field(sa_type=sa.Text)
    """The thing this came from, as `wish:<id>` or `attendance:<id>`: where the passbook's line leads."""
    reference: str = Field(sa_type=sa.Text)
    """The ledger journal's reference."""
    served_on: date
    confirmed_at: datetime
    confirmed_by: UUID | None = None
    corrects: UUID | None = None


class ServiceTime(SQLModel, table=True):
    """The time of a recorded service, from start to end. A person's minutes count once: no two of these overlap.

    It is gone when its record is corrected, so that the right service can be recorded in its place. Records made by
    hand carry no times and have none.
    """

    __tablename__ = "service_time"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "record_id", name="pk_service_time"),
        sa.ForeignKeyConstraint(
            ["community_id", "record_id"],
            ["service_record.community_id", "service_record.record_id"],
            name="fk_service_time_record",
        ),
        sa.CheckConstraint("starts_at < ends_at", name="ck_service_time_order"),
        ExcludeConstraint(
            ("community_id", "="),
            ("member_id", "="),
            (sa.text("tstzrange(starts_at, ends_at)"), "&&"),
            name="ex_service_time_overlap",
            using="gist",
        ),
        to_member("fk_service_time_member", "member_id"),
    )

    community_id: int = community_key()
    record_id: UUID = key()
    member_id: UUID
    starts_at: datetime
    ends_at: datetime
