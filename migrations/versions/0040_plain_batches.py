"""Batches of plain journals have a lane of their own in the core of the ledger."""

from migrations.sql import run_sql

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The lane, and the core that tries it first."""
    run_sql(__file__)


def downgrade() -> None:
    """One lane for all."""
    run_sql(__file__, down=True)
