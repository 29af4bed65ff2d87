"""Agreements, transfers and nettings: each side keeps its own row of each."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from service.clearing.rules import AgreementState, Direction, NettingState, TransferState, Unit
from service.facts import Refused
from service.kit.columns import big, community_key, key, one_of, to_community, to_member


class ClearingAgreement(SQLModel, table=True):
    """What this community has agreed with another one. `due_at` is when the other side is told again, until it answers.

    `round` counts the agreements of a pair, so that neither takes an old proposal, long on its way, for a new one.
    """

    __tablename__ = "clearing_agreement"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "partner_id", name="pk_clearing_agreement"),
        one_of("ck_clearing_agreement_state", "state", AgreementState),
        sa.CheckConstraint("partner_id <> community_id", name="ck_clearing_agreement_partner"),
        sa.CheckConstraint("round >= 1", name="ck_clearing_agreement_round"),
        sa.CheckConstraint(
            "minutes_max BETWEEN 0 AND 1000000000000 AND points_hundredths_max BETWEEN 0 AND 1000000000000",
            name="ck_clearing_agreement_max",
        ),
        sa.CheckConstraint("state <> 'accepted' OR accepted_at IS NOT NULL", name="ck_clearing_agreement_accepted"),
        sa.CheckConstraint("(state = 'ended') = (ended_at IS NOT NULL)", name="ck_clearing_agreement_ended"),
        to_community("fk_clearing_agreement_community"),
        to_member("fk_clearing_agreement_proposed_by", "proposed_by"),
        to_member("fk_clearing_agreement_accepted_by", "accepted_by"),
        to_member("fk_clearing_agreement_ended_by", "ended_by"),
        sa.Index("ix_clearing_agreement_due", "due_at", postgresql_where=sa.text("due_at IS NOT NULL")),
    )

    community_id: int = community_key()
    partner_id: int = Field(sa_type=sa.BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    agreement_id: UUID
    round: int = big()
    state: str = Field(sa_type=sa.Text)
    minutes_max: int = big()
    points_hundredths_max: int = big()
    proposed_by: UUID | None = None
    proposed_at: datetime
    accepted_by: UUID | None = None
    accepted_at: datetime | None = None
    ended_by: UUID | None = None
    ended_at: datetime | None = None
    due_at: datetime | None = None


class ClearingNetting(SQLModel, table=True):
    """Sums are what this community owes the other for the transfers in it; below zero, what the other owes.

    `round` counts the nettings of a pair, so that neither side takes an old proposal, long on its way, for a new one.
    """

    __tablename__ = "clearing_netting"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "netting_id", name="pk_clearing_netting"),
        one_of("ck_clearing_netting_state", "state", NettingState),
        sa.CheckConstraint("transfers >= 1 AND round >= 1", name="ck_clearing_netting_transfers"),
        sa.CheckConstraint("(state = 'proposed') = (settled_at IS NULL)", name="ck_clearing_netting_settled"),
        sa.CheckConstraint("(is_ours AND state = 'proposed') = (due_at IS NOT NULL)", name="ck_clearing_netting_due"),
        sa.ForeignKeyConstraint(
            ["community_id", "partner_id"],
            ["clearing_agreement.community_id", "clearing_agreement.partner_id"],
            name="fk_clearing_netting_agreement",
        ),
        to_member("fk_clearing_netting_proposed_by", "proposed_by"),
        to_member("fk_clearing_netting_decided_by", "decided_by"),
        sa.Index(
            "uq_clearing_netting_open",
            "community_id",
            "partner_id",
            unique=True,
            postgresql_where=sa.text("state = 'proposed'"),
        ),
        sa.Index("ix_clearing_netting_due", "due_at", postgresql_where=sa.text("due_at IS NOT NULL")),
    )

    community_id: int = community_key()
    netting_id: UUID = key()
    partner_id: int = big()
    round: int = big()
    is_ours: bool
    state: str = Field(sa_type=sa.Text)
    until: datetime
    transfers: int = big()
    minutes: int = big()
    points_hundredths: int = big()
    proposed_by: UUID | None = None
    proposed_at: datetime
    decided_by: UUID | None = None
    settled_at: datetime | None = None
    due_at: datetime | None = None


class ClearingTransfer(SQLModel, table=True):
    """One side's row of something sent. `member_id` is our person, `their_card` all that we know of the other one.

    `their_member_id` is known to the sending side only, which needs it to say whom it means.
    """

    __tablename__ = "clearing_transfer"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "transfer_id", name="pk_clearing_transfer"),
        one_of("ck_clearing_transfer_direction", "direction", Direction),
        one_of("ck_clearing_transfer_unit", "unit", Unit),
        one_of("ck_clearing_transfer_state", "state", TransferState),
        one_of("ck_clearing_transfer_refused", "refused", Refused),
        sa.CheckConstraint("amount BETWEEN 1 AND 1000000000000", name="ck_clearing_transfer_amount"),
        sa.CheckConstraint(
            "CASE direction WHEN 'out' THEN state <> 'refused' AND member_id IS NOT NULL"
            " AND their_member_id IS NOT NULL AND actor_id IS NOT NULL"
            " ELSE state IN ('arrived', 'refused') AND their_member_id IS NULL AND actor_id IS NULL"
            " AND (member_id IS NOT NULL OR state = 'refused') END",
            name="ck_clearing_transfer_side",
        ),
        sa.CheckConstraint(
            "(state IN ('returned', 'refused')) = (refused IS NOT NULL)", name="ck_clearing_transfer_reason"
        ),
        sa.CheckConstraint(
            "(state IN ('sent', 'recalled')) = (due_at IS NOT NULL) AND (due_at IS NULL) = (settled_at IS NOT NULL)",
            name="ck_clearing_transfer_due",
        ),
        sa.CheckConstraint("netting_id IS NULL OR state = 'arrived'", name="ck_clearing_transfer_netting"),
        sa.ForeignKeyConstraint(
            ["community_id", "netting_id"],
            ["clearing_netting.community_id", "clearing_netting.netting_id"],
            name="fk_clearing_transfer_netting",
        ),
        to_community("fk_clearing_transfer_community"),
        to_member("fk_clearing_transfer_member", "member_id"),
        to_member("fk_clearing_transfer_actor", "actor_id"),
        sa.Index("ix_clearing_transfer_member", "community_id", "member_id", "sent_at", "transfer_id"),
        sa.Index("ix_clearing_transfer_partner", "community_id", "partner_id", "sent_at", "transfer_id"),
        sa.Index("ix_clearing_transfer_code", "community_id", "code"),
        sa.Index("ix_clearing_transfer_due", "due_at", postgresql_where=sa.text("due_at IS NOT NULL")),
    )

    community_id: int = community_key()
    transfer_id: UUID = key()
    partner_id: int = big()
    agreement_id: UUID
    direction: str = Field(sa_type=sa.Text)
    unit: str = Field(sa_type=sa.Text)
    amount: int = big()
    member_id: UUID | None = None
    actor_id: UUID | None = None
    their_card: str = Field(sa_type=sa.Text)
    their_member_id: UUID | None = None
    code: str = Field(sa_type=sa.Text)
    state: str = Field(sa_type=sa.Text)
    refused: str | None = Field(default=None, sa_type=sa.Text)
    sent_at: datetime
    settled_at: datetime | None = None
    due_at: datetime | None = None
    netting_id: UUID | None = None
