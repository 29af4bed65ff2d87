"""Changes of settings: who asked, who agreed, what became of it. What holds stands in `setting` alone."""

from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from service.kit.columns import big, community_key, key, one_of, to_community, to_member
from service.settings.rules import REASON_LENGTH_MAX, ChangeState


class SettingChange(SQLModel, table=True):
    """One change that somebody asked for. Only its decision is ever written to it."""

    __tablename__ = "setting_change"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "change_id", name="pk_setting_change"),
        one_of("ck_setting_change_state", "state", ChangeState),
        sa.CheckConstraint(
            f"reason <> '' AND char_length(reason) <= {REASON_LENGTH_MAX}", name="ck_setting_change_reason"
        ),
        sa.CheckConstraint(
            "(state = ANY (ARRAY['approved'::text, 'refused'::text])) <= (decided_by IS NOT NULL)"
            " AND (decided_by IS NULL) = (decided_at IS NULL) AND (undone_by IS NULL) = (undone_at IS NULL)"
            " AND (state = 'undone'::text) = (undone_by IS NOT NULL)",
            name="ck_setting_change_decided",
        ),
        sa.CheckConstraint(
            "NOT needs_second OR state = 'refused'::text OR decided_by <> proposed_by", name="ck_setting_change_second"
        ),
        to_community("fk_setting_change_community"),
        to_member("fk_setting_change_proposed_by", "proposed_by"),
        to_member("fk_setting_change_decided_by", "decided_by"),
        to_member("fk_setting_change_undone_by", "undone_by"),
        sa.Index(
            "uq_setting_change_waiting",
            "community_id",
            "name",
            unique=True,
            postgresql_where=sa.text("state = 'proposed'::text"),
        ),
        sa.Index("ix_setting_change_name", "community_id", "name", "effective_from"),
    )

    community_id: int = community_key()
    change_id: UUID = key()
    name: str = Field(sa_type=sa.Text)
    value: int = big()
    effective_from: date
    reason: str = Field(sa_type=sa.Text)
    needs_second: bool
    state: str = Field(sa_type=sa.Text)
    proposed_by: UUID
    proposed_at: datetime
    decided_by: UUID | None = None
    decided_at: datetime | None = None
    undone_by: UUID | None = None
    undone_at: datetime | None = None
