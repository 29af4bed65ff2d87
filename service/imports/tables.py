"""Columns and constraints of imports. What a sheet said of a person stays sealed and is forgotten after thirty days."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field, SQLModel

from service.imports.rules import BatchState, Verdict
from service.kit.columns import community_key, key, one_of, to_member


class ImportBatch(SQLModel, table=True):
    """One uploaded sheet and what became of it."""

    __tablename__ = "import_batch"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "import_id", name="pk_import_batch"),
        one_of("ck_import_batch_state", "state", BatchState),
        sa.CheckConstraint("(state = 'checked'::text) = (applied_at IS NULL)", name="ck_import_batch_applied"),
        sa.CheckConstraint("(state = 'undone'::text) = (undone_at IS NOT NULL)", name="ck_import_batch_undone"),
        to_member("fk_import_batch_uploaded_by", "uploaded_by"),
        to_member("fk_import_batch_applied_by", "applied_by"),
        to_member("fk_import_batch_undone_by", "undone_by"),
        sa.Index("ix_import_batch_old", "uploaded_at"),
    )

    community_id: int = community_key()
    import_id: UUID = key()
    state: str = Field(sa_type=sa.Text)
    file_name: str = Field(sa_type=sa.Text)
    """Empty for one person who was typed into a form."""
    unused: list[str] = Field(sa_type=ARRAY(sa.Text))
    """Headings that were left aside."""
    new_places: list[str] = Field(sa_type=ARRAY(sa.Text))
    """Buildings that applying opens, each with its grid."""
    new_rows: int = Field(sa_type=sa.Integer)
    changed_rows: int = Field(sa_type=sa.Integer)
    unchanged_rows: int = Field(sa_type=sa.Integer)
    conflict_rows: int = Field(sa_type=sa.Integer)
    error_rows: int = Field(sa_type=sa.Integer)
    kept_rows: int = Field(default=0, sa_type=sa.Integer)
    """Rows that taking back left as they were, because the person has been active since."""
    uploaded_by: UUID
    uploaded_at: datetime
    checked_at: datetime
    applied_by: UUID | None = None
    applied_at: datetime | None = None
    undone_by: UUID | None = None
    undone_at: datetime | None = None


class ImportRow(SQLModel, table=True):
    """One row of a sheet, sealed, with what applying it would do or did."""

    __tablename__ = "import_row"
    __table_args__ = (
        sa.PrimaryKeyConstraint("community_id", "import_id", "row_no", name="pk_import_row"),
        one_of("ck_import_row_verdict", "verdict", Verdict),
        sa.CheckConstraint("row_no >= 1", name="ck_import_row_row_no"),
        one_of("ck_import_row_kept", "kept", ["active", "changed"]),
        sa.ForeignKeyConstraint(
            ["community_id", "import_id"],
            ["import_batch.community_id", "import_batch.import_id"],
            name="fk_import_row_batch",
        ),
        sa.Index("ix_import_row_member", "community_id", "member_id"),
        sa.Index("ix_import_row_verdict", "community_id", "import_id", "verdict", "row_no"),
    )

    community_id: int = community_key()
    import_id: UUID = key()
    row_no: int = Field(sa_type=sa.Integer, primary_key=True, sa_column_kwargs={"autoincrement": False})
    verdict: str = Field(sa_type=sa.Text)
    member_id: UUID | None = None
    """Whom the row is about; for a new person the id they get when the import is applied."""
    seen_revision: int | None = Field(default=None, sa_type=sa.Integer)
    """The person's revision when the row was checked: applying refuses when it is another by then."""
    row_sealed: bytes = Field(sa_type=sa.LargeBinary)
    before_sealed: bytes | None = Field(default=None, sa_type=sa.LargeBinary)
    """What the person was before, for taking the import back."""
    granted: list[str] = Field(default_factory=list, sa_type=ARRAY(sa.Text), sa_column_kwargs={"nullable": False})
    """Roles that somebody who existed got by this row."""
    kept: str | None = Field(default=None, sa_type=sa.Text)
