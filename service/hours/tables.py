"""Columns and constraints of activities, shifts, sign-ups, attendances and reviews."""

from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, ExcludeConstraint
from sqlmodel import Field, SQLModel

from service.hours.rules import ActivityState, AttendanceState, How, ShiftState, SignUpState
from service.kit.columns import community_key, key, one_of, to_community, to_member
from service.records import ServiceClass


def _to_activity(name: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["community_id", "activity_id"], ["activity.community_id", "activity.activity_id"], name=name
    )


def _to_shift(name: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["community_id", "shift_id"], ["shift.community_id", "shift.shift_id"], name=name)


class Activity(SQLModel, table=True):
    """Something people do together, once or every week."""

    __tablename__ = "activity"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "activity_id", name="pk_activity"),
        sa.UniqueConstraint("community_id", "poster_code", name="uq_activity_poster_code"),
        one_of("ck_activity_state", "state", ActivityState),
        one_of("ck_activity_class", "service_class", ServiceClass),
        to_community("fk_activity_community"),
        sa.Index("ix_activity_state", "community_id", "state", "activity_id"),
    )

    community_id: int = community_key()
    activity_id: UUID = key()
    title: str = Field(sa_type=sa.Text)
    place: str = Field(sa_type=sa.Text)
    contact_phone: str = Field(sa_type=sa.Text)
    """Published on the page and the poster: an office's number, or one its owner agreed to show."""
    service_class: str = Field(sa_type=sa.Text)
    description: str = Field(sa_type=sa.Text)
    poster_code: str = Field(sa_type=sa.Text)
    state: str = Field(sa_type=sa.Text)
    revision: int = Field(default=1, sa_type=sa.Integer)
    created_at: datetime
    created_by: UUID


class ActivityLeader(SQLModel, table=True):
    """Who leads an activity."""

    __tablename__ = "activity_leader"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "activity_id", "member_id", name="pk_activity_leader"),
        _to_activity("fk_activity_leader_activity"),
        to_member("fk_activity_leader_member", "member_id"),
        sa.Index("ix_activity_leader_member", "community_id", "member_id"),
    )

    community_id: int = community_key()
    activity_id: UUID = key()
    member_id: UUID = key()


class Shift(SQLModel, table=True):
    """One stretch of time of an activity, with places. Its opening and closing were promised when it was made."""

    __tablename__ = "shift"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "shift_id", name="pk_shift"),
        sa.UniqueConstraint("community_id", "code", name="uq_shift_code"),
        one_of("ck_shift_state", "state", ShiftState),
        sa.CheckConstraint("places >= 1", name="ck_shift_places"),
        sa.CheckConstraint(
            "opens_at <= starts_at AND starts_at < ends_at AND ends_at <= closes_at", name="ck_shift_times"
        ),
        _to_activity("fk_shift_activity"),
        sa.Index("ix_shift_activity", "community_id", "activity_id", "starts_at"),
        sa.Index("ix_shift_starts", "community_id", "starts_at", "shift_id"),
        sa.Index("ix_shift_due", "closes_at", postgresql_where=sa.text("state = 'open'::text")),
    )

    community_id: int = community_key()
    shift_id: UUID = key()
    activity_id: UUID
    code: str = Field(sa_type=sa.Text)
    """Public reference inside the rotating code; proves nothing."""
    opens_at: datetime
    starts_at: datetime
    ends_at: datetime
    closes_at: datetime
    places: int = Field(sa_type=sa.Integer)
    state: str = Field(sa_type=sa.Text)
    revision: int = Field(default=1, sa_type=sa.Integer)


class SignUp(SQLModel, table=True):
    """A volunteer's place in a shift, or their turn in its waiting list."""

    __tablename__ = "sign_up"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "shift_id", "member_id", name="pk_sign_up"),
        one_of("ck_sign_up_state", "state", SignUpState),
        _to_shift("fk_sign_up_shift"),
        to_member("fk_sign_up_member", "member_id"),
        sa.Index("ix_sign_up_member", "community_id", "member_id"),
    )

    community_id: int = community_key()
    shift_id: UUID = key()
    member_id: UUID = key()
    state: str = Field(sa_type=sa.Text)
    turn: int = Field(sa_type=sa.Integer)
    """Counted under the shift's lock: the waiting list moves in this order, not by any clock."""
    signed_up_at: datetime
    signed_up_by: UUID


class HoursReview(SQLModel, table=True):
    """One act of a reviewer over one or many attendances, with what became of each row."""

    __tablename__ = "hours_review"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "review_id", name="pk_hours_review"),
        sa.CheckConstraint("verb = ANY (ARRAY['approve'::text, 'return'::text])", name="ck_hours_review_verb"),
        to_member("fk_hours_review_actor", "actor_id"),
    )

    community_id: int = community_key()
    review_id: UUID = key()
    verb: str = Field(sa_type=sa.Text)
    actor_id: UUID
    at: datetime
    verdicts: dict[str, str] = Field(sa_type=JSONB)
    undone_at: datetime | None = None


class Attendance(SQLModel, table=True):
    """One person's presence in one shift.

    Two walls stand in the database: a person is checked in at one place at a time, and a person's times never overlap.
    A forgotten check-out has no end and is left out of the second, so that it cannot keep anybody from serving
    tomorrow; what was returned is left out, so that the right entry can be made.
    """

    __tablename__ = "attendance"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "attendance_id", name="pk_attendance"),
        sa.UniqueConstraint("community_id", "shift_id", "member_id", name="uq_attendance_person"),
        one_of("ck_attendance_state", "state", AttendanceState),
        one_of("ck_attendance_how_in", "how_in", How),
        sa.CheckConstraint(
            "how_out IS NULL OR how_out = ANY (ARRAY['rotating'::text, 'poster'::text, 'leader'::text])",
            name="ck_attendance_how_out",
        ),
        sa.CheckConstraint("checked_out_at >= checked_in_at", name="ck_attendance_order"),
        sa.CheckConstraint("state <> 'open'::text OR checked_out_at IS NULL", name="ck_attendance_open"),
        sa.CheckConstraint("minutes >= 0 AND minutes <= planned_minutes", name="ck_attendance_minutes"),
        sa.CheckConstraint(
            "(state = 'approved'::text) = (credited_minutes IS NOT NULL)"
            " AND (state <> 'approved'::text OR NOT awaits_confirmation)",
            name="ck_attendance_approved",
        ),
        _to_shift("fk_attendance_shift"),
        to_member("fk_attendance_member", "member_id"),
        sa.ForeignKeyConstraint(
            ["community_id", "review_id"],
            ["hours_review.community_id", "hours_review.review_id"],
            name="fk_attendance_review",
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "record_id"],
            ["service_record.community_id", "service_record.record_id"],
            name="fk_attendance_record",
        ),
        ExcludeConstraint(
            ("community_id", "="),
            ("member_id", "="),
            (sa.text("tstzrange(checked_in_at, checked_out_at)"), "&&"),
            name="ex_attendance_overlap",
            using="gist",
            where=sa.text("state <> 'returned'::text AND (state = 'open'::text OR checked_out_at IS NOT NULL)"),
        ),
        sa.Index(
            "uq_attendance_one_open",
            "community_id",
            "member_id",
            unique=True,
            postgresql_where=sa.text("state = 'open'::text"),
        ),
        sa.Index("ix_attendance_member", "community_id", "member_id", "served_on"),
        sa.Index("ix_attendance_waiting", "community_id", "state", "done_at", "attendance_id"),
        sa.Index("ix_attendance_review", "community_id", "review_id"),
    )

    community_id: int = community_key()
    attendance_id: UUID = key()
    shift_id: UUID
    member_id: UUID
    state: str = Field(sa_type=sa.Text)
    revision: int = Field(default=1, sa_type=sa.Integer)
    served_on: date
    checked_in_at: datetime
    checked_out_at: datetime | None = None
    how_in: str = Field(sa_type=sa.Text)
    how_out: str | None = Field(default=None, sa_type=sa.Text)
    checked_in_by: UUID
    checked_out_by: UUID | None = None
    awaits_confirmation: bool
    """True while an arrival or departure rests on a poster alone."""
    confirmed_by: UUID | None = None
    confirmed_at: datetime | None = None
    planned_minutes: int = Field(sa_type=sa.Integer)
    minutes: int = Field(default=0, sa_type=sa.Integer)
    """What the presence is worth by the rules; the daily cap is only known when it is approved."""
    done_at: datetime | None = None
    correction_text: str | None = Field(default=None, sa_type=sa.Text)
    correction_asked_at: datetime | None = None
    review_id: UUID | None = None
    reviewed_by: UUID | None = None
    reviewed_at: datetime | None = None
    return_reason: str | None = Field(default=None, sa_type=sa.Text)
    credited_minutes: int | None = Field(default=None, sa_type=sa.Integer)
    points_hundredths: int | None = Field(default=None, sa_type=sa.BigInteger)
    record_id: UUID | None = None


# Lets the exclusion constraint compare ids for equality. A trusted extension: the database's owner may create it.
_EXTENSION = sa.DDL("CREATE EXTENSION IF NOT EXISTS btree_gist")  # type: ignore[no-untyped-call] # SQLAlchemy's own gap
sa.event.listen(SQLModel.metadata, "before_create", _EXTENSION)
