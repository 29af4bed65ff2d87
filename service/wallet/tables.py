"""What the wallet itself remembers."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from service.kit.columns import community_key


class PointsReminder(SQLModel, table=True):
    """A member was told that points expire at a moment; once, however often the timer runs."""

    __tablename__ = "points_reminder"
    __table_args__ = (sa.PrimaryKeyConstraint("community_id", "member_id", "expires_at", name="pk_points_reminder"),)

    community_id: int = community_key()
    member_id: UUID = Field(primary_key=True)
    expires_at: datetime = Field(primary_key=True)
    reminded_at: datetime
