"""What household classes are kept in: sealed, dated, never edited but ended."""

from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from service.households.rules import PRICED, ClassState
from service.kit.columns import community_key, key, one_of, to_member


class HouseholdClass(SQLModel, table=True):
    """One class of one household, from a day and until a day. Which, and on what basis, is sealed; the index finds a double."""

    __tablename__ = "household_class"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "class_id", name="pk_household_class"),
        one_of("ck_household_class_state", "state", ClassState),
        sa.CheckConstraint(
            "(state = 'proposed'::text) = (decided_at IS NULL) AND (decided_at IS NULL) = (decided_by IS NULL)",
            name="ck_household_class_decided",
        ),
        sa.CheckConstraint("state <> 'agreed'::text OR decided_by <> proposed_by", name="ck_household_class_two"),
        sa.CheckConstraint(
            "(state = 'agreed'::text) = (effective_from IS NOT NULL)", name="ck_household_class_effective_from"
        ),
        sa.CheckConstraint("effective_until > effective_from", name="ck_household_class_effective_until"),
        sa.CheckConstraint(
            "(effective_until IS NULL) = (ended_by IS NULL) AND (ended_by IS NULL) = (ended_at IS NULL)",
            name="ck_household_class_ended",
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "household_id"],
            ["household.community_id", "household.household_id"],
            name="fk_household_class_household",
        ),
        to_member("fk_household_class_proposed_by", "proposed_by"),
        to_member("fk_household_class_decided_by", "decided_by"),
        sa.Index(
            "uq_household_class_held",
            "community_id",
            "household_id",
            "kind_index",
            unique=True,
            postgresql_where=sa.text("state <> 'refused'::text AND effective_until IS NULL"),
        ),
        sa.Index(
            "ix_household_class_waiting",
            "community_id",
            "proposed_at",
            postgresql_where=sa.text("state = 'proposed'::text"),
        ),
    )

    community_id: int = community_key()
    class_id: UUID = key()
    household_id: UUID
    sealed: bytes = Field(sa_type=sa.LargeBinary)
    """The kind and the basis, as JSON."""
    kind_index: bytes = Field(sa_type=sa.LargeBinary)
    is_consented: bool
    state: str = Field(sa_type=sa.Text)
    proposed_by: UUID
    proposed_at: datetime
    decided_by: UUID | None = None
    decided_at: datetime | None = None
    effective_from: date | None = None
    effective_until: date | None = None
    """The first day on which it holds no more."""
    ended_by: UUID | None = None
    ended_at: datetime | None = None


class Entitlement(SQLModel, table=True):
    """What a class entitles to, from a day on: percents off a team's price list, or a word that offers may ask for."""

    __tablename__ = "entitlement"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "entitlement_id", name="pk_entitlement"),
        one_of("ck_entitlement_kind", "kind", [kind.value for kind in PRICED]),
        sa.CheckConstraint(
            "(percent IS NULL) = (organisation_id IS NULL) AND (percent IS NULL) <> (word IS NULL)",
            name="ck_entitlement_what",
        ),
        sa.CheckConstraint("percent >= 1 AND percent <= 100", name="ck_entitlement_percent"),
        sa.CheckConstraint("word ~ '^[a-z0-9-]{2,24}$'::text", name="ck_entitlement_word"),
        sa.CheckConstraint("effective_until > effective_from", name="ck_entitlement_effective_until"),
        sa.ForeignKeyConstraint(
            ["community_id", "organisation_id"],
            ["organisation.community_id", "organisation.organisation_id"],
            name="fk_entitlement_organisation",
        ),
        to_member("fk_entitlement_set_by", "set_by"),
        to_member("fk_entitlement_ended_by", "ended_by"),
        sa.Index("ix_entitlement_open", "community_id", "effective_from"),
    )

    community_id: int = community_key()
    entitlement_id: UUID = key()
    kind: str = Field(sa_type=sa.Text)
    organisation_id: UUID | None = None
    percent: int | None = Field(default=None, sa_type=sa.Integer)
    word: str | None = Field(default=None, sa_type=sa.Text)
    effective_from: date
    effective_until: date | None = None
    set_by: UUID
    set_at: datetime
    ended_by: UUID | None = None
