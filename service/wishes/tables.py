"""Columns and constraints of wishes and of their history."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from service.kit.columns import big, community_key, key, one_of, to_member
from service.records import ServiceClass
from service.wishes.kinds import Warmth, WishCategory, WishKind
from service.wishes.rules import (
    EXPECTED_MINUTES_MAX,
    EXPECTED_MINUTES_MIN,
    SERVED_MINUTES_MAX,
    TEXT_LENGTH_MAX,
    TITLE_LENGTH_MAX,
    Verb,
    WishState,
)

_TAKEN = "state = ANY (ARRAY['claimed'::text, 'served'::text, 'disputed'::text, 'confirmed'::text])"
_WITHOUT_HELPER = "state = ANY (ARRAY['posted'::text, 'approved'::text, 'returned'::text, 'expired'::text])"
_DONE = "state = ANY (ARRAY['served'::text, 'confirmed'::text])"
_KEEPS_REWARD = "state = ANY (ARRAY['approved'::text, 'claimed'::text, 'served'::text, 'disputed'::text])"


class Wish(SQLModel, table=True):
    """One wish and where it stands. It has one volunteer at most, because there is one place for one."""

    __tablename__ = "wish"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "wish_id", name="pk_wish"),
        sa.UniqueConstraint("community_id", "code", name="uq_wish_code"),
        one_of("ck_wish_state", "state", WishState),
        one_of("ck_wish_kind", "kind", WishKind),
        one_of("ck_wish_category", "category", WishCategory),
        one_of("ck_wish_service_class", "service_class", ServiceClass),
        one_of("ck_wish_warmth", "warmth", Warmth),
        sa.CheckConstraint("revision >= 1", name="ck_wish_revision"),
        sa.CheckConstraint(
            f"length(title) <= {TITLE_LENGTH_MAX} AND length(text) <= {TEXT_LENGTH_MAX}", name="ck_wish_lengths"
        ),
        sa.CheckConstraint(
            f"expected_minutes >= {EXPECTED_MINUTES_MIN} AND expected_minutes <= {EXPECTED_MINUTES_MAX}",
            name="ck_wish_expected_minutes",
        ),
        sa.CheckConstraint(
            f"served_minutes >= 1 AND served_minutes <= {SERVED_MINUTES_MAX}", name="ck_wish_served_minutes"
        ),
        sa.CheckConstraint(
            "reward_points >= 0 AND (reward_points = 0 OR reward_budget IS NOT NULL)", name="ck_wish_reward"
        ),
        sa.CheckConstraint(
            f"(reward_hold IS NOT NULL) = (reward_points > 0 AND {_KEEPS_REWARD})", name="ck_wish_reward_hold"
        ),
        sa.UniqueConstraint("community_id", "reward_hold", name="uq_wish_reward_hold"),
        sa.CheckConstraint(f"NOT ({_TAKEN}) OR volunteer_id IS NOT NULL", name="ck_wish_taken"),
        sa.CheckConstraint(f"NOT ({_WITHOUT_HELPER}) OR volunteer_id IS NULL", name="ck_wish_free"),
        sa.CheckConstraint("volunteer_id <> asked_by", name="ck_wish_not_own"),
        sa.CheckConstraint(
            f"NOT ({_DONE}) OR (served_minutes IS NOT NULL AND served_from_at IS NOT NULL AND served_at IS NOT NULL)",
            name="ck_wish_served",
        ),
        sa.CheckConstraint(
            "state <> 'confirmed'::text OR (confirmed_at IS NOT NULL AND confirmed_by <> volunteer_id)",
            name="ck_wish_confirmed",
        ),
        to_member("fk_wish_asked_by", "asked_by"),
        to_member("fk_wish_posted_by", "posted_by"),
        to_member("fk_wish_volunteer", "volunteer_id"),
        sa.ForeignKeyConstraint(
            ["community_id", "reward_budget"],
            ["organisation.community_id", "organisation.organisation_id"],
            name="fk_wish_reward_budget",
        ),
        sa.Index("ix_wish_state", "community_id", "state", "changed_at", "wish_id"),
        sa.Index("ix_wish_changed", "community_id", "changed_at", "wish_id"),
        sa.Index("ix_wish_asked_by", "community_id", "asked_by", "changed_at", "wish_id"),
        sa.Index("ix_wish_volunteer", "community_id", "volunteer_id", "changed_at", "wish_id"),
    )

    community_id: int = community_key()
    wish_id: UUID = key()
    code: str = Field(sa_type=sa.Text)
    """What the asker notes down and staff type in: eight letters and digits nobody mistakes for others."""
    kind: str = Field(sa_type=sa.Text)
    category: str = Field(sa_type=sa.Text)
    state: str = Field(sa_type=sa.Text)
    revision: int = Field(default=1, sa_type=sa.Integer)
    title: str = Field(sa_type=sa.Text)
    text: str = Field(sa_type=sa.Text)
    preferred_time: str = Field(sa_type=sa.Text)
    expected_minutes: int = Field(sa_type=sa.Integer)
    building: str | None = Field(default=None, sa_type=sa.Text)
    """Where the asker lived when they asked, without the door."""
    asked_by: UUID
    posted_by: UUID
    posted_at: datetime
    changed_at: datetime
    approved_at: datetime | None = None
    approved_by: UUID | None = None
    """Empty for an urgent wish that nobody of the staff has looked at."""
    service_class: str = Field(sa_type=sa.Text)
    reward_points: int = big(default=0)
    reward_budget: UUID | None = None
    reward_hold: UUID | None = None
    """The ledger's hold on the reward, from the approval until it is paid or let go."""
    expires_at: datetime | None = None
    reason: str | None = Field(default=None, sa_type=sa.Text)
    """Why it was returned or disputed."""
    volunteer_id: UUID | None = None
    claimed_at: datetime | None = None
    claim_due_at: datetime | None = None
    served_from_at: datetime | None = None
    served_minutes: int | None = Field(default=None, sa_type=sa.Integer)
    served_note: str | None = Field(default=None, sa_type=sa.Text)
    served_at: datetime | None = None
    confirm_due_at: datetime | None = None
    reminded_at: datetime | None = None
    confirmed_at: datetime | None = None
    confirmed_by: UUID | None = None
    credited_minutes: int | None = Field(default=None, sa_type=sa.Integer)
    credited_points_hundredths: int | None = big(nullable=True)
    warmth: str | None = Field(default=None, sa_type=sa.Text)
    thanks: str | None = Field(default=None, sa_type=sa.Text)


class WishEvent(SQLModel, table=True):
    """One line of a wish's history, append-only by privilege. Its number is the revision it made: no two alike."""

    __tablename__ = "wish_event"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "wish_id", "revision", name="pk_wish_event"),
        one_of("ck_wish_event_verb", "verb", Verb),
        one_of("ck_wish_event_before", "state_before", WishState),
        one_of("ck_wish_event_after", "state_after", WishState),
        sa.ForeignKeyConstraint(
            ["community_id", "wish_id"], ["wish.community_id", "wish.wish_id"], name="fk_wish_event_wish"
        ),
    )

    community_id: int = community_key()
    wish_id: UUID = key()
    revision: int = Field(sa_type=sa.Integer, primary_key=True, sa_column_kwargs={"autoincrement": False})
    verb: str = Field(sa_type=sa.Text)
    state_before: str | None = Field(default=None, sa_type=sa.Text)
    state_after: str = Field(sa_type=sa.Text)
    at: datetime
    actor_id: UUID | None = None
    """Empty where time alone moved it."""
    on_behalf_of: UUID | None = None
    volunteer_id: UUID | None = None
    """Whose claim it was about, also after they gave it back."""
    note: str | None = Field(default=None, sa_type=sa.Text)
