"""Alarms about the books."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from service.kit.columns import community_key, key, to_community, to_member


class BookAlarm(SQLModel, table=True):
    """Something in the books is not as it was. One open alarm for each fault; nothing is sealed while one is open."""

    __tablename__ = "book_alarm"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "alarm_id", name="pk_book_alarm"),
        to_community("fk_book_alarm_community"),
        to_member("fk_book_alarm_closed_by", "closed_by"),
        sa.CheckConstraint("(closed_at IS NULL) = (closed_by IS NULL)", name="ck_book_alarm_closed"),
        sa.Index(
            "uq_book_alarm_open",
            "community_id",
            "kind",
            "place",
            unique=True,
            postgresql_where=sa.text("closed_at IS NULL"),
        ),
    )

    community_id: int = community_key()
    alarm_id: UUID = key()
    kind: str = Field(sa_type=sa.Text)
    place: str = Field(sa_type=sa.Text)
    detail: str = Field(sa_type=sa.Text)
    raised_at: datetime
    closed_at: datetime | None = None
    closed_by: UUID | None = None
