"""Samples, what was drawn, what was found. All append-only by privilege: a sample that displeased stays listed."""

from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from service.audits.rules import JOURNALS_MAX, NOTE_LENGTH_MAX, Strata, Verdict
from service.kit.columns import big, community_key, key, one_of, to_community, to_member


class AuditSample(SQLModel, table=True):
    """One draw: its seed and bounds, so that it can be drawn again, and who drew it when."""

    __tablename__ = "audit_sample"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "sample_id", name="pk_audit_sample"),
        one_of("ck_audit_sample_strata", "strata", Strata),
        sa.CheckConstraint("seed ~ '^[0-9a-f]{32}$'::text", name="ck_audit_sample_seed"),
        sa.CheckConstraint(
            f"since <= until AND first_seq >= 1 AND first_seq <= last_seq AND wanted >= 1 AND wanted <= {JOURNALS_MAX}",
            name="ck_audit_sample_bounds",
        ),
        to_community("fk_audit_sample_community"),
        to_member("fk_audit_sample_drawn_by", "drawn_by"),
    )

    community_id: int = community_key()
    sample_id: UUID = key()
    seed: str = Field(sa_type=sa.Text)
    since: date
    until: date
    first_seq: int = big()
    last_seq: int = big()
    wanted: int = Field(sa_type=sa.Integer)
    strata: str = Field(sa_type=sa.Text)
    looked_up: int = Field(sa_type=sa.Integer)
    drawn_by: UUID
    drawn_at: datetime


class AuditSampleItem(SQLModel, table=True):
    """One journal of a sample, in the order of the draw."""

    __tablename__ = "audit_sample_item"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "sample_id", "place", name="pk_audit_sample_item"),
        sa.UniqueConstraint("community_id", "sample_id", "journal_id", name="uq_audit_sample_item_journal"),
        sa.CheckConstraint("place >= 1", name="ck_audit_sample_item_place"),
        sa.ForeignKeyConstraint(
            ["community_id", "sample_id"],
            ["audit_sample.community_id", "audit_sample.sample_id"],
            name="fk_audit_sample_item_sample",
        ),
    )

    community_id: int = community_key()
    sample_id: UUID = key()
    place: int = Field(sa_type=sa.Integer, primary_key=True, sa_column_kwargs={"autoincrement": False})
    journal_id: int = big()
    stratum: str = Field(sa_type=sa.Text)


class AuditFinding(SQLModel, table=True):
    """What an auditor noted of one journal; a later one stands beside it and does not replace it."""

    __tablename__ = "audit_finding"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "finding_id", name="pk_audit_finding"),
        one_of("ck_audit_finding_verdict", "verdict", Verdict),
        sa.CheckConstraint(
            f"char_length(note) <= {NOTE_LENGTH_MAX} AND (verdict = 'ok'::text OR note <> '')",
            name="ck_audit_finding_note",
        ),
        sa.ForeignKeyConstraint(
            ["community_id", "sample_id", "journal_id"],
            ["audit_sample_item.community_id", "audit_sample_item.sample_id", "audit_sample_item.journal_id"],
            name="fk_audit_finding_item",
        ),
        to_member("fk_audit_finding_found_by", "found_by"),
        sa.Index("ix_audit_finding_item", "community_id", "sample_id", "journal_id"),
    )

    community_id: int = community_key()
    finding_id: UUID = key()
    sample_id: UUID
    journal_id: int = big()
    verdict: str = Field(sa_type=sa.Text)
    note: str = Field(sa_type=sa.Text)
    found_by: UUID
    found_at: datetime
