"""Tables of technique: what happened (audit), what others must hear (outbox), what was already answered (idempotency)."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from service.kit.columns import community_key, counted_key


class Audit(SQLModel, table=True):
    """Who did what, for whom, to which thing. Append-only by privilege, written in the same transaction as the change."""

    __tablename__ = "audit"
    __table_args__ = (sa.Index("ix_audit_object", "community_id", "object_kind", "object_id"),)

    community_id: int = community_key()
    audit_id: int | None = counted_key()
    at: datetime
    action: str = Field(sa_type=sa.Text)
    actor_id: UUID | None = None
    on_behalf_of: UUID | None = None
    object_kind: str = Field(sa_type=sa.Text)
    object_id: str = Field(sa_type=sa.Text)
    detail: dict[str, object] = Field(sa_type=JSONB)
    request_id: str | None = Field(default=None, sa_type=sa.Text)


class Outbox(SQLModel, table=True):
    """A fact waiting to be told. A relay hands it to the job queue and marks it; nothing else reads it."""

    __tablename__ = "outbox"
    __table_args__ = (
        sa.Index("ix_outbox_waiting", "community_id", "outbox_id", postgresql_where=sa.text("relayed_at IS NULL")),
    )

    community_id: int = community_key()
    outbox_id: int | None = counted_key()
    fact: str = Field(sa_type=sa.Text)
    payload: dict[str, object] = Field(sa_type=JSONB)
    recorded_at: datetime
    relayed_at: datetime | None = None


class Answered(SQLModel, table=True):
    """The first answer to a request that carried an idempotency key, kept so that the same request gets the same answer."""

    __tablename__ = "answered"
    __table_args__ = (sa.PrimaryKeyConstraint("community_id", "member_id", "key", name="pk_answered"),)

    community_id: int = community_key()
    member_id: UUID = Field(primary_key=True)
    key: str = Field(sa_type=sa.Text, primary_key=True)
    fingerprint: bytes = Field(sa_type=sa.LargeBinary)
    status: int | None = Field(default=None, sa_type=sa.SmallInteger)
    body: dict[str, object] | None = Field(default=None, sa_type=JSONB)
    at: datetime
