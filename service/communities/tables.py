"""Columns and constraints of places, organisations and settings."""

from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from service.communities.rules import OrganisationKind
from service.kit.columns import big, community_key, key, one_of, to_community


class Community(SQLModel, table=True):
    """A residents' committee and what it looks after; its number is the official 12-digit division code where it has one."""

    __tablename__ = "community"
    __table_args__ = (sa.PrimaryKeyConstraint("community_id", name="pk_community"),)

    community_id: int = community_key()
    name: str = Field(sa_type=sa.Text)
    official_code: str | None = Field(default=None, sa_type=sa.Text)
    street_code: str | None = Field(default=None, sa_type=sa.Text)
    street: str = Field(sa_type=sa.Text)
    phone: str = Field(sa_type=sa.Text)
    founded_at: datetime


class Grid(SQLModel, table=True):
    """The part of a community one grid worker looks after."""

    __tablename__ = "grid"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "grid_id", name="pk_grid"),
        sa.UniqueConstraint("community_id", "name", name="uq_grid_name"),
        to_community("fk_grid_community"),
    )

    community_id: int = community_key()
    grid_id: UUID = key()
    name: str = Field(sa_type=sa.Text)


class Building(SQLModel, table=True):
    """A building in a grid."""

    __tablename__ = "building"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "building_id", name="pk_building"),
        sa.UniqueConstraint("community_id", "name", name="uq_building_name"),
        sa.ForeignKeyConstraint(
            ["community_id", "grid_id"], ["grid.community_id", "grid.grid_id"], name="fk_building_grid"
        ),
    )

    community_id: int = community_key()
    building_id: UUID = key()
    grid_id: UUID
    name: str = Field(sa_type=sa.Text)


class Household(SQLModel, table=True):
    """People behind one door. The door is sealed; its blind index keeps one household per door."""

    __tablename__ = "household"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "household_id", name="pk_household"),
        sa.UniqueConstraint("community_id", "building_id", "door_index", name="uq_household_door"),
        sa.ForeignKeyConstraint(
            ["community_id", "building_id"],
            ["building.community_id", "building.building_id"],
            name="fk_household_building",
        ),
    )

    community_id: int = community_key()
    household_id: UUID = key()
    building_id: UUID
    door_sealed: bytes = Field(sa_type=sa.LargeBinary)
    door_index: bytes = Field(sa_type=sa.LargeBinary)


class Organisation(SQLModel, table=True):
    """A shop, a team or a unit. Its name and address are public, unlike a person's."""

    __tablename__ = "organisation"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "organisation_id", name="pk_organisation"),
        sa.UniqueConstraint("community_id", "name", name="uq_organisation_name"),
        one_of("ck_organisation_kind", "kind", OrganisationKind),
        to_community("fk_organisation_community"),
    )

    community_id: int = community_key()
    organisation_id: UUID = key()
    kind: str = Field(sa_type=sa.Text)
    name: str = Field(sa_type=sa.Text)
    address: str = Field(sa_type=sa.Text)
    phone: str = Field(sa_type=sa.Text)
    opened_at: datetime
    closed_at: datetime | None = None


class DatedSetting(SQLModel, table=True):
    """One value of one setting from one day on. Append-only: a mistake is corrected by a later line for the same day."""

    __tablename__ = "setting"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "name", "effective_from", "revision", name="pk_setting"),
        sa.CheckConstraint("revision >= 1", name="ck_setting_revision"),
        to_community("fk_setting_community"),
    )

    community_id: int = community_key()
    name: str = Field(sa_type=sa.Text, primary_key=True)
    effective_from: date = Field(primary_key=True)
    revision: int = Field(sa_type=sa.Integer, primary_key=True, sa_column_kwargs={"autoincrement": False})
    value: int = big()
    set_by: UUID | None = None
    set_at: datetime


class Price(SQLModel, table=True):
    """One line of the dated price list of a repair team, in fen."""

    __tablename__ = "price"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "organisation_id", "item", "effective_from", name="pk_price"),
        sa.CheckConstraint(
            "fen_min >= 0 AND fen_max >= fen_min AND (fen_cap IS NULL OR fen_cap >= fen_max)", name="ck_price_range"
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "organisation_id"],
            ["organisation.community_id", "organisation.organisation_id"],
            name="fk_price_organisation",
        ),
    )

    community_id: int = community_key()
    organisation_id: UUID = Field(primary_key=True)
    item: str = Field(sa_type=sa.Text, primary_key=True)
    effective_from: date = Field(primary_key=True)
    unit: str = Field(sa_type=sa.Text)
    fen_min: int = big()
    fen_max: int = big()
    fen_cap: int | None = big(nullable=True)
    includes_material: bool
    rounding_note: str = Field(sa_type=sa.Text)
