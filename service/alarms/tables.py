"""Calls about uses that were drawn by lot, and the draws."""

from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from service.alarms.rules import CallState
from service.kit.columns import community_key, one_of, to_community, to_member


class CallDraw(SQLModel, table=True):
    """The draw of one day: its seed, and of how many uses how many were drawn."""

    __tablename__ = "call_draw"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "used_on", name="pk_call_draw"),
        sa.CheckConstraint("uses >= 0 AND drawn BETWEEN 0 AND uses", name="ck_call_draw_counts"),
        to_community("fk_call_draw_community"),
    )

    community_id: int = community_key()
    used_on: date = Field(primary_key=True)
    seed: UUID
    uses: int = Field(sa_type=sa.Integer)
    drawn: int = Field(sa_type=sa.Integer)
    drawn_at: datetime


class UseCall(SQLModel, table=True):
    """One use whose member is asked whether it was them."""

    __tablename__ = "use_call"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "voucher_id", "use_seq", name="pk_use_call"),
        one_of("ck_use_call_state", "state", CallState),
        sa.CheckConstraint(
            "(state = 'waiting'::text) = (called_at IS NULL) AND (called_at IS NULL) = (called_by IS NULL)",
            name="ck_use_call_called",
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "used_on"], ["call_draw.community_id", "call_draw.used_on"], name="fk_use_call_draw"
        ),
        to_member("fk_use_call_member", "member_id"),
        to_member("fk_use_call_called_by", "called_by"),
        sa.Index("ix_use_call_state", "community_id", "state", "used_on"),
    )

    community_id: int = community_key()
    voucher_id: int = Field(sa_type=sa.BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    use_seq: int = Field(sa_type=sa.Integer, primary_key=True, sa_column_kwargs={"autoincrement": False})
    used_on: date
    member_id: UUID
    merchant_id: UUID
    clerk_id: UUID
    title: str = Field(sa_type=sa.Text)
    received_at: datetime
    state: str = Field(sa_type=sa.Text)
    note: str = Field(sa_type=sa.Text)
    called_by: UUID | None
    called_at: datetime | None
