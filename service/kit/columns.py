"""Column habits that every slice shares, so that tables read alike."""

from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

SQLModel.metadata.naming_convention = {
    "pk": "pk_%(table_name)s",
    "ix": "ix_%(column_0_label)s",
}


def community_key() -> Any:
    """The tenant: first column of every key."""
    return Field(sa_type=sa.BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})


def key() -> Any:
    """A UUIDv7 made in Python, second column of the primary key."""
    return Field(sa_type=sa.Uuid, primary_key=True)


def counted_key() -> Any:
    """A bigint the database counts up; unique, not gapless, and never an order of commits."""
    return Field(
        default=None,
        sa_type=sa.BigInteger,
        primary_key=True,
        sa_column_args=[sa.Identity(always=True)],
        # Tells SQLAlchemy how to match the rows of one big INSERT, so that it does not send them one by one.
        sa_column_kwargs={"insert_sentinel": True},
    )


def big(*, nullable: bool = False, default: int | None = None) -> Any:
    """A bigint: amounts and counts of value are never narrower."""
    if default is not None:
        return Field(default=default, sa_type=sa.BigInteger, nullable=nullable)
    return Field(sa_type=sa.BigInteger, nullable=nullable)


def one_of(name: str, column: str, values: type[StrEnum] | list[str]) -> sa.CheckConstraint:
    """A named CHECK for a text column with a closed set of words; never a native enum, which cannot be changed under load."""
    words = [str(word.value if isinstance(word, StrEnum) else word) for word in values]
    listed = ", ".join(f"'{word}'::text" for word in words)
    return sa.CheckConstraint(f"{column} = ANY (ARRAY[{listed}])", name=name)


def to_member(name: str, column: str) -> sa.ForeignKeyConstraint:
    """A composite key to a person of the same community."""
    return sa.ForeignKeyConstraint(["community_id", column], ["member.community_id", "member.member_id"], name=name)


def to_community(name: str) -> sa.ForeignKeyConstraint:
    """The tenant itself."""
    return sa.ForeignKeyConstraint(["community_id"], ["community.community_id"], name=name)


__all__ = ["big", "community_key", "counted_key", "key", "one_of", "to_community", "to_member"]
