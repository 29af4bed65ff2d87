"""What was proposed about debts and who decided it, who was told that they owe, and what was collected by itself."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from service.debts.rules import DebtStep, RequestState
from service.kit.columns import big, community_key, key, one_of, to_member


class DebtRequest(SQLModel, table=True):
    """One proposal and its two people."""

    __tablename__ = "debt_request"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "request_id", name="pk_debt_request"),
        one_of("ck_debt_request_step", "step", DebtStep),
        one_of("ck_debt_request_state", "state", RequestState),
        sa.CheckConstraint(
            "hundredths >= 0 AND (step = 'allow'::text OR hundredths > 0)", name="ck_debt_request_hundredths"
        ),
        sa.CheckConstraint(
            "(state = 'proposed'::text) = (decided_at IS NULL) AND (decided_at IS NULL) = (decided_by IS NULL)",
            name="ck_debt_request_decided",
        ),
        sa.CheckConstraint("state <> 'done'::text OR decided_by <> proposed_by", name="ck_debt_request_two"),
        to_member("fk_debt_request_member", "member_id"),
        to_member("fk_debt_request_proposed_by", "proposed_by"),
        to_member("fk_debt_request_decided_by", "decided_by"),
        sa.Index(
            "uq_debt_request_waiting",
            "community_id",
            "member_id",
            "step",
            unique=True,
            postgresql_where=sa.text("state = 'proposed'::text"),
        ),
    )

    community_id: int = community_key()
    request_id: UUID = key()
    step: str = Field(sa_type=sa.Text)
    state: str = Field(sa_type=sa.Text)
    member_id: UUID
    hundredths: int = big()
    """Of a point: the limit to allow, or what may be forgiven at most."""
    note: str = Field(sa_type=sa.Text)
    done_hundredths: int | None = big(nullable=True)
    """What was forgiven in the end: never more than was owed."""
    proposed_by: UUID
    proposed_at: datetime
    decided_by: UUID | None = None
    decided_at: datetime | None = None


class DebtNotice(SQLModel, table=True):
    """Somebody was told what they owe for vouchers used twice, and from when on it is paid from their points.

    One is open for a person at a time; what they come to owe later is told them for itself, when this one has ended.
    """

    __tablename__ = "debt_notice"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "notice_id", name="pk_debt_notice"),
        to_member("fk_debt_notice_member", "member_id"),
        sa.CheckConstraint(
            "hundredths > 0 AND collected >= 0 AND collected <= hundredths", name="ck_debt_notice_collected"
        ),
        sa.CheckConstraint("due_at > told_at", name="ck_debt_notice_due"),
        sa.CheckConstraint("(objected_at IS NULL) = (objection IS NULL)", name="ck_debt_notice_objection"),
        sa.Index(
            "uq_debt_notice_open",
            "community_id",
            "member_id",
            unique=True,
            postgresql_where=sa.text("ended_at IS NULL"),
        ),
        sa.Index("ix_debt_notice_member", "community_id", "member_id", "told_at"),
    )

    community_id: int = community_key()
    notice_id: UUID = key()
    member_id: UUID
    told_at: datetime
    due_at: datetime
    hundredths: int = big()
    """What was owed when they were told: more is never collected for this notice."""
    collected: int = big()
    tried_at: datetime | None = None
    """When it was last looked at: of many the one that waited longest is next."""
    ended_at: datetime | None = None
    objected_at: datetime | None = None
    objection: str | None = Field(default=None, sa_type=sa.Text)


class DebtCollection(SQLModel, table=True):
    """What was paid from somebody's points by itself. Append-only; written by `debt_collect` alone."""

    __tablename__ = "debt_collection"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "collection_id", name="pk_debt_collection"),
        sa.ForeignKeyConstraint(
            ["community_id", "notice_id"],
            ["debt_notice.community_id", "debt_notice.notice_id"],
            name="fk_debt_collection_notice",
        ),
        sa.CheckConstraint("hundredths > 0", name="ck_debt_collection_hundredths"),
        sa.Index("ix_debt_collection_notice", "community_id", "notice_id"),
    )

    community_id: int = community_key()
    collection_id: UUID = key()
    notice_id: UUID
    hundredths: int = big()
    journal_id: int = big()
    collected_at: datetime
