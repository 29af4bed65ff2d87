"""Columns and constraints of the second factor."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from service.identity.rules_factor import RemovalReason, RemovalState
from service.kit.columns import community_key, key, one_of, to_member


class SecondFactor(SQLModel, table=True):
    """One authenticator of one person. Its secret is sealed while it is good, and gone when it is ended.

    `last_step` is the step of time of the last code that was taken: it only grows, so a code is good once.
    """

    __tablename__ = "second_factor"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "factor_id", name="pk_second_factor"),
        to_member("fk_second_factor_member", "member_id"),
        to_member("fk_second_factor_ended_by", "ended_by"),
        sa.CheckConstraint(
            "(ended_at IS NULL) = (ended_by IS NULL) AND (ended_at IS NULL) = (secret_sealed IS NOT NULL)",
            name="ck_second_factor_ended",
        ),
        sa.CheckConstraint("last_step >= 0", name="ck_second_factor_last_step"),
        sa.CheckConstraint("wrong_codes BETWEEN 0 AND 100", name="ck_second_factor_wrong_codes"),
        sa.Index(
            "uq_second_factor_held",
            "community_id",
            "member_id",
            unique=True,
            postgresql_where=sa.text("ended_at IS NULL"),
        ),
    )

    community_id: int = community_key()
    factor_id: UUID = key()
    member_id: UUID
    secret_sealed: bytes | None = Field(default=None, sa_type=sa.LargeBinary)
    started_at: datetime
    confirmed_at: datetime | None = None
    ended_at: datetime | None = None
    ended_by: UUID | None = None
    last_step: int = Field(sa_type=sa.BigInteger)
    wrong_codes: int = Field(sa_type=sa.SmallInteger)
    next_try_at: datetime | None = None


class RecoveryCode(SQLModel, table=True):
    """One of ten printed codes that are good once each, for whoever has no authenticator at hand; kept as a slow hash."""

    __tablename__ = "recovery_code"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "factor_id", "number", name="pk_recovery_code"),
        sa.ForeignKeyConstraint(
            ["community_id", "factor_id"],
            ["second_factor.community_id", "second_factor.factor_id"],
            name="fk_recovery_code_factor",
        ),
        sa.CheckConstraint("number BETWEEN 0 AND 9", name="ck_recovery_code_number"),
    )

    community_id: int = community_key()
    factor_id: UUID = key()
    number: int = Field(sa_type=sa.SmallInteger, primary_key=True)
    code_hash: str = Field(sa_type=sa.Text)
    made_at: datetime
    used_at: datetime | None = None


class SessionProof(SQLModel, table=True):
    """A session in which a right code was given, when last, and the wrong ones since.

    It counts its own wrong codes: whoever guesses in another session cannot slow down the one that is known.
    """

    __tablename__ = "session_proof"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "session_id", name="pk_session_proof"),
        sa.ForeignKeyConstraint(
            ["community_id", "session_id"],
            ["session.community_id", "session.session_id"],
            name="fk_session_proof_session",
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "factor_id"],
            ["second_factor.community_id", "second_factor.factor_id"],
            name="fk_session_proof_factor",
        ),
        sa.CheckConstraint("wrong_codes BETWEEN 0 AND 100", name="ck_session_proof_wrong_codes"),
    )

    community_id: int = community_key()
    session_id: UUID = key()
    factor_id: UUID
    proven_at: datetime
    wrong_codes: int = Field(sa_type=sa.SmallInteger)
    next_try_at: datetime | None = None


class FactorRemoval(SQLModel, table=True):
    """Somebody's second factor is taken away at the desk: one asks, another agrees, and neither is whose it is."""

    __tablename__ = "factor_removal"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "removal_id", name="pk_factor_removal"),
        sa.ForeignKeyConstraint(
            ["community_id", "factor_id"],
            ["second_factor.community_id", "second_factor.factor_id"],
            name="fk_factor_removal_factor",
        ),
        to_member("fk_factor_removal_member", "member_id"),
        to_member("fk_factor_removal_proposed_by", "proposed_by"),
        to_member("fk_factor_removal_decided_by", "decided_by"),
        one_of("ck_factor_removal_reason", "reason", RemovalReason),
        one_of("ck_factor_removal_state", "state", RemovalState),
        sa.CheckConstraint(
            "(state = 'proposed'::text) = (decided_at IS NULL) AND (decided_at IS NULL) = (decided_by IS NULL)",
            name="ck_factor_removal_decided",
        ),
        sa.CheckConstraint(
            "proposed_by <> member_id AND (state <> 'agreed'::text OR decided_by <> proposed_by AND decided_by <> member_id)",
            name="ck_factor_removal_others",
        ),
        sa.Index(
            "uq_factor_removal_waiting",
            "community_id",
            "factor_id",
            unique=True,
            postgresql_where=sa.text("state = 'proposed'::text"),
        ),
    )

    community_id: int = community_key()
    removal_id: UUID = key()
    factor_id: UUID
    member_id: UUID
    reason: str = Field(sa_type=sa.Text)
    state: str = Field(sa_type=sa.Text)
    proposed_by: UUID
    proposed_at: datetime
    decided_by: UUID | None = None
    decided_at: datetime | None = None
