"""Listings on the board, exchanges between two people, and the history of each."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from service.exchange.rules import (
    HELD,
    MINUTES_MAX,
    NOTE_LENGTH_MAX,
    OPEN,
    TEXT_LENGTH_MAX,
    TITLE_LENGTH_MAX,
    WAITING,
    Category,
    Kind,
    ListingState,
    State,
    Verb,
)
from service.kit.columns import community_key, key, one_of, to_member

_HELD = ", ".join(f"'{state.value}'" for state in HELD)
_OPEN = ", ".join(f"'{state.value}'" for state in OPEN)
_WAITING = ", ".join(f"'{state.value}'" for state in WAITING)


class ExchangeListing(SQLModel, table=True):
    """What somebody offers or asks for. Its words and minutes never change; only its state does."""

    __tablename__ = "exchange_listing"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "listing_id", name="pk_exchange_listing"),
        one_of("ck_exchange_listing_kind", "kind", Kind),
        one_of("ck_exchange_listing_category", "category", Category),
        one_of("ck_exchange_listing_state", "state", ListingState),
        sa.CheckConstraint(f"minutes BETWEEN 1 AND {MINUTES_MAX}", name="ck_exchange_listing_minutes"),
        sa.CheckConstraint(
            f"length(title) BETWEEN 1 AND {TITLE_LENGTH_MAX} AND length(text) <= {TEXT_LENGTH_MAX}",
            name="ck_exchange_listing_lengths",
        ),
        sa.CheckConstraint("state <> 'taken' OR kind = 'request'", name="ck_exchange_listing_taken"),
        to_member("fk_exchange_listing_owner", "owner_id"),
        sa.Index("ix_exchange_listing_state", "community_id", "state", "posted_at", "listing_id"),
        sa.Index("ix_exchange_listing_owner", "community_id", "owner_id", "posted_at"),
        sa.Index("ix_exchange_listing_due", "expires_at", postgresql_where=sa.text("state = 'open'")),
    )

    community_id: int = community_key()
    listing_id: UUID = key()
    kind: str = Field(sa_type=sa.Text)
    category: str = Field(sa_type=sa.Text)
    title: str = Field(sa_type=sa.Text)
    text: str = Field(sa_type=sa.Text)
    minutes: int = Field(sa_type=sa.Integer)
    owner_id: UUID
    state: str = Field(sa_type=sa.Text)
    posted_at: datetime
    changed_at: datetime
    expires_at: datetime


class Exchange(SQLModel, table=True):
    """One answer to a listing and what became of it. Its number is also that of the ledger's hold.

    `due_at` is when time alone moves it on: an answer that nobody took up, work that was never done or never confirmed.
    """

    __tablename__ = "exchange"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "exchange_id", name="pk_exchange"),
        one_of("ck_exchange_state", "state", State),
        sa.CheckConstraint("payer_id <> helper_id", name="ck_exchange_two"),
        sa.CheckConstraint("revision >= 1", name="ck_exchange_revision"),
        sa.CheckConstraint(f"minutes BETWEEN 1 AND {MINUTES_MAX}", name="ck_exchange_minutes"),
        sa.CheckConstraint("paid_minutes BETWEEN 1 AND minutes", name="ck_exchange_paid_minutes"),
        sa.CheckConstraint("(state = 'confirmed') = (paid_minutes IS NOT NULL)", name="ck_exchange_paid"),
        sa.CheckConstraint(f"(state IN ({_WAITING})) = (due_at IS NOT NULL)", name="ck_exchange_due"),
        sa.CheckConstraint(f"state NOT IN ({_HELD}, 'confirmed') OR accepted_at IS NOT NULL", name="ck_exchange_held"),
        sa.CheckConstraint("state <> 'done' OR done_at IS NOT NULL", name="ck_exchange_done"),
        sa.CheckConstraint("state <> 'disputed' OR disputed_by IS NOT NULL", name="ck_exchange_disputed"),
        sa.CheckConstraint("decided_by NOT IN (payer_id, helper_id)", name="ck_exchange_decided"),
        sa.CheckConstraint(
            f"thanks IS NULL OR (state = 'confirmed' AND length(thanks) BETWEEN 1 AND {NOTE_LENGTH_MAX})",
            name="ck_exchange_thanks",
        ),
        sa.CheckConstraint("(hidden_by IS NULL) = (hidden_at IS NULL)", name="ck_exchange_hidden"),
        sa.ForeignKeyConstraint(
            ["community_id", "listing_id"],
            ["exchange_listing.community_id", "exchange_listing.listing_id"],
            name="fk_exchange_listing",
        ),
        to_member("fk_exchange_payer", "payer_id"),
        to_member("fk_exchange_helper", "helper_id"),
        to_member("fk_exchange_disputed_by", "disputed_by"),
        to_member("fk_exchange_decided_by", "decided_by"),
        to_member("fk_exchange_hidden_by", "hidden_by"),
        sa.Index(
            "uq_exchange_open",
            "community_id",
            "listing_id",
            "payer_id",
            "helper_id",
            unique=True,
            postgresql_where=sa.text(f"state IN ({_OPEN})"),
        ),
        sa.Index("ix_exchange_listing", "community_id", "listing_id", "state"),
        sa.Index("ix_exchange_payer", "community_id", "payer_id", "changed_at", "exchange_id"),
        sa.Index("ix_exchange_helper", "community_id", "helper_id", "changed_at", "exchange_id"),
        sa.Index("ix_exchange_pair", "community_id", "payer_id", "helper_id", "accepted_at"),
        sa.Index("ix_exchange_state", "community_id", "state", "changed_at", "exchange_id"),
        sa.Index("ix_exchange_due", "due_at", postgresql_where=sa.text("due_at IS NOT NULL")),
    )

    community_id: int = community_key()
    exchange_id: UUID = key()
    listing_id: UUID
    payer_id: UUID
    helper_id: UUID
    minutes: int = Field(sa_type=sa.Integer)
    note: str = Field(sa_type=sa.Text)
    state: str = Field(sa_type=sa.Text)
    revision: int = Field(default=1, sa_type=sa.Integer)
    asked_at: datetime
    changed_at: datetime
    due_at: datetime | None = None
    accepted_at: datetime | None = None
    done_at: datetime | None = None
    disputed_by: UUID | None = None
    decided_by: UUID | None = None
    paid_minutes: int | None = Field(default=None, sa_type=sa.Integer)
    thanks: str | None = Field(default=None, sa_type=sa.Text)
    hidden_by: UUID | None = None
    hidden_at: datetime | None = None


class ExchangeGift(SQLModel, table=True):
    """Minutes that somebody gave to another one of the same household; append-only by privilege."""

    __tablename__ = "exchange_gift"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "gift_id", name="pk_exchange_gift"),
        sa.CheckConstraint("giver_id <> receiver_id", name="ck_exchange_gift_two"),
        sa.CheckConstraint(f"minutes BETWEEN 1 AND {MINUTES_MAX}", name="ck_exchange_gift_minutes"),
        sa.CheckConstraint(f"length(note) <= {NOTE_LENGTH_MAX}", name="ck_exchange_gift_note"),
        to_member("fk_exchange_gift_giver", "giver_id"),
        to_member("fk_exchange_gift_receiver", "receiver_id"),
        sa.Index("ix_exchange_gift_giver", "community_id", "giver_id", "given_at", "gift_id"),
        sa.Index("ix_exchange_gift_receiver", "community_id", "receiver_id", "given_at", "gift_id"),
    )

    community_id: int = community_key()
    gift_id: UUID = key()
    giver_id: UUID
    receiver_id: UUID
    minutes: int = Field(sa_type=sa.Integer)
    note: str = Field(sa_type=sa.Text)
    given_at: datetime


class ExchangeEvent(SQLModel, table=True):
    """One line of an exchange's history, append-only by privilege; its number is the revision that it made."""

    __tablename__ = "exchange_event"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "exchange_id", "revision", name="pk_exchange_event"),
        one_of("ck_exchange_event_verb", "verb", Verb),
        one_of("ck_exchange_event_state", "state", State),
        sa.ForeignKeyConstraint(
            ["community_id", "exchange_id"],
            ["exchange.community_id", "exchange.exchange_id"],
            name="fk_exchange_event_exchange",
        ),
        to_member("fk_exchange_event_actor", "actor_id"),
    )

    community_id: int = community_key()
    exchange_id: UUID = key()
    revision: int = Field(sa_type=sa.Integer, primary_key=True, sa_column_kwargs={"autoincrement": False})
    verb: str = Field(sa_type=sa.Text)
    state: str = Field(sa_type=sa.Text)
    at: datetime
    actor_id: UUID | None = None
    """Empty where time alone moved it."""
    note: str | None = Field(default=None, sa_type=sa.Text)
