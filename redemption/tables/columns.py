"""The kinds of columns and constraints that the tables are made of."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Text,
    Uuid,
    text,
)

metadata = MetaData(schema="redemption")


def community() -> Column[int]:
    """The first column of every table and of every key."""
    return Column("community_id", BigInteger, nullable=False)


def identifier(name: str, *, nullable: bool = False) -> Column[object]:
    """An opaque UUID."""
    return Column(name, Uuid, nullable=nullable)


def instant(name: str, *, nullable: bool = False) -> Column[object]:
    """A UTC instant."""
    return Column(name, DateTime(timezone=True), nullable=nullable)


def count(name: str, *, default: int | None = None, nullable: bool = False) -> Column[int]:
    """A small number of things."""
    return Column(name, Integer, nullable=nullable, server_default=None if default is None else text(str(default)))


def amount(name: str) -> Column[int]:
    """Value, in whole units."""
    return Column(name, BigInteger, nullable=False)


def words(name: str, *, nullable: bool = False) -> Column[str]:
    """Text."""
    return Column(name, Text, nullable=nullable)


def one_of(table: str, column: str, allowed: type[StrEnum]) -> CheckConstraint:
    """The column holds one of these values."""
    values = ", ".join(f"'{value}'" for value in allowed)
    return CheckConstraint(f"{column} IN ({values})", name=f"ck_{table}_{column}")


def check(table: str, what: str, rule: str) -> CheckConstraint:
    """A named rule of a table."""
    return CheckConstraint(rule, name=f"ck_{table}_{what}")


def primary(table: str, *columns: str) -> PrimaryKeyConstraint:
    """A table's key, which begins with the community."""
    return PrimaryKeyConstraint("community_id", *columns, name=f"pk_{table}")


def refers(
    table: str, what: str, columns: Iterable[str], target: str, target_columns: Iterable[str] = ()
) -> ForeignKeyConstraint:
    """A reference that stays inside the community."""
    own = ("community_id", *columns)
    theirs = ("community_id", *(tuple(target_columns) or tuple(columns)))
    return ForeignKeyConstraint(own, [f"redemption.{target}.{name}" for name in theirs], name=f"fk_{table}_{what}")
