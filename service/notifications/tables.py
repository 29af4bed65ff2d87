"""Messages in the app."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from service.kit.columns import community_key, key, to_member


class Message(SQLModel, table=True):
    """One message to one person."""

    __tablename__ = "message"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "message_id", name="pk_message"),
        sa.UniqueConstraint("community_id", "member_id", "fact_key", name="uq_message_fact"),
        to_member("fk_message_member", "member_id"),
        sa.Index("ix_message_member", "community_id", "member_id", "message_id"),
    )

    community_id: int = community_key()
    message_id: UUID = key()
    member_id: UUID
    fact: str = Field(sa_type=sa.Text)
    fact_key: bytes = Field(sa_type=sa.LargeBinary)
    numbers: dict[str, int | str] = Field(sa_type=JSONB)
    url: str = Field(sa_type=sa.Text)
    sent_at: datetime
    read_at: datetime | None = None
