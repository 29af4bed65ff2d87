"""Columns and constraints of people, their roles and their ways in."""

from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field, SQLModel

from service.kit.access import Role
from service.kit.columns import community_key, key, one_of, to_community, to_member


class Member(SQLModel, table=True):
    """A person in one community. What identifies a human being is sealed; indexes over it are keyed."""

    __tablename__ = "member"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "member_id", name="pk_member"),
        sa.UniqueConstraint("community_id", "card_no", name="uq_member_card_no"),
        sa.UniqueConstraint("community_id", "login_id", name="uq_member_login"),
        sa.CheckConstraint("revision >= 1", name="ck_member_revision"),
        to_community("fk_member_community"),
        sa.ForeignKeyConstraint(
            ["community_id", "household_id"],
            ["household.community_id", "household.household_id"],
            name="fk_member_household",
        ),
        sa.Index("ix_member_name_index", "name_index", postgresql_using="gin"),
        sa.Index("ix_member_phone_index", "community_id", "phone_index"),
        sa.Index("ix_member_login", "login_id", unique=False),
        sa.Index("ix_member_card_anywhere", "card_no"),
    )

    community_id: int = community_key()
    member_id: UUID = key()
    card_no: str = Field(sa_type=sa.Text)
    name_sealed: bytes = Field(sa_type=sa.LargeBinary)
    name_index: list[bytes] = Field(sa_type=ARRAY(sa.LargeBinary))
    phone_sealed: bytes | None = Field(default=None, sa_type=sa.LargeBinary)
    phone_index: bytes | None = Field(default=None, sa_type=sa.LargeBinary)
    born_sealed: bytes | None = Field(default=None, sa_type=sa.LargeBinary)
    household_id: UUID | None = None
    login_id: UUID | None = None
    import_id: UUID | None = None
    revision: int = Field(default=1, sa_type=sa.Integer)
    enrolled_at: datetime
    closed_at: datetime | None = None


class MemberRole(SQLModel, table=True):
    """A role from a day and until a day; the end of one is a date, never a deletion."""

    __tablename__ = "member_role"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "role_id", name="pk_member_role"),
        one_of("ck_member_role_role", "role", Role),
        sa.CheckConstraint("until_on IS NULL OR until_on >= from_on", name="ck_member_role_range"),
        to_member("fk_member_role_member", "member_id"),
        sa.ForeignKeyConstraint(
            ["community_id", "organisation_id"],
            ["organisation.community_id", "organisation.organisation_id"],
            name="fk_member_role_organisation",
        ),
        sa.Index("ix_member_role_member", "community_id", "member_id"),
        sa.Index("ix_member_role_role", "community_id", "role"),
    )

    community_id: int = community_key()
    role_id: UUID = key()
    member_id: UUID
    role: str = Field(sa_type=sa.Text)
    organisation_id: UUID | None = None
    from_on: date
    until_on: date | None = None
    granted_by: UUID | None = None
    granted_at: datetime
    ended_by: UUID | None = None


class Login(SQLModel, table=True):
    """A phone number that signs in, known only by its keyed index; it points to members and proves nothing by itself.

    Global, so it holds no secret: an office that enrols a number must never be able to reset the way into another community.
    """

    __tablename__ = "login"
    __table_args__ = (
        sa.PrimaryKeyConstraint("login_id", name="pk_login"),
        sa.UniqueConstraint("phone_index", name="uq_login_phone_index"),
    )

    login_id: UUID = key()
    phone_index: bytes = Field(sa_type=sa.LargeBinary)


class MemberSecret(SQLModel, table=True):
    """The PIN a person chose in this community, for the card and for the phone number alike."""

    __tablename__ = "member_secret"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "member_id", name="pk_member_secret"),
        to_member("fk_member_secret_member", "member_id"),
    )

    community_id: int = community_key()
    member_id: UUID = key()
    secret_hash: str = Field(sa_type=sa.Text)
    set_at: datetime


class Activation(SQLModel, table=True):
    """A one-time code that lets a person choose a secret; printed at enrolment, kept only as a keyed hash."""

    __tablename__ = "activation"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "code_hash", name="pk_activation"),
        to_member("fk_activation_member", "member_id"),
        sa.Index("ix_activation_member", "community_id", "member_id"),
    )

    community_id: int = community_key()
    code_hash: bytes = Field(sa_type=sa.LargeBinary, primary_key=True)
    member_id: UUID
    expires_at: datetime
    used_at: datetime | None = None


class SignedIn(SQLModel, table=True):
    """A session. Its token is known to the browser only; staff can list and end it."""

    __tablename__ = "session"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "session_id", name="pk_session"),
        sa.UniqueConstraint("community_id", "token_hash", name="uq_session_token_hash"),
        to_member("fk_session_member", "member_id"),
        sa.Index("ix_session_member", "community_id", "member_id"),
    )

    community_id: int = community_key()
    session_id: UUID = key()
    token_hash: bytes = Field(sa_type=sa.LargeBinary)
    member_id: UUID
    device: str = Field(sa_type=sa.Text)
    is_shared: bool
    started_at: datetime
    seen_at: datetime
    expires_at: datetime
    ended_at: datetime | None = None
    ended_by: UUID | None = None
    network_index: bytes | None = Field(default=None, sa_type=sa.LargeBinary)
    """From which network it was opened, as a keyed index: enough to say "the same one", and no address."""


class SignInTry(SQLModel, table=True):
    """Wrong tries of one number or one address in one window. Global and short-lived; holds only keyed indexes."""

    __tablename__ = "sign_in_try"
    __table_args__ = (sa.PrimaryKeyConstraint("subject", "window_at", name="pk_sign_in_try"),)

    subject: bytes = Field(sa_type=sa.LargeBinary, primary_key=True)
    window_at: datetime = Field(primary_key=True)
    tries: int = Field(sa_type=sa.Integer)


class MemberCard(SQLModel, table=True):
    """The card of a member without a phone: who they are, never money. Printing it again makes the one before worthless.

    Five wrong PINs at a counter lock it until the office looks at it.
    """

    __tablename__ = "member_card"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "member_id", name="pk_member_card"),
        sa.UniqueConstraint("community_id", "handle", name="uq_member_card_handle"),
        to_member("fk_member_card_member", "member_id"),
        sa.CheckConstraint("handle > 0", name="ck_member_card_handle"),
        sa.CheckConstraint("card_seq BETWEEN 1 AND 65535", name="ck_member_card_seq"),
        sa.CheckConstraint("tries BETWEEN 0 AND 5", name="ck_member_card_tries"),
    )

    community_id: int = community_key()
    member_id: UUID = key()
    handle: int = Field(sa_type=sa.BigInteger)
    card_seq: int = Field(sa_type=sa.Integer)
    tries: int = Field(sa_type=sa.SmallInteger)
    tried_at: datetime | None = None
    """When a PIN was last counted: of a card with five wrong ones, since when it is locked."""
    printed_by: UUID
    printed_at: datetime
    withdrawn_at: datetime | None = None
